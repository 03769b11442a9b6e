// The world of one seed: the engine, and a simulated warden that runs Sparky's own steps of agents' workstreams
// (session, check, merge) for real, in real repositories, one after the other in random order. Steps are stopped at
// random git commands, the daemon starts anew from its journal, others commit to the target, people answer; then the
// faults stop and everything must end well.
#pragma once
#include <memory>

#include "agents/sim/checker.h"
#include "agents/task.h"

namespace sparky::agents::sim {

struct Summary {
  size_t steps = 0, sessions = 0, stopped = 0, merged = 0, answers = 0, restarts = 0;
};

class World {
 public:
  // `quiet`: what the steps print is dropped.
  World(uint64_t seed, bool quiet);
  Summary play();  // throws Violation

 private:
  plan::Plan make_plan();
  void take(const std::vector<engine::Input>& inputs);
  void commit(const engine::Event& event);
  void perform(const engine::Effect& effect);
  void turn();
  void run_one();
  void run(engine::AttemptId id);
  void stand_in_line(engine::AttemptId id);
  int carry_out(const Task& task, bool& killed);
  void people();
  void restart();
  void clean_up();
  void settle();
  bool finished() const;

  struct Waiting {
    engine::AttemptId attempt = 0;
    std::string id;
    Fd place;
  };

  Random random_;
  std::vector<std::string> ids_;
  Place place_;
  Checker checker_;
  bool quiet_, faults_ = true;
  Time now_{Duration{1'700'000'000'000}};
  std::unique_ptr<engine::Engine> engine_;
  std::vector<std::string> journal_;
  std::set<engine::AttemptId> pending_;
  std::vector<Waiting> waiting_;  // in the merge queue, in the order of their coming
  Summary summary_;
};

}  // namespace sparky::agents::sim
