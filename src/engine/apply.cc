// apply(): what each event does to the state. Every handler first makes sure that what the event names exists; a state
// that does not know it stays as it is.
#include <algorithm>
#include <cmath>

#include "engine/engine.h"
#include "engine/held.h"
#include "engine/transitions.h"

namespace sparky::engine {
namespace {

template <class Map, class Key>
auto* find(Map& map, const Key& key) {
  auto it = map.find(key);
  return it == map.end() ? nullptr : &it->second;
}

class Applier {
 public:
  Applier(State& state, Time at) : s(state), at(at) {}

  // --- runs
  void operator()(const RunCreated& e) {
    s.next_run = std::max(s.next_run, e.run + 1);
    if (!e.plan || s.runs.contains(e.run)) return;
    Run& run = s.runs[e.run];
    run.id = e.run;
    run.options = e.options;
    run.created = run.changed = at;
    adopt(run, e.plan);
    rebuild(s, run);
  }
  void operator()(const PlanUpdated& e) {
    if (Run* run = find_run(e.run); run && e.plan) replace_plan(*run, e.plan);
  }
  void operator()(const OptionsSet& e) {
    Run* run = find_run(e.run);
    if (!run) return;
    run->options = e.options;
    rebuild(s, *run);
  }
  void operator()(const HaltSet& e) {
    Run* run = find_run(e.run);
    if (!run) return;
    run->halt = e.halt;
    for (auto c : run->classes) s.pool.hold(c, e.halt != Halt::none);
  }
  void operator()(const RunSettled& e) {
    if (Run* run = find_run(e.run)) run->settled = e.standing;
  }
  void operator()(const RunArchived& e) {
    Run* run = find_run(e.run);
    if (!run || run->live > 0) return;
    for (auto c : run->classes) s.pool.remove_class(c);
    for (auto& [node, id] : run->decisions) s.decisions.erase(id);
    for (auto& [node, id] : run->escalations) s.escalations.erase(id);
    std::erase_if(s.timers, [&](const Timer& t) { return t.kind == Timer::Kind::backoff && t.run == e.run; });
    std::erase_if(s.agenda, [&](auto& entry) { return entry.first == e.run; });
    s.runs.erase(e.run);
  }
  void operator()(const SlotsSet& e) {
    bool changed = s.slots != e.slots;
    s.slots = e.slots, s.ahead = e.ahead;
    if (!changed) return;
    for (auto& [id, run] : s.runs)
      if (run.options.jobs > 0) rebuild(s, run);  // whether that limits it
  }

