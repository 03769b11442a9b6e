// GameTree: files of a game, reached from its root one name at a time without following a link, so that no path leaves
// the game whatever lies in it, and one writer at a time.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/time.h"

namespace sparky::studio {

class GameTree {
 public:
  static Result<GameTree> open(const std::filesystem::path& root);

  // Waits for the lock at `path` until patience ends: Errc::busy. Held until this object goes.
  Status lock(const std::string& path, Duration patience);

  // Paths are relative, of plain names ("assets/sprites/a.png"); what is a link on the way or at the end is refused.
  Result<std::optional<std::string>> read(const std::string& path) const;     // nothing: not there
  Status write(const std::string& path, std::string_view bytes) const;        // atomic, synced, parents made
  Status remove(const std::string& path) const;                               // fine if it is not there
  Status rename(const std::string& from, const std::string& to) const;        // within one directory
  Result<std::vector<std::string>> list(const std::string& directory) const;  // sorted names; empty: not there

 private:
  struct Place {
    Fd directory;  // that holds the name; empty: there is none
    std::string name;
  };
  Result<Place> parent(const std::string& path, bool make) const;

  std::filesystem::path root_;
  Fd root_fd_, lock_;
};

}  // namespace sparky::studio
