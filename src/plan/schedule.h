// Schedule: when each node of the graph starts and ends, for one set of estimates. Without limits everything starts as
// early as its predecessors allow; with agents or named limits, by list scheduling (Graham 1969) in the engine's order:
// priority, inherited by what a workstream waits for, then the longest remaining path. Days are working days from 0.
#pragma once
#include <span>
#include <vector>

#include "plan/graph.h"
#include "plan/plan.h"

namespace sparky::plan {

struct Schedule {
  std::vector<double> start, finish;  // by node
  // How much later a node may finish with the end unchanged, every agent keeping its order of work; 0: critical.
  std::vector<double> slack;
  double days = 0;  // the end of the last
  // Proven: no schedule under these limits can be shorter. With agents as the only limit, days / bound is at most
  // 2 - 1/agents (Graham).
  double bound = 0;
};

// `duration`: days by workstream. The graph has no cycle. agents = 0: as many as there is work for; the plan's named
// limits and its orchestrators' `jobs` hold in any case.
Schedule make_schedule(const Plan& plan, const Graph& graph, std::span<const double> duration, int agents = 0);

// Length of the longest path, in days; with `path`, also its workstreams in order.
double longest_path(const Graph& graph, std::span<const double> duration, std::vector<NodeId>* path = nullptr);

}  // namespace sparky::plan
