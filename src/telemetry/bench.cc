#include "telemetry/bench.h"

#include <fmt/format.h>

#include <barrier>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "base/time.h"
#include "telemetry/hardware.h"

namespace sparky::telemetry {
namespace {

double quantile(const std::vector<double>& sorted, double q) {
  double at = q * double(sorted.size() - 1);
  size_t low = size_t(at);
  size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - double(low)) * (sorted[high] - sorted[low]);
}

double best_of(const std::vector<double>& samples, bool lower) {
  return lower ? *std::min_element(samples.begin(), samples.end()) : *std::max_element(samples.begin(), samples.end());
}

// Of the identity, what a measurement depends on.
Json machine_under_test() {
  Json out = Json::object();
  const Json all = identity(read_hardware());
  for (const auto& [key, value] : all.items())
    if (key.starts_with("cpu.") || key.starts_with("memory.") || (key.starts_with("gpu.") && key.ends_with(".model")))
      out[key] = value;
  return out;
}

std::string amount(double value, std::string_view unit) {
  if (unit == "B/s") return human_bytes(value) + "/s";
  if (unit == "s") return value < 1e-3 ? fmt::format("{:.1f} µs", value * 1e6) : fmt::format("{:.2f} ms", value * 1e3);
  if (unit == "FLOP/s") return fmt::format("{:.1f} GFLOP/s", value / 1e9);
  return fmt::format("{:.0f} {}", value, unit);
}

std::string share(const Json& result) {
  if (result["share_of_peak"].is_null()) return "";
  return fmt::format("{:.0f} % of {}", 100 * result["share_of_peak"].get<double>(),
                     amount(result["peak"].get<double>(), result["unit"].get<std::string>()));
}

}  // namespace

double median(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return quantile(samples, 0.5);
}

double spread(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return (quantile(samples, 0.75) - quantile(samples, 0.25)) / quantile(samples, 0.5);
}