  // --- nodes
  void operator()(const NodeStaged& e) {
    auto [run, node] = find_node(e.run, e.node);
    if (!node) return;
    Stage stage = e.stage;
    if (stage == Stage::ready && (node->open > 0 || !node->selected)) stage = Stage::waiting;
    if (stage == Stage::backoff) {
      set_stage(s, *run, e.node, Stage::waiting);  // takes its old timer, if any, with it
      node->due = e.due;
    }
    set_stage(s, *run, e.node, stage);
    if (is_final(stage)) node->finished = at;
    if (e.who.empty() && e.note.empty())
      run->notes.erase(e.node);
    else
      run->notes[e.node] = {e.who, e.note};
  }
  void operator()(const NodeReset& e) {
    auto [run, node] = find_node(e.run, e.node);
    if (!node) return;
    clear_verdicts(*run, e.node);
    run->notes.erase(e.node);
    node->attempt = 0;  // a live one is fenced off: its end changes nothing here
    node->tries = 0;
    node->lost = node->crashes = 0;
    node->started = node->finished = {};
    node->worked = {};
    set_stage(s, *run, e.node, Stage::waiting);
    if (node->open == 0 && node->selected) set_stage(s, *run, e.node, Stage::ready);
  }
  void operator()(const CriterionJudged& e) {
    auto [run, node] = find_node(e.run, e.node);
    if (!node || e.criterion >= run->criteria_of(e.node).size()) return;
    uint32_t at_index = run->criteria_start[e.node] + e.criterion;
    auto& c = run->criteria[at_index];
    c.verdict = e.verdict;
    c.evidence = e.evidence;
    c.at = at;
    c.settled =
        e.verdict == Verdict::untestable ? !e.who.empty() || run->plan->untestable_passes : e.verdict != Verdict::open;
    if (e.verdict != Verdict::failed && e.evidence != 0) node->lost = 0;
    if (e.who.empty() && e.note.empty())
      run->judgements.erase(at_index);
    else
      run->judgements[at_index] = {e.who, e.note};
  }
  void operator()(const DecisionOpened& e) {
    s.next_decision = std::max(s.next_decision, e.decision + 1);
    auto [run, node] = find_node(e.run, e.node);
    if (!node || s.decisions.contains(e.decision)) return;
    s.decisions[e.decision] = {e.decision, e.run, e.node, e.kind, e.criterion, at};
    run->decisions.insert({e.node, e.decision});
    ++node->decisions;
  }
  void operator()(const DecisionClosed& e) {
    auto* d = find(s.decisions, e.decision);
    if (!d) return;
    if (auto [run, node] = find_node(d->run, d->node); node) {
      run->decisions.erase({d->node, d->id});
      --node->decisions;
    }
    s.decisions.erase(e.decision);
  }
  void operator()(const EscalationOpened& e) {
    s.next_escalation = std::max(s.next_escalation, e.escalation + 1);
    auto [run, node] = find_node(e.run, e.node);
    if (!node || s.escalations.contains(e.escalation)) return;
    s.escalations[e.escalation] = {e.escalation, e.kind, e.severity, e.run, e.node, e.attempt, e.note, at};
    run->escalations.insert({e.node, e.escalation});
    if (auto* a = find(s.attempts, e.attempt)) {
      if (e.kind == EscalationKind::stall) a->stalled = true;
      if (e.kind == EscalationKind::overrun && e.severity == Severity::info) a->overran = true;  // of the estimate
      arm(s, *a);
    }
  }
  void operator()(const EscalationClosed& e) {
    auto* found = find(s.escalations, e.escalation);
    if (!found) return;
    if (Run* run = find_run(found->run)) run->escalations.erase({found->node, e.escalation});
    s.escalations.erase(e.escalation);
  }

