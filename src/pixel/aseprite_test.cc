#include "pixel/aseprite.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "pixel/drawn.h"
#include "pixel/random_picture.h"

namespace sparky::pixel {
namespace {

rc::Gen<AseSprite> random_ase() {
  return rc::gen::exec([] {
    auto in = [](int from, int to) { return *rc::gen::inRange(from, to); };
    AseSprite s;
    s.width = in(1, 40), s.height = in(1, 40);
    s.mode = *rc::gen::element(AseMode::indexed, AseMode::grayscale, AseMode::rgba);
    s.palette = *rc::gen::container<std::vector<Rgba>>(size_t(in(0, 20)), random_color());
    if (!s.palette.empty() && *rc::gen::arbitrary<bool>()) {
      s.palette_names.resize(s.palette.size());
      s.palette_names.back() = "rot";
    }
    s.transparent_index = in(0, 256);
    for (int i = 0, n = in(1, 5), level = 0; i < n; ++i) {
      AseLayer l{"layer " + std::to_string(i), in(0, 128), i + 1 < n && *rc::gen::arbitrary<bool>(), level,
                 Blend(in(0, kBlendModes)),    in(0, 256)};
      level = l.group ? level + 1 : level;
      s.layers.push_back(l);
    }
    for (int f = 0, n = in(1, 5); f < n; ++f) {
      AseFrame frame{in(1, 65536), {}};
      for (int l = 0; l < int(s.layers.size()); ++l) {
        if (s.layers[size_t(l)].group || in(0, 3) == 0) continue;
        AseCel c{l, in(-50, 50), in(-50, 50), in(0, 256), in(-3, 4)};
        if (f > 0 && in(0, 3) == 0) {
          c.link = in(0, f);
        } else {
          c.width = in(1, 12), c.height = in(1, 12);
          c.pixels = *rc::gen::container<std::vector<uint8_t>>(size_t(c.width * c.height) * size_t(s.mode) / 8,
                                                               rc::gen::arbitrary<uint8_t>());
        }
        frame.cels.push_back(std::move(c));
      }
      s.frames.push_back(std::move(frame));
    }
    int last = int(s.frames.size()) - 1;
    s.tags = {{{"läuft", in(0, last + 1), last, Direction(in(0, 4))}, in(0, 9), {1, 2, 3, 255}}};
    s.slices = {
        {"patch",
         {0, 0, 255, 255},
         {{0, {-1, 2, 3, 4}, Box{1, 1, 1, 1}, Point{-1, 2}}, {last, {5, 5, 5, 5}, Box{0, 0, 1, 1}, Point{0, 0}}}},
        {"plain", {0, 0, 255, 255}, {{0, {0, 0, 9, 9}, {}, {}}}}};
    return s;
  });
}

RC_GTEST_PROP(Aseprite, round_trip_is_exact, ()) {
  AseSprite s = *random_ase();
  auto bytes = encode_aseprite(s).value();
  RC_ASSERT(decode_aseprite(bytes).value() == s);
  RC_ASSERT(flatten(s).value().frames.size() == s.frames.size());
}

RC_GTEST_PROP(Aseprite, frames_come_back_from_a_file_made_of_them, ()) {
  Animation a = *random_animation(14, true);
  std::vector<Sprite> frames;
  for (size_t i = 0; i < a.frames.size(); ++i)
    frames.push_back({std::to_string(i), a.frames[i].picture, a.frames[i].duration_ms + 1});
  for (size_t i = 0; i < frames.size(); ++i) a.frames[i].duration_ms = frames[i].duration_ms;
  auto s = make_aseprite(frames, {{"all", 0, int(frames.size()) - 1, Direction::reverse}}).value();
  a.loops = 0;
  RC_ASSERT(flatten(decode_aseprite(encode_aseprite(s).value()).value()).value() == a);
}

RC_GTEST_PROP(Aseprite, cut_files_are_refused, ()) {
  auto bytes = encode_aseprite(*random_ase()).value();
  auto cut =
      decode_aseprite(std::string_view(bytes).substr(0, size_t(*rc::gen::inRange(0, int(bytes.size())))), "cut.ase");
  RC_ASSERT(!cut.has_value());
  RC_ASSERT(cut.error().message.starts_with("cut.ase: "));
}

AseCel cel(int layer, const Picture& p, int x = 0, int y = 0) {
  AseCel c{layer, x, y};
  c.width = p.width, c.height = p.height;
  for (Rgba q : p.pixels) c.pixels.insert(c.pixels.end(), {q.r, q.g, q.b, q.a});
  return c;
}

TEST(Aseprite, layers_lie_over_each_other_where_they_show) {
  AseSprite s{3, 1};
  s.layers = {{"back"}, {"group", 3, true}, {"in it", 3, false, 1}, {"above"}};
  AseFrame f;
  f.cels = {cel(0, drawn({"rrr"})), cel(2, drawn({"gg"})), cel(3, drawn({"b"}), 2)};
  s.frames = {f};
  EXPECT_EQ(text(flatten(s)->frames[0].picture), text(drawn({"ggb"})));
  s.layers[1].flags = AseLayer::editable;  // a hidden group hides what is in it
  EXPECT_EQ(text(flatten(s)->frames[0].picture), text(drawn({"rrb"})));
  s.frames[0].cels[0].z = 3;
  EXPECT_EQ(text(flatten(s)->frames[0].picture), text(drawn({"rrr"})));
}

TEST(Aseprite, indexed_background_shows_the_transparent_index) {
  AseSprite s{2, 1, AseMode::indexed, {{1, 1, 1, 255}, {2, 2, 2, 255}}};
  s.layers = {{"l"}};
  AseCel c{0};
  c.width = 2, c.height = 1, c.pixels = {0, 1};
  s.frames = {{100, {c}}};
  EXPECT_EQ(flatten(s)->frames[0].picture.at(0, 0), Rgba{});
  s.layers[0].flags |= AseLayer::background;
  EXPECT_EQ(flatten(s)->frames[0].picture.at(0, 0), (Rgba{1, 1, 1, 255}));
}

TEST(Blend, known_values) {
  Rgba grey{128, 128, 128, 255}, red{255, 0, 0, 255};
  EXPECT_EQ(blend(grey, red, 255, Blend::normal), red);
  EXPECT_EQ(blend(grey, red, 0, Blend::normal), grey);
  EXPECT_EQ(blend({0, 0, 0, 255}, {255, 255, 255, 128}, 255, Blend::normal), (Rgba{128, 128, 128, 255}));
  EXPECT_EQ(blend({}, {9, 8, 7, 200}, 255, Blend::multiply), (Rgba{9, 8, 7, 200}));
  EXPECT_EQ(blend(grey, red, 255, Blend::multiply), (Rgba{128, 0, 0, 255}));
  EXPECT_EQ(blend(grey, red, 255, Blend::screen), (Rgba{255, 128, 128, 255}));
  EXPECT_EQ(blend(grey, red, 255, Blend::difference), (Rgba{127, 128, 128, 255}));
  EXPECT_EQ(blend(grey, red, 255, Blend::addition), (Rgba{255, 128, 128, 255}));
  EXPECT_EQ(blend(grey, red, 255, Blend::subtract), (Rgba{0, 128, 128, 255}));
  EXPECT_EQ(blend(red, grey, 255, Blend::luminosity).r > 200, true);
  EXPECT_EQ(blend(grey, red, 255, Blend::luminosity), (Rgba{77, 77, 77, 255}));
}

TEST(Aseprite, what_is_no_file_or_does_not_fit) {
  EXPECT_EQ(decode_aseprite("hello", "x.ase").error().message, "x.ase: not an Aseprite file");
  EXPECT_FALSE(make_aseprite({}));
  EXPECT_FALSE(make_aseprite({{"a", Picture(2, 2)}, {"b", Picture(3, 2)}}));
  AseSprite s{1, 1};
  s.layers = {{"l"}};
  s.frames = {{100, {AseCel{0, 0, 0, 255, 0, 0}}}};  // linked to itself
  EXPECT_FALSE(encode_aseprite(s));
}

}  // namespace
}  // namespace sparky::pixel
