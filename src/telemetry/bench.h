// Bench: what this machine can do, measured: memory, disk, floating point, process spawn, fsync, IPC. One JSON
// document (schemas/bench.schema.json). Each measurement keeps its samples, so that the summary can be checked.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "telemetry/changes.h"
#include "telemetry/host.h"
#include "telemetry/schema.h"

namespace sparky::telemetry {

struct BenchOptions {
  std::filesystem::path directory = ".";  // the disk under test; a nameless file there, gone at the end in any case
  bool quick = false;                     // fewer and smaller samples: some 5 s instead of some 15 s
  // Told before each part: its title, and how many of how many parts are done.
  std::function<void(std::string_view title, int done, int total)> progress = [](auto, int, int) {};
};

struct Measurement {
  std::string name, title, unit;  // "memory.triad", "Memory: triad …", one of B/s, IOPS, FLOP/s, s
  std::string how;                // what was done, on how much, with how many threads
  std::vector<double> samples;
  std::optional<double> peak{};  // of this machine, in the same unit
  std::string peak_is{};         // where the peak comes from
  bool lower_is_better() const { return unit == "s"; }
};

// Runs all parts. What could not be measured is named in /unknown.
Json run_benchmarks(const BenchOptions& options);
// The names that a complete document has (or names in /unknown).
const std::vector<std::string>& benchmark_names();

Json measurement_json(const Measurement& measurement);
double median(std::vector<double> samples);  // of at least one
double spread(std::vector<double> samples);  // (third quartile - first quartile) / median

// What no schema can say: every name measured or accounted for, summaries that fit their samples, values that a
// machine can have. For documents that passed check_schema().
std::vector<Finding> check_plausible(const Json& bench);

// A measurement got worse when even its best sample now is worse than the median then by more than the threshold (0.2:
// 20 %); so a busy moment alone is no regression. Changes beyond the threshold to the better are listed too.
std::vector<Change> compare_benchmarks(const Json& was, const Json& now, double threshold);

std::string bench_text(const Json& bench);
std::string bench_markdown(const Json& bench);  // a pure function of the document

// The parts; each adds its measurements.
void bench_memory(const BenchOptions& options, std::vector<Measurement>& out, std::vector<Unknown>& unknown);
void bench_compute(const BenchOptions& options, std::vector<Measurement>& out, std::vector<Unknown>& unknown);
void bench_disk(const BenchOptions& options, std::vector<Measurement>& out, std::vector<Unknown>& unknown);
void bench_processes(const BenchOptions& options, std::vector<Measurement>& out, std::vector<Unknown>& unknown);
void bench_ipc(const BenchOptions& options, std::vector<Measurement>& out, std::vector<Unknown>& unknown);

// Seconds that it took.
double time_s(const std::function<void()>& work);
// Runs work(0) … work(threads-1) at once, all starting together, and gives the seconds from the start to the last end.
double time_threads_s(int threads, const std::function<void(int)>& work);

}  // namespace sparky::telemetry
