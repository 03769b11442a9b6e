// Sandbox: bubblewrap around what an agent runs. Its worktree is writable, git's shared directory too (commits go
// there) but neither its hooks nor its configuration; Sparky's own state, keys and sockets of the person are unseen;
// the rest can be read. Without bubblewrap there is a word, and a person is asked the first time.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "agents/profile.h"
#include "agents/task.h"

namespace sparky::agents {

struct Confined {
  std::vector<std::string> prefix;  // goes before the command
  bool sandboxed = false;
  std::string word;  // why not, when the profile would have one
};
// `workdir` is what may be written; `git_directory` (empty: none) too. Both exist.
Confined confine(const Profile& profile, const Task& task, const std::filesystem::path& workdir,
                 const std::filesystem::path& git_directory);

// All that an agent gets of the environment: a few harmless variables, the profile's, its secrets by name, the mark by
// which its processes are found.
std::vector<std::string> environment(const Profile& profile, const Task& task);

// Empty: bubblewrap works here; else why not.
std::string no_sandbox_here();
// Who said that agents may work in this project without one, once for all of them; empty: nobody.
std::string allowed_without_sandbox(const std::filesystem::path& project);
Status allow_without_sandbox(const std::filesystem::path& project, const std::string& who);

}  // namespace sparky::agents
