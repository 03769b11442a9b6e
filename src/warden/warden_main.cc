// sparky-warden DIRECTORY: takes its post there, goes into the background and works (warden.h). Sparky starts it; a
// person need not.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string_view>

#include "warden/recovery.h"
#include "warden/warden.h"

namespace {

constexpr int another_is_there = 3;

int complain(const sparky::Error& error) {
  std::fprintf(stderr, "sparky-warden: %s\n", error.message.c_str());
  if (!error.help.empty()) std::fprintf(stderr, "  help: %s\n", error.help.c_str());
  return 1;
}

void usage(FILE* out) {
  std::fputs(
      "usage: sparky-warden DIRECTORY\n"
      "Spawns, watches and ends the attempts of one Sparky project, and outlives the Sparky that started it.\n"
      "DIRECTORY is the project's .sparky/warden. Sparky starts it by itself when there is something to run; it\n"
      "leaves when Sparky has gone and nothing is left to watch. SIGTERM ends all attempts, then it.\n",
      out);
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view argument = argc == 2 ? argv[1] : "";
  if (argument == "--help" || argument == "-h") return usage(stdout), 0;
  if (argument == "--version") return std::puts("sparky-warden " SPARKY_VERSION), 0;
  if (argument.empty() || argument[0] == '-') return usage(stderr), 2;

  ::close_range(3, ~0U, 0);  // nothing of who started us
  char resolved[4096];
  if (::realpath(argv[1], resolved) == nullptr) {
    std::fprintf(stderr, "sparky-warden: %s: %s\n", argv[1], std::strerror(errno));
    return 1;
  }
  std::filesystem::path directory(resolved);
  auto post = sparky::warden::take_post(directory);
  if (!post) return post.error().is(sparky::Errc::busy) ? another_is_there : complain(post.error());
  auto spool = sparky::warden::recover(directory);
  if (!spool) return complain(spool.error());

  // From here on somebody can connect: the one who waits for our exit knows all he needs.
  if (pid_t child = ::fork(); child != 0) _exit(child < 0 ? 1 : 0);
  ::setsid();
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  struct stat st{};
  auto log_path = directory / "log";
  bool large = ::stat(log_path.c_str(), &st) == 0 && st.st_size > 1 << 20;
  int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (large ? O_TRUNC : 0), 0600);
  ::dup2(null, 0);
  ::dup2(null, 1);
  ::dup2(log >= 0 ? log : null, 2);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  sigset_t mask;
  ::sigemptyset(&mask);
  for (int s : {SIGCHLD, SIGTERM, SIGINT}) ::sigaddset(&mask, s);
  ::sigprocmask(SIG_BLOCK, &mask, nullptr);

  sparky::warden::Warden warden(directory, std::move(post->listener), std::move(*spool));
  return warden.run();
}
