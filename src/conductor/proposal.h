// Proposal: what an orchestrator's agent proposed for a workstream that has used up its tries, carried out in the run's
// plan before its session goes on: when a person says yes, or at once where the agent has autonomy for that kind.
#pragma once
#include "conductor/desk.h"
#include "conductor/ledger.h"

namespace sparky::conductor {

// The inputs of a yes: perhaps a change of the plan, then the answer. A change that cannot be read changes nothing,
// which a note says: its text is told to the agent all the same. Errc::invalid: it can be read, and must not be done.
Result<Ordered> carried_out(const Ledger& ledger, const engine::Decide& yes);

// A session of this node has just ended with a question. The same inputs, in its agent's name, if it was about what
// that may do by itself; none: a person decides.
std::vector<engine::Input> by_autonomy(const Ledger& ledger, engine::RunId run, engine::NodeId node);

}  // namespace sparky::conductor
