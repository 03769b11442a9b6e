#include "pixel/clean.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "pixel/drawn.h"
#include "pixel/random_picture.h"

namespace sparky::pixel {
namespace {

TEST(Background, is_flooded_from_the_border) {
  // '.' background; the white inside the ring is not reached.
  Picture p = drawn({"........", "..kkkk..", ".kwwwwk.", ".kw..wk.", ".kwwwwk.", "..kkkk..", "........"},
                    {{'.', {250, 250, 250, 255}}});
  EXPECT_EQ(text(remove_background(p)),
            text(drawn({"        ", "  kkkk  ", " kwwwwk ", " kw..wk ", " kwwwwk ", "  kkkk  ", "        "},
                       {{'.', {250, 250, 250, 255}}})));
  EXPECT_EQ(remove_background(p, {.holes = true}).at(3, 3).a, 0);
}

TEST(Background, follows_gradients_and_noise_and_spares_what_touches_the_border) {
  Picture p(40, 40);
  for (int y = 0; y < 40; ++y)
    for (int x = 0; x < 40; ++x) {
      int v = 60 + y * 4 + (x * 7 + y * 5) % 3;
      p.at(x, y) = {uint8_t(v), uint8_t(v), uint8_t(v + 20), 255};
      if (x >= 16 && x < 20 && y >= 10) p.at(x, y) = {200, 40, 40, 255};  // stands on the lower edge
    }
  Picture out = remove_background(p);
  for (int y = 0; y < 40; ++y)
    for (int x = 0; x < 40; ++x) EXPECT_EQ(out.at(x, y).a == 255, x >= 16 && x < 20 && y >= 10) << x << "," << y;
}

TEST(Background, a_transparent_border_means_nothing_to_do) {
  Picture p = drawn({"     ", " kkk ", "     "});
  EXPECT_EQ(remove_background(p), p);
}

RC_GTEST_PROP(Clean, keeps_the_size_and_adds_no_color, ()) {
  Picture p = *random_picture(14);
  std::map<Rgba, int> colors;
  for (Rgba c : p.pixels) ++colors[c];
  ++colors[Rgba{}];
  for (const Picture& q : {remove_background(p), remove_orphans(p), remove_orphans(p, {3, 9}), remove_jaggies(p)}) {
    RC_ASSERT(q.width == p.width && q.height == p.height);
    for (Rgba c : q.pixels) RC_ASSERT(colors.contains(c));
  }
}

RC_GTEST_PROP(Alpha, becomes_binary_and_stays, ()) {
  Picture p = *random_picture(14);
  Picture q = binary_alpha(p);
  for (size_t i = 0; i < p.pixels.size(); ++i)
    RC_ASSERT(q.pixels[i] == (p.pixels[i].a >= 128 ? Rgba{p.pixels[i].r, p.pixels[i].g, p.pixels[i].b, 255} : Rgba{}));
  RC_ASSERT(binary_alpha(q) == q);
}

TEST(Orphans, specks_and_pinholes_and_faint_noise_go_eyes_stay) {
  std::map<char, Rgba> extra{{'a', {100, 100, 100, 255}}, {'b', {108, 100, 96, 255}}};
  Picture p = drawn({"k       ", "  aaaaa ", "  abaka ", "  aa aa ", "  aaaaa "}, extra);
  EXPECT_EQ(text(remove_orphans(p)), text(drawn({"        ", "  aaaaa ", "  aaaka ", "  aaaaa ", "  aaaaa "}, extra)));
  EXPECT_EQ(text(remove_orphans(p, {1, 9})),
            text(drawn({"        ", "  aaaaa ", "  aaaaa ", "  aaaaa ", "  aaaaa "}, extra)));
}

TEST(Jaggies, steps_lose_their_corners_straight_corners_stay) {
  Picture stairs = drawn({"kk      ", " kk     ", "  kk    ", "   kk   "});
  EXPECT_EQ(text(remove_jaggies(stairs)), text(drawn({"k       ", " k      ", "  k     ", "   kk   "})));
  Picture box = drawn({"kkkkk", "k   k", "k   k", "kkkkk"});
  EXPECT_EQ(remove_jaggies(box), box);
  Picture filled = drawn({"kkk", "kkk", "kkk"});
  EXPECT_EQ(remove_jaggies(filled), filled);
}

TEST(Outline, outer_inner_and_darkened) {
  Picture p = drawn({"     ", "  w  ", "     "});
  EXPECT_EQ(text(outline(p, {.color = Rgba{0, 0, 0, 255}})), text(drawn({"  k  ", " kwk ", "  k  "})));
  EXPECT_EQ(text(outline(p, {.diagonal = true, .color = Rgba{0, 0, 0, 255}})),
            text(drawn({" kkk ", " kwk ", " kkk "})));
  Picture block = drawn({"wwww", "wwww", "wwww"});
  EXPECT_EQ(text(outline(block, {.inner = true, .color = Rgba{0, 0, 0, 255}})), text(drawn({"kkkk", "kwwk", "kkkk"})));
  Rgba dark = outline(drawn({" r "})).at(0, 0);
  EXPECT_EQ(dark.a, 255);
  EXPECT_GT(dark.r, 2 * dark.g);
  EXPECT_LT(dark.r, 150);
}

}  // namespace
}  // namespace sparky::pixel
