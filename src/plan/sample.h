// Plans made from a seed, for property tests, the simulator and benchmarks: valid, without cycles, any size.
#pragma once
#include <cstdint>

#include "plan/plan.h"

namespace sparky::plan {

struct SampleOptions {
  size_t workstreams = 20;
  size_t per_orchestrator = 6;
  int dependencies_max = 3;  // of a workstream, each on an earlier one
  bool rich = false;         // all fields used, awkward characters in texts: for round trips
};

Plan sample_plan(uint64_t seed, SampleOptions options = {});

}  // namespace sparky::plan
