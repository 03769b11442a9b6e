#include "agents/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <map>

#include "base/spawn.h"
#include "base/text.h"
#include "base/time.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

constexpr int64_t linger_ms = 2000;  // who holds the output longer than this after its end is not listened to
constexpr size_t queue_max = 64u << 20;

int64_t steady_ms() {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<char*> pointers(const std::vector<std::string>& items) {
  std::vector<char*> out;
  for (auto& item : items) out.push_back(const_cast<char*>(item.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

Result<std::unique_ptr<Child>> Child::start(const ChildSpec& spec) {
  if (spec.argv.empty()) return fail(Errc::invalid, "no command was given");
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  Fd in_read(in[0]), in_write(in[1]);
  if (::pipe2(out, O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  Fd out_read(out[0]), out_write(out[1]);
  posix_spawn_file_actions_t actions;
  OwnGroup group;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in_read.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out_write.get(), 1);
  if (spec.errors_too) posix_spawn_file_actions_adddup2(&actions, out_write.get(), 2);
  posix_spawn_file_actions_addchdir_np(&actions, spec.cwd.c_str());
  std::unique_ptr<Child> child(new Child);
  int error = ::posix_spawnp(&child->pid_, spec.argv[0].c_str(), &actions, group.get(), pointers(spec.argv).data(),
                             pointers(spec.environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error) {
    child->pid_ = 0;
    return fail_errno(error, fmt::format("cannot start {}", spec.argv[0]));
  }
  ::fcntl(in_write.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(out_read.get(), F_SETFL, O_NONBLOCK);
  child->in_ = std::move(in_write);
  child->out_ = std::move(out_read);
  return child;
}

Child::~Child() {
  if (pid_ == 0) return;
  signal(SIGKILL);
  while (!status_ && ::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<std::string> Child::read() {
  std::string got;
  char buffer[65536];
  while (out_ && got.size() < (4u << 20)) {
    ssize_t n = ::read(out_.get(), buffer, sizeof buffer);
    if (n > 0) {
      got.append(buffer, size_t(n));
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      out_.reset();
    } else if (errno == EAGAIN) {
      break;
    }
  }
  if (!got.empty()) return got;
  bool ended = exit_status().has_value();
  if (ended && ended_ms_ == 0) ended_ms_ = steady_ms();
  if (ended && out_ && steady_ms() - ended_ms_ > linger_ms) out_.reset();
  if (out_) return got;
  return fail(Errc::unavailable, ended ? fmt::format("it ended with status {}", *status_) : "it closed its output");
}

void Child::send(std::string_view bytes) {
  if (!in_ || queue_.size() + bytes.size() > queue_max) return in_.reset();  // it takes nothing: it will see the end
  queue_ += bytes;
  flush();
}

void Child::flush() {
  // A write to a program that has gone must be an error here, not the end of this process: SIGPIPE is ignored by the
  // programs that use this (agent steps).
  while (in_ && !queue_.empty()) {
    ssize_t n = ::write(in_.get(), queue_.data(), queue_.size());
    if (n > 0) {
      queue_.erase(0, size_t(n));
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      in_.reset();
    }
  }
}

void Child::signal(int number) const {
  if (pid_ > 0) ::kill(-pid_, number);
}

std::optional<int> Child::exit_status() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    ended_by_ = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + ended_by_;
  }
  return status_;
}

int64_t cpu_ms(pid_t root) {
  struct Seen {
    pid_t parent;
    int64_t ticks;
  };
  std::map<pid_t, Seen> all;
  std::error_code ec;
  for (auto& entry : fs::directory_iterator("/proc", ec)) {
    auto name = entry.path().filename().string();
    pid_t pid = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    // pid (comm) state ppid …; utime, stime and those of reaped children are the fields 14 to 17 (proc(5)). The file
    // has no size, so it is read by hand.
    Fd file(::open((entry.path() / "stat").c_str(), O_RDONLY | O_CLOEXEC));
    char buffer[1024];
    ssize_t n = file ? ::read(file.get(), buffer, sizeof buffer) : -1;
    if (n <= 0) continue;
    std::string_view text(buffer, size_t(n));
    auto close = text.rfind(')');
    if (close == text.npos) continue;
    auto fields = split(text.substr(close + 2), ' ');
    if (fields.size() < 15) continue;
    auto number = [&](size_t i) {
      int64_t value = 0;
      std::from_chars(fields[i].data(), fields[i].data() + fields[i].size(), value);
      return value;
    };
    all[pid] = {pid_t(number(1)), number(11) + number(12) + number(13) + number(14)};
  }
  int64_t ticks = 0;
  for (auto& [pid, seen] : all)
    for (pid_t up = pid; up > 1;) {
      if (up == root) {
        ticks += seen.ticks;
        break;
      }
      auto it = all.find(up);
      up = it == all.end() ? 0 : it->second.parent;
    }
  return ticks * 1000 / ::sysconf(_SC_CLK_TCK);
}

}  // namespace sparky::agents
