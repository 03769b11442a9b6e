// The local executor: the conductor's side of the warden (warden/protocol.md). Finds the project's warden or starts
// it, adopts what it runs, and, should it die, starts another and reports what was lost.
#pragma once
#include <memory>

#include "executors/executor.h"

namespace sparky::executors {

struct LocalOptions {
  std::filesystem::path directory;  // the warden's: PROJECT/.sparky/warden; made if missing
  std::filesystem::path program;    // sparky-warden; empty: $SPARKY_WARDEN_PROGRAM, else beside the running program
  std::vector<std::string>
      environment;  // for attempts; empty: this process's, with its program's directory first in PATH
  unsigned slots = 1;
};

// Connects, starting the warden if there is none. Errors: Errc::busy (another daemon is connected), unavailable (a
// warden of another version still runs attempts; no program), io, full.
Result<std::unique_ptr<Executor>> connect_or_start(LocalOptions options);

}  // namespace sparky::executors