double time_s(const std::function<void()>& work) {
  auto start = std::chrono::steady_clock::now();
  work();
  return std::max(1e-9, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

double time_threads_s(int threads, const std::function<void(int)>& work) {
  std::barrier gate(threads + 1);
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i)
    running.emplace_back([&, i] {
      gate.arrive_and_wait();
      work(i);
    });
  auto start = std::chrono::steady_clock::now();  // before the gate opens: this thread may be the last to run again
  gate.arrive_and_wait();
  for (auto& thread : running) thread.join();
  return std::max(1e-9, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

const std::vector<std::string>& benchmark_names() {
  static const std::vector<std::string> names = {
      "memory.copy",    "memory.triad",    "memory.read", "compute.fma",   "compute.matmul", "disk.write", "disk.read",
      "disk.read_iops", "disk.write_iops", "disk.fsync",  "process.spawn", "ipc.unix",       "ipc.zeromq"};
  return names;
}

Json measurement_json(const Measurement& m) {
  double best = best_of(m.samples, m.lower_is_better());
  return {{"name", m.name},
          {"title", m.title},
          {"unit", m.unit},
          {"better", m.lower_is_better() ? "lower" : "higher"},
          {"value", median(m.samples)},
          {"spread", spread(m.samples)},
          {"best", best},
          {"samples", m.samples},
          {"peak", m.peak ? Json(*m.peak) : Json()},
          {"share_of_peak", m.peak ? Json(best / *m.peak) : Json()},
          {"peak_is", m.peak_is.empty() ? Json() : Json(m.peak_is)},
          {"how", m.how}};
}

Json run_benchmarks(const BenchOptions& options) {
  using Part = void (*)(const BenchOptions&, std::vector<Measurement>&, std::vector<Unknown>&);
  const std::pair<const char*, Part> parts[] = {{"memory bandwidth", bench_memory},
                                                {"floating point", bench_compute},
                                                {"disk", bench_disk},
                                                {"process spawn", bench_processes},
                                                {"IPC round trips", bench_ipc}};
  std::error_code ec;
  Json doc = {{"schema", "sparky-bench/1"},
              {"captured_at", iso(now())},
              {"quick", options.quick},
              {"directory", printable(std::filesystem::absolute(options.directory, ec).lexically_normal().string())},
              {"machine", machine_under_test()},
              {"load_before", nullptr}};
  if (double load = 0; ::getloadavg(&load, 1) == 1) doc["load_before"] = load;

  std::vector<Measurement> measurements;
  std::vector<Unknown> unknown;
  int done = 0;
  doc["duration_s"] = time_s([&] {
    for (const auto& [title, part] : parts) {
      options.progress(title, done++, int(std::size(parts)));
      part(options, measurements, unknown);
    }
  });
  options.progress("done", done, done);
  doc["results"] = Json::array();
  for (const auto& measurement : measurements) doc["results"].push_back(measurement_json(measurement));
  unknown.push_back({"gpu", "GPU computation is not measured: that needs CUDA, which Sparky does not link"});
  doc["unknown"] = Json::array();
  for (const auto& item : unknown) doc["unknown"].push_back({{"what", item.what}, {"why", printable(item.why)}});
  seal(doc);
  return doc;
}

std::vector<Finding> check_plausible(const Json& doc) {
  std::vector<Finding> out;
  std::set<std::string> names;
  for (const auto& item : doc["unknown"]) names.insert(item["what"].get<std::string>());
  int index = 0;
  for (const auto& result : doc["results"]) {
    auto at = fmt::format("/results/{}", index++);
    auto wrong = [&](const char* member, std::string message) { out.push_back({at + member, std::move(message)}); };
    auto samples = result["samples"].get<std::vector<double>>();
    auto unit = result["unit"].get<std::string>();
    if (!names.insert(result["name"].get<std::string>()).second) wrong("/name", "occurs twice");
    auto same = [](double a, double b) { return std::abs(a - b) <= 1e-6 * std::abs(b) + 1e-12; };
    auto agrees = [&](const char* member, double expected) {
      double is = result[std::string(member + 1)].get<double>();
      if (!same(is, expected)) wrong(member, fmt::format("is {}, but the samples give {}", is, expected));
    };
    agrees("/value", median(samples));
    agrees("/spread", spread(samples));
    agrees("/best", best_of(samples, unit == "s"));
    if ((result["better"] == "lower") != (unit == "s")) wrong("/better", "does not fit the unit");
    if (!result["peak"].is_null() && !result["share_of_peak"].is_null())
      agrees("/share_of_peak", result["best"].get<double>() / result["peak"].get<double>());
    if (result["peak"].is_null() != result["share_of_peak"].is_null())
      wrong("/share_of_peak", "needs a peak, and a peak needs it");
    // No machine of these decades is outside.
    const std::map<std::string, std::pair<double, double>> limits = {
        {"B/s", {1e5, 1e14}}, {"IOPS", {1, 1e9}}, {"FLOP/s", {1e7, 1e17}}, {"s", {1e-8, 60}}};
    auto [low, high] = limits.at(unit);
    for (double sample : samples)
      if (sample < low || sample > high) {
        wrong("/samples", fmt::format("{} {} is not plausible (between {} and {})", sample, unit, low, high));
        break;
      }
  }
  for (const auto& name : benchmark_names())
    if (!names.contains(name))
      out.push_back({"/results", fmt::format("{} is neither measured nor named in /unknown", name)});
  return out;
}

std::vector<Change> compare_benchmarks(const Json& was, const Json& now, double threshold) {
  std::map<std::string, Json> present;
  for (const auto& result : now["results"]) present[result["name"]] = result;
  std::vector<Change> out;
  for (const auto& old : was["results"]) {
    auto name = old["name"].get<std::string>();
    auto unit = old["unit"].get<std::string>();
    double then = old["value"].get<double>();
    auto found = present.find(name);
    if (found == present.end()) {
      out.push_back({name, amount(then, unit), "gone", true});
      continue;
    }
    bool lower = unit == "s";
    double best = found->second["best"].get<double>(), typical = found->second["value"].get<double>();
    bool worse = lower ? best > then * (1 + threshold) : best < then * (1 - threshold);
    bool better = lower ? typical < then * (1 - threshold) : typical > then * (1 + threshold);
    if (worse || better)
      out.push_back(
          {name, amount(then, unit), fmt::format("{} (best {})", amount(typical, unit), amount(best, unit)), worse});
  }
  return out;
}

std::string bench_text(const Json& doc) {
  std::string out = fmt::format("{:<34} {:>16} {:>8}  {}\n", "", "median", "spread", "of the machine's peak");
  for (const auto& result : doc["results"])
    out += fmt::format("{:<34} {:>16} {:>7.1f}%  {}\n", result["title"].get<std::string>(),
                       amount(result["value"].get<double>(), result["unit"].get<std::string>()),
                       100 * result["spread"].get<double>(), share(result));
  for (const auto& item : doc["unknown"])
    out += fmt::format("not measured: {}: {}\n", item["what"].get<std::string>(), item["why"].get<std::string>());
  return printable(out);
}

std::string bench_markdown(const Json& doc) {
  std::string out = fmt::format(
      "# Benchmarks\n\nMeasured {} by `sparky bench{}` on {} ({} logical CPUs), in {:.1f} s{}.\n\n"
      "| measurement | median | spread | best | share of peak | how |\n|---|---|---|---|---|---|\n",
      doc["captured_at"].get<std::string>(), doc["quick"] == true ? " --quick" : "",
      json_text(doc["machine"]["cpu.model"]), json_text(doc["machine"]["cpu.logical"]), doc["duration_s"].get<double>(),
      doc["load_before"].is_null() ? ""
                                   : fmt::format(", with a load of {:.1f} before", doc["load_before"].get<double>()));
  for (const auto& result : doc["results"]) {
    auto unit = result["unit"].get<std::string>();
    out += fmt::format("| {} | {} | {:.1f} % | {} | {} | {} |\n", result["title"].get<std::string>(),
                       amount(result["value"].get<double>(), unit), 100 * result["spread"].get<double>(),
                       amount(result["best"].get<double>(), unit), share(result), result["how"].get<std::string>());
  }
  out += "\nSpread is (third quartile - first quartile) / median. The peaks:\n\n";
  std::set<std::string> peaks;
  for (const auto& result : doc["results"])
    if (!result["peak_is"].is_null()) peaks.insert(result["peak_is"].get<std::string>());
  for (const auto& peak : peaks) out += fmt::format("- {}\n", peak);
  out += "\n## What was not measured\n\n";
  for (const auto& item : doc["unknown"])
    out += fmt::format("- {}: {}\n", item["what"].get<std::string>(), item["why"].get<std::string>());
  return printable(out);
}

}  // namespace sparky::telemetry
