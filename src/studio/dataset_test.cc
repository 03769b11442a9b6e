#include "studio/dataset.h"
#include "studio/vocabulary.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/files.h"
#include "pixel/files.h"
#include "studio/colors.h"

namespace sparky::studio {
namespace {
namespace fs = std::filesystem;
using pixel::Picture;

const fs::path kFixtures = fs::path(SPARKY_SOURCE_DIR) / "src/studio/fixtures";

struct Folder {
  fs::path path = fs::path(testing::TempDir()) / ("studio-" + std::to_string(::getpid()) + "-" +
                                                  testing::UnitTest::GetInstance()->current_test_info()->name());
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

Recipe fixture_recipe() {
  Recipe r;
  r.licence = "CC0-1.0";
  r.words = {{"dragons", "dragon"}, {"animals", "animal"}, {"f", "female"}, {"m", "male"}, {"fem", ""}, {"slant", ""}};
  r.sources = {
      {kFixtures / "mon", "monster", {}}, {kFixtures / "item", "item", {}}, {kFixtures / "dngn", "dungeon", {}}};
  r.doll = kFixtures / "player";
  r.characters = 200;
  return r;
}

const Sample* find(const Dataset& d, std::string_view source) {
  for (const auto& s : d.samples) {
    if (s.source == source) return &s;
  }
  return nullptr;
}

Picture square(pixel::Rgba color) {
  Picture p(kTile, kTile);
  for (int y = 8; y < 24; ++y) {
    for (int x = 8; x < 24; ++x) p.at(x, y) = color;
  }
  return p;
}

TEST(Dataset, CaptionsComeFromPathsAndPixels) {
  auto built = build_dataset(fixture_recipe());
  ASSERT_TRUE(built) << built.error().text();
  const auto* dragon = find(built->dataset, "mon/dragons/swamp_dragon.png");
  ASSERT_NE(dragon, nullptr);
  EXPECT_EQ(dragon->kind, "monster");
  EXPECT_EQ(dragon->name, "swamp dragon");
  EXPECT_TRUE(dragon->tags.empty()) << "the folder's word is in the name already";
  const auto* ruby = find(built->dataset, "item/potion/ruby.png");
  ASSERT_NE(ruby, nullptr);
  EXPECT_EQ(ruby->tags, std::vector<std::string>{"potion"});
  EXPECT_TRUE(caption(*ruby).ends_with("ruby, potion, item")) << caption(*ruby);
}

TEST(Dataset, NoWordIsOnlyHeldOut) {
  auto recipe = fixture_recipe();
  recipe.test_share = 0.5;
  for (recipe.seed = 1; recipe.seed <= 5; ++recipe.seed) {
    auto built = build_dataset(recipe);
    ASSERT_TRUE(built) << built.error().text();
    std::set<std::string> trained;
    size_t held_out = 0;
    for (const auto& s : built->dataset.samples) {
      held_out += s.test;
      if (s.test) continue;
      for (const auto& w : prompt_words(caption(s))) trained.insert(w);
    }
    EXPECT_GT(held_out, 0u);
    for (const auto& s : built->dataset.samples) {
      for (const auto& w : prompt_words(caption(s))) EXPECT_TRUE(trained.contains(w)) << w << " of " << s.source;
    }
  }
}

TEST(Dataset, CharactersSayWhatTheyWear) {
  auto recipe = fixture_recipe();
  auto made = compose_characters(recipe);
  ASSERT_TRUE(made) << made.error().text();
  size_t cloaks = 0;
  for (const auto& s : *made) {
    ASSERT_FALSE(s.parts.empty());
    EXPECT_EQ(s.parts[0].slot, "base") << "who it is comes first";
    std::set<std::string> slots;
    for (const auto& p : s.parts) EXPECT_TRUE(slots.insert(p.slot).second) << "one layer per slot";
    EXPECT_FALSE(slots.contains("hair") && slots.contains("head")) << "no hair through a hat";
    if (s.parts[0].name.starts_with("naga")) {
      EXPECT_FALSE(slots.contains("boots"));
    }
    for (const auto& p : s.parts) {
      if (p.slot != "cloak") continue;
      ++cloaks;
      EXPECT_EQ(p.name, "cloak");
      EXPECT_TRUE(p.color == "red" || p.color == "blue" || p.color == "yellow") << p.color;
    }
  }
  EXPECT_GT(cloaks, 20u);
  auto again = compose_characters(recipe);
  ASSERT_EQ(made->size(), again->size());
  for (size_t i = 0; i < made->size(); ++i) EXPECT_EQ((*made)[i].sha256, (*again)[i].sha256);
}

TEST(Dataset, NoPairHeldOutIsTrainedOn) {
  auto recipe = fixture_recipe();
  recipe.characters = 1000;
  auto made = compose_characters(recipe);
  ASSERT_TRUE(made);
  auto pairs = [](const Sample& s) {
    std::set<std::string> out;
    for (const auto& a : s.parts) {
      for (const auto& b : s.parts) {
        if (a.slot < b.slot) out.insert(a.slot + a.text() + "|" + b.slot + b.text());
      }
    }
    return out;
  };
  std::set<std::string> trained;
  for (const auto& s : *made) {
    if (!s.test) trained.merge(pairs(s));
  }
  size_t test = 0;
  for (const auto& s : *made) {
    if (!s.test) continue;
    ++test;
    bool unseen = false;
    for (const auto& p : pairs(s)) unseen |= !trained.contains(p);
    EXPECT_TRUE(unseen) << caption(s);
  }
  EXPECT_GT(test, 0u);
}

TEST(Dataset, DropsWithReasons) {
  Folder f;
  auto tile = square({200, 30, 30, 255});
  ASSERT_TRUE(pixel::write_png(f.path / "a.png", tile));
  ASSERT_TRUE(pixel::write_png(f.path / "b.png", tile));
  ASSERT_TRUE(pixel::write_png(f.path / "large.png", Picture(64, 64, {1, 2, 3, 255})));
  ASSERT_TRUE(pixel::write_png(f.path / "empty.png", Picture(kTile, kTile)));
  ASSERT_TRUE(write_file_atomic(f.path / "broken.png", "no picture"));
  Recipe r;
  r.sources = {{f.path, "", {}}};
  auto built = build_dataset(r);
  ASSERT_TRUE(built) << built.error().text();
  EXPECT_EQ(built->dataset.samples.size(), 1u);
  std::map<std::string, std::string> reasons;
  for (const auto& d : built->dropped) reasons[fs::path(d.source).filename().string()] = d.reason;
  EXPECT_EQ(reasons.size(), 4u);
  EXPECT_TRUE(reasons["b.png"].starts_with("same pixels as ")) << reasons["b.png"];
  EXPECT_EQ(reasons["large.png"], "wrong size: 64×64 pixels, not 32×32");
  EXPECT_EQ(reasons["empty.png"], "nearly empty: 0 opaque pixels");
  EXPECT_FALSE(reasons["broken.png"].empty());
}

TEST(Dataset, CaptionsFromTextFileAndTableWin) {
  Folder f;
  ASSERT_TRUE(pixel::write_png(f.path / "one.png", square({0, 0, 255, 255})));
  ASSERT_TRUE(pixel::write_png(f.path / "two.png", square({0, 255, 0, 255})));
  ASSERT_TRUE(write_file_atomic(f.path / "one.txt", "a calm blue square\n"));
  ASSERT_TRUE(write_file_atomic(f.path / "captions.csv", "file,caption\ntwo.png,\"green, square\"\n"));
  Recipe r;
  r.sources = {{f.path, "", {}}};
  auto built = build_dataset(r);
  ASSERT_TRUE(built) << built.error().text();
  ASSERT_EQ(built->dataset.samples.size(), 2u);
  EXPECT_EQ(caption(built->dataset.samples[0]), "a calm blue square");
  EXPECT_EQ(caption(built->dataset.samples[1]), "green, square");
}

TEST(Dataset, NearTwinsStayOnOneSide) {
  auto recipe = fixture_recipe();
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    recipe.seed = seed;
    recipe.characters = 0;
    recipe.test_share = 0.5;
    auto built = build_dataset(recipe);
    ASSERT_TRUE(built);
    std::map<int, bool> side;
    for (const auto& s : built->dataset.samples) {
      auto [it, fresh] = side.try_emplace(s.twins, s.test);
      EXPECT_EQ(it->second, s.test) << s.source;
    }
    const auto *a = find(built->dataset, "dngn/wall/brick_brown0.png"),
               *b = find(built->dataset, "dngn/wall/brick_brown5.png");
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->twins, b->twins);
  }
}

TEST(Dataset, WrittenReadsBackAndDamageIsSeen) {
  Folder f;
  auto recipe = fixture_recipe();
  auto built = build_dataset(recipe);
  ASSERT_TRUE(built);
  ASSERT_TRUE(write_dataset(f.path, recipe, *built));
  auto back = read_dataset(f.path);
  ASSERT_TRUE(back) << back.error().text();
  ASSERT_EQ(back->samples.size(), built->dataset.samples.size());
  for (size_t i = 0; i < back->samples.size(); ++i) {
    EXPECT_EQ(caption(back->samples[i]), caption(built->dataset.samples[i]));
    EXPECT_EQ(back->samples[i].picture, built->dataset.samples[i].picture);
    EXPECT_EQ(back->samples[i].test, built->dataset.samples[i].test);
  }
  auto pixels = read_file(f.path / "pixels.rgba");
  ASSERT_TRUE(pixels);
  (*pixels)[5000] ^= 1;
  ASSERT_TRUE(write_file_atomic(f.path / "pixels.rgba", *pixels));
  auto damaged = read_dataset(f.path);
  ASSERT_FALSE(damaged);
  EXPECT_TRUE(damaged.error().is(Errc::corrupt));
}

TEST(Dataset, TrainingWordsKeepToTheCaption) {
  auto built = build_dataset(fixture_recipe());
  ASSERT_TRUE(built);
  const auto* dragon = find(built->dataset, "mon/dragons/golden_dragon.png");
  ASSERT_NE(dragon, nullptr);
  Random random(3);
  std::set<std::string> seen;
  for (int i = 0; i < 300; ++i) {
    for (const auto& w : training_words(*dragon, random)) seen.insert(w);
  }
  EXPECT_TRUE(seen.contains("golden") && seen.contains("dragon") && seen.contains("monster"));
  seen.clear();
  for (int i = 0; i < 300; ++i) {
    for (const auto& w : training_words(*dragon, random, {"blue"})) seen.insert(w);
  }
  EXPECT_TRUE(seen.contains("blue"));
  EXPECT_FALSE(seen.contains("golden")) << "a turned picture is no longer golden";
}

TEST(Recipe, NamesTheLineOfAMistake) {
  Folder f;
  ASSERT_TRUE(write_file_atomic(f.path / "a.toml", "licence = \"CC0-1.0\"\nsauce = 1\n"));
  auto r = read_recipe(f.path / "a.toml", f.path);
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("line 2: unknown field 'sauce'"), std::string::npos) << r.error().message;
  ASSERT_TRUE(write_file_atomic(f.path / "b.toml", "licence = \n"));
  r = read_recipe(f.path / "b.toml", f.path);
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("b.toml:1:"), std::string::npos) << r.error().message;
}

