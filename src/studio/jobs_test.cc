#include "studio/jobs.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "pixel/drawn.h"
#include "pixel/files.h"
#include "pixel/palette_files.h"
#include "pixel/sheet_files.h"
#include "pixel/transform.h"
#include "studio/file_work.h"

namespace sparky::studio {
namespace {

namespace fs = std::filesystem;
using pixel::Picture;

struct Jobs : testing::Test {
  TemporaryDirectory directory = std::move(*TemporaryDirectory::make());
  fs::path in = directory.path() / "in", out = directory.path() / "out";

  void SetUp() override {
    ASSERT_TRUE(make_directories(in));
    ASSERT_TRUE(make_directories(out));
  }
  std::string draw(const std::string& name, const Picture& picture) {
    EXPECT_TRUE(pixel::write_png(in / name, picture));
    return (in / name).string();
  }
  Result<Json> run(const std::string& kind, const Json& request, const JobCancelled& cancelled = {}) {
    return job_functions().at(kind)(
        request, out, [&](auto, int64_t step, int64_t total) { steps.emplace_back(step, total); }, cancelled);
  }
  std::vector<fs::path> everything() {
    std::vector<fs::path> all;
    for (const auto& entry : fs::recursive_directory_iterator(directory.path())) {
      if (!entry.is_directory()) all.push_back(entry.path().lexically_relative(directory.path()));
    }
    std::ranges::sort(all);
    return all;
  }
  std::vector<std::pair<int64_t, int64_t>> steps;
};

const Picture kCoin = pixel::drawn({"  kk  ", " kwrk ", "kwrrgk", "krrggk", " kggk ", "  kk  "});

TEST_F(Jobs, ColorsUnderInvisiblePixelsDoNotFillAPalette) {
  Picture hidden(32, 32);
  for (int i = 0; i < 1024; ++i) hidden.pixels[size_t(i)] = {uint8_t(i), uint8_t(i / 4), 7, 0};
  hidden.at(3, 3) = {255, 0, 0, 255};
  auto done =
      convert_picture(draw("hidden.png", hidden), out / "flat.png", true, [](const Picture& p, Json&) { return p; });
  ASSERT_TRUE(done) << done.error().text();
  auto back = pixel::read_picture(out / "flat.png");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->at(3, 3), (pixel::Rgba{255, 0, 0, 255}));
  EXPECT_EQ(back->at(9, 9), pixel::Rgba{});
}

std::string error_of(const Result<Json>& result) { return result ? "no error" : result.error().message; }

TEST_F(Jobs, ABadRequestShowsBeforeAnyFileIsTouched) {
  const auto wrong = [](const char* kind, const Json& request) {
    const auto status = check_job(kind, request);
    return status ? std::string("nothing") : status.error().message;
  };
  const Json inputs = {"/nowhere/a.png"};
  EXPECT_EQ(wrong("clean", {{"inputs", inputs}, {"steps", {{{"do", "quantize"}, {"colors", 12}}}}}), "nothing");
  EXPECT_EQ(wrong("clean", {{"inputs", inputs}, {"steps", {{{"do", "remap"}, {"palette", "later.gpl"}}}}}), "nothing");
  EXPECT_EQ(wrong("validate", {{"inputs", inputs}, {"profile", "later.toml"}}), "nothing");
  EXPECT_EQ(wrong("deploy", {{"inputs", inputs}, {"to", "/nowhere/game"}}), "nothing");
  EXPECT_EQ(wrong("deploy", {{"to", "/nowhere/game"}, {"rollback", true}}), "nothing");
  EXPECT_EQ(wrong("snap", {{"inputs", inputs}}), "nothing");
  EXPECT_EQ(wrong("sheet", {{"inputs", inputs}}), "nothing");
  EXPECT_EQ(wrong("palette", {{"inputs", inputs}}), "nothing");
  EXPECT_EQ(wrong("generate", {{"prompt", 7}}), "nothing") << "no work of this kind";
  for (auto& [kind, function] : job_functions()) EXPECT_NE(wrong(kind.c_str(), Json::object()), "nothing") << kind;
  EXPECT_NE(wrong("clean", {{"inputs", inputs}, {"steps", {{{"do", "polish"}}}}}), "nothing");
  EXPECT_NE(wrong("clean", {{"inputs", inputs}, {"steps", {{{"do", "remap"}, {"palette", "pico8"}}}}}), "nothing");
  EXPECT_NE(wrong("clean", {{"inputs", inputs}, {"step", "trim"}}), "nothing");
  EXPECT_NE(wrong("validate", {{"inputs", inputs}, {"profile", "bevvy"}}), "nothing");
  EXPECT_NE(wrong("deploy", {{"inputs", inputs}, {"to", "/nowhere"}, {"preset", "huge"}}), "nothing");
  EXPECT_NE(wrong("sheet", {{"inputs", inputs}, {"data", {"../x.json"}}}), "nothing");
  EXPECT_NE(wrong("palette", {{"inputs", {"a.png", "b.png"}}}), "nothing");
  EXPECT_NE(wrong("snap", {{"inputs", {"a/x.png", "b/x.png"}}}), "nothing") << "both would be x.png";
  EXPECT_TRUE(everything().empty());
}

TEST_F(Jobs, SnapGivesBackWhatWasEnlarged) {
  Picture checks(16, 16);
  uint32_t random = 7;
  for (auto& p : checks.pixels) {
    random = random * 1664525u + 1013904223u;
    p = {uint8_t(random >> 24), uint8_t(random >> 16), 90, 255};
  }
  const auto big = draw("coin.png", *pixel::scale_up(checks, 8));
  const auto done = run("snap", {{"inputs", {big}}});
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ((*done)["files"], Json::array({"coin.png"}));
  EXPECT_EQ((*done)["pictures"][0]["grid"]["x"]["cells"], 16);
  EXPECT_EQ(*pixel::read_picture(out / "coin.png"), checks);
  EXPECT_EQ(steps, (std::vector<std::pair<int64_t, int64_t>>{{0, 1}, {1, 1}}));
}

TEST_F(Jobs, CleanDoesItsStepsInOrder) {
  const auto coin = draw("coin.png", kCoin);
  const auto done = run("clean", {{"inputs", {coin}},
                                  {"steps",
                                   {{{"do", "pad"}, {"all", 1}},
                                    {{"do", "outline"}, {"color", "ff00ff"}},
                                    {{"do", "mirror"}},
                                    {{"do", "scale"}, {"up", 3}}}},
                                  {"indexed", true}});
  ASSERT_TRUE(done) << done.error().text();
  const Picture picture = *pixel::read_picture(out / "coin.png");
  EXPECT_EQ(picture.width, 24);
  EXPECT_EQ(picture.at(12, 1), (pixel::Rgba{255, 0, 255, 255}));
  EXPECT_EQ(picture.at(7, 10), (pixel::Rgba{0, 255, 0, 255})) << "not mirrored";
}

TEST_F(Jobs, PaletteSheetAndTheirFilesLieInTheOutputDirectory) {
  const auto a = draw("spin_0.png", kCoin), b = draw("spin_1.png", pixel::mirror(kCoin, pixel::Axis::horizontal));
  const auto palette = run("palette", {{"inputs", a}, {"colors", 4}, {"output", "coin.hex"}});
  ASSERT_TRUE(palette) << palette.error().text();
  EXPECT_EQ(pixel::read_palette(out / "coin.hex")->colors.size(), 4u);

  const auto sheet = run("sheet", {{"inputs", {a, b}},
                                   {"output", "coin.png"},
                                   {"data", {"coin.json", "coin.tres"}},
                                   {"layout", "maxrects"},
                                   {"padding", 1}});
  ASSERT_TRUE(sheet) << sheet.error().text();
  EXPECT_EQ((*sheet)["files"], Json::array({"coin.png", "coin.json", "coin.tres"}));
  EXPECT_EQ((*sheet)["tags"][0]["name"], "spin");
  const auto back = pixel::read_sprites({out / "coin.json"});
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->sprites[0].picture, kCoin);
}

