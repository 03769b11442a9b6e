#include "plan/graph.h"

#include <algorithm>

#include "plan/plan.h"

namespace sparky::plan {
namespace {

struct RawEdge {
  NodeId from, to;
  EdgeWhy why;
};

class Builder {
 public:
  explicit Builder(const Plan& plan) : plan_(plan) {}

  Graph build() {
    add_nodes();
    add_dependencies();
    for (size_t i = 0; i < plan_.orchestrators.size(); ++i) {
      for (auto& id : plan_.orchestrators[i].depends_on) add_edge(finish_of(id), begin(i), EdgeWhy::orchestrator);
      add_membership(i);
      add_phase(i);
    }
    for (size_t i = 0; i < plan_.gates.size(); ++i) {
      add_after(i);
      for (auto& id : plan_.gates[i].before) add_edge(gate(i), start_of(id), EdgeWhy::gate);
    }
    return finish();
  }

  Graph build_declared() {
    add_nodes();
    add_dependencies();
    for (size_t i = 0; i < plan_.orchestrators.size(); ++i) add_membership(i);
    for (size_t i = 0; i < plan_.gates.size(); ++i) add_after(i);
    return finish();
  }

 private:
  static constexpr NodeId none = ~NodeId{0};

  void add_nodes() {
    auto& g = graph_;
    for (uint32_t i = 0; i < plan_.workstreams.size(); ++i) {
      g.by_id.emplace(plan_.workstreams[i].id, NodeId(g.nodes.size()));
      g.nodes.push_back({NodeKind::workstream, i});
    }
    for (uint32_t i = 0; i < plan_.gates.size(); ++i) {
      g.by_id.emplace(plan_.gates[i].id, NodeId(g.nodes.size()));
      g.nodes.push_back({NodeKind::gate, i});
    }
    first_orchestrator_ = NodeId(g.nodes.size());
    for (uint32_t i = 0; i < plan_.orchestrators.size(); ++i) {
      g.nodes.push_back({NodeKind::orchestrator_begin, i});
      g.by_id.emplace(plan_.orchestrators[i].id, NodeId(g.nodes.size()));
      g.nodes.push_back({NodeKind::orchestrator_end, i});
      members_of_.emplace(plan_.orchestrators[i].id, i);
    }
    members_.resize(plan_.orchestrators.size());
    for (uint32_t i = 0; i < plan_.workstreams.size(); ++i)
      if (auto it = members_of_.find(plan_.workstreams[i].orchestrator); it != members_of_.end())
        members_[it->second].push_back(i);
  }

  NodeId begin(size_t orchestrator) const { return NodeId(first_orchestrator_ + 2 * orchestrator); }
  NodeId end(size_t orchestrator) const { return begin(orchestrator) + 1; }
  NodeId gate(size_t i) const { return NodeId(plan_.workstreams.size() + i); }

  NodeId finish_of(const std::string& id) const {
    auto it = graph_.by_id.find(id);
    return it == graph_.by_id.end() ? none : it->second;
  }
  NodeId start_of(const std::string& id) const {
    NodeId n = finish_of(id);
    return n != none && graph_.nodes[n].kind == NodeKind::orchestrator_end ? n - 1 : n;
  }

  void add_edge(NodeId from, NodeId to, EdgeWhy why) {
    if (from != none && to != none) raw_.push_back({from, to, why});
  }

  void add_dependencies() {
    for (size_t i = 0; i < plan_.workstreams.size(); ++i)
      for (auto& id : plan_.workstreams[i].depends_on) add_edge(finish_of(id), NodeId(i), EdgeWhy::dependency);
  }
  void add_after(size_t i) {
    for (auto& id : plan_.gates[i].after) add_edge(finish_of(id), gate(i), EdgeWhy::gate);
  }
  // Every member starts after the orchestrator's begin and before its end.
  void add_membership(size_t i) {
    for (auto w : members_[i]) {
      add_edge(begin(i), w, EdgeWhy::orchestrator);
      add_edge(w, end(i), EdgeWhy::orchestrator);
    }
    if (members_[i].empty()) add_edge(begin(i), end(i), EdgeWhy::orchestrator);
  }
  void add_phase(size_t i) {
    auto& members = members_[i];
    auto phase = plan_.orchestrators[i].phase;
    if (phase == Phase::sequential)
      for (size_t m = 1; m < members.size(); ++m) add_edge(members[m - 1], members[m], EdgeWhy::phase);
    if (phase == Phase::sequential_then_parallel) add_first_milestone_order(i);
  }

