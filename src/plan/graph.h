// Graph: the plan's effective order. Declared dependencies, orchestrators' dependencies, phase patterns and gates all
// become edges between nodes, once, here; check, timeline and engine read the same graph, so that what is drawn is what
// runs. An orchestrator is a begin node and an end node, so that "after orchestrator X" costs one edge: a plan of n
// workstreams has O(n) edges.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plan/id_index.h"

namespace sparky::plan {

struct Plan;

enum class NodeKind : uint8_t { workstream, gate, orchestrator_begin, orchestrator_end, phase_barrier };
enum class EdgeWhy : uint8_t {
  dependency,    // depends_on of a workstream
  orchestrator,  // membership, or depends_on of an orchestrator
  gate,          // a gate's after or before
  phase,         // sequential order within an orchestrator
};

using NodeId = uint32_t;
inline constexpr NodeId no_node = ~NodeId{0};

struct Node {
  NodeKind kind = NodeKind::workstream;
  uint32_t index = 0;  // into plan.workstreams, plan.gates or plan.orchestrators
};

// Four bytes: a plan has four or five edges for each workstream, and each is kept twice.
struct Edge {
  NodeId to : 30 = 0;  // in `after` lists: the successor; in `before` lists: the predecessor
  EdgeWhy why : 2 = EdgeWhy::dependency;
};

struct Graph {
  std::vector<Node> nodes;  // workstreams first (node i is plan.workstreams[i]), then gates, then the others
  // Compressed rows: the successors of n are successors[successor_start[n] … successor_start[n + 1]).
  std::vector<uint32_t> successor_start, predecessor_start;
  std::vector<Edge> successors, predecessors;
  std::vector<NodeId> order;     // topological; shorter than nodes if there is a cycle
  std::vector<NodeId> cycle;     // one whole cycle, if there is any; each waits for the one before
  std::vector<NodeId> repeated;  // have the id of an earlier one (orchestrators first, then workstreams, then gates)
  std::vector<uint32_t> owner;   // of each workstream: its place in plan.orchestrators; no_node: it has none
  uint32_t unknown = 0;          // references to ids that the plan does not have, and which were left out
  IdIndex ids;
  std::vector<NodeId> node_of;  // by the number of an id

  // The node of a workstream or gate, the end node of an orchestrator; no_node: the plan has no such id.
  NodeId find(std::string_view id) const {
    auto number = ids.find(id);
    return number == IdIndex::none ? no_node : node_of[number];
  }
  std::vector<std::string> names() const;  // of all these, sorted

  std::span<const Edge> after(NodeId n) const {
    return {successors.data() + successor_start[n], successors.data() + successor_start[n + 1]};
  }
  std::span<const Edge> before(NodeId n) const {
    return {predecessors.data() + predecessor_start[n], predecessors.data() + predecessor_start[n + 1]};
  }
};

// Unknown ids are left out (check.h reports them). Never fails; a cycle is named in `cycle`.
Graph build_graph(const Plan& plan);
// By the declared dependencies of workstreams alone (on an orchestrator: on all of its workstreams; on a gate: on what
// the gate waits for): the blueprint's critical path.
// `names` is the plan's whole graph; what is returned has no names of its own.
Graph build_declared_graph(const Plan& plan, const Graph& names);

}  // namespace sparky::plan
