// The snap benchmark: degrades true sprites, snaps them back, and says how often the size and the pixels are right.
//   snap_bench run --sprites DIR          Sparky's own figures
//   snap_bench make --sprites DIR -o OUT  the cases as files, for other tools
//   snap_bench score OUT TOOL…            figures of what a tool left in OUT/TOOL/
//   snap_bench refuse DIR                 how many pictures without a grid are accepted (negatives.py makes some)
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>

#include "base/files.h"
#include "base/text.h"
#include "cases.h"
#include "pixel/files.h"
#include "pixel/snap.h"

namespace sparky::bench {
namespace {

namespace fs = std::filesystem;
using pixel::Picture;
using pixel::Rgba;

struct Score {
  bool answered = false, size_right = false;
  double exact = 0, right = 0;  // shares of the pixels: equal in every bit; within 8 levels of 255 in every channel
};

Score compare(const Picture& truth, const Picture& got) {
  Score score{.answered = true};
  score.size_right = truth.width == got.width && truth.height == got.height;
  if (!score.size_right) return score;
  size_t exact = 0, right = 0;
  for (size_t i = 0; i < truth.pixels.size(); ++i) {
    const Rgba a = truth.pixels[i], b = got.pixels[i];
    const bool both_clear = a.a == 0 && b.a == 0;
    const int off = std::max({std::abs(a.r - b.r), std::abs(a.g - b.g), std::abs(a.b - b.b), std::abs(a.a - b.a)});
    exact += both_clear || off == 0;
    right += both_clear || off <= 8;
  }
  score.exact = double(exact) / double(truth.pixels.size());
  score.right = double(right) / double(truth.pixels.size());
  return score;
}

// Wilson's interval for a share, 95 %.
std::pair<double, double> wilson(double share, double n) {
  const double z = 1.96, middle = share + z * z / (2 * n), bottom = 1 + z * z / n;
  const double half = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return {(middle - half) / bottom, (middle + half) / bottom};
}

struct Tally {
  std::vector<Score> scores;
  std::vector<double> milliseconds;

