// By agent: which workstreams an agent carries out, and the criterion that is checked by merging its work.
#pragma once
#include "plan/plan.h"

namespace sparky::plan {

// It has an agent and no `run`, and the plan has profiles of agents. A type of agent alone carries out nothing; its
// criteria go to a person.
bool done_by_agent(const Plan& plan, const Workstream& workstream);

// The profile of the agent that its orchestrator is, if an agent carries it out; empty: it has none. It is asked once
// what to do when the tries are used up.
std::string advisor(const Plan& plan, const Workstream& workstream);
// The same for a gate some of whose checks look at what agents have merged: of the first orchestrator that it comes
// after (itself, or with a workstream) and that is an agent.
std::string advisor(const Plan& plan, const Gate& gate);
// Its checks look at what is merged, not at somebody's checkout: the plan has agents that merge.
bool checked_on_target(const Plan& plan);

// The check of the last criterion of a workstream that an agent carries out: it merges, when nothing else is open.
inline constexpr std::string_view merge_check = "sparky agent-merge";
bool merges(const Criterion& criterion);

}  // namespace sparky::plan
