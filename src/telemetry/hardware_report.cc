#include "telemetry/hardware_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.h"
#include "telemetry/host.h"

namespace sparky::telemetry {
namespace {

std::string text(const Json& value) {
  if (value.is_null()) return "unknown";
  return value.is_string() ? value.get<std::string>() : json_text(value);
}
std::string bytes(const Json& value) { return value.is_null() ? "unknown size" : human_bytes(value.get<double>()); }

struct Row {
  std::string part, value;
};

std::string cache_text(const Json& cache) {
  auto type = cache["type"].get<std::string>();
  return fmt::format("L{}{} {} × {}", cache["level"].get<int>(),
                     type == "data"          ? "d"
                     : type == "instruction" ? "i"
                                             : "",
                     cache["instances"].get<int>(), bytes(cache["size_bytes"]));
}

// The lines that both the terminal and the Markdown show.
std::vector<Row> rows(const Json& doc) {
  std::vector<Row> out;
  const Json &cpu = doc["cpu"], &memory = doc["memory"];
  out.push_back(
      {"Machine", fmt::format("{}{}, Linux {}", text(doc["hostname"]),
                              doc["board"].is_null() ? "" : " (" + text(doc["board"]) + ")", text(doc["kernel"]))});
  out.push_back({"CPU", fmt::format("{} ({}{})", text(cpu["model"]), text(cpu["architecture"]),
                                    cpu["virtual_machine"] == true ? ", in a virtual machine" : "")});
  out.push_back({"Topology",
                 fmt::format("{} socket(s), {} core(s), {} logical CPU(s), {} NUMA node(s)", json_text(cpu["sockets"]),
                             json_text(cpu["cores"]), json_text(cpu["logical"]), doc["numa"].size())});
  std::vector<std::string> caches;
  for (const auto& cache : cpu["caches"]) caches.push_back(cache_text(cache));
  if (!caches.empty()) out.push_back({"Caches", join(caches, ", ")});
  if (!cpu["frequency_mhz"].is_null())
    out.push_back({"Frequency", fmt::format("{:.0f}–{:.0f} MHz", cpu["frequency_mhz"]["min"].get<double>(),
                                            cpu["frequency_mhz"]["max"].get<double>())});
  std::string channels =
      memory["channels"].is_null() ? "" : fmt::format(", {} channels", json_text(memory["channels"]));
  if (!memory["theoretical_bytes_per_s"].is_null())
    channels += fmt::format(", {}/s in theory", bytes(memory["theoretical_bytes_per_s"]));
  out.push_back({"Memory", bytes(memory["total_bytes"]) + channels});
  for (const auto& module : memory["modules"])
    out.push_back(
        {"Memory module", fmt::format("{} {} {} at {} MT/s", text(module["locator"]), bytes(module["size_bytes"]),
                                      text(module["type"]), text(module["speed_mts"]))});
  for (const auto& gpu : doc["gpu"])
    out.push_back({fmt::format("GPU {}", json_text(gpu["index"])),
                   fmt::format("{}, {}{}, driver {}, CUDA {}, compute capability {}", text(gpu["model"]),
                               bytes(gpu["memory_bytes"]),
                               gpu["unified_memory"] == true ? " unified with the system's memory" : " of its own",
                               text(gpu["driver"]), text(gpu["cuda"]), text(gpu["compute_capability"]))});
  if (doc["gpu"].empty()) out.push_back({"GPU", "none"});
  for (const auto& disk : doc["disks"]) {
    std::vector<std::string> mounts;
    for (const auto& mount : disk["mounts"]) mounts.push_back(text(mount["path"]) + " " + text(mount["filesystem"]));
    out.push_back({"Disk " + text(disk["name"]),
                   fmt::format("{}, {}{}{}", bytes(disk["size_bytes"]),
                               disk["transport"].is_null() ? "transport unknown" : text(disk["transport"]),
                               disk["model"].is_null() ? "" : ", " + text(disk["model"]),
                               mounts.empty() ? "" : ", on " + join(mounts, ", "))});
  }
  for (const auto& interface : doc["network"]["interfaces"])
    if (interface["virtual"] == false)
      out.push_back({"Network " + text(interface["name"]),
                     fmt::format("{}, {}, MTU {}, driver {}", text(interface["state"]),
                                 interface["speed_mbps"].is_null() ? "speed unknown"
                                                                   : json_text(interface["speed_mbps"]) + " Mbit/s",
                                 json_text(interface["mtu"]), text(interface["driver"]))});
  std::vector<std::string> facts = doc["facts"];
  out.push_back({"Facts", join(facts, ", ")});
  return out;
}

// A cell of a Markdown table: no bars, no line ends.
std::string cell(std::string_view raw) {
  std::string out;
  for (char c : raw) {
    if (c == '|' || c == '\\' || c == '<' || c == '`') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

// The drawing grows downwards; each function draws one part and returns the height it took.
class Drawing {
 public:
  static constexpr int width = 760, margin = 16, line = 18;
  void box(int x, int y, int w, int h, const char* fill) {
    body_ +=
        fmt::format("<rect x='{}' y='{}' width='{}' height='{}' rx='4' fill='{}' stroke='#445'/>\n", x, y, w, h, fill);
  }
  void label(int x, int y, std::string_view what, int size = 12) {
    body_ += fmt::format("<text x='{}' y='{}' font-size='{}'>{}</text>\n", x, y, size, escape_xml(what));
  }
  std::string finish(int height) const {
    return fmt::format(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1}' viewBox='0 0 {0} {1}' "
        "font-family='sans-serif' fill='#112'>\n<rect width='{0}' height='{1}' fill='#fff'/>\n{2}</svg>\n",
        width, height, body_);
  }

 private:
  std::string body_;
};

// One package: its caches as a line, its cores as a grid of boxes with the CPUs they carry.
int draw_package(Drawing& d, int y, const Json& package, const Json& cpu) {
  constexpr int core_w = 88, core_h = 40, gap = 6;
  const int inner = Drawing::width - 2 * Drawing::margin - 2 * gap;
  const int per_row = inner / (core_w + gap);
  const auto& cores = package["cores"];
  int grid_rows = (int(cores.size()) + per_row - 1) / per_row;
  int height = 2 * Drawing::line + 10 + grid_rows * (core_h + gap) + gap;
  d.box(Drawing::margin, y, Drawing::width - 2 * Drawing::margin, height, "#eef3fb");
  d.label(Drawing::margin + gap, y + Drawing::line,
          fmt::format("Package {}: {}", json_text(package["package"]), text(cpu["model"])), 13);
  std::vector<std::string> caches;
  for (const auto& cache : cpu["caches"]) caches.push_back(cache_text(cache));
  d.label(Drawing::margin + gap, y + 2 * Drawing::line, caches.empty() ? "caches unknown" : join(caches, ", "));
  int at = 0;
  for (const auto& core : cores) {
    int x = Drawing::margin + gap + (at % per_row) * (core_w + gap);
    int top = y + 2 * Drawing::line + 10 + (at / per_row) * (core_h + gap);
    d.box(x, top, core_w, core_h, "#cfe0f7");
    d.label(x + 5, top + 15,
            core.contains("model") ? text(core["model"]) : fmt::format("core {}", json_text(core["core"])), 11);
    d.label(x + 5, top + 31, "CPU " + cpu_list_text(core["cpus"].get<std::vector<int>>()), 11);
    ++at;
  }
  return height;
}

}  // namespace

std::string hardware_text(const Json& doc) {
  std::string out;
  for (const auto& row : rows(doc)) out += printable(fmt::format("{:<16} {}\n", row.part, row.value));
  if (!doc["unknown"].empty()) out += "Not learnt:\n";
  for (const auto& item : doc["unknown"])
    out += printable(fmt::format("  {}: {}\n", text(item["what"]), text(item["why"])));
  return out;
}

std::string hardware_markdown(const Json& doc) {
  std::string out =
      fmt::format("# Hardware of {}\n\nMeasured {} by `sparky hardware`.\n\n| part | what it is |\n|---|---|\n",
                  cell(text(doc["hostname"])), text(doc["captured_at"]));
  for (const auto& row : rows(doc)) out += fmt::format("| {} | {} |\n", cell(row.part), cell(row.value));
  out +=
      "\n## Topology\n\n![packages, cores, memory and devices](topology.svg)\n\n| node | CPUs | memory | distances "
      "|\n|---|---|---|---|\n";
  for (const auto& node : doc["numa"])
    out += fmt::format("| {} | {} | {} | {} |\n", json_text(node["node"]),
                       cpu_list_text(node["cpus"].get<std::vector<int>>()), bytes(node["memory_bytes"]),
                       json_text(node["distances"]));
  out += "\n## CPU flags\n\n";
  std::vector<std::string> flags = doc["cpu"]["flags"];
  out += cell(join(flags, " ")) + "\n\n## What could not be learnt\n\n";
  for (const auto& item : doc["unknown"])
    out += fmt::format("- {}: {}\n", cell(text(item["what"])), cell(text(item["why"])));
  if (doc["unknown"].empty()) out += "Nothing: every field was read.\n";
  return out;
}

std::string topology_svg(const Json& doc) {
  Drawing d;
  int y = Drawing::margin + Drawing::line;
  d.label(Drawing::margin, y, fmt::format("{}: topology", text(doc["hostname"])), 16);
  y += 12;
  for (const auto& package : doc["topology"]) y += draw_package(d, y, package, doc["cpu"]) + 10;
  auto bar = [&](const char* fill, const std::string& what) {
    d.box(Drawing::margin, y, Drawing::width - 2 * Drawing::margin, 30, fill);
    d.label(Drawing::margin + 6, y + 20, what);
    y += 36;
  };
  for (const auto& node : doc["numa"])
    bar("#fdf0d5", fmt::format("NUMA node {}: {} for CPUs {}", json_text(node["node"]), bytes(node["memory_bytes"]),
                               cpu_list_text(node["cpus"].get<std::vector<int>>())));
  if (doc["numa"].empty()) bar("#fdf0d5", fmt::format("Memory: {}", bytes(doc["memory"]["total_bytes"])));
  for (const auto& row : rows(doc)) {
    const char* fill = row.part.starts_with("GPU")       ? "#dff3d8"
                       : row.part.starts_with("Disk")    ? "#eee3f7"
                       : row.part.starts_with("Network") ? "#f7e3e3"
                                                         : nullptr;
    if (fill) bar(fill, row.part + ": " + row.value);
  }
  return d.finish(y + Drawing::margin - 6);
}

}  // namespace sparky::telemetry
