// Place: what a simulated run of agents works in: a repository and where it merges to, a git that stops the step which
// calls it at a chosen moment, agents that are a script, and what all of it looks like from outside.
#pragma once
#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/random.h"
#include "plan/plan.h"

namespace sparky::agents::sim {

// A rule that does not hold: thrown by whoever sees it, printed with the seed.
struct Violation {
  std::string what;
};

enum class Merging {
  aside,        // into a branch that nobody has checked out
  checked_out,  // the person's own branch: so into sparky/main
  remote,       // pushed to a bare repository
};

// What happens at one git command of a step. All but `push` end the step then and there.
inline constexpr auto faults = std::to_array<std::string_view>({
    "before",  // the command is not run any more
    "after",   // it has done its work, and nobody heard of it
    "refs",    // git itself is killed while it holds the lock of a ref
    "files",   // … while it checks files out, with the lock of the index
    "half",    // … in the next removal of a worktree: its files are gone, and git still knows it
    "push",    // somebody else commits to the target just before it
});

// What an agent does in one turn. What is not listed is honest work.
inline constexpr auto turns = std::to_array<std::string_view>({
    "honest", "shared",  // edits a line that others edit too
    "bad",               // right by itself, wrong together with another one
    "litter",            // leaves an uncommitted file, and says that it is done
    "idle",              // says that it is done, and has done nothing
    "gone",              // kills its session after a commit, with an uncommitted file in the tree
    "asks",              // ends with a question for a person
});

class Place {
 public:
  Place(Random& random, const std::vector<std::string>& ids);

  std::filesystem::path path() const { return directory_.path(); }
  std::filesystem::path repo() const { return path() / "repo"; }
  Merging merging() const { return merging_; }
  std::string agents_toml() const;

  void prepare_fault(int at, std::string_view kind) const;  // of the next step; at 0: none
  void behave(const std::string& id, const std::vector<std::string>& turns) const;
  void somebody_commits();  // to the target, or to the person's branch from which it is made
  // What a killed git left locked is as old as if the next attempt had come half a minute later.
  void age_locks() const;

  std::string git(std::vector<std::string> arguments) const;  // in the repository
  std::vector<std::string> lines(std::vector<std::string> arguments) const;
  std::vector<std::string> log(std::string_view file) const;  // the lines of a file that the scripts write
  std::string target() const;                                 // the head that work is merged into; empty: none yet
  std::vector<std::string> in_target(std::vector<std::string> arguments) const;  // git, where the target is
  std::string persons_checkout() const;  // everything that has to stay as the person left it

 private:
  void script(std::string_view name, std::string_view text) const;

  TemporaryDirectory directory_;
  Merging merging_;
  std::string real_git_;
};

}  // namespace sparky::agents::sim
