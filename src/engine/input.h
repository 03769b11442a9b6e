// Input: everything that can reach the engine: what operators ask, what executors and workers report, and time.
#pragma once
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "engine/event.h"

namespace sparky::engine {

// --- operators. `who` is kept; ids of workstreams and gates are the plan's. Wrong ones are refused with a suggestion.
// A plan without an error (plan/check.h) becomes a run.
struct CreateRun {
  std::shared_ptr<const plan::Plan> plan;
  RunOptions options;
};
// Takes over the changed plan: what was added or changed and has not started; finished work stays as it is. Refused
// when work that has started or finished would disappear. Reply::notes lists what was taken over. Also how
// orchestrators and workstreams are spawned into a run: build the larger plan, then update.
struct UpdatePlan {
  RunId run = 0;
  std::shared_ptr<const plan::Plan> plan;
  std::string who;
};
struct SetOptions {
  RunId run = 0;
  RunOptions options;
};
struct Pause {  // starts nothing new and lets what runs finish
  RunId run = 0;
  std::string who;
};
struct CancelRun {  // and cancels what runs; `Resume` runs that again
  RunId run = 0;
  std::string who;
};
struct Resume {
  RunId run = 0;
  std::string who;
};
struct ArchiveRun {  // a run that is not live leaves the state; the caller has archived its records
  RunId run = 0;
  Time changed{};  // Run::changed when they were read; the run must not have changed since
};
struct CancelNode {
  RunId run = 0;
  std::string id;
  std::string who, note;
};
struct Retry {
  RunId run = 0;
  std::string id;  // a workstream, or a gate: its criteria are checked again
  bool with_dependents = false;
  std::string who;
};
struct Skip {
  RunId run = 0;
  std::string id;
  std::string who, note;
};
struct Decide {
  RunId run = 0;       // 0: found by the decision's number
  std::string target;  // "D7", or "WS-05" or "gate-1" if one decision is open there, or "gate-1#2": its 2nd criterion
  Answer answer = Answer::approve;
  std::string who, note;  // waive needs a note
};
struct CloseEscalation {
  EscalationId escalation = 0;
  std::string who;
};
// How many attempts run at once on this machine, and how many more may wait with their executor for a free slot.
struct SetSlots {
  uint32_t slots = 1, ahead = 0;
};

// --- executors and workers. A report with an id that is not live any more changes nothing.
struct ReportStarted {
  AttemptId attempt = 0;
};
struct ReportProgress {  // at most one a second per attempt becomes an event
  AttemptId attempt = 0;
  double fraction = -1;  // negative: only a sign of life
  std::string text;
};
struct ReportEnded {
  AttemptId attempt = 0;
  Outcome outcome = Outcome::exited;
  int32_t code = 0;
  Duration duration{0};
  std::string note;
  std::string result;  // of a job that succeeded (exited, 0): opaque to the engine
};
struct ReportRecalled {  // also for "was not started": it never ran
  AttemptId attempt = 0;
};

// --- the job queue
// The same id and content again: the same job, nothing new. The same id with other content is refused (exists).
struct SubmitJob {
  JobSpec spec;  // id empty: one is made ("job-12")
};
struct CancelJob {
  std::string id;
  std::string who;
};
struct RetryJob {
  std::string id;
};
struct ClearJobs {               // forget jobs that have ended
  std::vector<std::string> ids;  // empty: all that have ended
};
// A queued job goes before another queued one, before all, or behind all. Its priority stays what it is.
struct MoveJob {
  std::string id;
  std::string before;  // empty: before all, or behind all
  bool last = false;   // behind all
  std::string who;
};
struct PauseQueue {
  bool paused = true;
  std::string who;
};
// A worker says what it can do and which attempts it holds. Leases it was given but does not hold are lost to it.
struct WorkerJoin {
  WorkerSpec spec;
  std::vector<AttemptId> holds;
};
struct WorkerLeave {  // it said goodbye, or was not heard of for too long
  std::string name;
  std::string note;
};

// Remembers what was replied to a request with an idempotency key; the oldest are forgotten.
struct KeepReply {
  std::string key, digest, reply;
};

struct Tick {};  // time has passed: Engine::next_wakeup() has come

using Input = std::variant<CreateRun, UpdatePlan, SetOptions, Pause, CancelRun, Resume, ArchiveRun, CancelNode, Retry,
                           Skip, Decide, CloseEscalation, SetSlots, ReportStarted, ReportProgress, ReportEnded,
                           ReportRecalled, SubmitJob, CancelJob, RetryJob, ClearJobs, MoveJob, PauseQueue, WorkerJoin,
                           WorkerLeave, KeepReply, Tick>;

// An input that was accepted. A refusal is an Error whose `help` says what to do next.
struct Reply {
  RunId run = 0;
  JobId job = 0;
  std::string job_id;              // the job's id, also when it was made here
  bool existing = false;           // it was known already; nothing was done again
  std::vector<std::string> notes;  // for the operator, one line each
  std::vector<AttemptId> abandon;  // WorkerJoin: what it holds but must not go on with
};

}  // namespace sparky::engine
