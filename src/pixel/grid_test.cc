#include "pixel/grid.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <random>

#include "pixel/cells.h"
#include "pixel/degrade.h"
#include "pixel/files.h"
#include "pixel/snap.h"

namespace sparky::pixel {
namespace {

namespace fs = std::filesystem;

std::vector<Picture> fixtures() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(SPARKY_SOURCE_DIR "/src/pixel/fixtures")) {
    if (entry.path().extension() == ".png") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::vector<Picture> out;
  for (const fs::path& file : files) {
    out.push_back(read_picture(file).value());
    for (Rgba& p : out.back().pixels) {
      if (p.a == 0) p = {};
    }
  }
  return out;
}

Picture on_ground(Picture sprite) {
  for (Rgba& p : sprite.pixels) {
    if (p.a == 0) p = {90, 110, 90, 255};
  }
  return sprite;
}

// The share of pixels within `most` levels of the truth in every channel; 0 if the size is wrong.
double share_right(const Picture& truth, const Picture& got, int most) {
  if (truth.width != got.width || truth.height != got.height) return 0;
  int right = 0;
  for (size_t i = 0; i < truth.pixels.size(); ++i) {
    const Rgba a = truth.pixels[i], b = got.pixels[i];
    right += std::max({std::abs(a.r - b.r), std::abs(a.g - b.g), std::abs(a.b - b.b), std::abs(a.a - b.a)}) <= most;
  }
  return double(right) / double(truth.pixels.size());
}

Picture random_sprite(uint64_t seed, int width, int height) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int> level(0, 255);
  Picture out(width, height);
  for (Rgba& p : out.pixels) p = {uint8_t(level(random)), uint8_t(level(random)), uint8_t(level(random)), 255};
  return out;
}

TEST(Snap, RestoresCleanEnlargementsInEveryBit) {
  uint64_t seed = 1;
  for (const Picture& truth : fixtures()) {
    for (const double scale : {3.0, 3.7, 8.0, 12.34, 24.0}) {
      const auto snapped = snap(degrade(truth, {.scale_x = scale, .scale_y = scale, .seed = ++seed}).value());
      ASSERT_TRUE(snapped) << snapped.error().text();
      EXPECT_EQ(snapped->picture, truth) << "scale " << scale;
      EXPECT_NEAR(snapped->grid.x.cell, scale, 0.05);
    }
  }
}

TEST(Snap, FindsDifferentCellsInXAndYAndTheirPhase) {
  for (const Picture& sprite : fixtures()) {
    const Picture truth = on_ground(sprite);
    const Degradation how{.scale_x = 7.3, .scale_y = 6.1, .shift_x = 0.4, .shift_y = -0.3, .soft = true};
    const auto snapped = snap(degrade(truth, how).value());
    ASSERT_TRUE(snapped) << snapped.error().text();
    EXPECT_GE(share_right(truth, snapped->picture, 1), 0.999);
    EXPECT_NEAR(snapped->grid.x.cell, 7.3, 0.03);
    EXPECT_NEAR(snapped->grid.y.cell, 6.1, 0.03);
    EXPECT_NEAR(snapped->grid.x.lines[10], 0.4 + 73, 0.3);
  }
}

TEST(Snap, UndoesBlurNoiseAndJpeg) {
  for (const Picture& sprite : fixtures()) {
    const Picture truth = on_ground(sprite);
    const auto blurred = snap(degrade(truth, {.scale_x = 6.5, .scale_y = 6.5, .soft = true, .blur = 1.2}).value());
    ASSERT_TRUE(blurred) << blurred.error().text();
    EXPECT_GE(share_right(truth, blurred->picture, 8), 0.97);
    const auto noisy = snap(degrade(truth, {.scale_x = 9.2, .scale_y = 9.2, .noise = 6}).value());
    ASSERT_TRUE(noisy) << noisy.error().text();
    EXPECT_GE(share_right(truth, noisy->picture, 8), 0.99);
    const auto jpeg = snap(degrade(truth, {.scale_x = 10.4, .scale_y = 10.4, .jpeg_quality = 75}).value());
    ASSERT_TRUE(jpeg) << jpeg.error().text();
    EXPECT_GE(share_right(truth, jpeg->picture, 8), 0.88);  // a small colourful sprite loses most
  }
}

