// HostLoad: how busy this machine is, for who watches the daemon (proc_stat(5), proc_meminfo(5)).
#pragma once
#include <cstdint>

#include "base/json.h"

namespace sparky::conductor {

class HostLoad {
 public:
  // {cpu, memory}: shares from 0 to 1; cpu since the last call, all cores together.
  Json now();

 private:
  uint64_t busy_ = 0, all_ = 0;
};

}  // namespace sparky::conductor
