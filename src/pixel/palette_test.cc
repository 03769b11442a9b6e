#include "pixel/palette.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <set>

#include "pixel/color.h"
#include "pixel/nearest_color.h"
#include "pixel/palette_files.h"
#include "pixel/random_picture.h"

namespace sparky::pixel {
namespace {

double error_of(const Picture& from, const Picture& to) {
  double sum = 0;
  for (size_t i = 0; i < from.pixels.size(); ++i) sum += distance2(to_oklab(from.pixels[i]), to_oklab(to.pixels[i]));
  return sum / double(from.pixels.size());
}

// A ramp from one colour to another, 64×16.
Picture ramp(Rgba from, Rgba to) {
  Picture p(64, 16);
  OkLab a = to_oklab(from), b = to_oklab(to);
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x) p.at(x, y) = to_rgba(a + (b - a) * (float(x) / 63));
  return p;
}

// A soft many-coloured picture.
Picture photo() {
  Picture p(48, 48);
  for (int y = 0; y < 48; ++y)
    for (int x = 0; x < 48; ++x)
      p.at(x, y) = {uint8_t(128 + 100 * std::sin(x * 0.13)), uint8_t(x * 5),
                    uint8_t(128 + 90 * std::cos((x + y) * 0.2)), 255};
  return p;
}

TEST(Color, oklab_of_known_colors) {
  // Values of Ottosson's reference implementation.
  OkLab red = to_oklab({255, 0, 0, 255});
  EXPECT_NEAR(red.l, 0.6279554, 1e-5);
  EXPECT_NEAR(red.a, 0.2248631, 1e-5);
  EXPECT_NEAR(red.b, 0.1258463, 1e-5);
  EXPECT_NEAR(to_oklab({255, 255, 255, 255}).l, 1, 1e-5);
}

RC_GTEST_PROP(Color, oklab_round_trip_is_exact, (uint8_t r, uint8_t g, uint8_t b)) {
  Rgba c{r, g, b, 255};
  RC_ASSERT(to_rgba(to_oklab(c)) == c);
  RC_ASSERT(parse_color(hex(c)) == c);
  RC_ASSERT(parse_color("#" + hex(Rgba{r, g, b, 7})) == (Rgba{r, g, b, 7}));
}

TEST(Color, what_is_no_color) {
  for (auto text : {"", "12", "1234567", "gggggg", "#12345", "rgb(1,2,3)"}) EXPECT_FALSE(parse_color(text)) << text;
  EXPECT_EQ(parse_color("#f80"), (Rgba{255, 136, 0, 255}));
}

TEST(Count, most_frequent_first_without_transparent) {
  Picture p(4, 1);
  p.pixels = {{9, 9, 9, 255}, {1, 1, 1, 255}, {5, 5, 5, 0}, {9, 9, 9, 255}};
  auto counts = count_colors(p);
  ASSERT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts[0].color, (Rgba{9, 9, 9, 255}));
  EXPECT_EQ(counts[0].pixels, 2u);
}

RC_GTEST_PROP(Quantize, few_colors_stay_as_they_are, ()) {
  Picture p = *random_picture(10, 5);
  for (Rgba& c : p.pixels) c = c.a ? Rgba{c.r, c.g, c.b, 255} : Rgba{};
  for (auto method : {Method::kmeans, Method::median_cut}) RC_ASSERT(remap(p, quantize(p, 6, method)).value_or(p) == p);
}

TEST(Quantize, gives_at_most_as_many_and_kmeans_is_no_worse) {
  Picture p = photo();
  double before = 1;
  for (int n : {2, 4, 8, 16, 32, 64}) {
    Palette cut = quantize(p, n, Method::median_cut), means = quantize(p, n, Method::kmeans);
    EXPECT_LE(cut.colors.size(), size_t(n));
    EXPECT_LE(means.colors.size(), size_t(n));
    EXPECT_GE(means.colors.size(), size_t(n) - n / 8);
    double e = error_of(p, remap(p, means).value());
    EXPECT_LE(e, error_of(p, remap(p, cut).value()) * 1.01) << n;
    EXPECT_LT(e, before) << n;
    before = e;
    EXPECT_EQ(quantize(p, n, Method::kmeans), means);
  }
}

