// The screen Monitor: the daemon's machine and its work, as they go.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "tui/fields.h"
#include "tui/screens.h"

namespace sparky::tui {
using namespace ftxui;

namespace {

Element panel(const Stage& stage, const std::string& title, const std::string& now, const std::vector<double>& values,
              double top) {
  return vbox({hbox({text(title) | bold, text("  " + now) | dim}), braille(values, top, stage.theme.accent)}) | flex;
}

double highest(const std::vector<double>& values, double least) {
  double top = least;
  for (double v : values) top = std::max(top, v);
  return top;
}

std::string share(double value) { return value < 0 ? "" : fmt::format("{:.0f} %", 100 * value); }

std::string gpu_text(const GpuRow& gpu) {
  std::vector<std::string> parts;
  if (gpu.utilization >= 0) parts.push_back("busy " + share(gpu.utilization));
  if (gpu.memory >= 0) parts.push_back("memory " + share(gpu.memory));
  if (gpu.temperature_c >= 0) parts.push_back(fmt::format("{:.0f} °C", gpu.temperature_c));
  if (gpu.power_w >= 0) parts.push_back(fmt::format("{:.0f} W", gpu.power_w));
  return gpu.model + ": " + (parts.empty() ? "it says nothing" : join(parts, ", "));
}

std::string work_text(const Model& m) {
  auto t = throughput(m);
  if (t.work_s < 0) return "none completed yet";
  auto wait = t.wait_s < 0 ? std::string() : fmt::format("wait {:.1f}s, ", t.wait_s);
  return fmt::format("{} done in the last minute; median of the last: {}work {:.1f}s", t.jobs_a_minute, wait, t.work_s);
}

std::string worker_text(const WorkerRow& w) {
  return fmt::format("{} on {}: {}{}{}", w.name, w.device, join(w.kinds, " "),
                     w.loaded.empty() ? "" : ", holds " + join(w.loaded, " "),
                     w.jobs.empty() ? ", idle" : ", at " + join(w.jobs, " "));
}

// What daemon, warden and workers do, a line each.
Elements facts(const Model& m, int width, int most) {
  auto& mon = m.monitor;
  Elements lines;
  auto fact = [&](const std::string& label, const std::string& value) {
    if (int(lines.size()) < most)
      lines.push_back(hbox({text(padded(label, 10)) | dim, text(cut(one_line(value), width - 11))}));
  };
  auto& journal = part(mon.daemon, "journal");
  auto& executor = part(mon.daemon, "executor");
  fact("daemon",
       fmt::format("process {:.0f}, up {}, {:.0f} requests", num(mon.daemon, "pid"),
                   human(Duration(int64_t(num(mon.daemon, "uptime_s")) * 1000)), num(mon.daemon, "requests")));
  fact("journal",
       fmt::format("{:.0f} commits, the slowest {:.0f} ms", num(journal, "commits"), num(journal, "commit_ms_max")));
  bool well = executor.is_object() && executor.value("available", false);
  fact("warden", well ? "watches" : "away: " + (executor.is_object() ? executor.value("trouble", "") : ""));
  fact("jobs", work_text(m));
  for (auto& gpu : mon.gpus) fact("GPU", gpu_text(gpu));
  if (mon.workers.empty()) fact("workers", "none connected; a job starts what it needs");
  for (auto& w : mon.workers) fact("worker", worker_text(w));
  return lines;
}

}  // namespace

Element draw_monitor(Model& m, Stage& stage, int width, int height) {
  auto& mon = m.monitor;
  auto last = [](const std::vector<double>& v) { return v.empty() ? 0.0 : v.back(); };
  auto count = [&](const char* title, const char* unit, const std::vector<double>& values, double least) {
    return panel(stage, title, fmt::format("{:.0f}{}", last(values), unit), values, highest(values, least));
  };
  Elements above{panel(stage, "CPU", share(last(mon.cpu)), mon.cpu, 1), separator(),
                 panel(stage, "Memory", share(last(mon.memory)), mon.memory, 1), separator()};
  if (!mon.gpus.empty()) {
    above.push_back(panel(stage, "GPU", share(last(mon.gpu)), mon.gpu, 1));
    above.push_back(separator());
  }
  above.push_back(count("Jobs now", "", mon.depth, 4));
  auto latency = panel(stage, "Answer", fmt::format("{:.1f} ms", last(mon.latency_ms)), mon.latency_ms,
                       highest(mon.latency_ms, 5));
  int most = std::max(1, height - (height < 14 ? 3 : 9));
  auto below = vbox(facts(m, width, most));
  if (height < 14) return vbox({hbox(std::move(above)) | flex, std::move(below)});
  return vbox({hbox(std::move(above)) | flex, separator(),
               hbox({std::move(latency), separator(), count("Pictures", " a minute", mon.pictures_a_minute, 4),
                     separator(), count("Events", " a second", mon.rate, 10)}) |
                   flex,
               separator(), std::move(below)});
}

}  // namespace sparky::tui
