#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace sparky {
namespace fs = std::filesystem;

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<std::string> read_file(const fs::path& path, size_t max_bytes) {
  // O_NONBLOCK: opening a pipe by mistake must not hang.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail_errno(errno, fmt::format("cannot read {}", path.string()));
  struct stat st{};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, fmt::format("cannot read {}", path.string()));
  if (S_ISDIR(st.st_mode)) return fail(Errc::invalid, fmt::format("{} is a directory", path.string()), "name a file");
  if (!S_ISREG(st.st_mode)) return fail(Errc::invalid, fmt::format("{} is not a regular file", path.string()));
  auto too_large = [&] {
    return fail(Errc::invalid, fmt::format("{} is larger than {} bytes, the limit", path.string(), max_bytes));
  };
  if (size_t(st.st_size) > max_bytes) return too_large();
  std::string out(size_t(st.st_size), '\0');
  size_t have = 0;
  for (;;) {  // files in /proc have size 0, so read to the end whatever the size said
    if (have == out.size()) out.resize(out.size() + 65536);
    ssize_t n = ::read(fd.get(), out.data() + have, out.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, fmt::format("cannot read {}", path.string()));
    if (n == 0) break;
    have += size_t(n);
    if (have > max_bytes) return too_large();
  }
  out.resize(have);
  return out;
}

Status make_directories(const fs::path& dir, unsigned mode) {
  if (dir.empty()) return {};
  std::error_code ec;
  if (fs::is_directory(dir, ec)) return {};
  if (dir.has_parent_path() && dir.parent_path() != dir) SPARKY_TRY(make_directories(dir.parent_path(), 0755));
  if (::mkdir(dir.c_str(), mode) != 0 && !(errno == EEXIST && fs::is_directory(dir, ec)))
    return fail_errno(errno, fmt::format("cannot make the directory {}", dir.string()));
  return {};
}

Status sync_directory(const fs::path& dir) {
  Fd fd(::open(dir.empty() ? "." : dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, fmt::format("cannot open {}", dir.string()));
  // Some filesystems cannot sync a directory and say EINVAL: nothing more can be done there.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return fail_errno(errno, fmt::format("cannot sync {}", dir.string()));
  return {};
}

Status write_file_atomic(const fs::path& path, std::string_view bytes, WriteOptions options) {
  static std::atomic<unsigned> counter{0};
  auto dir = path.parent_path();
  SPARKY_TRY(make_directories(dir));
  auto temporary = dir / fmt::format(".{}.{}.{}.tmp", path.filename().string().substr(0, 180), ::getpid(), counter++);
  auto broken = [&](const char* what) {
    int err = errno;
    ::unlink(temporary.c_str());
    return fail_errno(err, fmt::format("cannot {} {}", what, path.string()));
  };
  {
    Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, options.mode));
    if (!fd) return broken("write");
    for (size_t done = 0; done < bytes.size();) {
      ssize_t n = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return broken("write");
      done += size_t(n);
    }
    if (options.sync && ::fsync(fd.get()) != 0) return broken("sync");
    if (::close(fd.release()) != 0) return broken("write");
  }
  if (options.overwrite) {
    if (::rename(temporary.c_str(), path.c_str()) != 0) return broken("replace");
  } else {
    if (::link(temporary.c_str(), path.c_str()) != 0) return broken("create");
    ::unlink(temporary.c_str());
  }
  return options.sync ? sync_directory(dir) : Status{};
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

fs::path find_project(const fs::path& given) {
  std::error_code ec;
  if (!given.empty()) return fs::absolute(given, ec).lexically_normal();
  auto start = fs::current_path(ec);
  for (auto dir = start; !dir.empty(); dir = dir.parent_path()) {
    if (fs::is_directory(dir / ".sparky", ec)) return dir;
    if (dir == dir.parent_path()) break;
  }
  return start;
}

}  // namespace sparky
