// The world of one seed: clock, disk, executor, workers, operators and the process that the engine lives in. It
// crashes, is restarted from its disk, hears things late, twice or never; then the faults stop and everything must end.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/engine.h"
#include "engine/sim/checker.h"
#include "engine/sim/executor.h"

namespace sparky::engine::sim {

struct Summary {
  size_t events = 0, inputs = 0, crashes = 0, attempts = 0, refused = 0;
};

class World {
 public:
  explicit World(uint64_t seed) : random_{seed}, agents_(random_), executor_(random_, agents_) {}
  // Throws Violation.
  Summary play();

 private:
  void submit();
  void step();
  void pass_time();
  void take(const std::vector<Input>& inputs);
  bool commit(const std::vector<Event>& events);
  void perform(const std::vector<Effect>& effects);
  void start(AttemptId id);
  std::optional<AgentTask> agent_task(const Attempt& a) const;
  void crash();
  void restart();
  void reconcile();
  void operate();
  void operate_jobs();
  void lie();
  void work();  // workers: join, leave, report
  void settle();
  std::string some_node();
  RunId some_run();

  struct Lease {
    AttemptId attempt = 0;
    Time end{};
    ReportEnded report;
  };
  struct FakeWorker {
    WorkerSpec spec;
    bool here = false;
    std::vector<Lease> leases;
  };

  Random random_;
  Agents agents_;
  Executor executor_;
  Time now_{Duration{1'700'000'000'000}};
  Duration clock_error_{0};  // the clock that the process reads jumps
  bool faults_ = true;
  std::unique_ptr<Engine> engine_;
  std::vector<std::string> disk_;
  std::vector<Input> inbox_;
  std::vector<FakeWorker> workers_;
  Checker checker_{agents_};
  Summary summary_;
};

}  // namespace sparky::engine::sim
