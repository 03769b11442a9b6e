#include "warden/spawner.h"

#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace sparky::warden {
namespace {

std::string find_program(const std::string& name, const std::vector<std::string>& environment) {
  if (name.find('/') != name.npos) return name;
  std::string_view path = "/usr/local/bin:/usr/bin:/bin";
  for (auto& item : environment)
    if (item.starts_with("PATH=")) path = std::string_view(item).substr(5);
  while (!path.empty()) {
    auto dir = path.substr(0, path.find(':'));
    auto candidate = std::string(dir.empty() ? "." : dir) + "/" + name;
    struct stat st{};
    if (::stat(candidate.c_str(), &st) == 0 && S_ISREG(st.st_mode) && ::access(candidate.c_str(), X_OK) == 0)
      return candidate;
    path.remove_prefix(std::min(dir.size() + 1, path.size()));
  }
  return {};
}

std::vector<char*> pointers(const std::vector<std::string>& items) {
  std::vector<char*> out;
  out.reserve(items.size() + 1);
  for (auto& item : items) out.push_back(const_cast<char*>(item.c_str()));
  out.push_back(nullptr);
  return out;
}

Spawner::Reply refused(int error, std::string note) { return {0, error, std::move(note)}; }

Spawner::Reply spawn_now(const Spawner::Request& request) {
  auto program = find_program(request.argv[0], request.environment);
  if (program.empty())
    return refused(ENOENT, "there is no program " + request.argv[0] + " in PATH; install it, or correct its name");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addchdir_np(&actions, request.cwd.c_str());
  ::posix_spawn_file_actions_adddup2(&actions, request.in, 0);
  ::posix_spawn_file_actions_adddup2(&actions, request.out, 1);
  ::posix_spawn_file_actions_adddup2(&actions, request.err, 2);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  auto argv = pointers(request.argv), environment = pointers(request.environment);
  Spawner::Reply reply;
  reply.error = ::posix_spawn(&reply.pid, program.c_str(), &actions, &attributes, argv.data(), environment.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (reply.error == 0) return reply;
  struct stat st{};
  if (::stat(request.cwd.c_str(), &st) != 0)
    return refused(reply.error, "the working directory " + request.cwd + " cannot be entered: " + std::strerror(errno));
  if (!S_ISDIR(st.st_mode)) return refused(ENOTDIR, "the working directory " + request.cwd + " is not a directory");
  if (reply.error == E2BIG)
    return refused(E2BIG,
                   "the command or its environment is too long for the system (one argument: 128 KiB); put it "
                   "into a script");
  return refused(reply.error, "cannot start " + program + ": " + std::strerror(reply.error));
}

}  // namespace

Spawner::Spawner()
    : thread_([this] {
        for (;;) {
          asked_.acquire();
          if (request_ == nullptr) return;
          reply_ = spawn_now(*request_);
          answered_.release();
        }
      }) {}

Spawner::~Spawner() {
  request_ = nullptr;
  asked_.release();
  thread_.join();
}

Spawner::Reply Spawner::spawn(const Request& request) {
  request_ = &request;
  asked_.release();
  answered_.acquire();
  return std::move(reply_);
}

bool orphans_exist() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) == 0;
}

}  // namespace sparky::warden
