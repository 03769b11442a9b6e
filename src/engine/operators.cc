// What people ask of a run: pause and cancel, retry and skip, decide. Every refusal says what to do next.
#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "engine/held.h"
#include "engine/step.h"
#include "engine/transitions.h"

namespace sparky::engine {
namespace {

std::optional<uint32_t> number(std::string_view text) {
  uint32_t value = 0;
  auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || err != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

std::string decision_id(DecisionId id) { return "D" + std::to_string(id); }

}  // namespace

Result<const Run*> Step::find_run(RunId id) const {
  if (auto* r = s.run(id)) return r;
  return fail(Errc::not_found, "there is no run " + std::to_string(id), "sparky runs lists them");
}

Result<Step::Target> Step::find_node(RunId id, const std::string& name) const {
  SPARKY_ASSIGN(const Run* r, find_run(id));
  NodeId node = r->graph->find(name);
  if (node != no_node && !is_automatic(r->graph->nodes[node].kind)) return Target{r, node};
  if (node != no_node)
    return fail(Errc::invalid, "'" + name + "' is an orchestrator", "name one of its workstreams, or a gate");
  auto ids = r->graph->names();
  std::erase_if(ids, [&](auto& known) { return is_automatic(r->graph->nodes[r->graph->find(known)].kind); });
  auto near = nearest(name, ids);
  return fail(Errc::not_found, "run " + std::to_string(id) + " has no workstream or gate '" + name + "'",
              near ? "did you mean " + *near + "?" : "sparky status lists them");
}

Result<Reply> Step::operator()(const Pause& input) {
  SPARKY_ASSIGN(const Run* r, find_run(input.run));
  if (r->halt != Halt::none) return Reply{.run = r->id, .existing = true, .notes = {"it was halted already"}};
  emit(HaltSet{r->id, Halt::paused, input.who});
  for (auto& [id, a] : std::map(s.attempts))
    if (a.work != Work::job && a.run == r->id && !a.started && !a.recalling && a.cancelling == CancelReason::none)
      emit(AttemptRecalling{id});
  return Reply{
      .run = r->id,
      .notes = {r->live == 0 ? "nothing was running" : std::to_string(r->live) + " attempts are left to finish"}};
}

Result<Reply> Step::operator()(const CancelRun& input) {
  SPARKY_ASSIGN(const Run* r, find_run(input.run));
  if (r->halt != Halt::cancelled) emit(HaltSet{r->id, Halt::cancelled, input.who});
  std::vector<AttemptId> live;
  for (auto& [id, a] : s.attempts)
    if (a.work != Work::job && a.run == r->id && a.cancelling == CancelReason::none) live.push_back(id);
  for (auto id : live) emit(AttemptCancelling{id, CancelReason::run_cancelled, input.who});
  return Reply{.run = r->id, .notes = {std::to_string(live.size()) + " attempts are being cancelled"}};
}

Result<Reply> Step::operator()(const Resume& input) {
  SPARKY_ASSIGN(const Run* r, find_run(input.run));
  Reply reply{.run = r->id, .existing = r->halt == Halt::none};
  if (r->halt != Halt::none) emit(HaltSet{r->id, Halt::none, input.who});
  constexpr size_t lines_max = 20;
  for (NodeId n = 0; n < r->nodes.size() && reply.notes.size() < lines_max; ++n)
    if (auto stage = r->nodes[n].stage; r->nodes[n].selected && (stage == Stage::failed || stage == Stage::cancelled))
      reply.notes.push_back(r->id_of(n) + " stays " + std::string(name(stage)) + ": retry it, or skip it");
  return reply;
}

Result<Reply> Step::operator()(const ArchiveRun& input) {
  SPARKY_ASSIGN(const Run* r, find_run(input.run));
  if (r->settled == Standing::running || r->live > 0)
    return fail(Errc::busy, "run " + std::to_string(r->id) + " is live",
                "pause or cancel it, and wait until it has stopped");
  if (r->changed != input.changed)
    return fail(Errc::busy, "run " + std::to_string(r->id) + " changed while its records were read", "prune again");
  emit(RunArchived{r->id});
  return Reply{.run = input.run};
}

Result<Reply> Step::operator()(const CancelNode& input) {
  SPARKY_ASSIGN(Target t, find_node(input.run, input.id));
  RunId r = t.run->id;
  const NodeState& node = t.run->nodes[t.node];
  if (t.run->gate(t.node))
    return fail(Errc::invalid, input.id + " is a gate, which cannot be cancelled",
                "decide its criteria (sparky decide " + input.id + "), or pause the run");
  if (is_final(node.stage))
    return fail(Errc::invalid, input.id + " is " + std::string(name(node.stage)) + " already",
                satisfies(node.stage) ? "" : "retry or skip it");
  if (auto* a = s.attempt(node.attempt)) {
    if (a->cancelling == CancelReason::operator_asked) return Reply{.run = r, .existing = true};
    emit(AttemptCancelling{a->id, CancelReason::operator_asked, input.who});
    return Reply{.run = r, .notes = {input.id + " is being cancelled"}};
  }
  withdraw(r, t.node);
  close_escalations(r, t.node);
  stage(r, t.node, Stage::cancelled, input.who, input.note);
  return Reply{.run = r};
}

Result<Reply> Step::operator()(const Skip& input) {
  SPARKY_ASSIGN(Target t, find_node(input.run, input.id));
  RunId r = t.run->id;
  const NodeState& node = t.run->nodes[t.node];
  if (t.run->gate(t.node))
    return fail(Errc::invalid, input.id + " is a gate, whose criteria must pass",
                "waive the criterion with a reason: sparky decide " + input.id + "#1 waive --note …");
  if (node.attempt != 0) return fail(Errc::busy, input.id + " is " + std::string(name(node.stage)), "cancel it first");
  if (satisfies(node.stage)) return fail(Errc::invalid, input.id + " is " + std::string(name(node.stage)) + " already");
  withdraw(r, t.node);
  close_escalations(r, t.node);
  stage(r, t.node, Stage::skipped, input.who, input.note);
  return Reply{.run = r, .notes = {input.id + " is skipped: what waits for it may start; it shows as skipped"}};
}

// Everything downstream that has begun; a gate that has not been reached has nothing to take back.
static std::vector<NodeId> begun_after(const Run& run, NodeId start, bool gates_only) {
  std::vector<bool> seen(run.nodes.size(), false);
  std::vector<NodeId> todo{start}, found;
  seen[start] = true;
  for (size_t i = 0; i < todo.size(); ++i)
    for (auto& e : run.graph->after(todo[i])) {
      if (seen[e.to]) continue;
      seen[e.to] = true;
      bool automatic = is_automatic(run.graph->nodes[e.to].kind);
      auto stage = run.nodes[e.to].stage;
      bool begun = !automatic && stage != Stage::waiting && stage != Stage::ready && stage != Stage::skipped;
      // Without --with-dependents what was done on the old result stays done: the walk ends there.
      if (begun && (!gates_only || (run.gate(e.to) && !satisfies(stage)))) found.push_back(e.to);
      if (automatic || !gates_only) todo.push_back(e.to);
    }
  std::ranges::sort(found);
  return found;
}

Result<Reply> Step::operator()(const Retry& input) {
  SPARKY_ASSIGN(Target t, find_node(input.run, input.id));
  RunId r = t.run->id;
  const NodeState& node = t.run->nodes[t.node];
  if (node.attempt != 0)
    return fail(Errc::busy, input.id + " is " + std::string(name(node.stage)), "wait for it, or cancel it first");
  if (node.stage == Stage::waiting || node.stage == Stage::ready)
    return fail(Errc::invalid, input.id + " has not run yet", "sparky explain " + input.id + " says what it waits for");
  auto after = begun_after(*t.run, t.node, !input.with_dependents);
  for (auto n : after)
    if (auto* a = s.attempt(t.run->nodes[n].attempt); a && a->work == Work::run)
      return fail(Errc::busy, t.run->id_of(n) + ", which depends on " + input.id + ", is running",
                  "wait for it, or cancel it first");
  Reply reply{.run = r};
  if (node.stage == Stage::completed && !input.with_dependents)
    reply.notes.push_back("what was done on the old result stays done; --with-dependents does it again");
  reset(r, t.node, input.who);
  for (auto n : after) {
    reset(r, n, input.who);
    reply.notes.push_back(run(r).id_of(n) + (run(r).gate(n) ? " is closed again" : " runs again"));
  }
  if (run(r).halt != Halt::none) reply.notes.push_back("the run is halted: sparky resume");
  if (!run(r).nodes[t.node].selected) reply.notes.push_back(input.id + " is left out by --until or --only");
  return reply;
}

// "D7", or a node with one open decision, or "node#2".
Result<Step::Target> Step::find_criterion(const Decide& input, std::optional<uint16_t>& criterion,
                                          DecisionId& decision) const {
  auto& text = input.target;
  if (text.size() > 1 && (text[0] == 'D' || text[0] == 'd'))
    if (auto id = number(std::string_view(text).substr(1)); id) {
      auto it = s.decisions.find(*id);
      if (it != s.decisions.end()) {
        decision = *id;
        return Target{s.run(it->second.run), it->second.node};
      }
      if (auto* r = s.run(input.run); !r || r->graph->find(text) == no_node)
        return fail(Errc::not_found, "decision " + text + " is not open (it may have been answered)",
                    "sparky status lists the open ones");
    }
  auto hash = text.rfind('#');
  auto index = hash == std::string::npos ? std::nullopt : number(std::string_view(text).substr(hash + 1));
  SPARKY_ASSIGN(Target t, find_node(input.run, index ? text.substr(0, hash) : text));
  auto open = t.run->decisions_of(t.node);
  if (index) {
    if (*index < 1 || *index > t.run->criteria_of(t.node).size())
      return fail(Errc::not_found, t.run->id_of(t.node) + " has no criterion " + std::to_string(*index),
                  "it has " + std::to_string(t.run->criteria_of(t.node).size()) + ", counted from 1");
    criterion = uint16_t(*index - 1);
    for (auto id : open)
      if (auto& d = s.decisions.at(id); d.kind == DecisionKind::criterion && d.criterion == *criterion) decision = id;
    return t;
  }
  if (open.size() == 1) decision = open[0];
  if (open.size() > 1) {
    std::string list;
    for (auto id : open) list += (list.empty() ? "" : ", ") + decision_id(id);
    return fail(Errc::invalid, text + " has " + std::to_string(open.size()) + " open decisions", "name one: " + list);
  }
  return t;
}

Result<Reply> Step::operator()(const Decide& input) {
  if (input.answer == Answer::waive && trim(input.note).empty())
    return fail(Errc::invalid, "a waiver needs its reason", "add --note \"why\"");
  std::optional<uint16_t> criterion;
  DecisionId decision = 0;
  SPARKY_ASSIGN(Target t, find_criterion(input, criterion, decision));
  if (decision != 0) return answer(Decision(s.decisions.at(decision)), input);
  auto& node = t.run->nodes[t.node];
  if (criterion && input.answer == Answer::waive && node.stage == Stage::failed &&
      t.run->verdict(t.node, *criterion).verdict == Verdict::failed)
    return waive_failed(t, *criterion, input);
  return fail(Errc::invalid, input.target + " has no open decision (it is " + std::string(name(node.stage)) + ")",
              node.stage == Stage::failed
                  ? "retry " + t.run->id_of(t.node) + ", or waive its failed criterion: " + t.run->id_of(t.node) + "#1"
                  : "sparky status lists the open ones");
}

Result<Reply> Step::answer(const Decision& d, const Decide& input) {
  Reply reply{.run = d.run};
  std::vector<std::pair<DecisionId, NodeId>> same;
  for (auto id : same_question(s, d)) same.emplace_back(id, s.decisions.at(id).node);
  emit(DecisionClosed{d.id, false, input.answer, input.who, input.note});
  bool approve = input.answer != Answer::reject;
  switch (d.kind) {
    case DecisionKind::criterion: {
      bool untestable = run(d.run).verdict(d.node, d.criterion).verdict == Verdict::untestable;
      auto verdict = input.answer == Answer::waive    ? Verdict::waived
                     : input.answer == Answer::reject ? Verdict::failed
                     : untestable                     ? Verdict::untestable
                                                      : Verdict::verified;
      emit(CriterionJudged{d.run, d.node, d.criterion, verdict, 0, input.who.empty() ? "somebody" : input.who,
                           input.note});
      if (!approve) {
        auto& text = run(d.run).criteria_of(d.node)[d.criterion].text;
        fail_try(d.run, d.node, input.who, "rejected: " + text + (input.note.empty() ? "" : " (" + input.note + ")"));
      } else if (run(d.run).nodes[d.node].decisions == 0) {
        proceed(d.run, d.node);
      }
      return reply;
    }
    case DecisionKind::acceptance:
      if (!approve) {
        fail_try(d.run, d.node, input.who, "not accepted" + (input.note.empty() ? "" : ": " + input.note));
      } else if (next_check(run(d.run), d.node)) {  // it is yet to be merged
        stage(d.run, d.node, Stage::checking, input.who, input.note);
      } else {
        close_escalations(d.run, d.node);
        stage(d.run, d.node, Stage::completed, input.who, input.note);
      }
      return reply;
    case DecisionKind::lost:
      if (approve)
        stage(d.run, d.node, Stage::ready, input.who, input.note);
      else
        fail_try(d.run, d.node, input.who,
                 "lost, and not to be run again" + (input.note.empty() ? "" : ": " + input.note));
      return reply;
    case DecisionKind::held: {
      auto who = input.who.empty() ? "somebody" : input.who;
      for (auto [id, n] : same) {
        if (id != d.id) emit(DecisionClosed{id, false, input.answer, input.who, input.note});
        if (approve)  // `who` is how its next attempt knows that it may
          stage(d.run, n, d.criterion >= for_all ? Stage::ready : Stage::checking, who, input.note);
        else
          fail_try(d.run, n, who, "not allowed" + (input.note.empty() ? "" : ": " + input.note));
        if (n != d.node) reply.notes.push_back("answered for " + run(d.run).id_of(n) + " too");
      }
      return reply;
    }
  }
  return reply;
}

// The last failed criterion that is waived lets the workstream or gate go on.
Result<Reply> Step::waive_failed(const Target& t, uint16_t criterion, const Decide& input) {
  RunId r = t.run->id;
  NodeId n = t.node;
  auto evidence = t.run->verdict(n, criterion).evidence;
  emit(CriterionJudged{r, n, criterion, Verdict::waived, evidence, input.who.empty() ? "somebody" : input.who,
                       input.note});
  size_t left = 0;
  for (uint16_t i = 0; i < run(r).criteria_of(n).size(); ++i) left += run(r).verdict(n, i).verdict == Verdict::failed;
  if (left > 0) return Reply{.run = r, .notes = {std::to_string(left) + " more of its criteria failed"}};
  proceed(r, n);
  return Reply{.run = r};
}

Result<Reply> Step::operator()(const CloseEscalation& input) {
  if (!s.escalations.contains(input.escalation))
    return fail(Errc::not_found, "escalation " + std::to_string(input.escalation) + " is not open");
  RunId r = s.escalations.at(input.escalation).run;
  emit(EscalationClosed{input.escalation});
  return Reply{.run = r};
}

}  // namespace sparky::engine
