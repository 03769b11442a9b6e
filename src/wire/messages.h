// Messages: everything that is said to and by Sparky, each defined once. From these definitions come the MessagePack
// and JSON codecs and docs/protocol.md. The compatible ones (compatible.h) keep to what the original dgx-pixels clients
// speak; the others are Sparky's own.
//
// A frame is one map; `type` names the message. A request may also carry `request_id` (given back in the reply), `key`
// (idempotency: the same key again does nothing again) and `who` (kept with decisions).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "wire/compatible.h"
#include "wire/studio.h"
#include "wire/types.h"

namespace sparky::wire {

inline constexpr std::string_view protocol_version = "1.0.0";

// ---- requests: looking ----------------------------------------------------------------------------------------------

struct Hello {
  static constexpr Role role = Role::observe;
  std::string client;
  SPARKY_MESSAGE("hello", "Asks who is there. Answer: welcome.") {
    v.maybe("client", m.client, "name and version of the client");
  }
};
struct ListRuns {
  static constexpr Role role = Role::observe;
  SPARKY_MESSAGE("list_runs", "All runs, newest first. Answer: run_list.") {}
};
struct RunStatus {
  static constexpr Role role = Role::observe;
  uint32_t run = 0;
  SPARKY_MESSAGE("run_status", "How a run stands. Answer: run_state.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
  }
};
struct ShowNode {
  static constexpr Role role = Role::observe;
  uint32_t run = 0;
  std::string id;
  SPARKY_MESSAGE("show_node", "One workstream or gate with its criteria and their evidence. Answer: node_state.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
    v("id", m.id, "id of a workstream or gate");
  }
};
struct Explain {
  static constexpr Role role = Role::observe;
  uint32_t run = 0;
  std::string id;
  SPARKY_MESSAGE("explain", "Why a workstream or gate does not go on. Answer: explanation.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
    v("id", m.id, "id of a workstream or gate");
  }
};
struct ListLogs {
  static constexpr Role role = Role::observe;
  uint32_t run = 0;
  std::string id;
  SPARKY_MESSAGE("list_logs", "The logs of a workstream's or gate's attempts, oldest first. Answer: log_list.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
    v("id", m.id, "id of a workstream, gate or job");
  }
};
struct ReadLog {
  static constexpr Role role = Role::observe;
  std::string path;
  uint64_t offset = 0;
  uint64_t max = 0;
  SPARKY_MESSAGE("read_log", "A part of a log. Answer: log_part.") {
    v("path", m.path, "as log_list gives it");
    v.maybe("offset", m.offset, "first byte");
    v.maybe("max", m.max, "at most so many bytes; left out: 65536, and never more than 1 MiB");
  }
};
struct ReadEvents {
  static constexpr Role role = Role::observe;
  uint64_t after = 0;
  uint64_t max = 0;
  uint32_t run = 0;
  SPARKY_MESSAGE("read_events", "Events that were missed. Answer: event_list; ask again until `after` is `newest`.") {
    v("after", m.after, "sequence number of the last event that is known; 0: from the first that is kept");
    v.maybe("max", m.max, "at most so many; left out: 1000, and never more than 10000");
    v.maybe("run", m.run, "only events of this run");
  }
};
struct ListJobs {
  static constexpr Role role = Role::observe;
  std::string state;
  uint64_t after = 0, max = 0;
  SPARKY_MESSAGE("list_jobs", "The jobs of the queue, oldest first. Answer: job_list.") {
    v.maybe("state", m.state, "only those: queued, running, completed, failed, cancelled");
    v.maybe("after", m.after, "`next` of the answer before; left out: from the first");
    v.maybe("max", m.max, "at most so many; left out: 20000, which is the most");
  }
};
struct ShowJob {
  static constexpr Role role = Role::observe;
  std::string id;
  SPARKY_MESSAGE("show_job", "One job. Answer: job_state.") { v("id", m.id, "the job's id"); }
};
struct ListWorkers {
  static constexpr Role role = Role::observe;
  SPARKY_MESSAGE("list_workers", "The workers that are connected. Answer: worker_list.") {}
};
struct Inspect {
  static constexpr Role role = Role::observe;
  SPARKY_MESSAGE("inspect", "How the daemon itself is: addresses, journal, executor, counters. Answer: inspection.") {}
};

// ---- requests: doing ------------------------------------------------------------------------------------------------

struct StartRun {
  static constexpr Role role = Role::operate;
  std::string plan;
  uint32_t jobs = 0;
  std::string until;
  std::vector<std::string> only;
  bool fresh = false;
  std::vector<std::string> facts;
  SPARKY_MESSAGE("start_run",
                 "Starts a run of a plan, or resumes the latest one of it: what was added to the plan is taken over. "
                 "Answer: run_started.") {
    v("plan", m.plan, "absolute path of a plan file or directory on the daemon's machine");
    v.maybe("jobs", m.jobs, "at most so many attempts at once");
    v.maybe("until", m.until, "run only what this workstream or gate needs");
    v.maybe("only", m.only, "run only these workstreams and gates");
    v.maybe("new", m.fresh, "true: a new run, even if there is one to resume");
    v.maybe("facts", m.facts, "what this machine has, beside what the daemon knows (gpu, arm64, …), for `requires`");
  }
};
struct PauseRun {
  static constexpr Role role = Role::operate;
  uint32_t run = 0;
  SPARKY_MESSAGE("pause_run", "Starts nothing new in a run and lets what runs finish. Answer: done.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
  }
};
struct ResumeRun {
  static constexpr Role role = Role::operate;
  uint32_t run = 0;
  SPARKY_MESSAGE("resume_run", "Goes on with a paused or cancelled run. Answer: done.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
  }
};
struct CancelRun {
  static constexpr Role role = Role::operate;
  uint32_t run = 0;
  SPARKY_MESSAGE("cancel_run",
                 "Starts nothing new in a run and cancels what runs; resume_run runs that again. Answer: done.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
  }
};
struct RetryNode {
  static constexpr Role role = Role::operate;
  uint32_t run = 0;
  std::string id;
  bool with_dependents = false;
  SPARKY_MESSAGE("retry", "Runs a workstream again, or checks a gate again. Answer: done.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
    v("id", m.id, "id of a workstream or gate");
    v.maybe("with_dependents", m.with_dependents, "also all that depended on it; closes the gates in between");
  }
};
struct SkipNode {
  static constexpr Role role = Role::operate;
  uint32_t run = 0;
  std::string id, note;
  SPARKY_MESSAGE("skip",
                 "Leaves a workstream out; what depends on it goes on, and it is shown as skipped. Answer: done.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
    v("id", m.id, "id of a workstream");
    v.maybe("note", m.note, "why");
  }
};
struct CancelNode {
  static constexpr Role role = Role::operate;
  uint32_t run = 0;
  std::string id, note;
  SPARKY_MESSAGE("cancel_node", "Cancels one workstream or gate. Answer: done.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
    v("id", m.id, "id of a workstream or gate");
    v.maybe("note", m.note, "why");
  }
};
struct Decide {
  static constexpr Role role = Role::operate;
  uint32_t run = 0;
  std::string target, answer, note;
  SPARKY_MESSAGE("decide", "Answers a decision that waits for a person. Answer: done.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
    v("target", m.target,
      "the decision's id (D7), or the workstream or gate where one is open, or its criterion (gate-1#2)");
    v("answer", m.answer, "approve, reject or waive");
    v.maybe("note", m.note, "why; needed to waive");
  }
};
struct CloseEscalation {
  static constexpr Role role = Role::operate;
  uint32_t escalation = 0;
  SPARKY_MESSAGE("close_escalation", "Puts an escalation away. Answer: done.") {
    v("escalation", m.escalation, "its number");
  }
};
struct SpawnOrchestrator {
  static constexpr Role role = Role::operate;
  uint32_t run = 0;
  std::string id, phase;
  std::vector<std::string> workstreams, depends_on;
  SPARKY_MESSAGE("spawn_orchestrator",
                 "Adds an orchestrator to a run and gives it workstreams of the plan. Answer: done.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
    v("id", m.id, "its id");
    v("workstreams", m.workstreams, "ids of workstreams that it takes over");
    v.maybe("phase", m.phase, "sequential, parallel, sequential-then-parallel or mixed (the default)");
    v.maybe("depends_on", m.depends_on, "orchestrators, gates or workstreams that it waits for");
  }
};
struct SpawnAgent {
  static constexpr Role role = Role::operate;
  uint32_t run = 0;
  std::string agent, workstream, spec, priority, output;
  std::vector<std::string> depends_on;
  SPARKY_MESSAGE("spawn_agent",
                 "Gives a workstream to an agent; adds it from its spec if the plan lacks it. Answer: done.") {
    v.maybe("run", m.run, "number of the run; left out: the latest");
    v("agent", m.agent, "type of the agent");
    v("workstream", m.workstream, "id of the workstream");
    v.maybe("spec", m.spec, "its specification, a Markdown file; relative to the plan's file or root");
    v.maybe("priority", m.priority, "P0 to P3");
    v.maybe("depends_on", m.depends_on, "workstreams that it waits for");
    v.maybe("output", m.output, "where its completion summary goes");
  }
};
struct SubmitJob {
  static constexpr Role role = Role::submit;
  std::string id, kind, model, priority;
  Document request;
  std::vector<std::string> after;
  uint32_t retries = 0;
  double timeout_s = 0;
  uint64_t memory_bytes = 0;
  std::string worker;
  SPARKY_MESSAGE(
      "submit_job",
      "Puts a job into the queue. Answer: job_accepted or job_error. Of the kinds exec, deploy and train, which "
      "act outside outputs/, it needs the role operate.") {
    v.maybe("id", m.id, "unique; left out: one is made. The same id and content again: the same job");
    v("kind", m.kind, "what a worker must be able to do: generate, train, compare, exec, …");
    v.maybe("model", m.model, "what the worker must have");
    v.maybe("request", m.request, "what the worker is to do, in the words of its kind");
    v.maybe("priority", m.priority, "urgent, high, normal (the default) or low");
    v.maybe("after", m.after, "jobs that must complete first");
    v.maybe("retries", m.retries, "further attempts after a failure");
    v.maybe("timeout_s", m.timeout_s, "of one attempt; left out: none");
    v.maybe("memory_bytes", m.memory_bytes, "what the worker must have");
    v.maybe("worker", m.worker, "the only worker that may do it, by its name; it must be connected");
  }
};
struct RetryJob {
  static constexpr Role role = Role::submit;
  std::string id;
  SPARKY_MESSAGE("retry_job",
                 "Queues a failed or cancelled job again; needs the role that submitting it does. Answer: done.") {
    v("id", m.id, "the job's id");
  }
};
struct ClearJobs {
  static constexpr Role role = Role::operate;
  std::vector<std::string> ids;
  SPARKY_MESSAGE("clear_jobs", "Forgets jobs that have ended. Answer: done.") {
    v.maybe("ids", m.ids, "left out: all that have ended");
  }
};
struct MoveJob {
  static constexpr Role role = Role::operate;
  std::string id, before;
  bool last = false;
  SPARKY_MESSAGE("move_job", "Gives a job that waits another place in the line. Answer: done.") {
    v("id", m.id, "the job's id");
    v.maybe("before", m.before, "a job that waits, which it shall precede; left out: all of them");
    v.maybe("last", m.last, "true: behind all of them");
  }
};
struct PauseQueue {
  static constexpr Role role = Role::operate;
  bool paused = true;
  SPARKY_MESSAGE("pause_queue", "Holds the queue back, or lets it go on; running jobs are not touched. Answer: done.") {
    v("paused", m.paused, "false: go on");
  }
};
struct Prune {
  static constexpr Role role = Role::operate;
  uint32_t keep = 0;
  std::vector<uint32_t> runs;
  SPARKY_MESSAGE("prune", "Archives finished runs: their records leave the journal for a file each. Answer: pruned.") {
    v.maybe("keep", m.keep, "the newest so many finished runs stay");
    v.maybe("runs", m.runs, "only these runs");
  }
};
struct Shutdown {
  static constexpr Role role = Role::operate;
  SPARKY_MESSAGE("shutdown",
                 "Ends the daemon. What runs goes on under the warden and is taken up by the next one. Answer: done.") {
  }
};

// ---- replies --------------------------------------------------------------------------------------------------------

struct Welcome {
  std::string version, protocol, project, host;
  int64_t pid = 0;
  uint64_t newest = 0;
  Document addresses;
  SPARKY_MESSAGE("welcome", "Who is there.") {
    v("version", m.version, "of Sparky");
    v("protocol", m.protocol, "of the wire");
    v("project", m.project, "the project's directory");
    v("host", m.host, "the machine");
    v("pid", m.pid, "of the daemon");
    v("newest", m.newest, "sequence number of the newest event");
    v.maybe("addresses", m.addresses, "its sockets: requests, updates, events, workers");
  }
};
struct Done {
  std::vector<std::string> notes;
  uint64_t newest = 0;
  SPARKY_MESSAGE("done", "It is done, and on disk.") {
    v.maybe("notes", m.notes, "what a person should know, one line each");
    v("newest", m.newest, "sequence number of the newest event");
  }
};
struct RunStarted {
  uint32_t run = 0;
  bool existing = false;
  std::vector<std::string> notes;
  uint64_t newest = 0;
  SPARKY_MESSAGE("run_started", "The run is on disk and under way.") {
    v("run", m.run, "its number");
    v("existing", m.existing, "true: an earlier run goes on");
    v.maybe("notes", m.notes, "what was taken over from a changed plan, one line each");
    v("newest", m.newest, "sequence number of the newest event");
  }
};
struct RunList {
  Document runs;
  SPARKY_MESSAGE("run_list", "Runs, newest first.") {
    v("runs", m.runs, "list of {run, plan, state, created, changed, progress, done, total}");
  }
};
struct RunState {
  uint32_t run = 0;
  Document status;
  uint64_t newest = 0;
  SPARKY_MESSAGE("run_state",
                 "How a run stands: a snapshot for a subscriber, who goes on with the events after `newest`.") {
    v("run", m.run, "its number");
    v("status", m.status, "{run, state, orchestrators: […], gates: […], …}");
    v("newest", m.newest, "sequence number of the newest event that it contains");
  }
};
struct NodeReply {
  Document node;
  uint64_t newest = 0;
  SPARKY_MESSAGE("node_state", "One workstream or gate.") {
    v("node", m.node, "its stage, criteria, verdicts, evidence");
    v("newest", m.newest, "sequence number of the newest event");
  }
};
struct ExplanationLink {
  std::string target, text, action;
  template <class M, class V>
  static void fields(M& m, V& v) {
    v("target", m.target, "the id that this link is about");
    v("text", m.text, "what it waits for");
    v.maybe("action", m.action, "what a person can do about it");
  }
};
struct Explanation {
  std::vector<ExplanationLink> links;
  SPARKY_MESSAGE("explanation", "The chain from a workstream to what has to happen first.") {
    v("links", m.links, "list of {target, text, action?}");
  }
};
struct LogFile {
  uint64_t attempt = 0;
  std::string what, path;
  uint64_t size = 0;
  bool live = false;
  template <class M, class V>
  static void fields(M& m, V& v) {
    v("attempt", m.attempt, "its number");
    v("what", m.what, "run, or check-2 (of the second criterion)");
    v("path", m.path, "absolute path of the log; it may not exist yet");
    v("size", m.size, "bytes so far");
    v("live", m.live, "the attempt has not ended");
  }
};
struct LogList {
  std::vector<LogFile> logs;
  SPARKY_MESSAGE("log_list", "Logs, oldest attempt first.") {
    v("logs", m.logs, "list of {attempt, what, path, size, live}");
  }
};
struct LogPart {
  Bytes data;
  uint64_t offset = 0, size = 0;
  SPARKY_MESSAGE("log_part", "A part of a log.") {
    v("data", m.data, "bytes as the command printed them");
    v("offset", m.offset, "of the first byte");
    v("size", m.size, "of the whole log so far");
  }
};
struct EventList {
  std::vector<Document> events;
  uint64_t after = 0, newest = 0;
  SPARKY_MESSAGE("event_list", "Events that were missed, oldest first.") {
    v("events", m.events, "as on the event socket");
    v("after", m.after, "ask again with this; equal to newest: that was all");
    v("newest", m.newest, "sequence number of the newest event");
  }
};
struct JobList {
  Document jobs;
  bool paused = false;
  uint64_t next = 0;
  SPARKY_MESSAGE("job_list", "The queue.") {
    v("jobs", m.jobs, "list of jobs; those that wait have a `position` in the line, from 1");
    v("paused", m.paused, "the queue is held back");
    v.maybe("next", m.next, "there are more: ask again with `after` = this");
  }
};
struct JobReply {
  Document job;
  SPARKY_MESSAGE("job_state", "One job.") { v("job", m.job, "{id, kind, state, progress, …}"); }
};
struct WorkerList {
  Document workers;
  SPARKY_MESSAGE("worker_list", "Workers.") { v("workers", m.workers, "list of workers"); }
};
struct Inspection {
  Document daemon;
  SPARKY_MESSAGE("inspection", "The daemon itself.") {
    v("daemon", m.daemon, "{version, pid, uptime_s, addresses, journal, executor, host: {cpu, memory, gpus?}, …}");
  }
};
struct Pruned {
  std::vector<uint32_t> runs;
  std::vector<std::string> files;
  SPARKY_MESSAGE("pruned", "What was archived.") {
    v("runs", m.runs, "numbers of the runs");
    v("files", m.files, "where each one's records are now");
  }
};

// ---- the event socket -----------------------------------------------------------------------------------------------

struct EventMessage {
  uint64_t seq = 0;
  std::string time;
  uint32_t run = 0;
  std::string event, text;
  Document data;
  SPARKY_MESSAGE("event", "Something happened; it is on disk.") {
    v("seq", m.seq, "sequence number; without a gap, and the same after a restart");
    v("time", m.time, "ISO 8601, UTC");
    v.maybe("run", m.run, "number of the run");
    v("event", m.event, "its kind: attempt-started, node-staged, …");
    v.maybe("text", m.text, "one line for a person");
    v("data", m.data, "the event's fields");
  }
};
struct Heartbeat {
  uint64_t newest = 0;
  std::string time;
  SPARKY_MESSAGE("heartbeat", "Each second without an event: shows a gap in a quiet time.") {
    v("newest", m.newest, "sequence number of the newest event");
    v("time", m.time, "ISO 8601, UTC");
  }
};

using Request =
    std::variant<Ping, Generate, Cancel, GetStatus, ListModels, StatusRequest, Hello, ListRuns, RunStatus, ShowNode,
                 Explain, ListLogs, ReadLog, ReadEvents, ListJobs, ShowJob, ListWorkers, Inspect, StartRun, PauseRun,
                 ResumeRun, CancelRun, RetryNode, SkipNode, CancelNode, Decide, CloseEscalation, SpawnOrchestrator,
                 SpawnAgent, SubmitJob, RetryJob, ClearJobs, MoveJob, PauseQueue, Prune, Shutdown, ListGallery,
                 ShowPicture, ReadPicture, MarkPictures, DeletePictures, RestorePictures, SaveComparison,
                 ListComparisons, DescribeModels, ListSettings, ChangeSetting>;
// What the studio and the settings answer, away from runs and jobs.
using StudioRequest = std::variant<ListGallery, ShowPicture, ReadPicture, MarkPictures, DeletePictures, RestorePictures,
                                   SaveComparison, ListComparisons, DescribeModels, ListSettings, ChangeSetting>;
using Reply = std::variant<ErrorReply, Pong, JobAccepted, JobComplete, JobError, JobCancelled, ModelList, StatusInfo,
                           JobStatus, JobResult, Welcome, Done, RunStarted, RunList, RunState, NodeReply, Explanation,
                           LogList, LogPart, EventList, JobList, JobReply, WorkerList, Inspection, Pruned, GalleryList,
                           PictureState, PicturePart, ComparisonList, ModelDescriptions, SettingList>;
using Update = std::variant<JobStarted, Progress, Preview, JobFinished, JobComplete>;
using Stream = std::variant<EventMessage, Heartbeat>;

// What a request carries beside its own fields; each of at most so many bytes.
inline constexpr size_t envelope_field_max = 200;
struct Envelope {
  std::string request_id, key, who;
};
struct Asked {
  Request body;
  Envelope envelope;
};

enum class Encoding { msgpack, json };

// Errc::invalid, naming the field or the type (with the nearest one there is).
Result<Asked> decode_request(const Json& map);
// `request_id` becomes that of the request even if the rest of it is wrong, so that the error can give it back.
Result<Asked> parse_request(std::string_view msgpack, std::string* request_id = nullptr);
Result<Reply> decode_reply(const Json& map);
Result<Update> decode_update(const Json& map);
Result<Stream> decode_stream(const Json& map);

std::string encode(const Request& body, const Envelope& envelope, Encoding encoding = Encoding::msgpack);
std::string encode(const Reply& body, std::string_view request_id = {}, Encoding encoding = Encoding::msgpack);
std::string encode(const Update& body, Encoding encoding = Encoding::msgpack);
std::string encode(const Stream& body, Encoding encoding = Encoding::msgpack);
// An event whose fields are MessagePack already, instead of `body.data`.
std::string encode_event(const EventMessage& body, std::string_view data);

ErrorReply error_reply(const Error& error);

// What a client must be allowed to ask for jobs of a kind: `exec` runs commands and `deploy` writes into a game, as
// whoever started the worker; the others stay within outputs/.
Role role_of_kind(std::string_view kind);
Role role_of(const Request& request);
std::string_view type_of(const Request& request);
std::string_view type_of(const Reply& reply);
// Whether an original client could have sent it: then the reply keeps to the original table.
bool is_compatible(const Request& request);
bool is_of_studio(const Request& request);  // one of StudioRequest

// docs/protocol.md, from the definitions.
std::string reference();

}  // namespace sparky::wire
