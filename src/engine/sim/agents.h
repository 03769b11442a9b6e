// The simulated agents: sessions that cost money turn by turn, worktrees, and the target that work is merged into. Like
// files they outlive the process and its executor. Budgets are held by the product's own arithmetic.
#pragma once
#include <map>
#include <set>
#include <string>

#include "agents/usage.h"
#include "base/random.h"
#include "engine/input.h"
#include "engine/state.h"

namespace sparky::engine::sim {

// An attempt of a workstream that an agent carries out: a session, or a check of what it did, perhaps the merge.
struct AgentTask {
  AttemptId id = 0;
  RunId run = 0;
  agents::Task task;
  bool check = false, merge = false, approved = false;
};

// How the note begins of a session that asks for more of a budget; its scope and a colon follow.
inline constexpr std::string_view budget_note = "budget: ";

class Agents {
 public:
  explicit Agents(Random& random);

  // Throws Violation when another session is at work in its worktree.
  void start(const AgentTask& task);
  // Its time has come: how it ends, or nothing, then it goes on for another turn.
  std::optional<ReportEnded> turn(AttemptId id, const ReportEnded& drawn);
  // It ends without a word of its own; a merge may have moved the target before.
  void stopped(AttemptId id);

  // A person let it go on that asked about this budget.
  void granted(RunId run, const std::string& scope) { ++granted_[{run, scope}]; }
  bool has(AttemptId id) const { return working_.contains(id); }
  bool merged(RunId run, const std::string& id) const;
  // Throws Violation: money beyond the budgets and what persons granted, or spent by whom the engine does not know.
  void check(const State& live) const;

 private:
  struct Tree {
    AttemptId holder = 0;  // the session at work in it
    int work = 0;          // which state of the work its branch has; 0: none
    int merged = 0;        // which one the target has
    std::string asked;     // the budget that it asked about, and how often granted before
    int times = 0;
    bool turn_ended = false;  // as its budget did: its work is looked at before anything is spent again
  };
  struct Working {
    AgentTask task;
    agents::Usage used;
    bool look_first = false;
  };
  using Key = std::pair<RunId, std::string>;

  ReportEnded hold(AttemptId id, Tree& tree, const agents::Spent& spent);
  void write_down(const Working& w);

  Random& random_;
  agents::Budgets budgets_;
  std::map<Key, Tree> trees_;
  std::map<AttemptId, Working> working_;
  std::map<RunId, agents::Books> books_;
  std::map<Key, double> spent_;  // truly, by run and scope
  std::map<Key, int> granted_;   // by persons, by run and scope
};

}  // namespace sparky::engine::sim
