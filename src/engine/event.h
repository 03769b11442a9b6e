// Event: what happened. The journal keeps events; the state is what they replay to. Events name nodes by number (the
// run's graph) and attempts by id; view.h translates for people. codec.h gives their bytes.
#pragma once
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "engine/types.h"

namespace sparky::plan {
struct Plan;
}

namespace sparky::engine {

// Lists an event's fields once, in the order of their bytes. New fields are added at the end, with a default: old
// journals lack them, and an older reader skips them.
#define SPARKY_FIELDS(...)                                      \
  static constexpr std::string_view field_names = #__VA_ARGS__; \
  template <class V>                                            \
  void visit(V&& v) {                                           \
    v(__VA_ARGS__);                                             \
  }                                                             \
  template <class V>                                            \
  void visit(V&& v) const {                                     \
    v(__VA_ARGS__);                                             \
  }

// What an operator asks of a run, beyond the plan. Ids are names in the plan.
struct RunOptions {
  uint32_t jobs = 0;               // at most so many attempts of this run at once; 0: only the machine's slots limit it
  std::string until;               // a workstream, gate or orchestrator: run only what it needs; empty: everything
  std::vector<std::string> only;   // workstreams and gates; empty: everything
  std::vector<std::string> facts;  // what this machine has ("gpu", "arm64", …), for `requires`
  SPARKY_FIELDS(jobs, until, only, facts)
  friend bool operator==(const RunOptions&, const RunOptions&) = default;
};

// --- runs ---
struct RunCreated {
  RunId run = 0;
  std::shared_ptr<const plan::Plan> plan;
  RunOptions options;
  SPARKY_FIELDS(run, plan, options)
};
struct PlanUpdated {
  RunId run = 0;
  std::shared_ptr<const plan::Plan> plan;
  std::string who;
  SPARKY_FIELDS(run, plan, who)
};
struct OptionsSet {
  RunId run = 0;
  RunOptions options;
  SPARKY_FIELDS(run, options)
};
struct HaltSet {
  RunId run = 0;
  Halt halt = Halt::none;
  std::string who;
  SPARKY_FIELDS(run, halt, who)
};
// Nothing will happen in this run until somebody acts; or (running) it goes on again.
struct RunSettled {
  RunId run = 0;
  Standing standing = Standing::running;
  SPARKY_FIELDS(run, standing)
};
struct RunArchived {
  RunId run = 0;
  SPARKY_FIELDS(run)
};
struct SlotsSet {
  uint32_t slots = 1, ahead = 0;
  SPARKY_FIELDS(slots, ahead)
};

// --- workstreams and gates ---
// A step that is not said by another event. `due` matters for backoff alone, `who` and `note` when a person did it.
struct NodeStaged {
  RunId run = 0;
  NodeId node = 0;
  Stage stage = Stage::waiting;
  Time due{};
  std::string who, note;
  SPARKY_FIELDS(run, node, stage, due, who, note)
};
// Back to the beginning: verdicts and tries are forgotten (the journal keeps them), and what follows waits again.
struct NodeReset {
  RunId run = 0;
  NodeId node = 0;
  std::string who;
  SPARKY_FIELDS(run, node, who)
};
struct CriterionJudged {
  RunId run = 0;
  NodeId node = 0;
  uint16_t criterion = 0;
  Verdict verdict = Verdict::open;
  AttemptId evidence = 0;  // the check's attempt, whose log is the evidence; 0: none
  std::string who, note;   // who decided; why waived, what this machine lacks
  SPARKY_FIELDS(run, node, criterion, verdict, evidence, who, note)
};
struct DecisionOpened {
  DecisionId decision = 0;
  RunId run = 0;
  NodeId node = 0;
  DecisionKind kind = DecisionKind::criterion;
  uint16_t criterion = 0;
  SPARKY_FIELDS(decision, run, node, kind, criterion)
};
struct DecisionClosed {  // answered, or withdrawn (answer is then meaningless) because its node was reset or skipped
  DecisionId decision = 0;
  bool withdrawn = false;
  Answer answer = Answer::approve;
  std::string who, note;
  SPARKY_FIELDS(decision, withdrawn, answer, who, note)
};
struct EscalationOpened {
  EscalationId escalation = 0;
  EscalationKind kind = EscalationKind::stall;
  Severity severity = Severity::warning;
  RunId run = 0;
  NodeId node = 0;
  AttemptId attempt = 0;
  std::string note;  // what happened and what was tried
  SPARKY_FIELDS(escalation, kind, severity, run, node, attempt, note)
};
struct EscalationClosed {
  EscalationId escalation = 0;
  SPARKY_FIELDS(escalation)
};

// --- attempts ---
struct AttemptAssigned {  // of a workstream (run, check) or a gate (check)
  AttemptId attempt = 0;
  RunId run = 0;
  NodeId node = 0;
  Work work = Work::run;
  uint16_t criterion = 0;
  bool early = false;  // beyond the free slots: it waits with its executor
  SPARKY_FIELDS(attempt, run, node, work, criterion, early)
};
struct LeaseGranted {  // an attempt of a job
  AttemptId attempt = 0;
  JobId job = 0;
  WorkerId worker = 0;
  SPARKY_FIELDS(attempt, job, worker)
};
struct AttemptStarted {
  AttemptId attempt = 0;
  SPARKY_FIELDS(attempt)
};
struct AttemptProgressed {
  AttemptId attempt = 0;
  double fraction = 0;  // 0 to 1; negative: unknown, but it lives
  std::string text;
  SPARKY_FIELDS(attempt, fraction, text)
};
struct AttemptCancelling {
  AttemptId attempt = 0;
  CancelReason reason = CancelReason::operator_asked;
  std::string who;
  SPARKY_FIELDS(attempt, reason, who)
};
struct AttemptRecalling {  // asked back, if it has not started
  AttemptId attempt = 0;
  SPARKY_FIELDS(attempt)
};
struct AttemptRecalled {  // it never ran
  AttemptId attempt = 0;
  SPARKY_FIELDS(attempt)
};
struct AttemptEnded {
  AttemptId attempt = 0;
  Outcome outcome = Outcome::exited;
  int32_t code = 0;      // exit code, signal number or errno
  Duration duration{0};  // by a clock that does not jump
  std::string note;
  SPARKY_FIELDS(attempt, outcome, code, duration, note)
};

// --- the job queue ---
struct JobSpec {
  std::string id;       // the client's; unique among the jobs that are kept
  std::string kind;     // what a worker must be able to do: "generate", "train", "exec", …
  std::string model;    // may be empty
  std::string request;  // opaque to the engine; compared when the same id is submitted again
  JobPriority priority = JobPriority::normal;
  std::vector<std::string> after;  // ids of jobs that must complete first
  uint32_t retries = 0;
  Duration timeout{0};  // of one attempt; 0: none
  uint64_t memory = 0;  // bytes a worker must have; 0: any
  std::string client;   // who asked; may be empty
  std::string worker;   // the only one that may do it, by its name; empty: any
  SPARKY_FIELDS(id, kind, model, request, priority, after, retries, timeout, memory, client, worker)
  friend bool operator==(const JobSpec&, const JobSpec&) = default;
};
struct JobSubmitted {
  JobId job = 0;
  JobSpec spec;
  SPARKY_FIELDS(job, spec)
};
struct JobStaged {
  JobId job = 0;
  JobState state = JobState::queued;
  Time due{};          // queued: not before (backoff)
  std::string result;  // completed: opaque to the engine
  std::string note;    // failed, cancelled: why
  bool reset = false;  // queued again by an operator: tries are forgotten
  SPARKY_FIELDS(job, state, due, result, note, reset)
};
struct JobsCleared {
  std::vector<JobId> jobs;
  SPARKY_FIELDS(jobs)
};
struct QueuePaused {
  bool paused = false;
  std::string who;
  SPARKY_FIELDS(paused, who)
};
struct WorkerSpec {
  std::string name;                        // the same worker keeps its name when it reconnects
  std::vector<std::string> kinds, models;  // models empty: any
  uint64_t memory = 0;                     // bytes
  std::string device;                      // "cpu", "cuda:0 …"
  uint32_t leases = 1;                     // jobs at once
  SPARKY_FIELDS(name, kinds, models, memory, device, leases)
};
struct WorkerJoined {
  WorkerId worker = 0;
  WorkerSpec spec;
  SPARKY_FIELDS(worker, spec)
};
struct WorkerLeft {
  WorkerId worker = 0;
  std::string note;
  SPARKY_FIELDS(worker, note)
};

// Queued jobs that go at another place in the line from now on; see Job::rank.
struct JobsRanked {
  std::vector<JobId> jobs;
  std::vector<int64_t> ranks;  // as many
  std::string who;
  SPARKY_FIELDS(jobs, ranks, who)
};

// --- requests ---
// A request that came with an idempotency key was done: the same key again gets the same reply, and nothing is done.
struct RequestKept {
  std::string key;
  std::string digest;  // of the request: another one with this key is refused; empty: nothing came of it
  std::string reply;   // opaque to the engine; empty: it has begun
  SPARKY_FIELDS(key, digest, reply)
};

// The order is part of the journal's format: append only.
using EventBody = std::variant<RunCreated, PlanUpdated, OptionsSet, HaltSet, RunSettled, RunArchived, SlotsSet,
                               NodeStaged, NodeReset, CriterionJudged, DecisionOpened, DecisionClosed, EscalationOpened,
                               EscalationClosed, AttemptAssigned, LeaseGranted, AttemptStarted, AttemptProgressed,
                               AttemptCancelling, AttemptRecalling, AttemptRecalled, AttemptEnded, JobSubmitted,
                               JobStaged, JobsCleared, QueuePaused, WorkerJoined, WorkerLeft, RequestKept, JobsRanked>;

struct Event {
  Time at{};  // the engine's time: never before the event that came before it
  EventBody body;
};

// "run-created", "attempt-started", …: the name of an event's type, by its place in EventBody.
std::string_view event_name(size_t index);

}  // namespace sparky::engine
