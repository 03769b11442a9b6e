// sparky review, shell: what an agent did with a workstream, for the person who decides; and its worktree by hand.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "agents/merge.h"
#include "agents/session.h"
#include "agents/usage.h"
#include "agents/verify.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/door.h"
#include "plan/by_agent.h"
#include "wire/client.h"

namespace sparky::cli {
namespace {
namespace fs = std::filesystem;

struct Options {
  std::string id, note;
  uint32_t run = 0;
  bool approve = false, give_back = false, diff = false;
};

struct Reviewed {
  agents::Task task;
  agents::Repository repository;
  Json node;  // as the run sees it
  std::string base, commit, diff;
  std::vector<agents::FileChange> changes;
  std::vector<agents::Finding> findings;
};

Result<Reviewed> look(const Context& context, const Options& o) {
  SPARKY_ASSIGN(auto door, open_door(context));
  SPARKY_ASSIGN(auto node, door->ask<wire::NodeReply>(wire::ShowNode{o.run, o.id}));
  SPARKY_ASSIGN(auto state, door->ask<wire::RunState>(wire::RunStatus{o.run}));
  auto file = agents::task_file(find_project(context.project), state.status->value("run", 1u), o.id);
  auto task = agents::read_task(file);
  if (!task)
    return fail(Errc::not_found, fmt::format("no agent has worked on {}", o.id),
                "`sparky status` says which workstreams have begun");
  SPARKY_ASSIGN(auto repository, agents::Repository::open(task->root));
  Reviewed out{.task = *task,
               .repository = repository,
               .node = *node.node,
               .base = {},
               .commit = {},
               .diff = {},
               .changes = {},
               .findings = {}};
  auto commit = repository.resolve(task->ref("candidate"));
  auto base = repository.resolve(task->ref("base"));
  if (!commit || !base) {  // nothing is ready: show the branch as it is
    SPARKY_ASSIGN(auto target, agents::find_target(repository, task->project));
    base = target.head;
    commit = repository.resolve("refs/heads/" + task->branch());
  }
  if (!commit) return out;
  out.base = *base;
  out.commit = *commit;
  SPARKY_ASSIGN(auto prefix, agents::prefix_of(repository, *task));
  SPARKY_ASSIGN(out.changes, repository.changes(out.base, out.commit));
  SPARKY_ASSIGN(out.diff, repository.diff(out.base, out.commit));
  out.findings = agents::findings_in(out.changes, out.diff, task->workstream, prefix);
  return out;
}

// Files that nothing checks: no criterion's command, and no test that changed with them, speaks for them.
std::vector<std::string> uncovered(const Reviewed& r) {
  bool checked =
      std::ranges::any_of(r.task.workstream.criteria, [](auto& c) { return !c.check.empty() && !plan::merges(c); });
  bool test = std::ranges::any_of(r.changes, [](auto& c) { return agents::is_test(c.path); });
  std::vector<std::string> out;
  for (auto& change : r.changes) {
    bool named = std::ranges::any_of(r.task.workstream.criteria,
                                     [&](auto& c) { return c.check.find(change.path) != c.check.npos; });
    if (!named && !agents::is_test(change.path) && (!checked || !test)) out.push_back(change.path);
  }
  return out;
}

Json as_json(const Reviewed& r) {
  Json changes = Json::array(), findings = Json::array();
  for (auto& c : r.changes) changes.push_back({{"status", std::string(1, c.status)}, {"path", c.path}});
  for (auto& f : r.findings) findings.push_back({{"serious", f.serious}, {"path", f.path}, {"text", f.text}});
  auto usage = agents::read_ledger(r.task.project, r.task.run, r.task.workstream.id).total();
  auto home = r.task.home();
  return {{"workstream", r.node},
          {"base", r.base},
          {"commit", r.commit},
          {"changes", changes},
          {"findings", findings},
          {"not_covered", uncovered(r)},
          {"said", read_file(home / "summary.md", 4u << 20).value_or("")},
          {"tokens", usage.tokens},
          {"usd", usage.money},
          {"home", home.string()}};
}

void print_review(const Reviewed& r, bool diff) {
  auto text = [&](const char* key) { return printable(r.node.value(key, "")); };
  fmt::print("{} {}: {}\n", printable(r.task.workstream.id), printable(r.task.workstream.name), text("stage"));
  if (auto note = text("note"); !note.empty()) fmt::print("  {}\n", note);
  fmt::print("\nwhat it said\n");
  auto said = read_file(r.task.home() / "summary.md", 4u << 20).value_or("nothing yet\n");
  for (auto line : split(trim(said), '\n')) fmt::print("  {}\n", printable(line));
  fmt::print("\nby risk\n");
  if (r.findings.empty()) fmt::print("  nothing stands out\n");
  for (auto& f : r.findings) fmt::print("  {:7} {}: {}\n", f.serious ? "LOOK" : "note", printable(f.path), f.text);
  fmt::print("\nfiles ({:.10} on {:.10})\n", r.commit.empty() ? "none" : r.commit, r.base);
  for (auto& c : r.changes) fmt::print("  {} {}\n", c.status, printable(c.path));
  fmt::print("\nevidence\n");
  for (auto& c : r.node.value("criteria", Json::array()))
    fmt::print("  {:10} {}{}\n", c.value("verdict", ""), printable(c.value("text", "")),
               c.contains("note") ? " (" + printable(c.value("note", "")) + ")" : "");
  auto open = uncovered(r);
  for (auto& path : open) fmt::print("  no criterion or test covers {}\n", printable(path));
  fmt::print("\ncost: {}\n", agents::read_ledger(r.task.project, r.task.run, r.task.workstream.id).total().text());
  fmt::print("all it said and did: {}\n", r.task.home().string());
  if (diff) fmt::print("\n{}", printable(r.diff));
  for (auto& d : r.node.value("decisions", Json::array()))
    fmt::print("\nsparky review {0} --approve, or --return \"what has to change\"\n", r.task.workstream.id), (void)d;
}

Result<int> review(const Context& context, const Options& o) {
  if (o.approve || o.give_back) {
    if (o.give_back && trim(o.note).empty())
      return fail(Errc::invalid, "say what has to change", "sparky review WS --return \"why\"");
    SPARKY_ASSIGN(auto door, open_door(context));
    SPARKY_ASSIGN(auto reply,
                  door->ask<wire::Done>(wire::Decide{o.run, o.id, o.approve ? "approve" : "reject", o.note}));
    for (auto& note : reply.notes) fmt::print(stderr, "{}\n", printable(note));
    fmt::print(stderr, "{}\n", o.approve ? "approved" : "returned: its agent is told, if it has tries left");
    return done;
  }
  SPARKY_ASSIGN(auto reviewed, look(context, o));
  if (context.json)
    fmt::print("{}\n", json_text(as_json(reviewed), 2));
  else
    print_review(reviewed, o.diff);
  return done;
}

Result<int> shell(const Context& context, const Options& o) {
  SPARKY_ASSIGN(auto door, open_door(context));
  SPARKY_ASSIGN(auto state, door->ask<wire::RunState>(wire::RunStatus{o.run}));
  door.reset();
  auto task = agents::read_task(agents::task_file(find_project(context.project), state.status->value("run", 1u), o.id));
  if (!task)
    return fail(Errc::not_found, fmt::format("no agent has worked on {} yet", o.id),
                "a worktree is made when it begins");
  SPARKY_ASSIGN(auto path, agents::open_worktree(*task));
  if (context.json) {
    fmt::print("{}\n", json_text(Json{{"path", path.string()}, {"branch", task->branch()}}));
    return done;
  }
  fmt::print(stderr, "{} on {}; commit here, leave the shell, then: sparky retry {}\n", path.string(), task->branch(),
             o.id);
  if (::chdir(path.c_str()) != 0) return fail_errno(errno, "cannot enter " + path.string());
  const char* program = std::getenv("SHELL");
  if (!program || !*program) program = "/bin/sh";
  ::execl(program, program, nullptr);
  return fail_errno(errno, fmt::format("cannot start {}", program));
}

void settle(Context& context, const Result<int>& code) { context.exit = code ? *code : report(code.error()); }

}  // namespace

void add_review_commands(CLI::App& app, Context& context) {
  static Options o;
  auto* command = app.add_subcommand("review", "What an agent did with a workstream: risk, evidence, words, cost");
  command->add_option("WS", o.id, "the workstream")->required();
  command->add_option("--run", o.run, "number of the run (default: the latest)")->type_name("N");
  command->add_flag("--diff", o.diff, "the whole change too");
  command->add_flag("--approve", o.approve, "answer its open decision: go on");
  command->add_option("--return", o.note, "answer it: no, and this has to change")->type_name("NOTE");
  command->footer(
      "Example:\n  sparky review WS-05 --diff\n  sparky review WS-05 --return \"the parser must not throw\"");
  command->callback([&, command] {
    o.give_back = command->count("--return") > 0;
    settle(context, review(context, o));
  });
  auto* hand = app.add_subcommand("shell", "A shell in the worktree of a workstream, to take it over by hand");
  hand->add_option("WS", o.id, "the workstream")->required();
  hand->add_option("--run", o.run, "number of the run (default: the latest)")->type_name("N");
  hand->callback([&] { settle(context, shell(context, o)); });
}

}  // namespace sparky::cli
