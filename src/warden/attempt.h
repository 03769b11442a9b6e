// An attempt: what is to be run, and how it ended. The same for every executor.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/time.h"

namespace sparky::warden {

// What an attempt's standard input and output are connected to.
enum class Stdio : uint8_t {
  log,   // input empty; output and errors go to the log
  talk,  // input by input(); output to `output`, a file of its own, told by output events; errors to the log
};

struct AttemptSpec {
  std::string id;                 // unique for all time within the project; 1 to 200 bytes, no NUL, '=' or newline
  std::vector<std::string> argv;  // the program (looked up in the attempt's PATH) and its arguments, or empty for
  std::string command;            // a command line for `sh -c`
  std::filesystem::path cwd;      // absolute
  // "NAME=value" over the environment that Sparky itself has; "NAME" alone removes. SPARKY_ATTEMPT=id is added.
  std::vector<std::string> env;
  std::filesystem::path log;           // absolute; parents are made; a command that prints nothing leaves no file
  uint64_t log_max_bytes = 16u << 20;  // beyond it the first and the last half are kept, with a line on what was cut
  Duration timeout{0};                 // 0: none. Then SIGTERM, `grace`, SIGKILL, to the whole process tree
  Duration grace{10'000};              // also for what is left running when the main process has exited
  Stdio stdio = Stdio::log;
  std::filesystem::path output;  // with Stdio::talk: the file for standard output; not capped
  bool beyond_slots = false;     // starts at once and takes no slot: others may wait for what it does
};

enum class Ending : uint8_t {
  exited,       // with a code
  signaled,     // by a signal
  spawn_error,  // the program could not be started; `note` says why, and what would be right
  lost,         // the executor's process died under it (or was told to stop); what remained was killed
};

struct Exit {
  Ending ending = Ending::exited;
  int code = 0;  // exit code, signal number, errno of the spawn error; 0 when lost
  bool timed_out = false;
  bool cancelled = false;
  Time started{}, ended{};  // wall clock; ended is when the last process of the tree was gone
  Duration duration{};      // from start to end by a clock that does not jump; 0 when lost
  Duration cpu_user{}, cpu_system{};
  uint64_t memory_max_bytes = 0;  // largest resident set of one process in the tree
  uint64_t output_bytes = 0;      // all that it printed
  uint64_t log_cut_bytes = 0;     // of these, not kept in the log
  uint32_t strays = 0;            // processes it left behind, which were killed
  std::string note;               // for a person: why it was not started, who was left behind, what the log lacks

  bool ok() const { return ending == Ending::exited && code == 0 && !timed_out && !cancelled; }
};

}  // namespace sparky::warden
