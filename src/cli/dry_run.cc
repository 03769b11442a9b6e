#include "cli/dry_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "plan/check.h"
#include "plan/graph.h"
#include "plan/toml.h"
#include "wire/messages.h"

namespace sparky::cli {
namespace {

// What --until and --only select: the target with all that it needs, just the named ones, or those of both.
Result<std::vector<bool>> selected(const plan::Graph& graph, const wire::StartRun& what) {
  std::vector<bool> out(graph.nodes.size(), what.until.empty() && what.only.empty());
  auto node = [&](const std::string& id) -> Result<plan::NodeId> {
    if (auto n = graph.find(id); n != plan::no_node) return n;
    auto near = nearest(id, graph.names());
    return fail(Errc::invalid, fmt::format("the plan has no '{}'", id),
                near ? fmt::format("did you mean '{}'?", *near) : "");
  };
  for (auto& id : what.only) {
    SPARKY_ASSIGN(auto n, node(id));
    out[n] = true;
  }
  if (what.until.empty()) return out;
  SPARKY_ASSIGN(auto target, node(what.until));
  std::vector<bool> needed(graph.nodes.size());
  needed[target] = true;
  for (auto it = graph.order.rbegin(); it != graph.order.rend(); ++it)
    for (auto& e : graph.after(*it))
      if (needed[e.to]) needed[*it] = true;
  for (size_t n = 0; n < out.size(); ++n) out[n] = needed[n] && (what.only.empty() || out[n]);
  return out;
}

}  // namespace

Result<int> dry_run(const Context& context, const wire::StartRun& what) {
  auto parsed = plan::load_plan(what.plan);
  auto problems = parsed.problems;
  if (parsed.readable)
    for (auto& d : plan::check(parsed.plan, parsed.source.get())) problems.push_back(d);
  for (auto& d : problems) fmt::print(stderr, "{}\n", printable(d.text()));
  if (has_errors(problems)) return bad_usage;

  auto graph = plan::build_graph(parsed.plan);
  SPARKY_ASSIGN(auto chosen, selected(graph, what));
  Json steps = Json::array();
  for (auto n : graph.order) {
    if (!chosen[n]) continue;
    auto [kind, index] = graph.nodes[n];
    if (kind == plan::NodeKind::workstream) {
      auto& w = parsed.plan.workstreams[index];
      steps.push_back({{"id", w.id}, {"name", w.name}, {"run", w.run}, {"criteria", w.criteria.size()}});
    } else if (kind == plan::NodeKind::gate) {
      auto& g = parsed.plan.gates[index];
      steps.push_back({{"id", g.id}, {"name", g.name}, {"gate", true}, {"criteria", g.criteria.size()}});
    }
  }
  if (context.json) {
    fmt::print("{}\n", json_text(Json{{"plan", parsed.plan.name}, {"steps", steps}}, 2));
    return done;
  }
  for (auto& s : steps) {
    auto run = s.value("run", "");
    fmt::print("{:<12} {:<32} {} criteria  {}\n", printable(s.value("id", "")), printable(s.value("name", "")),
               s.value("criteria", 0),
               s.contains("gate") ? "gate"
               : run.empty()      ? "waits for a person"
                                  : printable(run));
  }
  fmt::print("{} steps; nothing was run\n", steps.size());
  return done;
}

}  // namespace sparky::cli
