// Tree: the plan as people read it, orchestrator by orchestrator, gates where they stand.
#pragma once
#include <string>

#include "plan/plan.h"

namespace sparky::plan {

std::string tree(const Plan& plan);

}  // namespace sparky::plan
