#include "conductor/spawn.h"

#include <gtest/gtest.h>

#include "conductor/test_project.h"
#include "plan/check.h"
#include "plan/plan_json.h"
#include "plan/toml.h"

#include <nlohmann/json.hpp>

namespace sparky::conductor {
namespace {

constexpr auto plan_text = R"(
[plan]
name = "p"
[[orchestrator]]
id = "foundation"
[[orchestrator]]
id = "model"
depends_on = ["foundation"]
[[workstream]]
id = "WS-01"
name = "one"
orchestrator = "foundation"
run = "true"
accept = "exit-status"
[[workstream]]
id = "WS-04"
name = "four"
orchestrator = "model"
run = "true"
accept = "exit-status"
[[workstream]]
id = "WS-05"
name = "five"
orchestrator = "model"
run = "true"
accept = "exit-status"
[[gate]]
id = "gate-2"
after = ["model"]
)";

constexpr auto spec_text = R"(# WS-19: New Thing

Owner: Models Orchestrator
Duration: 3-4 days
Priority: P1

Deliverables:
1. repro/new.sh - the script
2. `bench/new.json` - the record

Acceptance Criteria:
✓ First thing holds
✓ Second thing holds

Dependencies: WS-01
)";

struct Spawning : testing::Test {
  Project project;
  plan::Plan plan;
  void SetUp() override {
    auto parsed = plan::load_plan(project.plan(plan_text));
    ASSERT_TRUE(parsed.readable);
    plan = parsed.plan;
  }
  static const plan::Workstream* find(const plan::Plan& plan, const std::string& id) {
    for (auto& w : plan.workstreams)
      if (w.id == id) return &w;
    return nullptr;
  }
};

TEST_F(Spawning, ANewWorkstreamIsWhatItsSpecSays) {
  project.plan(spec_text, "ws19.md");
  auto spawned = spawn(plan, wire::SpawnAgent{.agent = "rust-pro",
                                              .workstream = "WS-19",
                                              .spec = "ws19.md",
                                              .output = "docs/DONE.md",
                                              .depends_on = {"WS-04"}});
  ASSERT_TRUE(spawned) << spawned.error().text();
  auto* w = find(spawned->plan, "WS-19");
  ASSERT_TRUE(w);
  EXPECT_EQ(w->name, "New Thing");
  EXPECT_EQ(w->orchestrator, "model") << "the plan's own, though the spec calls it Models Orchestrator";
  EXPECT_EQ(w->priority, plan::Priority::p1);
  ASSERT_TRUE(w->duration);
  EXPECT_EQ(*w->duration, (plan::Days{3, 4}));
  EXPECT_EQ(w->depends_on, (std::vector<std::string>{"WS-01", "WS-04"}));
  EXPECT_EQ(w->deliverables, (std::vector<std::string>{"repro/new.sh", "bench/new.json", "docs/DONE.md"}));
  ASSERT_EQ(w->criteria.size(), 2u);
  EXPECT_EQ(w->criteria[0].text, "First thing holds");
  EXPECT_TRUE(w->criteria[0].manual);
  EXPECT_EQ(w->spec, "ws19.md");
  EXPECT_EQ(w->agents, std::vector<std::string>{"rust-pro"});
}

TEST_F(Spawning, ASplitAddsWorkstreamsAndWhatWaitsForTheOldOneWaitsForThemToo) {
  plan.agents_toml = "[agents.rust-pro]\n";
  plan.workstreams[0].agents = {"rust-pro"};
  plan.workstreams[2].depends_on = {"WS-01"};
  Change split{"split", "WS-01",
               "```toml\n[[workstream]]\nid = \"WS-01b\"\nname = \"The rest\"\ndeliverables = [\"b.txt\"]\n"
               "criteria = [{ text = \"there\", check = \"test -f b.txt\" }]\n```"};
  auto done = propose(plan, split, {"WS-01"});
  ASSERT_TRUE(done) << done.error().text();
  auto* made = find(done->plan, "WS-01b");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->orchestrator, "foundation");
  EXPECT_EQ(made->agents, plan.workstreams[0].agents);
  ASSERT_EQ(made->criteria.size(), 1u);
  EXPECT_EQ(made->criteria[0].check, "test -f b.txt");
  EXPECT_EQ(find(done->plan, "WS-05")->depends_on, (std::vector<std::string>{"WS-01", "WS-01b"}));
  EXPECT_TRUE(propose(done->plan, split, {"WS-01"}).error().is(Errc::denied)) << "it is there already";
  // The file is read anew: it stays with the run.
  auto again = spawn_again(plan, done->plan);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(plan::to_json(*again), plan::to_json(done->plan));
}

