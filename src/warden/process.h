// Processes as /proc shows them: who belongs to an attempt, and signals that cannot hit a stranger.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sparky::warden {

struct Process {
  pid_t pid = 0, parent = 0, group = 0, session = 0;
  char state = '?';            // Z: dead, waiting to be reaped
  uint64_t started_ticks = 0;  // since boot, in clock ticks; with the pid it names a process for good
};

// All that are there; those who are dead and wait to be reaped go into `dead`, if given. Not of one moment: a process
// that is born while another one dies may be missed, and then its parent is among the dead.
std::vector<Process> list_processes(std::vector<Process>* dead = nullptr);
uint64_t ticks_of_boot_ms(uint64_t boot_ms);

// The marks in a process's environment: SPARKY_ATTEMPT, and SPARKY_WARDEN, the directory of the warden it belongs to
// (two projects may use the same attempt id). Empty where missing or not readable.
struct Marks {
  std::string attempt, directory;
};
Marks marks_of(pid_t pid);

// Signals exactly this process: does nothing if its pid has gone to another one.
void send_signal(const Process& process, int signal);

// All of `roots` (by index into `all`) and their descendants.
std::vector<Process> with_descendants(const std::vector<Process>& all, const std::vector<size_t>& roots);

}  // namespace sparky::warden
