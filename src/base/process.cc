#include "base/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/files.h"
#include "base/spawn.h"
#include "base/text.h"

namespace sparky {
namespace {

struct Pipe {
  Fd read, write;
};
Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  return Pipe{Fd(fds[0]), Fd(fds[1])};
}

std::vector<std::string> merged_environment(const std::vector<std::string>& changes) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry; ++entry) {
    std::string_view text = *entry;
    auto name = text.substr(0, text.find('='));
    bool changed = std::ranges::any_of(changes, [&](std::string_view c) { return c.substr(0, c.find('=')) == name; });
    if (!changed) out.emplace_back(text);
  }
  for (auto& change : changes)
    if (change.find('=') != change.npos) out.push_back(change);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

// Feeds and drains the three pipes until both outputs are closed. An error means: kill it.
Status converse(Pipe& in, Pipe& out, Pipe& err, Finished& result, const RunOptions& options) {
  using clock = std::chrono::steady_clock;
  auto end = clock::now() + options.timeout;
  size_t fed = 0;
  for (int fd : {in.write.get(), out.read.get(), err.read.get()}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  if (options.input.empty()) in.write.reset();
  while (out.read || err.read) {
    pollfd wait[] = {{in.write.get(), POLLOUT, 0}, {out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}};
    auto left = std::chrono::duration_cast<Duration>(end - clock::now()).count();
    if (options.timeout.count() == 0) left = 60'000;
    if (left <= 0) return fail(Errc::unavailable, fmt::format("it did not end within {}", human(options.timeout)));
    if (::poll(wait, 3, int(std::min<int64_t>(left, 60'000))) < 0 && errno != EINTR)
      return fail_errno(errno, "cannot wait for it");
    if (wait[0].revents) {
      ssize_t n = ::write(in.write.get(), options.input.data() + fed, options.input.size() - fed);
      if (n > 0) fed += size_t(n);
      if ((n < 0 && errno != EAGAIN) || fed == options.input.size()) in.write.reset();
    }
    for (auto [pipe, text, ready] :
         {std::tuple{&out, &result.out, wait[1].revents}, {&err, &result.err, wait[2].revents}}) {
      if (!ready) continue;
      char buffer[65536];
      ssize_t n = ::read(pipe->read.get(), buffer, sizeof buffer);
      if (n > 0)
        text->append(buffer, size_t(n));
      else if (n == 0 || errno != EAGAIN)
        pipe->read.reset();
      if (text->size() > options.output_max_bytes)
        return fail(Errc::full, fmt::format("it printed more than {} bytes", options.output_max_bytes));
    }
  }
  return {};
}

Result<pid_t> spawn(const std::vector<std::string>& argv, const RunOptions& options, Pipe& in, Pipe& out, Pipe& err) {
  posix_spawn_file_actions_t actions;
  OwnGroup group;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), 1);
  if (!options.pass_errors) posix_spawn_file_actions_adddup2(&actions, err.write.get(), 2);
  if (!options.cwd.empty()) posix_spawn_file_actions_addchdir_np(&actions, options.cwd.c_str());
  auto words = argv;
  auto environment = merged_environment(options.env);
  pid_t pid = 0;
  int error =
      posix_spawnp(&pid, words[0].c_str(), &actions, group.get(), pointers(words).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error) return fail_errno(error, fmt::format("cannot run {}", argv[0]));
  return pid;
}

}  // namespace

Result<Finished> run_program(const std::vector<std::string>& argv, const RunOptions& options) {
  if (argv.empty()) return fail(Errc::invalid, "no command was given");
  SPARKY_ASSIGN(auto in, make_pipe());
  SPARKY_ASSIGN(auto out, make_pipe());
  SPARKY_ASSIGN(auto err, make_pipe());
  SPARKY_ASSIGN(pid_t pid, spawn(argv, options, in, out, err));
  in.read.reset();
  out.write.reset();
  err.write.reset();
  // A write to a program that has gone must be an error here, not the end of this process.
  sigset_t pipe_signal, before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  Finished result;
  auto talked = converse(in, out, err, result, options);
  timespec at_once{};
  while (sigtimedwait(&pipe_signal, nullptr, &at_once) > 0) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!talked) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!talked)
    return fail(talked.error().code, fmt::format("{}: {}", argv[0], talked.error().message), talked.error().help);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

Result<std::string> run_checked(const std::vector<std::string>& argv, const RunOptions& options) {
  SPARKY_ASSIGN(auto finished, run_program(argv, options));
  if (finished.ok()) return std::move(finished.out);
  auto said = trim(finished.err.empty() ? finished.out : finished.err);
  return fail(Errc::io, fmt::format("{} ended with {}: {}", fmt::join(argv, " "), finished.code, said.substr(0, 2000)));
}

}  // namespace sparky
