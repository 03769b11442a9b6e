#include "plan/by_agent.h"

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

bool merges(const Criterion& criterion) { return criterion.check == merge_check; }

}  // namespace sparky::plan
