// sparky env: the software around a result; recorded, verified against, compared. `env record` and `env replay`: a
// result that can be reproduced.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "cli/document.h"
#include "telemetry/changes.h"
#include "telemetry/environment.h"
#include "telemetry/result.h"

namespace sparky::cli {
namespace {

struct EnvironmentOptions {
  std::string output, verify, compare;
};

Json environment_here() { return telemetry::read_environment(".", SPARKY_VERSION); }

Status run_environment(const EnvironmentOptions& o, const Context& context) {
  Json verified, compared;  // read first: a broken file needs no look at this machine
  if (!o.verify.empty()) {
    SPARKY_ASSIGN(verified, read_document(o.verify, "environment"));
  }
  if (!o.compare.empty()) {
    SPARKY_ASSIGN(compared, read_document(o.compare, "environment"));
  }
  Json now = environment_here();
  if (!o.output.empty()) SPARKY_TRY(write_document(o.output, now));
  if (context.json)
    fmt::print("{}\n", json_text(now, 2));
  else if (o.output.empty() && o.verify.empty() && o.compare.empty())
    fmt::print("{}", telemetry::environment_text(now));

  auto changes_since = [&](const Json& recorded) {
    auto source = telemetry::source_difference(recorded, now);
    if (!source.empty()) fmt::print(stderr, "note: the source state differs: {}\n", source);
    return telemetry::compare(telemetry::environment_properties(recorded), telemetry::environment_properties(now));
  };
  if (!o.verify.empty()) {
    SPARKY_TRY(refuse_changes(o.verify, changes_since(verified), "this environment",
                              "restore what changed, or record it anew: sparky env -o FILE"));
    fmt::print(stderr, "{}: describes this environment ({} properties compared)\n", o.verify,
               telemetry::environment_properties(verified).size());
  }
  if (!o.compare.empty()) SPARKY_TRY(report_regressions(o.compare, changes_since(compared)));
  return {};
}

struct RecordOptions {
  std::string output;
  telemetry::RecordRequest request;
};

Status run_record(const RecordOptions& o, const Context& context) {
  SPARKY_ASSIGN(Json result, telemetry::record_result(o.request, environment_here()));
  if (!o.output.empty()) SPARKY_TRY(write_document(o.output, result));
  if (context.json || o.output.empty()) fmt::print("{}\n", json_text(result, 2));
  fmt::print(stderr, "the same result in {} runs: {} file(s)\n", o.request.runs, result["outputs"].size());
  return {};
}

Status run_replay(const std::string& file) {
  SPARKY_ASSIGN(Json recorded, read_document(file, "result"));
  auto status = telemetry::replay_result(recorded, ".");
  if (!status && recorded["environment_fingerprint"] != environment_here()["fingerprint"])
    fmt::print(stderr, "note: the environment is not the recorded one ({})\n",
               recorded["environment_summary"].get<std::string>());
  if (!status) return status;
  fmt::print(stderr, "{}: reproduced, {} file(s) and the output are the same\n", file, recorded["outputs"].size());
  return {};
}

void add_record(CLI::App& env, Context& context) {
  auto options = std::make_shared<RecordOptions>();
  auto* cmd = env.add_subcommand("record", "run a command some times and record the digests of what it makes");
  cmd->footer(
      "The command finds an empty directory in $OUT and leaves its files there.\n"
      "Example:\n"
      "  sparky env record -o repro/result.json --input repro/sample.sh -- sh -c 'sh repro/sample.sh > "
      "$OUT/sample.ppm'");
  cmd->add_option("-o,--output", options->output, "write the record there (default: stdout)")->type_name("FILE");
  cmd->add_option("--input", options->request.inputs, "a file that the result depends on (repeatable)")
      ->type_name("FILE")
      ->allow_extra_args(false);
  cmd->add_option("--runs", options->request.runs, "how often to run it")->check(CLI::Range(2, 1000));
  cmd->add_option("command", options->request.command, "the command and its arguments, after --")->required();
  cmd->callback([options, &context] {
    if (auto status = run_record(*options, context); !status) context.exit = report(status.error());
  });
}

void add_replay(CLI::App& env, Context& context) {
  auto file = std::make_shared<std::string>();
  auto* cmd =
      env.add_subcommand("replay", "run a recorded command again and compare; fails unless bit for bit the same");
  cmd->footer("Example:\n  sparky env replay repro/result.json");
  cmd->add_option("file", *file, "what `sparky env record` wrote")->required()->type_name("FILE");
  cmd->callback([file, &context] {
    if (auto status = run_replay(*file); !status) context.exit = report(status.error());
  });
}

}  // namespace

void add_env_commands(CLI::App& app, Context& context) {
  auto options = std::make_shared<EnvironmentOptions>();
  auto* cmd = app.add_subcommand("env", "the software around a result: enough to build the same place again");
  cmd->require_subcommand(0, 1);
  cmd->footer(
      "Examples:\n"
      "  sparky env -o repro/environment.json        record toolchain, packages, git state, kernel, locale, variables\n"
      "  sparky env --verify repro/environment.json  is it still this environment?\n"
      "Secrets are never recorded: only variables from a fixed list are, and URLs lose their credentials.");
  cmd->add_option("-o,--output", options->output, "write the JSON document there")->type_name("FILE");
  cmd->add_option("--verify", options->verify, "fail unless FILE is a valid document of this very environment")
      ->type_name("FILE");
  cmd->add_option("--compare", options->compare, "name what changed since FILE; fail on what is gone or older")
      ->type_name("FILE");
  add_record(*cmd, context);
  add_replay(*cmd, context);
  cmd->callback([cmd, options, &context] {
    if (!cmd->get_subcommands().empty()) return;
    if (auto status = run_environment(*options, context); !status) context.exit = report(status.error());
  });
}

}  // namespace sparky::cli
