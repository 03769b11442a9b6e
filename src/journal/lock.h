// ProjectLock: one Sparky per project. flock() on .sparky/lock, which also says who holds it; the kernel lets go of it
// when the holder dies, however it dies.
#pragma once
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/files.h"

namespace sparky::journal {

class ProjectLock {
 public:
  // Makes the directory (0700) if it is missing. Errc::busy, naming the holder, if another process has the lock.
  static Result<ProjectLock> take(const std::filesystem::path& dot_sparky);
  // Who holds the lock now ("pid 4711 on host box"), or empty if nobody does.
  static std::string holder(const std::filesystem::path& dot_sparky);

 private:
  explicit ProjectLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace sparky::journal