TEST_F(Spawning, AnEstimateAndDependenciesAreChangedWhereThatMakesSense) {
  auto tried = [&](const char* kind, const std::string& change, std::set<std::string> begun = {"WS-04"}) {
    return propose(plan, {kind, "WS-04", change}, begun);
  };
  auto longer = tried("estimate", "[[workstream]]\nid = \"WS-04\"\nduration = \"8-9 days\"\n");
  ASSERT_TRUE(longer) << longer.error().text();
  EXPECT_EQ(*find(longer->plan, "WS-04")->duration, (plan::Days{8, 9}));
  EXPECT_EQ(find(longer->plan, "WS-04")->run, "true") << "nothing else of it changes";
  auto later = "[[workstream]]\nid = \"WS-05\"\ndepends_on = [\"WS-04\"]\n";
  auto order = tried("reorder", later);
  ASSERT_TRUE(order) << order.error().text();
  EXPECT_EQ(find(order->plan, "WS-05")->depends_on, std::vector<std::string>{"WS-04"});
  EXPECT_NE(tried("reorder", later, {"WS-04", "WS-05"}).error().message.find("WS-05 has begun"), std::string::npos);
  auto circle = tried("reorder", std::string(later) + "[[workstream]]\nid = \"WS-04\"\ndepends_on = [\"WS-05\"]\n", {});
  ASSERT_FALSE(circle);
  EXPECT_TRUE(circle.error().is(Errc::denied)) << circle.error().text();
  // What cannot be read is not refused, for a person may see to it.
  for (auto* words : {"do WS-05 first", "", "[[workstream]]\nid = \"WS-04\"\nduration = \"long\"\n"})
    EXPECT_TRUE(tried("estimate", words).error().is(Errc::invalid)) << words;
  EXPECT_TRUE(tried("estimate", "[[workstream]]\nid = \"WS-77\"\nduration = \"1 day\"\n").error().is(Errc::denied));
}

TEST_F(Spawning, AnAgentWithoutSpecGetsADecisionAndBadOnesAreRefused) {
  auto spawned = spawn(plan, wire::SpawnAgent{.agent = "rust-pro", .workstream = "WS-20"});
  ASSERT_TRUE(spawned) << spawned.error().text();
  EXPECT_TRUE(find(spawned->plan, "WS-20")->criteria.at(0).manual);
  EXPECT_EQ(find(spawned->plan, "WS-20")->orchestrator, "spawned");
  auto error = [&](wire::SpawnAgent request) {
    auto refused = spawn(plan, std::move(request));
    return refused ? std::string("accepted") : refused.error().message;
  };
  EXPECT_NE(error({.agent = "a", .workstream = "WS 20"}).find("'WS 20'"), std::string::npos);
  EXPECT_NE(error({.agent = "a", .workstream = "../x"}).find("'../x'"), std::string::npos);
  EXPECT_NE(error({.agent = "a", .workstream = "WS-20", .spec = "none.md"}).find("none.md"), std::string::npos);
  EXPECT_NE(error({.agent = "a", .workstream = "WS-20", .depends_on = {"WS-1"}}).find("WS-1"), std::string::npos);
  EXPECT_NE(error({.agent = "a", .workstream = "WS-01", .depends_on = {"WS-04"}}).find("sound"), std::string::npos)
      << "foundation waits for model, which waits for foundation";
  EXPECT_NE(error({.agent = "a", .workstream = "WS-20", .output = "/etc/x"}).find("/etc/x"), std::string::npos);
}

// The lines as the blueprint has them: plural name, a spec at a place that this plan does not use.
TEST_F(Spawning, TheBlueprintsLinesChangeNothingThatThePlanSays) {
  auto models = spawn(
      plan, wire::SpawnOrchestrator{
                .id = "models", .phase = "mixed", .workstreams = {"WS-04", "WS-05"}, .depends_on = {"foundation"}});
  ASSERT_TRUE(models) << models.error().text();
  models->plan.spawned.clear();
  EXPECT_EQ(plan::to_json(models->plan), plan::to_json(plan));
  auto agent = spawn(plan, wire::SpawnAgent{.agent = "devops-automator",
                                            .workstream = "WS-01",
                                            .spec = "docs/orchestration/workstreams/ws01/README.md",
                                            .priority = "P0"});
  ASSERT_TRUE(agent) << agent.error().text();
  ASSERT_EQ(agent->notes.size(), 1u);
  EXPECT_NE(agent->notes[0].find("keeps the spec"), std::string::npos);
  EXPECT_EQ(find(agent->plan, "WS-01")->priority, plan::Priority::p0);
}

TEST_F(Spawning, AdoptedWorkTakesItsGatesAlongAndAnEmptyOrchestratorGoes) {
  auto part = spawn(plan, wire::SpawnOrchestrator{.id = "training", .workstreams = {"WS-05"}});
  ASSERT_TRUE(part) << part.error().text();
  EXPECT_EQ(part->plan.gates[0].after, (std::vector<std::string>{"model", "training"}));
  EXPECT_EQ(part->plan.orchestrators.size(), 3u);
  auto all = spawn(part->plan, wire::SpawnOrchestrator{.id = "art", .workstreams = {"WS-04"}});
  ASSERT_TRUE(all) << all.error().text();
  EXPECT_EQ(all->plan.gates[0].after, (std::vector<std::string>{"training", "art"}));
  EXPECT_TRUE(std::ranges::none_of(all->plan.orchestrators, [](auto& o) { return o.id == "model"; }));

  auto again = spawn_again(plan, all->plan);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(plan::to_json(*again), plan::to_json(all->plan))
      << "what was spawned is there again after the file is read";
}

}  // namespace
}  // namespace sparky::conductor
