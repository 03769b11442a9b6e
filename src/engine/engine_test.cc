// The engine by example: each test says one rule and fails when it is broken. The simulator (sim/) looks for the rest.
#include "engine/engine.h"

#include <nlohmann/json.hpp>

#include "engine/test_bench.h"
#include "engine/view.h"

namespace sparky::engine {
namespace {

TEST(Engine, RunsInOrderOfDependencies) {
  Bench b;
  b.add("A");
  b.add("B", {"A"});
  b.start();
  EXPECT_EQ(b.running(), Ids{"A"});
  b.end("A");
  EXPECT_EQ(b.running(), Ids{"B"});
  b.end("B");
  EXPECT_EQ(b.r().settled, Standing::completed);
}

TEST(Engine, SlotsLimitAndPriorityIsInherited) {
  Bench b;
  b.add("A").priority = plan::Priority::p1;
  b.add("B").priority = plan::Priority::p3;
  b.add("C", {"B"}).priority = plan::Priority::p0;
  b.start({}, 1);
  EXPECT_EQ(b.running(), Ids{"B"});  // C, which is P0, waits for it
  b.end("B");
  EXPECT_EQ(b.running(), Ids{"C"});
  b.end("C");
  EXPECT_EQ(b.running(), Ids{"A"});
}

TEST(Engine, LongestPathGoesFirst) {
  Bench b;
  b.add("A").duration = plan::Days{3, 3};
  b.add("B").duration = plan::Days{1, 1};
  b.add("C", {"B"}).duration = plan::Days{4, 4};
  b.start({}, 1);
  EXPECT_EQ(b.running(), Ids{"B"});
}

TEST(Engine, ExitStatusAloneIsNotDone) {
  Bench b;
  b.add("A").accept_exit_status = false;
  b.start();
  b.end("A");
  EXPECT_EQ(b.stage("A"), Stage::deciding);
  ASSERT_NE(b.decision(), 0u);
  EXPECT_EQ(b.engine.state().decisions.begin()->second.kind, DecisionKind::acceptance);
  EXPECT_EQ(b.r().settled, Standing::waiting);
  EXPECT_EQ(exit_code(b.r().settled), 3);
  ASSERT_TRUE(b.in(Decide{b.run, "A", Answer::approve, "ada", "seen"}));
  EXPECT_EQ(b.stage("A"), Stage::completed);
  EXPECT_EQ(b.r().notes.at(b.node("A")).who, "ada");
}

TEST(Engine, ChecksRunInOrderAndAllOfThem) {
  Bench b;
  auto& a = b.add("A");
  a.accept_exit_status = false;
  a.criteria = {{.text = "one", .check = "1"}, {.text = "two", .check = "2"}};
  b.add("B", {"A"});
  b.start();
  b.end("A");
  EXPECT_EQ(b.stage("A"), Stage::checking);
  auto first = b.engine.state().attempt(b.attempt("A"));
  EXPECT_EQ(first->work, Work::check);
  EXPECT_EQ(first->criterion, 0);
  AttemptId evidence = first->id;
  b.end("A", 1);
  EXPECT_EQ(b.engine.state().attempt(b.attempt("A"))->criterion, 1);
  b.end("A");
  EXPECT_EQ(b.stage("A"), Stage::failed);
  EXPECT_EQ(b.r().verdict(b.node("A"), 0).verdict, Verdict::failed);
  EXPECT_EQ(b.r().verdict(b.node("A"), 0).evidence, evidence);
  EXPECT_EQ(b.r().verdict(b.node("A"), 1).verdict, Verdict::verified);
  EXPECT_EQ(b.stage("B"), Stage::waiting);
  EXPECT_EQ(exit_code(b.r().settled), 1);
  // A person may take the failed criterion upon themselves, with a reason.
  EXPECT_FALSE(b.in(Decide{b.run, "A#1", Answer::waive, "ada", " "}));
  ASSERT_TRUE(b.in(Decide{b.run, "A#1", Answer::waive, "ada", "known"}));
  EXPECT_EQ(b.stage("A"), Stage::completed);
  EXPECT_EQ(b.running(), Ids{"B"});
}

TEST(Engine, UntestableWaitsForAPersonUnlessThePlanSaysOtherwise) {
  for (bool pass : {false, true}) {
    Bench b;
    b.plan.untestable_passes = pass;
    auto& a = b.add("A");
    a.criteria = {{.text = "cpu", .check = "1"}, {.text = "gpu", .check = "2", .needs_facts = {"gpu"}}};
    b.start();
    b.end("A");
    b.end("A");
    EXPECT_EQ(b.r().verdict(b.node("A"), 1).verdict, Verdict::untestable);
    EXPECT_EQ(b.stage("A"), pass ? Stage::completed : Stage::deciding);
    if (!pass) {
      ASSERT_TRUE(b.in(Decide{0, "D1", Answer::approve, "ada"}));
      EXPECT_EQ(b.r().verdict(b.node("A"), 1).verdict, Verdict::untestable);  // never verified
      EXPECT_EQ(b.stage("A"), Stage::completed);
    }
  }
}

TEST(Engine, RetriesWithBackoffThenFails) {
  Bench b;
  b.add("A").retries = {.max = 2, .backoff = 1s, .factor = 3};
  b.start();
  b.end("A", 7);
  EXPECT_EQ(b.stage("A"), Stage::backoff);
  EXPECT_EQ(b.at("A").due, b.now + 1s);
  EXPECT_EQ(b.engine.next_wakeup(), b.now + 1s);
  b.wait(999ms);
  EXPECT_EQ(b.stage("A"), Stage::backoff);
  b.wait(1ms);
  b.end("A", 7);
  EXPECT_EQ(b.at("A").due, b.now + 3s);
  b.wait(3s);
  b.end("A", 7);
  EXPECT_EQ(b.stage("A"), Stage::failed);
  EXPECT_EQ(b.engine.state().escalations.begin()->second.kind, EscalationKind::failed);
  ASSERT_TRUE(b.in(Retry{b.run, "A"}));
  EXPECT_EQ(b.stage("A"), Stage::running);
  EXPECT_TRUE(b.engine.state().escalations.empty());
}

TEST(Engine, GateHoldsBackUntilItsCriteriaPass) {
  Bench b;
  b.add("A");
  b.add("B");
  b.plan.gates.push_back({.id = "g", .after = {"A"}, .before = {"B"}, .criteria = {{.text = "ok", .check = "x"}}});
  b.start();
  b.end("A");
  EXPECT_EQ(b.running(), Ids{"g"});
  b.end("g", 1);
  EXPECT_EQ(b.stage("g"), Stage::failed);
  EXPECT_EQ(b.stage("B"), Stage::waiting);
  EXPECT_EQ(b.engine.state().escalations.begin()->second.kind, EscalationKind::gate);
  ASSERT_TRUE(b.in(Retry{b.run, "g"}));
  b.end("g");
  EXPECT_EQ(b.stage("g"), Stage::completed);
  EXPECT_EQ(b.running(), Ids{"B"});
  b.end("B");
  EXPECT_EQ(exit_code(b.r().settled), 0);
}

TEST(Engine, RetryWithDependentsClosesTheGatesInBetween) {
  Bench b;
  b.add("A");
  b.add("B");
  b.plan.gates.push_back({.id = "g", .after = {"A"}, .before = {"B"}, .criteria = {{.text = "ok", .check = "x"}}});
  b.start();
  b.end("A");
  b.end("g");
  EXPECT_FALSE(b.in(Retry{b.run, "A", true}));  // B is running
  b.end("B");
  ASSERT_TRUE(b.in(Retry{b.run, "A", true}));
  EXPECT_EQ(b.running(), Ids{"A"});
  EXPECT_EQ(b.stage("g"), Stage::waiting);
  EXPECT_EQ(b.stage("B"), Stage::waiting);
}

TEST(Engine, ManualWorkWaitsForAPersonWithoutASlot) {
  Bench b;
  auto& a = b.add("A");
  a.run = "";
  a.criteria = {{.text = "by hand", .manual = true}, {.text = "it is there", .check = "test -e x"}};
  b.add("B");
  b.start({}, 1);
  EXPECT_EQ(b.running(), Ids{"B"});
  EXPECT_EQ(b.stage("A"), Stage::deciding);
  ASSERT_TRUE(b.in(Decide{b.run, "A", Answer::approve, "ada"}));
  b.end("B");
  EXPECT_EQ(b.running(), Ids{"A"});
  EXPECT_EQ(b.engine.state().attempts.begin()->second.work, Work::check);
  b.end("A");
  EXPECT_EQ(b.stage("A"), Stage::completed);
}

TEST(Engine, ATypeOfAgentAloneCarriesOutNothing) {
  Bench b;
  auto& w = b.add("a");
  w.run.clear();
  w.accept_exit_status = false;
  w.agents = {"rust-pro"};
  w.criteria.push_back({.text = "it is good", .manual = true});
  b.start();
  EXPECT_EQ(b.stage("a"), Stage::deciding) << "no profile is there to do it: a person decides";
  EXPECT_TRUE(b.running().empty());

  Bench with_profile;
  with_profile.plan.agents_toml = "[agents.rust-pro]\n";
  with_profile.plan.workstreams = b.plan.workstreams;
  with_profile.start();
  EXPECT_EQ(with_profile.stage("a"), Stage::running);
}

TEST(Engine, StaleReportsChangeNothing) {
  Bench b;
  b.add("A").retries.max = 5;
  b.start();
  AttemptId old = b.attempt("A");
  b.end("A", 1);
  b.wait(1h);
  auto before = encode(b.engine.state());
  b.in(ReportEnded{.attempt = old});
  b.in(ReportStarted{old});
  b.in(ReportProgress{old, 0.5, "x"});
  b.in(ReportRecalled{old});
  EXPECT_EQ(encode(b.engine.state()), before);
}

TEST(Engine, NamedLimitsHoldAcrossRuns) {
  Bench b;
  b.plan.limits["gpu"] = 1;
  b.add("A").needs["gpu"] = 1;
  b.add("B").needs["gpu"] = 1;
  b.add("C");
  b.start();
  EXPECT_EQ(b.running(), (Ids{"A", "C"}));
  auto second = b.in(CreateRun{std::make_shared<plan::Plan>(b.plan), {}});
  ASSERT_TRUE(second);
  EXPECT_EQ(b.engine.state().attempts.size(), 3u);  // only its C
  b.end("A");
  EXPECT_EQ(b.stage("B"), Stage::running);  // the older run first
}

TEST(Engine, OrchestratorAndRunLimits) {
  Bench b;
  b.plan.orchestrators[0].jobs = 2;
  for (auto id : {"A", "B", "C"}) b.add(id);
  b.start();
  EXPECT_EQ(b.running().size(), 2u);
  ASSERT_TRUE(b.in(SetOptions{b.run, {.jobs = 1}}));
  b.end("A");
  EXPECT_EQ(b.running().size(), 1u);
  b.end("B");
  EXPECT_EQ(b.running(), Ids{"C"});
}

TEST(Engine, EarlyHandOverIsRecalledForMoreUrgentWork) {
  Bench b;
  b.add("A").priority = plan::Priority::p1;
  b.add("B").priority = plan::Priority::p2;
  b.add("C").priority = plan::Priority::p3;
  b.add("D", {"A"}).priority = plan::Priority::p1;
  b.start({}, 1, 1);
  EXPECT_EQ(b.running(), (Ids{"A", "B"}));
  EXPECT_TRUE(b.engine.state().attempt(b.attempt("B"))->early);
  b.begin("A");
  ASSERT_TRUE(b.in(Pause{b.run, "ada"}));
  EXPECT_TRUE(b.engine.state().attempt(b.attempt("B"))->recalling);
  b.in(ReportRecalled{b.attempt("B")});
  EXPECT_EQ(b.stage("B"), Stage::ready);
  EXPECT_EQ(b.at("B").tries, 0);
  b.end("A");
  EXPECT_EQ(b.r().settled, Standing::paused);
  ASSERT_TRUE(b.in(Resume{b.run}));
  EXPECT_EQ(b.running(), (Ids{"D", "B"}));
}

TEST(Engine, WhatIsHandedOverEarlyIsShownAsReady) {
  Bench b;
  for (auto id : {"A", "B", "C"}) b.add(id);
  b.start({.jobs = 1}, 1, 1);
  EXPECT_EQ(b.running(), (Ids{"A", "B"})) << "as many as there are slots is no limit";
  b.begin("A");
  auto shown = status(b.engine.state(), b.r(), b.now);
  EXPECT_EQ(shown["counts"], (Json{{"running", 1}, {"ready", 2}}));
  EXPECT_EQ(shown["slots"], (Json{{"used", 1}, {"all", 1}}));
  EXPECT_EQ(shown["orchestrators"][0]["workstreams"]["A"]["status"], "in_progress");
  EXPECT_EQ(shown["orchestrators"][0]["workstreams"]["B"]["status"], "queued");
  EXPECT_EQ(describe(b.engine.state(), b.r(), b.node("B"), b.now)["stage"], "ready");

  b.in(SetSlots{2, 1});
  EXPECT_EQ(b.running(), (Ids{"A", "B"})) << "fewer than there are slots is one";
  b.end("A");
  b.end("B");
  EXPECT_EQ(b.running(), Ids{"C"});
}

TEST(Engine, CancelledRunGoesOnWithTheSameWork) {
  Bench b;
  b.add("A");
  b.start();
  b.begin("A");
  ASSERT_TRUE(b.in(CancelRun{b.run, "ada"}));
  ASSERT_EQ(b.effects.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<CancelAttempt>(b.effects[0]));
  b.end("A", 15, Outcome::cancelled);
  EXPECT_EQ(b.r().settled, Standing::cancelled);
  EXPECT_EQ(exit_code(b.r().settled), 130);
  ASSERT_TRUE(b.in(Resume{b.run}));
  EXPECT_EQ(b.running(), Ids{"A"});
  // What finished before the cancel reached it is not run again.
  ASSERT_TRUE(b.in(CancelRun{b.run, "ada"}));
  b.end("A", 0);
  EXPECT_EQ(b.stage("A"), Stage::completed);
}

TEST(Engine, SkipSatisfiesDependentsButNotGateCriteria) {
  Bench b;
  b.add("A");
  b.add("B", {"A"});
  b.plan.gates.push_back({.id = "g", .after = {"A"}, .criteria = {{.text = "ok", .check = "x"}}});
  b.start();
  EXPECT_FALSE(b.in(Skip{b.run, "A"}));
  EXPECT_FALSE(b.in(Skip{b.run, "g"}));
  b.end("A", 1);
  ASSERT_TRUE(b.in(Skip{b.run, "A", "ada", "not today"}));
  EXPECT_EQ(b.stage("A"), Stage::skipped);
  EXPECT_EQ(b.running(), (Ids{"g", "B"}));
}

TEST(Engine, UntilAndOnly) {
  Bench b;
  b.add("A");
  b.add("B", {"A"});
  b.add("C");
  b.start({.until = "B"});
  EXPECT_EQ(b.running(), Ids{"A"});
  b.end("A");
  b.end("B");
  EXPECT_EQ(b.r().settled, Standing::completed);
  ASSERT_TRUE(b.in(SetOptions{b.run, {}}));
  EXPECT_EQ(b.running(), Ids{"C"});
  Bench c;
  c.plan = b.plan;
  auto refused = c.in(CreateRun{std::make_shared<plan::Plan>(c.plan), {.only = {"B"}}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("waits for A"), std::string::npos) << refused.error().message;
  auto typo = c.in(CreateRun{std::make_shared<plan::Plan>(c.plan), {.until = "b"}});
  ASSERT_FALSE(typo);
}

TEST(Engine, LostIsRetriedOrAskedAndNotCountedAgainstRetries) {
  Bench b;
  b.add("A");
  b.add("B").on_lost = plan::OnLost::ask;
  b.start();
  b.end("A", 0, Outcome::lost);
  EXPECT_EQ(b.stage("A"), Stage::running);
  b.end("A", 0, Outcome::lost);
  b.end("A", 0, Outcome::lost);
  EXPECT_EQ(b.stage("A"), Stage::failed);  // three in a row: it may be what kills the warden
  b.end("B", 0, Outcome::lost);
  EXPECT_EQ(b.stage("B"), Stage::deciding);
  ASSERT_TRUE(b.in(Decide{b.run, "B", Answer::approve, "ada"}));
  EXPECT_EQ(b.stage("B"), Stage::running);
}

TEST(Engine, StallAndOverrunEscalateOnce) {
  Bench b;
  b.plan.stall = 1h;
  b.add("A").duration = plan::Days{0.5, 0.5};  // four hours; overrun after six
  b.start();
  b.begin("A");
  b.wait(59min);
  b.in(ReportProgress{b.attempt("A"), 0.3, "halfway"});
  b.wait(59min);
  EXPECT_TRUE(b.engine.state().escalations.empty());
  b.wait(1min);
  ASSERT_EQ(b.engine.state().escalations.size(), 1u);
  EXPECT_EQ(b.engine.state().escalations.begin()->second.kind, EscalationKind::stall);
  b.wait(1h);
  EXPECT_EQ(b.engine.state().escalations.size(), 1u);
  b.in(ReportProgress{b.attempt("A"), 0.6, ""});
  EXPECT_TRUE(b.engine.state().escalations.empty());
  for (int i = 0; i < 10; ++i) b.in(ReportProgress{b.attempt("A"), 0.6 + i * 0.01, ""}), b.wait(30min);
  ASSERT_EQ(b.engine.state().escalations.size(), 1u);
  EXPECT_EQ(b.engine.state().escalations.begin()->second.kind, EscalationKind::overrun);
  b.end("A");
  EXPECT_TRUE(b.engine.state().escalations.empty());
}

TEST(Engine, AClockThatJumpsBackDoesNotStopIt) {
  Bench b;
  b.add("A").retries.max = 1;
  b.start();
  b.end("A", 1);
  b.now -= 24h * 365;
  b.in(Tick{});
  ASSERT_TRUE(b.engine.next_wakeup());
  EXPECT_EQ(*b.engine.next_wakeup(), b.now + 1s);
  b.wait(1s);
  EXPECT_EQ(b.stage("A"), Stage::running);
}

TEST(Engine, ChangedPlanIsTakenOverWhereNothingHasBegun) {
  Bench b;
  b.add("A");
  b.add("B", {"A"});
  b.start();
  b.end("A");
  auto changed = std::make_shared<plan::Plan>(b.plan);
  changed->workstreams[0].run = "other";
  changed->workstreams.insert(changed->workstreams.begin(),
                              {.id = "N", .name = "N", .orchestrator = "o", .run = "x", .accept_exit_status = true});
  auto reply = b.in(UpdatePlan{b.run, changed, "ada"});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(b.running(), (Ids{"B", "N"}));
  EXPECT_EQ(b.stage("A"), Stage::completed);
  EXPECT_EQ(reply->notes.size(), 2u);
  auto lacking = std::make_shared<plan::Plan>(*changed);
  lacking->workstreams.pop_back();
  EXPECT_FALSE(b.in(UpdatePlan{b.run, lacking, "ada"}));
  // What has begun goes to another orchestrator at once, and keeps its words: nothing may belong to one that is gone.
  auto moved = std::make_shared<plan::Plan>(*changed);
  moved->orchestrators = {{.id = "p"}};
  for (auto& w : moved->workstreams) w.orchestrator = "p", w.duration = plan::Days{8, 9};
  ASSERT_TRUE(b.in(UpdatePlan{b.run, moved, "ada"}));
  for (auto& w : b.r().plan->workstreams) EXPECT_EQ(w.orchestrator, "p") << w.id;
  for (auto& w : b.r().plan->workstreams) EXPECT_EQ(w.duration, (plan::Days{8, 9})) << w.id;
  EXPECT_EQ(b.stage("A"), Stage::completed);
  b.end("B");
  b.end("N");
  EXPECT_EQ(b.r().settled, Standing::completed);
}

}  // namespace
}  // namespace sparky::engine
