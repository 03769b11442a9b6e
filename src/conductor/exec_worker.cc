#include "conductor/exec_worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"

namespace sparky::conductor {
namespace fs = std::filesystem;

namespace {

constexpr size_t output_kept = 64 << 10, file_max = 8 << 20;

// A temporary directory that goes away again.
struct Directory {
  fs::path path;
  Directory() {
    auto text = (fs::temp_directory_path() / "sparky-job-XXXXXX").string();
    if (::mkdtemp(text.data())) path = text;
  }
  ~Directory() {
    std::error_code ec;
    if (!path.empty()) fs::remove_all(path, ec);
  }
};

Result<pid_t> start(const std::string& command, const std::vector<std::string>& more_env, int input, int output) {
  std::vector<std::string> env;
  for (char** e = environ; *e; ++e) env.emplace_back(*e);
  env.insert(env.end(), more_env.begin(), more_env.end());
  std::vector<char*> envp;
  for (auto& e : env) envp.push_back(e.data());
  envp.push_back(nullptr);
  std::string sh = "/bin/sh", c = "-c", text = command;
  char* argv[] = {sh.data(), c.data(), text.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  posix_spawnattr_t attr;
  posix_spawnattr_init(&attr);
  sigset_t none, pipe;
  sigemptyset(&none);
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  posix_spawnattr_setsigmask(&attr, &none);
  posix_spawnattr_setsigdefault(&attr, &pipe);
  posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  int err = posix_spawn(&pid, sh.c_str(), &actions, &attr, argv, envp.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attr);
  if (err) return fail_errno(err, "cannot start the command");
  return pid;
}

// "::progress 0.65 stage text" tells progress; everything else is output.
void look_for_progress(std::string& line_buffer, std::string_view bytes, wire::JobHandle& job) {
  constexpr std::string_view mark = "::progress ";
  line_buffer += bytes;
  for (size_t end; (end = line_buffer.find('\n')) != line_buffer.npos; line_buffer.erase(0, end + 1)) {
    std::string_view line(line_buffer.data(), end);
    if (!line.starts_with(mark)) continue;
    line.remove_prefix(mark.size());
    double fraction = 0;
    auto [rest, err] = std::from_chars(line.data(), line.data() + line.size(), fraction);
    if (err != std::errc{} || !(fraction >= 0 && fraction <= 1)) continue;
    auto stage = trim(std::string_view(rest, size_t(line.data() + line.size() - rest)));
    job.progress(stage.empty() ? "sampling" : stage, int64_t(fraction * 100), 100, fraction);
  }
  if (line_buffer.size() > 4096) line_buffer.clear();
}

// Reads until the command has closed its output or the job is cancelled, which kills its whole group.
std::string follow(pid_t pid, int output, wire::JobHandle& job) {
  std::string kept, line;
  char buffer[16384];
  for (bool killed = false;;) {
    pollfd items[] = {{output, POLLIN, 0}, {killed ? -1 : job.cancel_fd(), POLLIN, 0}};
    if (::poll(items, 2, killed ? 1000 : -1) <= 0) {
      if (killed) return kept;  // somebody outside the group holds the pipe
      continue;
    }
    if (items[1].revents) {
      ::kill(-pid, SIGKILL);
      killed = true;
    }
    if (!items[0].revents) continue;
    ssize_t n = ::read(output, buffer, sizeof buffer);
    if (n <= 0) return kept;
    kept.append(buffer, size_t(n));
    if (kept.size() > 2 * output_kept) kept.erase(0, kept.size() - output_kept);
    look_for_progress(line, {buffer, size_t(n)}, job);
  }
}

Result<wire::Made> carry_out(const std::string& fixed, const wire::Lease& lease, wire::JobHandle& job) {
  auto command = fixed;
  if (command.empty() && lease.request && lease.request->is_object() && lease.request->contains("command") &&
      (*lease.request)["command"].is_string())
    command = (*lease.request)["command"].get<std::string>();
  if (command.empty()) return fail(Errc::invalid, "the job's request has no \"command\"", "{\"command\": \"…\"}");
  Directory directory;
  if (directory.path.empty()) return fail_errno(errno, "cannot make a temporary directory");
  auto made = directory.path / "output", request = directory.path / "request.json";
  SPARKY_TRY(make_directories(made));
  SPARKY_TRY(write_file_atomic(request, json_text(lease.request ? *lease.request : Json::object()), {.sync = false}));
  Fd input(::open(request.c_str(), O_RDONLY | O_CLOEXEC));
  int ends[2];
  if (!input || ::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  Fd output(ends[0]), theirs(ends[1]);
  SPARKY_ASSIGN(pid_t pid, start(command,
                                 {"SPARKY_JOB=" + lease.job, fmt::format("SPARKY_ATTEMPT=job-{}", lease.attempt),
                                  "SPARKY_OUTPUT=" + made.string()},
                                 input.get(), theirs.get()));
  theirs.reset();
  auto said = follow(pid, output.get(), job);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ::kill(-pid, SIGKILL);  // what it left behind
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (said.size() > output_kept) said.erase(0, said.size() - output_kept);
  if (code != 0) {
    auto last = trim(said);
    last = last.substr(last.rfind('\n') == last.npos ? 0 : last.rfind('\n') + 1);
    return fail(Errc::io, fmt::format("the command ended with {}: {}", code, printable(last.substr(0, 500))));
  }
  wire::Made result{wire::document({{"exit_code", code}, {"output", printable(said)}}), {}};
  std::vector<fs::path> files;
  for (auto& entry : fs::directory_iterator(made)) files.push_back(entry.path());
  std::ranges::sort(files);
  for (auto& file : files) {
    SPARKY_ASSIGN(auto bytes, read_file(file, file_max));
    result.files.push_back({file.filename().string(), {std::move(bytes)}, {}});
  }
  return result;
}

}  // namespace

wire::JobFunction exec_function(std::string command) {
  return [command = std::move(command)](const wire::Lease& lease, wire::JobHandle& job) {
    return carry_out(command, lease, job);
  };
}

}  // namespace sparky::conductor
