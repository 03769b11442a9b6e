// sparky-sim: plays the engine against a random world, seed after seed. The same seed plays the same way.
//   sparky-sim --seeds 1000        seeds 1 to 1000
//   sparky-sim --seed 42           one seed, with its figures
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "engine/sim/world.h"

namespace {

using namespace sparky::engine::sim;

bool play(uint64_t seed, Summary& total) {
  try {
    auto s = World(seed).play();
    total.events += s.events, total.inputs += s.inputs, total.crashes += s.crashes, total.attempts += s.attempts;
    total.refused += s.refused;
    return true;
  } catch (const Violation& v) {
    fmt::print(stderr, "seed {}: {}\nrepeat it with: ./dev sim --seed {}\n", seed, v.what, seed);
  } catch (const std::exception& e) {
    fmt::print(stderr, "seed {}: an exception: {}\nrepeat it with: ./dev sim --seed {}\n", seed, e.what(), seed);
  }
  return false;
}

int usage() {
  fmt::print(stderr,
             "sparky-sim --seeds N [--from FIRST] | --seed S\nplays N random worlds against the engine; exit 1 if a "
             "rule is broken\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seeds = 0, from = 1;
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
      seeds = 1, from = value;
    else
      return usage();
  }
  if (seeds == 0) return usage();
  Summary total;
  for (uint64_t i = 0; i < seeds; ++i)
    if (!play(from + i, total)) return 1;
  fmt::print("{} seeds: {} inputs ({} refused), {} events, {} attempts, {} crashes; every rule held\n", seeds,
             total.inputs, total.refused, total.events, total.attempts, total.crashes);
}
