// The asset workstream of plans/dgx-pixels is carried out in a copy, with tiles in the place of what the model would
// draw; its checks must pass, and each must fail when what it looks at is broken.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "pixel/files.h"
#include "pixel/palette.h"
#include "pixel/transform.h"
#include "plan/toml.h"
#include "studio/sprite_request.h"

namespace sparky {
namespace {
namespace fs = std::filesystem;
using pixel::Picture;

class Dungeon : public testing::Test {
 protected:
  void SetUp() override {
    root = directory.path() / "dgx-pixels";
    fs::copy(SPARKY_SOURCE_DIR "/plans/dgx-pixels", root, fs::copy_options::recursive);
    for (auto made_by_runs : {"assets/generated", "docs/deployment.md", "examples/dungeon/assets"}) {
      fs::remove_all(root / made_by_runs);
    }
    ::setenv("PATH", (std::string(SPARKY_BIN_DIR ":") + std::getenv("PATH")).c_str(), 1);
    const auto parsed = plan::load_plan(root);
    ASSERT_TRUE(parsed.readable);
    for (const auto& w : parsed.plan.workstreams) {
      if (w.id == "WS-15") workstream = w;
    }
    ASSERT_FALSE(workstream.run.empty());
    put_renders();
  }

  // A tile for each sprite that is asked for, as `sparky generate --size 256` would leave it.
  void put_renders() {
    static constexpr const char* tiles[] = {"dngn/wall/brick_gray0",
                                            "dngn/floor/limestone0",
                                            "dngn/doors/gate_open_middle",
                                            "mon/orc_warrior",
                                            "mon/goblin",
                                            "mon/orc_wizard",
                                            "mon/dragons/ice_dragon",
                                            "mon/undead/ghost",
                                            "item/potion/ruby",
                                            "item/book/magenta",
                                            "item/weapon/long_sword1"};
    size_t next = 0;
    const std::string table = read_file(root / "assets/dungeon.tsv").value();
    for (const std::string_view line : split(table, '\n')) {
      const auto fields = split(line, '\t');
      if (fields.size() != 3) continue;
      const auto tile =
          pixel::read_picture(std::string(SPARKY_SOURCE_DIR "/src/studio/fixtures/") + tiles[next++] + ".png");
      ASSERT_TRUE(tile) << tile.error().text();
      studio::SpriteRequest request;
      request.prompt = fields[1];
      const auto text = studio::png_text(request, std::stoull(std::string(fields[2])), "0", "test");
      const Picture sprite = pixel::reduce_colors(pixel::Picture(*tile), 16);
      ASSERT_TRUE(pixel::write_png(root / "assets/generated/renders" / (std::string(fields[0]) + ".png"),
                                   *pixel::scale_up(sprite, 8), {.text = text}));
    }
  }

  int shell(const std::string& command) {
    auto done = run_program({"sh", "-c", command}, {.cwd = root, .timeout = Duration{0}});
    return done ? done->code : -1;
  }
  bool all_pass() {
    return std::ranges::all_of(workstream.criteria, [&](const auto& c) { return shell(c.check) == 0; });
  }

  TemporaryDirectory directory = std::move(*TemporaryDirectory::make());
  fs::path root;
  plan::Workstream workstream;
};

TEST_F(Dungeon, EveryBrokenAssetFailsACheck) {
  for (const auto& c : workstream.criteria) EXPECT_NE(shell(c.check), 0) << c.text << ": before anything was made";
  ASSERT_EQ(shell(workstream.run), 0);
  ASSERT_EQ(shell(workstream.run), 0) << "not repeatable";
  ASSERT_TRUE(all_pass());

  const fs::path assets = root / "examples/dungeon/assets";
  const auto repaint = [](const fs::path& file) {
    Picture picture = pixel::read_picture(file).value();
    auto& p = picture.pixels[picture.pixels.size() / 2 + 16];
    p = {uint8_t(p.r ^ 64), p.g, p.b, 255};
    const auto text = pixel::decode_png_text(read_file(file).value()).value();
    ASSERT_TRUE(pixel::write_png(file, picture, {.text = text}));
  };
  const std::vector<std::pair<const char*, std::function<void()>>> breaks = {
      {"a sprite is gone", [&] { fs::remove(assets / "sprites/monster_orc.png"); }},
      {"a sprite was painted over", [&] { repaint(assets / "sprites/monster_orc.png"); }},
      {"two sprites are the same",
       [&] {
         fs::copy_file(assets / "sprites/monster_orc.png", assets / "sprites/item_book.png",
                       fs::copy_options::overwrite_existing);
       }},
      {"a stray file in the folder", [&] { ASSERT_TRUE(write_file_atomic(assets / "sprites/notes.txt", "x")); }},
      {"the manifest lists less",
       [&] {
         Json m = parse_json(read_file(assets / "sprites_manifest.json").value()).value();
         m["sprites"].erase(3);
         m["sprite_count"] = m["sprites"].size();
         ASSERT_TRUE(write_file_atomic(assets / "sprites_manifest.json", json_text(m)));
       }},
      {"the sheet was painted over", [&] { repaint(assets / "sheets/dungeon.png"); }},
      {"the sheet's data is gone", [&] { fs::remove(assets / "sheets/dungeon.json"); }},
      {"other words were asked for",
       [&] {
         std::string table = read_file(root / "assets/dungeon.tsv").value();
         table.replace(table.find("ruby"), 4, "jade");
         ASSERT_TRUE(write_file_atomic(root / "assets/dungeon.tsv", table));
       }},
      {"the document is old", [&] { ASSERT_TRUE(write_file_atomic(root / "docs/deployment.md", "# Deployment\n")); }},
      {"the game does nothing, successfully",
       [&] { ASSERT_TRUE(write_file_atomic(root / "examples/dungeon/game.py", "")); }}};
  const fs::path kept = directory.path() / "kept";
  fs::copy(root, kept, fs::copy_options::recursive);
  for (const auto& [name, apply] : breaks) {
    apply();
    EXPECT_FALSE(all_pass()) << name << ", and no check fails";
    fs::remove_all(root);
    fs::copy(kept, root, fs::copy_options::recursive);
  }
  EXPECT_TRUE(all_pass());
}

}  // namespace
}  // namespace sparky
