#include "conductor/agent_task.h"

#include <algorithm>

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
  auto by_agent = [&](const plan::Workstream& w) { return plan::done_by_agent(plan, w); };
  // A gate after agents' work looks at what is merged, not at somebody's checkout.
  bool gate = run->gate(attempt.node) && std::ranges::any_of(plan.workstreams, by_agent);
  if (!gate && (!workstream || !by_agent(*workstream))) return std::nullopt;
  auto task = agents::make_task(project, plan, workstream ? *workstream : plan::Workstream{});
  task.run = run->id;
  task.attempt = attempt_name(attempt);
  task.number = attempt.number;
  task.gate = gate;
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

}  // namespace sparky::conductor
