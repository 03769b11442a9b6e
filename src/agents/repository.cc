#include "agents/repository.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cctype>
#include <charconv>

#include "base/files.h"
#include "base/process.h"
#include "base/text.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

// git in a directory, unaffected by what this process was itself started in (a hook sets GIT_DIR), never asking.
RunOptions options_in(const fs::path& dir) {
  RunOptions options;
  options.cwd = dir;
  options.timeout = std::chrono::minutes(10);
  options.env = {"GIT_DIR",         "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_TERMINAL_PROMPT=0",
                 "GIT_EDITOR=true", "LC_ALL=C"};
  return options;
}

Result<Finished> try_git(const fs::path& dir, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"git", "-c", "core.quotePath=false", "-c", "advice.detachedHead=false"});
  return run_program(arguments, options_in(dir));
}

Result<std::string> git(const fs::path& dir, std::vector<std::string> arguments) {
  auto what = arguments.empty() ? "" : arguments[0];
  SPARKY_ASSIGN(auto done, try_git(dir, std::move(arguments)));
  if (done.ok()) return std::string(trim(done.out));
  return fail(Errc::io, fmt::format("git {} in {}: {}", what, dir.string(), trim(done.err)));
}

std::vector<std::string> zero_separated(std::string_view text) {
  std::vector<std::string> out;
  for (auto part : split(text, '\0'))
    if (!part.empty()) out.emplace_back(part);
  return out;
}

// The submodules of a new worktree, from what the person's own checkout has of them where it has them.
Status fetch_submodules(const fs::path& tree) {
  std::error_code ec;
  if (!fs::exists(tree / ".gitmodules", ec)) return {};
  SPARKY_ASSIGN(auto common, git(tree, {"rev-parse", "--path-format=absolute", "--git-common-dir"}));
  SPARKY_ASSIGN(auto listed, try_git(tree, {"config", "--file", ".gitmodules", "--name-only", "--get-regexp",
                                            "^submodule\\..*\\.path$"}));
  std::vector<std::string> update{"submodule", "--quiet", "update", "--init", "--recursive"}, nearby;
  for (auto key : split(trim(listed.out), '\n')) {
    constexpr size_t before = std::string_view("submodule.").size(), after = std::string_view(".path").size();
    if (key.size() <= before + after) continue;
    auto name = key.substr(before, key.size() - before - after);
    if (auto copy = fs::path(common) / "modules" / name; fs::is_directory(copy, ec))
      nearby.insert(nearby.end(), {"-c", fmt::format("submodule.{}.url={}", name, copy.string())});
  }
  if (!nearby.empty()) {
    nearby.insert(nearby.end(), {"-c", "protocol.file.allow=always"});
    nearby.insert(nearby.end(), update.begin(), update.end());
    SPARKY_ASSIGN(auto done, try_git(tree, nearby));
    if (done.ok()) return {};
  }
  SPARKY_TRY(git(tree, update));
  return {};
}

bool same_place(const fs::path& a, const fs::path& b) {
  std::error_code ec;
  return fs::weakly_canonical(a, ec) == fs::weakly_canonical(b, ec);
}

struct Listed {
  fs::path path;
  std::string head, branch;
  bool half_made = false;  // git was killed while it made it: nobody has worked in it
};
Result<std::vector<Listed>> list_worktrees(const fs::path& top) {
  SPARKY_ASSIGN(auto done, try_git(top, {"worktree", "list", "--porcelain", "-z"}));
  if (!done.ok()) return fail(Errc::io, fmt::format("git worktree list: {}", trim(done.err)));
  std::vector<Listed> out;
  for (auto line : split(done.out, '\0')) {
    if (line.starts_with("worktree ")) out.push_back({fs::path(line.substr(9)), "", ""});
    if (out.empty()) continue;
    if (line.starts_with("HEAD ")) out.back().head = line.substr(5);
    if (line == "locked initializing") out.back().half_made = true;
    if (line.starts_with("branch refs/heads/")) out.back().branch = line.substr(18);
  }
  return out;
}

void remove_lock(const fs::path& path, Duration older_than) {
  std::error_code ec;
  auto changed = fs::last_write_time(path, ec);
  if (!ec && fs::file_time_type::clock::now() - changed >= older_than) fs::remove(path, ec);
}

