#include "conductor/host_load.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "telemetry/nvml.h"

namespace sparky::conductor {
using namespace std::chrono_literals;

namespace {

constexpr auto watched_for = 10s;  // after somebody asked

Json describe(const telemetry::Gpu& gpu) {
  Json out{{"model", gpu.model}};
  if (gpu.utilization_percent) out["utilization"] = double(*gpu.utilization_percent) / 100;
  if (gpu.memory_bytes) out["memory_bytes"] = *gpu.memory_bytes;
  if (gpu.memory_bytes && gpu.memory_used_bytes && *gpu.memory_bytes > 0)
    out["memory"] = double(*gpu.memory_used_bytes) / double(*gpu.memory_bytes);
  if (gpu.temperature_c) out["temperature_c"] = *gpu.temperature_c;
  if (gpu.power_w) out["power_w"] = *gpu.power_w;
  return out;
}

}  // namespace

HostLoad::~HostLoad() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

void HostLoad::watch_gpus() {
  auto nvml = telemetry::Nvml::open();
  if (!nvml) return;  // no driver: nothing to watch
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (std::chrono::steady_clock::now() - wanted_ > watched_for) {
      changed_.wait(lock);
      continue;
    }
    lock.unlock();
    Json all = Json::array();
    if (auto gpus = nvml->gpus(0))
      for (auto& gpu : *gpus) all.push_back(describe(gpu));
    lock.lock();
    gpus_ = all.empty() ? nullptr : std::make_shared<const Json>(std::move(all));
    changed_.wait_for(lock, 1s, [&] { return ending_; });
  }
}

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
  Json out{{"cpu", std::clamp(cpu, 0.0, 1.0)}, {"memory", total > 0 ? 1 - available / total : 0.0}};
  if (!watcher_.joinable()) watcher_ = std::thread([this] { watch_gpus(); });
  {
    std::lock_guard lock(mutex_);
    wanted_ = std::chrono::steady_clock::now();
    if (gpus_) out["gpus"] = *gpus_;
  }
  changed_.notify_all();
  return out;
}

}  // namespace sparky::conductor
