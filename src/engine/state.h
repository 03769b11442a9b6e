// State: what the events so far amount to. Plain data, changed by apply() alone; read it freely (the faces' questions
// are answered by view.h). A node costs some 100 bytes; nothing of the plan is copied.
#pragma once
#include <array>
#include <compare>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "engine/event.h"
#include "engine/pool.h"
#include "engine/types.h"
#include "plan/graph.h"
#include "plan/plan.h"

namespace sparky::engine {

// One workstream or gate, or (always waiting or completed) an orchestrator's begin and end or a phase barrier.
struct NodeState {
  Stage stage = Stage::waiting;
  uint8_t priority = 2;    // the most urgent of its own and of all that waits for it
  bool selected = true;    // false: left out by --until or --only
  bool queued = false;     // in the pool
  uint8_t lost = 0;        // attempts lost in a row
  uint8_t crashes = 0;     // attempts in a row that ended without an exit of their own
  uint16_t tries = 0;      // attempts of its work that count against its retries
  uint16_t decisions = 0;  // open ones
  uint32_t open = 0;       // predecessors that are not satisfied
  ClassId pool_class = 0;
  float path = 0;              // see Rank::path
  AttemptId attempt = 0;       // the live one; 0: none
  AttemptId last = 0;          // the newest attempt of its work: its log
  Time since{};                // entered its stage
  Time started{}, finished{};  // first start since the last reset, and its end; epoch: not yet
  Time due{};                  // backoff: when it goes on
  Duration worked{0};          // sum over the attempts of its work since the last reset
  SPARKY_FIELDS(stage, lost, crashes, tries, attempt, last, since, started, finished, due, worked)
};

struct CriterionState {
  Verdict verdict = Verdict::open;
  bool settled = false;  // nothing more is wanted from anybody (an untestable one: accepted by a person or the plan)
  AttemptId evidence = 0;
  Time at{};
  SPARKY_FIELDS(verdict, settled, evidence, at)
};
struct Judgement {  // the words that belong to a verdict, where there are any
  std::string who, note;
  SPARKY_FIELDS(who, note)
};

struct Attempt {
  AttemptId id = 0;
  Work work = Work::run;
  RunId run = 0;    // run, check
  NodeId node = 0;  // no_node: an updated plan no longer has it
  uint16_t criterion = 0;
  JobId job = 0;  // job
  WorkerId worker = 0;
  uint16_t number = 1;   // which try this is
  bool started = false;  // the executor said so; before that it may still be recalled
  bool early = false, recalling = false;
  CancelReason cancelling = CancelReason::none;
  std::string cancelled_by;
  Time assigned{}, started_at{}, progress_at{};
  double fraction = -1;  // negative: never said
  std::string text;
  bool stalled = false, overran = false;
  Time timer{};            // derived: when the engine looks at it again; epoch: never
  ClassId pool_class = 0;  // derived: whose limits it uses
  SPARKY_FIELDS(id, work, run, node, criterion, job, worker, number, started, early, recalling, cancelling,
                cancelled_by, assigned, started_at, progress_at, fraction, text, stalled, overran)
};

struct Decision {
  DecisionId id = 0;
  RunId run = 0;
  NodeId node = 0;
  DecisionKind kind = DecisionKind::criterion;
  uint16_t criterion = 0;
  Time opened{};
  SPARKY_FIELDS(id, run, node, kind, criterion, opened)
};

struct Escalation {
  EscalationId id = 0;
  EscalationKind kind = EscalationKind::stall;
  Severity severity = Severity::warning;
  RunId run = 0;
  NodeId node = 0;
  AttemptId attempt = 0;
  std::string note;
  Time opened{};
  SPARKY_FIELDS(id, kind, severity, run, node, attempt, note, opened)
};

struct Run {
  RunId id = 0;
  std::shared_ptr<const plan::Plan> plan;
  std::shared_ptr<const plan::Graph> graph;
  RunOptions options;
  Halt halt = Halt::none;
  Standing settled = Standing::running;  // as last said by RunSettled
  Time created{}, changed{};             // changed: the last event that concerns it
  std::vector<NodeState> nodes;          // by NodeId
  std::vector<uint32_t> criteria_start;  // criteria of node n: criteria[criteria_start[n] … criteria_start[n + 1])
  std::vector<CriterionState> criteria;
  std::map<uint32_t, Judgement> judgements;    // by index into criteria
  std::map<NodeId, Judgement> notes;           // why a node was skipped, cancelled, failed: by whom, what was said
  std::array<uint32_t, stage_count> counts{};  // selected workstreams and gates, by stage
  uint32_t live = 0;                           // attempts
  std::set<std::pair<NodeId, DecisionId>> decisions;  // open ones, here by node
  std::set<std::pair<NodeId, EscalationId>> escalations;
  std::vector<ClassId> classes;  // derived: what its work queues in