void remove_locks(const fs::path& below, Duration older_than) {
  std::error_code ec;
  std::vector<fs::path> found;
  for (fs::recursive_directory_iterator it(below, ec), end; !ec && it != end; it.increment(ec))
    if (it->path().extension() == ".lock") found.push_back(it->path());
  for (auto& path : found) remove_lock(path, older_than);
}

}  // namespace

std::string slug(std::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    if (std::isalnum(c))
      out += char(std::tolower(c));
    else if (!out.empty() && out.back() != '-')
      out += '-';
    if (out.size() == 40) break;
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

std::string branch_name(std::string_view id, std::string_view name) {
  std::string safe;
  for (unsigned char c : id) safe += std::isalnum(c) || c == '-' || c == '_' ? char(c) : '-';
  auto tail = slug(name);
  return "ws/" + safe + (tail.empty() ? "" : "-" + tail);
}

std::string WorktreeState::why() const {
  if (merged && !dirty) return "merged, nothing uncommitted: it can go";
  if (kept)
    return fmt::format("not merged; its state is kept as {} (`sparky gc --kept` removes the worktree)", kept_ref);
  if (dirty) return "it has uncommitted files that are kept nowhere; commit or archive them first";
  return "its commits are not merged and kept nowhere; merge or archive them first";
}

Result<Repository> Repository::open(const fs::path& inside) {
  auto top = git(inside, {"rev-parse", "--show-toplevel"});
  if (!top && top.error().is(Errc::not_found))
    return fail(Errc::unavailable, "git is not installed", "apt install git");
  if (!top || top->empty())
    return fail(Errc::invalid, fmt::format("{} is not in a git repository", inside.string()),
                "agents work in git worktrees: run `git init` and commit once");
  return Repository(fs::path(*top));
}

Result<std::string> Repository::resolve(std::string_view revision) const {
  auto found = git(top_, {"rev-parse", "--verify", "--quiet", "--end-of-options", std::string(revision) + "^{commit}"});
  if (!found) return fail(Errc::not_found, fmt::format("no commit '{}' in {}", revision, top_.string()));
  return found;
}

Result<fs::path> Repository::git_directory() const {
  SPARKY_ASSIGN(auto said, git(top_, {"rev-parse", "--path-format=absolute", "--git-common-dir"}));
  return fs::path(said);
}

Result<std::string> Repository::current_branch() const { return git(top_, {"branch", "--show-current"}); }

Result<std::vector<std::string>> Repository::remotes() const {
  SPARKY_ASSIGN(auto said, git(top_, {"remote"}));
  std::vector<std::string> out;
  for (auto line : split(said, '\n'))
    if (!line.empty()) out.emplace_back(line);
  return out;
}

Result<bool> Repository::contains(const std::string& commit, const std::string& other) const {
  SPARKY_ASSIGN(auto done, try_git(top_, {"merge-base", "--is-ancestor", other, commit}));
  return done.ok();
}

Result<std::string> Repository::remote_head(const std::string& remote, const std::string& branch) const {
  SPARKY_ASSIGN(auto there, git(top_, {"ls-remote", remote, "refs/heads/" + branch}));
  return there.substr(0, there.find_first_of(" \t"));
}

Result<std::string> Repository::fetch(const std::string& remote, const std::string& branch) const {
  SPARKY_ASSIGN(auto there, remote_head(remote, branch));
  if (there.empty()) return std::string();
  SPARKY_TRY(git(top_, {"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote,
                        fmt::format("+refs/heads/{0}:refs/sparky/remotes/{1}/{0}", branch, remote)}));
  return resolve(fmt::format("refs/sparky/remotes/{}/{}", remote, branch));
}

Status Repository::set_ref(const std::string& ref, const std::string& commit) const {
  SPARKY_TRY(git(top_, {"update-ref", ref, commit}));
  return {};
}

Status Repository::make_branch(const std::string& branch, const std::string& commit) const {
  auto done = git(top_, {"update-ref", "refs/heads/" + branch, commit, std::string(40, '0')});
  if (!done) return fail(Errc::busy, fmt::format("the branch {} is there already", branch));
  return {};
}

Status Repository::delete_branch(const std::string& branch, const std::string& expected) const {
  SPARKY_ASSIGN(auto taken, checked_out_at(branch));
  if (taken) return fail(Errc::busy, fmt::format("{} is checked out at {}", branch, taken->string()));
  SPARKY_TRY(git(top_, {"update-ref", "-d", "refs/heads/" + branch, expected}));
  return {};
}

Result<bool> Repository::branch_exists(std::string_view branch) const {
  SPARKY_ASSIGN(auto done, try_git(top_, {"show-ref", "--verify", "--quiet", "refs/heads/" + std::string(branch)}));
  return done.ok();
}

Result<std::optional<fs::path>> Repository::checked_out_at(std::string_view branch) const {
  SPARKY_ASSIGN(auto all, list_worktrees(top_));
  for (auto& w : all)
    if (w.branch == branch) return std::optional(w.path);
  return std::optional<fs::path>();
}

Status Repository::add_worktree(const fs::path& path, const std::string& branch, const std::string& base) const {
  SPARKY_ASSIGN(auto all, list_worktrees(top_));
  for (auto& w : all) {
    if (!same_place(w.path, path)) continue;
    if (w.half_made) SPARKY_TRY(remove_checkout(path));
    // Cut off in mid-rebase it is on no branch: back_on_branch() mends that.
    if (!w.half_made && w.branch != branch && fs::exists(path)) return {};
  }
  SPARKY_ASSIGN(auto taken, checked_out_at(branch));
  if (taken && same_place(*taken, path) && fs::exists(path)) return {};
  if (taken && fs::exists(*taken))
    return fail(Errc::busy, fmt::format("the branch {} is checked out at {}", branch, taken->string()),
                "switch that checkout to another branch, or take the workstream over by hand");
  std::error_code ec;
  if (fs::exists(path, ec) && !fs::is_empty(path, ec))
    return fail(Errc::exists, fmt::format("{} is in the way", path.string()), "move it aside");
  SPARKY_TRY(make_directories(path.parent_path()));
  SPARKY_TRY(forget_removed());
  SPARKY_ASSIGN(bool exists, branch_exists(branch));
  if (exists) {
    SPARKY_TRY(git(top_, {"worktree", "add", "--quiet", path.string(), branch}));
  } else {
    SPARKY_ASSIGN(auto start, resolve(base));
    SPARKY_TRY(git(top_, {"worktree", "add", "--quiet", "--no-track", "-b", branch, path.string(), start}));
  }
  return fetch_submodules(path);
}

Status Repository::remove_stale_locks(const fs::path& worktree, const std::string& branch) const {
  SPARKY_ASSIGN(auto shared, git_directory());
  auto top = git(worktree, {"rev-parse", "--show-toplevel"});
  if (top && same_place(*top, worktree) && !same_place(worktree, top_)) {
    SPARKY_ASSIGN(auto own, git(worktree, {"rev-parse", "--absolute-git-dir"}));
    remove_locks(own, Duration(0));
  }
  remove_lock(shared / "refs" / "heads" / (branch + ".lock"), Duration(0));
  return remove_stale_locks();
}

Status Repository::remove_stale_locks() const {
  constexpr Duration held_longest(10'000);
  SPARKY_ASSIGN(auto shared, git_directory());
  for (auto* name : {"packed-refs.lock", "config.lock", "shallow.lock"}) remove_lock(shared / name, held_longest);
  remove_locks(shared / "refs", held_longest);
  return {};
}

Status Repository::back_on_branch(const fs::path& path, const std::string& branch) const {
  auto there = [&]() -> Result<bool> {
    SPARKY_ASSIGN(auto at, checked_out_at(branch));
    return at && same_place(*at, path);
  };
  SPARKY_ASSIGN(bool on_it, there());
  if (on_it) return {};
  (void)try_git(path, {"rebase", "--abort"});  // it can fail half, and say that it did not
  SPARKY_ASSIGN(on_it, there());
  if (on_it) return {};
  SPARKY_ASSIGN(auto other, git(path, {"branch", "--show-current"}));
  if (other.empty()) {
    SPARKY_ASSIGN(auto head, git(path, {"rev-parse", "HEAD"}));
    SPARKY_ASSIGN(bool builds_on_it, contains(head, branch));
    if (builds_on_it)
      SPARKY_TRY(git(path, {"checkout", "--quiet", "-B", branch}));
    else
      SPARKY_TRY(git(path, {"checkout", "--quiet", "--force", branch}));
    (void)try_git(path, {"rebase", "--quit"});
    return {};
  }
  return fail(Errc::busy, fmt::format("{} is not on its branch {}", path.string(), branch),
              fmt::format("git -C '{}' switch {}", path.string(), branch));
}

Status Repository::add_checkout(const fs::path& path, const std::string& commit) const {
  SPARKY_TRY(make_directories(path.parent_path()));
  // Twice: also where git still knows one, locked perhaps, that was killed while it was made or removed.
  SPARKY_TRY(git(top_, {"worktree", "add", "--quiet", "--force", "--force", "--detach", path.string(), commit}));
  return fetch_submodules(path);
}

Status Repository::reset_checkout(const fs::path& path) const {
  SPARKY_TRY(git(path, {"checkout", "--quiet", "--force", "HEAD"}));
  SPARKY_TRY(git(path, {"clean", "-fdq"}));
  std::error_code ec;
  if (fs::exists(path / ".gitmodules", ec))
    SPARKY_TRY(git(path, {"submodule", "--quiet", "foreach", "--recursive", "git checkout -qf . && git clean -fdq"}));
  return {};
}

Status Repository::remove_checkout(const fs::path& path) const {
  // Twice: also one that git was killed over while it made it, and has locked ("initializing").
  auto removed = git(top_, {"worktree", "remove", "--force", "--force", path.string()});
  if (removed) return {};
  (void)git(top_, {"worktree", "unlock", path.string()});
  std::error_code ec;
  fs::remove_all(path, ec);
  return forget_removed();
}

Status Repository::forget_removed() const {
  SPARKY_TRY(git(top_, {"worktree", "prune"}));
  return {};
}

Result<WorktreeState> Repository::state(const fs::path& path, const std::string& target) const {
  WorktreeState out;
  out.path = path;
  SPARKY_ASSIGN(out.head, git(path, {"rev-parse", "HEAD"}));
  SPARKY_ASSIGN(out.branch, git(path, {"branch", "--show-current"}));
  SPARKY_ASSIGN(auto changed, git(path, {"status", "--porcelain", "-z", "--untracked-files=all"}));
  out.dirty = !changed.empty();
  if (auto into = resolve(target)) {
    // `git cherry` marks with + each commit whose change the target lacks; a squash merge is recognised by its tree.
    SPARKY_ASSIGN(auto missing, git(path, {"cherry", *into, out.head}));
    bool all_there = true;
    for (auto line : split(missing, '\n')) all_there &= !line.starts_with("+");
    out.merged = all_there;
    if (!all_there) {
      SPARKY_ASSIGN(auto files, changes(*into, out.head));
      std::vector<std::string> compare{"diff", "--quiet", *into, out.head, "--"};
      for (auto& f : files) compare.push_back(f.path);
      SPARKY_ASSIGN(auto same, try_git(path, compare));
      out.merged = same.ok();
    }
  }
  SPARKY_ASSIGN(auto refs, git(path, {"for-each-ref", "--sort=-creatordate", "--format=%(refname) %(tree) %(parent)",
                                      "refs/sparky/"}));
  // A ref of this repository keeps nothing of what was done in a submodule.
  std::error_code ec;
  bool inside = false;
  if (fs::exists(path / ".gitmodules", ec)) {
    SPARKY_ASSIGN(auto said, git(path, {"submodule", "--quiet", "foreach", "--recursive",
                                        "git status --porcelain; git log --oneline HEAD --not --remotes"}));
    inside = !said.empty();
  }
  if (!refs.empty() && !inside) {
    SPARKY_ASSIGN(auto present, keep(path, "", "present state"));
    SPARKY_ASSIGN(auto tree, git(path, {"rev-parse", present + "^{tree}"}));
    for (auto line : split(refs, '\n')) {
      auto parts = split(line, ' ');
      if (parts.size() < 3 || parts[1] != tree || parts[2] != out.head) continue;
      out.kept = true;
      out.kept_ref = parts[0];
      break;
    }
  }
  return out;
}

Result<std::vector<WorktreeState>> Repository::worktrees(const fs::path& below, const std::string& target) const {
  SPARKY_ASSIGN(auto all, list_worktrees(top_));
  std::error_code ec;
  auto root = fs::weakly_canonical(below, ec).string() + "/";
  std::vector<WorktreeState> out;
  for (auto& w : all) {
    if (!fs::weakly_canonical(w.path, ec).string().starts_with(root) || !fs::exists(w.path, ec)) continue;
    SPARKY_ASSIGN(auto one, state(w.path, target));
    out.push_back(std::move(one));
  }
  return out;
}

Status Repository::remove_worktree(const fs::path& path, const std::string& target) const {
  SPARKY_ASSIGN(auto now, state(path, target));
  if (!now.removable()) return fail(Errc::denied, fmt::format("{}: {}", path.string(), now.why()));
  SPARKY_TRY(git(top_, {"worktree", "remove", "--force", path.string()}));
  return {};
}

Result<std::string> Repository::keep(const fs::path& worktree, const std::string& ref,
                                     const std::string& message) const {
  static std::atomic<int> counter{0};
  SPARKY_ASSIGN(auto git_dir, git(worktree, {"rev-parse", "--absolute-git-dir"}));
  // An index of its own: the worktree's stays as the agent left it.
  fs::path index = fs::path(git_dir) / fmt::format("sparky-index.{}.{}", ::getpid(), counter++);
  auto options = options_in(worktree);
  options.env.push_back("GIT_INDEX_FILE=" + index.string());
  auto with_index = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "git");
    return run_checked(arguments, options);
  };
  auto tree = [&]() -> Result<std::string> {
    SPARKY_TRY(with_index({"read-tree", "HEAD"}));
    SPARKY_TRY(with_index({"add", "--all", "--", "."}));
    return with_index({"write-tree"});
  }();
  std::error_code ec;
  fs::remove(index, ec);
  if (!tree) return std::unexpected(tree.error());
  options.env.insert(options.env.end(), {"GIT_AUTHOR_NAME=Sparky", "GIT_AUTHOR_EMAIL=sparky@localhost",
                                         "GIT_COMMITTER_NAME=Sparky", "GIT_COMMITTER_EMAIL=sparky@localhost"});
  SPARKY_ASSIGN(auto commit,
                run_checked({"git", "commit-tree", std::string(trim(*tree)), "-p", "HEAD", "-m", message}, options));
  commit = trim(commit);
  if (!ref.empty()) SPARKY_TRY(git(worktree, {"update-ref", ref, commit}));
  return commit;
}

