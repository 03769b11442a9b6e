#include "plan/timeline.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>
#include <cmath>
#include <nlohmann/json.hpp>

#include "plan/check.h"
#include "plan/gantt.h"
#include "plan/sample.h"
#include "plan/schedule.h"
#include "plan/toml.h"
#include "plan/tree.h"

namespace sparky::plan {
namespace {

Plan blueprint() {
  auto parsed = load_plan(SPARKY_SOURCE_DIR "/plans/dgx-pixels");
  for (auto& d : parsed.problems) ADD_FAILURE() << d.text();
  for (auto& d : check(parsed.plan, parsed.source.get())) ADD_FAILURE() << d.text();
  return parsed.plan;
}

const RuleCost& cost(const Timeline& t, const std::string& rule) {
  for (auto& c : t.costs)
    if (c.rule == rule) return c;
  ADD_FAILURE() << "no cost of " << rule;
  return t.costs.at(0);
}

// The figures, derived by hand. Foundation one by one: 10–13. Then WS-04: 14–18, which the interface waits for:
// WS-08 20–26, WS-09 24–31, WS-10 29–37, WS-11 32–41, WS-12 36–46 (Gate 2; M3 was done at 26–35). M4 one by one:
// 51–64. M5: WS-16 56–70, WS-17 60–75, WS-18 66–83.
TEST(Timeline, TheBlueprintsFigures) {
  auto plan = blueprint();
  auto graph = build_graph(plan);
  auto t = make_timeline(plan, graph);
  EXPECT_EQ(t.sequential, (Days{83, 106}));
  EXPECT_EQ(t.critical_path, (Days{33, 41}));
  EXPECT_EQ(t.planned, (Days{66, 83}));
  EXPECT_EQ(t.bound, (Days{66, 83}));
  auto j = to_json(t, plan, graph);
  EXPECT_EQ(j["critical_path"], Json({"WS-01", "WS-08", "WS-09", "WS-10", "WS-13", "WS-14", "WS-15"}));
  EXPECT_EQ(j["sequential_days"], Json({{"min", 83.0}, {"max", 106.0}}));
  EXPECT_EQ(j["schedule"]["gate-1"]["finish_days"], Json({{"min", 10.0}, {"max", 13.0}}));
  EXPECT_EQ(j["schedule"]["gate-2"]["finish_days"], Json({{"min", 36.0}, {"max", 46.0}}));
  EXPECT_EQ(j["schedule"]["gate-3"]["finish_days"], Json({{"min", 51.0}, {"max", 64.0}}));
  EXPECT_EQ(j["slack_days"]["WS-08"], Json({{"min", 0.0}, {"max", 0.0}}));
  // M3 ends at 26–35, the gate opens at 36–46.
  EXPECT_EQ(j["slack_days"]["WS-06"], Json({{"min", 10.0}, {"max", 11.0}}));
}

TEST(Timeline, WhatEachRuleCosts) {
  auto plan = blueprint();
  auto t = make_timeline(plan, build_graph(plan));
  // Gate 1 before the interface: WS-08 starts after all of M0 except its order (WS-01, then WS-02 beside WS-03): 7–9
  // instead of 3–4, and the critical path grows by as much.
  EXPECT_EQ(cost(t, "gate gate-1").alone, (Days{4, 5}));
  // The phase of the foundation alone lengthens nothing: only WS-01 is on the critical path.
  EXPECT_EQ(cost(t, "phase of foundation (sequential)").alone, (Days{0, 0}));
  // Without it, M0 would take 7–9 days instead of 10–13.
  EXPECT_EQ(cost(t, "phase of foundation (sequential)").on_top, (Days{3, 4}));
  EXPECT_EQ(cost(t, "dependencies of interface").on_top, (Days{4, 5}));
  EXPECT_EQ(t.rules_together, (Days{33, 42}));
  EXPECT_EQ(cost(t, "gate gate-2").on_top, (Days{0, 0}));  // the integration's dependencies demand the same
}

TEST(Timeline, DuesThatCannotBeMet) {
  auto plan = blueprint();
  auto graph = build_graph(plan);
  auto t = make_timeline(plan, graph);
  ASSERT_EQ(t.dues.size(), 3u);
  EXPECT_EQ(t.dues[0].verdict, DueDate::at_risk);  // week 2 is day 10: 10–13
  EXPECT_EQ(t.dues[1].verdict, DueDate::missed);   // week 6 is day 30: 36–46
  EXPECT_EQ(t.dues[2].verdict, DueDate::at_risk);  // week 11 is day 55: 51–64
  EXPECT_FALSE(t.dues[0].date);
  plan.calendar = Calendar{"2026-01-05", 5, 8};
  plan.gates[2].due = "2026-03-13";  // day 50
  t = make_timeline(plan, graph);
  EXPECT_EQ(iso_date(*t.dues[0].date), "2026-01-16");
  EXPECT_EQ(t.dues[2].verdict, DueDate::missed);
}

TEST(Timeline, Dates) {
  WorkCalendar five({"2026-01-05", 5, 8});  // a Monday
  EXPECT_EQ(iso_date(five.start_of(0)), "2026-01-05");
  EXPECT_EQ(iso_date(five.finish_of(1)), "2026-01-05");
  EXPECT_EQ(iso_date(five.finish_of(5)), "2026-01-09");
  EXPECT_EQ(iso_date(five.start_of(5)), "2026-01-12");
  EXPECT_EQ(iso_date(five.finish_of(5.5)), "2026-01-12");
  EXPECT_EQ(iso_date(five.finish_of(0.1 + 0.2 + 0.7)), "2026-01-05");
  WorkCalendar wednesday({"2026-01-07", 5, 8});
  EXPECT_EQ(iso_date(wednesday.start_of(3)), "2026-01-12");
  WorkCalendar saturday({"2026-01-10", 5, 8});
  EXPECT_EQ(iso_date(saturday.start_of(0)), "2026-01-12");
  WorkCalendar always({"2026-01-10", 7, 8});
  EXPECT_EQ(iso_date(always.start_of(10)), "2026-01-20");
}

TEST(Timeline, AgentsAndLimits) {
  auto plan = blueprint();
  auto graph = build_graph(plan);
  auto one = make_timeline(plan, graph, 1);
  EXPECT_EQ(one.planned, (Days{83, 106}));  // one agent: one after the other
  EXPECT_EQ(one.bound, (Days{83, 106}));
  auto many = make_timeline(plan, graph, 18);
  EXPECT_EQ(many.planned, (Days{66, 83}));
  auto two = make_timeline(plan, graph, 2);
  EXPECT_GE(two.planned.min, two.bound.min);
  EXPECT_LE(two.planned.min, 83);
  plan.orchestrators[1].jobs = 1;  // M1 and M3 one by one: 10 + 21 and 13 + 28
  auto jobs = make_timeline(plan, graph);
  EXPECT_EQ(jobs.min.finish[graph.find("model")], 31);
  EXPECT_EQ(jobs.max.finish[graph.find("model")], 41);
  plan.orchestrators[1].jobs = 0;
  plan.limits = {{"gpu", 1}};
  for (auto& w : plan.workstreams) w.needs = {{"gpu", 1}};
  EXPECT_EQ(make_timeline(plan, graph).planned, (Days{83, 106}));
  EXPECT_EQ(make_timeline(plan, graph).bound, (Days{83, 106}));
}

std::vector<double> random_durations(const Plan& plan) {
  std::vector<double> out;
  for (auto& w : plan.workstreams) out.push_back(w.duration->max);
  return out;
}

// Whatever the limits: nothing starts before what it waits for, no limit is exceeded, the bound holds, and slack is
// what the schedule can bear.
RC_GTEST_PROP(Schedule, KeepsOrderAndLimits, (uint64_t seed)) {
  auto plan = sample_plan(seed, {.workstreams = 1 + seed % 60, .per_orchestrator = 1 + seed % 9});
  int agents = int(seed % 5);
  plan.limits = {{"gpu", 2}};
  bool limited = seed % 3 == 0;
  if (limited) {
    for (size_t i = 0; i < plan.workstreams.size(); i += 2) plan.workstreams[i].needs = {{"gpu", 1 + int(i % 2)}};
    plan.orchestrators[0].jobs = 1;
  }
  auto graph = build_graph(plan);
  RC_ASSERT(graph.cycle.empty());
  auto duration = random_durations(plan);
  auto s = make_schedule(plan, graph, duration, agents);
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    for (auto& e : graph.after(n)) RC_ASSERT(s.finish[n] <= s.start[e.to] + 1e-9);
    RC_ASSERT(s.slack[n] >= 0);
    RC_ASSERT(s.finish[n] + s.slack[n] <= s.days + 1e-9);
  }
  RC_ASSERT(s.bound <= s.days);
  if (agents > 0 && !limited) RC_ASSERT(s.days <= (2 - 1.0 / agents) * s.bound + 1e-9);
  for (NodeId n = 0; n < plan.workstreams.size(); ++n) {  // usage only grows at a start
    int running = 0, gpus = 0, first = 0;
    for (NodeId m = 0; m < plan.workstreams.size(); ++m) {
      if (!(s.start[m] <= s.start[n] && s.start[n] < s.finish[m])) continue;
      ++running;
      if (auto it = plan.workstreams[m].needs.find("gpu"); it != plan.workstreams[m].needs.end()) gpus += it->second;
      first += plan.workstreams[m].orchestrator == plan.orchestrators[0].id;
    }
    if (agents > 0) RC_ASSERT(running <= agents);
    if (limited) RC_ASSERT(gpus <= 2 && first <= 1);
  }
  bool critical = false;
  for (NodeId n = 0; n < plan.workstreams.size(); ++n) critical |= s.slack[n] == 0;
  RC_ASSERT(critical);
}

// Without limits, using up a workstream's slack leaves the end where it was; a day more moves it.
RC_GTEST_PROP(Schedule, SlackIsWhatCanBeLost, (uint64_t seed)) {
  auto plan = sample_plan(seed, {.workstreams = 1 + seed % 40});
  auto graph = build_graph(plan);
  auto duration = random_durations(plan);
  auto s = make_schedule(plan, graph, duration);
  RC_ASSERT(s.days == longest_path(graph, duration));
  size_t n = seed % plan.workstreams.size();
  auto longer = duration;
  longer[n] += s.slack[n];
  RC_ASSERT(std::abs(make_schedule(plan, graph, longer).days - s.days) < 1e-9);
  longer[n] += 1;
  RC_ASSERT(std::abs(make_schedule(plan, graph, longer).days - s.days - 1) < 1e-9);
}

// With so few workstreams, every order can be tried: the bound is below the best, the schedule above.
TEST(Schedule, BoundHoldsAgainstEveryOrder) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    auto plan = sample_plan(seed, {.workstreams = 6});
    auto graph = build_graph(plan);
    auto duration = random_durations(plan);
    auto ours = make_schedule(plan, graph, duration, 2);
    std::vector<NodeId> order{0, 1, 2, 3, 4, 5};
    double best = 1e9;
    do {  // serial generation: each as early as the two agents and its predecessors allow, in this order
      std::vector<double> finish(graph.nodes.size(), -1);
      double free[2] = {0, 0};
      bool possible = true;
      auto ready = [&](auto& self, NodeId n) -> double {
        double at = 0;
        for (auto& e : graph.before(n)) {
          double f = graph.nodes[e.to].kind == NodeKind::workstream ? finish[e.to] : self(self, e.to);
          if (f < 0) return -1;
          at = std::max(at, f);
        }
        return at;
      };
      for (NodeId n : order) {
        double at = ready(ready, n);
        if (at < 0) {
          possible = false;
          break;
        }
        int agent = free[0] <= free[1] ? 0 : 1;
        finish[n] = std::max(at, free[agent]) + duration[n];
        free[agent] = finish[n];
      }
      if (possible) best = std::min(best, *std::max_element(finish.begin(), finish.begin() + 6));
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_LE(ours.bound, best + 1e-9) << "seed " << seed;
    EXPECT_GE(ours.days, best - 1e-9) << "seed " << seed;
  }
}

