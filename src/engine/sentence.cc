// An event in one line, for the progress view, the log and the feed.
#include <nlohmann/json.hpp>

#include "engine/held.h"
#include "engine/transitions.h"
#include "engine/view.h"

namespace sparky::engine {
namespace {

std::string with(const std::string& before, const std::string& text) { return text.empty() ? "" : before + text; }

class Sentence {
 public:
  explicit Sentence(const State& state) : s(state) {}

  std::string operator()(const RunCreated& e) const {
    return e.plan ? "run " + std::to_string(e.run) + " of " + (e.plan->name.empty() ? "the plan" : e.plan->name) +
                        ": " + std::to_string(e.plan->workstreams.size()) + " workstreams, " +
                        std::to_string(e.plan->gates.size()) + " gates"
                  : "";
  }
  std::string operator()(const PlanUpdated& e) const {
    return "the plan of run " + std::to_string(e.run) + " has changed" + with(" by ", e.who);
  }
  std::string operator()(const OptionsSet& e) const {
    return "run " + std::to_string(e.run) + ": new options" + with(", until ", e.options.until) +
           (e.options.jobs ? ", " + std::to_string(e.options.jobs) + " at once" : "");
  }
  std::string operator()(const HaltSet& e) const {
    auto run = "run " + std::to_string(e.run);
    return (e.halt == Halt::none ? run + " goes on" : run + " is " + std::string(name(e.halt))) + with(" by ", e.who);
  }
  std::string operator()(const RunSettled& e) const {
    auto run = "run " + std::to_string(e.run);
    switch (e.standing) {
      case Standing::running:
        return "";
      case Standing::completed:
        return run + " is completed";
      case Standing::waiting:
        return run + " waits: only decisions are left";
      case Standing::failed:
        return run + " has stopped: something failed";
      case Standing::paused:
        return run + " has come to rest; sparky resume goes on";
      case Standing::cancelled:
        return run + " is cancelled; sparky resume goes on";
    }
    return "";
  }
  std::string operator()(const NodeStaged& e) const {
    auto* run = s.run(e.run);
    auto id = node(e.run, e.node);
    if (!run || id.empty()) return "";
    bool gate = run->gate(e.node) != nullptr;
    auto said = with(" by ", e.who) + with(": ", e.note);
    switch (e.stage) {
      case Stage::completed:
        return (gate ? "gate " + id + " is open" : id + " is completed") + verdicts(*run, e.node) + said;
      case Stage::skipped:
        return id + " is skipped" + said;
      case Stage::failed:
        return (gate ? "gate " : "") + id + " failed" + said;
      case Stage::cancelled:
        return id + " is cancelled" + said;
      case Stage::backoff:
        return id + said + "; next try in " + human(std::max(e.due - s.clock, Duration{0}));
      case Stage::ready:
        return e.note.empty() ? "" : id + " runs again" + said;
      default:
        return "";
    }
  }
  std::string operator()(const NodeReset& e) const {
    auto* run = s.run(e.run);
    auto id = node(e.run, e.node);
    return id.empty() ? ""
                      : (run->gate(e.node) ? "gate " + id + " is closed again" : id + " runs again") +
                            with(", asked by ", e.who);
  }
  std::string operator()(const CriterionJudged& e) const {
    auto* run = s.run(e.run);
    auto id = node(e.run, e.node);
    if (id.empty() || e.criterion >= run->criteria_of(e.node).size()) return "";
    return id + ": " + std::string(name(e.verdict)) + with(" by ", e.who) + ": " +
           run->criteria_of(e.node)[e.criterion].text + with(" (", e.note) + (e.note.empty() ? "" : ")");
  }
  std::string operator()(const DecisionOpened& e) const {
    auto it = s.decisions.find(e.decision);
    if (it == s.decisions.end()) return "";
    if (auto asked = same_question(s, it->second)[0]; asked != e.decision)
      return node(e.run, e.node) + " waits for decision D" + std::to_string(asked) + " too";
    return node(e.run, e.node) + " needs decision D" + std::to_string(e.decision) + ": " +
           describe(s, it->second).value("text", "");
  }
  std::string operator()(const DecisionClosed& e) const {
    auto id = "D" + std::to_string(e.decision);
    return e.withdrawn ? id + " is no longer needed"
                       : id + ": " + std::string(name(e.answer)) + with(" by ", e.who) + with(": ", e.note);
  }
  std::string operator()(const EscalationOpened& e) const {
    return "escalation (" + std::string(name(e.kind)) + "): " + e.note;
  }
  std::string operator()(const AttemptStarted& e) const {
    auto* a = s.attempt(e.attempt);
    if (!a) return "";
    if (a->work == Work::job) {
      auto job = s.jobs.find(a->job);
      return job == s.jobs.end() ? "" : "job " + job->second.spec.id + " has started";
    }
    auto id = node(a->run, a->node);
    if (id.empty()) return "";
    if (a->work == Work::check) return id + ": checking criterion " + std::to_string(a->criterion + 1);
    return id + " has started" + (a->number > 1 ? " (try " + std::to_string(a->number) + ")" : "");
  }
  std::string operator()(const AttemptCancelling& e) const {
    auto* a = s.attempt(e.attempt);
    auto id = a && a->work != Work::job ? node(a->run, a->node) : "";
    return id.empty() ? "" : id + " is being cancelled" + with(" by ", e.who);
  }
  std::string operator()(const JobSubmitted& e) const {
    return "job " + e.spec.id + " (" + e.spec.kind + ") is queued";
  }
  std::string operator()(const JobStaged& e) const {
    auto job = s.jobs.find(e.job);
    return job == s.jobs.end()
               ? ""
               : "job " + job->second.spec.id + " is " + std::string(name(e.state)) + with(": ", e.note);
  }
  std::string operator()(const JobsRanked& e) const {
    auto job = e.jobs.empty() ? s.jobs.end() : s.jobs.find(e.jobs[0]);
    return job == s.jobs.end() ? ""
                               : "job " + job->second.spec.id + " has another place in the line" + with(", by ", e.who);
  }
  std::string operator()(const QueuePaused& e) const {
    return std::string("the queue ") + (e.paused ? "is paused" : "goes on") + with(" by ", e.who);
  }
  std::string operator()(const WorkerJoined& e) const { return "worker " + e.spec.name + " is here"; }
  std::string operator()(const WorkerLeft& e) const {
    return "worker " + std::to_string(e.worker) + " has left" + with(": ", e.note);
  }
  // The others say nothing that a person would miss.
  template <class Other>
  std::string operator()(const Other&) const {
    return "";
  }

 private:
  std::string node(RunId id, NodeId n) const {
    auto* run = s.run(id);
    return run && n < run->nodes.size() ? run->id_of(n) : "";
  }
  static std::string verdicts(const Run& run, NodeId n) {
    std::array<int, 5> counts{};
    for (uint16_t i = 0; i < run.criteria_of(n).size(); ++i) ++counts[size_t(run.verdict(n, i).verdict)];
    std::string out;
    for (auto v : {Verdict::verified, Verdict::waived, Verdict::untestable})
      if (counts[size_t(v)] > 0)
        out += (out.empty() ? "" : ", ") + std::to_string(counts[size_t(v)]) + " " + std::string(name(v));
    return out.empty() ? "" : " (" + out + ")";
  }

  const State& s;
};

}  // namespace

std::string sentence(const State& after, const Event& event) { return std::visit(Sentence(after), event.body); }

}  // namespace sparky::engine
