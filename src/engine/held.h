// Held: an agent's session or merge that needs a person before it can go on says so by its exit status; what it has
// done is kept. Approved, the same step runs again, and NodeState's note says by whom; rejected, the try has failed.
#pragma once
#include "engine/state.h"

namespace sparky::engine {

inline constexpr int held_code = 75;
// Decision::criterion of a held decision that is about the work itself, not about the merge.
inline constexpr uint16_t no_criterion = 0xffff;

// This attempt's end asks for a person: only an agent's can.
bool asks_person(const Run& run, NodeId node, Outcome outcome, int code);
// All but the merge is settled, and nothing failed: what a person has to decide is asked before it is merged.
bool may_merge(const Run& run, NodeId node);

}  // namespace sparky::engine
