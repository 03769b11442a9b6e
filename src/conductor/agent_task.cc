#include "conductor/agent_task.h"

#include <nlohmann/json.hpp>

#include "agents/usage.h"
#include "conductor/attempts.h"
#include "plan/by_agent.h"

namespace sparky::conductor {
namespace fs = std::filesystem;
using engine::Work;

std::optional<agents::Task> agent_task(const fs::path& project, const engine::State& state,
                                       const engine::Attempt& attempt) {
  auto* run = state.run(attempt.run);
  if (!run || attempt.work == Work::job) return std::nullopt;
  auto& plan = *run->plan;
  auto* workstream = run->workstream(attempt.node);
  // A gate after agents' work looks at what is merged, not at somebody's checkout.
  bool gate = run->gate(attempt.node) && plan::checked_on_target(plan);
  if (!gate && (!workstream || !plan::done_by_agent(plan, *workstream))) return std::nullopt;
  auto task = agents::make_task(project, plan, workstream ? *workstream : plan::Workstream{});
  task.run = run->id;
  task.attempt = attempt_name(attempt);
  task.number = attempt.number;
  task.gate = gate;
  if (gate) task.advisor = plan::advisor(plan, *run->gate(attempt.node));
  task.facts = run->options.facts;
  task.workstream.id = run->id_of(attempt.node);
  auto criteria = run->criteria_of(attempt.node);
  task.workstream.criteria.assign(criteria.begin(), criteria.end());
  if (attempt.work == Work::check) task.criterion = attempt.criterion;
  if (auto said = run->notes.find(attempt.node); said != run->notes.end()) {
    task.approved_by = said->second.who;
    task.note = said->second.note;
  }
  return task;
}

namespace {

Json cost(const agents::Usage& usage) {
  return {{"tokens", usage.tokens},
          {"usd", usage.money},
          {"known", usage.known},
          {"worked_s", double(usage.time.count()) / 1000},
          {"text", usage.text()}};
}

}  // namespace

void add_costs(Json& status, const fs::path& project) {
  std::map<std::string, agents::Usage> used;
  agents::Usage all;
  for (auto& ledger : agents::read_ledgers(project, status.value("run", 0u))) {
    used[ledger.id] = ledger.total();
    all += used[ledger.id];
  }
  if (used.empty()) return;
  status["cost"] = cost(all);
  for (auto& orchestrator : status.at("orchestrators"))
    for (auto& [id, workstream] : orchestrator.at("workstreams").items())
      if (auto it = used.find(id); it != used.end()) workstream["cost"] = cost(it->second);
}

void add_cost(Json& node, const fs::path& project, engine::RunId run) {
  auto ledger = agents::read_ledger(project, run, node.value("id", ""));
  if (!ledger.attempts.empty()) node["cost"] = cost(ledger.total());
}

}  // namespace sparky::conductor