TEST(Quantize, finds_the_clusters) {
  Picture p(60, 10);
  Rgba centers[] = {{200, 30, 30, 255}, {30, 200, 30, 255}, {30, 30, 200, 255}};
  for (int y = 0; y < 10; ++y)
    for (int x = 0; x < 60; ++x) {
      Rgba c = centers[x / 20];
      c.g = uint8_t(c.g + (x * 7 + y * 3) % 5 - 2);
      p.at(x, y) = c;
    }
  Palette q = quantize(p, 3);
  ASSERT_EQ(q.colors.size(), 3u);
  for (Rgba want : centers) {
    bool found = false;
    for (Rgba c : q.colors)
      found |= std::abs(c.r - want.r) <= 2 && std::abs(c.g - want.g) <= 2 && std::abs(c.b - want.b) <= 2;
    EXPECT_TRUE(found) << hex(want);
  }
}

RC_GTEST_PROP(Remap, takes_the_nearest_color_and_keeps_alpha, ()) {
  Picture p = *random_picture(12);
  Palette palette;
  palette.colors = *rc::gen::nonEmpty(rc::gen::container<std::vector<Rgba>>(random_color()));
  for (Rgba& c : palette.colors) c.a = 255;
  auto dither = *rc::gen::element(Dither::none, Dither::bayer2, Dither::bayer4, Dither::bayer8, Dither::blue_noise,
                                  Dither::floyd_steinberg);
  Picture plain = remap(p, palette).value();
  Picture weak = remap(p, palette, {dither, 0}).value();
  Picture full = remap(p, palette, {dither, 1}).value();
  RC_ASSERT(plain == weak);
  std::set<std::tuple<int, int, int>> allowed;
  for (Rgba c : palette.colors) allowed.insert({c.r, c.g, c.b});
  for (size_t i = 0; i < p.pixels.size(); ++i) {
    Rgba from = p.pixels[i], to = plain.pixels[i];
    RC_ASSERT(full.pixels[i].a == from.a);
    if (from.a == 0) {
      RC_ASSERT(to == Rgba{} && full.pixels[i] == Rgba{});
      continue;
    }
    RC_ASSERT(allowed.contains({to.r, to.g, to.b}) &&
              allowed.contains({full.pixels[i].r, full.pixels[i].g, full.pixels[i].b}));
    for (Rgba c : palette.colors)
      RC_ASSERT(distance2(to_oklab(from), to_oklab(to)) <= distance2(to_oklab(from), to_oklab(c)));
  }
}

RC_GTEST_PROP(Nearest, is_what_comparing_with_all_finds, ()) {
  const auto coordinate = [](int most) { return float(*rc::gen::inRange(-most, most + 1)) / 1000; };
  std::vector<OkLab> colors;
  for (int i = *rc::gen::inRange(1, 80); i > 0; --i) {
    colors.push_back({coordinate(1000), coordinate(400), coordinate(400)});
  }
  NearestColor nearest(colors);
  for (int i = 0; i < 50; ++i) {
    const OkLab color{coordinate(1500), coordinate(600), coordinate(600)};
    size_t best = 0;
    for (size_t k = 1; k < colors.size(); ++k) {
      if (distance2(color, colors[k]) < distance2(color, colors[best])) best = k;
    }
    RC_ASSERT(nearest.of(color) == best);
  }
}

