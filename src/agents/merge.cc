#include "agents/merge.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <chrono>

#include "agents/child.h"
#include "agents/consult.h"
#include "agents/prompt.h"
#include "agents/sandbox.h"
#include "agents/verify.h"
#include "base/process.h"
#include "base/text.h"
#include "config/config.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

constexpr int held = 75;  // engine::held_code
constexpr size_t tail_max = 6000;

void say(std::string_view text) {
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

// An agent's checks run as the agent did; a gate's with what every profile has by default.
Profile profile_of(const Task& task) {
  auto profiles = load_profiles(task.agents_toml, task.project);
  if (task.workstream.agents.empty()) return {};
  return profiles.find(task.workstream.agents[0]).value_or(Profile{});
}

Status verify_red(const Repository& repository, const Task& task, const Profile& profile,
                  const plan::Criterion& criterion, const std::string& base, const std::string& prefix) {
  auto path = task.home() / "checkout-base";
  SPARKY_TRY(prepare_checkout(repository, path, base, profile.setup));
  say(fmt::format("before the change ({:.10}):", base));
  auto before = run_check_command(task, profile, criterion, path, prefix);
  SPARKY_TRY(repository.remove_checkout(path));
  if (!before) return std::unexpected(before.error());
  if (before->code == 0)
    return fail(Errc::invalid, "it passes before the change too, so it does not show that the change did anything",
                "the test must fail on the base: write it so that it needs the change");
  say(fmt::format("it fails there ({}), as it should. After the change:", before->code));
  return {};
}

}  // namespace

Result<Target> find_target(const Repository& repository, const fs::path& project) {
  auto settings = config::load(project).config;
  Target out;
  out.branch = settings.text("merge.branch");
  if (out.branch.empty()) {
    SPARKY_ASSIGN(out.branch, repository.current_branch());
  }
  if (out.branch.empty()) out.branch = "main";
  out.remote = settings.text("merge.remote");
  SPARKY_ASSIGN(auto remotes, repository.remotes());
  bool chosen = !out.remote.empty();
  if (!chosen && std::ranges::find(remotes, "origin") != remotes.end()) out.remote = "origin";
  if (out.remote == "none") out.remote.clear();
  if (!out.remote.empty() && std::ranges::find(remotes, out.remote) == remotes.end())
    return fail(Errc::not_found, fmt::format("merge.remote: there is no remote '{}'", out.remote), "git remote add …");
  // One at a time: two fetches of the same ref get into each other's way.
  SPARKY_ASSIGN(auto lock, lock_file(project / ".sparky" / "agents" / "fetch.lock", true));
  if (!out.remote.empty()) {
    SPARKY_ASSIGN(out.head, repository.fetch(out.remote, out.branch));
    if (out.head.empty())
      return fail(Errc::not_found, fmt::format("{} has no branch {}", out.remote, out.branch),
                  fmt::format("push it once: git push {} {}", out.remote, out.branch));
    return out;
  }
  auto head = repository.resolve("refs/heads/" + out.branch);
  if (!head)
    return fail(Errc::not_found, fmt::format("there is no branch {} to merge into", out.branch),
                "commit once, or set merge.branch in sparky.toml");
  out.head = *head;
  SPARKY_ASSIGN(auto taken, repository.checked_out_at(out.branch));
  if (!taken) return out;
  out.word =
      fmt::format("{0} is checked out at {1}, so work is merged into sparky/{0}; `git merge sparky/{0}` brings it in",
                  out.branch, taken->string());
  auto name = "sparky/" + out.branch;
  SPARKY_ASSIGN(bool exists, repository.branch_exists(name));
  if (!exists) SPARKY_TRY(repository.make_branch(name, out.head));
  SPARKY_ASSIGN(auto own, repository.resolve("refs/heads/" + name));
  SPARKY_ASSIGN(bool behind, repository.contains(out.head, own));
  if (behind && own != out.head) SPARKY_TRY(repository.advance(name, own, out.head, ""));
  out.branch = name;
  if (!behind) out.head = own;
  return out;
}

Result<std::string> prefix_of(const Repository& repository, const Task& task) {
  std::error_code ec;
  auto within = fs::weakly_canonical(task.root, ec).lexically_relative(fs::weakly_canonical(repository.top(), ec));
  if (within.empty() || *within.begin() == "..")
    return fail(Errc::invalid, fmt::format("the plan's root {} is not in the repository {}", task.root.string(),
                                           repository.top().string()));
  return within == "." ? std::string() : within.string() + "/";
}

Status discard_checkout(const Repository& repository, const fs::path& path) {
  std::error_code ec;
  if (fs::exists(path / ".git", ec)) SPARKY_TRY(repository.remove_checkout(path));
  fs::remove_all(path, ec);
  return {};
}