Status Repository::commit_file(const fs::path& worktree, const std::string& file, const std::string& message) const {
  SPARKY_TRY(git(worktree, {"add", "--", file}));
  SPARKY_TRY(git(worktree, {"-c", "user.name=Sparky", "-c", "user.email=sparky@localhost", "commit", "--quiet",
                            "--no-verify", "-m", message, "--only", "--", file}));
  return {};
}

Result<std::vector<FileChange>> Repository::changes(const std::string& base, const std::string& commit) const {
  SPARKY_ASSIGN(auto done, try_git(top_, {"diff", "--name-status", "-z", "-M", base + "..." + commit}));
  if (!done.ok()) return fail(Errc::io, fmt::format("git diff: {}", trim(done.err)));
  auto parts = zero_separated(done.out);
  std::vector<FileChange> out;
  for (size_t i = 0; i + 1 < parts.size(); i += 2) {
    FileChange change{parts[i][0], parts[i + 1], ""};
    if (change.status == 'R' && i + 2 < parts.size()) {
      change.old_path = parts[i + 1];
      change.path = parts[i + 2];
      ++i;
    }
    out.push_back(std::move(change));
  }
  return out;
}

Result<std::string> Repository::diff(const std::string& base, const std::string& commit) const {
  // What is larger than anybody reads is named, not shown.
  return git(top_, {"-c", "core.bigFileThreshold=2m", "diff", "-M", base + "..." + commit});
}

