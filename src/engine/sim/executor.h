// The simulated executor: a warden with slots that runs attempts, tells what happened until it is told to forget it,
// and dies now and then. What an attempt does is drawn when it starts.
#pragma once
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/input.h"
#include "engine/sim/agents.h"
#include "engine/sim/violation.h"

namespace sparky::engine::sim {

class Executor {
 public:
  Executor(Random& random, Agents& agents) : random_(random), agents_(agents) {}

  void start(AttemptId id, std::optional<AgentTask> agent = {});  // idempotent
  void cancel(AttemptId id, Time now);
  void recall(AttemptId id);
  void forget(AttemptId id);
  void set_slots(uint32_t slots) { slots_ = slots; }

  void advance(Time now);     // starts what fits, ends what is due
  void die(Time now);         // all that runs is lost; all that waits was never started
  std::vector<Input> told();  // what it says since last asked; may say it twice, or lose it until tell_again()
  void tell_again();          // after a reconnect: everything that was not forgotten
  bool knows(AttemptId id) const;
  std::optional<Time> next() const;  // when something ends by itself
  void heal(Time now);               // faults stop: from now on all work succeeds soon; what is stuck ends

 private:
  struct Running {
    Time end{};
    ReportEnded report;
    bool stuck = false;  // ends only when it is cancelled
  };
  void end(AttemptId id, ReportEnded report);
  void tell(Input input);

  Random& random_;
  Agents& agents_;
  std::map<AttemptId, AgentTask> agent_tasks_;
  uint32_t slots_ = 1;
  bool healthy_ = false;
  std::deque<AttemptId> waiting_;
  std::map<AttemptId, Running> running_;
  std::map<AttemptId, Input> ended_;  // not forgotten yet: a ReportEnded or ReportRecalled
  std::set<AttemptId> ever_started_, forgotten_;
  std::vector<Input> said_;
};

}  // namespace sparky::engine::sim
