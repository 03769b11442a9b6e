#include "plan/toml.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "plan/plan_json.h"
#include "plan/sample.h"

namespace sparky::plan {
namespace {

constexpr const char* smallest = R"([plan]
name = "dgx-pixels"

[[orchestrator]]
id = "foundation"
phase = "sequential"
milestones = ["M0"]

[[workstream]]
id = "WS-01"
name = "Hardware Baselines"
orchestrator = "foundation"
milestone = "M0"
agent = "devops-automator"
priority = "P0"
duration = "3-4d"
depends_on = []
run = "sparky hardware -o bench/baselines/hardware_baseline.json"
[[workstream.criteria]]
text = "CPU and memory captured"
check = "jq -e '.cpu.model and .memory.total_bytes > 0' bench/baselines/hardware_baseline.json"
[[workstream.criteria]]
text = "GPU model, VRAM, CUDA and driver captured"
check = "jq -e '.gpu[0] | .model and .memory_bytes and .cuda and .driver' bench/baselines/hardware_baseline.json"
requires = ["gpu"]

[[gate]]
id = "gate-1"
after = ["foundation"]
before = ["model", "interface"]
[[gate.criteria]]
text = "Hardware verification complete"
check = "sparky hardware --verify bench/baselines/hardware_baseline.json"
)";

std::string shown(const std::vector<Diagnostic>& problems) {
  std::string out;
  for (auto& d : problems) out += d.text() + "\n";
  return out;
}

TEST(Toml, ReadsTheSmallestPlan) {
  auto parsed = parse_plan(smallest, "plan.toml");
  ASSERT_TRUE(parsed.readable);
  EXPECT_TRUE(parsed.problems.empty()) << shown(parsed.problems);
  auto& plan = parsed.plan;
  ASSERT_EQ(plan.workstreams.size(), 1u);
  auto& w = plan.workstreams[0];
  EXPECT_EQ(w.id, "WS-01");
  EXPECT_EQ(w.agents, std::vector<std::string>{"devops-automator"});
  EXPECT_EQ(w.priority, Priority::p0);
  EXPECT_EQ(w.duration, (Days{3, 4}));
  ASSERT_EQ(w.criteria.size(), 2u);
  EXPECT_EQ(w.criteria[1].needs_facts, std::vector<std::string>{"gpu"});
  EXPECT_EQ(w.where.line, 9u);
  EXPECT_EQ(plan.orchestrators[0].phase, Phase::sequential);
  EXPECT_EQ(plan.gates[0].before.size(), 2u);
}

TEST(Toml, ReadsEveryField) {
  auto parsed = parse_plan(R"(
[plan]
name = "all"
root = "work"
untestable = "pass"
notify = "say hello"
stall = "2h"
check_timeout = "90s"
jobs = 3
[limits]
gpu = 2
[calendar]
start = 2026-01-05
days_per_week = 4
hours_per_day = 6
[agents.coder]
command = "coder"
[[orchestrator]]
id = "a"
name = "A"
phase = "sequential-then-parallel"
milestones = ["M0", "M1"]
jobs = 2
agent = "coder"
[[workstream]]
id = "x"
name = "X"
orchestrator = "a"
agent = ["coder", "reviewer"]
duration = "12h"
deliverables = ["out/*.png"]
accept = "exit-status"
run = """
echo 1
echo 2
"""
env = { A = "1", B = 2 }
timeout = "5m"
retries = { max = 2, backoff = "10s", factor = 3, backoff_max = "1h" }
on_lost = "ask"
needs = ["gpu"]
[[gate]]
id = "g"
after = ["a"]
due = "week 6"
[[gate.criteria]]
text = "looks good"
manual = true
)",
                           "p");
  EXPECT_TRUE(parsed.problems.empty()) << shown(parsed.problems);
  auto& p = parsed.plan;
  EXPECT_EQ(p.root, "work");
  EXPECT_TRUE(p.untestable_passes);
  EXPECT_EQ(p.notify, "say hello");
  EXPECT_EQ(p.stall, Duration(7'200'000));
  EXPECT_EQ(p.check_timeout, Duration(90'000));
  EXPECT_EQ(p.jobs, 3);
  EXPECT_EQ(p.limits.at("gpu"), 2);
  ASSERT_TRUE(p.calendar);
  EXPECT_EQ(p.calendar->start, "2026-01-05");
  EXPECT_EQ(p.calendar->days_per_week, 4);
  EXPECT_NE(p.agents_toml.find("[agents.coder]"), std::string::npos) << p.agents_toml;
  EXPECT_EQ(p.orchestrators[0].jobs, 2);
  EXPECT_EQ(p.orchestrators[0].agent, "coder");
  auto& w = p.workstreams[0];
  EXPECT_EQ(w.agents.size(), 2u);
  EXPECT_EQ(w.duration, (Days{2, 2}));  // 12 h at 6 h a day
  EXPECT_EQ(w.run, "echo 1\necho 2\n");
  EXPECT_EQ(w.env.at("B"), "2");
  EXPECT_EQ(w.timeout, Duration(300'000));
  EXPECT_EQ(w.retries.max, 2);
  EXPECT_EQ(w.retries.backoff, Duration(10'000));
  EXPECT_EQ(w.retries.factor, 3);
  EXPECT_EQ(w.retries.backoff_max, Duration(3'600'000));
  EXPECT_EQ(w.on_lost, OnLost::ask);
  EXPECT_EQ(w.needs.at("gpu"), 1);
  EXPECT_TRUE(w.accept_exit_status);
  EXPECT_EQ(p.gates[0].due, "week 6");
  EXPECT_TRUE(p.gates[0].criteria[0].manual);
}

TEST(Toml, NamesEveryMistakeWithItsPlace) {
  auto parsed = parse_plan(R"([plan]
name = 3
[[orchestrator]]
id = "a b"
phase = "serial"
[[workstream]]
id = "w"
depend_on = ["x"]
priority = "P7"
duration = "3-4"
retries = -1
needs = { gpu = "1" }
criteria = ["it works"]
)",
                           "plan.toml");
  EXPECT_TRUE(parsed.readable);
  auto text = shown(parsed.problems);
  for (auto wanted : {
           "plan.toml:2:8: error: name of [plan] is an integer, not a string",
           "plan.toml:4:6: error: 'a b' cannot be an id",
           "plan.toml:5:9: error: 'serial' is not a phase pattern",
           "plan.toml:8:1: error: workstream w has no field 'depend_on'\n  help: did you mean 'depends_on'?",
           "plan.toml:9:12: error: 'P7' is not a priority",
           "plan.toml:10:12: error: '3-4' is not an estimate: the unit is missing",
           "plan.toml:11:11: error: retries of workstream w is -1",
           "plan.toml:12:17: error: gpu of workstream w is a string, not an integer",
           "plan.toml:13:13: error: an element of criteria of workstream w is a string",
       })
    EXPECT_NE(text.find(wanted), std::string::npos) << wanted << "\nin\n" << text;
}

TEST(Toml, RefusesWhatIsNoPlan) {
  auto problem = [](std::string_view text, Limits limits = {}) {
    auto parsed = parse_plan(text, "p", limits);
    EXPECT_FALSE(parsed.readable) << text.substr(0, 100);
    EXPECT_EQ(parsed.problems.size(), 1u) << shown(parsed.problems);
    return shown(parsed.problems);
  };
  EXPECT_NE(problem("").find("empty"), std::string::npos);
  EXPECT_NE(problem(" \n\n").find("empty"), std::string::npos);
  EXPECT_NE(problem("[plan]\nname = \n").find("p:2:"), std::string::npos);
  EXPECT_NE(problem("[plan]\nname = \"a\xff\"\n").find("p:2:10: error: byte 0xff is not UTF-8"), std::string::npos);
  EXPECT_NE(problem("[plan]\nname = \"é\xff\"\n").find("p:2:10:"), std::string::npos);
  EXPECT_NE(problem(std::string(100, '#'), {.bytes = 99}).find("may have"), std::string::npos);
  EXPECT_NE(problem("a = " + std::string(100'000, '[')).find("p:1:"), std::string::npos);
  auto many = std::string("[plan]\nname='x'\n[[workstream]]\n[[workstream]]\n");
  auto parsed = parse_plan(many, "p", {.workstreams = 1});
  EXPECT_FALSE(parsed.readable);
}

TEST(Toml, RefusesIdsThatCannotNameAFile) {
  for (std::string id : {"a b", "a\\\"b", "..", "a..b", "🎮", "../x", "-x", ".x", "a/b", "a\\u0000b"}) {
    auto parsed = parse_plan("[plan]\nname='x'\n[[gate]]\nid=\"" + id + "\"\n", "p");
    EXPECT_TRUE(has_errors(parsed.problems)) << id;
  }
  for (std::string id : {"a", "WS-01", "0.1_b"}) {
    auto parsed = parse_plan("[plan]\nname='x'\n[[gate]]\nid=\"" + id + "\"\n", "p");
    EXPECT_FALSE(has_errors(parsed.problems)) << id;
  }
}

TEST(Toml, FindsPlacesInTheSource) {
  auto parsed = parse_plan(smallest, "plan.toml");
  ASSERT_TRUE(parsed.source);
  EXPECT_EQ(parsed.source->find({"gate", 0, "before", 1}).line, 30u);
  EXPECT_EQ(parsed.source->find({"gate", 0, "before", 1}).column, 20u);
  EXPECT_EQ(parsed.source->find({"workstream", 0, "criteria", 1, "requires"}).line, 25u);
  EXPECT_EQ(parsed.source->find({"workstream", 0, "name"}).line, 11u);
  EXPECT_EQ(parsed.source->find({"workstream", 0, "spec"}).line, 9u);  // left out: the entry itself
  EXPECT_EQ(parsed.source->find({"workstream", 7}).line, 0u);
}

RC_GTEST_PROP(Toml, WritingAndReadingGivesTheSamePlan, (uint64_t seed)) {
  auto plan = sample_plan(seed, {.workstreams = seed % 40, .rich = true});
  if (seed % 2) plan.calendar = Calendar{"2026-01-05", 6, 7.5};
  auto parsed = parse_plan(to_toml(plan), "sample.toml");
  if (!parsed.problems.empty()) RC_FAIL(shown(parsed.problems));
  RC_ASSERT(to_json(parsed.plan) == to_json(plan));
}

RC_GTEST_PROP(PlanJson, WritingAndReadingGivesTheSamePlan, (uint64_t seed)) {
  auto json = to_json(sample_plan(seed, {.workstreams = seed % 40, .rich = true}));
  auto decoded = parse_msgpack(to_msgpack(json));
  RC_ASSERT(decoded.has_value());
  auto plan = plan_from_json(*decoded);
  RC_ASSERT(plan.has_value());
  RC_ASSERT(to_json(*plan) == json);
}

TEST(PlanJson, NamesTheFieldThatIsWrong) {
  auto error = [](const char* text) {
    auto plan = plan_from_json(*parse_json(text));
    return plan ? std::string("accepted") : plan.error().message;
  };
  EXPECT_EQ(error(R"({"workstreams":[{},{"priority":"P9"}]})"),
            "plan: workstreams[1].priority: is 'P9', which is unknown");
  EXPECT_EQ(error(R"({"jobs":-1})"), "plan: jobs: is not an integer from 0 to 1000000000");
  EXPECT_EQ(error(R"({"jobs":18446744073709551615})"), "plan: jobs: is not an integer from 0 to 1000000000");
  EXPECT_EQ(error(R"([])"), "plan: : is not an object");
  EXPECT_EQ(error(R"({"gates":[{"criteria":[{"manual":1}]}]})"),
            "plan: gates[0].criteria[0].manual: is not true or false");
  EXPECT_EQ(error(R"({})"), "accepted");
}

}  // namespace
}  // namespace sparky::plan