Status prepare_checkout(const Repository& repository, const fs::path& path, const std::string& commit,
                        const std::string& setup) {
  std::error_code ec;
  if (fs::exists(path / ".git", ec)) {
    auto there = Repository::open(path);
    auto head = there ? there->resolve("HEAD") : Result<std::string>("");
    if (head && *head == commit) return repository.reset_checkout(path);
    SPARKY_TRY(repository.remove_checkout(path));
  }
  fs::remove_all(path, ec);  // what a kill left half made
  SPARKY_TRY(repository.add_checkout(path, commit));
  if (setup.empty()) return {};
  auto done = run_checked({"sh", "-c", setup}, {.cwd = path, .timeout = Duration(30 * 60'000)});
  if (!done) return fail(Errc::unavailable, "the setup command failed: " + done.error().message);
  return {};
}

Result<Checked> run_check_command(const Task& task, const Profile& profile, const plan::Criterion& criterion,
                                  const fs::path& checkout, const std::string& prefix) {
  auto confined = confine(profile, task, checkout, {});
  ChildSpec spec{
      .argv = confined.prefix, .cwd = checkout / prefix, .environment = environment(profile, task), .errors_too = true};
  auto command = confined.sandboxed ? fmt::format("cd '{}' && ", (checkout / prefix).string()) : std::string();
  spec.argv.insert(spec.argv.end(), {"sh", "-c", command + criterion.check});
  SPARKY_ASSIGN(auto child, Child::start(spec));
  child->close_input();
  auto end = std::chrono::steady_clock::now() + criterion.timeout.value_or(task.check_timeout);
  Checked out;
  for (;;) {
    pollfd wait{child->fd(), POLLIN, 0};
    (void)::poll(&wait, 1, 200);
    auto got = child->read();
    if (!got) break;
    std::fwrite(got->data(), 1, got->size(), stdout);
    out.tail += *got;
    if (out.tail.size() > 2 * tail_max) out.tail.erase(0, out.tail.size() - tail_max);
    if (std::chrono::steady_clock::now() > end) {
      child->signal(SIGKILL);
      out.tail += "\nstopped: it took longer than its timeout";
      say("stopped: it took longer than its timeout");
      break;
    }
  }
  std::fflush(stdout);
  child->signal(SIGKILL);  // whoever it left behind
  for (int i = 0; i < 100 && !child->exit_status(); ++i) ::poll(nullptr, 0, 20);
  out.code = child->exit_status().value_or(128 + SIGKILL);
  if (out.tail.size() > tail_max) out.tail.erase(0, out.tail.size() - tail_max);
  return out;
}

Result<int> check_step(const Task& task) {
  if (task.criterion < 0 || size_t(task.criterion) >= task.workstream.criteria.size())
    return fail(Errc::invalid, "the task names no criterion");
  auto& criterion = task.workstream.criteria[size_t(task.criterion)];
  SPARKY_ASSIGN(auto repository, Repository::open(task.root));
  SPARKY_ASSIGN(auto prefix, prefix_of(repository, task));
  auto profile = profile_of(task);
  std::string commit;
  if (task.gate) {
    SPARKY_ASSIGN(auto target, find_target(repository, task.project));
    commit = target.head;
    say(fmt::format("checking {} ({:.10})", target.text(), commit));
  } else {
    SPARKY_ASSIGN(commit, repository.resolve(task.ref("candidate")));
    say(fmt::format("checking {} ({:.10}) in a clean checkout", task.branch(), commit));
  }
  SPARKY_TRY(prepare_checkout(repository, task.checkout(), commit, profile.setup));
  auto failed = [&](const std::string& why) -> Result<int> {
    say(why);
    if (!task.gate)
      SPARKY_TRY(add_feedback(
          task, fmt::format("Criterion \"{}\" is not met. `{}`: {}", criterion.text, criterion.check, why)));
    SPARKY_TRY(write_outcome(task, std::string(split(why, '\n')[0])));
    return 1;
  };
  if (criterion.red_first && !task.gate) {
    SPARKY_ASSIGN(auto base, repository.resolve(task.ref("base")));
    auto red = verify_red(repository, task, profile, criterion, base, prefix);
    if (!red) return failed(red.error().text());
  }
  SPARKY_ASSIGN(auto checked, run_check_command(task, profile, criterion, task.checkout(), prefix));
  if (task.gate) SPARKY_TRY(repository.remove_checkout(task.checkout()));
  if (checked.code == 0) return 0;
  auto why = fmt::format("exit status {}\n\n```\n{}\n```", checked.code, trim(checked.tail));
  if (task.gate) {
    auto failing = fmt::format("\"{}\", which `{}` shows: {}", criterion.text, criterion.check, why);
    if (auto proposal = advice_on_gate(repository, task, commit, failing)) {
      SPARKY_TRY(write_outcome(task, fmt::format("{}: {}", criterion.text, proposal->text(task))));
      return held;
    }
  }
  auto result = failed(why);
  if (!result) return result;
  return checked.code == held ? 1 : checked.code;
}

}  // namespace sparky::agents
