#include "warden/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/files.h"

namespace sparky::warden {
namespace {

constexpr size_t environment_max_bytes = 4u << 20;

// The fields of /proc/PID/stat after the name in parentheses, which may itself hold spaces and parentheses.
std::optional<Process> read_process(pid_t pid) {
  char path[64], bytes[1024];
  std::snprintf(path, sizeof path, "/proc/%d/stat", int(pid));
  Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  ssize_t n = ::read(fd.get(), bytes, sizeof bytes - 1);
  if (n <= 0) return {};
  bytes[n] = '\0';
  const char* rest = std::strrchr(bytes, ')');
  if (rest == nullptr) return {};
  Process p;
  p.pid = pid;
  int parent = 0, group = 0, session = 0;
  unsigned long long started = 0;
  int got = std::sscanf(rest + 1, " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                        &p.state, &parent, &group, &session, &started);
  if (got != 5) return {};
  p.parent = parent;
  p.group = group;
  p.session = session;
  p.started_ticks = started;
  return p;
}

}  // namespace

std::vector<Process> list_processes(std::vector<Process>* dead) {
  std::vector<Process> out;
  DIR* dir = ::opendir("/proc");
  if (dir == nullptr) return out;
  while (dirent* entry = ::readdir(dir)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    auto process = read_process(pid_t(std::atol(entry->d_name)));
    if (!process) continue;
    if (process->state != 'Z' && process->state != 'X')
      out.push_back(*process);
    else if (dead != nullptr)
      dead->push_back(*process);
  }
  ::closedir(dir);
  return out;
}

uint64_t ticks_of_boot_ms(uint64_t boot_ms) { return boot_ms * uint64_t(::sysconf(_SC_CLK_TCK)) / 1000; }

Marks marks_of(pid_t pid) {
  auto text = read_file("/proc/" + std::to_string(pid) + "/environ", environment_max_bytes);
  Marks marks;
  if (!text) return marks;
  for (std::string_view rest = *text; !rest.empty();) {
    auto item = rest.substr(0, rest.find('\0'));
    if (item.starts_with("SPARKY_ATTEMPT=")) marks.attempt = item.substr(15);
    if (item.starts_with("SPARKY_WARDEN=")) marks.directory = item.substr(14);
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
  }
  return marks;
}

void send_signal(const Process& process, int signal) {
  Fd fd(int(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!fd) return;
  // The descriptor holds the pid from here on; what has it now must be what was seen.
  auto current = read_process(process.pid);
  if (!current || current->started_ticks != process.started_ticks) return;
  ::syscall(SYS_pidfd_send_signal, fd.get(), signal, nullptr, 0);
}

std::vector<Process> with_descendants(const std::vector<Process>& all, const std::vector<size_t>& roots) {
  std::unordered_multimap<pid_t, size_t> children;
  for (size_t i = 0; i < all.size(); ++i) children.emplace(all[i].parent, i);
  std::vector<bool> taken(all.size());
  std::vector<size_t> open(roots);
  std::vector<Process> out;
  while (!open.empty()) {
    size_t i = open.back();
    open.pop_back();
    if (taken[i]) continue;
    taken[i] = true;
    out.push_back(all[i]);
    auto [first, last] = children.equal_range(all[i].pid);
    for (auto it = first; it != last; ++it) open.push_back(it->second);
  }
  return out;
}

}  // namespace sparky::warden
