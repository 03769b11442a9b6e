#include "engine/state.h"

#include "plan/by_agent.h"

namespace sparky::engine {
using plan::NodeKind;

namespace {

template <class Ids>
auto of_node(const Ids& ids, NodeId n) {
  std::vector<uint32_t> out;
  for (auto it = ids.lower_bound({n, 0}); it != ids.end() && it->first == n; ++it) out.push_back(it->second);
  return out;
}

}  // namespace

std::vector<DecisionId> Run::decisions_of(NodeId n) const { return of_node(decisions, n); }
std::vector<EscalationId> Run::escalations_of(NodeId n) const { return of_node(escalations, n); }

const plan::Workstream* Run::workstream(NodeId n) const {
  if (n >= graph->nodes.size()) return nullptr;
  auto& node = graph->nodes[n];
  return node.kind == NodeKind::workstream ? &plan->workstreams[node.index] : nullptr;
}

const plan::Gate* Run::gate(NodeId n) const {
  if (n >= graph->nodes.size()) return nullptr;
  auto& node = graph->nodes[n];
  return node.kind == NodeKind::gate ? &plan->gates[node.index] : nullptr;
}

std::span<const plan::Criterion> Run::criteria_of(NodeId n) const {
  if (auto* w = workstream(n)) return w->criteria;
  if (auto* g = gate(n)) return g->criteria;
  return {};
}

const std::string& Run::id_of(NodeId n) const {
  if (auto* w = workstream(n)) return w->id;
  if (auto* g = gate(n)) return g->id;
  static const std::string nothing;
  return n < graph->nodes.size() ? plan->orchestrators[graph->nodes[n].index].id : nothing;
}

bool Run::has_work(NodeId n) const {
  auto* w = workstream(n);
  return w && (!w->run.empty() || plan::done_by_agent(*plan, *w));
}

const Run* State::run(RunId id) const {
  auto it = runs.find(id);
  return it == runs.end() ? nullptr : &it->second;
}

const Attempt* State::attempt(AttemptId id) const {
  auto it = attempts.find(id);
  return it == attempts.end() ? nullptr : &it->second;
}

const RequestKept* State::kept_reply(const std::string& key) const {
  auto it = kept_keys.find(key);
  return it == kept_keys.end() ? nullptr : &kept.at(it->second);
}

const Job* State::job(const std::string& id) const {
  auto it = job_ids.find(id);
  if (it == job_ids.end()) return nullptr;
  auto job = jobs.find(it->second);
  return job == jobs.end() ? nullptr : &job->second;
}

}  // namespace sparky::engine
