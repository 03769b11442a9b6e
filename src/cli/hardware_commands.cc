// sparky hardware: what this machine is made of; recorded, verified against, compared.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "cli/document.h"
#include "telemetry/changes.h"
#include "telemetry/hardware.h"
#include "telemetry/hardware_report.h"

namespace sparky::cli {
namespace {

struct HardwareOptions {
  std::string output, verify, compare, from, markdown, topology;
  bool require_gpu = false, facts = false;
};

Status run_hardware(const HardwareOptions& o, Context& context) {
  SPARKY_ASSIGN(Json now,
                o.from.empty() ? Result<Json>(telemetry::read_hardware()) : read_document(o.from, "hardware"));

  if (!o.output.empty()) SPARKY_TRY(write_document(o.output, now));
  if (!o.markdown.empty()) SPARKY_TRY(write_text(o.markdown, telemetry::hardware_markdown(now)));
  if (!o.topology.empty()) SPARKY_TRY(write_text(o.topology, telemetry::topology_svg(now)));
  bool wrote = !o.output.empty() || !o.markdown.empty() || !o.topology.empty();
  if (context.json)
    fmt::print("{}\n", json_text(now, 2));
  else if (o.facts)
    for (const auto& fact : telemetry::facts(now)) fmt::print("{}\n", fact);
  else if (!wrote && o.verify.empty() && o.compare.empty())
    fmt::print("{}", telemetry::hardware_text(now));

  if (!o.verify.empty()) {
    SPARKY_ASSIGN(Json recorded, read_document(o.verify, "hardware"));
    auto changes = telemetry::compare(telemetry::identity(recorded), telemetry::identity(now));
    SPARKY_TRY(refuse_changes(o.verify, changes, "this machine",
                              "if the machine was meant to change, record it anew: sparky hardware -o FILE"));
    fmt::print(stderr, "{}: describes this machine ({} properties compared)\n", o.verify,
               telemetry::identity(recorded).size());
  }
  if (!o.compare.empty()) {
    SPARKY_ASSIGN(Json recorded, read_document(o.compare, "hardware"));
    auto changes = telemetry::compare(telemetry::identity(recorded), telemetry::identity(now));
    SPARKY_TRY(report_regressions(o.compare, changes));
  }
  if (o.require_gpu && !telemetry::facts(now).contains("gpu")) {
    std::string why = "no GPU answers";
    for (const auto& item : now["unknown"])
      if (item["what"] == "gpu") why = item["why"].get<std::string>();
    return fail(Errc::unavailable, fmt::format("a GPU is required, and there is none: {}", why),
                "install NVIDIA's driver (nvidia-smi must work), or leave out --require-gpu");
  }
  return {};
}

}  // namespace

void add_hardware_commands(CLI::App& app, Context& context) {
  auto options = std::make_shared<HardwareOptions>();
  auto* cmd = app.add_subcommand("hardware", "what this machine is made of, and what could not be learnt about it");
  cmd->footer(
      "Examples:\n"
      "  sparky hardware -o bench/baselines/hardware_baseline.json        record this machine\n"
      "  sparky hardware --verify bench/baselines/hardware_baseline.json  is it still this machine?\n"
      "  sparky hardware --from FILE --markdown docs/hardware.md --topology docs/topology.svg\n"
      "GPUs are read through NVIDIA's libnvidia-ml.so.1 when it is there. `-` as FILE means stdin or stdout.");
  cmd->add_option("-o,--output", options->output, "write the JSON document there")->type_name("FILE");
  cmd->add_option("--verify", options->verify, "fail unless FILE is a valid document of this very machine")
      ->type_name("FILE");
  cmd->add_option("--compare", options->compare, "name what changed since FILE; fail on what got lost or smaller")
      ->type_name("FILE");
  cmd->add_option("--from", options->from, "use the recorded document instead of reading this machine")
      ->type_name("FILE");
  cmd->add_option("--markdown", options->markdown, "write it as Markdown")->type_name("FILE");
  cmd->add_option("--topology", options->topology, "draw packages, cores, memory and devices as SVG")
      ->type_name("FILE");
  cmd->add_flag("--facts", options->facts, "print only the facts that criteria can require, one a line");
  cmd->add_flag("--require-gpu", options->require_gpu, "fail when no GPU answers");
  cmd->callback([options, &context] {
    if (auto status = run_hardware(*options, context); !status) context.exit = report(status.error());
  });
}

}  // namespace sparky::cli
