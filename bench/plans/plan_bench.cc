// Plans of 1,000 to 1,000,000 workstreams through reading, checking and timing: processor time and memory for each
// workstream. Each size runs in a process of its own, so that the peak memory is that of this size alone.
//   plan_bench [--json] [SIZE…]
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "plan/check.h"
#include "plan/graph.h"
#include "plan/sample.h"
#include "plan/timeline.h"
#include "plan/toml.h"

namespace {
using namespace sparky;

struct Figures {
  double make_s = 0, check_s = 0, timeline_s = 0, agents_s = 0, toml_s = -1;
  double toml_mib = 0, peak_bytes = 0;  // peak over make, check and both timelines, before any TOML
};

// Processor time: other work on the machine does not count.
double seconds(auto work) {
  auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
  };
  double start = now();
  work();
  return now() - start;
}

double peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) * 1024;
}

Figures measure(size_t size) {
  Figures out;
  plan::Plan plan;
  double before = peak_bytes();
  out.make_s = seconds([&] { plan = plan::sample_plan(1, {.workstreams = size}); });
  out.check_s = seconds([&] {
    if (has_errors(plan::check(plan, nullptr, {.files = false}))) std::abort();
  });
  auto graph = plan::build_graph(plan);
  out.timeline_s = seconds([&] { plan::make_timeline(plan, graph); });
  out.agents_s = seconds([&] { plan::make_timeline(plan, graph, 64); });
  out.peak_bytes = peak_bytes() - before;
  if (size > plan::Limits{}.workstreams) return out;
  auto text = plan::to_toml(plan);
  out.toml_mib = double(text.size()) / (1 << 20);
  if (text.size() > plan::Limits{}.bytes) return out;
  out.toml_s = seconds([&] {
    if (!plan::parse_plan(text, "bench.toml").readable) std::abort();
  });
  return out;
}

bool measure_apart(size_t size, Figures& out) {
  int ends[2];
  if (pipe(ends) != 0) return false;
  pid_t child = fork();
  if (child == 0) {
    auto figures = measure(size);
    _exit(write(ends[1], &figures, sizeof figures) == sizeof figures ? 0 : 1);
  }
  close(ends[1]);
  bool whole = child > 0 && read(ends[0], &out, sizeof out) == sizeof out;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return whole && status == 0;
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  std::vector<size_t> sizes;
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--json") == 0)
      json = true;
    else if (auto n = std::strtoul(argv[i], nullptr, 10); n > 0)
      sizes.push_back(n);
  if (sizes.empty()) sizes = {1'000, 10'000, 100'000, 1'000'000};
  if (!json)
    fmt::print("{:>12}{:>14}{:>16}{:>18}{:>14}{:>14}\n", "workstreams", "check µs/ws", "timeline µs/ws",
               "64 agents µs/ws", "bytes/ws", "TOML µs/ws");
  for (size_t size : sizes) {
    Figures f;
    if (!measure_apart(size, f)) {
      fmt::print(stderr, "plan_bench: {} workstreams failed\n", size);
      return 1;
    }
    auto each = [&](double s) { return s * 1e6 / double(size); };
    if (json)
      fmt::print(
          "{{\"workstreams\":{},\"check_s\":{:.6f},\"timeline_s\":{:.6f},\"timeline_64_agents_s\":{:.6f},"
          "\"bytes_each\":{:.0f},\"toml_s\":{},\"toml_mib\":{:.2f}}}\n",
          size, f.check_s, f.timeline_s, f.agents_s, f.peak_bytes / double(size),
          f.toml_s < 0 ? "null" : fmt::format("{:.6f}", f.toml_s), f.toml_mib);
    else
      fmt::print("{:>12}{:>14.2f}{:>16.2f}{:>18.2f}{:>14.0f}{:>14}\n", size, each(f.check_s), each(f.timeline_s),
                 each(f.agents_s), f.peak_bytes / double(size),
                 f.toml_s < 0 ? "-" : fmt::format("{:.2f}", each(f.toml_s)));
  }
  return 0;
}
