// A pull request as the way to merge, by the gh program: what it can do by hand, in the same order.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "agents/merge.h"
#include "agents/prompt.h"
#include "agents/talk.h"
#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "config/config.h"

namespace sparky::agents {
namespace {

constexpr int held = 75;  // engine::held_code

void say(std::string_view text) {
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

std::string text_of(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// What GitHub says of a pull request, in the words of `gh pr view --json`.
struct Seen {
  int64_t number = 0;
  std::string url, state, review, mergeable, merged, head;
  std::vector<std::string> failed, pending;  // status checks by name
};

constexpr const char* asked_for =
    "number,url,state,reviewDecision,mergeStateStatus,mergeCommit,headRefOid,statusCheckRollup";

// A check run has a status and a conclusion, a commit status a state alone.
Seen read_pull_request(const Json& json) {
  Seen out{.url = text_of(json, "url"),
           .state = text_of(json, "state"),
           .review = text_of(json, "reviewDecision"),
           .mergeable = text_of(json, "mergeStateStatus"),
           .head = text_of(json, "headRefOid")};
  if (auto it = json.find("number"); it != json.end() && it->is_number_integer()) out.number = it->get<int64_t>();
  if (auto it = json.find("mergeCommit"); it != json.end()) out.merged = text_of(*it, "oid");
  auto checks = json.find("statusCheckRollup");
  if (checks == json.end() || !checks->is_array()) return out;
  for (auto& check : *checks) {
    auto name = text_of(check, "name").empty() ? text_of(check, "context") : text_of(check, "name");
    auto state = text_of(check, "state").empty() ? text_of(check, "conclusion") : text_of(check, "state");
    if (state.empty() || state == "PENDING" || state == "EXPECTED")
      out.pending.push_back(name);
    else if (state != "SUCCESS" && state != "NEUTRAL" && state != "SKIPPED")
      out.failed.push_back(fmt::format("{} ({})", name, lower(state)));
  }
  return out;
}

class PullRequest {
 public:
  PullRequest(const Repository& repository, const Candidate& candidate, const Target& target)
      : repository_(repository), candidate_(candidate), target_(target) {}

  Result<PullRequestEnd> merge() {
    if (target_.remote.empty())
      return fail(Errc::invalid, "merge.mode is github, and there is no remote", "git remote add origin …");
    if (!find_in_path("gh"))
      return fail(Errc::unavailable, "gh is not installed", "install GitHub's gh, then gh auth login");
    SPARKY_ASSIGN(auto seen, find());
    if (seen && seen->state == "MERGED" && seen->head == candidate_.commit)
      return PullRequestEnd{.merged = seen->merged};
    SPARKY_ASSIGN(bool pushed, push());
    if (!pushed) return hold(fmt::format("somebody else has pushed to {} at {}", branch(), target_.remote));
    if (!seen || seen->state != "OPEN") SPARKY_TRY(open());
    return follow();
  }

 private:
  const Task& task() const { return candidate_.task; }
  std::string branch() const { return task().branch(); }

  Result<std::string> gh(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "gh");
    auto what = fmt::format("gh {} {}", arguments[1], arguments[2]);
    SPARKY_ASSIGN(auto done, run_program(arguments, {.cwd = repository_.top(),
                                                     .env = {"GH_PROMPT_DISABLED=1", "NO_COLOR=1"},
                                                     .timeout = Duration(120'000)}));
    if (done.ok()) return done.out;
    return fail(Errc::io, fmt::format("{}: {}", what, trim(done.err.empty() ? done.out : done.err)),
                "`gh auth status` says whether it is signed in");
  }

  // The newest one of this branch; nothing: there is none yet.
  Result<std::optional<Seen>> find() const {
    SPARKY_ASSIGN(auto said, gh({"pr", "list", "--head", branch(), "--base", target_.branch, "--state", "all",
                                 "--limit", "1", "--json", asked_for}));
    SPARKY_ASSIGN(auto json, parse_json(said));
    if (!json.is_array() || json.empty()) return std::optional<Seen>();
    return std::optional(read_pull_request(json[0]));
  }

  // The lease: only over what this side pushed itself. false: there is something else.
  Result<bool> push() const {
    auto last = repository_.resolve(task().ref("pushed"));
    auto lease = fmt::format("--force-with-lease=refs/heads/{}:{}", branch(), last ? *last : "");
    SPARKY_ASSIGN(auto there, repository_.remote_head(target_.remote, branch()));
    if (there != candidate_.commit) {
      auto done = run_program({"git", "push", "--quiet", lease, target_.remote,
                               fmt::format("{}:refs/heads/{}", candidate_.commit, branch())},
                              {.cwd = repository_.top(), .env = {"GIT_TERMINAL_PROMPT=0", "LC_ALL=C"}});
      if (!done) return std::unexpected(done.error());
      if (!done->ok() && done->err.find("stale info") != std::string::npos) return false;
      if (!done->ok()) return fail(Errc::io, fmt::format("git push: {}", trim(done->err)));
      say(fmt::format("pushed {:.10} as {}", candidate_.commit, branch()));
    }
    SPARKY_TRY(repository_.set_ref(task().ref("pushed"), candidate_.commit));
    return true;
  }

  Status open() const {
    auto body = task().home() / "pull-request.md";
    auto summary = read_file(task().home() / "summary.md", 1u << 20).value_or("");
    std::string text = fmt::format("{}\n\n## Criteria\n\n", trim(summary));
    for (auto& c : task().workstream.criteria)
      text += fmt::format("- {}{}\n", c.text, c.check.empty() ? "" : fmt::format(" (`{}`)", c.check));
    SPARKY_TRY(write_file_atomic(body, text, {.sync = false}));
    std::vector<std::string> arguments{
        "pr",          "create",       "--head",  branch(),
        "--base",      target_.branch, "--title", fmt::format("{}: {}", task().workstream.id, task().workstream.name),
        "--body-file", body.string()};
    auto reviewers = config::load(task().project).config.text("merge.reviewers");
    if (!reviewers.empty()) arguments.insert(arguments.end(), {"--reviewer", reviewers});
    SPARKY_ASSIGN(auto url, gh(std::move(arguments)));
    say("opened " + std::string(trim(url)));
    return {};
  }

  // Until GitHub has merged it, or something is to be done here. Its rules decide; nothing is forced.
  Result<PullRequestEnd> follow() {
    auto settings = config::load(task().project).config;
    auto poll = settings.duration("merge.poll"), wait = settings.duration("merge.wait");
    auto end = std::chrono::steady_clock::now() + wait;
    for (bool asked = false;;) {
      SPARKY_ASSIGN(auto seen, find());
      if (!seen) return fail(Errc::io, "the pull request is not there any more");
      if (seen->state == "MERGED") return merged(*seen);
      if (seen->state == "CLOSED") return back(fmt::format("{} was closed without being merged", seen->url));
      if (!seen->failed.empty())
        return back(fmt::format("{}: these status checks failed: {}", seen->url, join(seen->failed, ", ")));
      if (seen->review == "CHANGES_REQUESTED") return changes_requested(*seen);
      SPARKY_ASSIGN(bool behind, is_behind(*seen));
      if (behind) return PullRequestEnd{.behind = true};
      if (asked && seen->pending.empty() && seen->review == "REVIEW_REQUIRED")
        return hold(fmt::format("{} waits for a review", seen->url));
      bool first = !asked;
      if (first) {
        SPARKY_ASSIGN(asked, ask_to_merge(*seen));
      }
      if (std::chrono::steady_clock::now() > end)
        return hold(
            fmt::format("{} is not merged after {}: {}", seen->url, human(wait),
                        seen->pending.empty() ? lower(seen->mergeable) : "it waits for " + join(seen->pending, ", ")));
      if (interrupted()) return fail(Errc::unavailable, "stopped from outside");
      if (!first || !asked) ::poll(nullptr, 0, int(std::clamp<int64_t>(poll.count(), 50, 600'000)));
    }
  }

  // Its branch has done its work; who pushed to it meanwhile keeps it.
  Result<PullRequestEnd> merged(const Seen& seen) const {
    (void)run_program(
        {"git", "push", "--quiet", fmt::format("--force-with-lease=refs/heads/{}:{}", branch(), candidate_.commit),
         target_.remote, ":refs/heads/" + branch()},
        {.cwd = repository_.top(), .env = {"GIT_TERMINAL_PROMPT=0"}});
    return PullRequestEnd{.code = 0, .merged = seen.merged};
  }

  Result<bool> is_behind(const Seen& seen) const {
    if (seen.mergeable != "BEHIND" && seen.mergeable != "DIRTY") return false;
    SPARKY_ASSIGN(auto now, find_target(repository_, task().project));
    SPARKY_ASSIGN(bool on_top, repository_.contains(candidate_.commit, now.head));
    return !on_top;
  }

  // Squashed, of exactly this commit, as soon as its rules are met. false: the repository has no auto-merge, and they
  // are not met yet.
  Result<bool> ask_to_merge(const Seen& seen) const {
    std::vector<std::string> arguments{
        "pr", "merge", std::to_string(seen.number), "--squash", "--match-head-commit", candidate_.commit};
    auto automatic = arguments;
    automatic.push_back("--auto");
    if (auto done = gh(automatic); done) return true;
    if (seen.review == "REVIEW_REQUIRED") return true;  // a person is asked, and it is looked at again then
    if (!seen.pending.empty()) return false;
    SPARKY_TRY(gh(arguments));
    return true;
  }

  Result<PullRequestEnd> changes_requested(const Seen& seen) const {
    std::string words;
    if (auto said = gh({"pr", "view", std::to_string(seen.number), "--json", "reviews"}))
      if (auto json = parse_json(*said); json && json->is_object() && json->contains("reviews"))
        for (auto& review : (*json)["reviews"])
          if (text_of(review, "state") == "CHANGES_REQUESTED") words += "\n\n" + text_of(review, "body");
    return back(fmt::format("{}: a reviewer wants changes{}", seen.url, words));
  }

  Result<PullRequestEnd> back(const std::string& why) const {
    say(why);
    SPARKY_TRY(add_feedback(task(), why));
    SPARKY_TRY(write_outcome(task(), std::string(split(why, '\n')[0])));
    return PullRequestEnd{.code = 1};
  }
  Result<PullRequestEnd> hold(const std::string& why) const {
    say("a person has to look: " + why);
    SPARKY_TRY(write_outcome(task(), why));
    return PullRequestEnd{.code = held};
  }

  const Repository& repository_;
  const Candidate& candidate_;
  const Target& target_;
};

}  // namespace

Result<PullRequestEnd> merge_on_github(const Repository& repository, const Candidate& candidate, const Target& target) {
  return PullRequest(repository, candidate, target).merge();
}

}  // namespace sparky::agents
