#include "pixel/validate.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sparky::pixel {
namespace {

SpriteFile sprite(const std::string& stem, int width = 4, int height = 4, Rgba color = {200, 10, 10, 255}) {
  return {stem + ".png", stem, Picture(width, height, color), 100};
}

std::vector<std::string> rules(const std::vector<SpriteFile>& sprites, const Profile& profile) {
  std::vector<std::string> out;
  for (const Finding& f : validate(sprites, profile)) out.push_back(f.rule);
  return out;
}

using Rules = std::vector<std::string>;

TEST(SpriteName, ReadsCategoryVariantAndFrame) {
  const SpriteName walk = parse_sprite_name("character_knight_walk_left_0001");
  EXPECT_EQ(walk.base, "character_knight_walk_left");
  EXPECT_EQ(walk.category, "character");
  EXPECT_EQ(walk.variant, "walk_left");
  EXPECT_EQ(walk.frame, 1);
  EXPECT_FALSE(parse_sprite_name("ui_health_bar_empty").frame);
  EXPECT_EQ(parse_sprite_name("ui_health_bar_empty").variant, "bar_empty");
  EXPECT_EQ(parse_sprite_name("knight").category, "");
  EXPECT_EQ(parse_sprite_name("007").base, "007");
  EXPECT_EQ(parse_sprite_name("").base, "");
}

TEST(Validate, PassesGoodSpritesByEveryBuiltinProfile) {
  for (const Profile& profile : builtin_profiles()) {
    const std::vector<SpriteFile> good = {sprite("ui_health_bar_empty", 16, 16),
                                          sprite("character_knight_walk_left_0001", 8, 8),
                                          sprite("character_knight_walk_left_0002", 8, 8)};
    EXPECT_EQ(rules(good, profile), Rules{}) << profile.name;
  }
}

TEST(Validate, FindsEachBrokenRule) {
  const Profile bevy = *find_profile("bevy");
  EXPECT_EQ(rules({sprite("Knight")}, bevy), Rules{"name_pattern"});
  EXPECT_EQ(rules({sprite("a_b", 4096, 1)}, bevy), Rules{"width_max"});
  EXPECT_EQ(rules({sprite("a", 4, 4, {})}, {}), Rules{"not_empty"});
  EXPECT_EQ(rules({sprite("a", 5, 4)}, {.multiple_of = 4}), Rules{"multiple_of"});
  EXPECT_EQ(rules({sprite("a", 12, 16)}, {.power_of_two = true}), Rules{"power_of_two"});
  EXPECT_EQ(rules({sprite("a", 12, 16)}, {.square = true}), Rules{"square"});
  EXPECT_EQ(rules({sprite("a", 4, 4)}, {.width_min = 5}), Rules{"width_min"});
  EXPECT_EQ(rules({sprite("a", 4, 9)}, {.height_max = 8}), Rules{"height_max"});
  EXPECT_EQ(rules({sprite("a", 4, 4, {1, 1, 1, 90})}, {.binary_alpha = true}), Rules{"binary_alpha"});
  EXPECT_EQ(rules({sprite("a", 4, 4, {1, 1, 1, 90})}, {.opaque = true}), Rules{"opaque"});
  EXPECT_EQ(rules({sprite("a")}, {.file_bytes_max = 99}), Rules{"file_bytes_max"});
  SpriteFile colorful = sprite("a");
  colorful.picture.at(1, 1) = {1, 2, 3, 255};
  EXPECT_EQ(rules({colorful}, {.colors_max = 1}), Rules{"colors_max"});
  EXPECT_EQ(rules({colorful}, {.colors_max = 2}), Rules{});
}

TEST(Validate, HoldsTheFramesOfAnAnimationTogether) {
  EXPECT_EQ(rules({sprite("a_b_1"), sprite("a_b_3")}, {.frames_numbered = true}), Rules{"frames_numbered"});
  EXPECT_EQ(rules({sprite("a_b_1"), sprite("a_b_2"), sprite("a_c_7")}, {.frames_numbered = true}), Rules{});
  EXPECT_EQ(rules({sprite("a_b_1"), sprite("a_b_01")}, {}), Rules{"frames_numbered"});
  EXPECT_EQ(rules({sprite("a_b_1"), sprite("a_b_2", 5, 4)}, {.frames_same_size = true}), Rules{"frames_same_size"});
  EXPECT_EQ(rules({sprite("a_b_1")}, {.frames_min = 2}), Rules{"frames_min"});
  SpriteFile strange = sprite("a_b_2");
  strange.picture.at(0, 0) = {0, 0, 9, 255};
  EXPECT_EQ(rules({sprite("a_b_1"), strange}, {.palette_drift_max = 0}), Rules{"palette_drift_max"});
  EXPECT_EQ(rules({sprite("a_b_1"), strange}, {.palette_drift_max = 1}), Rules{});
  SpriteFile jumping = sprite("a_b_2");
  for (int x = 0; x < 4; ++x) jumping.picture.at(x, 3) = {};
  EXPECT_EQ(rules({sprite("a_b_1"), jumping}, {.baseline_drift_max = 0}), Rules{"baseline_drift_max"});
  EXPECT_EQ(rules({sprite("a_b_1"), jumping}, {.baseline_drift_max = 1}), Rules{});
}

TEST(Validate, SeesSeams) {
  SpriteFile tile = sprite("a", 8, 8);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) tile.picture.at(x, y) = {uint8_t(x * 30), 0, 0, 255};
  }
  EXPECT_EQ(rules({tile}, {.seamless = true}), Rules{"seamless"});
  EXPECT_EQ(rules({sprite("a")}, {.seamless = true}), Rules{});
}

TEST(Profile, ReadsBackWhatItWrites) {
  for (const Profile& profile : builtin_profiles()) {
    const auto again = parse_profile(to_toml(profile), "x.toml");
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(to_toml(*again), to_toml(profile));
    EXPECT_EQ(again->name_pattern, profile.name_pattern);
  }
}

TEST(Profile, NamesTheLineAndWhatWouldBeRight) {
  const auto message = [](std::string_view toml) {
    const auto profile = parse_profile(toml, "game.toml");
    return profile ? "" : profile.error().text();
  };
  EXPECT_NE(message("width_max = 8\nwidht_min = 3\n").find("game.toml:2:1"), std::string::npos);
  EXPECT_NE(message("widht_min = 3").find("did you mean 'width_min'?"), std::string::npos);
  EXPECT_NE(message("square = 3").find("'square' must be true or false"), std::string::npos);
  EXPECT_NE(message("width_max = \"8\"").find("whole number"), std::string::npos);
  EXPECT_NE(message("width_max = 99999999999").find("whole number"), std::string::npos);
  EXPECT_NE(message("name_pattern = \"(\"").find("no regular expression"), std::string::npos);
  EXPECT_NE(message("width_max = ").find("game.toml:1"), std::string::npos);
  EXPECT_NE(find_profile("bevvy").error().help.find("bevy"), std::string::npos);
}

}  // namespace
}  // namespace sparky::pixel