TEST(Gantt, DrawsEveryRowInTheGivenWidth) {
  auto plan = blueprint();
  auto t = make_timeline(plan, build_graph(plan));
  auto text = gantt_text(t, plan, {.width = 90});
  EXPECT_NE(text.find("WS-18  CI/CD Pipeline"), std::string::npos) << text;
  EXPECT_NE(text.find("◆"), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(gantt_text(t, plan, {.width = 90, .color = true}).find("\x1b[31m"), std::string::npos);
  auto svg = gantt_svg(t, plan);
  EXPECT_NE(svg.find("SDXL Optimization"), std::string::npos);
  plan.workstreams[0].name = "<&\"\x1b";
  svg = gantt_svg(t, plan);
  EXPECT_NE(svg.find("&lt;&amp;&quot;\\x1b"), std::string::npos);
  auto folded = gantt_text(t, plan, {.width = 60, .rows_max = 10});
  EXPECT_EQ(folded.find("WS-18"), std::string::npos);
  EXPECT_NE(folded.find("Integration"), std::string::npos);
  Plan empty;
  EXPECT_FALSE(gantt_text(make_timeline(empty, build_graph(empty)), empty).empty());
}

TEST(Tree, ShowsOrchestratorsWorkstreamsAndGates) {
  auto text = tree(blueprint());
  EXPECT_NE(text.find("├── integration  (sequential-then-parallel, M4 M5)  after interface, model"), std::string::npos)
      << text;
  EXPECT_NE(text.find("WS-10  Python Backend  · P0  · 5-6d  · M2  · ai-engineer + python-pro  · 3 checks + 3 manual  · "
                      "after WS-04, WS-09"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("└── ◆ gate-3"), std::string::npos);
}

}  // namespace
}  // namespace sparky::plan
