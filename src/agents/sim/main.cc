// sparky-sim-agents: carries out agents' workstreams in real repositories, and stops them at random git commands, seed
// after seed. The same seed goes the same way.
//   sparky-sim-agents --seeds 100        seeds 1 to 100
//   sparky-sim-agents --seed 42          one seed, with what its steps print
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "agents/sim/world.h"

namespace {

using namespace sparky::agents::sim;

bool play(uint64_t seed, bool quiet, Summary& total) {
  std::string what;
  try {
    auto s = World(seed, quiet).play();
    total.steps += s.steps, total.sessions += s.sessions, total.stopped += s.stopped, total.merged += s.merged;
    total.answers += s.answers, total.restarts += s.restarts;
    return true;
  } catch (const Violation& v) {
    what = v.what;
  } catch (const std::exception& e) {
    what = std::string("an exception: ") + e.what();
  }
  fmt::print(stderr, "seed {}: {}\nrepeat it with: ./dev sim-agents --seed {}\n", seed, what, seed);
  return false;
}

int usage() {
  fmt::print(stderr,
             "sparky-sim-agents --seeds N [--from FIRST] | --seed S\ncarries out N random runs of agents and stops "
             "them anywhere; exit 1 if a rule is broken\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seeds = 0, from = 1;
  bool quiet = true;
  for (int i = 1; i < argc; i += 2) {
    std::string_view name = argv[i], text = i + 1 < argc ? argv[i + 1] : "";
    uint64_t value = 0;
    auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (err != std::errc{} || end != text.data() + text.size()) return usage();
    if (name == "--seeds")
      seeds = value;
    else if (name == "--from")
      from = value;
    else if (name == "--seed")
      seeds = 1, from = value, quiet = false;
    else
      return usage();
  }
  if (seeds == 0) return usage();
  // In memory, where there is such a place: thousands of small files are written and forgotten.
  if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  Summary total;
  for (uint64_t i = 0; i < seeds; ++i)
    if (!play(from + i, quiet, total)) return 1;
  fmt::print(
      "{} seeds: {} steps ({} of them sessions), {} stopped in the middle, {} changes merged, {} answers, "
      "{} restarts; every rule held\n",
      seeds, total.steps, total.sessions, total.stopped, total.merged, total.answers, total.restarts);
}
