#include "plan/graph.h"

#include <algorithm>

#include "plan/plan.h"

namespace sparky::plan {
namespace {

struct RawEdge {
  NodeId from;
  Edge edge;
};

class Builder {
 public:
  explicit Builder(const Plan& plan, const Graph* names = nullptr) : plan_(plan), names_(names ? names : &graph_) {}

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
  void add_nodes() {
    auto& g = graph_;
    auto workstreams = uint32_t(plan_.workstreams.size()), gates = uint32_t(plan_.gates.size());
    g.nodes.reserve(workstreams + gates + 3 * plan_.orchestrators.size());  // each may get a barrier
    for (uint32_t i = 0; i < workstreams; ++i) g.nodes.push_back({NodeKind::workstream, i});
    for (uint32_t i = 0; i < gates; ++i) g.nodes.push_back({NodeKind::gate, i});
    first_orchestrator_ = workstreams + gates;
    for (uint32_t i = 0; i < plan_.orchestrators.size(); ++i) {
      g.nodes.push_back({NodeKind::orchestrator_begin, i});
      g.nodes.push_back({NodeKind::orchestrator_end, i});
    }
    if (names_ == &graph_) add_names();
    find_members();
  }
  void add_names() {
    auto& g = graph_;
    auto workstreams = uint32_t(plan_.workstreams.size()), gates = uint32_t(plan_.gates.size());
    g.ids.reserve(workstreams + gates + plan_.orchestrators.size());
    g.node_of.reserve(workstreams + gates + plan_.orchestrators.size());
    for (uint32_t i = 0; i < plan_.orchestrators.size(); ++i) name(plan_.orchestrators[i].id, end(i));
    for (uint32_t i = 0; i < workstreams; ++i) name(plan_.workstreams[i].id, i);
    for (uint32_t i = 0; i < gates; ++i) name(plan_.gates[i].id, gate(i));
    add_owners();
  }
  void name(const std::string& id, NodeId node) {
    if (id.empty()) return;
    auto [number, fresh] = graph_.ids.add(id);
    fresh ? graph_.node_of.push_back(node) : graph_.repeated.push_back(node);
  }

  // Workstreams of one orchestrator mostly stand together, so the last answer is tried first.
  void add_owners() {
    auto& owner = graph_.owner;
    owner.assign(plan_.workstreams.size(), no_node);
    for (size_t i = 0; i < owner.size(); ++i) {
      auto& id = plan_.workstreams[i].orchestrator;
      if (i > 0 && id == plan_.workstreams[i - 1].orchestrator)
        owner[i] = owner[i - 1];
      else if (auto n = graph_.find(id); n != no_node && graph_.nodes[n].kind == NodeKind::orchestrator_end)
        owner[i] = graph_.nodes[n].index;
    }
  }
  void find_members() {
    auto& owner = names_->owner;
    member_start_.assign(plan_.orchestrators.size() + 1, 0);
    for (auto o : owner)
      if (o != no_node) ++member_start_[o + 1];
    for (size_t o = 1; o < member_start_.size(); ++o) member_start_[o] += member_start_[o - 1];
    members_.resize(member_start_.back());
    auto next = member_start_;
    for (uint32_t i = 0; i < owner.size(); ++i)
      if (owner[i] != no_node) members_[next[owner[i]]++] = i;
  }
  std::span<const uint32_t> members(size_t orchestrator) const {
    return {members_.data() + member_start_[orchestrator], members_.data() + member_start_[orchestrator + 1]};
  }

  NodeId begin(size_t orchestrator) const { return NodeId(first_orchestrator_ + 2 * orchestrator); }
  NodeId end(size_t orchestrator) const { return begin(orchestrator) + 1; }
  NodeId gate(size_t i) const { return NodeId(plan_.workstreams.size() + i); }

