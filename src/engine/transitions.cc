#include "engine/transitions.h"

#include <algorithm>

namespace sparky::engine {
using plan::NodeKind;

bool is_automatic(NodeKind kind) { return kind != NodeKind::workstream && kind != NodeKind::gate; }

namespace {

Rank rank_of(const Run& run, NodeId n) {
  auto& node = run.nodes[n];
  return {.lane = uint8_t(node.stage == Stage::checking ? 0 : 1),
          .priority = node.priority,
          .path = node.path,
          .run = run.id,
          .node = n};
}

bool wants_slot(const Run& run, NodeId n) {
  auto& node = run.nodes[n];
  return node.selected && node.attempt == 0 &&
         (node.stage == Stage::checking || (node.stage == Stage::ready && run.has_work(n)));
}

// Estimates are optional: a workstream without one weighs a little, so that longer chains still go first.
float weight(const Run& run, NodeId n) {
  auto* w = run.workstream(n);
  if (!w) return 0;
  return w->duration ? float(w->duration->max) : 0.01f;
}

void inherit_priorities(Run& run) {
  auto& g = *run.graph;
  for (size_t i = g.order.size(); i-- > 0;) {
    NodeId n = g.order[i];
    auto& node = run.nodes[n];
    auto* w = run.workstream(n);
    node.priority = w ? uint8_t(w->priority) : uint8_t(plan::Priority::p3);
    float longest = 0;
    for (auto& e : g.after(n)) {
      node.priority = std::min(node.priority, run.nodes[e.to].priority);
      longest = std::max(longest, run.nodes[e.to].path);
    }
    node.path = weight(run, n) + longest;
  }
}

void select(Run& run) {
  auto& o = run.options;
  bool all = o.until.empty() && o.only.empty();
  for (auto& node : run.nodes) node.selected = all;
  for (auto& id : o.only)
    if (NodeId n = run.graph->find(id); n != no_node) run.nodes[n].selected = true;
  NodeId until = run.graph->find(o.until);
  if (until == no_node) return;
  std::vector<NodeId> todo{until};
  std::vector<bool> needed(run.nodes.size(), false);
  needed[until] = true;
  while (!todo.empty()) {
    NodeId n = todo.back();
    todo.pop_back();
    if (o.only.empty()) run.nodes[n].selected = true;
    for (auto& e : run.graph->before(n))
      if (!needed[e.to]) needed[e.to] = true, todo.push_back(e.to);
  }
  if (!o.only.empty())  // both: the part of `only` that `until` needs
    for (NodeId n = 0; n < run.nodes.size(); ++n) run.nodes[n].selected = run.nodes[n].selected && needed[n];
}

// Work with the same limits queues together.
void make_classes(State& state, Run& run) {
  if (!run.classes.empty())
    for (auto& [id, a] : state.attempts)
      if (a.run == run.id) state.pool.give_back(a.pool_class);
  for (auto c : run.classes) state.pool.remove_class(c);
  run.classes.clear();
  for (auto& node : run.nodes) node.queued = false;
  auto& plan = *run.plan;
  std::vector<Pool::Need> common;
  auto limit = [&](std::string name, uint32_t capacity) {
    return Pool::Need{state.pool.named_limit(name), 1, capacity};
  };
  auto own = "run " + std::to_string(run.id);  // limits of plans cannot be named so: a name has no space
  // At least as many as there are slots is no limit: then work can be handed over early, for the executor has no more.
  if (run.options.jobs > 0 && run.options.jobs < state.slots) common.push_back(limit(own, run.options.jobs));
  std::unordered_map<std::string, std::pair<uint32_t, uint32_t>> orchestrators;  // those with a limit: index, jobs
  for (uint32_t i = 0; i < plan.orchestrators.size(); ++i)
    if (auto& o = plan.orchestrators[i]; o.jobs > 0) orchestrators[o.id] = {i, uint32_t(o.jobs)};
  std::map<std::pair<uint32_t, std::map<std::string, int>>, ClassId> classes;
  auto class_of = [&](uint32_t orchestrator, uint32_t jobs, const std::map<std::string, int>& needs) {
    auto [it, fresh] = classes.try_emplace({orchestrator, needs}, 0);
    if (!fresh) return it->second;
    auto all = common;
    if (jobs > 0) all.push_back(limit(own + " orchestrator " + std::to_string(orchestrator), jobs));
    for (auto& [name, amount] : needs) {
      if (amount <= 0) continue;
      auto capacity = plan.limits.find(name);
      all.push_back({state.pool.named_limit(name), uint32_t(amount),
                     uint32_t(capacity == plan.limits.end() ? 1 : std::max(0, capacity->second))});
    }
    it->second = state.pool.add_class(std::move(all));
    run.classes.push_back(it->second);
    state.pool.hold(it->second, run.halt != Halt::none);
    return it->second;
  };
  constexpr uint32_t nobody = ~0u;
  static const std::map<std::string, int> nothing;
  class_of(nobody, 0, nothing);  // classes[0]: gates, and attempts whose node is gone
  for (NodeId n = 0; n < run.nodes.size(); ++n) {
    if (is_automatic(run.graph->nodes[n].kind)) continue;
    auto* w = run.workstream(n);
    auto o = w ? orchestrators.find(w->orchestrator) : orchestrators.end();
    run.nodes[n].pool_class = o == orchestrators.end() ? class_of(nobody, 0, w ? w->needs : nothing)
                                                       : class_of(o->second.first, o->second.second, w->needs);
  }
}

}  // namespace

void place(State& state, Run& run, NodeId n) {
  auto& node = run.nodes[n];
  bool wanted = wants_slot(run, n);
  if (wanted && !node.queued) state.pool.push(node.pool_class, rank_of(run, n));
  if (!wanted && node.queued) state.pool.erase(node.pool_class, rank_of(run, n));
  node.queued = wanted;
  if (node.stage == Stage::ready && !wanted && node.attempt == 0)
    state.agenda.insert({run.id, n});
  else if (!state.agenda.empty())
    state.agenda.erase({run.id, n});
}

void set_stage(State& state, Run& run, NodeId start, Stage stage) {
  auto& g = *run.graph;
  std::vector<std::pair<NodeId, Stage>> todo{{start, stage}};
  for (size_t at = 0; at < todo.size(); ++at) {
    auto [n, to] = todo[at];
    auto& node = run.nodes[n];
    Stage from = node.stage;
    if (from == to) continue;
    bool counted = node.selected && !is_automatic(g.nodes[n].kind);
    if (counted) --run.counts[size_t(from)], ++run.counts[size_t(to)];
    if (node.queued) state.pool.erase(node.pool_class, rank_of(run, n)), node.queued = false;
    if (from == Stage::backoff) state.timers.erase({Timer::Kind::backoff, node.due, run.id, n});
    node.stage = to;
    node.since = state.clock;
    if (to == Stage::backoff) state.timers.insert({Timer::Kind::backoff, node.due, run.id, n});
    if (counted || !node.selected) place(state, run, n);
    if (satisfies(from) == satisfies(to)) continue;
    for (auto& e : g.after(n)) {
      auto& next = run.nodes[e.to];
      next.open += satisfies(to) ? -1 : 1;
      bool automatic = is_automatic(g.nodes[e.to].kind);
      if (next.open == 0 && next.stage == Stage::waiting && (automatic || next.selected))
        todo.push_back({e.to, automatic ? Stage::completed : Stage::ready});
      else if (next.open > 0 && (next.stage == Stage::ready || (automatic && next.stage == Stage::completed)))
        todo.push_back({e.to, Stage::waiting});
    }
  }
}

void rebuild(State& state, Run& run) {
  auto& g = *run.graph;
  std::erase_if(state.timers, [&](const Timer& t) { return t.kind == Timer::Kind::backoff && t.run == run.id; });
  std::erase_if(state.agenda, [&](auto& entry) { return entry.first == run.id; });
  select(run);
  inherit_priorities(run);
  make_classes(state, run);
  run.counts.fill(0);
  for (auto n : g.order) {
    auto& node = run.nodes[n];
    node.open = 0;
    for (auto& e : g.before(n)) node.open += !satisfies(run.nodes[e.to].stage);
    bool automatic = is_automatic(g.nodes[n].kind);
    bool free = node.open == 0 && (automatic || node.selected);
    if (automatic) {
      node.stage = free ? Stage::completed : Stage::waiting;
      continue;
    }
    if (node.stage == Stage::waiting || node.stage == Stage::ready) node.stage = free ? Stage::ready : Stage::waiting;
    if (node.selected) ++run.counts[size_t(node.stage)];
    if (node.stage == Stage::backoff) state.timers.insert({Timer::Kind::backoff, node.due, run.id, n});
    place(state, run, n);
  }
  run.live = 0;
  for (auto& [id, a] : state.attempts) {
    if (a.run != run.id) continue;
    ++run.live;
    a.pool_class = a.node < run.nodes.size() ? run.nodes[a.node].pool_class : run.classes[0];
    state.pool.take(a.pool_class);
  }
}

void rebuild(State& state) {
  state.pool = {};
  state.agenda.clear();
  state.timers.clear();
  state.job_ids.clear();
  state.kept_keys.clear();
  for (auto& [id, kept] : state.kept) state.kept_keys[kept.key] = id;
  state.job_queues.clear();
  state.slots_used = 0;
  for (auto& [id, run] : state.runs) {
    run.classes.clear();
    run.decisions.clear();
    run.escalations.clear();
    for (auto& node : run.nodes) node.decisions = 0;
  }
  for (auto& [id, d] : state.decisions)
    if (auto run = state.runs.find(d.run); run != state.runs.end())
      run->second.decisions.insert({d.node, id}), ++run->second.nodes[d.node].decisions;
  for (auto& [id, e] : state.escalations)
    if (auto run = state.runs.find(e.run); run != state.runs.end()) run->second.escalations.insert({e.node, id});
  for (auto& [id, run] : state.runs) rebuild(state, run);
  for (auto& [id, w] : state.workers) w.leases.clear();
  for (auto& [id, a] : state.attempts) {
    arm(state, a);
    if (a.work != Work::job)
      ++state.slots_used;
    else if (auto w = state.workers.find(a.worker); w != state.workers.end())
      w->second.leases.insert(id);
  }
  for (auto& [id, job] : state.jobs) job.open = 0, job.waiters.clear(), state.job_ids[job.spec.id] = id;
  for (auto& [id, job] : state.jobs)
    for (auto& before : job.spec.after)
      if (auto it = state.job_ids.find(before); it != state.job_ids.end() && it->second < id) {
        auto& other = state.jobs.at(it->second);
        other.waiters.push_back(id);
        job.open += other.state != JobState::completed;
      }
  for (auto& [id, job] : state.jobs) enqueue(state, job);
}

Duration working_day(const plan::Plan& plan) {
  double hours = plan.calendar ? plan.calendar->hours_per_day : 8;
  return Duration(int64_t(std::clamp(hours, 0.01, 24.0) * 3'600'000));
}

Duration stall_after(const Run& run) { return run.plan->stall.value_or(std::chrono::hours(24)); }

std::optional<Duration> overrun_after(const Run& run, NodeId n) {
  auto* w = run.workstream(n);
  if (!w || !w->duration || !(w->duration->max > 0)) return {};
  return Duration(int64_t(1.5 * std::min(w->duration->max, 1e5) * double(working_day(*run.plan).count())));
}

void disarm(State& state, Attempt& a) {
  if (a.timer != Time{}) state.timers.erase({Timer::Kind::attempt, a.timer, 0, a.id});
  a.timer = {};
}

void arm(State& state, Attempt& a) {
  disarm(state, a);
  if (!a.started || a.cancelling != CancelReason::none) return;
  std::optional<Time> due;
  auto at = [&](Time t) { due = due ? std::min(*due, t) : t; };
  if (a.work == Work::job) {
    auto job = state.jobs.find(a.job);
    if (job != state.jobs.end() && job->second.attempt == a.id && job->second.spec.timeout.count() > 0)
      at(a.started_at + job->second.spec.timeout);
  } else if (auto run = state.runs.find(a.run); a.work == Work::run && run != state.runs.end()) {
    if (!a.stalled) at(a.progress_at + stall_after(run->second));
    if (auto overrun = overrun_after(run->second, a.node); overrun && !a.overran) at(a.started_at + *overrun);
  }
  if (!due) return;
  a.timer = std::max(*due, Time{Duration{1}});
  state.timers.insert({Timer::Kind::attempt, a.timer, 0, a.id});
}

int64_t job_rank(JobPriority priority, Time submitted) {
  constexpr std::array<int64_t, 4> later_ms = {0, 2 * 60'000, 15 * 60'000, 60 * 60'000};
  return submitted.time_since_epoch().count() + later_ms[std::min<size_t>(size_t(priority), 3)];
}

std::vector<JobId> line_of(const State& state) {
  std::vector<std::pair<int64_t, JobId>> waiting;
  for (auto& [id, job] : state.jobs)
    if (job.state == JobState::queued) waiting.emplace_back(job.rank, id);
  std::ranges::sort(waiting);
  std::vector<JobId> line;
  for (auto& [rank, id] : waiting) line.push_back(id);
  return line;
}

void enqueue(State& state, const Job& job) {
  if (job.state != JobState::queued || job.open > 0) return;
  if (job.due != Time{})
    state.timers.insert({Timer::Kind::job, job.due, 0, job.id});
  else
    state.job_queues[JobClass(job.spec)].insert({job.rank, job.id});
}

void dequeue(State& state, const Job& job) {
  if (job.due != Time{}) state.timers.erase({Timer::Kind::job, job.due, 0, job.id});
  auto queue = state.job_queues.find(JobClass(job.spec));
  if (queue == state.job_queues.end()) return;
  queue->second.erase({job.rank, job.id});
  if (queue->second.empty()) state.job_queues.erase(queue);
}

}  // namespace sparky::engine
