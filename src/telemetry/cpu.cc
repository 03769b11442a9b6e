// The processor: model, flags, caches, frequencies; packages, cores and NUMA nodes.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "telemetry/probes.h"

namespace sparky::telemetry {
namespace {

constexpr std::string_view cpu_dir = "/sys/devices/system/cpu";

// /proc/cpuinfo is blocks of "key : value" lines, one block per CPU; the last may be about the board.
std::vector<std::map<std::string, std::string>> cpuinfo(const Host& host) {
  std::vector<std::map<std::string, std::string>> blocks;
  for (std::string_view line : host.lines("/proc/cpuinfo")) {
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    auto key = std::string(trim(line.substr(0, colon)));
    if (key == "processor" || blocks.empty()) blocks.emplace_back();
    blocks.back()[key] = std::string(trim(line.substr(colon + 1)));
  }
  return blocks;
}

// ARM cores carry numbers instead of names. Source: the part numbers in the "Main ID Register" pages of Arm's
// Technical Reference Manuals, as lscpu names them.
std::string arm_core_name(const std::string& implementer, const std::string& part) {
  static const std::map<std::string, std::string> arm = {
      {"0xd03", "Cortex-A53"},  {"0xd05", "Cortex-A55"},    {"0xd07", "Cortex-A57"},  {"0xd08", "Cortex-A72"},
      {"0xd0b", "Cortex-A76"},  {"0xd0c", "Neoverse-N1"},   {"0xd40", "Neoverse-V1"}, {"0xd42", "Cortex-A78AE"},
      {"0xd49", "Neoverse-N2"}, {"0xd4f", "Neoverse-V2"},   {"0xd80", "Cortex-A520"}, {"0xd81", "Cortex-A720"},
      {"0xd82", "Cortex-X4"},   {"0xd83", "Neoverse-V3AE"}, {"0xd84", "Neoverse-V3"}, {"0xd85", "Cortex-X925"},
      {"0xd87", "Cortex-A725"}, {"0xd8e", "Neoverse-N3"}};
  if (implementer == "0x41")
    if (auto found = arm.find(part); found != arm.end()) return found->second;
  return fmt::format("ARM implementer {} part {}", implementer, part);
}

// "Intel(R) Xeon(R) …", or for ARM each kind of core with its count: "10 × Cortex-X925 + 10 × Cortex-A725".
std::string cpu_model(const std::vector<std::map<std::string, std::string>>& blocks) {
  std::map<std::string, int, std::greater<>> arm_cores;
  for (const auto& block : blocks) {
    for (auto key : {"model name", "cpu model", "cpu"})
      if (auto found = block.find(key); found != block.end() && !found->second.empty()) return found->second;
    if (block.contains("CPU implementer") && block.contains("CPU part"))
      ++arm_cores[arm_core_name(block.at("CPU implementer"), block.at("CPU part"))];
  }
  std::string out;
  for (const auto& [name, count] : arm_cores) out += fmt::format("{}{} × {}", out.empty() ? "" : " + ", count, name);
  return out;
}

std::vector<int> online_cpus(const Host& host) {
  auto online = parse_cpu_list(host.line(fmt::format("{}/online", cpu_dir)).value_or(""));
  if (online.empty()) {  // some containers hide sysfs
    size_t count = cpuinfo(host).size();
    for (size_t i = 0; i < count; ++i) online.push_back(int(i));
  }
  return online;
}

// One entry per kind of cache (L1d, L1i, L2, …), with how many there are and how many CPUs share one.
Json read_caches(const Host& host, const std::vector<int>& online, std::vector<Unknown>& unknown) {
  struct Kind {
    int64_t size = 0, line = 0;
    size_t shared_by = 0;
    std::set<std::string> instances;
  };
  std::map<std::pair<int64_t, std::string>, std::map<int64_t, Kind>> kinds;  // (level, type) → size → kind
  for (int cpu : online) {
    auto dir = fmt::format("{}/cpu{}/cache", cpu_dir, cpu);
    for (const auto& index : host.names(dir)) {
      if (!index.starts_with("index")) continue;
      auto file = [&](const char* name) { return host.line(fmt::format("{}/{}/{}", dir, index, name)).value_or(""); };
      auto level = host.number(fmt::format("{}/{}/level", dir, index));
      auto size = parse_kernel_size(file("size"));
      if (!level || !size) continue;
      Kind& kind = kinds[{*level, lower(file("type"))}][*size];
      kind.size = *size;
      kind.line = host.number(fmt::format("{}/{}/coherency_line_size", dir, index)).value_or(0);
      auto shared = file("shared_cpu_list");
      kind.instances.insert(shared);
      kind.shared_by = std::max(kind.shared_by, parse_cpu_list(shared).size());
    }
  }
  Json out = Json::array();
  for (const auto& [key, sizes] : kinds)
    for (const auto& [size, kind] : sizes)
      out.push_back({{"level", key.first},
                     {"type", key.second},
                     {"size_bytes", size},
                     {"line_bytes", kind.line},
                     {"instances", kind.instances.size()},
                     {"shared_by_cpus", kind.shared_by}});
  if (out.empty()) unknown.push_back({"cpu.caches", fmt::format("{}/cpu*/cache is not there", cpu_dir)});
  return out;
}

Json read_frequency(const Host& host, const std::vector<int>& online, std::vector<Unknown>& unknown) {
  std::optional<int64_t> low, high;
  for (int cpu : online) {
    auto dir = fmt::format("{}/cpu{}/cpufreq", cpu_dir, cpu);
    if (auto khz = host.number(dir + "/cpuinfo_min_freq")) low = std::min(low.value_or(*khz), *khz);
    if (auto khz = host.number(dir + "/cpuinfo_max_freq")) high = std::max(high.value_or(*khz), *khz);
  }
  if (!low || !high) {
    unknown.push_back({"cpu.frequency_mhz", "the kernel shows no cpufreq (usual in a virtual machine)"});
    return nullptr;
  }
  return {{"min", double(*low) / 1000}, {"max", double(*high) / 1000}};
}

}  // namespace

std::string architecture(const Host& host) {
  if (!host.is_this_machine())
    return host.text("/proc/cpuinfo").find("CPU implementer") == std::string::npos ? "x86_64" : "arm64";
  utsname name{};
  ::uname(&name);
  std::string machine = name.machine;
  return machine == "aarch64" ? "arm64" : machine;
}

Json read_cpu(const Host& host, std::vector<Unknown>& unknown) {
  auto blocks = cpuinfo(host);
  auto online = online_cpus(host);
  Json cpu = {{"architecture", architecture(host)}, {"logical", online.size()}};
  auto model = cpu_model(blocks);
  if (model.empty()) unknown.push_back({"cpu.model", "/proc/cpuinfo does not name it"});
  cpu["model"] = model.empty() ? Json() : Json(model);

  std::set<std::string> flags;
  std::string vendor;
  for (const auto& block : blocks) {
    for (auto key : {"flags", "Features"})
      if (auto found = block.find(key); found != block.end())
        for (auto& flag : words(found->second)) flags.insert(std::move(flag));
    if (auto found = block.find("vendor_id"); found != block.end()) vendor = found->second;
    if (auto found = block.find("CPU implementer"); found != block.end()) vendor = found->second == "0x41" ? "ARM" : "";
  }
  if (flags.empty()) unknown.push_back({"cpu.flags", "/proc/cpuinfo does not list them"});
  cpu["flags"] = flags;
  cpu["vendor"] = vendor.empty() ? Json() : Json(vendor);

  std::set<std::pair<std::string, std::string>> cores;
  std::set<std::string> sockets;
  for (int cpu_number : online) {
    auto dir = fmt::format("{}/cpu{}/topology", cpu_dir, cpu_number);
    auto package = host.line(dir + "/physical_package_id").value_or("0");
    sockets.insert(package);
    cores.emplace(package, host.line(dir + "/core_id").value_or(std::to_string(cpu_number)));
  }
  cpu["sockets"] = sockets.size();
  cpu["cores"] = cores.size();
  cpu["caches"] = read_caches(host, online, unknown);
  cpu["frequency_mhz"] = read_frequency(host, online, unknown);
  cpu["virtual_machine"] = flags.contains("hypervisor") || host.exists("/sys/hypervisor/type");
  return cpu;
}

Json read_topology(const Host& host, std::vector<Unknown>& unknown) {
  auto number = [&](const std::string& path, int64_t otherwise) { return host.number(path).value_or(otherwise); };
  auto blocks = cpuinfo(host);
  std::map<int64_t, std::map<int64_t, std::vector<int>>> packages;
  bool read = false;
  for (int cpu : online_cpus(host)) {
    auto dir = fmt::format("{}/cpu{}/topology", cpu_dir, cpu);
    read = read || host.exists(dir);
    packages[number(dir + "/physical_package_id", 0)][number(dir + "/core_id", cpu)].push_back(cpu);
  }
  if (!read) unknown.push_back({"topology", fmt::format("{}/cpu*/topology is not there", cpu_dir)});
  Json out = Json::array();
  for (const auto& [package, cores] : packages) {
    Json list = Json::array();
    for (const auto& [core, cpus] : cores) {
      Json entry = {{"core", core}, {"cpus", cpus}};
      if (size_t first = size_t(cpus.front()); first < blocks.size() && blocks[first].contains("CPU part"))
        entry["model"] = arm_core_name(blocks[first]["CPU implementer"], blocks[first]["CPU part"]);
      list.push_back(entry);
    }
    out.push_back({{"package", package}, {"cores", list}});
  }
  return out;
}

Json read_numa(const Host& host, std::vector<Unknown>& unknown) {
  Json out = Json::array();
  for (const auto& name : host.names("/sys/devices/system/node")) {
    if (!name.starts_with("node") || name.find_first_not_of("0123456789", 4) != std::string::npos || name.size() < 5)
      continue;
    auto dir = "/sys/devices/system/node/" + name;
    Json node = {{"node", std::atoi(name.c_str() + 4)}, {"memory_bytes", nullptr}, {"distances", Json::array()}};
    node["cpus"] = parse_cpu_list(host.line(dir + "/cpulist").value_or(""));
    for (const auto& line : host.lines(dir + "/meminfo"))  // "Node 0 MemTotal:  24684096 kB"
      if (size_t at = line.find("MemTotal:"); at != std::string::npos)
        node["memory_bytes"] = std::atoll(line.c_str() + at + 9) * 1024;
    for (const auto& distance : words(host.line(dir + "/distance").value_or("")))
      node["distances"].push_back(std::atoi(distance.c_str()));
    out.push_back(node);
  }
  if (out.empty()) unknown.push_back({"numa", "the kernel shows no NUMA nodes"});
  return out;
}

}  // namespace sparky::telemetry
