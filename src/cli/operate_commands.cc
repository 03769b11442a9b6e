// What an operator does to a run: pause, resume, cancel, retry, skip, decide, spawn.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/door.h"
#include "wire/client.h"

namespace sparky::cli {
namespace {

struct Options {
  uint32_t run = 0;
  std::string id, answer, note;
  bool with_dependents = false;
  wire::SpawnOrchestrator orchestrator;
  wire::SpawnAgent agent;
};

// Sends one request whose answer is `done`, and prints its notes, or `said` if it has none.
int operate(const Context& context, const wire::Request& request, const std::string& said) {
  auto door = open_door(context);
  if (!door) return report(door.error());
  auto reply = (*door)->ask<wire::Done>(request);
  if (!reply) return report(reply.error());
  if (context.json) {
    fmt::print("{}\n", json_text(Json{{"done", true}, {"notes", reply->notes}, {"newest", reply->newest}}));
    return done;
  }
  for (auto& note : reply->notes) fmt::print("{}\n", printable(note));
  if (reply->notes.empty()) fmt::print("{}\n", printable(said));
  return done;
}

void add_run_option(CLI::App& command, Options& o) {
  command.add_option("--run", o.run, "number of the run (default: the latest)")->type_name("N");
}

void add_run_wide(CLI::App& app, Context& context, Options& o) {
  auto* pause = app.add_subcommand("pause", "Start nothing new in a run; what runs finishes");
  add_run_option(*pause, o);
  pause->callback([&] { context.exit = operate(context, wire::PauseRun{o.run}, "paused; `sparky resume` goes on"); });
  auto* resume = app.add_subcommand("resume", "Go on with a paused or cancelled run");
  add_run_option(*resume, o);
  resume->callback([&] { context.exit = operate(context, wire::ResumeRun{o.run}, "the run goes on"); });

  auto* cancel = app.add_subcommand("cancel", "Cancel a workstream, or without an id the whole run");
  cancel->add_option("WS", o.id, "id of a workstream or gate");
  cancel->add_option("--note", o.note, "why")->type_name("TEXT");
  add_run_option(*cancel, o);
  cancel->footer("Examples:\n  sparky cancel WS-05 --note \"wrong model\"\n  sparky cancel             the whole run");
  cancel->callback([&] {
    context.exit = o.id.empty() ? operate(context, wire::CancelRun{o.run}, "cancelled; `sparky resume` runs it again")
                                : operate(context, wire::CancelNode{o.run, o.id, o.note},
                                          fmt::format("{0} cancelled; `sparky retry {0}` runs it again", o.id));
  });
}

void add_node_wide(CLI::App& app, Context& context, Options& o) {
  auto* retry = app.add_subcommand("retry", "Run a workstream again, or check a gate again");
  retry->add_option("ID", o.id, "workstream or gate")->required();
  retry->add_flag("--with-dependents", o.with_dependents, "also all that depended on it; closes the gates in between");
  add_run_option(*retry, o);
  retry->footer("Examples:\n  sparky retry WS-05\n  sparky retry WS-01 --with-dependents\n  sparky retry gate-1");
  retry->callback([&] {
    context.exit =
        operate(context, wire::RetryNode{o.run, o.id, o.with_dependents}, fmt::format("{} is tried again", o.id));
  });

  auto* skip = app.add_subcommand("skip", "Leave a workstream out; what depends on it goes on, and it is shown");
  skip->add_option("WS", o.id, "workstream")->required();
  skip->add_option("--note", o.note, "why")->type_name("TEXT");
  add_run_option(*skip, o);
  skip->callback([&] {
    context.exit = operate(context, wire::SkipNode{o.run, o.id, o.note}, fmt::format("{} is skipped", o.id));
  });

  auto* decide = app.add_subcommand("decide", "Answer a decision that waits for a person");
  decide->add_option("ID", o.id, "the decision (D7), or the workstream, gate or criterion (gate-1#2) it is about")
      ->required();
  decide->add_option("ANSWER", o.answer, "approve, reject or waive")
      ->required()
      ->check(CLI::IsMember({"approve", "reject", "waive"}));
  decide->add_option("--note", o.note, "why; kept with the decision, and needed to waive")->type_name("TEXT");
  add_run_option(*decide, o);
  decide->footer(
      "Examples:\n"
      "  sparky status                                   lists what waits for a person\n"
      "  sparky decide D7 approve\n"
      "  sparky decide gate-1#2 waive --note \"no GPU on this machine\"");
  decide->callback([&] {
    context.exit = operate(context, wire::Decide{o.run, o.id, o.answer, o.note}, fmt::format("{}: {}", o.id, o.answer));
  });
}

void add_spawn(CLI::App& app, Context& context, Options& o) {
  auto* spawn = app.add_subcommand("spawn", "Add an orchestrator or an agent's workstream to the latest run");
  spawn->require_subcommand(1);
  spawn->fallthrough();
  auto* orchestrator = spawn->add_subcommand("orchestrator", "Give workstreams of the plan to an orchestrator");
  orchestrator->add_option("NAME", o.orchestrator.id)->required();
  orchestrator->add_option("--workstreams", o.orchestrator.workstreams, "ids, separated by commas")
      ->delimiter(',')
      ->required()
      ->type_name("WS,…");
  orchestrator->add_option("--phase", o.orchestrator.phase, "the order of its workstreams")
      ->check(CLI::IsMember({"sequential", "parallel", "sequential-then-parallel", "mixed"}));
  orchestrator->add_option("--depends-on", o.orchestrator.depends_on, "what it waits for, separated by commas")
      ->delimiter(',')
      ->type_name("ID,…");
  add_run_option(*orchestrator, o);
  orchestrator->footer(
      "Example:\n  sparky spawn orchestrator models --workstreams WS-04,WS-05 --phase parallel --depends-on "
      "foundation");
  orchestrator->callback([&] {
    o.orchestrator.run = o.run;
    context.exit = operate(context, o.orchestrator, fmt::format("orchestrator {} is in the run", o.orchestrator.id));
  });

  auto* agent = spawn->add_subcommand("agent", "Give a workstream to an agent; a new one comes from its spec");
  agent->add_option("TYPE", o.agent.agent, "for example rust-pro")->required();
  agent->add_option("--workstream", o.agent.workstream, "its id")->required()->type_name("WS");
  agent
      ->add_option("--spec", o.agent.spec, "its specification (Markdown): criteria, deliverables and what else it says")
      ->type_name("FILE");
  agent->add_option("--priority", o.agent.priority)->check(CLI::IsMember({"P0", "P1", "P2", "P3"}));
  agent->add_option("--depends", o.agent.depends_on, "what it waits for, separated by commas")
      ->delimiter(',')
      ->type_name("WS,…");
  agent->add_option("--output", o.agent.output, "where its completion summary goes")->type_name("FILE");
  add_run_option(*agent, o);
  agent->footer(
      "Example:\n  sparky spawn agent devops-automator --workstream WS-01 --spec workstreams/ws01/README.md --priority "
      "P0\nWhat is spawned stays with the run, also when its plan's file changes.");
  agent->callback([&] {
    o.agent.run = o.run;
    // As everywhere, relative to where one is; else it is looked for beside the plan.
    std::error_code ec;
    if (!o.agent.spec.empty() && std::filesystem::exists(o.agent.spec, ec))
      o.agent.spec = std::filesystem::absolute(o.agent.spec, ec).lexically_normal().string();
    context.exit = operate(context, o.agent, fmt::format("{} goes to {}", o.agent.workstream, o.agent.agent));
  });
}

}  // namespace

void add_operate_commands(CLI::App& app, Context& context) {
  static Options options;
  add_run_wide(app, context, options);
  add_node_wide(app, context, options);
  add_spawn(app, context, options);
}

}  // namespace sparky::cli
