#include "journal/lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "base/time.h"

namespace sparky::journal {
namespace fs = std::filesystem;

namespace {

std::string host() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "unknown";
  return name;
}

std::string text_of(int fd) {
  char text[512];
  ssize_t n = ::pread(fd, text, sizeof text, 0);
  return n > 0 ? printable(trim(std::string_view(text, size_t(n)))) : "unknown";
}

}  // namespace

Result<ProjectLock> ProjectLock::take(const fs::path& dot_sparky) {
  SPARKY_TRY(make_directories(dot_sparky, 0700));
  // Whoever reaches the sockets in it may do everything, so whoever made it, it is private.
  std::error_code ec;
  fs::permissions(dot_sparky, fs::perms::owner_all, ec);
  auto path = dot_sparky / "lock";
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(errno, fmt::format("cannot open {}", path.string()));
  int locked = ::flock(fd.get(), LOCK_EX | LOCK_NB);
  // Whoever asks for the holder() has it himself for a moment: no reason to refuse.
  for (int tries = 0; locked != 0 && errno == EWOULDBLOCK && tries < 5; ++tries) {
    ::usleep(10'000);
    locked = ::flock(fd.get(), LOCK_EX | LOCK_NB);
  }
  if (locked != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, fmt::format("cannot lock {}", path.string()));
    return fail(Errc::busy,
                fmt::format("the project {} is in use by another Sparky ({})", dot_sparky.parent_path().string(),
                            text_of(fd.get())),
                "`sparky status` and the other commands talk to it; to end it, stop that process");
  }
  auto who = fmt::format("pid {} on host {} since {}\n", ::getpid(), host(), iso(now()));
  // What the file says is for people; the lock itself is the kernel's. So a failed write is no failure.
  if (::ftruncate(fd.get(), 0) == 0) (void)!::pwrite(fd.get(), who.data(), who.size(), 0);
  return ProjectLock(std::move(fd));
}

std::string ProjectLock::holder(const fs::path& dot_sparky) {
  Fd fd(::open((dot_sparky / "lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return {};
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return {};
  return errno == EWOULDBLOCK ? text_of(fd.get()) : std::string();
}

}  // namespace sparky::journal