TEST(Colors, PlainOnesHaveTheirNames) {
  auto word = [](uint8_t r, uint8_t g, uint8_t b) { return color_word(pixel::to_oklab({r, g, b, 255})); };
  EXPECT_EQ(word(220, 30, 30), "red");
  EXPECT_EQ(word(30, 160, 40), "green");
  EXPECT_EQ(word(40, 60, 220), "blue");
  EXPECT_EQ(word(130, 80, 40), "brown");
  EXPECT_EQ(word(240, 220, 40), "yellow");
  EXPECT_EQ(word(240, 130, 20), "orange");
  EXPECT_EQ(word(130, 40, 170), "purple");
  EXPECT_EQ(word(0, 0, 0), "black");
  EXPECT_EQ(word(255, 255, 255), "white");
  EXPECT_EQ(word(128, 128, 128), "gray");
}

TEST(Colors, MeasuredOnWhatIsVisible) {
  EXPECT_EQ(measured_colors(square({220, 30, 30, 255})), std::vector<std::string>{"red"});
  EXPECT_EQ(measured_colors(square({20, 20, 100, 255})), std::vector<std::string>{"dark blue"});
  auto two = square({220, 30, 30, 255});
  for (int y = 8; y < 24; ++y) {
    for (int x = 8; x < 14; ++x) two.at(x, y) = {30, 160, 40, 255};
  }
  EXPECT_EQ(measured_colors(two), (std::vector<std::string>{"red", "green"}));
  EXPECT_TRUE(measured_colors(Picture(kTile, kTile)).empty());
}

TEST(Colors, TurningTheHueTurnsTheWord) {
  EXPECT_EQ(measured_colors(turn_hue(square({200, 40, 40, 255}), 115)).at(0), "green");
}

}  // namespace
}  // namespace sparky::studio
