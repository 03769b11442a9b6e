// Held: an agent's session or merge that needs a person before it can go on says so by its exit status; what it has
// done is kept. Approved, the same step runs again, and NodeState's note says by whom; rejected, the try has failed.
// What concerns the whole run (its budget, a sandbox that is not there) is asked once, however many it holds up.
#pragma once
#include "engine/state.h"

namespace sparky::engine {

inline constexpr int held_code = 75;
inline constexpr int held_all_code = 76;  // and the answer is the same for all whose note is the same
// Decision::criterion of a held decision that is about the work itself, not about the merge.
inline constexpr uint16_t no_criterion = 0xffff, for_all = 0xfffe;

// This attempt's end asks for a person: only an agent's can, and the check of a gate that an agent has to judge.
bool asks_person(const Run& run, NodeId node, Outcome outcome, int code);
// All but the merge is settled, and nothing failed: what a person has to decide is asked before it is merged.
bool may_merge(const Run& run, NodeId node);
// The open decisions that one answer answers, oldest first; that one is shown, and told. Most stand alone.
std::vector<DecisionId> same_question(const State& state, const Decision& decision);

}  // namespace sparky::engine
