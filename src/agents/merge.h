// Merge: from a candidate (what an agent committed, on top of the target) to the target branch: checks on a clean
// checkout, and one merge after the other, each a compare-and-swap. Every step can be killed and run again: a candidate
// that the target already contains is merged, and is merged once.
#pragma once
#include <string>
#include <vector>

#include "agents/profile.h"
#include "agents/repository.h"
#include "agents/task.h"

namespace sparky::agents {

// Where work is merged. Without a remote it cannot be a branch that somebody has checked out: then a branch
// sparky/NAME is made from it, and the person brings it in with `git merge`.
struct Target {
  std::string branch, remote;  // remote empty: this repository
  std::string head;            // its commit now
  std::string word;            // what a person should know about the choice; may be empty
  std::string text() const { return remote.empty() ? branch : remote + "/" + branch; }
};
Result<Target> find_target(const Repository& repository, const std::filesystem::path& project);

// The plan's root within the repository, with a slash at the end; empty: the top.
Result<std::string> prefix_of(const Repository& repository, const Task& task);

// A clean checkout of a commit at `path`, made anew if another one is there; `setup` runs in a new one.
Status prepare_checkout(const Repository& repository, const std::filesystem::path& path, const std::string& commit,
                        const std::string& setup);

// What a check prints goes to standard output; `tail` is its end, for the next prompt.
struct Checked {
  int code = 0;
  std::string tail;
};
Result<Checked> run_check_command(const Task& task, const Profile& profile, const plan::Criterion& criterion,
                                  const std::filesystem::path& checkout, const std::string& prefix);

// For the agent that has to resolve it: both sides, and onto which commit to rebase.
std::string conflict_text(const Conflict& conflict, const std::string& onto);

// Steps, run under the warden by `sparky agent-check` and `agent-merge`. The value is the exit status:
// 0 verified or merged, 75 a person has to decide first, else failed, with home()/feedback.md for the next try.
Result<int> check_step(const Task& task);
Result<int> merge_step(const Task& task);

}  // namespace sparky::agents