TEST_F(Jobs, ValidateFailsOnAFindingAndNamesIt) {
  const auto good = draw("item_coin.png", kCoin);
  ASSERT_TRUE(run("validate", {{"inputs", {good}}}));
  const auto empty = draw("item_nothing.png", Picture(8, 8));
  const auto done = run("validate", {{"inputs", {good, empty}}});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("item_nothing.png"), std::string::npos) << done.error().message;
  EXPECT_NE(done.error().message.find("not_empty"), std::string::npos) << done.error().message;
}

TEST_F(Jobs, DeployAndRollBack) {
  const auto coin = draw("coin.png", kCoin);
  const fs::path game = directory.path() / "game";
  ASSERT_TRUE(make_directories(game));
  const auto done = run("deploy", {{"inputs", {coin}}, {"to", game.string()}, {"category", "item"}});
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ((*done)["deployment"]["files"][0]["path"], "assets/sprites/item_coin.png");
  EXPECT_EQ(*pixel::read_picture(game / "assets/sprites/item_coin.png"), kCoin);
  ASSERT_TRUE(run("deploy", {{"to", game.string()}, {"rollback", true}}));
  EXPECT_FALSE(fs::exists(game / "assets/sprites/item_coin.png"));
}

TEST_F(Jobs, NoFileLeavesTheOutputDirectory) {
  const auto coin = draw("coin.png", kCoin);
  const auto before = everything();
  for (const char* name : {"../x.png", "/tmp/sparky-jobs-x.png", "a/b.png", ".x.png", "", "..", "x\n.png"}) {
    const std::string given = name;
    EXPECT_FALSE(run("sheet", {{"inputs", {coin}}, {"output", given}})) << given;
    EXPECT_FALSE(run("sheet", {{"inputs", {coin}}, {"data", {given}}})) << given;
    EXPECT_FALSE(run("palette", {{"inputs", {coin}}, {"output", given}})) << given;
  }
  EXPECT_EQ(everything(), before);
  EXPECT_FALSE(fs::exists("/tmp/sparky-jobs-x.png"));
}

