#include "engine/engine.h"
#include "engine/held.h"
#include "plan/by_agent.h"

#include <algorithm>

#include "engine/step.h"
#include "engine/transitions.h"

namespace sparky::engine {
namespace {

constexpr std::string_view warns = "warning: ";  // what an attempt says of its progress, and wants noticed

}  // namespace

Decided Engine::decide(const Input& input, Time now) {
  if (now + skew_ < state_.clock) skew_ = state_.clock - now;
  Decided out;
  Step step(state_, now + skew_, out);
  step.fire_timers();
  out.reply = step.take(input);
  step.advance();
  return out;
}

std::optional<Time> Engine::next_wakeup() const {
  if (state_.timers.empty()) return {};
  return state_.timers.begin()->due - skew_;
}

std::vector<Effect> Engine::outstanding() const {
  std::vector<Effect> out{ChangeSlots{state_.slots}};
  for (auto& [id, a] : state_.attempts) {
    if (!a.started) out.push_back(StartAttempt{id});
    if (a.cancelling != CancelReason::none)
      out.push_back(CancelAttempt{id});
    else if (a.recalling && !a.started)
      out.push_back(RecallAttempt{id});
  }
  return out;
}

Result<Reply> Step::take(const Input& input) { return std::visit(*this, input); }

void Step::fire_timers() {
  while (!s.timers.empty() && s.timers.begin()->due <= at) {
    Timer timer = *s.timers.begin();
    look_at(timer);
  }
}

// Every branch emits an event that takes this timer away.
void Step::look_at(const Timer& timer) {
  if (timer.kind == Timer::Kind::backoff) {  // why it is tried again is what an agent has to know
    auto why = run(timer.run).notes.find(NodeId(timer.id));
    return stage(timer.run, NodeId(timer.id), Stage::ready, {},
                 why == run(timer.run).notes.end() ? "" : why->second.note);
  }
  if (timer.kind == Timer::Kind::job)
    return emit(JobStaged{.job = timer.id, .state = JobState::queued, .note = s.jobs.at(timer.id).note});
  const Attempt& a = s.attempts.at(timer.id);
  if (a.work == Work::job) {
    JobId job = a.job;
    emit(AttemptCancelling{a.id, CancelReason::timed_out, {}});
    return retry_or_fail(job, "took longer than its timeout");
  }
  const Run& r = run(a.run);
  auto& id = r.id_of(a.node);
  if (!a.stalled && a.progress_at + stall_after(r) <= at)
    return escalate(
        EscalationKind::stall, Severity::warning, a.run, a.node, a.id,
        id + " has shown no progress for " + human(at - a.progress_at) + " (try " + std::to_string(a.number) + ")");
  escalate(EscalationKind::overrun, Severity::info, a.run, a.node, a.id,
           id + " has been running for " + human(at - a.started_at) + ", more than 150 % of its estimate");
}

void Step::advance() {
  do {
    while (!s.agenda.empty()) {
      auto [run, node] = *s.agenda.begin();
      begin(run, node);
    }
    assign();
  } while (!s.agenda.empty());
  lease();
  for (auto& event : out.events)
    std::visit(
        [&](auto& body) {
          if constexpr (requires { body.run; }) touched.insert(body.run);
        },
        event.body);
  for (auto id : touched)
    if (auto* r = s.run(id)) settle(*r);
}

// Strictly by rank: nothing is handed over early past work that needs a slot of its own, so that it gets the next one.
void Step::assign() {
  while (auto pick = s.pool.best()) {
    bool free = s.slots_used < s.slots;
    bool early = !free && s.pool.plain(pick->id) && s.slots_used < s.slots + s.ahead;
    if (!free && !early) return recall_for(pick->rank.priority);
    const Run& r = run(pick->rank.run);
    NodeId n = pick->rank.node;
    AttemptAssigned e{.attempt = s.next_attempt, .run = r.id, .node = n, .early = early};
    if (r.nodes[n].stage == Stage::checking) {
      auto next = next_check(r, n);
      // The machine or the plan has changed since it was queued.
      if (!next || !lacking(r, r.criteria_of(n)[*next]).empty() ||
          (plan::merges(r.criteria_of(n)[*next]) && !may_merge(r, n))) {
        proceed(r.id, n);
        continue;
      }
      e.work = Work::check;
      e.criterion = *next;
    }
    emit(e);
  }
}

// Work that is more urgent than what waits early with an executor takes its place, one for one.
void Step::recall_for(uint8_t priority) {
  const Attempt* worst = nullptr;
  uint8_t worst_priority = priority;
  if (s.slots_used <= s.slots) return;
  for (auto& [id, a] : s.attempts) {
    if (a.work == Work::job || a.started || !a.early || a.cancelling != CancelReason::none || a.node == no_node)
      continue;
    if (a.recalling) return;  // one at a time
    if (auto p = run(a.run).nodes[a.node].priority; p > worst_priority) worst = &a, worst_priority = p;
  }
  if (worst) emit(AttemptRecalling{worst->id});
}

void Step::settle(const Run& r) {
  auto count = [&](Stage stage) { return r.counts[size_t(stage)]; };
  auto all = [&] {
    uint32_t sum = 0;
    for (auto c : r.counts) sum += c;
    return sum;
  };
  auto can_go_on = count(Stage::ready) + count(Stage::running) + count(Stage::checking) + count(Stage::backoff);
  Standing now = Standing::running;
  if (r.live > 0)
    now = Standing::running;
  else if (count(Stage::completed) + count(Stage::skipped) == all())
    now = Standing::completed;
  else if (r.halt != Halt::none)
    now = r.halt == Halt::paused ? Standing::paused : Standing::cancelled;
  else if (can_go_on > 0)
    now = Standing::running;
  else if (count(Stage::failed) + count(Stage::cancelled) > 0)
    now = Standing::failed;
  else
    now = count(Stage::deciding) > 0 ? Standing::waiting : Standing::failed;
  if (now != r.settled) emit(RunSettled{r.id, now});
}

Result<Reply> Step::operator()(const SetSlots& input) {
  if (input.slots == 0) return fail(Errc::invalid, "no slots", "give at least 1");
  if (input.slots != s.slots || input.ahead != s.ahead) emit(SlotsSet{input.slots, input.ahead});
  return Reply{};
}

Result<Reply> Step::operator()(const ReportStarted& input) {
  auto* a = s.attempt(input.attempt);
  if (!a || a->started) return Reply{.existing = true};
  emit(AttemptStarted{input.attempt});
  return Reply{};
}

// Something is about to be used up, a budget or a disk: an overrun that the attempt itself sees coming. Once for each.
void Step::warn(const Attempt& a, const std::string& text) {
  auto note = run(a.run).id_of(a.node) + ": " + text.substr(warns.size());
  for (auto id : run(a.run).escalations_of(a.node))
    if (s.escalations.at(id).note == note) return;
  escalate(EscalationKind::overrun, Severity::warning, a.run, a.node, a.id, note);
}

Result<Reply> Step::operator()(const ReportProgress& input) {
  auto* a = s.attempt(input.attempt);
  if (!a) return Reply{.existing = true};
  double fraction = input.fraction >= 0 && input.fraction <= 1 ? input.fraction : -1;  // NaN too
  bool news = (fraction >= 0 && fraction != a->fraction) || (!input.text.empty() && input.text != a->text);
  // A sign of life matters only for the stall time; it is noted at a sixteenth of that.
  auto least = news ? Duration{1000} : Duration{60'000};
  if (!news && a->work != Work::job) least = std::max(least, stall_after(run(a->run)) / 16);
  bool first = news && a->fraction < 0 && a->text.empty();
  if (news && a->node != no_node && a->work != Work::job && input.text.starts_with(warns)) warn(*a, input.text);
  if (!first && !a->stalled && at - a->progress_at < least && fraction != 1) return Reply{};
  if (a->stalled && a->node != no_node && a->work != Work::job)
    for (auto id : run(a->run).escalations_of(a->node))
      if (auto& e = s.escalations.at(id); e.kind == EscalationKind::stall && e.attempt == a->id)
        emit(EscalationClosed{id});
  emit(AttemptProgressed{input.attempt, fraction, input.text});
  return Reply{};
}

Result<Reply> Step::operator()(const ReportEnded& input) {
  auto* live = s.attempt(input.attempt);
  if (!live) return Reply{.existing = true};
  Attempt a = *live;
  bool own = a.work != Work::job && a.node != no_node && run(a.run).nodes[a.node].attempt == a.id;
  emit(AttemptEnded{input.attempt, input.outcome, input.code, input.duration, input.note});
  if (a.work == Work::job)
    job_ended(a, input);
  else if (own)
    a.work == Work::run ? work_ended(a, input) : check_ended(a, input);
  touched.insert(a.run);
  return Reply{};
}

Result<Reply> Step::operator()(const ReportRecalled& input) {
  auto* live = s.attempt(input.attempt);
  if (!live) return Reply{.existing = true};
  Attempt a = *live;
  bool own = a.work != Work::job && a.node != no_node && run(a.run).nodes[a.node].attempt == a.id;
  emit(AttemptRecalled{input.attempt});
  if (own && a.cancelling == CancelReason::operator_asked) stage(a.run, a.node, Stage::cancelled, a.cancelled_by);
  touched.insert(a.run);
  return Reply{};
}

}  // namespace sparky::engine
