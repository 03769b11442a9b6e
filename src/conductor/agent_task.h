// What an agent's step has to know beforehand, and what it says afterwards.
#pragma once
#include <optional>

#include "agents/task.h"
#include "base/json.h"
#include "engine/engine.h"

namespace sparky::conductor {

// For an agent's attempt, or for the check of a gate in a plan with agents; nothing: it is no agent's. To be written
// before the attempt starts.
std::optional<agents::Task> agent_task(const std::filesystem::path& project, const engine::State& state,
                                       const engine::Attempt& attempt);

// What agents have used so far: "cost" of the run and of each workstream in a status document, and of one node.
void add_costs(Json& status, const std::filesystem::path& project);
void add_cost(Json& node, const std::filesystem::path& project, engine::RunId run);

}  // namespace sparky::conductor
