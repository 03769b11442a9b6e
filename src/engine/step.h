// Step: one input on its way through the engine. Each handler reads the state and emits events, which change it at
// once; advance() then goes on until nothing more follows. One class, one file per area:
//   engine.cc  the order of things, slots and timers     flow.cc       the life of a workstream and a gate
//   operators.cc  what people ask                        submission.cc  plans that come in and change
//   queue.cc   jobs and workers
#pragma once
#include <set>

#include "engine/engine.h"

namespace sparky::engine {

// What the run's machine lacks of what a criterion requires; empty: nothing.
std::string lacking(const Run& run, const plan::Criterion& criterion);
// The first criterion with a check that has not been judged yet.
std::optional<uint16_t> next_check(const Run& run, NodeId node);

class Step {
 public:
  Step(State& state, Time at, Decided& out) : s(state), at(at), out(out) {}

  void fire_timers();
  Result<Reply> take(const Input& input);
  void advance();

  // One handler per input.
  Result<Reply> operator()(const CreateRun&);
  Result<Reply> operator()(const UpdatePlan&);
  Result<Reply> operator()(const SetOptions&);
  Result<Reply> operator()(const Pause&);
  Result<Reply> operator()(const CancelRun&);
  Result<Reply> operator()(const Resume&);
  Result<Reply> operator()(const ArchiveRun&);
  Result<Reply> operator()(const CancelNode&);
  Result<Reply> operator()(const Retry&);
  Result<Reply> operator()(const Skip&);
  Result<Reply> operator()(const Decide&);
  Result<Reply> operator()(const CloseEscalation&);
  Result<Reply> operator()(const SetSlots&);
  Result<Reply> operator()(const ReportStarted&);
  Result<Reply> operator()(const ReportProgress&);
  Result<Reply> operator()(const ReportEnded&);
  Result<Reply> operator()(const ReportRecalled&);
  Result<Reply> operator()(const SubmitJob&);
  Result<Reply> operator()(const CancelJob&);
  Result<Reply> operator()(const RetryJob&);
  Result<Reply> operator()(const ClearJobs&);
  Result<Reply> operator()(const MoveJob&);
  Result<Reply> operator()(const PauseQueue&);
  Result<Reply> operator()(const KeepReply&);
  Result<Reply> operator()(const WorkerJoin&);
  Result<Reply> operator()(const WorkerLeave&);
  Result<Reply> operator()(const Tick&) { return Reply{}; }

 private:
  template <class Body>
  void emit(Body body) {
    Event event{at, std::move(body)};
    apply(s, event);
    effects(s, event, out.effects);
    out.events.push_back(std::move(event));
  }

  // engine.cc
  void assign();
  void lease();
  void recall_for(uint8_t priority);
  void look_at(const Timer& timer);
  void settle(const Run& run);
  const Run& run(RunId id) const { return s.runs.at(id); }

  // flow.cc
  void begin(RunId run, NodeId node);    // ready, and nothing has to be started for it
  void proceed(RunId run, NodeId node);  // the next check, the decisions, or the end
  void finish(RunId run, NodeId node);   // all checks have been judged
  void work_ended(const Attempt& attempt, const ReportEnded& report);
  void check_ended(const Attempt& attempt, const ReportEnded& report);
  void fail_try(RunId run, NodeId node, const std::string& who, const std::string& note);
  void stage(RunId run, NodeId node, Stage stage, const std::string& who = {}, const std::string& note = {});
  void open_decision(RunId run, NodeId node, DecisionKind kind, uint16_t criterion = 0);
  void withdraw(RunId run, NodeId node);  // its open decisions
  void warn(const Attempt& a, const std::string& text);
  void escalate(EscalationKind kind, Severity severity, RunId run, NodeId node, AttemptId attempt, std::string note);
  void close_escalations(RunId run, NodeId node);
  void fence(RunId run, NodeId node);  // cancels a live attempt whose end is no longer of interest
  void reset(RunId run, NodeId node, const std::string& who);

  // operators.cc
  struct Target {
    const Run* run = nullptr;
    NodeId node = 0;
  };
  Result<const Run*> find_run(RunId id) const;
  Result<Target> find_node(RunId run, const std::string& id) const;
  Result<Target> find_criterion(const Decide& input, std::optional<uint16_t>& criterion, DecisionId& decision) const;
  Result<Reply> answer(const Decision& decision, const Decide& input);
  Result<Reply> waive_failed(const Target& target, uint16_t criterion, const Decide& input);
  Status check_options(const Run& run, const RunOptions& options) const;

  // queue.cc
  void job_ended(const Attempt& attempt, const ReportEnded& report);
  void end_job(JobId job, JobState state, std::string note, std::string result = {});
  void retry_or_fail(JobId job, const std::string& note);

  State& s;
  const Time at;
  Decided& out;
  std::set<RunId> touched;  // runs whose standing may have changed
};

}  // namespace sparky::engine
