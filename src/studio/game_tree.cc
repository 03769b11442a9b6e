#include "studio/game_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "base/text.h"

namespace sparky::studio {
namespace {

namespace fs = std::filesystem;

// A path by which other code reaches a file of an open directory, whatever happens to that directory's name.
fs::path through(const Fd& directory, const std::string& name) {
  return fs::path(fmt::format("/proc/self/fd/{}", directory.get())) / name;
}

std::unexpected<Error> a_link(const fs::path& root, const std::string& path) {
  return fail(Errc::denied, fmt::format("{} is a symbolic link or no directory", (root / path).string()),
              "a deployment writes through no link: replace it by a real directory or file");
}

}  // namespace

Result<GameTree> GameTree::open(const fs::path& root) {
  GameTree tree;
  std::error_code ec;
  tree.root_ = fs::canonical(root, ec);
  if (ec) return fail_errno(ec.value(), fmt::format("cannot open the game {}", root.string()), "name its directory");
  tree.root_fd_ = Fd(::open(tree.root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!tree.root_fd_)
    return fail_errno(errno, fmt::format("cannot open the game {}", root.string()), "name its directory");
  return tree;
}

Result<GameTree::Place> GameTree::parent(const std::string& path, bool make) const {
  Fd here(::fcntl(root_fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!here) return fail_errno(errno, fmt::format("cannot open {}", root_.string()));
  const std::vector<std::string_view> names = split(path, '/');
  for (const std::string_view part : names) {
    if (part.empty() || part == "." || part == "..") {
      return fail(Errc::denied, fmt::format("'{}' is no path inside the game", printable(path)));
    }
  }
  std::string walked;
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    const std::string name(names[i]);
    walked += (walked.empty() ? "" : "/") + name;
    if (make && ::mkdirat(here.get(), name.c_str(), 0755) != 0 && errno != EEXIST) {
      return fail_errno(errno, fmt::format("cannot make {}", (root_ / walked).string()));
    }
    Fd next(::openat(here.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next && errno == ENOENT && !make) return Place{};
    if (!next && (errno == ELOOP || errno == ENOTDIR)) return a_link(root_, walked);
    if (!next) return fail_errno(errno, fmt::format("cannot open {}", (root_ / walked).string()));
    here = std::move(next);
  }
  return Place{std::move(here), std::string(names.back())};
}

Status GameTree::lock(const std::string& path, Duration patience) {
  SPARKY_ASSIGN(auto at, parent(path, true));
  Fd fd(::openat(at.directory.get(), at.name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd && errno == ELOOP) return a_link(root_, path);
  if (!fd) return fail_errno(errno, fmt::format("cannot open {}", (root_ / path).string()));
  const auto end = std::chrono::steady_clock::now() + patience;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno(errno, fmt::format("cannot lock {}", path));
    if (std::chrono::steady_clock::now() >= end) {
      return fail(Errc::busy, fmt::format("another deployment is writing to {}", root_.string()),
                  "wait until it ends, then try again");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  lock_ = std::move(fd);
  return {};
}

Result<std::optional<std::string>> GameTree::read(const std::string& path) const {
  SPARKY_ASSIGN(auto at, parent(path, false));
  if (!at.directory) return std::optional<std::string>{};
  struct stat st{};
  if (::fstatat(at.directory.get(), at.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return std::optional<std::string>{};
    return fail_errno(errno, fmt::format("cannot read {}", (root_ / path).string()));
  }
  if (!S_ISREG(st.st_mode)) return a_link(root_, path);
  SPARKY_ASSIGN(std::string bytes, read_file(through(at.directory, at.name)));
  return std::optional(std::move(bytes));
}

Status GameTree::write(const std::string& path, std::string_view bytes) const {
  SPARKY_ASSIGN(auto at, parent(path, true));
  struct stat st{};
  if (::fstatat(at.directory.get(), at.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode)) {
    return a_link(root_, path);
  }
  Status written = write_file_atomic(through(at.directory, at.name), bytes);
  if (!written) written.error().message = fmt::format("{}: {}", (root_ / path).string(), written.error().message);
  return written;
}

Status GameTree::remove(const std::string& path) const {
  SPARKY_ASSIGN(auto at, parent(path, false));
  if (!at.directory) return {};
  if (::unlinkat(at.directory.get(), at.name.c_str(), 0) != 0 && errno != ENOENT) {
    return fail_errno(errno, fmt::format("cannot remove {}", (root_ / path).string()));
  }
  return {};
}

Status GameTree::rename(const std::string& from, const std::string& to) const {
  SPARKY_ASSIGN(auto at, parent(from, false));
  SPARKY_ASSIGN(auto target, parent(to, true));
  if (!at.directory ||
      ::renameat(at.directory.get(), at.name.c_str(), target.directory.get(), target.name.c_str()) != 0) {
    return fail_errno(at.directory ? errno : ENOENT, fmt::format("cannot rename {} to {}", from, to));
  }
  return sync_directory(through(target.directory, "."));
}

Result<std::vector<std::string>> GameTree::list(const std::string& path) const {
  SPARKY_ASSIGN(auto at, parent(path + "/x", false));
  std::vector<std::string> names;
  if (!at.directory) return names;
  DIR* stream = ::fdopendir(at.directory.get());
  if (!stream) return fail_errno(errno, fmt::format("cannot list {}", (root_ / path).string()));
  at.directory.release();  // the stream's now
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view found = entry->d_name;
    if (found != "." && found != "..") names.emplace_back(found);
  }
  ::closedir(stream);
  std::ranges::sort(names);
  return names;
}

}  // namespace sparky::studio
