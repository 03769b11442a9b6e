// Process: runs one program to its end and returns what it wrote to stdout. For short tools (`gcc --version`), not
// for attempts of a plan: those belong to the warden.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace sparky::telemetry {

struct ProcessOptions {
  std::filesystem::path directory;     // empty: the present one
  std::vector<std::string> variables;  // "NAME=value", over the environment
  Duration timeout{0};                 // 0: none; after it the program is killed (Errc::unavailable)
  bool quiet = true;                   // stderr goes to /dev/null, else where ours goes
};

struct ProcessResult {
  int exit = 0;  // the exit status, or 128 + the signal that ended it
  std::string out;
};

// stdin is /dev/null. Errors: not_found — no such program; io.
Result<ProcessResult> run_process(const std::vector<std::string>& argv, const ProcessOptions& options = {});

// A new directory under the system's temporary one, removed with everything in it at the end.
class TemporaryDirectory {
 public:
  static Result<TemporaryDirectory> make();
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace sparky::telemetry
