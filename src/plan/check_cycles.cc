// Names what waits for itself. Every strongly connected component of the graph yields one shortest cycle through it.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "plan/check.h"
#include "plan/graph.h"

namespace sparky::plan {
namespace {

constexpr size_t max_named = 40;  // of a longer cycle, only the beginning is spelt out

class Cycles {
 public:
  Cycles(const Plan& plan, const Graph& graph) : plan_(plan), graph_(graph) {}

  std::vector<Diagnostic> find() {
    find_components();
    for (auto& component : components_) report(shortest_cycle(component));
    return std::move(found_);
  }

 private:
  static constexpr uint32_t unseen = ~0u;

  // Tarjan's algorithm, with its own stack, over the nodes that the topological order could not reach.
  void find_components() {
    size_t n = graph_.nodes.size();
    std::vector<bool> sorted(n, false);
    for (auto id : graph_.order) sorted[id] = true;
    index_.assign(n, unseen);
    low_.assign(n, 0);
    component_.assign(n, unseen);
    for (NodeId start = 0; start < n; ++start)
      if (!sorted[start] && index_[start] == unseen) walk(start);
  }

  void walk(NodeId start) {
    struct Frame {
      NodeId node;
      size_t next;
    };
    std::vector<Frame> frames;
    auto enter = [&](NodeId n) {
      index_[n] = low_[n] = count_++;
      stack_.push_back(n);
      frames.push_back({n, 0});
    };
    enter(start);
    while (!frames.empty()) {
      auto& [node, next] = frames.back();
      auto edges = graph_.before(node);
      if (next < edges.size()) {
        NodeId to = edges[next++].to;
        if (index_[to] == unseen)
          enter(to);
        else if (component_[to] == unseen)
          low_[node] = std::min(low_[node], index_[to]);
        continue;
      }
      NodeId done = node;
      frames.pop_back();
      if (!frames.empty()) low_[frames.back().node] = std::min(low_[frames.back().node], low_[done]);
      if (low_[done] == index_[done]) close(done);
    }
  }

  void close(NodeId root) {
    std::vector<NodeId> members;
    NodeId n;
    do {
      n = stack_.back();
      stack_.pop_back();
      component_[n] = next_component_;
      members.push_back(n);
    } while (n != root);
    ++next_component_;
    bool loop = members.size() > 1;
    for (auto& e : graph_.before(root)) loop |= e.to == root;
    if (loop) components_.push_back(std::move(members));
  }

  // Breadth first from a node (a workstream or a gate, if there is one) back to itself. In the result each waits for
  // the one before it, and the first for the last.
  std::vector<NodeId> shortest_cycle(const std::vector<NodeId>& members) {
    NodeId start = *std::min_element(members.begin(), members.end());
    std::unordered_map<NodeId, NodeId> waiter;  // who was found to wait for the key
    std::vector<NodeId> queue{start};
    for (size_t at = 0; at < queue.size(); ++at) {
      for (auto& e : graph_.before(queue[at])) {
        if (component_[e.to] != component_[start]) continue;
        if (e.to == start) {
          std::vector<NodeId> cycle{queue[at]};
          while (cycle.back() != start) cycle.push_back(waiter[cycle.back()]);
          return cycle;
        }
        if (waiter.emplace(e.to, queue[at]).second) queue.push_back(e.to);
      }
    }
    return {start};
  }

  std::string name(NodeId n) const {
    auto [kind, i] = graph_.nodes[n];
    switch (kind) {
      case NodeKind::workstream:
        return plan_.workstreams[i].id;
      case NodeKind::gate:
        return plan_.gates[i].id;
      case NodeKind::orchestrator_begin:
        return fmt::format("the start of {}", plan_.orchestrators[i].id);
      case NodeKind::orchestrator_end:
        return fmt::format("the end of {}", plan_.orchestrators[i].id);
      case NodeKind::phase_barrier:
        return fmt::format("the first milestone of {}", plan_.orchestrators[i].id);
    }
    return {};
  }
  Where where(NodeId n) const {
    auto [kind, i] = graph_.nodes[n];
    if (kind == NodeKind::workstream) return plan_.workstreams[i].where;
    return kind == NodeKind::gate ? plan_.gates[i].where : plan_.orchestrators[i].where;
  }
  bool phase_edge(NodeId from, NodeId to) const {
    for (auto& e : graph_.after(from))
      if (e.to == to && e.why == EdgeWhy::phase) return true;
    return false;
  }

  void report(std::vector<NodeId> cycle) {
    // Spelt out as "A waits for C, which waits for B, which waits for A".
    std::reverse(cycle.begin(), cycle.end());
    std::string text = name(cycle[0]);
    for (size_t i = 1; i <= cycle.size(); ++i) {
      if (i == max_named && cycle.size() > max_named) {
        text += fmt::format(", … {} more …, which waits for {}", cycle.size() - max_named, name(cycle[0]));
        break;
      }
      text += fmt::format("{} waits for {}", i == 1 ? "" : ", which", name(cycle[i % cycle.size()]));
    }
    Where at = where(cycle[0]);
    std::string message = "a cycle: " + text;
    std::string help = "take away one of these dependencies";
    for (size_t i = 0; i < cycle.size(); ++i) {
      NodeId later = cycle[i], earlier = cycle[(i + 1) % cycle.size()];
      if (graph_.nodes[later].kind == NodeKind::gate) {
        at = where(later);
        message = fmt::format("gate {} can never open: {}", name(later), text);
        help = "a gate cannot wait for what it blocks";
        break;
      }
      if (phase_edge(earlier, later) && graph_.nodes[later].kind == NodeKind::workstream &&
          graph_.nodes[earlier].kind == NodeKind::workstream) {
        auto& w = plan_.workstreams[graph_.nodes[earlier].index];
        at = w.where;
        message = fmt::format("{} stands before {} in the sequential part of {}, but waits for it: {}", w.id,
                              name(later), w.orchestrator, text);
        help = fmt::format("put {} behind {}, or give {} another phase pattern", w.id, name(later), w.orchestrator);
      }
    }
    std::string file = at.file < plan_.files.size() ? plan_.files[at.file] : "";
    found_.push_back({Severity::error, file, int(at.line), int(at.column), std::move(message), std::move(help)});
  }

  const Plan& plan_;
  const Graph& graph_;
  std::vector<Diagnostic> found_;
  std::vector<uint32_t> index_, low_, component_;
  std::vector<NodeId> stack_;
  std::vector<std::vector<NodeId>> components_;
  uint32_t count_ = 0, next_component_ = 0;
};

}  // namespace

std::vector<Diagnostic> check_cycles(const Plan& plan, const Graph& graph) { return Cycles(plan, graph).find(); }

}  // namespace sparky::plan
