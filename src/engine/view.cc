// The status document and its parts.
#include "engine/view.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/held.h"
#include "engine/transitions.h"

namespace sparky::engine {
namespace {

// Handed over beyond the free slots, work is ready and not running, whatever the engine calls it.
bool waits_early(const State& state, const NodeState& node) {
  auto* a = node.stage == Stage::running ? state.attempt(node.attempt) : nullptr;
  return a && a->early && !a->started;
}

Stage shown(const State& state, const NodeState& node) { return waits_early(state, node) ? Stage::ready : node.stage; }

// The words of blueprint §9.3; "stage" beside it says exactly where it stands.
std::string_view status_word(Stage stage) {
  switch (stage) {
    case Stage::waiting:
      return "blocked";
    case Stage::ready:
    case Stage::backoff:
      return "queued";
    case Stage::running:
    case Stage::checking:
      return "in_progress";
    case Stage::deciding:
      return "decision_needed";
    case Stage::completed:
      return "complete";
    case Stage::skipped:
      return "skipped";
    case Stage::failed:
      return "failed";
    case Stage::cancelled:
      return "cancelled";
  }
  return "blocked";
}

// What directly holds a waiting node back, through begins, ends and barriers: at most `most` of them.
std::vector<NodeId> blockers(const Run& run, NodeId start, size_t most = 3) {
  std::vector<NodeId> out, todo{start};
  std::set<NodeId> seen{start};
  for (size_t i = 0; i < todo.size() && out.size() < most; ++i)
    for (auto& e : run.graph->before(todo[i])) {
      if (satisfies(run.nodes[e.to].stage) || !seen.insert(e.to).second) continue;
      if (is_automatic(run.graph->nodes[e.to].kind))
        todo.push_back(e.to);
      else if (out.size() < most)
        out.push_back(e.to);
    }
  return out;
}

Json verdict_counts(const Run& run, NodeId n) {
  std::map<std::string, int> counts;
  for (uint16_t i = 0; i < run.criteria_of(n).size(); ++i) ++counts[std::string(name(run.verdict(n, i).verdict))];
  return counts;
}

void put_time(Json& out, const char* key, Time t) {
  if (t != Time{}) out[key] = iso(t);
}

// The short form, as it stands in the status document.
Json brief(const State& state, const Run& run, NodeId n, const Forecast& expected, Time now) {
  auto& node = run.nodes[n];
  auto stage = shown(state, node);
  Json out{{"status", status_word(stage)}, {"stage", name(stage)}};
  if (auto* w = run.workstream(n); w && !w->name.empty()) out["name"] = w->name;
  if (node.stage == Stage::completed) put_time(out, "completion_time", node.finished);
  if (auto* a = state.attempt(node.attempt); a && a->work == Work::run) {
    out["attempt"] = a->id;
    out["try"] = a->number;
    if (a->fraction >= 0) out["progress"] = a->fraction;
    if (!a->text.empty()) out["doing"] = a->text;
    put_time(out, "since", a->started_at);
  }
  constexpr double far_ms = 1e14;
  if (auto ms = expected.finish[n]; ms && *ms < far_ms && !is_final(node.stage) && run.settled == Standing::running)
    out["eta"] = iso(std::chrono::floor<std::chrono::seconds>(now + Duration(int64_t(*ms))));
  if (out.contains("eta") && expected.start[n])
    out["expected_start"] = iso(std::chrono::floor<std::chrono::seconds>(now + Duration(int64_t(*expected.start[n]))));
  put_time(out, "started", node.started);
  if (expected.critical[n]) out["critical"] = true;
  if (node.stage == Stage::waiting) {
    std::string blocker;
    for (auto b : blockers(run, n))
      blocker += (blocker.empty() ? "" : ", ") + run.id_of(b) + (run.gate(b) ? " closed" : " incomplete");
    if (!node.selected) blocker = "left out by --until or --only", out["left_out"] = true;
    out["blocker"] = blocker;
  }
  if (node.stage == Stage::backoff) put_time(out, "next_try", node.due);
  if (!run.criteria_of(n).empty()) out["criteria"] = verdict_counts(run, n);
  if (auto note = run.notes.find(n); note != run.notes.end()) {
    if (!note->second.note.empty()) out["note"] = note->second.note;
    if (!note->second.who.empty()) out["who"] = note->second.who;
  }
  return out;
}

struct Group {
  const plan::Orchestrator* orchestrator = nullptr;
  std::vector<NodeId> members;
  NodeId begin = no_node;
};

std::string group_status(const Run& run, const Group& group) {
  size_t done = 0, active = 0, failed = 0, deciding = 0;
  for (auto n : group.members) {
    auto stage = run.nodes[n].stage;
    done += satisfies(stage);
    failed += stage == Stage::failed || stage == Stage::cancelled;
    deciding += stage == Stage::deciding;
    active += stage == Stage::ready || stage == Stage::running || stage == Stage::checking || stage == Stage::backoff;
  }
  if (done == group.members.size()) return "complete";
  if (active > 0) return "active";
  if (failed > 0) return "failed";
  if (deciding > 0) return "decision_needed";
  return "blocked";
}

// What keeps an orchestrator from going on: failed work, what its first work waits for, and what was noticed.
Json group_blockers(const State& state, const Run& run, const Group& group) {
  Json out = Json::array();
  auto add = [&](NodeId n, std::string text) { out.push_back({{"target", run.id_of(n)}, {"text", std::move(text)}}); };
  for (auto n : group.members) {
    auto stage = run.nodes[n].stage;
    auto note = run.notes.find(n);
    if (stage == Stage::failed || stage == Stage::cancelled)
      add(n, std::string(name(stage)) +
                 (note == run.notes.end() || note->second.note.empty() ? "" : ": " + note->second.note));
    for (auto id : run.escalations_of(n))
      if (auto& e = state.escalations.at(id); !is_final(stage)) add(n, e.note);
  }
  if (group.begin != no_node && run.nodes[group.begin].open > 0)
    for (auto b : blockers(run, group.begin)) add(b, run.gate(b) ? "gate is not open" : "is not done");
  return out;
}

Json group_decisions(const State& state, const Run& run, const std::vector<NodeId>& members) {
  Json out = Json::array();
  for (auto n : members)
    for (auto id : run.decisions_of(n)) out.push_back(describe(state, state.decisions.at(id)));
  return out;
}

std::vector<Group> groups(const Run& run) {
  std::vector<Group> out(run.plan->orchestrators.size());
  std::unordered_map<std::string, size_t> by_id;
  for (size_t i = 0; i < out.size(); ++i)
    out[i].orchestrator = &run.plan->orchestrators[i], by_id.emplace(out[i].orchestrator->id, i);
  for (NodeId n = 0; n < run.nodes.size(); ++n) {
    auto& node = run.graph->nodes[n];
    if (node.kind == plan::NodeKind::orchestrator_begin) out[node.index].begin = n;
    if (auto* w = run.workstream(n))
      if (auto it = by_id.find(w->orchestrator); it != by_id.end()) out[it->second].members.push_back(n);
  }
  return out;
}

}  // namespace

Json status(const State& state, const Run& run, Time now) {
  auto expected = forecast(state, run, now);
  Json out{{"run", run.id}, {"plan", run.plan->name}, {"state", name(run.settled)}, {"progress", progress(state, run)}};
  if (run.halt != Halt::none) out["halt"] = name(run.halt);
  out["exit_code"] = exit_code(run.settled);
  put_time(out, "created", run.created);
  put_time(out, "changed", run.changed);
  if (auto t = eta(state, run, now)) out["eta"] = iso(std::chrono::floor<std::chrono::seconds>(*t));
  out["counts"] = Json::object();
  auto counts = run.counts;
  for (auto& [id, a] : state.attempts)
    if (a.work == Work::run && a.run == run.id && a.node < run.nodes.size() && run.nodes[a.node].selected &&
        waits_early(state, run.nodes[a.node]))
      --counts[size_t(Stage::running)], ++counts[size_t(Stage::ready)];
  for (int i = 0; i < stage_count; ++i)
    if (counts[size_t(i)] > 0) out["counts"][std::string(name(Stage(i)))] = counts[size_t(i)];
  out["slots"] = {{"used", std::min(state.slots_used, state.slots)}, {"all", state.slots}};

  out["orchestrators"] = Json::array();
  for (auto& group : groups(run)) {
    auto& o = *group.orchestrator;
    Json g{{"orchestrator", o.name.empty() ? o.id : o.name},
           {"id", o.id},
           {"status", group_status(run, group)},
           {"phase", plan::name(o.phase)}};
    g["workstreams"] = Json::object();
    g["order"] = Json::array();
    double done = 0;
    std::optional<double> finish = 0;
    for (auto n : group.members) {
      g["order"].push_back(run.id_of(n));
      g["workstreams"][run.id_of(n)] = brief(state, run, n, expected, now);
      auto* a = state.attempt(run.nodes[n].attempt);
      done += satisfies(run.nodes[n].stage) ? 1 : a && a->fraction > 0 ? std::min(a->fraction, 0.99) : 0;
      finish = finish && expected.finish[n] ? std::optional(std::max(*finish, *expected.finish[n])) : std::nullopt;
    }
    g["progress"] = group.members.empty() ? 1 : done / double(group.members.size());
    if (finish && *finish > 0 && run.settled == Standing::running)
      g["eta"] = iso(std::chrono::floor<std::chrono::seconds>(now + Duration(int64_t(std::min(*finish, 1e14)))));
    g["blockers"] = group_blockers(state, run, group);
    g["decisions_needed"] = group_decisions(state, run, group.members);
    out["orchestrators"].push_back(std::move(g));
  }

  out["gates"] = Json::array();
  out["decisions"] = Json::array();
  out["escalations"] = Json::array();
  for (NodeId n = 0; n < run.nodes.size(); ++n)
    if (run.gate(n)) {
      out["gates"].push_back(describe(state, run, n, now));
      if (expected.critical[n]) out["gates"].back()["critical"] = true;
    }
  for (auto& [node, id] : run.decisions) {
    auto same = same_question(state, state.decisions.at(id));
    if (same[0] != id) continue;
    auto one = describe(state, state.decisions.at(id));
    for (size_t i = 1; i < same.size(); ++i) one["also"].push_back(run.id_of(state.decisions.at(same[i]).node));
    out["decisions"].push_back(std::move(one));
  }
  for (auto& [node, id] : run.escalations) out["escalations"].push_back(describe(state, state.escalations.at(id)));
  return out;
}

Json describe(const State& state, const Run& run, NodeId n, Time now) {
  auto& node = run.nodes[n];
  Json out{{"id", run.id_of(n)}, {"status", status_word(shown(state, node))}, {"stage", name(shown(state, node))}};
  if (auto* w = run.workstream(n)) {
    out["name"] = w->name;
    out["orchestrator"] = w->orchestrator;
    out["priority"] = plan::name(w->priority);
    if (!w->milestone.empty()) out["milestone"] = w->milestone;
    if (!w->agents.empty()) out["agents"] = w->agents;
    if (!w->spec.empty()) out["spec"] = w->spec;
    if (!w->deliverables.empty()) out["deliverables"] = w->deliverables;
    if (!w->run.empty()) out["run"] = w->run;
    out["tries"] = node.tries;
    out["worked_s"] = double(node.worked.count()) / 1000;
    if (w->duration) out["estimate_days"] = {{"min", w->duration->min}, {"max", w->duration->max}};
    if (node.last) out["last_attempt"] = node.last;
  } else if (auto* g = run.gate(n)) {
    out["name"] = g->name.empty() ? g->id : g->name;
    out["after"] = g->after;
    out["before"] = g->before;
    if (!g->due.empty()) out["due"] = g->due;
    if (node.stage == Stage::completed) out["status"] = "open";
  }
  put_time(out, "started", node.started);
  put_time(out, "finished", node.finished);
  if (node.stage == Stage::backoff) put_time(out, "next_try", node.due);
  if (auto* a = state.attempt(node.attempt)) {
    out["attempt"] = {{"id", a->id}, {"work", name(a->work)}, {"try", a->number}, {"started", a->started}};
    if (a->work == Work::check) out["attempt"]["criterion"] = a->criterion + 1;
    if (a->fraction >= 0) out["attempt"]["progress"] = a->fraction;
    if (!a->text.empty()) out["attempt"]["doing"] = a->text;
    put_time(out["attempt"], "since", a->started_at);
    if (a->cancelling != CancelReason::none) out["attempt"]["cancelling"] = name(a->cancelling);
  }
  if (node.stage == Stage::waiting) {
    out["waits_for"] = Json::array();
    for (auto b : blockers(run, n, 20)) out["waits_for"].push_back(run.id_of(b));
    if (!node.selected) out["left_out"] = true;
  }
  if (auto note = run.notes.find(n); note != run.notes.end()) {
    if (!note->second.note.empty()) out["note"] = note->second.note;
    if (!note->second.who.empty()) out["who"] = note->second.who;
  }
  out["criteria"] = Json::array();
  auto criteria = run.criteria_of(n);
  for (uint16_t i = 0; i < criteria.size(); ++i) {
    auto& c = run.verdict(n, i);
    Json one{{"number", i + 1}, {"text", criteria[i].text}, {"verdict", name(c.verdict)}};
    if (criteria[i].manual) one["manual"] = true;
    if (!criteria[i].check.empty()) one["check"] = criteria[i].check;
    if (!criteria[i].needs_facts.empty()) one["requires"] = criteria[i].needs_facts;
    if (c.evidence) one["evidence"] = c.evidence;
    put_time(one, "at", c.at);
    if (auto j = run.judgements.find(run.criteria_start[n] + i); j != run.judgements.end()) {
      if (!j->second.who.empty()) one["who"] = j->second.who;
      if (!j->second.note.empty()) one["note"] = j->second.note;
    }
    out["criteria"].push_back(std::move(one));
  }
  out["decisions"] = group_decisions(state, run, {n});
  if (auto t = eta(state, run, n, now)) out["eta"] = iso(std::chrono::floor<std::chrono::seconds>(*t));
  return out;
}

Json describe(const State& state, const Decision& d) {
  auto* run = state.run(d.run);
  Json out{{"id", "D" + std::to_string(d.id)}, {"run", d.run}, {"kind", name(d.kind)}, {"opened", iso(d.opened)}};
  if (!run) return out;
  auto& id = run->id_of(d.node);
  out["target"] = id;
  switch (d.kind) {
    case DecisionKind::criterion: {
      auto& c = run->criteria_of(d.node)[d.criterion];
      out["criterion"] = d.criterion + 1;
      out["text"] = c.text;
      auto j = run->judgements.find(run->criteria_start[d.node] + d.criterion);
      if (j != run->judgements.end() && !j->second.note.empty()) out["note"] = j->second.note;
      break;
    }
    case DecisionKind::acceptance:
      out["text"] = "It ran, but no criterion verified " + id + ". Is it done?";
      break;
    case DecisionKind::lost:
      out["text"] = "The attempt of " + id +
                    " was lost with the process that watched it. Run it again (approve), or fail it (reject)?";
      break;
    case DecisionKind::held: {
      auto why = run->notes.find(d.node);
      out["text"] = (why == run->notes.end() || why->second.note.empty() ? id + " needs a person" : why->second.note) +
                    ". Go on (approve), or not (reject)?";
      break;
    }
  }
  out["answers"] = {"approve", "reject", "waive"};
  return out;
}

Json describe(const State& state, const Escalation& e) {
  auto* run = state.run(e.run);
  Json out{{"id", "E" + std::to_string(e.id)}, {"run", e.run},   {"type", name(e.kind)},
           {"severity", name(e.severity)},     {"text", e.note}, {"opened", iso(e.opened)}};
  if (e.attempt) out["attempt"] = e.attempt;
  if (!run) return out;
  out["target"] = run->id_of(e.node);
  out["affected"] = Json::array();
  for (auto n : downstream(*run, e.node))
    if (!satisfies(run->nodes[n].stage)) out["affected"].push_back(run->id_of(n));
  return out;
}

Json describe(const State& state, const Job& job, Time now) {
  Json out{{"id", job.spec.id},
           {"kind", job.spec.kind},
           {"state", name(job.state)},
           {"priority", name(job.spec.priority)},
           {"tries", job.tries}};
  if (!job.spec.model.empty()) out["model"] = job.spec.model;
  if (!job.spec.client.empty()) out["client"] = job.spec.client;
  if (!job.spec.after.empty()) out["after"] = job.spec.after;
  if (!job.spec.worker.empty()) out["worker"] = job.spec.worker;
  put_time(out, "submitted", job.submitted);
  put_time(out, "started", job.started);
  put_time(out, "finished", job.finished);
  if (job.state == JobState::queued) put_time(out, "next_try", job.due);
  if (!job.note.empty()) out[job.state == JobState::failed ? "error" : "note"] = job.note;
  if (!job.result.empty()) {
    auto result = parse_json(job.result);
    out["result"] = result ? *result : Json(job.result);
  }
  if (auto* a = state.attempt(job.attempt)) {
    out["attempt"] = a->id;
    if (a->fraction >= 0) out["progress"] = a->fraction;
    if (!a->text.empty()) out["doing"] = a->text;
    if (auto w = state.workers.find(a->worker); w != state.workers.end()) out["worker"] = w->second.spec.name;
    auto measured = state.measured.find({job.spec.kind, job.spec.model});
    double elapsed = std::max(0.0, double((now - a->assigned).count()));
    if (a->fraction > 0.01)
      out["eta_s"] = elapsed * (1 - a->fraction) / a->fraction / 1000;
    else if (measured != state.measured.end())
      out["eta_s"] = std::max(0.0, measured->second.mean_ms - elapsed) / 1000;
  }
  return out;
}

Json describe(const State& state, const Worker& worker) {
  Json out{{"name", worker.spec.name},           {"kinds", worker.spec.kinds},   {"models", worker.spec.models},
           {"memory_bytes", worker.spec.memory}, {"device", worker.spec.device}, {"leases", worker.spec.leases}};
  if (!worker.model.empty()) out["loaded_model"] = worker.model;
  out["jobs"] = Json::array();
  for (auto id : worker.leases)
    if (auto* a = state.attempt(id))
      if (auto job = state.jobs.find(a->job); job != state.jobs.end()) out["jobs"].push_back(job->second.spec.id);
  return out;
}

}  // namespace sparky::engine
