#include "engine/sim/checker.h"

#include "plan/by_agent.h"

#include "engine/held.h"
#include "engine/sim/violation.h"
#include "engine/transitions.h"

namespace sparky::engine::sim {
namespace {

[[noreturn]] void violated(std::string what) { throw Violation{std::move(what)}; }

}  // namespace

Checker::Key Checker::key(RunId run, NodeId node) const {
  auto* r = shadow_.run(run);
  return {run, r && node < r->nodes.size() ? r->id_of(node) : "?"};
}

// A workstream or gate is done when an event said so; a begin, end or barrier when all before it is.
std::vector<bool> Checker::done(const Run& run) const {
  std::vector<bool> out(run.nodes.size());
  for (auto n : run.graph->order) {
    if (!is_automatic(run.graph->nodes[n].kind)) {
      out[n] = satisfies(run.nodes[n].stage);
      continue;
    }
    out[n] = true;
    for (auto& e : run.graph->before(n)) out[n] = out[n] && out[e.to];
  }
  return out;
}

bool Checker::limits_admit(const State& state, const Run& run, NodeId node, bool already_counted) const {
  auto* w = run.workstream(node);
  uint32_t of_run = already_counted ? 0 : 1;
  int of_orchestrator = already_counted ? 0 : 1;
  std::map<std::string, int> used;
  if (w && !already_counted) used = w->needs;
  for (auto& [id, a] : state.attempts) {
    if (a.work == Work::job) continue;
    auto* other_run = state.run(a.run);
    auto* other = other_run->workstream(a.node);
    of_run += a.run == run.id;
    if (w && other && a.run == run.id && other->orchestrator == w->orchestrator) ++of_orchestrator;
    if (other)
      for (auto& [name, amount] : other->needs) used[name] += amount;
  }
  // With as many as there are slots it is the executor that lets no more run than may.
  if (run.options.jobs > 0 && run.options.jobs < state.slots && of_run > run.options.jobs) return false;
  if (!w) return true;
  for (auto& o : run.plan->orchestrators)
    if (o.id == w->orchestrator && o.jobs > 0 && of_orchestrator > o.jobs) return false;
  for (auto& [name, amount] : w->needs) {
    auto limit = run.plan->limits.find(name);
    if (used[name] > (limit == run.plan->limits.end() ? 1 : limit->second)) return false;
  }
  return true;
}

void Checker::observe(const std::string& bytes) {
  auto event = decode_event(bytes);
  if (!event) violated("a committed event cannot be read: " + event.error().message);
  if (event->at < shadow_.clock) violated("time went back in the journal");
  auto& body = event->body;
  // These look at the state before the event.
  if (auto* e = std::get_if<AttemptEnded>(&body)) ended(*e);
  if (auto* e = std::get_if<LeaseGranted>(&body)) leased(*e);
  if (auto* e = std::get_if<DecisionClosed>(&body); e && !e->withdrawn)
    if (auto d = shadow_.decisions.find(e->decision); d != shadow_.decisions.end()) answered(d->second, e->answer);
  if (auto* e = std::get_if<DecisionClosed>(&body); e && !e->withdrawn)
    if (auto d = shadow_.decisions.find(e->decision); d != shadow_.decisions.end() && e->answer != Answer::reject) {
      if (d->second.kind == DecisionKind::acceptance) known_[key(d->second.run, d->second.node)].accepted = true;
      if (d->second.kind == DecisionKind::lost) known_[key(d->second.run, d->second.node)].exited_well = false;
    }
  apply(shadow_, *event);
  if (auto* e = std::get_if<AttemptAssigned>(&body)) assigned(*e);
  if (auto* e = std::get_if<NodeStaged>(&body)) staged(*e);
  if (auto* e = std::get_if<JobStaged>(&body)) job_staged(*e);
  if (auto* e = std::get_if<NodeReset>(&body)) known_[key(e->run, e->node)] = {};
  if (auto* e = std::get_if<CriterionJudged>(&body)) judged(*e);
  if (auto* e = std::get_if<CriterionJudged>(&body))
    known_[key(e->run, e->node)].verdicts[e->criterion] = {e->verdict, !e->who.empty()};
}

// A yes or a no to what held it up. Whoever asked the same of the whole run is answered with it.
void Checker::answered(const Decision& d, Answer answer) {
  if (d.kind != DecisionKind::held) return;
  known_[key(d.run, d.node)].held = false;
  auto said = shadow_.run(d.run)->notes.find(d.node);
  auto note = said == shadow_.run(d.run)->notes.end() ? std::string() : said->second.note;
  if (answer != Answer::reject && !answered_too_.contains(d.id) && note.starts_with(budget_note)) {
    auto scope = note.substr(budget_note.size());
    agents_.granted(d.run, scope.substr(0, scope.find(':')));
  }
  for (auto id : same_question(shadow_, d))
    if (id != d.id) answered_too_.insert(id);
}

void Checker::judged(const CriterionJudged& e) {
  const Run& run = *shadow_.run(e.run);
  auto& known = known_[key(e.run, e.node)];
  if (!plan::merges(run.criteria_of(e.node)[e.criterion]) || e.verdict != Verdict::verified) return;
  if (std::exchange(known.merged, true)) violated(run.id_of(e.node) + " is merged twice");
}

void Checker::assigned(const AttemptAssigned& e) {
  const Run& run = *shadow_.run(e.run);
  auto id = run.id_of(e.node);
  auto& known = known_[key(e.run, e.node)];
  if (run.halt != Halt::none) violated(id + " starts in a halted run");
  if (!run.nodes[e.node].selected) violated(id + " starts though it is left out");
  auto all_done = done(run);
  if (e.work == Work::run || run.gate(e.node))
    for (auto& before : run.graph->before(e.node))
      if (!all_done[before.to]) violated(id + " starts before " + run.id_of(before.to) + " is done");
  if (!limits_admit(shadow_, run, e.node, true)) violated(id + " starts beyond a limit");
  if (shadow_.slots_used > shadow_.slots + (e.early ? shadow_.ahead : 0)) violated(id + " starts beyond the slots");
  if (known.held) violated(id + " goes on though nobody said that it may");
  if (e.work == Work::run) {
    if (known.merged) violated(id + " is worked on again though it is merged");
    if (known.exited_well) violated(id + " runs again though its exit is recorded");
    known = {};
  } else {
    auto& c = run.criteria_of(e.node)[e.criterion];
    if (c.manual) violated(id + ": a manual criterion is checked by a command");
    for (auto& fact : c.needs_facts)
      if (std::ranges::find(run.options.facts, fact) == run.options.facts.end())
        violated(id + ": checks what this machine cannot test");
    for (uint16_t i = 0; i < e.criterion; ++i)
      if (!run.criteria_of(e.node)[i].manual && !known.verdicts.contains(i))
        violated(id + ": criteria are checked out of order");
    for (uint16_t i = 0; plan::merges(c) && i < run.criteria_of(e.node).size(); ++i) {
      auto it = known.verdicts.find(i);
      if (i != e.criterion && (it == known.verdicts.end() || it->second.first == Verdict::open ||
                               it->second.first == Verdict::failed || !run.verdict(e.node, i).settled))
        violated(id + " is merged before criterion " + std::to_string(i + 1) + " is settled");
    }
    if (run.has_work(e.node) && !known.exited_well) violated(id + " is checked before its work is done");
  }
}

void Checker::ended(const AttemptEnded& e) {
  auto* a = shadow_.attempt(e.attempt);
  if (!a) violated("an attempt that is not live ends in the journal");
  if (auto* run = shadow_.run(a->run); run && a->work != Work::job && a->node != no_node &&
                                       a->cancelling == CancelReason::none && run->nodes[a->node].attempt == e.attempt)
    known_[key(a->run, a->node)].held |= asks_person(*run, a->node, e.outcome, e.code);
  if (a->work == Work::run && a->node != no_node && e.outcome == Outcome::exited && e.code == 0 &&
      shadow_.run(a->run)->nodes[a->node].attempt == e.attempt)
    known_[key(a->run, a->node)].exited_well = true;
}

void Checker::staged(const NodeStaged& e) {
  const Run& run = *shadow_.run(e.run);
  auto id = run.id_of(e.node);
  auto& known = known_[key(e.run, e.node)];
  // After these another run is rightly asked for. What failed is reset first, or goes on when a person waives the
  // criterion that it failed at.
  if (e.stage == Stage::backoff || e.stage == Stage::cancelled || e.stage == Stage::skipped) known.exited_well = false;
  if (e.stage != Stage::completed) return;
  if (known.held) violated(id + " is completed though nobody said that it may go on");
  auto* workstream = run.workstream(e.node);
  for (uint16_t i = 0; workstream && plan::done_by_agent(*run.plan, *workstream) && i < workstream->criteria.size();
       ++i)
    if (plan::merges(workstream->criteria[i]) && run.verdict(e.node, i).verdict == Verdict::verified &&
        !agents_.merged(e.run, id))
      violated(id + " is completed, and the target does not have its work");
  bool evidence = known.accepted;
  for (uint16_t i = 0; i < run.criteria_of(e.node).size(); ++i) {
    auto it = known.verdicts.find(i);
    auto [verdict, person] = it == known.verdicts.end() ? std::pair{Verdict::open, false} : it->second;
    bool good = verdict == Verdict::verified || verdict == Verdict::waived ||
                (verdict == Verdict::untestable && (person || run.plan->untestable_passes));
    if (!good)
      violated(id + " is completed with criterion " + std::to_string(i + 1) + " " + std::string(name(verdict)));
    evidence |= !plan::merges(run.criteria_of(e.node)[i]) && (verdict != Verdict::untestable || person);
  }
  if (run.gate(e.node)) {
    auto all_done = done(run);
    for (auto& before : run.graph->before(e.node))
      if (!all_done[before.to]) violated("gate " + id + " opens before " + run.id_of(before.to) + " is done");
    return;
  }
  if (!evidence && !run.workstream(e.node)->accept_exit_status) violated(id + " is completed with nothing verified");
}

void Checker::leased(const LeaseGranted& e) const {
  auto job = shadow_.jobs.find(e.job);
  auto worker = shadow_.workers.find(e.worker);
  if (job == shadow_.jobs.end() || worker == shadow_.workers.end()) violated("a lease of nothing");
  if (shadow_.queue_paused) violated("a lease while the queue is paused");
  if (job->second.state != JobState::queued)
    violated("job " + job->second.spec.id + " is leased while " + std::string(name(job->second.state)));
  if (worker->second.leases.size() >= worker->second.spec.leases)
    violated("worker " + worker->second.spec.name + " holds too many leases");
  for (auto& before : job->second.spec.after)
    if (auto* other = shadow_.job(before); other && other->id < e.job && other->state != JobState::completed)
      violated("job " + job->second.spec.id + " starts before " + before);
}

void Checker::job_staged(const JobStaged& e) {
  if (e.state == JobState::queued) {
    if (e.reset) job_ends_.erase(e.job);
    if (job_ends_.contains(e.job)) violated("job " + std::to_string(e.job) + " is queued after its end");
    return;
  }
  if (!job_ends_.emplace(e.job, e.state).second) violated("job " + std::to_string(e.job) + " ends twice");
}

void Checker::check(const State& live) const {
  if (state_hash(live) != state_hash(shadow_)) violated("the replayed state differs from the live one");
  if (live.pool.queued() != shadow_.pool.queued() || live.timers.size() != shadow_.timers.size())
    violated("what is derived differs after a replay");
  if (!live.agenda.empty()) violated("a step was left undone");
  agents_.check(live);
  for (auto id : answered_too_)
    if (live.decisions.contains(id)) violated("decision D" + std::to_string(id) + " is asked though it was answered");
  for (auto& [id, run] : live.runs) check_run(live, run);
  for (auto& [id, job] : live.jobs) {
    auto* a = live.attempt(job.attempt);
    if (job.state == JobState::running && (!a || a->job != id)) violated("job " + job.spec.id + " runs nowhere");
    if (job.state != JobState::running && job.attempt != 0)
      violated("job " + job.spec.id + " has ended and still runs");
  }
}

void Checker::check_run(const State& live, const Run& run) const {
  auto all_done = done(run);
  std::array<uint32_t, stage_count> counts{};
  uint32_t attempts = 0;
  for (auto& [id, a] : live.attempts) attempts += a.work != Work::job && a.run == run.id;
  if (attempts != run.live) violated("run " + std::to_string(run.id) + " miscounts its attempts");
  for (NodeId n = 0; n < run.nodes.size(); ++n) {
    auto& node = run.nodes[n];
    if (is_automatic(run.graph->nodes[n].kind)) {
      if ((node.stage == Stage::completed) != all_done[n]) violated("a begin, end or barrier is out of step");
      continue;
    }
    auto& id = run.id_of(n);
    if (node.selected) ++counts[size_t(node.stage)];
    bool free = node.selected;
    for (auto& e : run.graph->before(n)) free = free && all_done[e.to];
    if (node.stage == Stage::waiting && free) violated(id + " waits for nothing");
    if (node.stage == Stage::ready && !free) violated(id + " is ready too early");
    if (node.stage == Stage::running && node.attempt == 0) violated(id + " runs without an attempt");
    if (node.stage == Stage::deciding && node.decisions == 0)
      violated(id + " waits for a decision that nobody is asked for");
    if (node.stage != Stage::deciding && node.decisions > 0)
      violated(id + " asks for a decision while it is " + std::string(name(node.stage)));
    if (node.stage == Stage::ready && !run.has_work(n)) violated(id + " has nothing to wait for");
    bool wants =
        (node.stage == Stage::ready && run.has_work(n)) || (node.stage == Stage::checking && node.attempt == 0);
    if (wants && node.selected && run.halt == Halt::none && live.slots_used < live.slots &&
        limits_admit(live, run, n, false))
      violated(id + " could start and was left waiting");
  }
  if (counts != run.counts) violated("run " + std::to_string(run.id) + " miscounts its stages");
  if (run.settled != Standing::running && run.live > 0)
    violated("run " + std::to_string(run.id) + " has settled while attempts live");
  bool going = counts[size_t(Stage::ready)] + counts[size_t(Stage::checking)] + counts[size_t(Stage::backoff)] > 0;
  if (run.settled != Standing::running && going && run.halt == Halt::none)
    violated("run " + std::to_string(run.id) + " has settled with work to do");
  if (run.settled == Standing::running && !going && run.live == 0)
    violated("run " + std::to_string(run.id) + " seems to run, and nothing happens");
}

bool Checker::finished() const {
  for (auto& [id, run] : shadow_.runs)
    if (run.settled != Standing::completed) return false;
  for (auto& [id, job] : shadow_.jobs)
    if (job.state == JobState::queued || job.state == JobState::running) return false;
  return true;
}

}  // namespace sparky::engine::sim
