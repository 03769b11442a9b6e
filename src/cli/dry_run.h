// sparky run --dry-run: what would run, in order.
#pragma once
#include "base/error.h"

namespace sparky::wire {
struct StartRun;
}

namespace sparky::cli {
struct Context;

// Reads and checks the plan and prints its steps; gives the exit code.
Result<int> dry_run(const Context& context, const wire::StartRun& what);

}  // namespace sparky::cli
