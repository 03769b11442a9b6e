#include "engine/sim/world.h"

#include <algorithm>

#include "engine/sim/plans.h"
#include "plan/by_agent.h"

namespace sparky::engine::sim {

Summary World::play() {
  engine_ = std::make_unique<Engine>();
  for (auto name : {"w1", "w2"})
    workers_.push_back(
        {{.name = name, .kinds = {"exec", "generate"}, .leases = uint32_t(1 + random_.below(2))}, false, {}});
  workers_[0].spec.models = {"m1"};
  submit();
  size_t steps = 40 + random_.below(260);
  for (size_t i = 0; i < steps; ++i) step();
  settle();
  return summary_;
}

void World::submit() {
  take({SetSlots{uint32_t(1 + random_.below(4)), uint32_t(random_.below(4))}});
  RunOptions options;
  if (random_.percent(25)) options.jobs = uint32_t(1 + random_.below(3));
  if (random_.percent(30)) options.facts = {"gpu"};
  auto plan = std::make_shared<plan::Plan>(random_plan(random_));
  if (random_.percent(20)) options.until = random_.pick(plan->workstreams).id;
  take({CreateRun{plan, options}});
  if (random_.percent(25)) take({CreateRun{std::make_shared<plan::Plan>(random_plan(random_)), {}}});
}

void World::step() {
  auto dice = random_.below(100);
  if (dice < 55)
    pass_time();
  else if (dice < 70)
    operate();
  else if (dice < 80)
    operate_jobs();
  else if (dice < 90)
    work();
  else if (dice < 93)
    lie();
  else if (dice < 96)
    crash();
  else if (dice < 97)
    executor_.die(now_);
  else if (dice < 98)
    executor_.tell_again();
  else
    clock_error_ = Duration(int64_t(random_.below(2'000'000)) - 1'000'000);
  for (auto& input : executor_.told()) inbox_.push_back(input);
  while (!inbox_.empty()) {
    // What is ready is gathered into one commit, in any order.
    std::vector<Input> batch;
    for (size_t n = 1 + random_.below(3); n > 0 && !inbox_.empty(); --n) {
      auto at = inbox_.begin() + long(random_.below(inbox_.size()));
      batch.push_back(*at);
      inbox_.erase(at);
    }
    take(batch);
    for (auto& input : executor_.told()) inbox_.push_back(input);
  }
}

// To the next thing that happens by itself, or somewhere before it.
void World::pass_time() {
  auto next = executor_.next();
  auto sooner = [&](std::optional<Time> t) {
    if (t && (!next || *t < *next)) next = t;
  };
  if (auto wakeup = engine_->next_wakeup()) sooner(*wakeup - clock_error_);
  for (auto& w : workers_)
    for (auto& lease : w.leases) sooner(lease.end);
  if (!next) next = now_ + Duration(60'000);
  if (*next > now_) now_ = faults_ && random_.percent(20) ? now_ + (*next - now_) / 2 : *next;
  executor_.advance(now_);
  take({Tick{}});
}

void World::take(const std::vector<Input>& inputs) {
  std::vector<Event> events;
  std::vector<Effect> effects;
  std::vector<AttemptId> settled;
  for (auto& input : inputs) {
    auto decided = engine_->decide(input, now_ + clock_error_);
    ++summary_.inputs;
    if (!decided.reply) ++summary_.refused;
    if (!decided.reply && (decided.reply.error().message.empty())) throw Violation{"a refusal without a reason"};
    for (auto& e : decided.events) events.push_back(std::move(e));
    for (auto& e : decided.effects) effects.push_back(e);
    if (auto* r = std::get_if<ReportEnded>(&input)) settled.push_back(r->attempt);
    if (auto* r = std::get_if<ReportRecalled>(&input)) settled.push_back(r->attempt);
  }
  if (faults_ && random_.percent(1)) return crash();    // before the commit: nothing of this ever happened
  if (faults_ && random_.percent(0.5)) return crash();  // the disk is full: a failed commit ends the process, too
  for (auto& e : events) {
    disk_.push_back(encode(e));
    checker_.observe(disk_.back());
    ++summary_.events;
  }
  if (!events.empty() || random_.percent(5)) checker_.check(engine_->state());
  if (faults_ && random_.percent(1)) return crash();  // after the commit, before anything follows from it
  size_t done = faults_ && random_.percent(1) ? random_.below(effects.size() + 1) : effects.size();
  perform({effects.begin(), effects.begin() + long(done)});
  if (done < effects.size()) return crash();
  for (auto id : settled) executor_.forget(id);
}

void World::perform(const std::vector<Effect>& effects) {
  for (auto& effect : effects) {
    if (auto* e = std::get_if<StartAttempt>(&effect)) start(e->attempt);
    if (auto* e = std::get_if<RecallAttempt>(&effect)) executor_.recall(e->attempt);
    if (auto* e = std::get_if<ChangeSlots>(&effect)) executor_.set_slots(e->slots);
    if (auto* e = std::get_if<CancelAttempt>(&effect)) {
      executor_.cancel(e->attempt, now_);
      for (auto& w : workers_)
        for (auto& lease : w.leases)
          if (lease.attempt == e->attempt && random_.percent(90))
            lease.end = now_, lease.report = {.attempt = e->attempt, .outcome = Outcome::cancelled};
    }
  }
  executor_.advance(now_);
}

// What the conductor would write down for it, as far as it matters here.
std::optional<AgentTask> World::agent_task(const Attempt& a) const {
  auto* run = engine_->state().run(a.run);
  auto* workstream = run && a.node != no_node ? run->workstream(a.node) : nullptr;
  if (!workstream || !plan::done_by_agent(*run->plan, *workstream)) return {};
  AgentTask out{.id = a.id, .run = a.run, .check = a.work == Work::check};
  out.task.workstream.id = workstream->id;
  out.task.workstream.orchestrator = workstream->orchestrator;
  out.task.attempt = std::to_string(a.id);
  out.task.number = a.number;
  out.merge = out.check && plan::merges(run->criteria_of(a.node)[a.criterion]);
  auto said = run->notes.find(a.node);
  out.approved = said != run->notes.end() && !said->second.who.empty();
  return out;
}

void World::start(AttemptId id) {
  auto* a = engine_->state().attempt(id);
  if (!a) return;  // it ended within the same batch
  ++summary_.attempts;
  if (a->work != Work::job) return executor_.start(id, agent_task(*a));
  auto worker = engine_->state().workers.find(a->worker);
  for (auto& w : workers_) {
    if (!w.here || worker == engine_->state().workers.end() || w.spec.name != worker->second.spec.name) continue;
    if (std::ranges::any_of(w.leases, [&](auto& lease) { return lease.attempt == id; })) continue;
    Lease lease{id, now_ + Duration(random_.below(60'000)), {.attempt = id, .result = "{}"}};
    if (faults_ && random_.percent(20)) lease.report.code = 1;
    if (faults_ && random_.percent(5)) lease.end = now_ + Duration(1'000'000'000);
    w.leases.push_back(lease);
    inbox_.push_back(ReportStarted{id});
  }
}

// The process ends here and now; what it had in memory is gone, what the executor does goes on.
void World::crash() {
  ++summary_.crashes;
  inbox_.clear();
  if (random_.percent(30)) executor_.die(now_);
  now_ += Duration(random_.below(100'000));
  executor_.advance(now_);
  restart();
}

void World::restart() {
  State state;
  size_t from = 0;
  if (random_.percent(50)) {  // from a snapshot, as if it had been written just now
    auto snapshot = decode_state(encode(checker_.replayed()));
    if (!snapshot) throw Violation{"a snapshot cannot be read: " + snapshot.error().message};
    state = std::move(*snapshot);
    from = disk_.size();
  }
  for (; from < disk_.size(); ++from) {
    auto event = decode_event(disk_[from]);
    if (!event) throw Violation{"the journal cannot be read: " + event.error().message};
    apply(state, *event);
  }
  engine_ = std::make_unique<Engine>(std::move(state));
  checker_.check(engine_->state());
  perform(engine_->outstanding());
  reconcile();
}

// What the journal says is running and nobody knows of is lost; workers come back with what they hold, or not at all.
void World::reconcile() {
  executor_.tell_again();
  for (auto& input : executor_.told()) inbox_.push_back(input);
  for (auto& [id, a] : engine_->state().attempts)
    if (a.work != Work::job && a.started && !executor_.knows(id))
      inbox_.push_back(ReportEnded{.attempt = id, .outcome = Outcome::lost});
  for (auto& w : workers_) {
    if (!w.here) {
      inbox_.push_back(WorkerLeave{w.spec.name, "not heard of"});
      continue;
    }
    std::vector<AttemptId> holds;
    for (auto& lease : w.leases) holds.push_back(lease.attempt);
    inbox_.push_back(WorkerJoin{w.spec, holds});
  }
}

void World::work() {
  for (auto& w : workers_) {
    if (!w.here) {
      if (faults_ && !random_.percent(40)) continue;
      w.here = true;
      w.leases.clear();
      take({WorkerJoin{w.spec, {}}});
      continue;
    }
    if (faults_ && random_.percent(8)) {  // it dies; it may come back before anybody has noticed
      w.here = false;
      w.leases.clear();
      if (random_.percent(70)) inbox_.push_back(WorkerLeave{w.spec.name, "died"});
      continue;
    }
    for (size_t i = 0; i < w.leases.size();) {
      if (w.leases[i].end > now_) {
        if (random_.percent(30)) inbox_.push_back(ReportProgress{w.leases[i].attempt, 0.5, "sampling"});
        ++i;
        continue;
      }
      auto report = w.leases[i].report;
      w.leases.erase(w.leases.begin() + long(i));
      take({report});
    }
  }
}

RunId World::some_run() {
  auto& runs = engine_->state().runs;
  if (runs.empty()) return 1;
  auto it = runs.begin();
  std::advance(it, random_.below(runs.size()));
  return it->first;
}

std::string World::some_node() {
  auto* run = engine_->state().run(some_run());
  if (!run || run->nodes.empty()) return "nothing";
  return run->id_of(NodeId(random_.below(run->nodes.size())));
}

void World::operate() {
  RunId run = some_run();
  auto id = some_node();
  auto answer = Answer(random_.below(3));
  switch (random_.below(14)) {
    case 0:
      return take({Pause{run, "op"}});
    case 1:
    case 2:
      return take({Resume{run, "op"}});
    case 3:
      return take({CancelRun{run, "op"}});
    case 4:
      return take({CancelNode{run, id, "op", "why not"}});
    case 5:
    case 6:
      return take({Retry{run, id, random_.percent(50), "op"}});
    case 7:
      return take({Skip{run, id, "op", "not needed"}});
    case 8:
      return take({Decide{run, id + "#" + std::to_string(1 + random_.below(3)), answer, "op", "said so"}});
    case 9:
    case 10:
      if (engine_->state().decisions.empty()) return;
      return take({Decide{0, "D" + std::to_string(engine_->state().decisions.begin()->first + random_.below(3)), answer,
                          "op", "said so"}});
    case 11:
      return take({SetSlots{uint32_t(1 + random_.below(4)), uint32_t(random_.below(4))}});
    case 12: {
      RunOptions options{.jobs = uint32_t(random_.below(3))};
      if (random_.percent(30)) options.until = id;
      if (random_.percent(30)) options.only = {id};
      if (random_.percent(50)) options.facts = {"gpu"};
      return take({SetOptions{run, options}});
    }
    case 13:
      if (auto* r = engine_->state().run(run))
        take({UpdatePlan{run, std::make_shared<plan::Plan>(changed_plan(random_, *r->plan)), "op"}});
  }
}

void World::operate_jobs() {
  auto id = "j" + std::to_string(random_.below(12));
  switch (random_.below(8)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      JobSpec spec{.id = id, .kind = random_.percent(50) ? "exec" : "generate", .request = "r"};
      if (spec.kind == "generate") spec.model = random_.percent(50) ? "m1" : "m2";
      spec.priority = JobPriority(random_.below(4));
      spec.retries = uint32_t(random_.below(3));
      if (random_.percent(30)) spec.timeout = Duration(1 + random_.below(50'000));
      if (random_.percent(30)) spec.after = {"j" + std::to_string(random_.below(12))};
      return take({SubmitJob{spec}});
    }
    case 4:
      return take({CancelJob{id, "op"}});
    case 5:
      return take({RetryJob{id}});
    case 6:
      return take({ClearJobs{random_.percent(50) ? std::vector<std::string>{} : std::vector{id}}});
    case 7:
      if (random_.percent(30))
        return take({MoveJob{id, random_.percent(60) ? "j" + std::to_string(random_.below(12)) : "",
                             random_.percent(50), "op"}});
      if (random_.percent(50))
        return take({KeepReply{"key-" + std::to_string(random_.below(20)), std::to_string(random_.below(9)), "{}"}});
      return take({PauseQueue{random_.percent(50), "op"}});
  }
}

// Reports about attempts that are not live: old ones, and ones that never were. Nothing may come of them but what
// time alone brings.
void World::lie() {
  AttemptId newest = engine_->state().next_attempt;
  AttemptId id = random_.below(newest + 3);
  if (engine_->state().attempts.contains(id)) return;
  auto crashes = summary_.crashes;
  take({Tick{}});
  if (summary_.crashes > crashes || engine_->state().attempts.contains(id)) return;
  std::vector<Input> lies = {ReportStarted{id}, ReportEnded{.attempt = id}, ReportRecalled{id},
                             ReportProgress{id, 0.9, "nearly"}};
  auto before = encode(engine_->state());
  auto decided = engine_->decide(random_.pick(lies), now_ + clock_error_);
  if (!decided.events.empty() || encode(engine_->state()) != before)
    throw Violation{"a stale report changed something"};
}

// No more faults, and people who want to see it done: everything has to end well.
void World::settle() {
  faults_ = false;
  executor_.heal(now_);
  for (size_t round = 0; round < 4000; ++round) {
    for (auto& input : executor_.told()) inbox_.push_back(input);
    take(std::exchange(inbox_, {}));
    work();
    if (inbox_.empty() && checker_.finished()) return;
    std::vector<Input> wishes{PauseQueue{false, "op"}};
    const State& s = engine_->state();
    for (auto& [id, run] : s.runs) {
      if (!(run.options == RunOptions{})) wishes.push_back(SetOptions{id, {}});
      if (run.halt != Halt::none) wishes.push_back(Resume{id, "op"});
      for (NodeId n = 0; n < run.nodes.size(); ++n)
        if (auto stage = run.nodes[n].stage; stage == Stage::failed || stage == Stage::cancelled)
          wishes.push_back(Retry{id, run.id_of(n), false, "op"});
    }
    for (auto& [id, d] : s.decisions)
      wishes.push_back(Decide{0, "D" + std::to_string(id), Answer::approve, "op", "fine"});
    take(wishes);
    // A worker that holds what nobody wants any more, or a model that nobody has: people take care of that.
    for (auto& w : workers_) {
      w.spec.models.clear();
      for (auto& lease : w.leases) lease.end = std::min(lease.end, now_ + Duration(1000));
    }
    std::vector<Input> joins;
    for (auto& w : workers_) {
      std::vector<AttemptId> holds;
      for (auto& lease : w.leases) holds.push_back(lease.attempt);
      if (w.here) joins.push_back(WorkerJoin{w.spec, holds});
    }
    take(joins);
    pass_time();
  }
  std::string open;
  for (auto& [id, run] : engine_->state().runs)
    for (NodeId n = 0; n < run.nodes.size(); ++n)
      if (auto& node = run.nodes[n]; !satisfies(node.stage) && node.open == 0)
        open += " " + run.id_of(n) + " is " + std::string(name(node.stage)) + ";";
  for (auto& [id, job] : engine_->state().jobs)
    if (job.state == JobState::queued || job.state == JobState::running)
      open += " job " + job.spec.id + " is " + std::string(name(job.state)) + ";";
  throw Violation{"faults have stopped, and it does not come to an end:" + open};
}

}  // namespace sparky::engine::sim
