#include "conductor/host_load.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace sparky::conductor {

Json HostLoad::now() {
  std::string word;
  uint64_t fields[8] = {}, all = 0;  // user nice system idle iowait irq softirq steal
  std::ifstream stat("/proc/stat");
  stat >> word;
  for (auto& field : fields) {
    stat >> field;
    all += field;
  }
  uint64_t busy = all - fields[3] - fields[4];
  double cpu = all > all_ ? double(busy - std::min(busy, busy_)) / double(all - all_) : 0;
  busy_ = busy;
  all_ = all;

  double total = 0, available = 0, kib = 0;
  std::ifstream memory("/proc/meminfo");
  for (std::string unit; memory >> word >> kib; std::getline(memory, unit)) {
    if (word == "MemTotal:") total = kib;
    if (word == "MemAvailable:") available = kib;
  }
  return {{"cpu", std::clamp(cpu, 0.0, 1.0)}, {"memory", total > 0 ? 1 - available / total : 0.0}};
}

}  // namespace sparky::conductor
