// Repository: the git operations that agents' work needs, by the git program. What it promises:
//   - The person's own checkout, index and stash are never touched; a branch that is checked out somewhere is never
//   moved.
//   - The state of a worktree, uncommitted and untracked files included, can be kept under a ref of Sparky's own
//     (refs/sparky/…) at any time, without changing the worktree or its index.
//   - A worktree is removed only when what it holds is merged or kept.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace sparky::agents {

// "ws/WS-05-sdxl-optimization": a branch name git accepts for any id and name.
std::string branch_name(std::string_view id, std::string_view name);
std::string slug(std::string_view text);  // "sdxl-optimization"; may be empty

struct FileChange {
  char status = 'M';  // A added, M modified, D deleted, R renamed, T type changed
  std::string path;   // the new one when renamed
  std::string old_path;
};

struct WorktreeState {
  std::filesystem::path path;
  std::string branch;    // empty: detached
  std::string head;      // commit
  bool dirty = false;    // uncommitted or untracked files
  bool merged = false;   // its head is part of the target, as it is or as the same changes
  bool kept = false;     // its present state stands under a ref of Sparky's
  std::string kept_ref;  // the newest such ref
  bool removable() const { return (merged && !dirty) || kept; }
  std::string why() const;  // one sentence: why it can or cannot go, and what to do
};

// Why a rebase or merge did not go through.
struct Conflict {
  std::vector<std::string> files;
  std::string ours, theirs;  // the diffs of both sides in these files, for the one who resolves it
};

class Repository {
 public:
  // The repository that contains `inside`. Errc::invalid if there is none; unavailable without git.
  static Result<Repository> open(const std::filesystem::path& inside);

  const std::filesystem::path& top() const { return top_; }
  Result<std::string> resolve(std::string_view revision) const;  // full commit id; not_found
  Result<std::filesystem::path> git_directory() const;           // absolute; shared by all worktrees
  Result<std::string> current_branch() const;                    // of the person's checkout; empty: none
  Result<std::vector<std::string>> remotes() const;
  Result<bool> contains(const std::string& commit, const std::string& other) const;  // `other` is part of its history
  Result<std::string> remote_head(const std::string& remote, const std::string& branch) const;  // empty: none
  // The head of a branch of a remote, fetched now; empty: the remote has none of that name.
  Result<std::string> fetch(const std::string& remote, const std::string& branch) const;
  Status set_ref(const std::string& ref, const std::string& commit) const;
  Status make_branch(const std::string& branch, const std::string& commit) const;  // Errc::busy: it exists
  // Deletes a branch that is still at `expected` and checked out nowhere; what was on it is kept by a ref or merged.
  Status delete_branch(const std::string& branch, const std::string& expected) const;
  Result<bool> branch_exists(std::string_view branch) const;
  // Where a branch is checked out, if anywhere.
  Result<std::optional<std::filesystem::path>> checked_out_at(std::string_view branch) const;

  // A worktree for a branch, made from `base` if the branch is new. The same call again takes up what is there.
  // Errc::busy: the branch is checked out elsewhere; exists: the path is taken by something else.
  Status add_worktree(const std::filesystem::path& path, const std::string& branch, const std::string& base) const;
  // Before add_worktree: removes the lock files that a killed git left behind and that would stop every git after it:
  // those in the worktree's own git directory and of its branch at once, for only one attempt at a time works there;
  // those that any git in the repository takes for a moment only when they are older than ten seconds.
  Status remove_stale_locks(const std::filesystem::path& worktree, const std::string& branch) const;
  // The same without a worktree: only what any git takes for a moment.
  Status remove_stale_locks() const;
  // After add_worktree, and once its state is kept: undoes a rebase that was cut off, also half. Errc::busy: another
  // branch is checked out there.
  Status back_on_branch(const std::filesystem::path& path, const std::string& branch) const;
  // A clean checkout of a commit, for checks; not on any branch.
  Status add_checkout(const std::filesystem::path& path, const std::string& commit) const;
  // Puts a checkout back to its commit; files that git ignores (what a build made) stay.
  Status reset_checkout(const std::filesystem::path& path) const;
  // Removes a checkout made by add_checkout, whatever is in it: it was made for checks alone.
  Status remove_checkout(const std::filesystem::path& path) const;
  // Removes a worktree. Errc::denied, with why(), if that would lose something.
  Status remove_worktree(const std::filesystem::path& path, const std::string& target) const;
  Status forget_removed() const;  // git forgets worktrees whose files are gone: as when it was killed in between
  Result<WorktreeState> state(const std::filesystem::path& path, const std::string& target) const;
  Result<std::vector<WorktreeState>> worktrees(const std::filesystem::path& below, const std::string& target) const;

  // Keeps the worktree's whole state as a commit on its head under `ref` (refs/sparky/…); gives the commit.
  Result<std::string> keep(const std::filesystem::path& worktree, const std::string& ref,
                           const std::string& message) const;

  // Commits one new file of a worktree on its branch, by Sparky's own name; what else has changed there stays as it is.
  Status commit_file(const std::filesystem::path& worktree, const std::string& file, const std::string& message) const;

  // What `commit` changes against its merge base with `base`.
  Result<std::vector<FileChange>> changes(const std::string& base, const std::string& commit) const;
  Result<std::string> diff(const std::string& base, const std::string& commit) const;
  // Commits on `commit` that `base` has not.
  Result<int> ahead(const std::string& base, const std::string& commit) const;

  // Replays the branch's commits on `onto` in a scratch checkout; gives the new head and moves nothing. The value is
  // a Conflict when they do not apply.
  struct Rebased {
    std::string head;
    std::optional<Conflict> conflict;
  };
  Result<Rebased> rebased(const std::string& commit, const std::string& onto,
                          const std::filesystem::path& scratch) const;
  // All changes of `commit` since `onto` as one commit on `onto`.
  Result<std::string> squashed(const std::string& commit, const std::string& onto, const std::string& message) const;

  // Moves a branch forward from `expected` to `commit`: in the remote if one is named (git push, never forced), else
  // locally, if it is checked out nowhere. Errc::busy: it has moved, or is checked out.
  Status advance(const std::string& branch, const std::string& expected, const std::string& commit,
                 const std::string& remote) const;

 private:
  explicit Repository(std::filesystem::path top) : top_(std::move(top)) {}
  std::filesystem::path top_;
};

}  // namespace sparky::agents