TEST(Snap, SeesChromaThroughThePairsOfPixelsThatJpegStoresItIn) {
  const Picture truth = random_sprite(11, 24, 24);
  const auto snapped = snap(degrade(truth, {.scale_x = 5.2, .scale_y = 5.2, .jpeg_quality = 95}).value());
  ASSERT_TRUE(snapped) << snapped.error().text();
  EXPECT_TRUE(snapped->grid.x.chroma.halved);
  EXPECT_TRUE(snapped->grid.y.chroma.halved);
  EXPECT_GE(share_right(truth, snapped->picture, 8), 0.9);
}

// Lines rounded to whole pixels: half a cell fits them better than a comb that misses some by one pixel.
TEST(Snap, DoesNotHalveCellsForTheRoundingOfTheirLines) {
  for (const double scale : {12.678, 21.26, 21.873}) {
    Picture truth = random_sprite(2, 24, 24);
    for (Rgba& p : truth.pixels) p = p.g < 128 ? Rgba{20, 20, 10, 255} : Rgba{230, 230, 115, 255};
    const auto snapped = snap(degrade(truth, {.scale_x = scale, .scale_y = scale}).value());
    ASSERT_TRUE(snapped) << snapped.error().text();
    EXPECT_EQ(snapped->picture, truth) << scale;
  }
}

TEST(Snap, KeepsTheColourOfMostOfACellAgainstStrayPixels) {
  const Picture truth = random_sprite(3, 12, 12);
  Picture big = degrade(truth, {.scale_x = 8, .scale_y = 8}).value();
  std::mt19937_64 random(4);
  for (int i = 0; i < 100; ++i) {
    big.at(int(random() % size_t(big.width)), int(random() % size_t(big.height))) = {255, 0, 255, 255};
  }
  EXPECT_EQ(snap(big)->picture, truth);
}

TEST(Snap, RefusesWhatHasNoGridAndSaysWhy) {
  Picture gradient(300, 200);
  for (int y = 0; y < 200; ++y) {
    for (int x = 0; x < 300; ++x) gradient.at(x, y) = {uint8_t(x * 255 / 300), uint8_t(y), 128, 255};
  }
  const Picture noise = random_sprite(1, 256, 256);  // pixel art at its true size is no different
  const Picture flat(100, 100, {10, 20, 30, 255});
  const Picture smooth = degrade(random_sprite(2, 24, 24), {.scale_x = 10, .scale_y = 10, .blur = 5}).value();
  for (const Picture& picture : {gradient, noise, flat, smooth}) {
    const auto snapped = snap(picture);
    ASSERT_FALSE(snapped);
    EXPECT_EQ(snapped.error().code, Errc::unavailable) << snapped.error().text();
    EXPECT_FALSE(snapped.error().message.empty());
  }
  EXPECT_EQ(snap(Picture(5, 5)).error().code, Errc::invalid);
  EXPECT_EQ(snap(Picture()).error().code, Errc::invalid);
}

TEST(Snap, TakesAForcedSizeWithoutDoubt) {
  const Picture truth = fixtures()[0];
  const Picture big = degrade(truth, {.scale_x = 9.4, .scale_y = 9.4, .shift_x = 0.5}).value();
  EXPECT_EQ(snap(big, {.columns = 32, .rows = 32})->picture, truth);
  const auto other = snap(big, {.columns = 16, .rows = 20});
  ASSERT_TRUE(other);
  EXPECT_EQ(other->picture.width, 16);
  EXPECT_EQ(other->picture.height, 20);
  const auto flat = snap(Picture(64, 64, {1, 2, 3, 255}), {.columns = 8, .rows = 8});
  ASSERT_TRUE(flat);
  EXPECT_EQ(flat->picture, Picture(8, 8, {1, 2, 3, 255}));
  EXPECT_EQ(snap(big, {.columns = 200, .rows = 200}).error().code, Errc::invalid);
}

TEST(Snap, ASizeThatIsGivenIsTheSize) {
  // Few edges and a fraction of a cell too many: the period is found a little short, and 25 cells would fit.
  Picture truth(24, 24, {40, 60, 90, 255});
  for (int y = 3; y < 9; ++y) {
    for (int x = 5; x < 17; ++x) truth.at(x, y) = {200, 80, 30, 255};
  }
  for (const double scale : {3.1, 3.19, 3.3, 4.27, 5.61, 7.77}) {
    const Picture large = degrade(truth, {.scale_x = scale, .scale_y = scale}).value();
    for (const int rows : {23, 24, 25}) {
      const auto snapped = snap(large, {.columns = 24, .rows = rows});
      ASSERT_TRUE(snapped) << snapped.error().text();
      EXPECT_EQ(snapped->picture.width, 24) << scale;
      EXPECT_EQ(snapped->picture.height, rows) << scale;
    }
  }
}

