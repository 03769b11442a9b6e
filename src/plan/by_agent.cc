#include "plan/by_agent.h"

#include <algorithm>

namespace sparky::plan {

bool done_by_agent(const Plan& plan, const Workstream& w) {
  return w.run.empty() && !w.agents.empty() && !plan.agents_toml.empty();
}

std::string advisor(const Plan& plan, const Workstream& w) {
  if (!done_by_agent(plan, w)) return {};
  for (auto& o : plan.orchestrators)
    if (o.id == w.orchestrator) return o.agent;
  return {};
}

std::string advisor(const Plan& plan, const Gate& gate) {
  if (!checked_on_target(plan)) return {};
  for (auto& id : gate.after) {
    auto w = std::ranges::find(plan.workstreams, id, &Workstream::id);
    auto o =
        std::ranges::find(plan.orchestrators, w == plan.workstreams.end() ? id : w->orchestrator, &Orchestrator::id);
    if (o != plan.orchestrators.end() && !o->agent.empty()) return o->agent;
  }
  return {};
}

bool checked_on_target(const Plan& plan) {
  return std::ranges::any_of(plan.workstreams, [&](auto& w) { return done_by_agent(plan, w); });
}

bool merges(const Criterion& criterion) { return criterion.check == merge_check; }

}  // namespace sparky::plan