  NodeId finish_of(const std::string& id) {
    NodeId n = names_->find(id);
    graph_.unknown += n == no_node;
    return n;
  }
  NodeId start_of(const std::string& id) {
    NodeId n = finish_of(id);
    return n != no_node && graph_.nodes[n].kind == NodeKind::orchestrator_end ? n - 1 : n;
  }

  void add_edge(NodeId from, NodeId to, EdgeWhy why) {
    if (from != no_node && to != no_node) raw_.push_back({from, edge_to(to, why)});
  }

  static Edge edge_to(NodeId n, EdgeWhy why) {
    Edge edge;
    edge.to = n;
    edge.why = why;
    return edge;
  }

  void add_dependencies() {
    size_t edges = 3 * plan_.workstreams.size() + 4 * plan_.orchestrators.size();  // membership and phases
    for (auto& w : plan_.workstreams) edges += w.depends_on.size();
    raw_.reserve(edges);
    for (size_t i = 0; i < plan_.workstreams.size(); ++i)
      for (auto& id : plan_.workstreams[i].depends_on) add_edge(finish_of(id), NodeId(i), EdgeWhy::dependency);
  }
  void add_after(size_t i) {
    for (auto& id : plan_.gates[i].after) add_edge(finish_of(id), gate(i), EdgeWhy::gate);
  }
  // Every member starts after the orchestrator's begin and before its end.
  void add_membership(size_t i) {
    for (auto w : members(i)) {
      add_edge(begin(i), w, EdgeWhy::orchestrator);
      add_edge(w, end(i), EdgeWhy::orchestrator);
    }
    if (members(i).empty()) add_edge(begin(i), end(i), EdgeWhy::orchestrator);
  }
  void add_phase(size_t i) {
    auto all = members(i);
    auto phase = plan_.orchestrators[i].phase;
    if (phase == Phase::sequential)
      for (size_t m = 1; m < all.size(); ++m) add_edge(all[m - 1], all[m], EdgeWhy::phase);
    if (phase == Phase::sequential_then_parallel) add_first_milestone_order(i);
  }

  // The first milestone one by one, then the others in parallel, behind a barrier node so that it costs O(n) edges.
  void add_first_milestone_order(size_t i) {
    auto& orchestrator = plan_.orchestrators[i];
    auto all = members(i);
    if (all.empty()) return;
    auto& first = orchestrator.milestones.empty() ? plan_.workstreams[all[0]].milestone : orchestrator.milestones[0];
    NodeId last = no_node, barrier = no_node;
    for (auto w : all) {
      if (plan_.workstreams[w].milestone != first) continue;
      if (last != no_node) add_edge(last, w, EdgeWhy::phase);
      last = w;
    }
    if (last == no_node) return;
    barrier = NodeId(graph_.nodes.size());
    graph_.nodes.push_back({NodeKind::phase_barrier, uint32_t(i)});
    add_edge(last, barrier, EdgeWhy::phase);
    for (auto w : all)
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
      for (auto& e : raw_) edges[next[key(e)]++] = edge_to(other(e), e.edge.why);
    };
    auto from = [](const RawEdge& e) { return e.from; };
    auto to = [](const RawEdge& e) { return NodeId(e.edge.to); };
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
  const Graph* names_;  // whose ids are looked up: graph_, or the plan's whole graph
  std::vector<RawEdge> raw_;
  std::vector<uint32_t> member_start_, members_;  // compressed rows: the workstreams of each orchestrator
  NodeId first_orchestrator_ = 0;
};

}  // namespace

std::vector<std::string> Graph::names() const {
  std::vector<std::string> out;
  for (uint32_t i = 0; i < ids.size(); ++i) out.emplace_back(ids.name(i));
  std::sort(out.begin(), out.end());
  return out;
}

Graph build_graph(const Plan& plan) { return Builder(plan).build(); }
Graph build_declared_graph(const Plan& plan, const Graph& names) { return Builder(plan, &names).build_declared(); }

}  // namespace sparky::plan
