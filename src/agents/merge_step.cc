// The merge queue: one holder of the lock at a time rebases, checks what has moved, and advances the target, alone or
// together with others that wait.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

#include "agents/merge.h"
#include "agents/prompt.h"
#include "agents/talk.h"
#include "agents/verify.h"
#include "base/files.h"
#include "base/text.h"
#include "config/config.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

constexpr int held = 75;        // engine::held_code
constexpr int rounds_max = 20;  // others may push meanwhile, but not for ever

void say(std::string_view text) {
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

std::string listed(const std::vector<Finding>& findings, bool serious) {
  std::string out;
  for (auto& f : findings)
    if (f.serious == serious) out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", f.path, f.text);
  return out;
}

class Merge {
 public:
  Merge(Repository repository, Candidate own) : repository_(std::move(repository)), own_(std::move(own)) {}

  Result<int> run() {
    SPARKY_ASSIGN(bool may, may_go_on());
    if (!may) return held;
    // Held while it waits: so the one whose turn it is sees who waits and is alive.
    SPARKY_ASSIGN(auto place, lock_file(queue_place(task()), true));
    std::error_code ec;
    fs::last_write_time(queue_place(task()), fs::file_time_type::clock::now(), ec);
    auto code = in_the_queue();
    fs::remove(queue_place(task()), ec);
    return code;
  }

 private:
  const Task& task() const { return own_.task; }

  Result<int> in_the_queue() {
    say("waiting for its turn in the merge queue");
    auto mode = config::load(task().project).config.text("merge.mode");
    if (mode == "github") return on_github();
    if (mode != "push")
      return fail(Errc::invalid, fmt::format("merge.mode: '{}' is not known", mode), "it is push or github");
    SPARKY_ASSIGN(auto turn, lock_file(task().project / ".sparky" / "agents" / "merge.lock", true));
    SPARKY_TRY(repository_.remove_stale_locks());
    SPARKY_TRY(finish_batch(repository_, task().project));
    SPARKY_ASSIGN(own_, read_candidate(repository_, own_.task));  // a batch may have rebased it
    SPARKY_TRY(merge_batch(repository_, own_));
    SPARKY_ASSIGN(own_, read_candidate(repository_, own_.task));
    for (int round = 0; round < rounds_max; ++round) {
      SPARKY_ASSIGN(auto target, find_target(repository_, task().project));
      SPARKY_ASSIGN(bool there, repository_.contains(target.head, own_.commit));
      if (there) return finish(target);
      SPARKY_ASSIGN(bool on_top, repository_.contains(own_.commit, target.head));
      if (!on_top) {
        SPARKY_ASSIGN(int code, bring_up(target));
        if (code != 0) return code;
      }
      auto advanced = repository_.advance(target.branch, target.head, own_.commit, target.remote);
      if (advanced) return finish(target);
      if (!advanced.error().is(Errc::busy)) return std::unexpected(advanced.error());
      say(advanced.error().message + "; once more");
    }
    return fail(Errc::busy, "the target kept moving");
  }

  // GitHub has a queue of its own; here only what it is rebased on and checked with is looked after.
  Result<int> on_github() {
    for (int round = 0; round < rounds_max; ++round) {
      SPARKY_ASSIGN(auto target, find_target(repository_, task().project));
      SPARKY_ASSIGN(auto end, merge_on_github(repository_, own_, target));
      if (end.code != 0) return end.code;
      if (!end.merged.empty()) {
        SPARKY_ASSIGN(target, find_target(repository_, task().project));
        own_.commit = end.merged;
        return finish(target);
      }
      if (end.behind) {
        SPARKY_ASSIGN(target, find_target(repository_, task().project));
        SPARKY_ASSIGN(int code, bring_up(target));
        if (code != 0) return code;
      }
    }
    return fail(Errc::busy, "the target kept moving");
  }

  // What looks wrong is shown to a person, once for each candidate.
  Result<bool> may_go_on() {
    SPARKY_ASSIGN(auto found, findings(repository_, own_.base, own_.commit, task().workstream, own_.prefix));
    if (auto notes = listed(found, false); !notes.empty()) say("note: " + notes);
    auto serious = listed(found, true);
    if (serious.empty() || !task().approved_by.empty()) {
      if (!serious.empty()) say(fmt::format("{} said: merge it, though {}", task().approved_by, serious));
      return true;
    }
    say("a person has to look at this first: " + serious);
    SPARKY_TRY(write_outcome(task(), fmt::format("{} is ready to merge, but {}", task().workstream.id, serious)));
    return false;
  }

  // The target has moved: rebase, and check again what stands there now.
  Result<int> bring_up(const Target& target) {
    say(fmt::format("{} has moved to {:.10}: rebasing", target.text(), target.head));
    SPARKY_TRY(discard_checkout(repository_, task().home() / "rebase"));
    SPARKY_ASSIGN(auto rebased, repository_.rebased(own_.commit, target.head, task().home() / "rebase"));
    if (rebased.conflict) {
      auto files = fmt::format("{}", fmt::join(rebased.conflict->files, ", "));
      say("conflict in " + files);
      SPARKY_TRY(add_feedback(task(), conflict_text(*rebased.conflict, target.head)));
      SPARKY_TRY(write_outcome(task(), fmt::format("conflict with {} in {}", target.text(), files)));
      return 1;
    }
    SPARKY_ASSIGN(auto unmet, check_together(repository_, {own_}, rebased.head, task().checkout()));
    if (unmet) {
      SPARKY_TRY(add_feedback(
          task(), fmt::format("Rebased on {} ({:.10}) the criterion \"{}\" is not met any more. `{}`: "
                              "exit status {}\n\n```\n{}\n```\n\nRebase your branch on it and repair this.",
                              target.text(), target.head, unmet->criterion, unmet->check, unmet->checked.code,
                              trim(unmet->checked.tail))));
      SPARKY_TRY(write_outcome(task(), "on top of what others merged it fails: " + unmet->criterion));
      return 1;
    }
    // First the record, then the act: killed in between, the same commit is merged next time, not another.
    SPARKY_TRY(repository_.set_ref(task().ref("candidate"), rebased.head));
    SPARKY_TRY(repository_.set_ref(task().ref("base"), target.head));
    own_.commit = rebased.head;
    own_.base = target.head;
    return 0;
  }

  // Merged: what was made for it goes; the worktree only if it holds nothing more than what is merged or kept.
  Result<int> finish(const Target& target) {
    if (auto words = read_file(task().home() / "batch.md", 1u << 20)) say(trim(*words));
    say(fmt::format("merged into {} as {:.10}", target.text(), own_.commit));
    if (!target.word.empty()) say(target.word);
    SPARKY_TRY(repository_.set_ref(task().ref("merged"), own_.commit));
    SPARKY_TRY(discard_checkout(repository_, task().checkout()));
    std::error_code ec;
    if (fs::exists(task().worktree(), ec)) {
      auto gone = repository_.remove_worktree(task().worktree(), own_.commit);
      if (!gone) say("its worktree stays: " + gone.error().message);
    }
    SPARKY_TRY(repository_.forget_removed());
    if (auto head = repository_.resolve("refs/heads/" + task().branch()); head && !fs::exists(task().worktree(), ec)) {
      SPARKY_TRY(repository_.set_ref(task().ref("branch"), *head));
      if (auto gone = repository_.delete_branch(task().branch(), *head); !gone) say(gone.error().message);
    }
    fs::remove(task().home() / "feedback.md", ec);
    SPARKY_TRY(write_outcome(task(), fmt::format("merged into {} as {:.10}", target.text(), own_.commit)));
    return 0;
  }

  Repository repository_;
  Candidate own_;
};

}  // namespace

