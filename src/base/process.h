// Process: runs a program to its end and collects what it says. For short helpers (git, dpkg-query, gh); attempts of a
// plan go through an executor instead.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace sparky {

struct RunOptions {
  std::filesystem::path cwd;            // empty: this process's
  std::vector<std::string> env;         // "NAME=value" over this process's environment; "NAME" alone removes
  std::string input;                    // its standard input
  Duration timeout{60'000};             // then its process group is killed; Errc::unavailable. 0: none
  bool pass_errors = false;             // its standard error goes where ours goes, and `err` stays empty
  size_t output_max_bytes = 64u << 20;  // of each stream; beyond it the group is killed; Errc::full
};

struct Finished {
  int code = 0;  // exit code, or 128 + signal
  std::string out, err;
  bool ok() const { return code == 0; }
};

// argv[0] is looked up in PATH. Errors: not_found (no such program), unavailable (timed out), full, io.
Result<Finished> run_program(const std::vector<std::string>& argv, const RunOptions& options = {});
// The same, but an exit code other than 0 is an error too (Errc::io, with the last line of what it said).
Result<std::string> run_checked(const std::vector<std::string>& argv, const RunOptions& options = {});

}  // namespace sparky
