#include "engine/held.h"

#include "plan/by_agent.h"

namespace sparky::engine {

bool asks_person(const Run& run, NodeId node, Outcome outcome, int code) {
  auto* w = run.workstream(node);
  return outcome == Outcome::exited && code == held_code && w && plan::done_by_agent(*run.plan, *w);
}

bool may_merge(const Run& run, NodeId node) {
  for (uint16_t i = 0; i < run.criteria_of(node).size(); ++i) {
    auto& c = run.verdict(node, i);
    if (!plan::merges(run.criteria_of(node)[i]) && (!c.settled || c.verdict == Verdict::failed)) return false;
  }
  return true;
}

}  // namespace sparky::engine