TEST(Remap, dithering_keeps_the_mean_of_a_ramp) {
  Palette bw{"", "", {{0, 0, 0, 255}, {255, 255, 255, 255}}, {}};
  Picture p = ramp(bw.colors[0], bw.colors[1]);
  auto column_error = [&](const Picture& q) {  // of blocks of 8×16 pixels
    double worst = 0;
    for (int left = 0; left < 64; left += 8) {
      double want = 0, have = 0;
      for (int y = 0; y < 16; ++y)
        for (int x = left; x < left + 8; ++x) want += to_oklab(p.at(x, y)).l, have += to_oklab(q.at(x, y)).l;
      worst = std::max(worst, std::abs(want - have) / 128);
    }
    return worst;
  };
  EXPECT_GT(column_error(remap(p, bw).value()), 0.4);
  EXPECT_LT(column_error(remap(p, bw, {Dither::bayer2}).value()), 0.13);
  EXPECT_LT(column_error(remap(p, bw, {Dither::bayer4}).value()), 0.06);
  EXPECT_LT(column_error(remap(p, bw, {Dither::bayer8}).value()), 0.04);
  EXPECT_LT(column_error(remap(p, bw, {Dither::blue_noise}).value()), 0.06);
  EXPECT_LT(column_error(remap(p, bw, {Dither::floyd_steinberg}).value()), 0.06);
  // A flat grey under Bayer repeats with the matrix; under blue noise it does not repeat so soon.
  Picture grey(32, 32, to_rgba({0.4f, 0, 0}));
  Picture bayer = remap(grey, bw, {Dither::bayer4}).value(), blue = remap(grey, bw, {Dither::blue_noise}).value();
  auto repeats = [](const Picture& q) {
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 28; ++x)
        if (!(q.at(x, y) == q.at(x + 4, y))) return false;
    return true;
  };
  EXPECT_TRUE(repeats(bayer));
  EXPECT_FALSE(repeats(blue));
}

TEST(Remap, an_empty_palette_is_refused) { EXPECT_FALSE(remap(Picture(1, 1), Palette{"", "", {{1, 2, 3, 0}}, {}})); }

TEST(Sort, orders) {
  Palette p{"",
            "",
            {{255, 255, 255, 255}, {255, 0, 0, 255}, {0, 0, 0, 255}, {0, 0, 255, 255}},
            {"white", "red", "black", "blue"}};
  sort(p, Order::lightness);
  EXPECT_EQ(p.color_names, (std::vector<std::string>{"black", "blue", "red", "white"}));
  sort(p, Order::hue);
  EXPECT_EQ(p.color_names, (std::vector<std::string>{"black", "white", "red", "blue"}));
  sort(p, Order::rgb);
  EXPECT_EQ(p.color_names, (std::vector<std::string>{"black", "blue", "red", "white"}));
  sort(p, Order::chroma);
  EXPECT_EQ(p.color_names.back(), "blue");
}

TEST(Show, swatches_in_rows) {
  Palette p{"", "", {{1, 0, 0, 255}, {2, 0, 0, 255}, {3, 0, 0, 255}}, {}};
  Picture shown = show(p, 4, 2);
  EXPECT_EQ(shown.width, 8);
  EXPECT_EQ(shown.height, 8);
  EXPECT_EQ(shown.at(7, 0).r, 2);
  EXPECT_EQ(shown.at(0, 7).r, 3);
  EXPECT_EQ(shown.at(7, 7).a, 0);
}

TEST(Builtin, all_have_colors_and_are_found) {
  EXPECT_GE(builtin_palettes().size(), 10u);
  for (auto& p : builtin_palettes()) {
    EXPECT_EQ(find_builtin_palette(p.name), &p);
    EXPECT_GE(p.colors.size(), 2u);
    EXPECT_EQ(std::set<Rgba>(p.colors.begin(), p.colors.end()).size(), p.colors.size()) << p.name;
  }
  EXPECT_EQ(find_builtin_palette("pico-8")->colors[8], (Rgba{255, 0, 77, 255}));
  EXPECT_EQ(find_builtin_palette("resurrect-64")->colors.size(), 64u);
}

