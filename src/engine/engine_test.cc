// The engine by example: each test says one rule and fails when it is broken. The simulator (sim/) looks for the rest.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/codec.h"
#include "engine/held.h"
#include "engine/view.h"
#include "plan/plan.h"

namespace sparky::engine {
namespace {

using namespace std::chrono_literals;

// A plan built in place, and an executor that does what the test says.
struct Bench {
  plan::Plan plan;
  Engine engine;
  Time now{Duration{1'700'000'000'000}};
  RunId run = 0;
  std::vector<Event> journal;
  std::vector<Effect> effects;

  Bench() { plan.orchestrators.push_back({.id = "o"}); }

  plan::Workstream& add(std::string id, std::vector<std::string> after = {}) {
    plan.workstreams.push_back({.id = id, .name = id, .orchestrator = "o", .depends_on = after, .run = "true"});
    plan.workstreams.back().accept_exit_status = true;
    return plan.workstreams.back();
  }
  Result<Reply> in(Input input) {
    auto d = engine.decide(input, now);
    effects = d.effects;
    for (auto& e : d.events) journal.push_back(std::move(e));
    return d.reply;
  }
  void start(RunOptions options = {}, uint32_t slots = 8, uint32_t ahead = 0) {
    in(SetSlots{slots, ahead});
    auto reply = in(CreateRun{std::make_shared<plan::Plan>(plan), options});
    ASSERT_TRUE(reply) << reply.error().message;
    run = reply->run;
  }
  const Run& r() const { return *engine.state().run(run); }
  NodeId node(const std::string& id) const { return r().graph->by_id.at(id); }
  const NodeState& at(const std::string& id) const { return r().nodes[node(id)]; }
  Stage stage(const std::string& id) const { return at(id).stage; }
  // The live attempt of a node; 0: none.
  AttemptId attempt(const std::string& id) const { return at(id).attempt; }
  std::vector<std::string> running() const {
    std::vector<std::string> out;
    for (auto& [id, a] : engine.state().attempts) out.push_back(r().id_of(a.node));
    return out;
  }
  void begin(const std::string& id) { in(ReportStarted{attempt(id)}); }
  void end(const std::string& id, int code = 0, Outcome outcome = Outcome::exited) {
    ASSERT_NE(attempt(id), 0u) << id << " is not running";
    in(ReportEnded{.attempt = attempt(id), .outcome = outcome, .code = code, .duration = 5s});
  }
  void wait(Duration d) {
    now += d;
    in(Tick{});
  }
  DecisionId decision() const { return engine.state().decisions.empty() ? 0 : engine.state().decisions.begin()->first; }
  ~Bench() { verify(); }
  void verify() {  // whatever was tested: replay from bytes gives the same state
    State replayed;
    for (auto& e : journal) {
      auto decoded = decode_event(encode(e));
      ASSERT_TRUE(decoded) << decoded.error().message;
      apply(replayed, *decoded);
    }
    EXPECT_EQ(encode(replayed), encode(engine.state()));
    auto snapshot = decode_state(encode(engine.state()));
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    EXPECT_EQ(encode(*snapshot), encode(engine.state()));
    EXPECT_EQ(snapshot->timers.size(), engine.state().timers.size());
    EXPECT_EQ(snapshot->pool.queued(), engine.state().pool.queued());
    EXPECT_EQ(snapshot->slots_used, engine.state().slots_used);
  }
};

using Ids = std::vector<std::string>;

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

// An agent's workstream with a check, something that a person looks at, and the merge.
void give_to_agent(Bench& b) {
  auto& w = b.add("a");
  w.run.clear();
  w.accept_exit_status = false;
  w.agents = {"coder"};
  w.retries = {1, 1s};
  w.criteria = {{.text = "passes", .check = "true"},
                {.text = "looks right", .manual = true},
                {.text = "merged", .check = "sparky agent-merge"}};
  b.plan.agents_toml = "[agents.coder]\n";
}

TEST(Engine, NothingIsMergedBeforeAllElseIsSettled) {
  Bench b;
  give_to_agent(b);
  b.start();
  b.end("a");  // the work
  b.end("a");  // its check
  EXPECT_EQ(b.stage("a"), Stage::deciding) << "a person looks before it is merged";
  EXPECT_TRUE(b.running().empty());
  ASSERT_TRUE(b.in(Decide{b.run, "a", Answer::approve, "ada", ""}));
  EXPECT_EQ(b.stage("a"), Stage::checking);
  EXPECT_EQ(b.engine.state().attempts.begin()->second.criterion, 2);
  b.end("a");
  EXPECT_EQ(b.stage("a"), Stage::completed);
}

TEST(Engine, WhatNothingShowsIsAcceptedBeforeItIsMerged) {
  Bench b;
  give_to_agent(b);
  b.plan.untestable_passes = true;
  auto& criteria = b.plan.workstreams[0].criteria;
  criteria[0].needs_facts = {"gpu"};
  criteria.erase(criteria.begin() + 1);  // the one for a person
  b.start();
  b.end("a");
  EXPECT_EQ(b.stage("a"), Stage::deciding);
  EXPECT_TRUE(b.running().empty()) << "it is merged though nobody knows whether it is done";
  ASSERT_TRUE(b.in(Decide{b.run, "a", Answer::approve, "ada", ""}));
  EXPECT_EQ(b.stage("a"), Stage::checking);
  b.end("a");
  EXPECT_EQ(b.stage("a"), Stage::completed);
}

TEST(Engine, WhatFailedItsCheckIsNotMerged) {
  Bench b;
  give_to_agent(b);
  b.start();
  b.end("a");
  b.end("a", 1);
  EXPECT_EQ(b.stage("a"), Stage::backoff);
  b.wait(1s);
  EXPECT_EQ(b.stage("a"), Stage::running);
  EXPECT_EQ(b.r().notes.at(b.node("a")).note, "criterion failed: passes") << "its agent has to know why";
}

TEST(Engine, AnAgentThatNeedsAPersonWaitsAndGoesOn) {
  Bench b;
  give_to_agent(b);
  b.start();
  b.in(ReportEnded{.attempt = b.attempt("a"), .outcome = Outcome::exited, .code = held_code, .note = "wants to fly"});
  EXPECT_EQ(b.stage("a"), Stage::deciding);
  EXPECT_EQ(b.engine.state().decisions.begin()->second.kind, DecisionKind::held);
  ASSERT_TRUE(b.in(Decide{b.run, "a", Answer::approve, "ada", "once"}));
  EXPECT_EQ(b.stage("a"), Stage::running);
  EXPECT_EQ(b.r().notes.at(b.node("a")).who, "ada") << "how its session knows that it may";
  b.end("a");
  b.end("a");
  ASSERT_TRUE(b.in(Decide{b.run, "a", Answer::approve, "ada", ""}));
  b.end("a", held_code);  // the merge asks too
  EXPECT_EQ(b.stage("a"), Stage::deciding);
  ASSERT_TRUE(b.in(Decide{b.run, "a", Answer::approve, "ada", ""}));
  EXPECT_EQ(b.stage("a"), Stage::checking) << "the merge goes on, nothing is done again";
  b.end("a", held_code);
  ASSERT_TRUE(b.in(Decide{b.run, "a", Answer::reject, "ada", "no"}));
  EXPECT_EQ(b.stage("a"), Stage::backoff);
}

TEST(Engine, WhatAPersonAllowedOutlivesALostAttempt) {
  Bench b;
  give_to_agent(b);
  b.start();
  b.end("a", held_code);
  ASSERT_TRUE(b.in(Decide{b.run, "a", Answer::approve, "ada", "once"}));
  b.end("a", 0, Outcome::lost);
  EXPECT_EQ(b.stage("a"), Stage::running);
  EXPECT_EQ(b.r().notes.at(b.node("a")).who, "ada");
}

TEST(Engine, WhatIsTheSameForAllIsAskedOnceAndAnsweredOnce) {
  Bench b;
  give_to_agent(b);
  auto like = b.plan.workstreams[0];
  for (auto id : {"b", "c"}) {
    like.id = id;
    b.plan.workstreams.push_back(like);
  }
  b.start();
  size_t told = 0;
  auto ask = [&](const char* id, int code, const char* note) {
    b.in(ReportEnded{.attempt = b.attempt(id), .outcome = Outcome::exited, .code = code, .note = note});
    for (auto& e : b.effects)
      if (auto* n = std::get_if<Notify>(&e)) told += n->what == Notify::What::decision;
  };
  ask("a", held_all_code, "the run has used up its $5.00");
  ask("b", held_all_code, "the run has used up its $5.00");
  ask("c", held_code, "the run has used up its $5.00");  // its own question, whatever its words
  EXPECT_EQ(told, 2u) << "nobody is woken up twice for one question";
  auto shown = status(b.engine.state(), b.r(), b.now)["decisions"];
  ASSERT_EQ(shown.size(), 2u);
  EXPECT_EQ(shown[0]["also"], Json::array({"b"}));
  ASSERT_TRUE(b.in(Decide{b.run, "b", Answer::approve, "ada", "go on"}));
  for (auto id : {"a", "b"}) {
    EXPECT_EQ(b.stage(id), Stage::running) << id;
    EXPECT_EQ(b.r().notes.at(b.node(id)).who, "ada");
  }
  EXPECT_EQ(b.stage("c"), Stage::deciding);
}

TEST(Engine, AWarningIsNoticedOnceAndEndsWithItsAttempt) {
  Bench b;
  b.add("A");
  b.start();
  for (int i = 0; i < 3; ++i) b.in(ReportProgress{b.attempt("A"), 0.1 * i, "warning: 80 % of the budget"});
  ASSERT_EQ(b.engine.state().escalations.size(), 1u);
  auto& e = b.engine.state().escalations.begin()->second;
  EXPECT_EQ(e.kind, EscalationKind::overrun);
  EXPECT_EQ(e.note, "A: 80 % of the budget");
  b.in(ReportProgress{b.attempt("A"), 0.5, "warning: 90 % of the budget"});
  EXPECT_EQ(b.engine.state().escalations.size(), 2u);
  b.end("A");
  EXPECT_TRUE(b.engine.state().escalations.empty());
}

TEST(Engine, TheStatusOfHeldMeansNothingOfACommand) {
  Bench b;
  b.add("A");
  b.start();
  b.end("A", held_code);
  EXPECT_EQ(b.stage("A"), Stage::failed);
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
  for (auto& w : moved->workstreams) w.orchestrator = "p";
  ASSERT_TRUE(b.in(UpdatePlan{b.run, moved, "ada"}));
  for (auto& w : b.r().plan->workstreams) EXPECT_EQ(w.orchestrator, "p") << w.id;
  EXPECT_EQ(b.stage("A"), Stage::completed);
  b.end("B");
  b.end("N");
  EXPECT_EQ(b.r().settled, Standing::completed);
}

}  // namespace
}  // namespace sparky::engine
