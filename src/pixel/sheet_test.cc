#include "pixel/sheet.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>

#include "pixel/drawn.h"
#include "pixel/random_picture.h"
#include "pixel/sheet_json.h"

namespace sparky::pixel {
namespace {

// Sprites whose transparent pixels are all alike, so that trimming loses nothing; some are equal.
rc::Gen<std::vector<Sprite>> random_sprites() {
  return rc::gen::exec([] {
    std::vector<Sprite> out;
    int count = *rc::gen::inRange(1, 14);
    for (int i = 0; i < count; ++i) {
      Picture p = *random_picture(9, 4);
      if (i > 0 && *rc::gen::inRange(0, 4) == 0) p = out.front().picture;
      for (Rgba& c : p.pixels)
        if (c.a < 128) c = {};
      out.push_back({"sprite " + std::to_string(i), p, *rc::gen::inRange(0, 500)});
    }
    return out;
  });
}

rc::Gen<PackOptions> random_options() {
  return rc::gen::exec([] {
    PackOptions o;
    o.layout = *rc::gen::element(Layout::grid, Layout::rows, Layout::maxrects);
    o.columns = *rc::gen::inRange(0, 4);
    o.padding = *rc::gen::inRange(0, 3);
    o.margin = *rc::gen::inRange(0, 3);
    o.extrude = *rc::gen::inRange(0, 3);
    o.trim = o.layout != Layout::grid && *rc::gen::arbitrary<bool>();
    o.dedupe = *rc::gen::arbitrary<bool>();
    o.power_of_two = *rc::gen::arbitrary<bool>();
    return o;
  });
}

bool apart(const Box& p, const Box& q, int gap) {
  return p.x + p.width + gap <= q.x || q.x + q.width + gap <= p.x || p.y + p.height + gap <= q.y ||
         q.y + q.height + gap <= p.y;
}

RC_GTEST_PROP(Sheet, packing_and_unpacking_are_exact, ()) {
  auto sprites = *random_sprites();
  auto options = *random_options();
  auto packed = pack(sprites, options).value();
  RC_ASSERT(check_sheet(packed.sheet).has_value());
  RC_ASSERT(packed.picture.width == packed.sheet.width && packed.picture.height == packed.sheet.height);
  if (options.power_of_two)
    RC_ASSERT(std::has_single_bit(unsigned(packed.sheet.width)) && std::has_single_bit(unsigned(packed.sheet.height)));
  auto back = unpack(packed.picture, packed.sheet).value();
  RC_ASSERT(back.size() == sprites.size());
  for (size_t i = 0; i < sprites.size(); ++i) {
    RC_ASSERT(back[i].name == sprites[i].name && back[i].duration_ms == sprites[i].duration_ms);
    RC_ASSERT(back[i].picture == sprites[i].picture);
    auto& p = packed.sheet.frames[i].place;
    int border = options.margin + options.extrude;
    RC_ASSERT(p.x >= border && p.y >= border && p.x + p.width + border <= packed.sheet.width &&
              p.y + p.height + border <= packed.sheet.height);
    for (size_t j = 0; j < i; ++j) {
      auto& q = packed.sheet.frames[j].place;
      RC_ASSERT(apart(p, q, options.padding + 2 * options.extrude) || (options.dedupe && p == q));
    }
  }
}

RC_GTEST_PROP(Sheet, json_round_trip_is_exact, ()) {
  auto sprites = *random_sprites();
  auto sheet = pack(sprites, *random_options()).value().sheet;
  sheet.image = "a \"sheet\".png";
  int last = int(sheet.frames.size()) - 1;
  sheet.tags = {
      {"läuft", 0, last,
       *rc::gen::element(Direction::forward, Direction::reverse, Direction::pingpong, Direction::pingpong_reverse)}};
  sheet.slices = {
      {"hit box", {1, 2, 3, 4}, {{0, {1, 2, 3, 4}, {}, {}}, {last, {0, 0, 5, 5}, Box{1, 1, 2, 2}, Point{-3, 4}}}}};
  for (auto form : {SheetJson::aseprite_hash, SheetJson::aseprite_array, SheetJson::texturepacker_hash,
                    SheetJson::texturepacker_array}) {
    auto back = decode_sheet_json(encode_sheet_json(sheet, form));
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == sheet);
  }
}

TEST(Sheet, maxrects_is_tight_and_beats_rows) {
  std::vector<Sprite> sprites;
  for (int i = 0; i < 120; ++i)
    sprites.push_back({std::to_string(i), Picture(3 + i * 7 % 29, 2 + i * 13 % 31, {1, 1, 1, 255})});
  double area = 0;
  for (auto& s : sprites) area += s.picture.width * s.picture.height;
  auto tight = pack(sprites, {.layout = Layout::maxrects}).value().sheet;
  auto rows = pack(sprites, {.layout = Layout::rows}).value().sheet;
  EXPECT_GT(area / (tight.width * tight.height), 0.93);
  EXPECT_LT(tight.width * tight.height, rows.width * rows.height);
}

TEST(Sheet, extrusion_repeats_the_edge) {
  auto packed = pack({{"a", drawn({"rg", "bk"})}}, {.padding = 3, .margin = 1, .extrude = 2}).value();
  EXPECT_EQ(
      text(packed.picture),
      text(drawn({"        ", " rrrggg ", " rrrggg ", " rrrggg ", " bbbkkk ", " bbbkkk ", " bbbkkk ", "        "})));
  EXPECT_EQ(packed.sheet.frames[0].place, (Box{3, 3, 2, 2}));
}

TEST(Sheet, what_cannot_be_packed_is_refused) {
  Picture p(8, 8, {1, 1, 1, 255});
  EXPECT_EQ(pack({}).error().message, "there is no sprite to pack");
  EXPECT_EQ(pack({{"a", p}, {"a", p}}).error().message, "two sprites are called a");
  EXPECT_FALSE(pack({{"a", p}}, {.layout = Layout::grid, .trim = true}));
  for (auto layout : {Layout::grid, Layout::rows, Layout::maxrects}) {
    EXPECT_FALSE(pack({{"a", p}, {"b", p}, {"c", p}}, {.layout = layout, .max_side = 15})) << int(layout);
    EXPECT_TRUE(pack({{"a", p}, {"b", p}, {"c", p}}, {.layout = layout, .max_side = 16})) << int(layout);
  }
}

TEST(Sheet, grid_of_a_picture_leaves_out_empty_cells_at_the_end) {
  auto sheet = grid_sheet(drawn({"      ", " r g  ", "      ", " b    ", "      "}), "t", 1, 1, 1, 1).value();
  ASSERT_EQ(sheet.frames.size(), 3u);
  EXPECT_EQ(sheet.frames[2].place, (Box{1, 3, 1, 1}));
  EXPECT_FALSE(grid_sheet(Picture(4, 4), "t", 5, 1, 0, 0));
}

TEST(Tags, of_names_and_directions) {
  auto tags = tags_of_names({"idle_0", "idle_1", "walk1", "walk2", "walk10", "dead", "hit 1", "7", "8"});
  ASSERT_EQ(tags.size(), 2u);
  EXPECT_EQ(tags[0], (Tag{"idle", 0, 1, Direction::forward}));
  EXPECT_EQ(tags[1], (Tag{"walk", 2, 4, Direction::forward}));
  EXPECT_EQ(played_frames({"", 1, 4, Direction::pingpong}), (std::vector<int>{1, 2, 3, 4, 3, 2}));
  EXPECT_EQ(played_frames({"", 1, 3, Direction::pingpong_reverse}), (std::vector<int>{3, 2, 1, 2}));
  EXPECT_EQ(played_frames({"", 2, 2, Direction::pingpong}), (std::vector<int>{2}));
}

TEST(SheetJson, reads_what_aseprite_writes) {
  auto sheet = decode_sheet_json(R"({ "frames": {
   "Sprite 1.": { "frame": { "x": 0, "y": 0, "w": 10, "h": 12 }, "rotated": false, "trimmed": true,
     "spriteSourceSize": { "x": 3, "y": 4, "w": 10, "h": 12 }, "sourceSize": { "w": 16, "h": 16 }, "duration": 80 },
   "Sprite 0.": { "frame": { "x": 10, "y": 0, "w": 16, "h": 16 }, "rotated": false, "trimmed": false,
     "spriteSourceSize": { "x": 0, "y": 0, "w": 16, "h": 16 }, "sourceSize": { "w": 16, "h": 16 }, "duration": 120 } },
 "meta": { "app": "https://www.aseprite.org/", "version": "1.3", "image": "Sprite.png", "format": "RGBA8888",
  "size": { "w": 26, "h": 16 }, "scale": "1",
  "frameTags": [ { "name": "go", "from": 0, "to": 1, "direction": "pingpong", "color": "#000000ff" } ],
  "layers": [ { "name": "Layer 1", "opacity": 255, "blendMode": "normal" } ],
  "slices": [ { "name": "s", "color": "#0000ffff",
    "keys": [{ "frame": 0, "bounds": {"x": 1, "y": 2, "w": 3, "h": 4 } }] } ] } })")
                   .value();
  EXPECT_EQ(sheet.frames[0].name, "Sprite 1.");  // the order of the file, not of the alphabet
  EXPECT_EQ(sheet.frames[0].inside, (Point{3, 4}));
  EXPECT_EQ(sheet.frames[1].duration_ms, 120);
  EXPECT_EQ(sheet.tags[0].direction, Direction::pingpong);
  EXPECT_EQ(sheet.slices[0].keys[0].bounds, (Box{1, 2, 3, 4}));
}

