// Plans as Json, for the journal and the wire: a run keeps the plan that it was started with. Positions are left out:
// two plans with the same Json are the same work.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "base/json.h"
#include "plan/plan.h"

namespace sparky::plan {

Json to_json(const Plan& plan);
Json to_json(const Workstream& workstream);
Json to_json(const Orchestrator& orchestrator);
Json to_json(const Gate& gate);
// Errc::invalid naming the field ("workstreams[3].priority: …"). Checks form, not meaning (check.h).
Result<Plan> plan_from_json(const Json& json);

}  // namespace sparky::plan
