#include "studio/deploy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "pixel/files.h"
#include "studio/sprite_request.h"

namespace sparky::studio {
namespace {

namespace fs = std::filesystem;
using pixel::Picture;
using pixel::Rgba;

class Deploy : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "sparky-deploy-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root = name;
    game = root / "game";
    fs::create_directories(game);
  }
  void TearDown() override { fs::remove_all(root); }

  fs::path draw(const std::string& stem, uint8_t shade, int size = 8) {
    Picture picture(size, size, {shade, 20, 30, 255});
    picture.at(0, 0) = {};
    const fs::path file = root / "in" / (stem + ".png");
    EXPECT_TRUE(pixel::write_png(file, picture, {.text = {{"prompt", "a " + stem}}}));
    return file;
  }
  DeployOptions options(std::vector<fs::path> sprites) {
    return {.game = game, .sprites = std::move(sprites), .profile = *pixel::find_profile("bevy")};
  }
  Json manifest() { return parse_json(read_file(game / "assets/sprites_manifest.json").value()).value(); }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    const Json m = manifest();
    for (const Json& entry : m["sprites"]) out.push_back(entry["name"]);
    return out;
  }
  Rgba color(const std::string& stem) {
    return pixel::read_picture(game / "assets/sprites" / (stem + ".png")).value().at(1, 1);
  }

  fs::path root, game;
  Time time = parse_iso("2026-03-04T05:06:07Z").value();
};

using Names = std::vector<std::string>;

TEST_F(Deploy, WritesSpritesAndAManifestThatLoadersRead) {
  const auto done =
      deploy(options({draw("character_knight_walk_left", 100, 16), draw("ui_bar_02", 1), draw("ui_bar_01", 2)}), time);
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_TRUE(done->findings.empty());
  EXPECT_EQ(color("character_knight_walk_left").r, 100);
  const Json m = manifest();
  EXPECT_EQ(m["version"], "1.0");
  EXPECT_EQ(m["assets_dir"], "assets");
  EXPECT_EQ(m["sprite_count"], 2);
  const Json knight = m["sprites"][0], bar = m["sprites"][1];
  EXPECT_EQ(knight["name"], "character_knight_walk_left");
  EXPECT_EQ(knight["path"], "sprites/character_knight_walk_left.png");
  EXPECT_EQ(knight["category"], "character");
  EXPECT_EQ(knight["variant"], "walk_left");
  EXPECT_EQ(knight["frames"], 1);
  EXPECT_EQ(knight["resolution"], Json({16, 16}));
  EXPECT_EQ(knight["prompt"], "a character_knight_walk_left");
  EXPECT_EQ(knight["generated_at"], "2026-03-04T05:06:07Z");
  EXPECT_EQ(bar["name"], "ui_bar");
  EXPECT_EQ(bar["path"], "sprites/ui_bar_01.png");
  EXPECT_EQ(bar["frame_paths"], Json({"sprites/ui_bar_01.png", "sprites/ui_bar_02.png"}));
}

TEST_F(Deploy, TakesThePromptOfWhatSparkyDrewFromItsStory) {
  SpriteRequest request;
  request.prompt = "a red dragon";
  request.loras = {{"/styles/ink.safetensors", 0.5}};
  const fs::path file = root / "in/monster_dragon.png";
  ASSERT_TRUE(pixel::write_png(file, Picture(8, 8, {200, 20, 30, 255}), {.text = png_text(request, 7, "abc", "1.0")}));
  ASSERT_TRUE(deploy(options({file}), time));
  EXPECT_EQ(manifest()["sprites"][0]["prompt"], "a red dragon");
  EXPECT_EQ(manifest()["sprites"][0]["lora"], "ink");
}

TEST_F(Deploy, ChangesNoByteTheSecondTime) {
  const fs::path knight = draw("character_knight", 100);
  ASSERT_TRUE(deploy(options({knight}), time));
  const std::string before = read_file(game / "assets/sprites_manifest.json").value();
  const auto again = deploy(options({knight}), time + std::chrono::hours(1));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->files[0].action, Action::unchanged);
  EXPECT_TRUE(again->backup.empty());
  EXPECT_EQ(read_file(game / "assets/sprites_manifest.json").value(), before);
}

TEST_F(Deploy, KeepsEntriesAndFieldsOfOthers) {
  ASSERT_TRUE(write_file_atomic(game / "assets/sprites_manifest.json",
                                R"({"studio":"us","sprites":[{"name":"zoo_cat","path":"sprites/cat.png","mood":7}]})"));
  ASSERT_TRUE(deploy(options({draw("character_knight", 100)}), time));
  EXPECT_EQ(names(), (Names{"character_knight", "zoo_cat"}));
  EXPECT_EQ(manifest()["studio"], "us");
  EXPECT_EQ(manifest()["sprites"][1]["mood"], 7);
}

