#include "pixel/sheet_export.h"

#include <gtest/gtest.h>

#include "pixel/drawn.h"

namespace sparky::pixel {
namespace {

Sheet walk() {
  Sheet s{"hero.png", 64, 32, {}, {}, {}};
  s.frames = {{"walk_0", {0, 0, 16, 16}, {0, 0}, 16, 16, 100},
              {"walk_1", {16, 0, 16, 16}, {0, 0}, 16, 16, 150},
              {"walk_2", {32, 0, 16, 16}, {0, 0}, 16, 16, 80}};
  s.tags = {{"walk", 0, 2, Direction::pingpong}};
  return s;
}

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(Godot, animations_with_durations_and_margins) {
  Sheet s = walk();
  s.frames[1].place = {16, 0, 10, 12};
  s.frames[1].inside = {3, 4};
  auto text = godot_sprite_frames(s, "res://assets/hero \"1\".png");
  EXPECT_EQ(count(text, "[sub_resource"), 3u);
  EXPECT_TRUE(text.starts_with("[gd_resource type=\"SpriteFrames\" load_steps=5 format=3]\n"));
  EXPECT_NE(text.find("path=\"res://assets/hero \\\"1\\\".png\" id=\"1\""), std::string::npos);
  EXPECT_NE(text.find("region = Rect2(16, 0, 10, 12)\nmargin = Rect2(3, 4, 6, 4)\n"), std::string::npos);
  EXPECT_EQ(count(text, "\"texture\": SubResource(\"AtlasTexture_1\")"), 2u);  // there and back
  EXPECT_NE(text.find("\"duration\": 1.5,"), std::string::npos);
  EXPECT_NE(text.find("\"duration\": 1.0,"), std::string::npos);
  EXPECT_NE(text.find("\"name\": &\"walk\""), std::string::npos);
  s.tags.clear();
  EXPECT_NE(godot_sprite_frames(s, "x").find("&\"default\""), std::string::npos);
  auto atlas = godot_atlas_textures(s, "res://a.png");
  ASSERT_EQ(atlas.size(), 3u);
  EXPECT_EQ(atlas[0].first, "walk_0");
  EXPECT_NE(atlas[0].second.find("region = Rect2(0, 0, 16, 16)"), std::string::npos);
}

TEST(Bevy, layout_as_ron) {
  EXPECT_EQ(bevy_layout(walk()),
            "// walk: 0..=2\n(\n    size: (64, 32),\n    textures: [\n"
            "        (min: (0, 0), max: (16, 16)), // 0 walk_0\n"
            "        (min: (16, 0), max: (32, 16)), // 1 walk_1\n"
            "        (min: (32, 0), max: (48, 16)), // 2 walk_2\n    ],\n)\n");
}

TEST(Tiled, tags_become_animated_tiles) {
  auto text = tiled_tileset(walk(), {.name = "a & b"}).value();
  EXPECT_NE(text.find("name=\"a &amp; b\" tilewidth=\"16\" tileheight=\"16\" tilecount=\"8\" columns=\"4\""),
            std::string::npos);
  EXPECT_NE(
      text.find(" <tile id=\"0\">\n  <animation>\n   <frame tileid=\"0\" duration=\"100\"/>\n   <frame tileid=\"1\" "
                "duration=\"150\"/>\n"
                "   <frame tileid=\"2\" duration=\"80\"/>\n   <frame tileid=\"1\" duration=\"150\"/>\n  </animation>"),
      std::string::npos);
  EXPECT_FALSE(tiled_tileset(walk(), {.name = "x", .wang = WangSet::corner16}));
  EXPECT_FALSE(tiled_tileset(walk(), {.name = "x", .tile_width = 8, .tile_height = 8}));
}

TEST(Tiled, blob_masks_are_the_47) {
  ASSERT_EQ(blob_masks().size(), 47u);
  EXPECT_EQ(std::vector<int>(blob_masks().begin(), blob_masks().begin() + 8),
            (std::vector<int>{0, 1, 4, 5, 7, 16, 17, 20}));
  EXPECT_EQ(blob_masks().back(), 255);
}

// A wang tile fits its neighbour when the sides they share agree: every corner set must tile without a gap.
TEST(Tiled, wang_ids_say_what_the_tiles_show) {
  Sheet s{"t.png", 16 * 16, 16 * 3, {}, {}, {}};
  for (int i = 0; i < 47; ++i)
    s.frames.push_back({std::to_string(i), {i % 16 * 16, i / 16 * 16, 16, 16}, {0, 0}, 16, 16, 100});
  auto corner = tiled_tileset(s, {.name = "x", .wang = WangSet::corner16}).value();
  EXPECT_NE(corner.find("type=\"corner\""), std::string::npos);
  EXPECT_NE(corner.find("<wangtile tileid=\"1\" wangid=\"0,1,0,0,0,0,0,0\"/>"), std::string::npos);   // NE
  EXPECT_NE(corner.find("<wangtile tileid=\"10\" wangid=\"0,0,0,1,0,0,0,1\"/>"), std::string::npos);  // SE and NW
  auto edge = tiled_tileset(s, {.name = "x", .wang = WangSet::edge16}).value();
  EXPECT_NE(edge.find("<wangtile tileid=\"2\" wangid=\"0,0,1,0,0,0,0,0\"/>"), std::string::npos);  // E
  auto blob = tiled_tileset(s, {.name = "x", .wang = WangSet::blob47}).value();
  EXPECT_EQ(count(blob, "<wangtile"), 47u);
  EXPECT_NE(blob.find("<wangtile tileid=\"46\" wangid=\"1,1,1,1,1,1,1,1\"/>"), std::string::npos);
}

TEST(Blob, is_composed_of_quarters) {
  // Each quarter of the 2×3 autotile has its own colour: red tells the column, green the row.
  Picture a(8, 12);
  for (int y = 0; y < 12; ++y)
    for (int x = 0; x < 8; ++x) a.at(x, y) = {uint8_t(x / 2), uint8_t(y / 2), 0, 255};
  auto tiles = blob_from_autotile(a).value();
  ASSERT_EQ(tiles.size(), 47u);
  auto& lone = tiles.front().picture;  // nothing around: the square's four corners
  EXPECT_EQ(lone.at(0, 0), (Rgba{0, 2, 0, 255}));
  EXPECT_EQ(lone.at(3, 3), (Rgba{3, 5, 0, 255}));
  auto& full = tiles.back().picture;  // all around: its middle
  EXPECT_EQ(full.at(0, 0), (Rgba{2, 4, 0, 255}));
  EXPECT_EQ(full.at(3, 3), (Rgba{1, 3, 0, 255}));
  auto& cross = tiles[size_t(std::ranges::find(blob_masks(), 85) - blob_masks().begin())].picture;  // edges, no corner
  EXPECT_EQ(cross.at(0, 0), (Rgba{2, 0, 0, 255}));
  EXPECT_EQ(cross.at(3, 3), (Rgba{3, 1, 0, 255}));
  auto& east_west = tiles[size_t(std::ranges::find(blob_masks(), 68) - blob_masks().begin())].picture;
  EXPECT_EQ(east_west.at(0, 0), (Rgba{2, 2, 0, 255}));
  EXPECT_EQ(east_west.at(0, 3), (Rgba{2, 5, 0, 255}));
  EXPECT_FALSE(blob_from_autotile(Picture(9, 12)));
}

}  // namespace
}  // namespace sparky::pixel
