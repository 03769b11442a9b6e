#include "engine/sim/agents.h"

#include <fmt/format.h>

#include "engine/held.h"
#include "engine/sim/violation.h"

namespace sparky::engine::sim {
namespace {

constexpr double turn_costs = 1;     // dollars
constexpr double in_flight = 4;      // turns at once, at most: none sees what the others are about to spend
constexpr double turn_percent = 50;  // of turns end by themselves

agents::Budgets random_budgets(Random& random) {
  agents::Budgets out;
  if (random.percent(40)) out.run.money = double(3 + random.below(20));
  if (random.percent(20)) out.run.retries = int64_t(2 + random.below(5));
  if (random.percent(30)) out.orchestrator.money = double(2 + random.below(10));
  if (random.percent(30)) out.workstream.money = double(1 + random.below(5));
  if (random.percent(20)) out.attempt.money = double(1 + random.below(3));
  return out;
}

}  // namespace

Agents::Agents(Random& random) : random_(random), budgets_(random_budgets(random)) {}

void Agents::start(const AgentTask& task) {
  working_[task.id] = {task, {}};
  if (task.check) return;
  auto& id = task.task.workstream.id;
  auto& tree = trees_[{task.run, id}];
  if (tree.holder != 0) throw Violation{id + ": two sessions are at work in one worktree"};
  tree.holder = task.id;
  if (task.approved && !tree.asked.empty()) agents::grant(books_[task.run].grants, tree.asked, tree.times);
  working_[task.id].look_first = task.approved && tree.turn_ended;
  tree.asked.clear();
}

std::optional<ReportEnded> Agents::turn(AttemptId id, const ReportEnded& drawn) {
  if (drawn.outcome != Outcome::exited) {
    stopped(id);
    return drawn;
  }
  auto& w = working_.at(id);
  auto& tree = trees_[{w.task.run, w.task.task.workstream.id}];
  if (w.task.check) {
    if (w.task.merge && drawn.code == 0) tree.merged = tree.work;
    working_.erase(id);
    return drawn;
  }
  auto& books = books_[w.task.run];
  if (w.used.money == 0)
    if (auto used = agents::spent(books, w.task.task, {}, budgets_); used.share >= 1) return hold(id, tree, used);
  if (!std::exchange(w.look_first, false)) {
    w.used += {.money = turn_costs, .known = true};
    write_down(w);
    tree.turn_ended = random_.percent(turn_percent);
    if (auto used = agents::spent(books, w.task.task, w.used, budgets_); used.share >= 1) return hold(id, tree, used);
    if (!tree.turn_ended) return {};
  }
  tree.turn_ended = false;
  if (drawn.code == 0) ++tree.work;
  tree.holder = 0;
  working_.erase(id);
  return drawn;
}

// As a session does: what it asks is remembered, so that an answer can be told from a mere second try.
ReportEnded Agents::hold(AttemptId id, Tree& tree, const agents::Spent& spent) {
  auto run = working_.at(id).task.run;
  tree.holder = 0;
  tree.asked = spent.scope;
  tree.times = books_[run].grants[spent.scope] + 1;
  working_.erase(id);
  return {.attempt = id,
          .code = spent.for_all() ? held_all_code : held_code,
          .duration = Duration(1000),
          .note = std::string(budget_note) + spent.scope + ": " + spent.text};
}

void Agents::write_down(const Working& w) {
  auto& task = w.task.task;
  auto& ledgers = books_[w.task.run].ledgers;
  auto mine = std::ranges::find(ledgers, task.workstream.id, &agents::Ledger::id);
  if (mine == ledgers.end())
    mine = ledgers.insert(mine, {.id = task.workstream.id, .orchestrator = {}, .attempts = {}});
  mine->orchestrator = task.workstream.orchestrator;
  mine->attempts[task.attempt] = w.used;
  mine->tries = std::max(mine->tries, task.number);
  for (auto& scope :
       {std::string("run"), "orchestrator " + task.workstream.orchestrator, "workstream " + task.workstream.id})
    spent_[{w.task.run, scope}] += turn_costs;
}

void Agents::stopped(AttemptId id) {
  auto it = working_.find(id);
  if (it == working_.end()) return;
  auto& tree = trees_[{it->second.task.run, it->second.task.task.workstream.id}];
  if (it->second.task.merge && random_.percent(50)) tree.merged = tree.work;
  if (tree.holder == id) tree.holder = 0;
  working_.erase(it);
}

bool Agents::merged(RunId run, const std::string& id) const {
  auto tree = trees_.find({run, id});
  return tree != trees_.end() && tree->second.work > 0 && tree->second.merged == tree->second.work;
}

void Agents::check(const State& live) const {
  for (auto& [id, w] : working_)
    if (!live.attempts.contains(id)) throw Violation{w.task.task.workstream.id + " spends, and nobody knows of it"};
  for (auto& [key, used] : spent_) {
    auto& [run, scope] = key;
    auto limit = scope == "run"                       ? budgets_.run.money
                 : scope.starts_with("orchestrator ") ? budgets_.orchestrator.money
                                                      : budgets_.workstream.money;
    auto granted = granted_.find(key);
    auto may = limit * (1 + (granted == granted_.end() ? 0 : granted->second));
    if (limit > 0 && used > may + in_flight)
      throw Violation{fmt::format("run {}: {} has used ${} of ${}", run, scope, used, may)};
  }
}

}  // namespace sparky::engine::sim
