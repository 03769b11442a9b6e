// What an agent's work is held for, and when it is merged, by example.
#include "engine/held.h"

#include <nlohmann/json.hpp>

#include "engine/test_bench.h"
#include "engine/view.h"

namespace sparky::engine {
namespace {

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

TEST(Engine, AGateThatAnAgentHasJudgedWaitsForAPerson) {
  for (bool agent : {true, false}) {
    Bench b;
    give_to_agent(b);
    auto& w = b.plan.workstreams[0];
    w.criteria.erase(w.criteria.begin() + 1);
    for (auto& o : b.plan.orchestrators) o.agent = agent ? "lead" : "";
    b.plan.gates.push_back({.id = "g", .after = {"a"}, .criteria = {{.text = "all of it", .check = "true"}}});
    b.start();
    for (int i = 0; i < 3; ++i) b.end("a");  // its work, its check, its merge
    b.in(
        ReportEnded{.attempt = b.attempt("g"), .outcome = Outcome::exited, .code = held_code, .note = "lead proposes"});
    EXPECT_EQ(b.stage("g"), agent ? Stage::deciding : Stage::failed) << "by itself the status is a failure";
    if (!agent) continue;
    ASSERT_TRUE(b.in(Decide{b.run, "g", Answer::approve, "ada", ""}));
    EXPECT_EQ(b.stage("g"), Stage::checking);
    EXPECT_EQ(b.r().notes.at(b.node("g")).who, "ada") << "so that it is not asked again";
    b.end("g", 1);
    EXPECT_EQ(b.stage("g"), Stage::failed);
    ASSERT_TRUE(b.in(Retry{b.run, "g", false, "ada"}));
    EXPECT_FALSE(b.r().notes.contains(b.node("g")) && !b.r().notes.at(b.node("g")).who.empty());
  }
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
  std::vector<std::string> said;
  for (auto& event : b.journal)
    if (std::holds_alternative<DecisionOpened>(event.body)) said.push_back(sentence(b.engine.state(), event));
  ASSERT_EQ(said.size(), 3u);
  EXPECT_NE(said[0].find("a needs decision D1: the run has used up its $5.00"), std::string::npos) << said[0];
  EXPECT_EQ(said[1], "b waits for decision D1 too") << "nor is it said twice";
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

}  // namespace
}  // namespace sparky::engine
