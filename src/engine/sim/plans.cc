#include "engine/sim/plans.h"

#include <algorithm>

#include "plan/by_agent.h"
#include "plan/sample.h"

namespace sparky::engine::sim {
namespace {

plan::Criterion check(Random& random) {
  plan::Criterion c{.text = "holds", .check = "true"};
  if (random.percent(15)) c.needs_facts = {"gpu"};
  return c;
}

void decorate(Random& random, plan::Workstream& w) {
  w.criteria.clear();
  w.agents.clear();
  switch (random.below(6)) {
    case 0:  // exit status alone
      w.run = "work";
      w.accept_exit_status = true;
      break;
    case 1:  // checked
    case 2:
      w.run = "work";
      for (size_t n = 1 + random.below(3); n > 0; --n) w.criteria.push_back(check(random));
      break;
    case 3:  // checked and looked at; or nothing at all verifies it
      w.run = "work";
      if (random.percent(80)) w.criteria = {check(random), {.text = "looks right", .manual = true}};
      break;
    case 4:  // by hand
      w.criteria = {{.text = "done by hand", .manual = true}};
      if (random.percent(50)) w.criteria.push_back(check(random));
      break;
    case 5:  // by an agent, looked at perhaps, and merged
      w.agents = {"coder"};
      w.criteria = {check(random)};
      if (random.percent(50)) w.criteria.push_back({.text = "looks right", .manual = true});
      w.criteria.push_back({.text = "merged", .check = std::string(plan::merge_check)});
      break;
  }
  if (random.percent(50))
    w.retries = {int(1 + random.below(3)), Duration(1 + random.below(60'000)), 2, Duration(300'000)};
  if (random.percent(30)) w.on_lost = plan::OnLost::ask;
  if (random.percent(25)) w.needs["gpu"] = 1;
  if (random.percent(15)) w.needs["license"] = int(1 + random.below(2));
  if (random.percent(30)) w.duration.reset();
}

}  // namespace

plan::Plan random_plan(Random& random) {
  auto plan =
      plan::sample_plan(random.next(), {.workstreams = 1 + random.below(16), .per_orchestrator = 1 + random.below(5)});
  plan.agents_toml = "[agents.coder]\n";
  plan.limits = {{"gpu", 1}, {"license", 2}};
  plan.untestable_passes = random.percent(30);
  if (random.percent(50)) plan.stall = Duration(1 + random.below(3'600'000));
  for (auto& w : plan.workstreams) decorate(random, w);
  for (auto& o : plan.orchestrators)
    if (random.percent(30)) o.jobs = int(1 + random.below(2));
  for (auto& o : plan.orchestrators) o.agent = random.percent(30) ? "lead" : "";
  for (auto& g : plan.gates) g.criteria.clear();
  if (plan.orchestrators.size() > 1 && random.percent(70))
    plan.gates.push_back(
        {.id = "first-gate", .after = {plan.orchestrators[0].id}, .before = {plan.orchestrators[1].id}});
  for (auto& g : plan.gates) {
    for (size_t n = random.below(3); n > 0; --n) g.criteria.push_back(check(random));
    if (random.percent(25)) g.criteria.push_back({.text = "somebody agrees", .manual = true});
  }
  return plan;
}

plan::Plan changed_plan(Random& random, const plan::Plan& before) {
  auto plan = before;
  auto& all = plan.workstreams;
  if (all.empty() || random.percent(50)) {
    plan::Workstream w{
        .id = "NEW-" + std::to_string(random.below(1000)), .name = "new", .orchestrator = plan.orchestrators[0].id};
    decorate(random, w);
    bool taken = std::ranges::any_of(all, [&](auto& other) { return other.id == w.id; });
    if (!taken) all.insert(all.begin() + long(random.below(all.size() + 1)), w);
  } else if (random.percent(50)) {
    random.pick(all).run += " differently";
  } else {
    all.erase(all.begin() + long(random.below(all.size())));
  }
  if (random.percent(20)) plan.limits["gpu"] = int(1 + random.below(2));
  return plan;
}

}  // namespace sparky::engine::sim
