// The worker of kind `exec`: carries out jobs by running commands.
#pragma once
#include <string>

#include "wire/work.h"

namespace sparky::conductor {

// For wire::work(). With an empty `command`, each job's request has one: {"command": "…"}; it goes through `sh -c`.
// The command finds the request as JSON on its standard input, and SPARKY_JOB, SPARKY_ATTEMPT and SPARKY_OUTPUT (an
// empty directory: what it leaves there is the job's result) in its environment. `::progress 0.5 stage` on its output
// is progress. The result tells its exit code and the end of its output. Cancelling kills its process group.
wire::JobFunction exec_function(std::string command = {});

}  // namespace sparky::conductor