  std::string row(const std::string& name) const {
    const double n = double(scores.size());
    double answered = 0, sizes = 0, exact = 0, right = 0, right_squares = 0, right_sized = 0;
    for (const Score& s : scores) {
      answered += s.answered, sizes += s.size_right, exact += s.exact, right += s.right;
      right_squares += s.right * s.right;
      if (s.size_right) right_sized += s.right;
    }
    const auto [low, high] = wilson(sizes / n, n);
    const double error = 1.96 * std::sqrt(std::max(0.0, right_squares / n - right / n * right / n) / n);
    return fmt::format("| {:<12} | {:>5} | {:5.1f} | {:5.1f} ({:.1f}–{:.1f}) | {:5.1f} ± {:.1f} | {:5.1f} | {:5.1f} |",
                       name, scores.size(), 100 * answered / n, 100 * sizes / n, 100 * low, 100 * high, 100 * right / n,
                       100 * error, 100 * exact / n, sizes > 0 ? 100 * right_sized / sizes : 0);
  }
};

constexpr const char* kHead =
    "| cases        |     n | answered % | exact size % (95 %) | pixels right % (95 %) | pixels bit-exact % | "
    "right % where the size is |\n|---|---|---|---|---|---|---|";

void print(const std::map<std::string, Tally>& tallies) {
  std::puts(kHead);
  Tally all;
  for (const std::string& category : categories()) {
    const auto found = tallies.find(category);
    if (found == tallies.end()) continue;
    std::puts(found->second.row(category).c_str());
    all.scores.insert(all.scores.end(), found->second.scores.begin(), found->second.scores.end());
  }
  std::puts(all.row("all").c_str());
}

struct Options {
  fs::path sprites, out;
  Half half = Half::held_out;
  int count = 100;
  uint64_t seed = 1;
  std::vector<std::string> only, tools;
  bool verbose = false;
};

template <class Each>
Status for_each_case(const Options& options, Each each) {
  const auto sprites = sprites_of(options.sprites, options.half);
  if (sprites.empty()) return fail(Errc::not_found, fmt::format("no sprites under {}", options.sprites.string()));
  for (const std::string& category : options.only.empty() ? categories() : options.only) {
    for (int i = 0; i < options.count; ++i) {
      SPARKY_ASSIGN(const Case c, make_case(options.sprites, sprites, category, options.seed + uint64_t(i)));
      SPARKY_TRY(each(c, i));
    }
  }
  return {};
}

double cpu_milliseconds() { return double(std::clock()) * 1000 / CLOCKS_PER_SEC; }

Status run(const Options& options) {
  std::map<std::string, Tally> tallies;
  double worst = 0;
  SPARKY_TRY(for_each_case(options, [&](const Case& c, int i) -> Status {
    const double start = cpu_milliseconds();
    const auto snapped = pixel::snap(c.degraded);
    const double took = cpu_milliseconds() - start;
    worst = std::max(worst, took * (1 << 20) / (double(c.degraded.width) * c.degraded.height + (1 << 18)));
    Tally& tally = tallies[c.category];
    tally.scores.push_back(snapped ? compare(c.truth, snapped->picture) : Score{});
    tally.milliseconds.push_back(took);
    const Score& s = tally.scores.back();
    if (options.verbose && (s.right < 0.97 || options.only.empty())) {
      const auto& h = c.how;
      fmt::print(stderr, "{} {} {}: {}x{} scale {:.3f} {:.3f} soft {} blur {:.2f} noise {:.1f} jpeg {} -> ", c.category,
                 i, c.sprite, c.truth.width, c.truth.height, h.scale_x, h.scale_y, h.soft, h.blur, h.noise,
                 h.jpeg_quality);
      if (snapped) {
        const auto& g = snapped->grid;
        fmt::print(stderr,
                   "{}x{} cell {:.3f} {:.3f} first {:.2f} {:.2f} blur {:.2f} {:.2f}/{:.2f} evid {:.3f} conf {:.2f} err "
                   "{:.1f} right {:.1f}\n",
                   g.x.cells(), g.y.cells(), g.x.cell, g.y.cell, g.x.lines[0], g.y.lines[0], g.x.blur, g.y.blur,
                   g.y.chroma.sigma, g.evidence, g.confidence, snapped->error, 100 * s.right);
      } else {
        fmt::print(stderr, "{}\n", snapped.error().text());
      }
    }
    return {};
  }));
  print(tallies);
  return {};
}

Status make(const Options& options) {
  return for_each_case(options, [&](const Case& c, int i) -> Status {
    const std::string name = fmt::format("{}-{:04}.png", c.category, i);
    SPARKY_TRY(pixel::write_png(options.out / "degraded" / name, c.degraded, {.text = {}, .compression = 1}));
    return pixel::write_png(options.out / "truth" / name, c.truth, {.text = {}, .compression = 1});
  });
}

Status score(const Options& options) {
  std::vector<fs::path> truths;
  for (const auto& entry : fs::directory_iterator(options.out / "truth")) truths.push_back(entry.path().filename());
  for (const std::string& tool : options.tools) {
    std::map<std::string, Tally> tallies;
    for (const fs::path& name : truths) {
      SPARKY_ASSIGN(const Picture truth, pixel::read_picture(options.out / "truth" / name));
      const auto got = pixel::read_picture(options.out / tool / name);
      const std::string category(split(name.string(), '-')[0]);
      tallies[category].scores.push_back(got ? compare(truth, *got) : Score{});
    }
    fmt::print("\n### {}\n\n", tool);
    print(tallies);
  }
  return {};
}

// How many pictures without a grid are accepted all the same; their kind is the file name up to the dash.
Status refuse(const Options& options) {
  std::map<std::string, std::pair<int, int>> kinds;  // accepted, all
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(options.out)) files.push_back(entry.path());
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    SPARKY_ASSIGN(const Picture picture, pixel::read_picture(file));
    const auto snapped = pixel::snap(picture);
    const std::string name = file.filename().string();
    auto& [accepted, all] = kinds[std::string(split(name, '-')[0])];
    all += 1;
    if (!snapped) continue;
    accepted += 1;
    if (options.verbose) {
      const auto& g = snapped->grid;
      fmt::print(stderr, "{} {}x{} accepted: cell {:.2f} {:.2f} evidence {:.3f} confidence {:.2f} error {:.1f}\n", name,
                 picture.width, picture.height, g.x.cell, g.y.cell, g.evidence, g.confidence, snapped->error);
    }
  }
  int accepted_total = 0, total = 0;
  std::puts("| kind | pictures | accepted |\n|---|---|---|");
  for (const auto& [kind, counts] : kinds) {
    fmt::print("| {} | {} | {} |\n", kind, counts.second, counts.first);
    accepted_total += counts.first, total += counts.second;
  }
  const auto [low, high] = wilson(double(accepted_total) / total, total);
  fmt::print("| all | {} | {} = {:.1f} % ({:.1f}–{:.1f}) |\n", total, accepted_total, 100.0 * accepted_total / total,
             100 * low, 100 * high);
  return {};
}

}  // namespace
}  // namespace sparky::bench

int main(int argc, char** argv) {
  using namespace sparky::bench;
  CLI::App app("Measures pixel snap against the truth.");
  app.require_subcommand(1);
  Options options;
  std::string half = "held-out";
  auto* run_command = app.add_subcommand("run", "snap with Sparky and print the figures");
  auto* make_command = app.add_subcommand("make", "write the cases as PNG files");
  auto* score_command = app.add_subcommand("score", "print the figures of tools that worked on those files");
  auto* refuse_command = app.add_subcommand("refuse", "count the gridless pictures in a folder that are accepted");
  refuse_command->add_option("folder", options.out, "what negatives.py wrote")->required();
  refuse_command->add_flag("--verbose", options.verbose, "name them");
  for (auto* command : {run_command, make_command}) {
    command->add_option("--sprites", options.sprites, "folder with mon/, item/, dngn/")->required();
    command->add_option("--half", half, "tuning or held-out")->check(CLI::IsMember({"tuning", "held-out"}));
    command->add_option("--count", options.count, "cases of each category");
    command->add_option("--seed", options.seed, "first seed");
    command->add_option("--only", options.only, "only these categories");
    command->add_flag("--verbose", options.verbose, "say what went wrong in each case");
  }
  make_command->add_option("-o,--output", options.out, "folder to write")->required();
  score_command->add_option("folder", options.out, "what make wrote")->required();
  score_command->add_option("tools", options.tools, "its subfolders with results")->required();
  CLI11_PARSE(app, argc, argv);
  options.half = half == "tuning" ? Half::tuning : Half::held_out;
  const auto status = *run_command      ? run(options)
                      : *make_command   ? make(options)
                      : *refuse_command ? refuse(options)
                                        : score(options);
  if (!status) {
    fmt::print(stderr, "snap_bench: {}\n", status.error().text());
    return 1;
  }
  return 0;
}
