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

// Removes a checkout, whatever is in it and however half made.
Status discard_checkout(const Repository& repository, const std::filesystem::path& path);
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

// A change that is ready to be merged: what stands under its refs, and by whose rules it is checked.
struct Candidate {
  Task task;
  Profile profile;
  std::string prefix, commit, base;
};
Result<Candidate> read_candidate(const Repository& repository, const Task& task);

// Runs the checks of all these changes on a commit that holds them; the same command once. The criterion that is not
// met any more, and whose; nothing: all are. Untestable ones are left out, and named.
struct Unmet {
  std::string workstream, criterion, check;
  Checked checked;
};
Result<std::optional<Unmet>> check_together(const Repository& repository, const std::vector<Candidate>& candidates,
                                            const std::string& commit, const std::filesystem::path& checkout);

// A file that a merge step holds locked while it waits or works: .sparky/agents/queue/run-N.ID.
std::filesystem::path queue_place(const Task& task);

// `own` waits in the merge queue, and has its turn: merges it together with others that wait, as many as the project
// allows in one batch, if they pass their checks together. Halves what does not; who stands alone then is left to its
// own turn, where it learns why.
Status merge_batch(const Repository& repository, const Candidate& own);
// A batch that was cut off between the target and the refs of its changes; with the turn held.
Status finish_batch(const Repository& repository, const std::filesystem::path& project);

// As a pull request, through the gh program: pushed, opened, asked for reviews, merged by GitHub when its rules allow.
// The exit status: 0 merged, as `merged`; 75 a person has to look at it; else failed, with feedback.
struct PullRequestEnd {
  int code = 0;
  std::string merged;   // the commit on the target
  bool behind = false;  // the target has moved: rebase, and come again
};
Result<PullRequestEnd> merge_on_github(const Repository& repository, const Candidate& candidate, const Target& target);

// For the agent that has to resolve it: both sides, and onto which commit to rebase.
std::string conflict_text(const Conflict& conflict, const std::string& onto);

// Steps, run under the warden by `sparky agent-check` and `agent-merge`. The value is the exit status:
// 0 verified or merged, 75 a person has to decide first, else failed, with home()/feedback.md for the next try.
Result<int> check_step(const Task& task);
Result<int> merge_step(const Task& task);

}  // namespace sparky::agents