RC_GTEST_PROP(PaletteFiles, round_trips_are_exact, ()) {
  bool alpha = *rc::gen::arbitrary<bool>();
  Palette p;
  p.colors = *rc::gen::resize(256, rc::gen::nonEmpty(rc::gen::container<std::vector<Rgba>>(random_color())));
  p.colors.resize(std::min<size_t>(p.colors.size(), 256));
  if (!alpha)
    for (Rgba& c : p.colors) c.a = 255;
  auto back = [](const Palette& q, PaletteFormat format) {
    return decode_palette(encode_palette(q, format).value()).value();
  };
  for (auto format : {PaletteFormat::hex, PaletteFormat::jasc, PaletteFormat::png}) RC_ASSERT(back(p, format) == p);
  if (!alpha) RC_ASSERT(back(p, PaletteFormat::act) == p);
  p.name = "Sünset 16";
  p.author = "Somebody";
  RC_ASSERT(back(p, PaletteFormat::lospec) == p);
  for (size_t i = 0; i < p.colors.size(); ++i) p.color_names.push_back("colour №" + std::to_string(i) + " 𝄞");
  RC_ASSERT(back(p, PaletteFormat::gpl) == p);
  p.author.clear();
  if (!alpha) RC_ASSERT(back(p, PaletteFormat::ase) == p);
  if (alpha && std::ranges::any_of(p.colors, [](Rgba c) { return c.a != 255; }))
    RC_ASSERT(!encode_palette(p, PaletteFormat::ase));
}

TEST(PaletteFiles, act_holds_one_transparent_entry) {
  Palette p{"", "", {{1, 2, 3, 255}, {4, 5, 6, 0}}, {}};
  EXPECT_EQ(decode_palette(encode_palette(p, PaletteFormat::act).value()).value(), p);
  p.colors.push_back({7, 8, 9, 0});
  EXPECT_FALSE(encode_palette(p, PaletteFormat::act));
}

TEST(PaletteFiles, what_others_write) {
  auto gimp =
      decode_palette("GIMP Palette\nName: Web\nColumns: 4\n# made by hand\n255   0   0\tRed\n0 128 0 Dark green\n")
          .value();
  EXPECT_EQ(gimp.name, "Web");
  EXPECT_EQ(gimp.colors[1], (Rgba{0, 128, 0, 255}));
  EXPECT_EQ(gimp.color_names[1], "Dark green");
  EXPECT_EQ(decode_palette("JASC-PAL\r\n0100\r\n2\r\n255 0 0\r\n0 0 255\r\n").value().colors[1],
            (Rgba{0, 0, 255, 255}));
  EXPECT_EQ(decode_palette("\xef\xbb\xbf#FF0000\r\n00ff00\r\n").value().colors.size(), 2u);
  EXPECT_EQ(decode_palette(R"({"name":"x","author":"","colors":["ff0000"]})").value().name, "x");
}

TEST(PaletteFiles, errors_name_the_line) {
  auto message = [](std::string_view bytes) {
    auto p = decode_palette(bytes, "a.pal");
    return p ? std::string("read") : p.error().message;
  };
  EXPECT_EQ(message("GIMP Palette\nName: x\n1 2\n"), "a.pal:3: not a colour: \"1 2\"");
  EXPECT_EQ(message("ff0000\nnope\n"), "a.pal:2: not a colour: \"nope\"");
  EXPECT_EQ(message("JASC-PAL\n0100\n3\n1 2 3\n"), "a.pal:3: 3 colours are promised, 1 follow");
  EXPECT_EQ(message("JASC-PAL\n0100\n1\n1 2 300\n"), "a.pal:4: not a colour: \"1 2 300\"");
  EXPECT_EQ(message(R"({"colors":["ff0000", 7]})"), "a.pal: colors[1] is not \"rrggbb\"");
  EXPECT_EQ(message(std::string_view("ASEF\0\1\0\0\0\0\0\1", 12)),
            "a.pal: broken Adobe Swatch Exchange file: it ends early");
  EXPECT_EQ(message("GIMP Palette\n"), "a.pal: the palette has no colour");
  EXPECT_EQ(find_palette("pico8").error().help, "did you mean pico-8?");
}

}  // namespace
}  // namespace sparky::pixel