std::string conflict_text(const Conflict& conflict, const std::string& onto) {
  constexpr size_t side_max = 20'000;
  return fmt::format(
      "Your branch conflicts with what others have merged, in {}.\n\nYour side:\n\n```diff\n{}\n```\n\nTheir side:\n\n"
      "```diff\n{}\n```\n\nRun `git rebase {}`, resolve each conflict so that both intents hold, run the checks, and "
      "commit.",
      fmt::join(conflict.files, ", "), conflict.ours.substr(0, side_max), conflict.theirs.substr(0, side_max), onto);
}

Result<int> merge_step(const Task& task) {
  // What goes wrong here is not the agent's fault, so it does not go back to it: once more, then a person looks.
  // Longer than a lock of a killed git is left alone (Repository::remove_stale_locks).
  constexpr int tries_max = 3, pause_ms = 5000;
  for (int i = 1;; ++i) {
    auto code = [&]() -> Result<int> {
      SPARKY_ASSIGN(auto repository, Repository::open(task.root));
      SPARKY_ASSIGN(auto own, read_candidate(repository, task));
      return Merge(std::move(repository), std::move(own)).run();
    }();
    if (code) return code;
    say("the merge does not go through: " + code.error().text());
    if (code.error().is(Errc::io) && i < tries_max && !interrupted()) {
      ::poll(nullptr, 0, i * pause_ms);
      continue;
    }
    SPARKY_TRY(write_outcome(task, fmt::format("{} is ready, but the merge does not go through: {}", task.workstream.id,
                                               code.error().text())));
    return held;
  }
}

}  // namespace sparky::agents
