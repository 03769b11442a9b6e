#include "engine/held.h"

#include <algorithm>

#include "plan/by_agent.h"

namespace sparky::engine {

bool asks_person(const Run& run, NodeId node, Outcome outcome, int code) {
  if (outcome != Outcome::exited || (code != held_code && code != held_all_code)) return false;
  auto* w = run.workstream(node);
  return w ? plan::done_by_agent(*run.plan, *w) : !plan::advisor(*run.plan, *run.gate(node)).empty();
}

bool may_merge(const Run& run, NodeId node) {
  for (uint16_t i = 0; i < run.criteria_of(node).size(); ++i) {
    auto& c = run.verdict(node, i);
    if (!plan::merges(run.criteria_of(node)[i]) && (!c.settled || c.verdict == Verdict::failed)) return false;
  }
  return true;
}

std::vector<DecisionId> same_question(const State& state, const Decision& decision) {
  if (decision.kind != DecisionKind::held || decision.criterion != for_all) return {decision.id};
  auto& run = *state.run(decision.run);
  auto words = [&](NodeId n) {
    auto it = run.notes.find(n);
    return it == run.notes.end() ? std::string() : it->second.note;
  };
  std::vector<DecisionId> out;
  for (auto& [node, id] : run.decisions) {
    auto& other = state.decisions.at(id);
    if (other.kind == DecisionKind::held && other.criterion == for_all && words(node) == words(decision.node))
      out.push_back(id);
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace sparky::engine
