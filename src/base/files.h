// Files: whole-file reads with a limit, and writes that are either there whole or not at all.
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace sparky {

// A file descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

// Refuses directories, devices and pipes, and what is larger than max_bytes.
Result<std::string> read_file(const std::filesystem::path& path, size_t max_bytes = 256u << 20);

struct WriteOptions {
  bool sync = true;       // fsync the file and its directory before returning
  bool overwrite = true;  // false: Errc::exists if the path is taken
  unsigned mode = 0644;
};
// Writes beside the target, then renames over it; makes missing parents. A reader sees the old bytes or the new.
Status write_file_atomic(const std::filesystem::path& path, std::string_view bytes, WriteOptions options = {});

Status make_directories(const std::filesystem::path& dir, unsigned mode = 0755);
Status sync_directory(const std::filesystem::path& dir);
// A new directory under the system's temporary one, removed with everything in it at the end.
class TemporaryDirectory {
 public:
  static Result<TemporaryDirectory> make();
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// The project directory by Sparky's rule: `given` if not empty, else the nearest ancestor of the working directory
// with a `.sparky/`, else the working directory.
std::filesystem::path find_project(const std::filesystem::path& given);

}  // namespace sparky
