#include "conductor/spawn.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace sparky::conductor {

namespace {

template <class Enum>
Result<Enum> word(std::string_view text, std::initializer_list<Enum> all, std::string_view option) {
  std::vector<std::string> names;
  for (auto value : all) {
    if (name(value) == text) return value;
    names.emplace_back(name(value));
  }
  return fail(Errc::invalid, fmt::format("{} is '{}'; it must be one of {}", option, text, join(names, ", ")));
}

template <class Things>
auto* find(Things& things, const std::string& id) {
  auto it = std::ranges::find_if(things, [&](auto& thing) { return thing.id == id; });
  return it == things.end() ? nullptr : &*it;
}

// Every id that something can depend on.
Status known(const plan::Plan& plan, const std::vector<std::string>& ids, std::string_view option) {
  std::vector<std::string> all;
  for (auto& o : plan.orchestrators) all.push_back(o.id);
  for (auto& w : plan.workstreams) all.push_back(w.id);
  for (auto& g : plan.gates) all.push_back(g.id);
  for (auto& id : ids) {
    if (std::ranges::find(all, id) != all.end()) continue;
    auto near = nearest(id, all);
    return fail(Errc::not_found, fmt::format("{}: the plan has no '{}'", option, id),
                near ? fmt::format("did you mean '{}'?", *near) : "`sparky plan show` lists what it has");
  }
  return {};
}

}  // namespace

Result<plan::Plan> with_orchestrator(plan::Plan plan, const wire::SpawnOrchestrator& request) {
  if (request.id.empty()) return fail(Errc::invalid, "the orchestrator has no name", "spawn orchestrator NAME …");
  if (find(plan.workstreams, request.id) || find(plan.gates, request.id))
    return fail(Errc::exists, fmt::format("'{}' is a workstream or gate of the plan", request.id), "take another name");
  auto* orchestrator = find(plan.orchestrators, request.id);
  if (!orchestrator) {
    orchestrator = &plan.orchestrators.emplace_back();
    orchestrator->id = orchestrator->name = request.id;
  }
  if (!request.phase.empty()) {
    using plan::Phase;
    SPARKY_ASSIGN(orchestrator->phase,
                  word(request.phase,
                       {Phase::sequential, Phase::parallel, Phase::sequential_then_parallel, Phase::mixed}, "--phase"));
  }
  if (!request.depends_on.empty()) orchestrator->depends_on = request.depends_on;
  SPARKY_TRY(known(plan, request.depends_on, "--depends-on"));
  for (auto& id : request.workstreams) {
    auto* workstream = find(plan.workstreams, id);
    if (!workstream)
      return fail(Errc::not_found, fmt::format("--workstreams: the plan has no '{}'", id),
                  fmt::format("add it first: sparky spawn agent TYPE --workstream {} --spec FILE", id));
    workstream->orchestrator = request.id;
  }
  return plan;
}

Result<plan::Plan> with_agent(plan::Plan plan, const wire::SpawnAgent& request) {
  if (request.workstream.empty()) return fail(Errc::invalid, "--workstream is missing", "--workstream WS-19");
  if (request.agent.empty()) return fail(Errc::invalid, "the agent's type is missing", "spawn agent TYPE …");
  SPARKY_TRY(known(plan, request.depends_on, "--depends"));
  auto* workstream = find(plan.workstreams, request.workstream);
  if (!workstream) {
    constexpr auto home = "spawned";
    if (plan.orchestrators.size() == 1) {
      workstream = &plan.workstreams.emplace_back();
      workstream->orchestrator = plan.orchestrators[0].id;
    } else {
      if (!find(plan.orchestrators, home)) plan.orchestrators.push_back({.id = home, .name = "Spawned"});
      workstream = &plan.workstreams.emplace_back();
      workstream->orchestrator = home;
    }
    workstream->id = workstream->name = request.workstream;
    workstream->criteria.push_back({.text = request.spec.empty()
                                                ? fmt::format("{} is done", request.workstream)
                                                : fmt::format("{} meets {}", request.workstream, request.spec),
                                    .manual = true});
  }
  workstream->agents = {request.agent};
  if (!request.spec.empty()) workstream->spec = request.spec;
  if (!request.priority.empty()) {
    using plan::Priority;
    SPARKY_ASSIGN(workstream->priority,
                  word(request.priority, {Priority::p0, Priority::p1, Priority::p2, Priority::p3}, "--priority"));
  }
  for (auto& id : request.depends_on)
    if (std::ranges::find(workstream->depends_on, id) == workstream->depends_on.end())
      workstream->depends_on.push_back(id);
  if (!request.output.empty() &&
      std::ranges::find(workstream->deliverables, request.output) == workstream->deliverables.end())
    workstream->deliverables.push_back(request.output);
  return plan;
}

}  // namespace sparky::conductor
