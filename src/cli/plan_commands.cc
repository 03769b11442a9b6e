// sparky plan: check, show, timeline and import of plans; these commands work on files, no run is needed.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "plan/check.h"
#include "plan/gantt.h"
#include "plan/graph.h"
#include "plan/import.h"
#include "plan/plan_json.h"
#include "plan/timeline.h"
#include "plan/toml.h"
#include "plan/tree.h"

namespace sparky::cli {
namespace {

struct PlanArguments {
  std::string plan = ".";
  int agents = 0;
  std::string svg;
  bool no_chart = false;
};

Json to_json(const std::vector<Diagnostic>& found) {
  static constexpr const char* severities[] = {"error", "warning", "note"};
  Json all = Json::array();
  for (auto& d : found)
    all.push_back({{"severity", severities[int(d.severity)]},
                   {"file", d.file},
                   {"line", d.line},
                   {"column", d.column},
                   {"message", d.message},
                   {"help", d.help}});
  return all;
}

std::string counted(size_t n, const char* what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); }

void print_problems(const std::vector<Diagnostic>& found, FILE* to) {
  for (auto& d : found) fmt::print(to, "{}\n", printable(d.text()));
}

int check(const PlanArguments& arguments, const Context& context) {
  auto parsed = plan::load_plan(arguments.plan);
  auto found = std::move(parsed.problems);
  if (parsed.readable) {
    auto meaning = plan::check(parsed.plan, parsed.source.get());
    found.insert(found.end(), meaning.begin(), meaning.end());
  }
  std::stable_sort(found.begin(), found.end(), [](auto& a, auto& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
  });
  bool bad = has_errors(found);
  if (context.json) {
    Json document{{"plan", parsed.plan.name}, {"ok", !bad}, {"problems", to_json(found)}};
    fmt::print("{}\n", json_text(document, 2));
    return bad ? bad_usage : done;
  }
  print_problems(found, stderr);
  size_t errors = 0, warnings = 0;
  for (auto& d : found) {
    errors += d.severity == Severity::error;
    warnings += d.severity == Severity::warning;
  }
  if (bad) {
    fmt::print(stderr, "{}, {}\n", counted(errors, "error"), counted(warnings, "warning"));
    return bad_usage;
  }
  auto& p = parsed.plan;
  fmt::print("{}: {}, {}, {}; {}\n", printable(p.name), counted(p.workstreams.size(), "workstream"),
             counted(p.orchestrators.size(), "orchestrator"), counted(p.gates.size(), "gate"),
             warnings == 0 ? "no problems" : counted(warnings, "warning"));
  return done;
}

// What show and timeline need: a readable plan whose graph has no cycle. Other problems are left to `check`.
struct Readable {
  plan::Plan plan;
  plan::Graph graph;
};
std::optional<Readable> read_graph(const PlanArguments& arguments) {
  auto parsed = plan::load_plan(arguments.plan);
  if (!parsed.readable) {
    print_problems(parsed.problems, stderr);
    return std::nullopt;
  }
  if (has_errors(parsed.problems))
    fmt::print(stderr, "{}: the plan has errors; `sparky plan check` lists them\n", printable(arguments.plan));
  auto graph = plan::build_graph(parsed.plan);
  if (!graph.cycle.empty()) {
    print_problems(plan::check_cycles(parsed.plan, graph), stderr);
    return std::nullopt;
  }
  return Readable{std::move(parsed.plan), std::move(graph)};
}

int show(const PlanArguments& arguments, const Context& context) {
  auto readable = read_graph(arguments);
  if (!readable) return bad_usage;
  if (context.json)
    fmt::print("{}\n", json_text(plan::to_json(readable->plan), 2));
  else
    fmt::print("{}", printable(plan::tree(readable->plan)));
  return done;
}

struct ImportArguments {
  std::string directory;
  std::string output;
  bool force = false;
};

int import(const ImportArguments& arguments, const Context& context) {
  std::filesystem::path directory = arguments.directory;
  bool to_stdout = arguments.output == "-";
  if (to_stdout && context.json)
    return report({Errc::invalid, "-o - and --json both want standard output", "write the plan to a file"});
  std::filesystem::path file =
      arguments.output.empty() || to_stdout ? directory / "plan.toml" : std::filesystem::path(arguments.output);
  auto imported = plan::import_plan(directory, file);
  if (!imported) {
    report(imported.error());
    return bad_usage;
  }
  print_problems(imported->report, stderr);
  auto& p = imported->plan;
  auto text = plan::to_toml(p);
  if (to_stdout) {
    auto parsed = plan::parse_plan(text, file.string());
    auto found = std::move(parsed.problems);
    for (auto& d : plan::check(parsed.plan, parsed.source.get())) found.push_back(d);
    print_problems(found, stderr);
    fmt::print("{}", text);
    return has_errors(found) ? bad_usage : done;
  }
  auto written = write_file_atomic(file, text, {.overwrite = arguments.force});
  if (!written) {
    auto error = written.error();
    if (error.is(Errc::exists))
      error = {Errc::invalid, fmt::format("{} exists", file.string()), "--force overwrites it"};
    return report(error);
  }
  // The written plan is what counts: what is wrong with it is said at once, with its own lines.
  auto parsed = plan::load_plan(file);
  auto found = std::move(parsed.problems);
  for (auto& d : plan::check(parsed.plan, parsed.source.get())) found.push_back(d);
  print_problems(found, stderr);
  if (context.json) {
    Json document{
        {"file", file.string()},   {"workstreams", p.workstreams.size()}, {"orchestrators", p.orchestrators.size()},
        {"gates", p.gates.size()}, {"report", to_json(imported->report)}, {"problems", to_json(found)}};
    fmt::print("{}\n", json_text(document, 2));
  } else {
    fmt::print("wrote {}: {}, {}, {}\n", printable(file.string()), counted(p.workstreams.size(), "workstream"),
               counted(p.orchestrators.size(), "orchestrator"), counted(p.gates.size(), "gate"));
  }
  return has_errors(found) ? bad_usage : done;
}

void add_import(CLI::App& family, Context& context) {
  auto arguments = std::make_shared<ImportArguments>();
  auto* app = family.add_subcommand("import", "make plan.toml from the blueprint's Markdown documents");
  app->footer(
      "Reads meta-orchestrator.md, workstream-plan.md, orchestrators/*.md and workstreams/ws*/README.md. Each spec "
      "stays\n"
      "the source of its prose. What could not be read, and where documents disagree, is reported by file and line.\n\n"
      "Example: sparky plan import docs/orchestration -o plan.toml");
  app->add_option("DIR", arguments->directory, "the directory of the documents")->required();
  app->add_option("-o,--output", arguments->output,
                  "where to write the plan (default: DIR/plan.toml); -: to standard output, as if it lay in DIR")
      ->type_name("FILE");
  app->add_flag("--force", arguments->force, "overwrite FILE");
  app->callback([&context, arguments] { context.exit = import(*arguments, context); });
}

int terminal_width() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) return std::min<int>(size.ws_col, 200);
  return 100;
}

