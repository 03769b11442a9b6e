// LocalWorkers: the workers that the daemon starts by itself, through the warden, when a job waits that they can do.
// One process of each program at a time. It connects like any worker, outlives the daemon like any attempt, and ends by
// itself when it has had nothing to do for a while.
#pragma once
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "conductor/conductor.h"
#include "conductor/ledger.h"
#include "executors/executor.h"

namespace sparky::conductor {

class LocalWorkers {
 public:
  using Clock = std::chrono::steady_clock;

  LocalWorkers(const Ledger& ledger, std::vector<WorkerProgram> programs)
      : ledger_(ledger), programs_(std::move(programs)) {}

  // Starts what jobs wait for, and ends a worker that has nothing to do and lacks what they need.
  void tick(executors::Executor& executor);
  // Ends those that have nothing to do: the daemon ends.
  void dismiss(executors::Executor& executor);

  // Whether an executor's name of an attempt is that of a local worker.
  static bool is_one(const std::string& attempt) { return attempt.starts_with(mark); }
  // What the executor says about one. The name of a worker that is gone, if it said so.
  std::optional<std::string> take(const executors::ExecutorEvent& event, executors::Executor& executor);

  const std::vector<WorkerProgram>& programs() const { return programs_; }
  Json describe() const;  // for `inspect`: [{"name", "kinds", "running", "trouble"?}]

 private:
  static constexpr std::string_view mark = "worker-";
  struct Post {
    std::string attempt;  // of its process; empty: none runs
    bool dismissed = false;
    int failures = 0;  // in a row
    Clock::time_point rest_until{};
    std::string trouble;  // why the last one ended, if that was not in order
  };

  bool wanted(const WorkerProgram& program, const std::vector<std::string>* models) const;
  const engine::Worker* connected(const WorkerProgram& program) const;
  void start(const WorkerProgram& program, Post& post, executors::Executor& executor);

  const Ledger& ledger_;
  std::vector<WorkerProgram> programs_;
  std::map<std::string, Post> posts_;  // by the program's name
};

// The name by which the daemon knows a program's worker.
std::string local_worker_name(const WorkerProgram& program);

}  // namespace sparky::conductor