  // --- attempts
  void operator()(const AttemptAssigned& e) {
    s.next_attempt = std::max(s.next_attempt, e.attempt + 1);
    auto [run, node] = find_node(e.run, e.node);
    if (!node || node->attempt != 0 || s.attempts.contains(e.attempt)) return;
    Attempt& a = s.attempts[e.attempt];
    a.id = e.attempt;
    a.work = e.work;
    a.run = e.run;
    a.node = e.node;
    a.criterion = e.criterion;
    a.early = e.early;
    a.assigned = at;
    a.pool_class = node->pool_class;
    s.pool.take(a.pool_class);
    ++s.slots_used;
    ++run->live;
    if (e.work == Work::run) {
      clear_verdicts(*run, e.node);
      ++node->tries;
      node->last = e.attempt;
      set_stage(s, *run, e.node, Stage::running);
    }
    a.number = node->tries;
    node->attempt = e.attempt;
    place(s, *run, e.node);
  }
  void operator()(const LeaseGranted& e) {
    s.next_attempt = std::max(s.next_attempt, e.attempt + 1);
    auto* job = find(s.jobs, e.job);
    auto* worker = find(s.workers, e.worker);
    if (!job || !worker || job->attempt != 0 || s.attempts.contains(e.attempt)) return;
    Attempt& a = s.attempts[e.attempt];
    a.id = e.attempt;
    a.work = Work::job;
    a.job = e.job;
    a.worker = e.worker;
    a.assigned = at;
    dequeue(s, *job);
    job->state = JobState::running;
    job->attempt = e.attempt;
    a.number = uint16_t(++job->tries);
    if (job->started == Time{}) job->started = at;
    worker->leases.insert(e.attempt);
    worker->model = job->spec.model;
  }
  void operator()(const AttemptStarted& e) {
    auto* a = find(s.attempts, e.attempt);
    if (!a || a->started) return;
    a->started = true;
    a->started_at = a->progress_at = at;
    if (auto [run, node] = find_node(a->run, a->node); node && a->work == Work::run && node->started == Time{})
      node->started = at;
    arm(s, *a);
  }
  void operator()(const AttemptProgressed& e) {
    auto* a = find(s.attempts, e.attempt);
    if (!a) return;
    a->progress_at = at;
    if (e.fraction >= 0) a->fraction = std::min(e.fraction, 1.0);
    if (!e.text.empty()) a->text = e.text;
    a->stalled = false;
    arm(s, *a);
  }
  void operator()(const AttemptCancelling& e) {
    auto* a = find(s.attempts, e.attempt);
    if (!a) return;
    a->cancelling = e.reason;
    a->cancelled_by = e.who;
    arm(s, *a);
  }
  void operator()(const AttemptRecalling& e) {
    if (auto* a = find(s.attempts, e.attempt)) a->recalling = true;
  }
  void operator()(const AttemptRecalled& e) {
    auto* a = find(s.attempts, e.attempt);
    if (!a) return;
    if (auto* job = own_job(*a); job) {
      --job->tries;
      job->attempt = 0;
      requeue(*job, {});
    }
    auto [run, node] = own_node(*a);
    bool work = a->work == Work::run;
    remove(*a);
    if (!node) return;
    node->attempt = 0;
    if (work) {
      --node->tries;
      set_stage(s, *run, node_id(*run, node), free(*node) ? Stage::ready : Stage::waiting);
    }
    place(s, *run, node_id(*run, node));
  }
  void operator()(const AttemptEnded& e) {
    auto* a = find(s.attempts, e.attempt);
    if (!a) return;
    bool interrupted = a->cancelling == CancelReason::run_cancelled && !(e.outcome == Outcome::exited && e.code == 0);
    bool crash = e.outcome == Outcome::signalled || e.outcome == Outcome::timed_out ||
                 e.outcome == Outcome::spawn_failed || e.outcome == Outcome::lost;
    if (auto* job = own_job(*a); job) {
      if (e.outcome == Outcome::lost) ++job->lost;
      job->attempt = 0;
    }
    auto [run, node] = own_node(*a);
    bool work = a->work == Work::run;
    remove(*a);
    if (!node) return;
    node->attempt = 0;
    if (e.outcome == Outcome::lost && node->lost < 255) ++node->lost;
    if (work) {
      node->worked += e.duration;
      if (e.outcome != Outcome::lost) node->lost = 0;
      if (!interrupted) node->crashes = crash ? uint8_t(std::min(node->crashes + 1, 255)) : 0;
      // What a person has to decide about first is no failed try.
      bool held = asks_person(*run, node_id(*run, node), e.outcome, e.code);
      if ((interrupted || held || e.outcome == Outcome::lost) && node->tries > 0) --node->tries;
    }
    place(s, *run, node_id(*run, node));
  }

