#include "telemetry/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "base/files.h"

namespace sparky::telemetry {
namespace fs = std::filesystem;

namespace {

constexpr size_t output_bytes_max = 256u << 20;

// What posix_spawn needs, freed together.
struct Actions {
  posix_spawn_file_actions_t files;
  Actions() { posix_spawn_file_actions_init(&files); }
  ~Actions() { posix_spawn_file_actions_destroy(&files); }
  Actions(const Actions&) = delete;
};

std::vector<std::string> environment_with(const std::vector<std::string>& variables) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry; ++entry) {
    std::string_view name = std::string_view(*entry).substr(0, std::string_view(*entry).find('=') + 1);
    bool replaced = false;
    for (const auto& variable : variables) replaced = replaced || variable.starts_with(name);
    if (!replaced) out.emplace_back(*entry);
  }
  out.insert(out.end(), variables.begin(), variables.end());
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

// Waits for the end; kills the program when its time is over.
Result<int> await(pid_t pid, Duration timeout, const std::string& name) {
  bool late = false;
  if (timeout.count() > 0) {
    Fd process(int(::syscall(SYS_pidfd_open, pid, 0)));
    pollfd waiting{process.get(), POLLIN, 0};
    int ready = 0;
    while ((ready = ::poll(&waiting, 1, int(timeout.count()))) < 0 && errno == EINTR) {
    }
    late = ready == 0;
    if (late) ::kill(-pid, SIGKILL);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return fail_errno(errno, fmt::format("cannot wait for {}", name));
  if (late) return fail(Errc::unavailable, fmt::format("{} gave no answer within {}", name, human(timeout)));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string read_all(int fd) {
  std::string out;
  off_t size = ::lseek(fd, 0, SEEK_END);
  if (size <= 0) return out;
  out.resize(std::min(size_t(size), output_bytes_max));
  size_t have = 0;
  while (have < out.size()) {
    ssize_t n = ::pread(fd, out.data() + have, out.size() - have, off_t(have));
    if (n <= 0) break;
    have += size_t(n);
  }
  out.resize(have);
  return out;
}

}  // namespace

Result<ProcessResult> run_process(const std::vector<std::string>& argv, const ProcessOptions& options) {
  if (argv.empty()) return fail(Errc::invalid, "no command was given");
  Fd out(::memfd_create("stdout", MFD_CLOEXEC));  // a file, so that nobody has to empty a pipe meanwhile
  if (!out) return fail_errno(errno, "cannot make a file in memory");
  Actions actions;
  posix_spawn_file_actions_addopen(&actions.files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions.files, out.get(), 1);
  if (options.quiet) posix_spawn_file_actions_addopen(&actions.files, 2, "/dev/null", O_WRONLY, 0);
  if (!options.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions.files, options.directory.c_str());

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  if (options.timeout.count() > 0) {  // a group of its own, so that its children can be killed with it
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
  }
  auto arguments = argv;
  auto variables = environment_with(options.variables);
  pid_t pid = 0;
  int error = posix_spawnp(&pid, argv[0].c_str(), &actions.files, &attributes, pointers(arguments).data(),
                           pointers(variables).data());
  posix_spawnattr_destroy(&attributes);
  if (error) return fail_errno(error, fmt::format("cannot run {}", argv[0]));
  SPARKY_ASSIGN(int exit, await(pid, options.timeout, argv[0]));
  return ProcessResult{exit, read_all(out.get())};
}

Result<TemporaryDirectory> TemporaryDirectory::make() {
  std::error_code ec;
  auto name = (fs::temp_directory_path(ec) / "sparky-XXXXXX").string();
  if (!::mkdtemp(name.data())) return fail_errno(errno, "cannot make a temporary directory", "check TMPDIR");
  return TemporaryDirectory(name);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ec;
  if (!path_.empty()) fs::remove_all(path_, ec);
}

}  // namespace sparky::telemetry
