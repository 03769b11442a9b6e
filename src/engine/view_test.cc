#include "engine/view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/engine.h"
#include "plan/plan.h"

namespace sparky::engine {
namespace {

using namespace std::chrono_literals;

// foundation: A (with a GPU criterion) then B; model: C behind the gate; by hand: H.
struct Bench {
  Engine engine;
  Time now{Duration{1'700'000'000'000}};
  RunId run = 1;

  Bench() {
    plan::Plan plan;
    plan.name = "p";
    plan.orchestrators = {{.id = "foundation", .name = "Foundation", .phase = plan::Phase::sequential},
                          {.id = "model"}};
    auto add = [&](std::string id, std::string o) -> plan::Workstream& {
      plan.workstreams.push_back(
          {.id = id, .name = id, .orchestrator = o, .duration = plan::Days{1, 1}, .run = "true"});
      plan.workstreams.back().accept_exit_status = true;
      return plan.workstreams.back();
    };
    add("A", "foundation").criteria = {{.text = "fast enough", .check = "x"}};
    add("B", "foundation");
    add("C", "model");
    auto& hand = add("H", "model");
    hand.run = "";
    hand.criteria = {{.text = "by hand", .manual = true}};
    plan.gates.push_back(
        {.id = "g1", .after = {"foundation"}, .before = {"C"}, .criteria = {{.text = "all well", .check = "y"}}});
    in(SetSlots{1, 0});
    auto reply = in(CreateRun{std::make_shared<plan::Plan>(plan), {}});
    EXPECT_TRUE(reply);
  }
  Result<Reply> in(Input input) { return engine.decide(input, now).reply; }
  const Run& r() const { return *engine.state().run(run); }
  NodeId node(const std::string& id) const { return r().graph->find(id); }
  void end(const std::string& id, int code = 0, Duration took = 1h) {
    auto attempt = r().nodes[node(id)].attempt;
    in(ReportStarted{attempt});
    now += took;
    in(ReportEnded{.attempt = attempt, .code = code, .duration = took});
  }
  std::string why(const std::string& id) const {
    std::string out;
    for (auto& link : explain(engine.state(), r(), node(id), now)) out += link.text + "\n";
    return out;
  }
};

TEST(View, ExplainsTheWholeChain) {
  Bench b;
  b.in(ReportStarted{1});
  b.in(ReportProgress{1, 0.65, "warm"});
  EXPECT_EQ(b.why("C"),
            "C is behind gate g1\n"
            "g1 waits for all of orchestrator foundation, of which A is not done\n"
            "A has been running for 0.0s (65 %): warm\n");
  EXPECT_EQ(b.why("B").substr(0, 48), "B comes after A in the order of its orchestrator");
  b.in(Pause{b.run});
  b.end("A");
  EXPECT_EQ(b.why("A"), "A: criterion 1 of 1 is not checked while the run is halted: \"fast enough\"\n");
  b.in(Resume{b.run});
  b.end("A", 1);
  auto chain = explain(b.engine.state(), b.r(), b.node("C"), b.now);
  EXPECT_EQ(chain.back().text, "A failed: criterion failed: fast enough");
  EXPECT_EQ(chain.back().action, "sparky retry A, or sparky skip A");
  EXPECT_EQ(b.why("H"), "H waits for a decision; D1: \"by hand\"\n");
}

TEST(View, ReadyWorkSaysWhatItLacks) {
  Bench b;
  b.in(Skip{b.run, "B"});  // skipped before its turn
  b.end("A");
  EXPECT_EQ(b.why("g1").substr(0, 12), "g1 waits for");
  b.end("A");  // its check
  EXPECT_EQ(b.why("g1"), "g1: criterion 1 of 1 is being checked: \"all well\"\n");
  EXPECT_EQ(b.why("B"), "B was skipped\n");
}

TEST(View, TheCriticalPathIsWhatTheEndDependsOn) {
  Bench b;
  b.in(ReportStarted{1});
  auto critical = [&] {
    auto on = forecast(b.engine.state(), b.r(), b.now).critical;
    std::string out;
    for (NodeId n = 0; n < on.size(); ++n)
      if (on[n] && (b.r().workstream(n) || b.r().gate(n))) out += b.r().id_of(n) + " ";
    return out;
  };
  EXPECT_EQ(critical(), "A B C g1 ") << "H needs no work";
  auto s = status(b.engine.state(), b.r(), b.now);
  EXPECT_EQ(s["orchestrators"][0]["workstreams"]["A"]["critical"], true);
  EXPECT_FALSE(s["orchestrators"][1]["workstreams"]["H"].contains("critical"));
  EXPECT_EQ(s["gates"][0]["critical"], true);
  b.end("A");
  b.end("A");  // its check
  EXPECT_EQ(critical(), "A B C g1 ") << "what is done stays on it";
}

TEST(View, StatusIsTheBlueprintsObjectPerOrchestrator) {
  Bench b;
  b.in(ReportStarted{1});
  b.in(ReportProgress{1, 0.5, ""});
  auto s = status(b.engine.state(), b.r(), b.now);
  EXPECT_EQ(s["state"], "running");
  auto& foundation = s["orchestrators"][0];
  EXPECT_EQ(foundation["orchestrator"], "Foundation");
  EXPECT_EQ(foundation["id"], "foundation");
  EXPECT_EQ(foundation["status"], "active");
  EXPECT_EQ(foundation["workstreams"]["A"]["status"], "in_progress");
  EXPECT_EQ(foundation["workstreams"]["A"]["progress"], 0.5);
  EXPECT_EQ(foundation["workstreams"]["B"]["blocker"], "A incomplete");
  EXPECT_EQ(foundation["progress"], 0.25);
  EXPECT_EQ(s["orchestrators"][1]["status"], "decision_needed");
  EXPECT_EQ(s["orchestrators"][1]["decisions_needed"][0]["id"], "D1");
  EXPECT_EQ(s["gates"][0]["id"], "g1");
  EXPECT_EQ(s["gates"][0]["stage"], "waiting");
  b.end("A");
  b.end("A", 1);
  s = status(b.engine.state(), b.r(), b.now);
  EXPECT_EQ(s["state"], "failed");
  EXPECT_EQ(s["exit_code"], 1);  // it outranks the open decision
  EXPECT_EQ(s["orchestrators"][0]["blockers"][0]["text"], "failed: criterion failed: fast enough");
  EXPECT_EQ(s["escalations"][0]["affected"], Json::array({"B", "C", "g1"}));
}

TEST(View, EtaFollowsEstimatesAndThenWhatWasMeasured) {
  Bench b;
  b.in(Decide{b.run, "H", Answer::approve, "ada"});
  b.in(ReportStarted{1});
  // Three days of eight hours each, one after the other.
  EXPECT_EQ(eta(b.engine.state(), b.r(), b.now), b.now + 24h);
  b.end("A", 0, 2h);  // a quarter of its estimate
  b.end("A", 0, 1s);
  b.in(ReportStarted{b.r().nodes[b.node("B")].attempt});
  EXPECT_EQ(eta(b.engine.state(), b.r(), b.now), b.now + 4h);
  b.in(ReportProgress{b.r().nodes[b.node("B")].attempt, 0.5, ""});
  b.now += 3h;
  EXPECT_EQ(eta(b.engine.state(), b.r(), b.node("B"), b.now), b.now + 3h);
}

TEST(View, SentencesNameWhatHappened) {
  Bench b;
  b.end("A");
  auto attempt = b.r().nodes[b.node("A")].attempt;
  auto d = b.engine.decide(ReportEnded{.attempt = attempt, .code = 0}, b.now);
  std::string all;
  for (auto& e : d.events) all += sentence(b.engine.state(), e) + "|";
  EXPECT_NE(all.find("A: verified: fast enough|"), std::string::npos) << all;
  EXPECT_NE(all.find("A is completed (1 verified)|"), std::string::npos) << all;
}

}  // namespace
}  // namespace sparky::engine
