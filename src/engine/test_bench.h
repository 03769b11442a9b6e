// A plan built in place and an executor that does what a test says: for the tests of the engine by example.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/codec.h"
#include "engine/engine.h"
#include "plan/plan.h"

namespace sparky::engine {
using namespace std::chrono_literals;

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
  NodeId node(const std::string& id) const { return r().graph->find(id); }
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

}  // namespace sparky::engine
