// Plans for the simulator: every feature of a plan that the engine acts on, in random mixtures.
#pragma once
#include "base/random.h"
#include "plan/plan.h"

namespace sparky::engine::sim {

plan::Plan random_plan(Random& random);
// A later version of a plan: something added, changed or removed. May be one that the engine has to refuse.
plan::Plan changed_plan(Random& random, const plan::Plan& plan);

}  // namespace sparky::engine::sim