TEST(SheetJson, errors_name_the_field) {
  auto message = [](std::string_view text) {
    auto s = decode_sheet_json(text, "a.json");
    return s ? std::string("read") : s.error().message;
  };
  EXPECT_EQ(message("[]"), "a.json: not a sheet: it must be an object with \"frames\"");
  EXPECT_EQ(message(R"({"frames": [{"frame": {"x": 0, "y": 0, "w": 1, "h": 1}}], "meta": {"size": {"w": 1, "h": 1}}})"),
            "a.json: frames[0].filename must be a string");
  EXPECT_EQ(
      message(
          R"({"frames": {"a": {"frame": {"x": 0, "y": "0", "w": 1, "h": 1}}}, "meta": {"size": {"w": 1, "h": 1}}})"),
      "a.json: frames[\"a\"].frame.y must be a whole number");
  EXPECT_EQ(
      message(R"({"frames": {"a": {"frame": {"x": 1, "y": 0, "w": 1, "h": 1}}}, "meta": {"size": {"w": 1, "h": 1}}})"),
      "a.json: frame a at 1,0 of 1×1 lies outside the picture of 1×1");
  EXPECT_TRUE(message("{\"frames\": {]").starts_with("a.json:1:13"));
  Sheet bomb{"", 1, 1, {{"a", {0, 0, 1, 1}, {0, 0}, 1000000000, 1000000000, 1}}, {}, {}};
  EXPECT_FALSE(unpack(Picture(1, 1), bomb));
}

}  // namespace
}  // namespace sparky::pixel
