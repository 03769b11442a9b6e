#include "agents/sim/place.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>

#include "agents/profile.h"
#include "base/process.h"
#include "base/text.h"

namespace sparky::agents::sim {
namespace fs = std::filesystem;
namespace {

// Stands before git in PATH. Each command has a time of its own, so that the same work done twice has two names. Of a
// step (SPARKY_STEP) it counts the commands. Only builtins: it is started some hundred times a second.
constexpr std::string_view git_script = R"(#!/bin/sh
read -r now < @DIR@/clock; now=$((now + 1)); echo $now > @DIR@/clock
export GIT_AUTHOR_DATE="@$now +0000" GIT_COMMITTER_DATE="@$now +0000"
[ -n "$SPARKY_STEP" ] || exec @GIT@ "$@"
read -r at kind < @DIR@/fault
[ "$at" -gt 0 ] || exec @GIT@ "$@"
echo $((at - 1)) $kind > @DIR@/fault
[ "$at" -eq 1 ] || exec @GIT@ "$@"
case "$kind $*" in
  *"worktree remove"*) ;;
  half*) echo 1 half > @DIR@/fault; exec @GIT@ "$@";;
esac
echo "$kind $*" >> @DIR@/stopped
unset SPARKY_STEP
step=$PPID
case $kind in
  push) sh @DIR@/push.sh > /dev/null; exec @GIT@ "$@";;
  after) @GIT@ "$@";;
  half) for last; do :; done; rm -rf "$last";;
  refs) @GIT@ -c core.hooksPath=@DIR@/hooks "$@" 2> /dev/null;;
  files) @GIT@ -c filter.sim.smudge='kill -9 $PPID' "$@" 2> /dev/null;;
esac
kill -9 $step
kill -9 0
)";

// Called while git holds the locks of the refs that it is about to move.
constexpr std::string_view hook_script = R"(#!/bin/sh
[ "$1" = prepared ] && kill -9 $PPID
cat > /dev/null
)";

// The agent, a reviewer, and the agent of an orchestrator in one. What it makes, it writes down outside: each head of
// its branch, each file that it left uncommitted, and what it spent.
constexpr std::string_view agent_script = R"(#!/bin/sh
d=@DIR@
cat > $d/prompt
end() {  # 100,000 tokens and a dollar for each turn
  echo "$id 1" >> $d/told
  echo '{"type":"result","total_cost_usd":1,"usage":{"input_tokens":100000},"result":"'"$1"'"}'
  exit 0
}
branch=$(git branch --show-current)
if [ -z "$branch" ]; then
  id=${SPARKY_WORKSTREAM:-$SPARKY_GATE}
  grep -q 'what now?' $d/prompt && end '{\"kind\": \"retry\", \"why\": \"it can be done\", \"advice\": \"do it\"}'
  read -r verdict < $d/verdicts; sed -i 1d $d/verdicts
  end "VERDICT: ${verdict:-approve}"
fi
id=${branch#ws/}; id=${id%%-*}
n=$(($(cat $d/turn.$id 2> /dev/null || echo 0) + 1)); echo $n > $d/turn.$id
read -r how < $d/behave.$id; sed -i 1d $d/behave.$id
onto=$(sed -n 's/.*Run `git rebase \([0-9a-f]*\)`.*/\1/p' $d/prompt | tail -1)
[ -z "$onto" ] || git rebase -q -X theirs $onto > /dev/null 2>&1 || git rebase --abort
commit() {
  git add -A
  git commit -q -m "$id.$n"
  git rev-parse HEAD > $d/made.$id
}
[ "$how" != idle ] || { git rev-parse HEAD > $d/made.$id; end "all done"; }
echo $n > $id.txt
git rm -q --ignore-unmatch -- $id.bad
case $how in
  shared) echo "$id.$n" > shared.txt;;
  bad) echo $n > $id.bad;;
esac
commit
case $how in
  litter) echo "$id $n left" > left-$id-$n; git hash-object left-$id-$n >> $d/left;;
  gone) echo "$id $n left" > left-$id-$n; git hash-object left-$id-$n >> $d/left; kill -9 $PPID; exit 1;;
  asks) end 'DECISION: this way or that?';;
esac
end "all done"
)";

// Plumbing, for the target may be bare, and nobody's checkout is to be touched.
constexpr std::string_view push_script = R"(cd @TARGET@
n=$(cat @DIR@/others); echo $((n + 1)) > @DIR@/others
export GIT_INDEX_FILE=@DIR@/index.others
git read-tree main
git update-index --add --cacheinfo 100644,$(echo $n | git hash-object -w --stdin),other-$n.txt
git update-ref refs/heads/main $(git commit-tree $(git write-tree) -p main -m "other $n")
)";
constexpr std::string_view own_commit_script = R"(cd @TARGET@
n=$(cat @DIR@/others); echo $((n + 1)) > @DIR@/others
echo $n > other-$n.txt
git add other-$n.txt
git commit -q -m "other $n"
)";

// Passes on a tree with at most one file that is bad together with others, and says on which tree that was.
constexpr std::string_view check_script = R"(set -- $1 $(ls | grep -c '\.bad$')
[ $2 -le 1 ] || exit 1
[ $1 = gate ] || [ -f $1.txt ] || exit 1
echo "$(git rev-parse HEAD^{tree}) $1" >> @DIR@/checked
)";

void put(const fs::path& file, std::string_view text) {
  if (auto done = write_file_atomic(file, text, {.sync = false}); !done) throw Violation{done.error().text()};
}

TemporaryDirectory make_directory() {
  auto made = TemporaryDirectory::make();
  if (!made) throw Violation{made.error().text()};
  return std::move(*made);
}

}  // namespace

