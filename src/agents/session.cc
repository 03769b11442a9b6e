#include "agents/session.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agents/consult.h"
#include "agents/merge.h"
#include "agents/prompt.h"
#include "agents/talk.h"
#include "agents/verify.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

constexpr int held = 75;       // engine::held_code
constexpr int held_all = 76;   // engine::held_all_code
constexpr int rounds_max = 6;  // turns in one attempt: the work, what was wrong with it, what the reviewers said

void print(std::string_view text) {
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

// What persons have allowed an agent so far, for all attempts of a workstream: home()/allowed.json (budgets and the
// sandbox are the run's and the project's). What is being asked stands in it too, so that an approval can be told from
// a mere second try.
struct Allowed {
  std::vector<std::string> permissions;
  std::string asked;        // "budget: 1 run", "sandbox", "permission: execute: …", "words"; empty: nothing
  bool turn_ended = false;  // the budget ended with the agent's turn or after it: what it did is looked at first
};
Allowed read_allowed(const Task& task) {
  Allowed out;
  auto text = read_file(task.home() / "allowed.json", 1u << 20);
  auto json = text ? parse_json(*text) : Result<Json>(Json());
  if (!json || !json->is_object()) return out;
  out.asked = json->value("asked", "");
  out.permissions = json->value("permissions", std::vector<std::string>());
  out.turn_ended = json->value("turn_ended", false);
  return out;
}
Status write_allowed(const Task& task, const Allowed& a) {
  return write_file_atomic(
      task.home() / "allowed.json",
      json_text(Json{{"permissions", a.permissions}, {"asked", a.asked}, {"turn_ended", a.turn_ended}}) + "\n");
}

// A person said "go on" to what was asked: it is allowed from now on.
Result<Allowed> take_answer(const Task& task) {
  auto allowed = read_allowed(task);
  constexpr std::string_view permission = "permission: ", budget = "budget: ";
  allowed.turn_ended &= allowed.asked.starts_with(budget);
  if (!task.approved_by.empty()) {
    if (allowed.asked.starts_with(budget)) {
      auto times_scope = std::string_view(allowed.asked).substr(budget.size());
      auto space = times_scope.find(' ');
      SPARKY_TRY(grant(task, std::string(times_scope.substr(space + 1)), std::atoi(times_scope.data())));
    }
    if (allowed.asked == "sandbox") SPARKY_TRY(allow_without_sandbox(task.project, task.approved_by));
    if (allowed.asked.starts_with(permission)) allowed.permissions.push_back(allowed.asked.substr(permission.size()));
  }
  allowed.asked.clear();
  return allowed;
}

class Session {
 public:
  explicit Session(const Task& task) : task_(task) {}

  Result<int> run() {
    SPARKY_ASSIGN(auto lock, lock_file(task_.home() / "lock", false));
    SPARKY_ASSIGN(allowed_, take_answer(task_));
    SPARKY_TRY(write_allowed(task_, allowed_));
    if (auto ready = prepare(); !ready) {
      // What is missing here only a person can mend, for all agents alike; a network may be there again later.
      if (ready.error().is(Errc::io)) return std::unexpected(ready.error());
      return hold("words", ready.error().text(), held_all);
    }
    SPARKY_ASSIGN(auto git_directory, repository_->git_directory());
    auto confined = confine(profile_, task_, task_.worktree(), git_directory);
    if (!confined.sandboxed && profile_.sandbox == Sandbox::required)
      return fail(Errc::unavailable, "its sandbox is required, and " + confined.word);
    if (!confined.sandboxed && profile_.sandbox == Sandbox::automatic && allowed_without_sandbox(task_.project).empty())
      return hold("sandbox", "agents would work in this project without a sandbox: " + confined.word, held_all);
    Monitor monitor(task_, profile_, budgets_of(task_.project, profile_), allowed_.permissions);
    if (auto spent = used_up({})) return hold_budget(*spent);
    if (wants_advice(task_)) {
      SPARKY_ASSIGN(auto end, advice(monitor));
      SPARKY_TRY(write_usage(task_, monitor.usage()));
      if (end) return *end;
    } else {
      forget_proposal(task_);
    }
    auto agent = make_agent(task_, profile_,
                            {.workdir = task_.worktree(),
                             .confined = confined,
                             .environment = environment(profile_, task_),
                             .session_file = task_.home() / "session.json"},
                            monitor);
    auto code = work(*agent, monitor);
    SPARKY_TRY(write_usage(task_, monitor.usage()));
    SPARKY_TRY(keep(task_.attempt));
    return code;
  }

  Status prepare() {
    SPARKY_ASSIGN(auto repository, Repository::open(task_.root));
    repository_ = std::move(repository);
    SPARKY_ASSIGN(prefix_, prefix_of(*repository_, task_));
    if (task_.workstream.agents.empty()) return fail(Errc::invalid, task_.workstream.id + " has no agent");
    auto profiles = load_profiles(task_.agents_toml, task_.project);
    SPARKY_ASSIGN(profile_, profiles.find(task_.workstream.agents[0]));
    if (auto why = cannot_start(profile_)) return std::unexpected(*why);
    SPARKY_ASSIGN(target_, find_target(*repository_, task_.project));
    if (!target_.word.empty()) print(target_.word);
    bool fresh = !fs::exists(task_.worktree());
    auto ignored = task_.project / ".sparky" / ".gitignore";  // worktrees in a person's checkout are not his files
    if (!fs::exists(ignored)) SPARKY_TRY(write_file_atomic(ignored, "*\n", {.sync = false}));
    SPARKY_TRY(repository_->remove_stale_locks(task_.worktree(), task_.branch()));
    SPARKY_TRY(repository_->add_worktree(task_.worktree(), task_.branch(), target_.head));
    if (!fresh) SPARKY_TRY(keep("found-by-" + task_.attempt));  // what a killed attempt left
    SPARKY_TRY(repository_->back_on_branch(task_.worktree(), task_.branch()));
    auto set_up = task_.home() / "set-up";  // the command that has done it
    if (profile_.setup.empty() || (!fresh && read_file(set_up, 1u << 20).value_or("") == profile_.setup)) return {};
    print("setup: " + profile_.setup);
    auto done = run_checked({"sh", "-c", profile_.setup}, {.cwd = task_.worktree(), .timeout = Duration(30 * 60'000)});
    if (!done) return fail(Errc::unavailable, "the setup command failed: " + done.error().message);
    return write_file_atomic(set_up, profile_.setup, {.sync = false});
  }

 private:
  // The state of the worktree, uncommitted files included, under a ref of its own.
  Status keep(const std::string& name) {
    auto kept = repository_->keep(task_.worktree(), task_.ref("attempt-" + name), "The worktree after " + name);
    if (!kept) return std::unexpected(kept.error());
    return {};
  }

  // Turns, until there is a candidate or no use in going on.
  Result<int> work(Agent& agent, Monitor& monitor) {
    auto whole = build_prompt(task_, profile_, task_.worktree(), target_.text());
    SPARKY_TRY(write_file_atomic(task_.home() / "prompt.md", whole, {.sync = false}));
    std::error_code ec;
    fs::remove(task_.home() / "feedback.md", ec);  // it is in the prompt now
    monitor.tell(0, fmt::format("{} begins", profile_.name));
    std::string follow_up;
    int conflicts = 0;
    // Work that came back has to change, or it has to say why not.
    auto head = [&] { return repository_->resolve("refs/heads/" + task_.branch()).value_or(""); };
    bool look_first = std::exchange(allowed_.turn_ended, false) && !task_.approved_by.empty();
    auto returned = task_.number > 1 && !look_first && repository_->resolve(task_.ref("candidate")) ? head() : "";
    auto turn = [&]() -> Result<Said> {
      if (!std::exchange(look_first, false)) return agent.say(whole, follow_up);
      return Said{.text = std::string(trim(read_file(task_.home() / "summary.md", 4u << 20).value_or("")))};
    };
    for (int round = 0; round < rounds_max; ++round) {
      auto said = turn();
      SPARKY_TRY(write_usage(task_, monitor.usage()));
      // Only a person can sign it in.
      if (!said && said.error().is(Errc::denied)) return hold("words", said.error().text());
      if (!said) return failed("gone: " + said.error().text());
      SPARKY_TRY(write_file_atomic(task_.home() / "summary.md", said->text + "\n", {.sync = false}));
      if (!said->stopped.empty()) {
        if (!monitor.asked().empty())
          return hold("permission: " + monitor.asked(), fmt::format("{} wants to {}", profile_.name, monitor.asked()));
        allowed_.turn_ended = said->ended;
        return monitor.held() ? hold_budget(monitor.spent()) : failed(said->stopped);
      }
      if (auto question = asks_for_person(said->text)) return hold("words", *question);
      SPARKY_ASSIGN(follow_up, what_is_missing());
      if (auto before = std::exchange(returned, {}); follow_up.empty() && !before.empty() && before == head())
        follow_up =
            "Nothing has changed since your work came back. Do what was asked, or say why it is right as it is.";
      if (follow_up.empty()) {
        SPARKY_ASSIGN(auto conflict, make_candidate());
        if (!conflict) {
          auto wanted = reviewers(monitor);
          auto spent = used_up(monitor.usage());
          if (!wanted && spent) {
            allowed_.turn_ended = true;
            return hold_budget(*spent);
          }
          SPARKY_ASSIGN(follow_up, std::move(wanted));
          if (follow_up.empty()) return done(monitor);
        } else if (++conflicts > profile_.conflicts) {
          return hold("words", fmt::format("{} could not resolve its conflicts with {} in {}", profile_.name,
                                           target_.text(), fmt::join(conflict->files, ", ")));
        } else {
          follow_up = conflict_text(*conflict, target_.head);
        }
      }
      print("told the agent: " + std::string(split(follow_up, '\n')[0]));
    }
    return failed(std::string(split(follow_up, '\n')[0]));
  }

  // Why its work cannot be looked at yet; empty: it can.
  Result<std::string> what_is_missing() {
    SPARKY_ASSIGN(auto state, repository_->state(task_.worktree(), target_.head));
    if (state.branch != task_.branch())
      return fmt::format("You are on branch '{}'. Your work belongs on {}: bring it there and commit.", state.branch,
                         task_.branch());
    SPARKY_ASSIGN(int commits, repository_->ahead(target_.head, state.head));
    if (state.dirty)
      return std::string(
          "There are uncommitted files in the worktree. Commit what belongs to your work and remove or "
          "ignore the rest: what is not committed is not delivered.");
    if (commits == 0) return std::string("Nothing has been committed. Do the work, and commit it on your branch.");
    auto missing = missing_deliverables(task_.worktree() / prefix_, task_.workstream);
    if (!missing.empty()) return fmt::format("These deliverables are not there: {}.", fmt::join(missing, ", "));
    return std::string();
  }

  // Rebased on where the target is now, under ref("candidate").
  Result<std::optional<Conflict>> make_candidate() {
    SPARKY_ASSIGN(target_, find_target(*repository_, task_.project));
    SPARKY_ASSIGN(auto head, repository_->resolve("refs/heads/" + task_.branch()));
    auto scratch = task_.home() / "rebase";
    std::error_code ec;
    if (fs::exists(scratch / ".git", ec)) SPARKY_TRY(repository_->remove_checkout(scratch));
    fs::remove_all(scratch, ec);
    SPARKY_ASSIGN(auto rebased, repository_->rebased(head, target_.head, scratch));
    if (rebased.conflict) return rebased.conflict;
    SPARKY_TRY(repository_->set_ref(task_.ref("candidate"), rebased.head));
    SPARKY_TRY(repository_->set_ref(task_.ref("base"), target_.head));
    return std::optional<Conflict>();
  }

  Asking asking(const Profile& profile, const std::string& commit) const {
    return {*repository_, task_, profile, budgets_of(task_.project, profile_), commit};
  }

  // The budget that is used up, if one is.
  std::optional<Spent> used_up(const Usage& now) const {
    auto spent = agents::spent(task_, now, budgets_of(task_.project, profile_));
    return spent.share >= 1 ? std::optional(std::move(spent)) : std::nullopt;
  }

  // All tries are used up: what its orchestrator's agent proposes. Nothing: go on, with its advice; else how it ends.
  Result<std::optional<int>> advice(Monitor& monitor) {
    auto profiles = load_profiles(task_.agents_toml, task_.project);
    SPARKY_ASSIGN(auto profile, profiles.find(task_.advisor));
    // What changes the plan is Sparky's to do, which then lets this go on.
    auto by_itself = [&](const Proposal& p) {
      return std::ranges::find(profile.autonomy, p.kind) != profile.autonomy.end() && !p.changes_plan();
    };
    if (auto before = kept_proposal(task_)) {
      if (task_.approved_by.empty() && !by_itself(*before))
        return failed("what " + task_.advisor + " proposed was turned down");
      return decided(*before);
    }
    if (auto why = cannot_start(profile)) return hold("words", why->text(), held_all);
    auto proposal = ask_for_proposal(asking(profile, target_.head), monitor);
    if (!proposal)
      if (auto spent = used_up(monitor.usage())) return hold_budget(*spent);
    if (!proposal) return failed(fmt::format("{} proposes nothing: {}", profile.name, proposal.error().text()));
    SPARKY_TRY(keep_proposal(task_, *proposal));
    if (!by_itself(*proposal)) return hold("words", proposal->text(task_));
    print(fmt::format("{} says: {} ({})", profile.name, proposal->advice, proposal->why));
    return decided(*proposal);
  }

  // It goes on, with what was decided; a record is written, and goes to the target with its work.
  Result<std::optional<int>> decided(const Proposal& proposal) {
    SPARKY_TRY(add_feedback(task_, proposal.for_agent()));
    if (proposal.kind != "adr") return std::optional<int>();
    auto records = fs::path(prefix_) / "docs" / "adr";
    auto name = record_path(task_.worktree() / records, proposal.change + "\n");
    if (!name) return std::optional<int>();  // it was written before this attempt
    SPARKY_TRY(write_file_atomic(task_.worktree() / records / *name, proposal.change + "\n"));
    SPARKY_TRY(repository_->commit_file(task_.worktree(), (records / *name).string(), "Record " + *name));
    print(fmt::format("written down: {}", (records / *name).string()));
    return std::optional<int>();
  }

  // The other agents of the workstream read the candidate. What they want changed; empty: nothing.
  Result<std::string> reviewers(Monitor& monitor) {
    auto profiles = load_profiles(task_.agents_toml, task_.project);
    for (size_t i = 1; i < task_.workstream.agents.size(); ++i) {
      SPARKY_ASSIGN(auto profile, profiles.find(task_.workstream.agents[i]));
      if (auto why = cannot_start(profile)) return std::unexpected(*why);
      SPARKY_ASSIGN(auto base, repository_->resolve(task_.ref("base")));
      SPARKY_ASSIGN(auto commit, repository_->resolve(task_.ref("candidate")));
      SPARKY_ASSIGN(auto diff, repository_->diff(base, commit));
      monitor.tell(0.95, fmt::format("{} reviews", profile.name));
      SPARKY_ASSIGN(auto said, consult(asking(profile, commit), build_review_prompt(task_, profile, diff), monitor));
      SPARKY_TRY(write_file_atomic(task_.home() / fmt::format("review-{}.md", profile.name), said + "\n"));
      auto verdict = verdict_of(said);
      print(fmt::format("{}: {}", profile.name, !verdict ? "no verdict" : *verdict ? "approves" : "wants changes"));
      if (!verdict || !*verdict)
        return fmt::format("{} has reviewed your work and wants changes:\n\n{}", profile.name, trim(said));
    }
    return std::string();
  }

  Result<int> done(Monitor& monitor) {
    SPARKY_ASSIGN(auto commit, repository_->resolve(task_.ref("candidate")));
    SPARKY_ASSIGN(int commits, repository_->ahead(target_.head, commit));
    auto text = fmt::format("{} {}, {}", commits, commits == 1 ? "commit" : "commits", monitor.usage().text());
    print(fmt::format("candidate {:.10} on {} {:.10}: {}", commit, target_.text(), target_.head, text));
    SPARKY_TRY(write_outcome(task_, text));
    return 0;
  }

  Result<int> failed(const std::string& why) {
    print("failed: " + why);
    SPARKY_TRY(add_feedback(task_, "The try before this one ended so: " + why));
    SPARKY_TRY(write_outcome(task_, why));
    return 1;
  }

  Result<int> hold_budget(const Spent& spent) {
    int times = read_grants(task_.project, task_.run)[spent.scope] + 1;
    return hold(fmt::format("budget: {} {}", times, spent.scope), "the budget is used up: " + spent.text,
                spent.for_all() ? held_all : held);
  }

  Result<int> hold(const std::string& asked, const std::string& text, int code = held) {
    print("a person has to decide: " + text);
    allowed_.asked = asked;
    SPARKY_TRY(write_allowed(task_, allowed_));
    SPARKY_TRY(write_outcome(task_, text));
    return code;
  }

  const Task& task_;
  std::optional<Repository> repository_;
  Profile profile_;
  Target target_;
  Allowed allowed_;
  std::string prefix_;
};

}  // namespace

Result<int> run_session(const Task& task) {
  take_signals();
  auto code = Session(task).run();
  if (!code) (void)write_outcome(task, code.error().text());
  return code;
}

Result<fs::path> open_worktree(const Task& task) {
  auto lock = lock_file(task.home() / "lock", false);
  if (!lock)
    return fail(Errc::busy, fmt::format("an agent is at work in {}", task.worktree().string()),
                fmt::format("sparky cancel {} stops it, and keeps what it has done", task.workstream.id));
  SPARKY_ASSIGN(auto repository, Repository::open(task.root));
  SPARKY_ASSIGN(auto target, find_target(repository, task.project));
  SPARKY_TRY(repository.add_worktree(task.worktree(), task.branch(), target.head));
  return task.worktree();
}

}  // namespace sparky::agents