  // --- jobs
  void operator()(const JobSubmitted& e) {
    s.next_job = std::max(s.next_job, e.job + 1);
    if (s.jobs.contains(e.job) || s.job_ids.contains(e.spec.id)) return;
    Job& job = s.jobs[e.job];
    job.id = e.job;
    job.spec = e.spec;
    job.submitted = at;
    job.rank = job_rank(e.spec.priority, at);
    s.job_ids[e.spec.id] = e.job;
    for (auto& before : e.spec.after)
      if (auto it = s.job_ids.find(before); it != s.job_ids.end() && it->second != e.job) {
        auto& other = s.jobs.at(it->second);
        other.waiters.push_back(e.job);
        job.open += other.state != JobState::completed;
      }
    enqueue(s, job);
  }
  void operator()(const JobStaged& e) {
    auto* job = find(s.jobs, e.job);
    if (!job || job->state == JobState::completed) return;
    if (e.state == JobState::queued) {
      if (e.reset) job->tries = job->lost = 0, job->started = job->finished = {};
      job->note = e.note;
      requeue(*job, e.due);
      return;
    }
    dequeue(s, *job);
    job->state = e.state;
    job->attempt = 0;  // a live one is fenced off
    job->due = {};
    job->note = e.note;
    job->result = e.result;
    job->finished = at;
    if (e.state != JobState::completed) return;
    measure(*job);
    for (auto id : job->waiters)
      if (auto* next = find(s.jobs, id); next && next->open > 0 && --next->open == 0) enqueue(s, *next);
  }
  void operator()(const JobsCleared& e) {
    for (auto id : e.jobs) {
      auto* job = find(s.jobs, id);
      if (!job) continue;
      dequeue(s, *job);
      if (job->state != JobState::completed)
        for (auto waiter : job->waiters)
          if (auto* next = find(s.jobs, waiter); next && next->open > 0) --next->open;
      s.job_ids.erase(job->spec.id);
      s.jobs.erase(id);
    }
  }
  void operator()(const JobsRanked& e) {
    for (size_t i = 0; i < std::min(e.jobs.size(), e.ranks.size()); ++i) {
      auto* job = find(s.jobs, e.jobs[i]);
      if (!job) continue;
      dequeue(s, *job);
      job->rank = e.ranks[i];
      enqueue(s, *job);
    }
  }
  void operator()(const QueuePaused& e) { s.queue_paused = e.paused; }
  void operator()(const WorkerJoined& e) {
    s.next_worker = std::max(s.next_worker, e.worker + 1);
    auto& worker = s.workers[e.worker];
    worker.id = e.worker;
    worker.spec = e.spec;
  }
  void operator()(const RequestKept& e) {
    if (auto known = s.kept_keys.find(e.key); known != s.kept_keys.end()) s.kept.erase(known->second);
    uint64_t id = s.kept.empty() ? 1 : s.kept.rbegin()->first + 1;
    s.kept.emplace(id, e);
    s.kept_keys[e.key] = id;
    if (s.kept.size() <= kept_max) return;
    s.kept_keys.erase(s.kept.begin()->second.key);
    s.kept.erase(s.kept.begin());
  }
  void operator()(const WorkerLeft& e) {
    auto* worker = find(s.workers, e.worker);
    if (worker && worker->leases.empty()) s.workers.erase(e.worker);
  }

 private:
  static NodeId node_id(const Run& run, const NodeState* node) { return NodeId(node - run.nodes.data()); }
  static bool free(const NodeState& node) { return node.open == 0 && node.selected; }

  Run* find_run(RunId id) {
    Run* run = find(s.runs, id);
    if (run) run->changed = at;
    return run;
  }
  // A workstream or gate: the stages of the other nodes follow from these.
  std::pair<Run*, NodeState*> find_node(RunId id, NodeId n) {
    Run* run = find_run(id);
    if (!run || n >= run->nodes.size() || is_automatic(run->graph->nodes[n].kind)) return {nullptr, nullptr};
    return {run, &run->nodes[n]};
  }
  // The node or job, if this attempt is still the one it waits for.
  std::pair<Run*, NodeState*> own_node(const Attempt& a) {
    if (a.work == Work::job) return {nullptr, nullptr};
    auto [run, node] = find_node(a.run, a.node);
    if (!node || node->attempt != a.id) return {nullptr, nullptr};
    return {run, node};
  }
  Job* own_job(const Attempt& a) {
    Job* job = a.work == Work::job ? find(s.jobs, a.job) : nullptr;
    return job && job->attempt == a.id ? job : nullptr;
  }

  void remove(Attempt& a) {
    disarm(s, a);
    if (a.work == Work::job) {
      if (auto* worker = find(s.workers, a.worker)) worker->leases.erase(a.id);
    } else {
      s.pool.give_back(a.pool_class);
      --s.slots_used;
      if (Run* run = find_run(a.run)) --run->live;
    }
    s.attempts.erase(a.id);
  }

  void requeue(Job& job, Time due) {
    dequeue(s, job);
    job.state = JobState::queued;
    job.attempt = 0;
    job.due = due;
    enqueue(s, job);
  }

  void clear_verdicts(Run& run, NodeId n) {
    auto begin = run.criteria_start[n], end = run.criteria_start[n + 1];
    for (auto i = begin; i < end; ++i) run.criteria[i] = {};
    run.judgements.erase(run.judgements.lower_bound(begin), run.judgements.lower_bound(end));
  }

  // A moving mean over about the last ten.
  void measure(const Job& job) {
    auto& m = s.measured[{job.spec.kind, job.spec.model}];
    double took = double(std::max(at - job.started, Duration{0}).count());
    m.count = std::min(m.count + 1, 10u);
    m.mean_ms += (took - m.mean_ms) / m.count;
  }