int timeline(const PlanArguments& arguments, const Context& context) {
  auto readable = read_graph(arguments);
  if (!readable) return bad_usage;
  auto& [plan, graph] = *readable;
  auto t = plan::make_timeline(plan, graph, arguments.agents);
  if (!arguments.svg.empty()) {
    auto written = write_file_atomic(arguments.svg, plan::gantt_svg(t, plan));
    if (!written) return report(written.error());
    fmt::print(stderr, "wrote {}\n", printable(arguments.svg));
  }
  if (context.json) {
    fmt::print("{}\n", json_text(plan::to_json(t, plan, graph), 2));
    return done;
  }
  fmt::print("{}", printable(plan::summary(t, plan, graph)));
  if (!arguments.no_chart)
    fmt::print("\n{}", plan::gantt_text(t, plan, {.width = terminal_width(), .color = color_wanted(STDOUT_FILENO)}));
  return done;
}

CLI::App* subcommand(CLI::App& family, Context& context, const std::shared_ptr<PlanArguments>& arguments,
                     const char* name, const char* description, const char* footer,
                     int (*command)(const PlanArguments&, const Context&)) {
  auto* app = family.add_subcommand(name, description);
  app->footer(footer);
  app->add_option("PLAN", arguments->plan, "a plan file, or a directory with plan.toml")->capture_default_str();
  app->callback([&context, arguments, command] { context.exit = command(*arguments, context); });
  return app;
}

}  // namespace

void add_plan_commands(CLI::App& app, Context& context) {
  auto* family = app.add_subcommand("plan", "check, show and time plans; import them from Markdown");
  family->require_subcommand(1);
  auto arguments = std::make_shared<PlanArguments>();
  subcommand(
      *family, context, arguments, "check", "report every problem of a plan, as a compiler does",
      "Exit code 0: no errors (there may be warnings), 2: errors.\n\nExample: sparky plan check plans/dgx-pixels",
      check);
  subcommand(*family, context, arguments, "show", "draw the plan as a tree",
             "Example: sparky plan show plans/dgx-pixels", show);
  auto* time = subcommand(*family, context, arguments, "timeline",
                          "how long the plan takes, what its gates cost, and when what happens",
                          "Example: sparky plan timeline plans/dgx-pixels --agents 4 --svg gantt.svg", timeline);
  time->add_option("--agents", arguments->agents,
                   "how many workstreams can be carried out at once (default: any number)")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
  time->add_option("--svg", arguments->svg, "write the Gantt chart as SVG")->type_name("FILE");
  time->add_flag("--no-chart", arguments->no_chart, "only the figures");
  add_import(*family, context);
}

}  // namespace sparky::cli
