// sparky bench: what this machine can do, measured; recorded, verified, compared.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/document.h"
#include "telemetry/bench.h"
#include "telemetry/hardware.h"

namespace sparky::cli {
namespace {

struct BenchCommandOptions {
  std::string output, verify, compare, from, markdown, directory = ".";
  double threshold_percent = 20;
  bool quick = false;
};

// A document whose figures contradict each other, or that was taken elsewhere, is no evidence about this machine.
Status verify_benchmarks(const std::string& file) {
  SPARKY_ASSIGN(Json recorded, read_document(file, "bench"));
  auto findings = telemetry::check_plausible(recorded);
  std::string text;
  for (const auto& finding : findings) text += "\n  " + finding.text();
  if (!findings.empty())
    return fail(Errc::corrupt, fmt::format("{} contradicts itself:{}", file, text),
                "measure anew: sparky bench -o FILE");
  Json now = telemetry::identity(telemetry::read_hardware()), here = Json::object();
  for (const auto& [key, value] : now.items())
    if (recorded["machine"].contains(key)) here[key] = value;
  SPARKY_TRY(refuse_changes(file, telemetry::compare(recorded["machine"], here), "this machine",
                            "measure anew on this machine: sparky bench -o FILE"));
  fmt::print(stderr, "{}: {} plausible measurements of this machine\n", file, recorded["results"].size());
  return {};
}

Json measure(const BenchCommandOptions& o) {
  telemetry::BenchOptions options{.directory = o.directory, .quick = o.quick};
  bool person = isatty(STDERR_FILENO) != 0;  // otherwise in the form that a running plan reads
  options.progress = [person](std::string_view title, int done, int total) {
    if (!person)
      fmt::print(stderr, "::progress {:.2f} {}\n", double(done) / total, title);
    else if (done < total)
      fmt::print(stderr, "[{}/{}] {}\n", done + 1, total, title);
  };
  return telemetry::run_benchmarks(options);
}

Status run_bench(const BenchCommandOptions& o, const Context& context) {
  bool only_verify = !o.verify.empty() && o.output.empty() && o.compare.empty() && o.from.empty() && !context.json;
  if (only_verify) return verify_benchmarks(o.verify);
  SPARKY_ASSIGN(Json now, o.from.empty() ? Result<Json>(measure(o)) : read_document(o.from, "bench"));
  if (!o.output.empty()) SPARKY_TRY(write_document(o.output, now));
  if (!o.markdown.empty()) SPARKY_TRY(write_text(o.markdown, telemetry::bench_markdown(now)));
  if (context.json)
    fmt::print("{}\n", json_text(now, 2));
  else if (o.markdown.empty())
    fmt::print("{}", telemetry::bench_text(now));
  if (!o.verify.empty()) SPARKY_TRY(verify_benchmarks(o.verify));
  if (!o.compare.empty()) {
    SPARKY_ASSIGN(Json was, read_document(o.compare, "bench"));
    SPARKY_TRY(report_regressions(o.compare, telemetry::compare_benchmarks(was, now, o.threshold_percent / 100)));
  }
  return {};
}

}  // namespace

void add_bench_commands(CLI::App& app, Context& context) {
  auto options = std::make_shared<BenchCommandOptions>();
  auto* cmd = app.add_subcommand("bench", "measure memory, disk, floating point, process spawn, fsync and IPC");
  cmd->footer(
      "Examples:\n"
      "  sparky bench -o bench/baselines/benchmark_baseline.json         record a baseline (some 15 s)\n"
      "  sparky bench --verify bench/baselines/benchmark_baseline.json   is it whole, plausible, and of this machine?\n"
      "  sparky bench --quick --compare bench/baselines/benchmark_baseline.json --threshold 30\n"
      "A measurement got worse when even its best sample is worse than the baseline's median by the threshold.");
  cmd->add_option("-o,--output", options->output, "write the JSON document there")->type_name("FILE");
  cmd->add_option("--verify", options->verify, "fail unless FILE holds plausible measurements of this machine")
      ->type_name("FILE");
  cmd->add_option("--compare", options->compare, "measure, and fail on what got worse since FILE")->type_name("FILE");
  cmd->add_option("--threshold", options->threshold_percent, "how much worse counts, in percent")
      ->check(CLI::Range(0.1, 10000.0))
      ->type_name("PERCENT");
  cmd->add_option("--from", options->from, "use the recorded document instead of measuring")->type_name("FILE");
  cmd->add_option("--markdown", options->markdown, "write it as Markdown")->type_name("FILE");
  cmd->add_option("--dir", options->directory, "the directory whose disk is measured")
      ->check(CLI::ExistingDirectory)
      ->type_name("DIR");
  cmd->add_flag("--quick", options->quick, "fewer and smaller samples, some 5 s");
  cmd->callback([options, &context] {
    if (auto status = run_bench(*options, context); !status) context.exit = report(status.error());
  });
}

}  // namespace sparky::cli
