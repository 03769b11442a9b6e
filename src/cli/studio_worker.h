// What `sparky worker` can do by itself, and which workers the daemon starts for it: pictures from the model (generate,
// and load and unload of models), training (studio/train_job.h), the studio's work on pictures (studio/jobs.h), and
// commands (exec).
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/time.h"
#include "conductor/conductor.h"
#include "wire/work.h"

namespace sparky::cli {

struct WorkerFunctions {
  wire::JobFunction job;
  std::function<std::vector<std::string>()> loaded;  // models in memory now
};
// Carries out a job by its kind; `command`, if not empty, carries out all of them (conductor/exec_worker.h).
WorkerFunctions worker_functions(const std::string& command);

// The models installed here, by name, as list_models tells them.
std::vector<wire::Model> installed_models();

// What the daemon of a project starts by itself; without sparky-sprite nothing that generates. Workers end after
// `idle` without a job.
std::vector<conductor::WorkerProgram> worker_programs(const std::filesystem::path& project, Duration idle);

}  // namespace sparky::cli
