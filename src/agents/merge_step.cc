// The merge queue: one holder of the lock at a time rebases, checks what has moved, and advances the target.
#include <fmt/format.h>

#include <algorithm>

#include "agents/merge.h"
#include "agents/prompt.h"
#include "agents/verify.h"
#include "base/files.h"
#include "base/text.h"
#include "plan/by_agent.h"

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
  Merge(const Task& task, Repository repository, std::string prefix)
      : task_(task), repository_(std::move(repository)), prefix_(std::move(prefix)) {
    auto profiles = load_profiles(task.agents_toml, task.project);
    if (!task.workstream.agents.empty()) profile_ = profiles.find(task.workstream.agents[0]).value_or(Profile{});
  }

  Result<int> run() {
    SPARKY_ASSIGN(candidate_, repository_.resolve(task_.ref("candidate")));
    SPARKY_ASSIGN(base_, repository_.resolve(task_.ref("base")));
    SPARKY_ASSIGN(bool may, may_go_on());
    if (!may) return held;
    say("waiting for its turn in the merge queue");
    SPARKY_ASSIGN(auto turn, lock_file(task_.project / ".sparky" / "agents" / "merge.lock", true));
    for (int round = 0; round < rounds_max; ++round) {
      SPARKY_ASSIGN(auto target, find_target(repository_, task_.project));
      SPARKY_ASSIGN(bool there, repository_.contains(target.head, candidate_));
      if (there) return finish(target);
      SPARKY_ASSIGN(bool on_top, repository_.contains(candidate_, target.head));
      if (!on_top) {
        SPARKY_ASSIGN(int code, bring_up(target));
        if (code != 0) return code;
      }
      auto advanced = repository_.advance(target.branch, target.head, candidate_, target.remote);
      if (advanced) return finish(target);
      if (!advanced.error().is(Errc::busy)) return std::unexpected(advanced.error());
      say(advanced.error().message + "; once more");
    }
    return fail(Errc::busy, "the target kept moving");
  }

 private:
  // What looks wrong is shown to a person, once for each candidate.
  Result<bool> may_go_on() {
    SPARKY_ASSIGN(auto found, findings(repository_, base_, candidate_, task_.workstream, prefix_));
    if (auto notes = listed(found, false); !notes.empty()) say("note: " + notes);
    auto serious = listed(found, true);
    if (serious.empty() || !task_.approved_by.empty()) {
      if (!serious.empty()) say(fmt::format("{} said: merge it, though {}", task_.approved_by, serious));
      return true;
    }
    say("a person has to look at this first: " + serious);
    SPARKY_TRY(write_outcome(task_, fmt::format("{} is ready to merge, but {}", task_.workstream.id, serious)));
    return false;
  }

  // The target has moved: rebase, and check again what stands there now.
  Result<int> bring_up(const Target& target) {
    say(fmt::format("{} has moved to {:.10}: rebasing", target.text(), target.head));
    SPARKY_TRY(discard(task_.home() / "rebase"));
    SPARKY_ASSIGN(auto rebased, repository_.rebased(candidate_, target.head, task_.home() / "rebase"));
    if (rebased.conflict) {
      auto files = fmt::format("{}", fmt::join(rebased.conflict->files, ", "));
      say("conflict in " + files);
      SPARKY_TRY(add_feedback(task_, conflict_text(*rebased.conflict, target.head)));
      SPARKY_TRY(write_outcome(task_, fmt::format("conflict with {} in {}", target.text(), files)));
      return 1;
    }
    SPARKY_TRY(prepare_checkout(repository_, task_.checkout(), rebased.head, profile_.setup));
    for (auto& criterion : task_.workstream.criteria) {
      if (plan::merges(criterion) || criterion.check.empty() || !criterion.needs_facts.empty()) continue;
      say(fmt::format("checking again on what is merged: {}", criterion.text));
      SPARKY_ASSIGN(auto checked, run_check_command(task_, profile_, criterion, task_.checkout(), prefix_));
      SPARKY_TRY(repository_.reset_checkout(task_.checkout()));
      if (checked.code == 0) continue;
      SPARKY_TRY(add_feedback(
          task_,
          fmt::format("Rebased on {} ({:.10}) the criterion \"{}\" is not met any more. `{}`: "
                      "exit status {}\n\n```\n{}\n```\n\nRebase your branch on it and repair this.",
                      target.text(), target.head, criterion.text, criterion.check, checked.code, trim(checked.tail))));
      SPARKY_TRY(write_outcome(task_, "on top of what others merged it fails: " + criterion.text));
      return 1;
    }
    // First the record, then the act: killed in between, the same commit is merged next time, not another.
    SPARKY_TRY(repository_.set_ref(task_.ref("candidate"), rebased.head));
    SPARKY_TRY(repository_.set_ref(task_.ref("base"), target.head));
    candidate_ = rebased.head;
    base_ = target.head;
    return 0;
  }

  Status discard(const fs::path& checkout) const {
    std::error_code ec;
    if (fs::exists(checkout / ".git", ec)) SPARKY_TRY(repository_.remove_checkout(checkout));
    fs::remove_all(checkout, ec);
    return {};
  }

  // Merged: what was made for it goes; the worktree only if it holds nothing more than what is merged or kept.
  Result<int> finish(const Target& target) {
    say(fmt::format("merged into {} as {:.10}", target.text(), candidate_));
    if (!target.word.empty()) say(target.word);
    SPARKY_TRY(repository_.set_ref(task_.ref("merged"), candidate_));
    SPARKY_TRY(discard(task_.checkout()));
    std::error_code ec;
    if (fs::exists(task_.worktree(), ec)) {
      auto gone = repository_.remove_worktree(task_.worktree(), candidate_);
      if (!gone) say("its worktree stays: " + gone.error().message);
    }
    if (auto head = repository_.resolve("refs/heads/" + task_.branch()); head && !fs::exists(task_.worktree(), ec)) {
      SPARKY_TRY(repository_.set_ref(task_.ref("branch"), *head));
      if (auto gone = repository_.delete_branch(task_.branch(), *head); !gone) say(gone.error().message);
    }
    fs::remove(task_.home() / "feedback.md", ec);
    SPARKY_TRY(write_outcome(task_, fmt::format("merged into {} as {:.10}", target.text(), candidate_)));
    return 0;
  }

  const Task& task_;
  Repository repository_;
  std::string prefix_;
  Profile profile_;
  std::string candidate_, base_;
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
  SPARKY_ASSIGN(auto repository, Repository::open(task.root));
  SPARKY_ASSIGN(auto prefix, prefix_of(repository, task));
  return Merge(task, std::move(repository), std::move(prefix)).run();
}

}  // namespace sparky::agents
