#include "pixel/transform.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "pixel/drawn.h"
#include "pixel/random_picture.h"

namespace sparky::pixel {
namespace {

RC_GTEST_PROP(Transform, turns_and_mirrors_undo_themselves, ()) {
  Picture p = *random_picture(12);
  RC_ASSERT(mirror(mirror(p, Axis::horizontal), Axis::horizontal) == p);
  RC_ASSERT(mirror(mirror(p, Axis::vertical), Axis::vertical) == p);
  RC_ASSERT(rotate90(rotate90(p, 1), 3) == p);
  RC_ASSERT(rotate90(rotate90(p, 1), 1) == rotate90(p, 2));
  RC_ASSERT(rotate90(p, -1) == rotate90(p, 3));
  RC_ASSERT(rotate(p, 90, Rotation::rotsprite, true).value() == rotate90(p, 1));
  RC_ASSERT(rotate(p, -720).value() == p);
}

RC_GTEST_PROP(Transform, scaling_up_and_down_is_exact, ()) {
  Picture p = *random_picture(10);
  int factor = *rc::gen::inRange(1, 6);
  RC_ASSERT(scale_down(scale_up(p, factor).value(), factor).value() == p);
}

RC_GTEST_PROP(Transform, rotation_makes_no_new_color, ()) {
  Picture p = *random_picture(12);
  double angle = *rc::gen::inRange(-3600, 3600) / 10.0;
  std::set<Rgba> colors(p.pixels.begin(), p.pixels.end());
  colors.insert(Rgba{});
  for (bool fit : {false, true})
    for (auto method : {Rotation::nearest, Rotation::rotsprite}) {
      Picture q = rotate(p, angle, method, fit).value();
      for (Rgba c : q.pixels) RC_ASSERT(colors.contains(c));
    }
}

RC_GTEST_PROP(Transform, trimming_and_padding_undo_each_other, ()) {
  Picture p = *random_picture(10);
  p.at(0, 0).a = p.at(p.width - 1, p.height - 1).a = 255;  // nothing to trim
  auto side = [] { return *rc::gen::inRange(0, 5); };
  int l = side(), t = side(), r = side(), b = side();
  Picture padded = pad(p, l, t, r, b);
  RC_ASSERT(padded.width == p.width + l + r && padded.height == p.height + t + b);
  RC_ASSERT(opaque_box(padded) == (Box{l, t, p.width, p.height}));
  RC_ASSERT(trim(padded) == p);
  RC_ASSERT(pad(padded, -l, -t, -r, -b) == p);
  Box box = opaque_box(center(padded));
  RC_ASSERT(box == (Box{(padded.width - p.width) / 2, (padded.height - p.height) / 2, p.width, p.height}));
  RC_ASSERT(trim(center(padded)) == p);
  Box low = opaque_box(align_baseline(padded, 0, false));
  RC_ASSERT(low.x == l && low.y + low.height == padded.height);
}

RC_GTEST_PROP(Transform, offsets_wrap_around, ()) {
  Picture p = *random_picture(9);
  int x = *rc::gen::inRange(-30, 30), y = *rc::gen::inRange(-30, 30);
  RC_ASSERT(offset(offset(p, x, y), -x, -y) == p);
  RC_ASSERT(offset(p, p.width, -p.height) == p);
  RC_ASSERT(crop(repeat(p, 3, 2), {p.width, p.height, p.width, p.height}) == p);
}

TEST(Transform, a_quarter_turn_is_clockwise) {
  EXPECT_EQ(text(rotate90(drawn({"kw", "  "}), 1)), text(drawn({" k", " w"})));
  EXPECT_EQ(text(align_baseline(drawn({"k  ", "   ", "   "}), 1, true)), text(drawn({"   ", " k ", "   "})));
}

TEST(Transform, an_empty_picture_trims_to_one_pixel) {
  EXPECT_EQ(trim(Picture(5, 4)), Picture(1, 1));
  EXPECT_EQ(center(Picture(5, 4)), Picture(5, 4));
}

TEST(Rotate, a_line_stays_whole_where_nearest_breaks_it) {
  // A bar of 2 pixels turned by 30°: every row and column that it crosses must be met, with few pixels more than its
  // area.
  Picture p(32, 32);
  for (int x = 4; x < 28; ++x) p.at(x, 15) = p.at(x, 16) = {0, 0, 0, 255};
  for (double angle : {15.0, 30.0, 45.0, 63.0}) {
    Picture q = rotate(p, angle).value();
    int pixels = 0;
    for (Rgba c : q.pixels) pixels += c.a != 0;
    EXPECT_NEAR(pixels, 48, 8) << angle;
  }
}

TEST(Scale, uneven_blocks_and_sizes_are_refused) {
  Picture p = drawn({"kkww", "kkwk"});
  EXPECT_EQ(scale_down(p, 2).error().message, "the 2×2 pixels at 2,0 are not of one colour");
  EXPECT_FALSE(scale_down(p, 3));
  EXPECT_FALSE(scale_up(p, 0));
  EXPECT_FALSE(scale_up(p, 100000));
}

TEST(Seams, a_ramp_has_one_a_wave_has_none) {
  Picture ramp(16, 16), wave(16, 16);
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 16; ++x) {
      ramp.at(x, y) = {uint8_t(x * 16), 80, 80, 255};
      int v = x < 8 ? x : 15 - x;
      wave.at(x, y) = {uint8_t(v * 30), 80, 80, 255};
    }
  EXPECT_FALSE(measure_seams(ramp).seamless_x());
  EXPECT_TRUE(measure_seams(ramp).seamless_y());
  EXPECT_TRUE(measure_seams(wave).seamless_x());
  Picture bricks = drawn({"krrrkrrr", "krrrkrrr", "kkkkkkkk", "rrkrrrkr", "rrkrrrkr", "kkkkkkkk"});
  EXPECT_TRUE(measure_seams(bricks).seamless_x());
  EXPECT_TRUE(measure_seams(bricks).seamless_y());
}

}  // namespace
}  // namespace sparky::pixel
