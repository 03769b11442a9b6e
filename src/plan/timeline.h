// Timeline: how long a plan takes, for its minimum and maximum estimates: one after the other, as planned, and by its
// dependencies alone; what each rule (gate, phase pattern, orchestrator's dependencies) costs; dues that cannot be met.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "plan/calendar.h"
#include "plan/graph.h"
#include "plan/plan.h"
#include "plan/schedule.h"

namespace sparky::plan {

struct RuleCost {
  std::string rule;  // "gate gate-1", "phase of foundation (sequential)", "dependencies of interface"
  Days alone;        // how much longer the declared dependencies alone become with this rule
  Days on_top;       // how much shorter the plan would be without this rule; 0 if another rule demands the same
};

struct DueDate {
  enum Verdict { met, at_risk, missed };  // with all estimates; with the minimum only; not even then
  NodeId gate = 0;
  std::string due;                            // as the plan says it
  std::optional<std::chrono::sys_days> date;  // unknown for "week N" without a calendar
  Days opens;                                 // when the gate can open, in working days
  Verdict verdict = met;
};

struct Timeline {
  Days sequential;               // the sum of all estimates
  Days planned;                  // the end, with phases, gates, dependencies, limits and agents
  Days bound;                    // no schedule with the same agents and limits can be shorter
  Days critical_path;            // by declared dependencies alone
  std::vector<NodeId> critical;  // its workstreams, by the maximum estimates
  Schedule min, max;             // by node
  std::vector<RuleCost> costs;
  size_t costs_left_off = 0;  // all of them in a plan with more than 100 rules
  Days rules_together;        // how much longer all rules make the plan, for unlimited agents
  std::vector<DueDate> dues;
  size_t without_estimate = 0;  // workstreams that count as 0 days
  int agents = 0;               // 0: unlimited
  std::optional<WorkCalendar> calendar;
};

// The graph is build_graph(plan), without a cycle.
Timeline make_timeline(const Plan& plan, const Graph& graph, int agents = 0);

Json to_json(const Timeline& timeline, const Plan& plan, const Graph& graph);
// The figures as lines of text, without the chart.
std::string summary(const Timeline& timeline, const Plan& plan, const Graph& graph);

}  // namespace sparky::plan
