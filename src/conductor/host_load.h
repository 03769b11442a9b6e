// HostLoad: how busy this machine is, for who watches the daemon: processor and memory (proc_stat(5), proc_meminfo(5)),
// and its GPUs through NVML.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "base/time.h"

namespace sparky::conductor {

class HostLoad {
 public:
  ~HostLoad();
  // {cpu, memory, gpus?}: shares from 0 to 1; cpu since the last call, all cores together. gpus: [{model, utilization?,
  // memory?, memory_bytes?, temperature_c?, power_w?}], as they were at most a second before the last call; absent
  // where there is none, and in the first answer.
  Json now();

 private:
  // A driver can take its time, and the loop has none: a thread asks it, once a second while somebody watches.
  void watch_gpus();

  uint64_t busy_ = 0, all_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const Json> gpus_;  // a list; nothing: none known
  std::chrono::steady_clock::time_point wanted_{};
  bool ending_ = false;
  std::thread watcher_;  // started by the first call
};

}  // namespace sparky::conductor