  static void adopt(Run& run, std::shared_ptr<const plan::Plan> plan) {
    run.plan = std::move(plan);
    run.graph = std::make_shared<plan::Graph>(plan::build_graph(*run.plan));
    run.nodes.assign(run.graph->nodes.size(), {});
    run.criteria_start.assign(run.nodes.size() + 1, 0);
    for (NodeId n = 0; n < run.nodes.size(); ++n)
      run.criteria_start[n + 1] = run.criteria_start[n] + uint32_t(run.criteria_of(n).size());
    run.criteria.assign(run.criteria_start.back(), {});
  }

  // Nodes keep their state by id; what the new plan does not have any more is forgotten.
  void replace_plan(Run& run, std::shared_ptr<const plan::Plan> plan) {
    Run old = std::move(run);
    run = {};
    run.id = old.id, run.options = old.options, run.halt = old.halt, run.settled = old.settled;
    run.created = old.created, run.changed = at;
    run.classes = old.classes;
    adopt(run, std::move(plan));
    std::vector<NodeId> now(old.nodes.size(), no_node);
    for (NodeId n = 0; n < old.nodes.size(); ++n) {
      auto kind = old.graph->nodes[n].kind;
      if (is_automatic(kind)) continue;
      NodeId to = run.graph->find(old.id_of(n));
      if (to == no_node || run.graph->nodes[to].kind != kind) continue;
      now[n] = to;
      run.nodes[to] = old.nodes[n];
      run.nodes[to].queued = false;
      if (auto note = old.notes.find(n); note != old.notes.end()) run.notes[to] = note->second;
      auto count = std::min(run.criteria_of(to).size(), old.criteria_of(n).size());
      for (uint32_t i = 0; i < count; ++i) {
        uint32_t from_index = old.criteria_start[n] + i, to_index = run.criteria_start[to] + i;
        run.criteria[to_index] = old.criteria[from_index];
        if (auto j = old.judgements.find(from_index); j != old.judgements.end()) run.judgements[to_index] = j->second;
      }
    }
    auto move = [&](auto& things, auto& from, auto& to) {
      for (auto& [node, id] : from) {
        NodeId n = node < now.size() ? now[node] : no_node;
        if (n == no_node)
          things.erase(id);
        else
          things.at(id).node = n, to.insert({n, id});
      }
    };
    move(s.decisions, old.decisions, run.decisions);
    move(s.escalations, old.escalations, run.escalations);
    for (auto& [id, a] : s.attempts)
      if (a.work != Work::job && a.run == run.id) {
        a.node = a.node < now.size() ? now[a.node] : no_node;
      }
    rebuild(s, run);
  }

  State& s;
  Time at;
};

}  // namespace

void apply(State& state, const Event& event) {
  state.clock = std::max(state.clock, event.at);
  std::visit(Applier(state, state.clock), event.body);
}

void effects(const State& after, const Event& event, std::vector<Effect>& out) {
  auto body = &event.body;
  if (auto* e = std::get_if<AttemptAssigned>(body)) out.push_back(StartAttempt{e->attempt});
  if (auto* e = std::get_if<LeaseGranted>(body)) out.push_back(StartAttempt{e->attempt});
  if (auto* e = std::get_if<AttemptCancelling>(body)) out.push_back(CancelAttempt{e->attempt});
  if (auto* e = std::get_if<AttemptRecalling>(body)) out.push_back(RecallAttempt{e->attempt});
  if (auto* e = std::get_if<SlotsSet>(body)) out.push_back(ChangeSlots{e->slots});
  if (auto* e = std::get_if<EscalationOpened>(body))
    out.push_back(Notify{Notify::What::escalation, e->run, e->escalation});
  if (auto* e = std::get_if<DecisionOpened>(body)) {
    auto it = after.decisions.find(e->decision);
    if (it != after.decisions.end() && same_question(after, it->second)[0] == e->decision)
      out.push_back(Notify{Notify::What::decision, e->run, e->decision});
  }
  if (auto* e = std::get_if<RunSettled>(body);
      e && after.run(e->run) && e->standing != Standing::running && e->standing != Standing::paused)
    out.push_back(Notify{Notify::What::end, e->run, 0});
}

}  // namespace sparky::engine
