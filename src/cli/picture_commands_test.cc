// sparky pixel, palette and sheet as a user calls them: files in, files out, exit status and JSON.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "pixel/aseprite.h"
#include "pixel/files.h"
#include "pixel/sheet_files.h"
#include "pixel/transform.h"

namespace sparky {
namespace {
namespace fs = std::filesystem;
using pixel::Picture;

class PictureCommands : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / fmt::format("sparky-pictures-{}", ::getpid());
    fs::create_directories(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  // Runs `sparky ARGUMENTS` in the directory; gives the exit status, and stdout and stderr together or stdout alone.
  int run(const std::string& arguments, bool with_stderr = true) {
    auto command = fmt::format("cd '{}' && '{}/sparky' {} {}", dir_.string(), SPARKY_BIN_DIR, arguments,
                               with_stderr ? "2>&1" : "2>/dev/null");
    FILE* pipe = ::popen(command.c_str(), "r");
    out_.clear();
    char buffer[4096];
    while (size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) out_.append(buffer, n);
    int status = ::pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void draw(const std::string& name, int width, int height, uint8_t shade) {
    Picture p(width + 4, height + 2);
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) p.at(x + 1, y + 1) = {shade, uint8_t(x * 9), uint8_t(y * 9), 255};
    pixel::PngOptions options;
    options.text["prompt"] = "a " + name;
    ASSERT_TRUE(pixel::write_png(dir_ / name, p, options));
  }
  Picture read(const std::string& name) { return pixel::read_picture(dir_ / name).value(); }

  fs::path dir_;
  std::string out_;
};

TEST_F(PictureCommands, one_picture_or_many_and_texts_stay) {
  draw("a.png", 6, 5, 10);
  draw("b.png", 3, 4, 20);
  EXPECT_EQ(run("pixel trim a.png -o out/a.png"), 0) << out_;
  EXPECT_EQ(read("out/a.png"), pixel::trim(read("a.png")));
  EXPECT_EQ(pixel::decode_png_text(read_file(dir_ / "out/a.png").value())->at("prompt"), "a a.png");
  EXPECT_EQ(run("pixel quantize a.png b.png -n 3 --indexed -o few/ --json", false), 0);
  auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["pictures"].size(), 2u);
  EXPECT_LE(json["pictures"][0]["colors"], 3);
  EXPECT_TRUE(pixel::decode_indexed_png(read_file(dir_ / "few/b.png").value()));
  EXPECT_EQ(run("pixel trim a.png b.png -o one.png"), 2);
  EXPECT_NE(out_.find("name a directory: -o one.png/"), std::string::npos) << out_;
  EXPECT_EQ(run("pixel trim a.png -o a.jpg"), 2);
  EXPECT_EQ(run("pixel rotate a.png --method foo -o x.png"), 2);
  EXPECT_EQ(run("pixel trim nowhere.png -o x.png"), 1);
  EXPECT_FALSE(fs::exists(dir_ / "x.png"));
}

TEST_F(PictureCommands, degrees_of_transparency_are_no_colours_but_need_places_in_a_palette) {
  Picture soft(40, 20);
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 40; ++x) soft.at(x, y) = {uint8_t(x < 20 ? 10 : 200), 0, 0, uint8_t(1 + (y * 40 + x) % 255)};
  ASSERT_TRUE(pixel::write_png(dir_ / "soft.png", soft));
  EXPECT_EQ(run("pixel quantize soft.png -n 2 -o q.png --json", false), 0);
  EXPECT_EQ(nlohmann::json::parse(out_)["pictures"][0]["colors"], 2);
  EXPECT_EQ(run("pixel quantize soft.png -n 2 --indexed -o q.png"), 2);
  EXPECT_NE(out_.find("2 colours make"), std::string::npos) << out_;
  EXPECT_NE(out_.find("sparky pixel alpha"), std::string::npos) << out_;
  EXPECT_EQ(run("pixel alpha soft.png --indexed -o q.png"), 0) << out_;
}

TEST_F(PictureCommands, what_is_taken_of_an_animation_is_said) {
  draw("walk_0.png", 6, 5, 10);
  draw("walk_1.png", 6, 5, 90);
  ASSERT_EQ(run("sheet preview walk_0.png walk_1.png -o walk.gif"), 0) << out_;
  EXPECT_EQ(run("pixel trim walk.gif -o first.png"), 0);
  EXPECT_NE(out_.find("the first of 2 frames"), std::string::npos) << out_;
  EXPECT_EQ(run("pixel trim walk.gif -o first.png --json", false), 0);
  EXPECT_EQ(nlohmann::json::parse(out_)["pictures"][0]["frames_left_out"], 1);
}

TEST_F(PictureCommands, a_seam_is_an_exit_status) {
  Picture ramp(8, 8), flat(8, 8, {9, 9, 9, 255});
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x) ramp.at(x, y) = {uint8_t(x * 30), 0, 0, 255};
  ASSERT_TRUE(pixel::write_png(dir_ / "ramp.png", ramp));
  ASSERT_TRUE(pixel::write_png(dir_ / "flat.png", flat));
  EXPECT_EQ(run("pixel tile flat.png"), 0) << out_;
  EXPECT_EQ(run("pixel tile flat.png ramp.png --json", false), 1);
  EXPECT_EQ(nlohmann::json::parse(out_)["tiles"][1]["seamless_x"], false);
}