TEST_F(Jobs, WhatIsWrongIsNamed) {
  const auto coin = draw("coin.png", kCoin);
  EXPECT_EQ(error_of(run("snap", Json::array())), "the request must be an object of fields");
  EXPECT_EQ(error_of(run("snap", Json::object())), "field 'inputs' is missing");
  EXPECT_EQ(error_of(run("snap", {{"inputs", {coin}}, {"hint", -1}})), "field 'hint' must be a number from 2 to 4096");
  EXPECT_EQ(error_of(run("snap", {{"inputs", {coin}}, {"hnt", 3}})), "unknown field 'hnt'");
  EXPECT_EQ(error_of(run("snap", {{"inputs", {coin}}, {"size", {1, 2, 3}}})),
            "field 'size' must be [width, height], each from 1 to 16384");
  EXPECT_EQ(error_of(run("clean", {{"inputs", {coin}}, {"steps", {{{"do", "alpha"}, {"threshold", 999999999999}}}}})),
            "field 'steps[0].threshold' must be a whole number from 1 to 255");
  EXPECT_TRUE(error_of(run("clean", {{"inputs", {coin}}, {"steps", {{{"do", "fly"}}}}}))
                  .starts_with("field 'steps[0].do' must be one of align, "));
  EXPECT_EQ(error_of(run("clean", {{"inputs", {coin}}, {"steps", {{{"do", "remap"}}}}})),
            "field 'steps[0].palette' is missing");
  EXPECT_EQ(error_of(run("sheet", {{"inputs", {coin, coin}}, {"layout", "heap"}})),
            "field 'layout' must be one of grid, rows, maxrects");
  const auto missing = run("snap", {{"inputs", {(in / "gone.png").string()}}});
  ASSERT_FALSE(missing);
  EXPECT_TRUE(missing.error().is(Errc::not_found));
}

TEST_F(Jobs, ACancelledJobStopsBetweenTwoPictures) {
  Json inputs = Json::array();
  for (int i = 0; i < 5; ++i) inputs.push_back(draw("c" + std::to_string(i) + ".png", kCoin));
  int asked = 0;
  const auto done = run("clean", {{"inputs", inputs}, {"steps", {{{"do", "trim"}}}}}, [&] { return ++asked > 2; });
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is(Errc::cancelled));
  EXPECT_TRUE(fs::exists(out / "c1.png"));
  EXPECT_FALSE(fs::exists(out / "c2.png"));
}

}  // namespace
}  // namespace sparky::studio