  // The first milestone one by one, then the others in parallel, behind a barrier node so that it costs O(n) edges.
  void add_first_milestone_order(size_t i) {
    auto& orchestrator = plan_.orchestrators[i];
    auto& members = members_[i];
    if (members.empty()) return;
    auto& first =
        orchestrator.milestones.empty() ? plan_.workstreams[members[0]].milestone : orchestrator.milestones[0];
    NodeId last = none, barrier = none;
    for (auto w : members) {
      if (plan_.workstreams[w].milestone != first) continue;
      if (last != none) add_edge(last, w, EdgeWhy::phase);
      last = w;
    }
    if (last == none) return;
    barrier = NodeId(graph_.nodes.size());
    graph_.nodes.push_back({NodeKind::phase_barrier, uint32_t(i)});
    add_edge(last, barrier, EdgeWhy::phase);
    for (auto w : members)
      if (plan_.workstreams[w].milestone != first) add_edge(barrier, w, EdgeWhy::phase);
  }

  Graph finish() {
    auto& g = graph_;
    size_t n = g.nodes.size();
    auto rows = [&](std::vector<uint32_t>& start, std::vector<Edge>& edges, auto key, auto other) {
      start.assign(n + 1, 0);
      for (auto& e : raw_) ++start[key(e) + 1];
      for (size_t i = 0; i < n; ++i) start[i + 1] += start[i];
      edges.resize(raw_.size());
      auto next = start;
      for (auto& e : raw_) edges[next[key(e)]++] = {other(e), e.why};
    };
    auto from = [](const RawEdge& e) { return e.from; };
    auto to = [](const RawEdge& e) { return e.to; };
    rows(g.successor_start, g.successors, from, to);
    rows(g.predecessor_start, g.predecessors, to, from);
    sort_topologically();
    return std::move(graph_);
  }

  void sort_topologically() {
    auto& g = graph_;
    std::vector<uint32_t> open(g.nodes.size());
    for (NodeId i = 0; i < g.nodes.size(); ++i) {
      open[i] = uint32_t(g.before(i).size());
      if (open[i] == 0) g.order.push_back(i);
    }
    for (size_t at = 0; at < g.order.size(); ++at)
      for (auto& e : g.after(g.order[at]))
        if (--open[e.to] == 0) g.order.push_back(e.to);
    if (g.order.size() < g.nodes.size()) find_cycle(open);
  }

  // Every node that is still blocked has a blocked predecessor: walking backwards must meet itself.
  void find_cycle(const std::vector<uint32_t>& open) {
    auto& g = graph_;
    NodeId at = 0;
    while (open[at] == 0) ++at;
    std::vector<uint32_t> seen(g.nodes.size(), 0);
    std::vector<NodeId> path;
    while (!seen[at]) {
      path.push_back(at);
      seen[at] = uint32_t(path.size());
      for (auto& e : g.before(at))
        if (open[e.to] > 0) {
          at = e.to;
          break;
        }
    }
    g.cycle.assign(path.begin() + (seen[at] - 1), path.end());
    std::reverse(g.cycle.begin(), g.cycle.end());
  }

  const Plan& plan_;
  Graph graph_;
  std::vector<RawEdge> raw_;
  std::vector<std::vector<uint32_t>> members_;
  std::unordered_map<std::string, size_t> members_of_;
  NodeId first_orchestrator_ = 0;
};

}  // namespace

Graph build_graph(const Plan& plan) { return Builder(plan).build(); }
Graph build_declared_graph(const Plan& plan) { return Builder(plan).build_declared(); }

}  // namespace sparky::plan
