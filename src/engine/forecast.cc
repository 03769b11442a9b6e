// What is to be expected: progress, ETA and job times, from the estimates and from what was measured here.
#include <algorithm>

#include "engine/transitions.h"
#include "engine/view.h"

namespace sparky::engine {
namespace {

// How long work takes here: measured over estimated, and the mean of what had no estimate.
struct Pace {
  double factor = 1;
  std::optional<double> unestimated_ms;
};

double estimate_ms(const Run& run, const plan::Workstream& w) {
  return (w.duration->min + w.duration->max) / 2 * double(working_day(*run.plan).count());
}

Pace pace(const Run& run) {
  double took = 0, estimated = 0, other = 0;
  size_t others = 0;
  for (NodeId n = 0; n < run.nodes.size(); ++n) {
    auto& node = run.nodes[n];
    auto* w = run.workstream(n);
    if (!w || node.stage != Stage::completed || !run.has_work(n)) continue;
    if (w->duration)
      took += double(node.worked.count()), estimated += estimate_ms(run, *w);
    else
      other += double(node.worked.count()), ++others;
  }
  Pace out;
  if (estimated > 0) out.factor = took / estimated;
  if (others > 0) out.unestimated_ms = other / double(others);
  return out;
}

// Milliseconds of work left in a node; nothing: nobody knows.
std::optional<double> remaining_ms(const State& state, const Run& run, NodeId n, const Pace& pace, Time now) {
  auto& node = run.nodes[n];
  auto* w = run.workstream(n);
  if (!w || satisfies(node.stage) || node.stage == Stage::checking) return 0;
  std::optional<double> whole;
  if (w->duration)
    whole = estimate_ms(run, *w) * pace.factor;
  else
    whole = run.has_work(n) ? pace.unestimated_ms : std::nullopt;
  auto* a = state.attempt(node.attempt);
  if (!a || !a->started) return whole;
  double elapsed = std::max(0.0, double((now - a->started_at).count()));
  if (a->fraction > 0.01) return elapsed * (1 - a->fraction) / a->fraction;
  if (!whole) return {};
  return std::max(0.0, *whole - elapsed);
}

// From what ends last back through what each waited for longest. What is done counts by when it was done, what is not
// by how much is left.
std::vector<bool> critical_path(const State& state, const Run& run, const Pace& pace, Time now) {
  std::vector<double> end(run.nodes.size(), 0);  // milliseconds from now; what is done: negative
  double usual_ms = pace.unestimated_ms.value_or(60'000);
  std::optional<NodeId> last;
  for (auto n : run.graph->order) {
    auto& node = run.nodes[n];
    double before = -1e15;
    for (auto& e : run.graph->before(n)) before = std::max(before, end[e.to]);
    if (is_automatic(run.graph->nodes[n].kind))
      end[n] = before;
    else if (satisfies(node.stage))
      end[n] = -double((now - node.finished).count());
    else
      end[n] = std::max(before, 0.0) + remaining_ms(state, run, n, pace, now).value_or(usual_ms);
    bool counts = node.selected && !is_automatic(run.graph->nodes[n].kind);
    if (counts && (!last || end[n] >= end[*last])) last = n;
  }
  std::vector<bool> on(run.nodes.size(), false);
  while (last && !on[*last]) {
    on[*last] = true;
    std::optional<NodeId> previous;
    for (auto& e : run.graph->before(*last))
      if (run.nodes[e.to].selected && (!previous || end[e.to] > end[*previous])) previous = e.to;
    last = previous;
  }
  return on;
}

}  // namespace

Standing standing(const Run& run) { return run.settled; }

double progress(const State& state, const Run& run) {
  uint32_t all = 0;
  for (auto c : run.counts) all += c;
  if (all == 0) return 1;
  double done = run.counts[size_t(Stage::completed)] + run.counts[size_t(Stage::skipped)];
  for (auto& [id, a] : state.attempts)
    if (a.work == Work::run && a.run == run.id && a.fraction > 0) done += std::min(a.fraction, 0.99);
  return std::min(1.0, done / all);
}

Forecast forecast(const State& state, const Run& run, Time now) {
  Forecast out;
  auto pace = engine::pace(run);
  out.finish.resize(run.nodes.size());
  out.start.resize(run.nodes.size());
  double total = 0, longest = 0;
  bool known = true;
  for (auto n : run.graph->order) {
    auto& node = run.nodes[n];
    std::optional<double> finish = 0;
    for (auto& e : run.graph->before(n)) {
      auto& before = out.finish[e.to];
      finish = finish && before ? std::optional(std::max(*finish, *before)) : std::nullopt;
    }
    out.start[n] = finish;
    auto left = remaining_ms(state, run, n, pace, now);
    bool stuck = node.stage == Stage::failed || node.stage == Stage::cancelled || node.stage == Stage::deciding;
    if (satisfies(node.stage)) finish = 0;
    finish = finish && left && !stuck ? std::optional(*finish + *left) : std::nullopt;
    out.finish[n] = finish;
    if (!node.selected || is_automatic(run.graph->nodes[n].kind)) continue;
    if (!finish) known = false;
    total += left.value_or(0);
    longest = std::max(longest, finish.value_or(0));
  }
  auto lanes = std::max(1u, run.options.jobs ? std::min(run.options.jobs, state.slots) : state.slots);
  if (known) out.run_ms = std::max(longest, total / lanes);
  out.critical = critical_path(state, run, pace, now);
  return out;
}

static std::optional<Time> when(std::optional<double> ms, Time now) {
  constexpr double far_ms = 1e14;  // some 3,000 years
  if (!ms || !(*ms < far_ms)) return {};
  return now + Duration(int64_t(*ms));
}

std::optional<Time> eta(const State& state, const Run& run, Time now) {
  if (run.settled != Standing::running) return {};
  return when(forecast(state, run, now).run_ms, now);
}

std::optional<Time> eta(const State& state, const Run& run, NodeId node, Time now) {
  if (run.settled != Standing::running || node >= run.nodes.size() || is_final(run.nodes[node].stage)) return {};
  return when(forecast(state, run, now).finish[node], now);
}

Line line(const State& state) {
  // Of each kind: what is ahead, how many work on it, and what a job takes that was never measured itself.
  struct Kind {
    double ahead_ms = 0, usual_ms = 0;
    uint32_t leases = 0;
  };
  std::map<std::string, Kind> kinds;
  for (auto& [key, measured] : state.measured) kinds[key.first].usual_ms = measured.mean_ms;
  for (auto& [id, worker] : state.workers)
    for (auto& kind : worker.spec.kinds) kinds[kind].leases += worker.spec.leases;
  auto mean_ms = [&](const JobSpec& spec) -> std::optional<double> {
    auto it = state.measured.find({spec.kind, spec.model});
    return it == state.measured.end() ? std::nullopt : std::optional(it->second.mean_ms);
  };
  for (auto& [id, job] : state.jobs)
    if (auto& kind = kinds[job.spec.kind]; job.state == JobState::running)
      kind.ahead_ms += mean_ms(job.spec).value_or(kind.usual_ms) / 2;
  Line out;
  for (auto id : line_of(state)) {
    auto& spec = state.jobs.at(id).spec;
    auto& kind = kinds[spec.kind];
    auto own = mean_ms(spec);
    Place place{out.size() + 1, {}};
    if (own) place.eta_s = (*own + kind.ahead_ms / std::max(1u, kind.leases)) / 1000;
    kind.ahead_ms += own.value_or(kind.usual_ms);
    out.emplace(id, place);
  }
  return out;
}

std::optional<double> estimated_seconds(const State& state, const JobSpec& spec) {
  auto mean = [&](const JobSpec& s) -> std::optional<double> {
    auto it = state.measured.find({s.kind, s.model});
    return it == state.measured.end() ? std::nullopt : std::optional(it->second.mean_ms / 1000);
  };
  auto own = mean(spec);
  if (!own) return {};
  double ahead = 0;
  for (auto& [id, job] : state.jobs) {
    if (job.spec.id == spec.id || job.spec.kind != spec.kind) continue;
    if (job.state == JobState::running) ahead += mean(job.spec).value_or(*own) / 2;
    if (job.state == JobState::queued && job.spec.priority <= spec.priority) ahead += mean(job.spec).value_or(*own);
  }
  uint32_t leases = 0;
  for (auto& [id, worker] : state.workers)
    if (std::ranges::find(worker.spec.kinds, spec.kind) != worker.spec.kinds.end()) leases += worker.spec.leases;
  return *own + ahead / std::max(1u, leases);
}

}  // namespace sparky::engine
