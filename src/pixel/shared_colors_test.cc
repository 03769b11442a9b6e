#include "pixel/shared_colors.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "pixel/color.h"
#include "pixel/degrade.h"
#include "pixel/snap.h"

namespace sparky::pixel {
namespace {

// Rectangles of a few colours over each other, as sprites mostly are: flat areas and thin lines.
Picture flat_sprite(uint64_t seed, int side, int colors, int closest) {
  std::mt19937_64 random(seed);
  const auto up_to = [&](int most) { return int(random() % uint64_t(most + 1)); };
  std::vector<Rgba> palette;
  while (int(palette.size()) < colors) {
    const Rgba c{uint8_t(up_to(255)), uint8_t(up_to(255)), uint8_t(up_to(255)), 255};
    const auto near = [&](Rgba p) { return std::abs(p.r - c.r) + std::abs(p.g - c.g) + std::abs(p.b - c.b) < closest; };
    if (std::ranges::none_of(palette, near)) palette.push_back(c);
  }
  Picture out(side, side, palette[0]);
  for (int i = 0; i < 6 * colors; ++i) {
    const int left = up_to(side - 1), top = up_to(side - 1), wide = 1 + up_to(side / 3), high = 1 + up_to(side / 3);
    for (int y = top; y < std::min(top + high, side); ++y) {
      for (int x = left; x < std::min(left + wide, side); ++x) out.at(x, y) = palette[size_t(i % colors)];
    }
  }
  return out;
}

Picture gradient(int side) {
  Picture out(side, side);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      out.at(x, y) = {uint8_t(40 + 3 * x), uint8_t(60 + 2 * y), uint8_t(200 - x - y), 255};
    }
  }
  return out;
}

CellEstimates cells_of(const Picture& picture) {
  CellEstimates out{.columns = picture.width, .rows = picture.height, .exact_share = 1};
  for (const Rgba p : picture.pixels) {
    out.color.push_back({float(p.r), float(p.g), float(p.b)});
    out.opaque.push_back(p.a == 255);
  }
  return out;
}

double share_equal(const Picture& truth, const Picture& got) {
  if (truth.width != got.width || truth.height != got.height) return 0;
  double equal = 0;
  for (size_t i = 0; i < truth.pixels.size(); ++i) equal += truth.pixels[i] == got.pixels[i];
  return equal / double(truth.pixels.size());
}

size_t colors_of(const Picture& picture) {
  std::set<uint32_t> keys;
  for (const Rgba p : picture.pixels) keys.insert(key(p));
  return keys.size();
}

TEST(SharedColors, UndoTheJitterOfCells) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    const Picture truth = flat_sprite(seed, 40, 8, 60);
    const auto snapped = snap(degrade(truth, {.scale_x = 7.3, .scale_y = 7.3, .cell_jitter = 2, .seed = seed}).value());
    ASSERT_TRUE(snapped) << snapped.error().text();
    EXPECT_GE(share_equal(truth, snapped->picture), 0.6);  // the mean of 50 cells is off by 0.3 levels
    EXPECT_LE(colors_of(snapped->picture), 14u);           // without sharing: hundreds
  }
}

TEST(SharedColors, UndoNoiseJpegAndBlurTogether) {
  const Picture truth = flat_sprite(5, 40, 10, 60);
  const auto snapped = snap(degrade(truth, {.scale_x = 11.4,
                                            .scale_y = 11.4,
                                            .soft = true,
                                            .blur = 1,
                                            .cell_jitter = 1.5,
                                            .noise = 4,
                                            .jpeg_quality = 80})
                                .value());
  ASSERT_TRUE(snapped) << snapped.error().text();
  EXPECT_GE(share_equal(truth, snapped->picture), 0.3);
  EXPECT_LE(colors_of(snapped->picture), 60u);
}

TEST(SharedColors, LeaveWhatIsDrawnAlone) {
  // A texture of greys, whose channels move together.
  std::mt19937_64 random(7);
  Picture texture(32, 32);
  for (Rgba& p : texture.pixels) {
    const int v = 120 + int(std::lround(std::normal_distribution<double>(0, 2)(random)));
    p = {uint8_t(v), uint8_t(v), uint8_t(v + 10), 255};
  }
  for (const Picture& drawn : {texture, gradient(40), flat_sprite(9, 32, 16, 2)}) {
    CellEstimates cells = cells_of(drawn);
    const auto before = cells.color;
    EXPECT_EQ(share_colors(cells), 0);
    EXPECT_EQ(cells.color, before);
  }
}

TEST(SharedColors, NeitherPosteriseANoisyGradient) {
  const Picture truth = gradient(48);
  const auto snapped =
      snap(degrade(truth, {.scale_x = 6, .scale_y = 6, .noise = 6}).value(), {.columns = 48, .rows = 48});
  ASSERT_TRUE(snapped) << snapped.error().text();
  int worst = 0;
  for (size_t i = 0; i < truth.pixels.size(); ++i) {
    const Rgba a = truth.pixels[i], b = snapped->picture.pixels[i];
    worst = std::max({worst, std::abs(a.r - b.r), std::abs(a.g - b.g), std::abs(a.b - b.b)});
  }
  EXPECT_LE(worst, 7);  // the noise of a cell alone moves some by 5
  EXPECT_GE(colors_of(snapped->picture), 400u);
}

RC_GTEST_PROP(SharedColors, KeepEveryBitOfACleanEnlargement, (uint64_t seed)) {
  const int colors = *rc::gen::inRange(3, 40);
  const double scale = *rc::gen::inRange(300, 1000) / 100.0;
  const Picture truth = flat_sprite(seed, 24, colors, *rc::gen::inRange(1, 30));
  const auto snapped =
      snap(degrade(truth, {.scale_x = scale, .scale_y = scale, .seed = seed}).value(), {.columns = 24, .rows = 24});
  RC_ASSERT(snapped.has_value());
  RC_ASSERT(snapped->picture == truth);
}

}  // namespace
}  // namespace sparky::pixel