TEST_F(Deploy, AddsALaterFrameToItsAnimation) {
  ASSERT_TRUE(deploy(options({draw("hero_run_1", 1)}), time));
  ASSERT_TRUE(deploy(options({draw("hero_run_2", 2)}), time));
  EXPECT_EQ(manifest()["sprites"][0]["frames"], 2);
}

TEST_F(Deploy, RefusesAManifestThatItCannotRead) {
  ASSERT_TRUE(write_file_atomic(game / "assets/sprites_manifest.json", "{broken"));
  const auto done = deploy(options({draw("character_knight", 100)}), time);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::corrupt);
  EXPECT_EQ(read_file(game / "assets/sprites_manifest.json").value(), "{broken");
  EXPECT_FALSE(fs::exists(game / "assets/sprites/character_knight.png"));
}

TEST_F(Deploy, WritesNothingWhenASpriteIsNotValid) {
  const auto done = deploy(options({draw("character_knight", 100), draw("Knight", 100)}), time);
  ASSERT_TRUE(done);
  ASSERT_EQ(done->findings.size(), 1u);
  EXPECT_EQ(done->findings[0].rule, "name_pattern");
  EXPECT_FALSE(fs::exists(game / "assets"));
}

TEST_F(Deploy, PutsTheCategoryBeforeNamesThatLackIt) {
  DeployOptions o = options({draw("Dark-Knight", 100), draw("monster_bat", 3)});
  o.category = "monster";
  ASSERT_TRUE(deploy(o, time));
  EXPECT_EQ(names(), (Names{"monster_bat", "monster_dark_knight"}));
}

TEST_F(Deploy, DryRunTouchesNothing) {
  DeployOptions o = options({draw("character_knight", 100)});
  o.dry_run = true;
  const auto done = deploy(o, time);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->files[0].action, Action::created);
  EXPECT_FALSE(fs::exists(game / "assets"));
}

TEST_F(Deploy, RollsBackOneDeploymentAfterTheOther) {
  ASSERT_TRUE(deploy(options({draw("character_knight", 100)}), time));
  const std::string first = read_file(game / "assets/sprites_manifest.json").value();
  ASSERT_TRUE(deploy(options({draw("character_knight", 200), draw("character_bat", 3)}), time));
  EXPECT_EQ(color("character_knight").r, 200);

  const auto undone = roll_back(game, false, {});
  ASSERT_TRUE(undone) << undone.error().text();
  EXPECT_EQ(color("character_knight").r, 100);
  EXPECT_FALSE(fs::exists(game / "assets/sprites/character_bat.png"));
  EXPECT_EQ(read_file(game / "assets/sprites_manifest.json").value(), first);

  ASSERT_TRUE(roll_back(game, false, {}));
  EXPECT_FALSE(fs::exists(game / "assets/sprites/character_knight.png"));
  EXPECT_EQ(roll_back(game, false, {}).error().code, Errc::not_found);
}

TEST_F(Deploy, RollbackSparesWhatWasEditedSince) {
  ASSERT_TRUE(deploy(options({draw("character_knight", 100)}), time));
  ASSERT_TRUE(pixel::write_png(game / "assets/sprites/character_knight.png", Picture(8, 8, {7, 7, 7, 255})));
  EXPECT_EQ(roll_back(game, false, {}).error().code, Errc::exists);
  EXPECT_EQ(color("character_knight").r, 7);
  ASSERT_TRUE(roll_back(game, true, {}));
  EXPECT_FALSE(fs::exists(game / "assets/sprites/character_knight.png"));
}

TEST_F(Deploy, FollowsNoLinkOutOfTheGame) {
  const fs::path outside = root / "outside";
  fs::create_directories(outside / "sprites");
  const std::vector<fs::path> sprites = {draw("character_knight", 100)};
  fs::create_directory_symlink(outside, game / "assets");
  EXPECT_EQ(deploy(options(sprites), time).error().code, Errc::denied);
  fs::remove(game / "assets");
  fs::create_directories(game / "assets");
  fs::create_directory_symlink(outside / "sprites", game / "assets/sprites");
  EXPECT_EQ(deploy(options(sprites), time).error().code, Errc::denied);
  fs::remove(game / "assets/sprites");
  fs::create_directories(game / "assets/sprites");
  ASSERT_TRUE(write_file_atomic(outside / "secret", "mine"));
  fs::create_symlink(outside / "secret", game / "assets/sprites/character_knight.png");
  EXPECT_EQ(deploy(options(sprites), time).error().code, Errc::denied);
  EXPECT_EQ(read_file(outside / "secret").value(), "mine");
  EXPECT_TRUE(fs::is_empty(outside / "sprites"));
}