  std::span<const plan::Criterion> criteria_of(NodeId n) const;  // as the plan has them
  const CriterionState& verdict(NodeId n, uint16_t criterion) const { return criteria[criteria_start[n] + criterion]; }
  std::vector<DecisionId> decisions_of(NodeId n) const;
  std::vector<EscalationId> escalations_of(NodeId n) const;
  const plan::Workstream* workstream(NodeId n) const;  // null for other nodes
  const plan::Gate* gate(NodeId n) const;
  const std::string& id_of(NodeId n) const;  // of a workstream, gate or (begin, end, barrier) orchestrator
  bool has_work(NodeId n) const;             // a command or an agent carries it out
};

struct Job {
  JobId id = 0;
  JobSpec spec;
  JobState state = JobState::queued;
  AttemptId attempt = 0;  // the live one
  uint32_t tries = 0, lost = 0;
  uint32_t open = 0;  // jobs it waits for
  std::vector<JobId> waiters;
  Time submitted{}, due{}, started{}, finished{};
  int64_t rank = 0;  // smaller goes first; see job_rank()
  std::string result, note;
  SPARKY_FIELDS(id, spec, state, attempt, tries, lost, submitted, due, started, finished, rank, result, note)
};

// What a worker must be able to do: the queue that a job stands in.
struct JobClass {
  std::string kind, model;
  uint64_t memory = 0;
  std::string worker;  // the only one that may; empty: any
  explicit JobClass(const JobSpec& spec)
      : kind(spec.kind), model(spec.model), memory(spec.memory), worker(spec.worker) {}
  friend auto operator<=>(const JobClass&, const JobClass&) = default;
};

struct Worker {
  WorkerId id = 0;
  WorkerSpec spec;
  std::set<AttemptId> leases;
  std::string model;  // of the last lease: what it has loaded
  SPARKY_FIELDS(id, spec, model)
};

// What was measured of one kind of work, for estimates: count and mean over the last ones.
struct Measured {
  uint32_t count = 0;
  double mean_ms = 0;
  SPARKY_FIELDS(count, mean_ms)
};

inline constexpr size_t kept_max = 10'000;  // replies to requests with a key

struct Timer {
  enum class Kind : uint8_t { backoff, attempt, job } kind = Kind::backoff;
  Time due{};
  RunId run = 0;
  uint64_t id = 0;  // node, attempt or job
  friend bool operator<(const Timer& a, const Timer& b) {
    return std::tuple(a.due, a.kind, a.run, a.id) < std::tuple(b.due, b.kind, b.run, b.id);
  }
};

struct State {
  Time clock{};  // of the last event
  uint32_t slots = 1, ahead = 0;
  RunId next_run = 1;
  AttemptId next_attempt = 1;
  JobId next_job = 1;
  WorkerId next_worker = 1;
  DecisionId next_decision = 1;
  EscalationId next_escalation = 1;
  std::map<RunId, Run> runs;
  std::map<AttemptId, Attempt> attempts;  // live ones
  std::map<DecisionId, Decision> decisions;
  std::map<EscalationId, Escalation> escalations;
  std::map<JobId, Job> jobs;
  std::map<WorkerId, Worker> workers;
  std::map<std::pair<std::string, std::string>, Measured> measured;  // by kind and model of job
  bool queue_paused = false;
  std::map<uint64_t, RequestKept> kept;  // in the order in which they came

  // Derived from the above; never encoded, made anew by rebuild().
  Pool pool;
  uint32_t slots_used = 0;                    // attempts of runs that are handed over
  std::set<std::pair<RunId, NodeId>> agenda;  // nodes that need a step of the engine, but no slot; empty between inputs
  std::set<Timer> timers;
  std::unordered_map<std::string, JobId> job_ids;
  std::unordered_map<std::string, uint64_t> kept_keys;
  std::map<JobClass, std::set<std::pair<int64_t, JobId>>> job_queues;  // ready jobs, by rank; never an empty set

  const Run* run(RunId id) const;
  const Attempt* attempt(AttemptId id) const;
  const Job* job(const std::string& id) const;
  const RequestKept* kept_reply(const std::string& key) const;
};

}  // namespace sparky::engine