TEST(Snap, FollowsLinesThatDrift) {
  uint64_t seed = 30;
  int followed = 0;
  for (const Picture& sprite : fixtures()) {
    const Picture truth = on_ground(sprite);
    for (const bool soft : {false, true}) {
      const auto snapped = snap(
          degrade(truth, {.scale_x = 11.3, .scale_y = 11.3, .soft = soft, .wobble = 0.25, .seed = ++seed}).value());
      ASSERT_TRUE(snapped) << snapped.error().text();
      followed += share_right(truth, snapped->picture, 8) >= 0.99;
    }
  }
  EXPECT_GE(followed, 12);  // of 14; where the ground runs over the edge, a cut cell more cannot be told. Even lines: 1
}

TEST(Snap, StraightensWhatIsTilted) {
  const Picture truth = on_ground(fixtures()[0]);
  for (const double tilt : {1.5, -2.0}) {
    const auto snapped = snap(degrade(truth, {.scale_x = 7, .scale_y = 7, .soft = true, .tilt_degrees = tilt}).value());
    ASSERT_TRUE(snapped) << snapped.error().text();
    EXPECT_NEAR(snapped->tilt_degrees, tilt, 0.2);
    EXPECT_GE(share_right(truth, snapped->picture, 8), 0.95);  // corners are cut off
  }
}

TEST(Snap, FollowsAHint) {
  const Picture big = degrade(fixtures()[0], {.scale_x = 8, .scale_y = 8}).value();
  EXPECT_EQ(snap(big, {.hint = 7})->picture.width, 32);
  EXPECT_EQ(snap(big, {.hint = 1}).error().code, Errc::invalid);
}

RC_GTEST_PROP(Grid, CoversThePictureWithRoundedCells, (uint64_t seed)) {
  const int width = *rc::gen::inRange(12, 40), height = *rc::gen::inRange(12, 40);
  const double scale_x = *rc::gen::inRange(300, 1200) / 100.0, scale_y = scale_x * *rc::gen::inRange(85, 118) / 100.0;
  const double shift = *rc::gen::inRange(-30, 30) / 100.0;
  RC_PRE(scale_y >= 3);
  const Picture truth = random_sprite(seed, width, height);
  const Picture big =
      degrade(truth, {.scale_x = scale_x, .scale_y = scale_y, .shift_x = shift, .soft = true, .seed = seed}).value();
  const auto grid = find_grid(big);
  RC_ASSERT(grid.has_value());
  RC_ASSERT(grid->x.cells() == width);
  RC_ASSERT(grid->y.cells() == height);
  RC_ASSERT(grid->x.cells() == int(std::lround(big.width / grid->x.cell)));
  RC_ASSERT(std::abs(grid->x.lines.front()) <= grid->x.cell / 2 + 0.5);
  RC_ASSERT(std::ranges::is_sorted(grid->x.lines));
}

RC_GTEST_PROP(AxisModel, SolvesWhatItRebuilds, (uint64_t seed)) {
  std::mt19937_64 random(seed);
  const int cells = *rc::gen::inRange(1, 30), columns = 5;
  const double cell = *rc::gen::inRange(200, 900) / 100.0, blur = cell * *rc::gen::inRange(0, 30) / 100.0;
  std::vector<double> lines;
  for (int k = 0; k <= cells; ++k) lines.push_back(0.3 + k * cell);
  Plane truth(cells, columns);
  for (float& v : truth.values) v = std::uniform_real_distribution<float>(0, 255)(random);
  const bool halved = *rc::gen::arbitrary<bool>() && cell > 3 && blur < cell / 5;  // else it loses too much
  const AxisModel model(int(std::ceil(cells * cell)), lines, {blur, halved});
  const Plane seen = model.rebuild(truth);
  const Plane solved = model.solve(seen);
  for (size_t i = 0; i < truth.values.size(); ++i) RC_ASSERT(std::abs(solved.values[i] - truth.values[i]) < 1.0f);
}

}  // namespace
}  // namespace sparky::pixel