TEST_F(Deploy, WaitsForTheLockAndSaysSo) {
  ASSERT_TRUE(deploy(options({draw("character_knight", 100)}), time));
  const int fd = ::open((game / "assets/.sprites.lock").c_str(), O_RDWR);
  ASSERT_EQ(::flock(fd, LOCK_EX), 0);
  DeployOptions o = options({draw("character_bat", 100)});
  o.patience = std::chrono::milliseconds(50);
  EXPECT_EQ(deploy(o, time).error().code, Errc::busy);
  ::close(fd);
  EXPECT_TRUE(deploy(o, time));
}

TEST_F(Deploy, ManyAtOnceLoseNoEntry) {
  constexpr int workers = 6, rounds = 4;
  std::vector<fs::path> files;
  for (int i = 0; i < workers * rounds; ++i) files.push_back(draw(fmt::format("thing_number{}", i), uint8_t(i)));
  std::vector<pid_t> children;
  for (int w = 0; w < workers; ++w) {
    const pid_t child = ::fork();
    if (child == 0) {
      bool good = true;
      for (int r = 0; r < rounds; ++r) good &= deploy(options({files[size_t(w * rounds + r)]}), time).has_value();
      ::_exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(names().size(), size_t(workers * rounds));
  for (int i = 0; i < workers * rounds; ++i) EXPECT_EQ(color(fmt::format("thing_number{}", i)).r, i);
}

TEST_F(Deploy, KilledAtAnyMomentLeavesWholeFilesAndGoesOnLater) {
  std::vector<fs::path> old_files, new_files;
  for (int i = 0; i < 6; ++i) old_files.push_back(draw(fmt::format("thing_n{}", i), 10, 24));
  ASSERT_TRUE(deploy(options(old_files), time));
  for (int i = 0; i < 6; ++i) new_files.push_back(draw(fmt::format("thing_n{}", i), 200, 24));
  int killed = 0;
  for (int round = 0; round < 25; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      (void)deploy(options(round % 2 == 0 ? new_files : old_files), time);
      ::_exit(0);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(400 * round));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    killed += WIFSIGNALED(status);
    EXPECT_EQ(names().size(), 6u);
    for (int i = 0; i < 6; ++i) {
      const int shade = color(fmt::format("thing_n{}", i)).r;  // fails unless the file is whole
      EXPECT_TRUE(shade == 10 || shade == 200);
    }
  }
  EXPECT_GT(killed, 0);
  ASSERT_TRUE(deploy(options(new_files), time));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(color(fmt::format("thing_n{}", i)).r, 200);
  for (const auto& entry : fs::directory_iterator(game / "assets/sprites")) EXPECT_EQ(entry.path().extension(), ".png");
  const Json m = manifest();
  for (const Json& entry : m["sprites"]) {
    EXPECT_EQ(entry["sha256"][0], sha256_hex(read_file(game / "assets" / entry["path"].get<std::string>()).value()));
  }
}

TEST(Presets, DoWhatTheySay) {
  Picture picture(16, 16, {9, 9, 9, 0});
  for (int y = 4; y < 12; ++y) {
    for (int x = 4; x < 12; ++x) picture.at(x, y) = {uint8_t(x * 20), uint8_t(y * 20), 60, uint8_t(x == 4 ? 40 : 255)};
  }
  EXPECT_EQ(process(picture, Preset::minimal), picture);
  EXPECT_EQ(process(picture, Preset::modern).at(0, 0), Rgba{});
  EXPECT_EQ(process(picture, Preset::modern).at(4, 4).a, 40);
  for (const Rgba p : process(picture, Preset::pixel_art).pixels) EXPECT_TRUE(p.a == 0 || p.a == 255);
  std::vector<Rgba> colors;
  for (const Rgba p : process(picture, Preset::retro).pixels) {
    if (p.a != 0 && std::ranges::find(colors, p) == colors.end()) colors.push_back(p);
  }
  EXPECT_LE(colors.size(), 16u);
  EXPECT_GT(colors.size(), 1u);
  EXPECT_FALSE(find_preset("retrro"));
}

}  // namespace
}  // namespace sparky::studio