Result<int> Repository::ahead(const std::string& base, const std::string& commit) const {
  SPARKY_ASSIGN(auto text, git(top_, {"rev-list", "--count", base + ".." + commit}));
  int count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

Result<Repository::Rebased> Repository::rebased(const std::string& commit, const std::string& onto,
                                                const fs::path& scratch) const {
  SPARKY_TRY(add_checkout(scratch, commit));
  auto outcome = [&]() -> Result<Rebased> {
    auto arguments = std::vector<std::string>{"-c",     "user.name=Sparky", "-c", "user.email=sparky@localhost",
                                              "rebase", "--quiet",          onto};
    SPARKY_ASSIGN(auto done, try_git(scratch, arguments));
    if (done.ok()) {
      SPARKY_ASSIGN(auto head, git(scratch, {"rev-parse", "HEAD"}));
      return Rebased{head, std::nullopt};
    }
    SPARKY_ASSIGN(auto unmerged, try_git(scratch, {"diff", "--name-only", "-z", "--diff-filter=U"}));
    Conflict conflict;
    conflict.files = zero_separated(unmerged.out);
    if (conflict.files.empty()) return fail(Errc::io, fmt::format("git rebase: {}", trim(done.err)));
    SPARKY_ASSIGN(auto base, git(top_, {"merge-base", onto, commit}));
    std::vector<std::string> ours{"diff", base, commit, "--"}, theirs{"diff", base, onto, "--"};
    for (auto* list : {&ours, &theirs}) list->insert(list->end(), conflict.files.begin(), conflict.files.end());
    SPARKY_ASSIGN(conflict.ours, git(top_, ours));
    SPARKY_ASSIGN(conflict.theirs, git(top_, theirs));
    return Rebased{"", std::move(conflict)};
  }();
  SPARKY_TRY(remove_checkout(scratch));
  return outcome;
}

Result<std::string> Repository::squashed(const std::string& commit, const std::string& onto,
                                         const std::string& message) const {
  auto options = options_in(top_);
  SPARKY_ASSIGN(auto author, git(top_, {"log", "-1", "--format=%an%x00%ae", commit}));
  auto parts = split(author, '\0');
  options.env.insert(options.env.end(),
                     {fmt::format("GIT_AUTHOR_NAME={}", parts[0]), fmt::format("GIT_AUTHOR_EMAIL={}", parts.back()),
                      "GIT_COMMITTER_NAME=Sparky", "GIT_COMMITTER_EMAIL=sparky@localhost"});
  SPARKY_ASSIGN(auto made, run_checked({"git", "commit-tree", commit + "^{tree}", "-p", onto, "-m", message}, options));
  return std::string(trim(made));
}

Status Repository::advance(const std::string& branch, const std::string& expected, const std::string& commit,
                           const std::string& remote) const {
  auto moved = [&] {
    return fail(Errc::busy, fmt::format("{} has moved since {:.10}", branch, expected), "rebase and check again");
  };
  SPARKY_ASSIGN(auto descends, try_git(top_, {"merge-base", "--is-ancestor", expected, commit}));
  if (!descends.ok())
    return fail(Errc::invalid,
                fmt::format("{:.10} does not build on {:.10}, which {} is at", commit, expected, branch));
  if (!remote.empty()) {
    // The lease makes it a compare-and-swap: the remote must still be where the checks were made.
    SPARKY_ASSIGN(auto done, try_git(top_, {"push", "--porcelain",
                                            fmt::format("--force-with-lease=refs/heads/{}:{}", branch, expected),
                                            remote, fmt::format("{}:refs/heads/{}", commit, branch)}));
    if (done.ok()) return {};
    if (done.out.find("[remote rejected]") != std::string::npos)
      return fail(Errc::denied, fmt::format("{} refuses the push: {}", remote, trim(done.err)),
                  "its rules may want a pull request: merge.mode = \"github\" in sparky.toml");
    if (done.out.find("rejected") != std::string::npos || done.out.find("stale") != std::string::npos) return moved();
    return fail(Errc::io, fmt::format("git push: {}", trim(done.err)));
  }
  SPARKY_ASSIGN(auto taken, checked_out_at(branch));
  if (taken)
    return fail(Errc::busy, fmt::format("{} is checked out at {}", branch, taken->string()),
                "merge into a branch that nobody has checked out, or name a remote to push to");
  auto done = git(top_, {"update-ref", "refs/heads/" + branch, commit, expected});
  if (done) return {};
  auto now = resolve("refs/heads/" + branch);
  if (now && *now == expected) return std::unexpected(done.error());  // a lock that a killed git left, or a full disk
  return moved();
}

}  // namespace sparky::agents
