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

namespace sparky::engine::sim {

// An invariant that does not hold: thrown by whoever sees it, printed with the seed.
struct Violation {
  std::string what;
};

class Executor {
 public:
  explicit Executor(Random& random) : random_(random) {}

  void start(AttemptId id);  // idempotent
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
  uint32_t slots_ = 1;
  bool healthy_ = false;
  std::deque<AttemptId> waiting_;
  std::map<AttemptId, Running> running_;
  std::map<AttemptId, Input> ended_;  // not forgotten yet: a ReportEnded or ReportRecalled
  std::set<AttemptId> ever_started_, forgotten_;
  std::vector<Input> said_;
};

}  // namespace sparky::engine::sim
