// The life of a workstream and of a gate: work, checks in order, decisions, retries, the end.
#include <algorithm>
#include <cmath>

#include "engine/held.h"
#include "engine/step.h"
#include "engine/transitions.h"
#include "plan/by_agent.h"

namespace sparky::engine {
namespace {

constexpr int lost_max = 3;     // so many attempts lost in a row fail the work: it may be what kills them
constexpr int crashes_max = 2;  // so many crashes in a row are worth a word

}  // namespace

std::optional<uint16_t> next_check(const Run& run, NodeId n) {
  auto criteria = run.criteria_of(n);
  for (uint16_t i = 0; i < criteria.size(); ++i)
    if (!criteria[i].manual && run.verdict(n, i).verdict == Verdict::open) return i;
  return {};
}

std::string lacking(const Run& run, const plan::Criterion& criterion) {
  std::string out;
  for (auto& fact : criterion.needs_facts)
    if (std::ranges::find(run.options.facts, fact) == run.options.facts.end()) out += (out.empty() ? "" : ", ") + fact;
  return out;
}

namespace {

Duration backoff(const plan::Retries& retries, int tries) {
  double wait = double(retries.backoff.count()) * std::pow(std::max(1.0, retries.factor), std::max(0, tries - 1));
  return Duration(int64_t(std::clamp(wait, 0.0, std::max(0.0, double(retries.backoff_max.count())))));
}

std::string how_it_ended(const ReportEnded& r) {
  std::string out;
  switch (r.outcome) {
    case Outcome::exited:
      out = "exit status " + std::to_string(r.code);
      if (r.code == 127) out += " (command not found)";  // as the shell has it
      if (r.code == 126) out += " (not executable)";
      break;
    case Outcome::signalled:
      out = "killed by signal " + std::to_string(r.code);
      break;
    case Outcome::timed_out:
      out = "stopped after its timeout";
      break;
    case Outcome::cancelled:
      out = "cancelled";
      break;
    case Outcome::lost:
      out = "lost with the process that watched it";
      break;
    case Outcome::spawn_failed:
      out = "could not be started";
      break;
  }
  return r.note.empty() ? out : out + ": " + r.note;
}

}  // namespace

void Step::stage(RunId r, NodeId n, Stage stage, const std::string& who, const std::string& note) {
  emit(NodeStaged{.run = r, .node = n, .stage = stage, .who = who, .note = note});
}

// A gate, or a workstream that nothing has to be started for. What people do by hand they say is done first; only then
// is it checked.
void Step::begin(RunId r, NodeId n) {
  if (!run(r).gate(n)) {
    auto criteria = run(r).criteria_of(n);
    for (uint16_t i = 0; i < criteria.size(); ++i)
      if (criteria[i].manual && run(r).verdict(n, i).verdict == Verdict::open)
        open_decision(r, n, DecisionKind::criterion, i);
    if (run(r).nodes[n].decisions > 0) return stage(r, n, Stage::deciding);
  }
  proceed(r, n);
}

// Something shows that it is done, or its plan asks for no more. That it is merged does not.
static bool shown(const Run& run, NodeId n) {
  bool evidence = run.gate(n) || run.workstream(n)->accept_exit_status;
  for (uint16_t i = 0; i < run.criteria_of(n).size(); ++i) {
    auto& c = run.verdict(n, i);
    if (plan::merges(run.criteria_of(n)[i])) continue;
    evidence |= c.verdict == Verdict::verified || c.verdict == Verdict::waived ||
                (c.verdict == Verdict::untestable && c.settled && !run.plan->untestable_passes);
  }
  return evidence;
}

void Step::proceed(RunId r, NodeId n) {
  while (auto i = next_check(run(r), n)) {
    if (plan::merges(run(r).criteria_of(n)[*i]) && (!may_merge(run(r), n) || !shown(run(r), n))) break;
    auto lacks = lacking(run(r), run(r).criteria_of(n)[*i]);
    if (lacks.empty()) {
      if (run(r).nodes[n].stage != Stage::checking) stage(r, n, Stage::checking);
      return;  // assign() takes it from here
    }
    emit(CriterionJudged{
        .run = r, .node = n, .criterion = *i, .verdict = Verdict::untestable, .note = "this machine lacks " + lacks});
  }
  finish(r, n);
}

void Step::finish(RunId r, NodeId n) {
  auto criteria = run(r).criteria_of(n);
  std::string failed;
  bool merged = false;  // it was shown or accepted before that
  for (uint16_t i = 0; i < criteria.size(); ++i) {
    auto& c = run(r).verdict(n, i);
    if (c.verdict == Verdict::failed) failed += (failed.empty() ? "" : "; ") + criteria[i].text;
    merged |= plan::merges(criteria[i]) && c.settled;
  }
  if (!failed.empty()) return fail_try(r, n, {}, "criterion failed: " + failed);
  for (uint16_t i = 0; i < criteria.size(); ++i)
    if (!run(r).verdict(n, i).settled && !plan::merges(criteria[i])) open_decision(r, n, DecisionKind::criterion, i);
  if (run(r).nodes[n].decisions == 0 && !merged && !shown(run(r), n)) open_decision(r, n, DecisionKind::acceptance);
  if (run(r).nodes[n].decisions > 0) return stage(r, n, Stage::deciding);
  close_escalations(r, n);
  stage(r, n, Stage::completed);
}

void Step::work_ended(const Attempt& a, const ReportEnded& report) {
  bool success = report.outcome == Outcome::exited && report.code == 0;
  auto& w = *run(a.run).workstream(a.node);
  for (auto id : run(a.run).escalations_of(a.node))
    if (s.escalations.at(id).attempt == a.id) emit(EscalationClosed{id});
  if (a.cancelling == CancelReason::operator_asked) return stage(a.run, a.node, Stage::cancelled, a.cancelled_by);
  if (success) return proceed(a.run, a.node);
  if (asks_person(run(a.run), a.node, report.outcome, report.code)) {
    stage(a.run, a.node, Stage::deciding, {}, report.note);  // first: what is asked stands in its note
    return open_decision(a.run, a.node, DecisionKind::held, report.code == held_all_code ? for_all : no_criterion);
  }
  if (a.cancelling == CancelReason::run_cancelled) return stage(a.run, a.node, Stage::ready);
  if (report.outcome == Outcome::cancelled)
    return stage(a.run, a.node, Stage::cancelled, {},
                 "cancelled from outside" + (report.note.empty() ? "" : ": " + report.note));
  if (report.outcome != Outcome::lost) return fail_try(a.run, a.node, {}, how_it_ended(report));
  if (run(a.run).nodes[a.node].lost >= lost_max) {
    escalate(EscalationKind::crashing, Severity::critical, a.run, a.node, a.id,
             w.id + " was lost " + std::to_string(lost_max) + " times in a row; it may be what kills its warden");
    return stage(a.run, a.node, Stage::failed, {}, how_it_ended(report));
  }
  if (w.on_lost == plan::OnLost::retry) {
    // What a person had allowed is not asked again.
    auto said = run(a.run).notes.find(a.node);
    bool allowed = said != run(a.run).notes.end() && !said->second.who.empty();
    auto [who, note] = allowed ? said->second : Judgement{"", how_it_ended(report)};
    return stage(a.run, a.node, Stage::ready, who, note);
  }
  open_decision(a.run, a.node, DecisionKind::lost);
  stage(a.run, a.node, Stage::deciding, {}, how_it_ended(report));
}

// A check says something only by its own exit, signal or timeout. What was lost or interrupted is checked again.
void Step::check_ended(const Attempt& a, const ReportEnded& report) {
  if (a.cancelling == CancelReason::operator_asked) return stage(a.run, a.node, Stage::cancelled, a.cancelled_by);
  bool verified = report.outcome == Outcome::exited && report.code == 0;
  bool says = report.outcome != Outcome::lost && report.outcome != Outcome::cancelled;
  if (a.cancelling != CancelReason::none && !verified) return;
  if (!says && run(a.run).nodes[a.node].lost < lost_max) return;
  if (asks_person(run(a.run), a.node, report.outcome, report.code)) {
    open_decision(a.run, a.node, DecisionKind::held, a.criterion);
    return stage(a.run, a.node, Stage::deciding, {}, report.note);
  }
  emit(CriterionJudged{.run = a.run,
                       .node = a.node,
                       .criterion = a.criterion,
                       .verdict = verified ? Verdict::verified : Verdict::failed,
                       .evidence = a.id,
                       .note = verified ? std::string{} : how_it_ended(report)});
  proceed(a.run, a.node);
}

void Step::fail_try(RunId r, NodeId n, const std::string& who, const std::string& note) {
  withdraw(r, n);
  const NodeState& node = run(r).nodes[n];
  auto& id = run(r).id_of(n);
  if (auto* g = run(r).gate(n)) {
    close_escalations(r, n);
    escalate(EscalationKind::gate, Severity::critical, r, n, 0, "gate " + g->id + " failed: " + note);
    return stage(r, n, Stage::failed, who, note);
  }
  auto& w = *run(r).workstream(n);
  bool crashing = node.crashes >= crashes_max;
  auto tried = std::to_string(node.tries) + (node.tries == 1 ? " try" : " tries");
  // One try more to ask the orchestrator's agent, if it has one, before it is given up.
  int tries_max = w.retries.max + !plan::advisor(*run(r).plan, w).empty();
  if (run(r).has_work(n) && node.tries <= tries_max) {
    bool known = std::ranges::any_of(run(r).escalations_of(n),
                                     [&](auto e) { return s.escalations.at(e).kind == EscalationKind::crashing; });
    if (crashing && !known)
      escalate(EscalationKind::crashing, Severity::warning, r, n, node.last,
               id + " keeps crashing: " + note + " (" + tried + ")");
    emit(NodeStaged{.run = r,
                    .node = n,
                    .stage = Stage::backoff,
                    .due = at + backoff(w.retries, node.tries),
                    .who = who,
                    .note = note});
    return;
  }
  close_escalations(r, n);
  escalate(crashing ? EscalationKind::crashing : EscalationKind::failed, Severity::critical, r, n, node.last,
           id + " failed: " + note + " (" + tried + ")");
  stage(r, n, Stage::failed, who, note);
}

void Step::open_decision(RunId r, NodeId n, DecisionKind kind, uint16_t criterion) {
  for (auto id : run(r).decisions_of(n))
    if (auto& d = s.decisions.at(id); d.kind == kind && d.criterion == criterion) return;
  emit(DecisionOpened{s.next_decision, r, n, kind, criterion});
}

void Step::withdraw(RunId r, NodeId n) {
  for (auto id : run(r).decisions_of(n)) emit(DecisionClosed{.decision = id, .withdrawn = true});
}

void Step::escalate(EscalationKind kind, Severity severity, RunId r, NodeId n, AttemptId attempt, std::string note) {
  emit(EscalationOpened{s.next_escalation, kind, severity, r, n, attempt, std::move(note)});
}

void Step::close_escalations(RunId r, NodeId n) {
  for (auto id : run(r).escalations_of(n)) emit(EscalationClosed{id});
}

void Step::fence(RunId r, NodeId n) {
  AttemptId id = run(r).nodes[n].attempt;
  if (auto* a = s.attempt(id); a && a->cancelling == CancelReason::none)
    emit(AttemptCancelling{id, CancelReason::operator_asked, {}});
}

void Step::reset(RunId r, NodeId n, const std::string& who) {
  withdraw(r, n);
  close_escalations(r, n);
  fence(r, n);
  emit(NodeReset{r, n, who});
}

}  // namespace sparky::engine
