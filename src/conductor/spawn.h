// Spawn: the blueprint's spawning protocol, as changes to a run's plan.
#pragma once
#include "base/error.h"
#include "plan/plan.h"
#include "wire/messages.h"

namespace sparky::conductor {

// The plan with an orchestrator more (or, if it has it, with its phase, dependencies and workstreams changed).
// Workstreams that the plan has are adopted; one that it lacks is Errc::not_found.
Result<plan::Plan> with_orchestrator(plan::Plan plan, const wire::SpawnOrchestrator& request);

// The plan with a workstream given to an agent. One that the plan lacks is added; nothing but the agent carries it
// out, so a person accepts it by a manual criterion.
Result<plan::Plan> with_agent(plan::Plan plan, const wire::SpawnAgent& request);

}  // namespace sparky::conductor