TEST_F(PictureCommands, palettes) {
  EXPECT_EQ(run("palette convert pico-8 -o p.ase"), 0) << out_;
  EXPECT_EQ(run("palette sort p.ase --by hue -o p.hex"), 0) << out_;
  EXPECT_EQ(run("palette show p.hex --json", false), 0);
  EXPECT_EQ(nlohmann::json::parse(out_)["colors"].size(), 16u);
  draw("a.png", 6, 5, 10);
  EXPECT_EQ(run("pixel remap a.png -p p.hex --dither bayer4 -o a8.png"), 0) << out_;
  EXPECT_EQ(run("pixel remap a.png -p pico-9 -o a8.png"), 1);
  EXPECT_NE(out_.find("did you mean pico-8?"), std::string::npos) << out_;
}

TEST_F(PictureCommands, sheets_there_and_back) {
  for (int i = 0; i < 4; ++i) draw(fmt::format("walk_{}.png", i), 4 + i, 6, uint8_t(40 * i));
  EXPECT_EQ(run("sheet pack walk_0.png walk_1.png walk_2.png walk_3.png --layout maxrects --trim --padding 1 --extrude "
                "1 --duration 120 "
                "-o s.png --data data/s.json --data s.tres --data s.ron --json",
                false),
            0);
  auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["frames"], 4);
  EXPECT_EQ(json["tags"][0]["name"], "walk");
  EXPECT_EQ(pixel::decode_sheet_json(read_file(dir_ / "data/s.json").value())->image, "../s.png");
  fs::rename(dir_ / "data/s.json", dir_ / "t.json");
  EXPECT_EQ(run("sheet unpack t.json -o back"), 2);  // its picture lies elsewhere now
  EXPECT_NE(out_.find("is no file beside it"), std::string::npos) << out_;
  EXPECT_EQ(run("sheet pack walk_?.png --layout rows --trim -o s.png"), 0) << out_;
  EXPECT_EQ(run("sheet unpack s.json -o back"), 0) << out_;
  for (int i = 0; i < 4; ++i) EXPECT_EQ(read(fmt::format("back/walk_{}.png", i)), read(fmt::format("walk_{}.png", i)));
  EXPECT_EQ(run("sheet convert s.json -o s.tres --texture res://art/s.png"), 0) << out_;
  EXPECT_NE(read_file(dir_ / "s.tres")->find("path=\"res://art/s.png\""), std::string::npos);
}

TEST_F(PictureCommands, frames_through_aseprite_gif_and_apng) {
  for (int i = 0; i < 3; ++i) draw(fmt::format("hop{}.png", i), 5, 3 + i, 200);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(run(fmt::format("pixel pad hop{0}.png --to 12x10 -o hop{0}.png", i)), 0) << out_;
  EXPECT_EQ(run("sheet aseprite hop?.png --tag up=0-2:pingpong --duration 80 -o hop.aseprite"), 0) << out_;
  auto set = pixel::read_sprites({dir_ / "hop.aseprite"}).value();
  ASSERT_EQ(set.sprites.size(), 3u);
  EXPECT_EQ(set.sprites[2].picture, read("hop2.png"));
  EXPECT_EQ(set.sprites[2].duration_ms, 80);
  for (std::string file : {"hop.gif", "hop.png"}) {
    EXPECT_EQ(run("sheet preview hop.aseprite --play up --scale 2 -o " + file), 0) << out_;
    auto animation = pixel::read_animation(dir_ / file).value();
    ASSERT_EQ(animation.frames.size(), 4u) << file;
    EXPECT_EQ(animation.frames[3].picture, pixel::scale_up(read("hop1.png"), 2).value()) << file;
  }
  EXPECT_EQ(run("sheet preview hop.aseprite --play down -o x.gif"), 1);
  EXPECT_NE(out_.find("there are: up"), std::string::npos) << out_;
}

TEST_F(PictureCommands, tilesets) {
  draw("auto.png", 12, 22, 90);  // 16×24: 2×3 tiles of 8×8
  EXPECT_EQ(run("sheet tileset auto.png --autotile --terrain water -o water.tsx"), 0) << out_;
  auto text = read_file(dir_ / "water.tsx").value();
  EXPECT_NE(text.find("<image source=\"water.png\" width=\"64\" height=\"48\"/>"), std::string::npos) << text;
  EXPECT_NE(text.find("wangid=\"1,1,1,1,1,1,1,1\""), std::string::npos);
  EXPECT_EQ(run("sheet tileset water.png --tile 8x8 --wang corner16 -o again.tsx"), 0) << out_;
  EXPECT_EQ(run("sheet tileset water.png --tile 8x8 --wang blob47 -o again.png"), 2);
}

}  // namespace
}  // namespace sparky
