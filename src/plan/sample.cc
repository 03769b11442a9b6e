#include "plan/sample.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"

namespace sparky::plan {
namespace {

std::string awkward_text(Random& random) {
  static constexpr std::string_view pieces[] = {"plain", " ", "\"",     "\\", "\n",      "\t",   "é",
                                                "🎮",    "'", "\"\"\"", "#",  "${HOME}", "\x01", "\r\n"};
  std::string out = "t";
  for (size_t n = random.below(6); n > 0; --n) out += pieces[random.below(std::size(pieces))];
  return out;
}

void enrich(Random& random, Plan& plan, Workstream& w) {
  w.agents = {"ai-engineer", "python-pro"};
  w.agents.resize(random.below(3));
  w.spec = awkward_text(random) + ".md";
  w.deliverables = {awkward_text(random), "out/*.png"};
  w.run = awkward_text(random);
  w.accept_exit_status = random.one_in(2);
  w.env = {{"NAME", awkward_text(random)}};
  w.timeout = Duration(random.below(100'000));
  w.retries = {int(random.below(4)), Duration(1 + random.below(5000)), 1.5, Duration(60'000)};
  w.on_lost = random.one_in(2) ? OnLost::ask : OnLost::retry;
  w.needs = {{"gpu", 1}};
  plan.limits = {{"gpu", 2}};
  Criterion check{.text = awkward_text(random), .check = awkward_text(random), .needs_facts = {"gpu", "arm64"}};
  check.red_first = random.one_in(2);
  check.timeout = Duration(1500);
  w.criteria.push_back(check);
}

}  // namespace

Plan sample_plan(uint64_t seed, SampleOptions options) {
  Random random{seed};
  Plan plan;
  plan.name = "sample";
  plan.files = {"sample.toml"};
  size_t groups = std::max<size_t>(1, (options.workstreams + options.per_orchestrator - 1) / options.per_orchestrator);
  plan.orchestrators.reserve(groups);
  plan.workstreams.reserve(options.workstreams);
  for (size_t g = 0; g < groups; ++g) {
    Orchestrator o;
    o.id = fmt::format("group-{}", g + 1);
    o.phase = Phase(random.below(4));
    if (random.one_in(2)) o.milestones = {"M0", "M1"};
    if (options.rich) o.jobs = int(random.below(3)), o.name = awkward_text(random);
    plan.orchestrators.push_back(std::move(o));
  }
  for (size_t i = 0; i < options.workstreams; ++i) {
    Workstream w;
    w.id = fmt::format("WS-{:02}", i + 1);
    w.name = fmt::format("Workstream {}", i + 1);
    w.orchestrator = plan.orchestrators[i / options.per_orchestrator].id;
    w.milestone = i % options.per_orchestrator < options.per_orchestrator / 2 ? "M0" : "M1";
    w.priority = Priority(random.below(4));
    double days = double(1 + random.below(8));
    w.duration = Days{days, days + double(random.below(4))};
    // Dependencies reach back a little way only, so that the plan stays wide and deep alike.
    for (size_t n = random.below(size_t(options.dependencies_max) + 1); n > 0 && i > 0; --n) {
      auto on = plan.workstreams[i - 1 - random.below(std::min<size_t>(i, 30))].id;
      if (std::find(w.depends_on.begin(), w.depends_on.end(), on) == w.depends_on.end()) w.depends_on.push_back(on);
    }
    w.criteria.push_back({.text = "it is there", .manual = true});
    if (options.rich) enrich(random, plan, w);
    plan.workstreams.push_back(std::move(w));
  }
  // A gate after every third group blocks a later group: earlier never waits for later, so nothing can be a cycle.
  for (size_t g = 2; g + 1 < groups; g += 3) {
    Gate gate;
    gate.id = fmt::format("gate-{}", g);
    gate.after = {plan.orchestrators[g].id};
    gate.before = {plan.orchestrators[g + 1 + random.below(std::min<size_t>(groups - g - 1, 5))].id};
    gate.criteria.push_back({.text = "someone agrees", .manual = true});
    if (options.rich) gate.due = random.one_in(2) ? "week 3" : "2026-05-01";
    plan.gates.push_back(std::move(gate));
  }
  return plan;
}

}  // namespace sparky::plan