Place::Place(Random& random, const std::vector<std::string>& ids)
    : directory_(make_directory()), merging_(Merging(random.below(3))) {
  static const std::string system_path = std::getenv("PATH");
  ::setenv("PATH", system_path.c_str(), 1);
  real_git_ = find_in_path("git").value_or("git").string();
  ::setenv("HOME", path().c_str(), 1);
  put(path() / ".gitconfig",
      "[user]\nname = Test\nemail = test@localhost\n[gc]\nauto = 0\n[init]\ndefaultBranch = main\n");
  put(path() / "clock", "1700000000\n");
  put(path() / "others", "1\n");
  put(path() / "verdicts", "");
  prepare_fault(0, "none");
  script("bin/git", git_script);
  script("hooks/reference-transaction", hook_script);
  script("agent.sh", agent_script);
  script("push.sh", merging_ == Merging::checked_out ? own_commit_script : push_script);
  ::setenv("PATH", ((path() / "bin").string() + ":" + system_path).c_str(), 1);

  put(repo() / "shared.txt", "start\n");
  script("repo/check.sh", check_script);
  put(repo() / ".gitattributes", "check.sh filter=sim\n");
  put(repo() / ".gitignore", ".sparky/\nsparky.toml\n");
  git({"init", "-q"});
  git({"add", "."});
  git({"commit", "-q", "-m", "Start"});
  if (merging_ == Merging::remote) {
    git({"init", "-q", "--bare", (path() / "remote.git").string()});
    git({"remote", "add", "origin", (path() / "remote.git").string()});
    git({"push", "-q", "origin", "main"});
  }
  if (merging_ != Merging::checked_out) git({"checkout", "-q", "-b", "elsewhere"});
  // A person's own half-done work: it must be there at the end as it was.
  put(repo() / "shared.txt", "start\nthe person's own\n");
  put(repo() / "untracked.txt", "mine\n");
  put(repo() / "sparky.toml", fmt::format("[merge]\nbranch = \"main\"\nbatch = {}\n[budget]\nmoney = {}\n"
                                          "orchestrator_money = {}\n",
                                          random.percent(70) ? 4 : 1, random.percent(50) ? 4 + random.below(8) : 0,
                                          random.percent(30) ? 3 + random.below(5) : 0));
  for (auto& id : ids) behave(id, {});
}

void Place::script(std::string_view name, std::string_view text) const {
  auto target = merging_ == Merging::remote ? path() / "remote.git" : repo();
  std::string out(text);
  for (auto& [word, value] : {std::pair<std::string, std::string>{"@DIR@", path().string()},
                              {"@GIT@", real_git_},
                              {"@TARGET@", target.string()}})
    for (size_t at = out.find(word); at != out.npos; at = out.find(word, at)) out.replace(at, word.size(), value);
  put(path() / name, out);
  fs::permissions(path() / name, fs::perms::owner_all);
}

std::string Place::agents_toml() const {
  auto command = fmt::format("command = [\"sh\", \"{}\"]\nsandbox = \"off\"\n", (path() / "agent.sh").string());
  return "[agents.coder]\n" + command + "[agents.coder.limits]\nretries = 1\nconflicts = 1\nmoney = 4\n" +
         "attempt_money = 3\n[agents.critic]\n" + command + "[agents.lead]\n" + command;
}

void Place::prepare_fault(int at, std::string_view kind) const {
  put(path() / "fault", fmt::format("{} {}\n", at, kind));
}

void Place::behave(const std::string& id, const std::vector<std::string>& turns) const {
  put(path() / ("behave." + id), turns.empty() ? "" : fmt::format("{}\n", fmt::join(turns, "\n")));
}

void Place::somebody_commits() {
  if (auto done = run_checked({"sh", (path() / "push.sh").string()}); !done) throw Violation{done.error().text()};
}

void Place::age_locks() const {
  std::vector<fs::path> locks;
  for (auto& entry : fs::recursive_directory_iterator(repo() / ".git"))
    if (entry.path().extension() == ".lock") locks.push_back(entry.path());
  for (auto& lock : locks) fs::last_write_time(lock, fs::file_time_type::clock::now() - std::chrono::seconds(30));
}

std::string Place::git(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), real_git_);
  auto said = run_checked(arguments, {.cwd = repo()});
  if (!said) throw Violation{said.error().text()};
  return std::string(trim(*said));
}

static std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> out;
  for (auto line : split(text, '\n'))
    if (!line.empty()) out.emplace_back(line);
  return out;
}

std::vector<std::string> Place::lines(std::vector<std::string> arguments) const {
  return split_lines(git(std::move(arguments)));
}

std::vector<std::string> Place::log(std::string_view file) const {
  return split_lines(read_file(path() / file).value_or(""));
}

std::vector<std::string> Place::in_target(std::vector<std::string> arguments) const {
  if (merging_ == Merging::remote) arguments.insert(arguments.begin(), {"--git-dir", (path() / "remote.git").string()});
  return lines(std::move(arguments));
}

std::string Place::target() const {
  auto name = merging_ == Merging::checked_out ? "refs/heads/sparky/main" : "refs/heads/main";
  auto found = in_target({"for-each-ref", "--format=%(objectname)", name});
  return found.empty() ? "" : found[0];
}

std::string Place::persons_checkout() const {
  return git({"rev-parse", "HEAD"}) + git({"branch", "--show-current"}) + "\n" + git({"status", "--porcelain"}) + "\n" +
         git({"diff"}) + git({"stash", "list"}) + read_file(repo() / "untracked.txt").value_or("gone");
}

}  // namespace sparky::agents::sim
