// sparky agents, worktrees, gc: the profiles, what agents are told and have cost, where their work lies; and the steps
// of an agent's workstream that the conductor starts (agent-session, agent-check, agent-merge).
#include "agents/profile.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "agents/merge.h"
#include "agents/prompt.h"
#include "agents/sandbox.h"
#include "agents/session.h"
#include "agents/usage.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/door.h"
#include "plan/toml.h"
#include "wire/client.h"

namespace sparky::cli {
namespace {
namespace fs = std::filesystem;

struct Options {
  fs::path plan = ".";
  std::string id;
  fs::path task;
  uint32_t run = 0;
  bool dry_run = false, kept = false;
};

// The plan's own profiles, if there is a plan.
std::string agents_toml(const Options& o) {
  auto parsed = plan::load_plan(fs::absolute(o.plan));
  return parsed.readable ? parsed.plan.agents_toml : std::string();
}

Status show_problems(const agents::Profiles& profiles) {
  for (auto& d : profiles.problems) fmt::print(stderr, "{}\n", d.text());
  if (has_errors(profiles.problems)) return fail(Errc::invalid, "the profiles of the agents have errors");
  return {};
}

Result<int> list_agents(const Context& context, const Options& o) {
  auto profiles = agents::load_profiles(agents_toml(o), find_project(context.project));
  SPARKY_TRY(show_problems(profiles));
  auto sandbox = agents::no_sandbox_here();
  Json all = Json::array();
  for (auto& [name, p] : profiles.all) {
    auto why = agents::cannot_start(p);
    Json one{{"name", name},
             {"description", p.description},
             {"protocol", p.protocol == agents::Protocol::acp ? "acp" : "command"},
             {"command", p.command},
             {"can_start", !why},
             {"sandboxed", p.sandbox != agents::Sandbox::off && sandbox.empty()},
             {"sources", p.sources}};
    if (why) one["why_not"] = why->message, one["remedy"] = why->help;
    if (!p.model.empty()) one["model"] = p.model;
    all.push_back(std::move(one));
    if (context.json) continue;
    fmt::print("{:3} {:18} {:28} {}\n", why ? "no" : "yes", printable(name),
               printable(p.command.empty() ? "" : p.command[0]), printable(why ? why->message : p.description));
    if (why && !why->help.empty()) fmt::print("    {:18} {:28} {}\n", "", "", printable(why->help));
  }
  if (context.json) fmt::print("{}\n", json_text(Json{{"agents", all}, {"sandbox", sandbox.empty()}}, 2));
  auto by = agents::allowed_without_sandbox(find_project(context.project));
  if (!context.json)
    fmt::print("sandbox: {}{}\n", sandbox.empty() ? "bubblewrap" : "none: " + printable(sandbox),
               sandbox.empty() ? ""
               : by.empty()    ? " (a person is asked once)"
                               : fmt::format(" (allowed by {})", printable(by)));
  return done;
}

Result<int> show_prompt(const Context& context, const Options& o) {
  auto parsed = plan::load_plan(fs::absolute(o.plan));
  if (!parsed.readable || has_errors(parsed.problems)) {
    for (auto& d : parsed.problems) fmt::print(stderr, "{}\n", d.text());
    return fail(Errc::invalid, "the plan cannot be read", "sparky agents prompt WS --plan PLAN");
  }
  std::vector<std::string> ids;
  const plan::Workstream* workstream = nullptr;
  for (auto& w : parsed.plan.workstreams) {
    ids.push_back(w.id);
    if (w.id == o.id) workstream = &w;
  }
  if (!workstream) {
    auto near = nearest(o.id, ids);
    return fail(Errc::not_found, fmt::format("the plan has no workstream '{}'", o.id),
                near ? fmt::format("did you mean '{}'?", *near) : "`sparky plan show` lists them");
  }
  auto project = find_project(context.project);
  auto task = agents::make_task(project, parsed.plan, *workstream);
  task.run = o.run == 0 ? 1 : o.run;
  agents::Profile profile;
  if (!workstream->agents.empty()) {
    auto profiles = agents::load_profiles(parsed.plan.agents_toml, project);
    SPARKY_ASSIGN(profile, profiles.find(workstream->agents[0]));
  }
  // As the next session would be told it, on the person's own tree as long as there is no worktree.
  std::error_code ec;
  auto repository = agents::Repository::open(task.root);
  auto tree = fs::exists(task.worktree(), ec) ? task.worktree() : repository ? repository->top() : task.root;
  auto text = agents::build_prompt(task, profile, tree, "the target branch");
  if (context.json)
    fmt::print("{}\n", json_text(Json{{"workstream", o.id}, {"agent", profile.name}, {"prompt", text}}, 2));
  else
    fmt::print("{}", text);
  return done;
}

Result<uint32_t> latest_run(const Context& context, uint32_t given) {
  if (given != 0) return given;
  SPARKY_ASSIGN(auto door, open_door(context));
  SPARKY_ASSIGN(auto state, door->ask<wire::RunState>(wire::RunStatus{0}));
  return state.status->value("run", 1u);
}

Result<int> show_cost(const Context& context, const Options& o) {
  SPARKY_ASSIGN(uint32_t run, latest_run(context, o.run));
  auto ledgers = agents::read_ledgers(find_project(context.project), run);
  agents::Usage all;
  Json list = Json::array();
  for (auto& ledger : ledgers) {
    auto total = ledger.total();
    all += total;
    list.push_back({{"workstream", ledger.id},
                    {"orchestrator", ledger.orchestrator},
                    {"attempts", ledger.attempts.size()},
                    {"tokens", total.tokens},
                    {"usd", total.money},
                    {"worked_s", double(total.time.count()) / 1000},
                    {"known", total.known}});
    if (!context.json)
      fmt::print("{:20} {:2} attempts {:>8}  {}\n", printable(ledger.id), ledger.attempts.size(), human(total.time),
                 total.text());
  }
  if (context.json)
    fmt::print("{}\n",
               json_text(Json{{"run", run}, {"workstreams", list}, {"tokens", all.tokens}, {"usd", all.money}}, 2));
  else if (ledgers.empty())
    fmt::print("no agent has worked in run {}\n", run);
  else
    fmt::print("{:20}             {:>8}  {}\n", "all", human(all.time), all.text());
  return done;
}

struct Tree {
  agents::WorktreeState state;
  uint32_t run = 0;
  std::string id;
  bool busy = false;  // a session has it
};
Result<std::vector<Tree>> trees(const agents::Repository& repository, const fs::path& project,
                                const agents::Target& target) {
  auto below = project / ".sparky" / "worktrees";
  SPARKY_ASSIGN(auto states, repository.worktrees(below, target.head));
  std::vector<Tree> out;
  for (auto& state : states) {
    Tree tree{.state = state};
    tree.id = state.path.filename().string();
    auto run = state.path.parent_path().filename().string();  // run-3
    if (run.starts_with("run-")) tree.run = uint32_t(std::strtoul(run.c_str() + 4, nullptr, 10));
    auto lock = agents::lock_file(agents::task_file(project, tree.run, tree.id).parent_path() / "lock", false);
    tree.busy = !lock;
    out.push_back(std::move(tree));
  }
  return out;
}

Result<int> worktrees(const Context& context, const Options& o, bool collect) {
  auto project = find_project(context.project);
  SPARKY_ASSIGN(auto repository, agents::Repository::open(project));
  SPARKY_ASSIGN(auto target, agents::find_target(repository, project));
  SPARKY_ASSIGN(auto all, trees(repository, project, target));
  Json list = Json::array();
  int removed = 0;
  for (auto& tree : all) {
    auto& s = tree.state;
    bool merged = s.merged && !s.dirty;
    bool go = !tree.busy && (merged || (o.kept && s.kept));
    auto why = tree.busy ? "an agent is at work in it" : s.why();
    bool gone = false;
    if (collect && go && !o.dry_run) {
      SPARKY_TRY(repository.remove_worktree(s.path, target.head));
      gone = true;
      ++removed;
    }
    list.push_back({{"workstream", tree.id},
                    {"run", tree.run},
                    {"path", s.path.string()},
                    {"branch", s.branch},
                    {"merged", s.merged},
                    {"uncommitted", s.dirty},
                    {"kept", s.kept_ref},
                    {"busy", tree.busy},
                    {"can_go", go},
                    {"why", why},
                    {"removed", gone}});
    if (!context.json)
      fmt::print("{:9} {:16} {}\n          {:16} {}\n",
                 gone ? "removed"
                 : go ? "can go"
                      : "stays",
                 printable(tree.id), printable(why), "", printable(s.path.string()));
  }
  if (context.json)
    fmt::print("{}\n", json_text(Json{{"target", target.text()}, {"worktrees", list}, {"removed", removed}}, 2));
  else if (all.empty())
    fmt::print("there are no worktrees of agents\n");
  return done;
}

// A step's exit status goes to the engine as it is; what went wrong with the step itself is a failure of the attempt.
int step(const Options& o, Result<int> (*run)(const agents::Task&)) {
  auto task = agents::read_task(o.task);
  if (!task) return report(task.error());
  auto code = run(*task);
  if (code) return *code;
  (void)agents::write_outcome(*task, code.error().text());
  return report(code.error());
}

void settle(Context& context, const Result<int>& code) { context.exit = code ? *code : report(code.error()); }

void add_steps(CLI::App& app, Context& context, Options& o) {
  for (auto [name, what, run] :
       {std::tuple{"agent-session", "One attempt of an agent (started by a run)", &agents::run_session},
        {"agent-check", "Check a criterion on a clean checkout (started by a run)", &agents::check_step},
        {"agent-merge", "Merge what an agent did (started by a run)", &agents::merge_step}}) {
    auto* command = app.add_subcommand(name, what)->group("");
    command->add_option("TASK", o.task)->required();
    command->callback([&context, &o, run = run] { context.exit = step(o, run); });
  }
}

}  // namespace

void add_agents_commands(CLI::App& app, Context& context) {
  static Options o;
  auto* list = app.add_subcommand("agents", "The agents: which there are, and whether each can start here");
  list->add_option("--plan", o.plan, "also the profiles of this plan (default: of this directory, if it has one)");
  list->footer(
      "A workstream with `agent = \"rust-pro\"` and no `run` is carried out by that agent, if the plan has a table "
      "[agents.…].\n\nExample:\n  sparky agents --json | jq '.agents[] | select(.can_start) | .name'");
  list->callback([&, list] {
    if (list->get_subcommands().empty()) settle(context, list_agents(context, o));
  });
  auto* prompt = list->add_subcommand("prompt", "What the agent of a workstream is told");
  prompt->add_option("WS", o.id, "the workstream")->required();
  prompt->add_option("--plan", o.plan, "a plan file, or a directory with a plan.toml (default: this directory)");
  prompt->add_option("--run", o.run, "as it would be told in this run")->type_name("N");
  prompt->footer("Example:\n  sparky agents prompt WS-05 --plan plans/dgx-pixels");
  prompt->callback([&] { settle(context, show_prompt(context, o)); });
  auto* cost = list->add_subcommand("cost", "What the agents of a run have used, by workstream");
  cost->add_option("--run", o.run, "number of the run (default: the latest)")->type_name("N");
  cost->callback([&] { settle(context, show_cost(context, o)); });

  auto* trees_command = app.add_subcommand("worktrees", "Where agents' work lies, and what can go");
  trees_command->callback([&] { settle(context, worktrees(context, o, false)); });
  auto* gc = app.add_subcommand("gc", "Remove the worktrees whose work is merged");
  gc->add_flag("--dry-run", o.dry_run, "say what would go, and remove nothing");
  gc->add_flag("--kept", o.kept, "also those that are not merged but stand whole under a ref (refs/sparky/…)");
  gc->footer("Nothing goes that is neither merged nor kept under a ref.");
  gc->callback([&] { settle(context, worktrees(context, o, true)); });
  add_steps(app, context, o);
}

}  // namespace sparky::cli
