// Plans that come in, and plans that change under a run.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "engine/step.h"
#include "engine/transitions.h"
#include "plan/plan_json.h"

namespace sparky::engine {
namespace {

std::string list(const std::vector<std::string>& ids, size_t most = 8) {
  std::string out;
  for (size_t i = 0; i < ids.size() && i < most; ++i) out += (i ? ", " : "") + ids[i];
  if (ids.size() > most) out += ", … (" + std::to_string(ids.size()) + " in all)";
  return out;
}

// What would make a run hang or the engine misbehave. plan/check.h says all that is wrong with a plan; this is the
// engine's own guard.
Status check_plan(const plan::Plan& plan, const plan::Graph& graph) {
  if (!graph.cycle.empty()) {
    std::vector<std::string> ids;
    for (auto n : graph.cycle) {
      auto& node = graph.nodes[n];
      if (node.kind == plan::NodeKind::workstream)
        ids.push_back(plan.workstreams[node.index].id);
      else if (node.kind == plan::NodeKind::gate)
        ids.push_back(plan.gates[node.index].id);
      else
        ids.push_back(plan.orchestrators[node.index].id);
    }
    return fail(Errc::invalid, "the plan waits for itself: " + list(ids), "sparky plan check shows the whole cycle");
  }
  for (auto& w : plan.workstreams)
    for (auto& [name, amount] : w.needs) {
      auto limit = plan.limits.find(name);
      int capacity = limit == plan.limits.end() ? 1 : limit->second;
      if (amount > capacity)
        return fail(
            Errc::invalid,
            w.id + " needs " + name + " = " + std::to_string(amount) + ", but the limit is " + std::to_string(capacity),
            "raise [limits] " + name + ", or need less");
    }
  constexpr size_t criteria_max = 65'000;
  auto too_many = [](auto& thing) { return thing.criteria.size() > criteria_max; };
  if (std::ranges::any_of(plan.workstreams, too_many) || std::ranges::any_of(plan.gates, too_many))
    return fail(Errc::invalid, "more than 65,000 criteria in one place", "split the workstream or gate");
  return {};
}

bool has_begun(const NodeState& node) {
  return (node.stage != Stage::waiting && node.stage != Stage::ready) || node.tries > 0;
}

}  // namespace

// Names that the plan has, and --only complete with what it depends on.
Status Step::check_options(const Run& r, const RunOptions& options) const {
  auto unknown = [&](const std::string& id, const char* option) {
    auto near = nearest(id, r.graph->names());
    return fail(Errc::not_found, std::string(option) + ": the plan has no '" + id + "'",
                near ? "did you mean " + *near + "?" : "sparky plan show lists them");
  };
  if (!options.until.empty() && r.graph->find(options.until) == no_node) return unknown(options.until, "--until");
  std::set<NodeId> chosen;
  for (auto& id : options.only) {
    NodeId node = r.graph->find(id);
    if (node == no_node) return unknown(id, "--only");
    if (is_automatic(r.graph->nodes[node].kind))
      return fail(Errc::invalid, "--only: '" + id + "' is an orchestrator", "name workstreams and gates");
    chosen.insert(node);
  }
  for (auto start : chosen) {
    std::vector<NodeId> todo{start};
    std::set<NodeId> seen;
    while (!todo.empty()) {
      NodeId n = todo.back();
      todo.pop_back();
      for (auto& e : r.graph->before(n)) {
        if (chosen.contains(e.to) || satisfies(r.nodes[e.to].stage) || !seen.insert(e.to).second) continue;
        if (is_automatic(r.graph->nodes[e.to].kind)) {
          todo.push_back(e.to);
          continue;
        }
        return fail(Errc::invalid,
                    "--only: " + r.id_of(start) + " waits for " + r.id_of(e.to) + ", which is not done and left out",
                    "add " + r.id_of(e.to) + ", or use --until " + r.id_of(start));
      }
    }
  }
  return {};
}

Result<Reply> Step::operator()(const CreateRun& input) {
  if (!input.plan) return fail(Errc::invalid, "no plan");
  // Checked on a run of its own, which is thrown away if it is refused.
  State trial;
  apply(trial, {at, RunCreated{1, std::make_shared<plan::Plan>(), {}}});
  Run& r = trial.runs.at(1);
  r.plan = input.plan;
  r.graph = std::make_shared<plan::Graph>(plan::build_graph(*input.plan));
  SPARKY_TRY(check_plan(*r.plan, *r.graph));
  r.nodes.resize(r.graph->nodes.size());
  SPARKY_TRY(check_options(r, input.options));
  RunId id = s.next_run;
  emit(RunCreated{id, input.plan, input.options});
  return Reply{.run = id};
}

Result<Reply> Step::operator()(const SetOptions& input) {
  SPARKY_ASSIGN(const Run* r, find_run(input.run));
  SPARKY_TRY(check_options(*r, input.options));
  if (input.options != r->options) emit(OptionsSet{input.run, input.options});
  return Reply{.run = input.run};
}

Result<Reply> Step::operator()(const UpdatePlan& input) {
  SPARKY_ASSIGN(const Run* r, find_run(input.run));
  if (!input.plan) return fail(Errc::invalid, "no plan");
  auto merged = std::make_shared<plan::Plan>(*input.plan);
  std::vector<std::string> added, changed, kept, removed, missing;
  std::set<std::string> known;
  // What has begun keeps the text it began with; the rest follows the new plan.
  auto merge = [&](auto& things, auto of) {
    for (auto& thing : things) {
      known.insert(thing.id);
      NodeId was = r->graph->find(thing.id);
      auto* old = was == no_node ? nullptr : of(was);
      if (!old) {
        added.push_back(thing.id);
      } else if (plan::to_json(*old) != plan::to_json(thing)) {
        bool begun = has_begun(r->nodes[was]);
        // But it goes to another orchestrator at once, for the old one may be gone; and an estimate is no work.
        auto words = *old;
        if constexpr (requires { words.orchestrator; })
          words.orchestrator = thing.orchestrator, words.duration = thing.duration;
        bool moved = begun && plan::to_json(words) == plan::to_json(thing);
        (begun && !moved ? kept : changed).push_back(thing.id);
        if (begun) thing = std::move(words);
      }
    }
  };
  merge(merged->workstreams, [&](NodeId n) { return r->workstream(n); });
  merge(merged->gates, [&](NodeId n) { return r->gate(n); });
  for (NodeId n = 0; n < r->nodes.size(); ++n) {
    if (is_automatic(r->graph->nodes[n].kind) || known.contains(r->id_of(n))) continue;
    (has_begun(r->nodes[n]) ? missing : removed).push_back(r->id_of(n));
  }
  if (!missing.empty())
    return fail(Errc::invalid, "the changed plan lacks work that has begun or is done: " + list(missing),
                "put it back, or start afresh: sparky run --new");
  SPARKY_TRY(check_plan(*merged, plan::build_graph(*merged)));
  Reply reply{.run = r->id};
  for (auto& id : r->options.only)
    if (!known.contains(id)) return fail(Errc::invalid, "--only names " + id + ", which the changed plan lacks");
  if (!added.empty()) reply.notes.push_back("added: " + list(added));
  if (!changed.empty()) reply.notes.push_back("changed: " + list(changed));
  if (!removed.empty()) reply.notes.push_back("removed: " + list(removed));
  if (!kept.empty()) reply.notes.push_back("begun already, so the change waits for a retry: " + list(kept));
  emit(PlanUpdated{input.run, merged, input.who});
  // A gate that was being judged and now waits for more work is judged when that is done.
  for (NodeId n = 0; n < r->nodes.size(); ++n)
    if (auto& node = r->nodes[n]; r->gate(n) && node.open > 0 && has_begun(node) && !satisfies(node.stage))
      reset(r->id, n, input.who);
  return reply;
}

}  // namespace sparky::engine
