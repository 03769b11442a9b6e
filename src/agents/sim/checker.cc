#include "agents/sim/checker.h"

#include <fmt/format.h>

#include <algorithm>

#include "agents/task.h"
#include "agents/usage.h"
#include "base/text.h"
#include "config/config.h"

namespace sparky::agents::sim {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void violated(std::string what) { throw Violation{std::move(what)}; }

std::string id_of(const std::string& subject) { return subject.substr(0, subject.find('.')); }
bool by_others(const std::string& subject) { return subject == "Start" || subject.starts_with("other "); }

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::ranges::find(all, one) != all.end();
}

}  // namespace

Checker::Checker(const Place& place, std::vector<std::string> ids) : place_(place), ids_(std::move(ids)) {
  target_ = place_.target();
  person_worked();
}

void Checker::person_worked() { person_ = place_.persons_checkout(); }

void Checker::after_step(const std::string& own, const std::vector<std::string>& waiting) {
  if (auto now = place_.persons_checkout(); now != person_)
    violated("the person's own checkout was touched:\n" + now + "\n--- before:\n" + person_);
  for (auto& name : {"merge.lock", "fetch.lock", "granted.json.lock"})
    if (!lock_file(place_.repo() / ".sparky" / "agents" / name, false)) violated(std::string(name) + " stays held");
  history(own, waiting);
  nothing_lost();
  books();
}

// The target only grows, by changes that were checked as they stand there, each of them once.
void Checker::history(const std::string& own, const std::vector<std::string>& waiting) {
  auto before = std::exchange(target_, place_.target());
  if (before == target_) return;
  if (target_.empty()) violated("the target is gone");
  auto range = before.empty() ? target_ : before + ".." + target_;
  if (!before.empty() && !place_.in_target({"rev-list", target_ + ".." + before}).empty())
    violated(fmt::format("the target's history was rewritten: {:.10} is not in {:.10}", before, target_));
  std::vector<std::string> order;  // of the workstreams that have landed now
  std::string checked_tree;        // the newest commit that Sparky brought
  for (auto& line : place_.in_target({"log", "--reverse", "--format=%T %s", range})) {
    auto subject = line.substr(line.find(' ') + 1);
    if (by_others(subject)) continue;
    if (!landed_.insert(subject).second) violated(subject + " is merged twice");
    if (order.empty() || order.back() != id_of(subject)) order.push_back(id_of(subject));
    checked_tree = line.substr(0, line.find(' '));
  }
  auto checks = place_.log("checked");
  for (auto& id : order)
    if (!contains(checks, checked_tree + " " + id))
      violated(fmt::format("{} was merged as {:.10}, on which its check has not passed", id, checked_tree));
  auto files = place_.in_target({"ls-tree", "--name-only", target_});
  if (std::ranges::count_if(files, [](auto& f) { return f.ends_with(".bad"); }) > 1)
    violated("the target fails its checks");
  std::vector<std::string> came;
  for (auto& id : waiting)
    if (id != own && contains(order, id)) came.push_back(id);
  std::erase(order, own);
  if (order != came)
    violated(fmt::format("merged in the order {}; they had come in the order {}", fmt::join(order, " "),
                         fmt::join(came, " ")));
}

// Every head that an agent's branch had when a step ended, and every file that it left uncommitted, is held by a ref or
// lies in its worktree.
void Checker::nothing_lost() {
  for (auto& id : ids_)
    for (auto& head : place_.log("made." + id)) made_.insert(head);
  auto all = place_.lines({"rev-list", "--objects", "--all"});
  std::set<std::string> reachable;
  for (auto& line : all) reachable.insert(line.substr(0, 40));
  for (auto& head : made_)
    if (!reachable.contains(head))
      violated(fmt::format("{:.10} ({}), which an agent made, is held by no ref", head,
                           place_.git({"log", "-1", "--format=%s", head})));
  std::set<std::string> lying;
  std::error_code ec;
  auto trees = place_.repo() / ".sparky" / "worktrees" / "run-1";
  for (auto& id : ids_)
    for (auto& entry : fs::directory_iterator(trees / id, ec))
      if (auto name = entry.path().filename().string(); name.starts_with("left-"))
        lying.insert(place_.git({"hash-object", entry.path().string()}));
  for (auto& blob : place_.log("left"))
    if (!reachable.contains(blob) && !lying.contains(blob))
      violated(fmt::format("an uncommitted file ({:.10}) that an agent left is nowhere", blob));
}

// What agents said that they used stands in the books once, and is no more than the budgets and what persons granted.
void Checker::books() const {
  std::map<std::string, double> told, written;
  for (auto& line : place_.log("told")) told[line.substr(0, line.find(' '))] += 1;
  for (auto& ledger : read_ledgers(place_.repo(), 1)) written[ledger.id] = ledger.total().money;
  double all = 0;
  for (auto& id : ids_) {
    all += told[id];
    if (told[id] != written[id]) violated(fmt::format("{} used ${}, and the books say ${}", id, told[id], written[id]));
  }
  auto within = [&](const std::string& scope, double used, double budget) {
    auto it = grants_.find(scope);
    auto may = budget * (1 + (it == grants_.end() ? 0 : it->second));
    if (budget > 0 && used > may) violated(fmt::format("{} used ${} of ${}", scope, used, may));
  };
  auto settings = config::load(place_.repo()).config;
  within("run", all, double(settings.integer("budget.money")));
  within("orchestrator all", all, double(settings.integer("budget.orchestrator_money")));
  for (auto& id : ids_) within("workstream " + id, told[id], 4);
}

void Checker::completed(const std::string& id) const {
  auto made = place_.log("made." + id);
  if (made.empty()) violated(id + " is complete, and its agent has made nothing");
  auto subject = place_.git({"log", "-1", "--format=%s", made.back()});
  if (!landed_.contains(subject)) violated(fmt::format("{} is complete, and {} is not merged", id, subject));
}

void Checker::at_the_end() const {
  for (auto& id : ids_) completed(id);
  for (auto& line : place_.lines({"worktree", "list", "--porcelain"}))
    if (line.find("/.sparky/") != line.npos) violated("left over: " + line);
  for (auto& branch : place_.lines({"for-each-ref", "--format=%(refname)", "refs/heads/ws"}))
    violated("left over: " + branch);
  for (auto& entry : fs::recursive_directory_iterator(place_.repo() / ".git"))
    if (entry.path().extension() == ".lock") violated("left over: " + entry.path().string());
  std::error_code ec;
  if (fs::exists(place_.repo() / ".sparky" / "agents" / "batch.json", ec)) violated("a batch is left over");
  for (auto& entry : fs::directory_iterator(place_.repo() / ".sparky" / "worktrees" / "run-1", ec))
    violated("left over: " + entry.path().string());
  place_.git({"fsck", "--connectivity-only", "--no-dangling", "--no-progress"});
}

}  // namespace sparky::agents::sim
