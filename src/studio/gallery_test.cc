#include "studio/gallery.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "pixel/files.h"
#include "studio/answers.h"
#include "studio/sprite_request.h"

namespace sparky::studio {
namespace {
namespace fs = std::filesystem;

struct Project {
  TemporaryDirectory directory = std::move(*TemporaryDirectory::make());
  fs::path path = directory.path();

  void draw(const std::string& name, const std::string& prompt, uint64_t seed, const std::string& model = "sprite-32") {
    SpriteRequest request{.model = "/models/" + model, .prompt = prompt};
    pixel::Picture picture(32, 16, {1, 2, 3, 255});
    ASSERT_TRUE(pixel::write_png(path / "outputs" / name, picture, {.text = png_text(request, seed, "abc", "1")}));
  }
  void set_time(const std::string& name, int64_t seconds) {
    auto t = std::chrono::file_clock::from_sys(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
    fs::last_write_time(path / "outputs" / name, t);
  }
};

std::vector<std::string> paths(Gallery& gallery, const GalleryQuery& query = {}) {
  auto found = gallery.list(query);
  EXPECT_TRUE(found) << found.error().text();
  std::vector<std::string> out;
  for (auto* p : *found) out.push_back(p->path);
  return out;
}
using Paths = std::vector<std::string>;

TEST(Gallery, TellsTheStoryOfEachPictureNewestFirst) {
  Project project;
  project.draw("jobs/a/dragon.png", "a red dragon", 7);
  project.draw("knight.png", "a knight", 8, "other");
  project.set_time("jobs/a/dragon.png", 1'000'000);
  project.set_time("knight.png", 2'000'000);
  Gallery gallery(project.path);
  EXPECT_EQ(paths(gallery), (Paths{"knight.png", "jobs/a/dragon.png"}));
  auto* dragon = (*gallery.list({.search = "DRAGON red"}))[0];
  EXPECT_EQ(dragon->prompt, "a red dragon");
  EXPECT_EQ(dragon->model, "sprite-32");
  EXPECT_EQ(dragon->seed, 7u);
  EXPECT_EQ(dragon->width, 32);
  EXPECT_EQ(dragon->height, 16);
  EXPECT_EQ(paths(gallery, {.model = "other"}), Paths{"knight.png"});
  EXPECT_EQ(paths(gallery, {.seed = 7}), Paths{"jobs/a/dragon.png"});
  EXPECT_EQ(paths(gallery, {.since = parse_iso("1970-01-20").value()}), Paths{"knight.png"});
  EXPECT_EQ(paths(gallery, {.until = parse_iso("1970-01-20").value()}), Paths{"jobs/a/dragon.png"});
}

TEST(Gallery, FindsWhatIsNewChangedOrGone) {
  Project project;
  Gallery gallery(project.path);
  EXPECT_EQ(paths(gallery), Paths{});
  auto empty = gallery.version();
  EXPECT_EQ(paths(gallery), Paths{});
  EXPECT_EQ(gallery.version(), empty) << "nothing has changed";
  project.draw("a.png", "one", 1);
  EXPECT_EQ(paths(gallery), Paths{"a.png"});
  EXPECT_NE(gallery.version(), empty);
  project.draw("a.png", "another one", 1);
  EXPECT_EQ(paths(gallery, {.search = "another"}), Paths{"a.png"});
  fs::remove(project.path / "outputs/a.png");
  EXPECT_EQ(paths(gallery), Paths{});
}

TEST(Gallery, LeavesOutPreviewsHiddenFilesLinksAndWhatIsNoPicture) {
  Project project;
  project.draw("previews/j/p.png", "x", 1);
  project.draw(".trash/1/x.png", "x", 1);
  project.draw("real.png", "x", 1);
  ASSERT_TRUE(write_file_atomic(project.path / "outputs/words.txt", "no picture"));
  ASSERT_TRUE(write_file_atomic(project.path / "outputs/broken.png", "no picture"));
  fs::create_symlink("/etc/passwd", project.path / "outputs/link.png");
  Gallery gallery(project.path);
  auto found = paths(gallery);
  std::ranges::sort(found);
  EXPECT_EQ(found, (Paths{"broken.png", "real.png"}));
  EXPECT_TRUE(gallery.read("previews/j/p.png", 0, 10)) << "a preview can be read";
  EXPECT_EQ(gallery.read("link.png", 0, 10).error().code, Errc::denied);
  EXPECT_EQ(gallery.read("../sparky.toml", 0, 10).error().code, Errc::not_found);
  EXPECT_EQ(gallery.read("/etc/passwd", 0, 10).error().code, Errc::denied);
}

TEST(Gallery, StarsAndTagsSurvive) {
  Project project;
  project.draw("a.png", "one", 1);
  {
    Gallery gallery(project.path);
    ASSERT_TRUE(gallery.mark({"a.png"}, {.star = true, .add_tags = {"hero", "draft"}}));
    ASSERT_TRUE(gallery.mark({(project.path / "outputs/a.png").string()}, {.remove_tags = {"draft"}}));
    EXPECT_EQ(gallery.mark({"b.png"}, {.star = true}).error().code, Errc::not_found);
    EXPECT_EQ(gallery.mark({"a.png"}, {.add_tags = {"a,b"}}).error().code, Errc::invalid);
    EXPECT_EQ(gallery.mark({"a.png"}, {.add_tags = {"\x1b[2J"}}).error().code, Errc::invalid);
  }
  Gallery again(project.path);
  EXPECT_EQ(paths(again, {.tag = "hero"}), Paths{"a.png"});
  EXPECT_EQ(paths(again, {.tag = "draft"}), Paths{});
  EXPECT_EQ(paths(again, {.starred = true}), Paths{"a.png"});
}

TEST(Gallery, DeletedPicturesComeBackWithTheirMarks) {
  Project project;
  project.draw("jobs/a/x.png", "one", 1);
  project.draw("y.png", "two", 2);
  Gallery gallery(project.path);
  ASSERT_TRUE(gallery.mark({"y.png"}, {.star = true}));
  EXPECT_EQ(gallery.remove({"jobs/a/x.png", "nowhere.png"}).error().code, Errc::not_found);
  EXPECT_EQ(paths(gallery).size(), 2u) << "all or nothing";
  EXPECT_EQ(gallery.remove({"jobs/a/x.png", "y.png"}).value(), 2u);
  EXPECT_EQ(paths(gallery), Paths{});
  Gallery again(project.path);
  EXPECT_EQ(again.restore("y.png").value(), Paths{"y.png"});
  EXPECT_EQ(paths(again, {.starred = true}), Paths{"y.png"});
  project.draw("jobs/a/x.png", "a new one in its place", 1);
  EXPECT_EQ(again.restore("").error().code, Errc::exists);
  fs::remove(project.path / "outputs/jobs/a/x.png");
  EXPECT_EQ(again.restore("").value(), Paths{"jobs/a/x.png"});
  EXPECT_EQ(paths(again, {.search = "one"}), Paths{"jobs/a/x.png"});
  EXPECT_EQ(again.restore("").error().code, Errc::not_found);
}

TEST(Gallery, RefusesARecordThatItDidNotWrite) {
  Project project;
  project.draw("a.png", "one", 1);
  ASSERT_TRUE(write_file_atomic(project.path / ".sparky/gallery.json",
                                R"({"marks":{},"deletions":[{"id":1,"paths":["../../etc/passwd"]}]})"));
  Gallery gallery(project.path);
  EXPECT_EQ(gallery.list({}).error().code, Errc::corrupt);
}

TEST(Answers, PicturesInPartsAndUnchangedLists) {
  Project project;
  project.draw("a.png", "one", 1);
  Answers answers(project.path, {});
  auto list = std::get<wire::GalleryList>(answers(wire::ListGallery{}));
  EXPECT_EQ(list.total, 1u);
  auto again = std::get<wire::GalleryList>(answers(wire::ListGallery{.known = list.version}));
  EXPECT_TRUE(again.unchanged);
  EXPECT_TRUE(again.pictures->empty());
  auto part = std::get<wire::PicturePart>(answers(wire::ReadPicture{.path = "a.png", .offset = 4, .max = 10}));
  auto whole = read_file(project.path / "outputs/a.png").value();
  EXPECT_EQ(part.data.data, whole.substr(4, 10));
  EXPECT_EQ(part.size, whole.size());
  auto described = std::get<wire::PictureState>(answers(wire::ShowPicture{"a.png"}));
  EXPECT_EQ(described.picture->at("request").at("prompt"), "one");
  EXPECT_EQ(std::get<wire::ErrorReply>(answers(wire::ShowPicture{"b.png"})).code, "not_found");
}

TEST(Answers, ModelsWithHashCardAndLastUse) {
  Project project;
  auto models = project.path / "m";
  ASSERT_TRUE(write_file_atomic(models / "sprite-32/config.json", "{}"));
  ASSERT_TRUE(write_file_atomic(models / "sprite-32/model.safetensors", "weights"));
  ASSERT_TRUE(write_file_atomic(models / "sprite-32/card.md", "# A card"));
  ASSERT_TRUE(write_file_atomic(models / "half/config.json", "{}"));
  ASSERT_TRUE(write_file_atomic(models / "loras/armor.safetensors", "x"));
  project.draw("a.png", "one", 1);
  Answers answers(project.path, {models});
  auto all = *std::get<wire::ModelDescriptions>(answers(wire::DescribeModels{})).models;
  ASSERT_EQ(all.size(), 2u) << "a folder without weights is no model";
  EXPECT_EQ(all[0]["name"], "armor");
  EXPECT_EQ(all[0]["type"], "lora");
  EXPECT_EQ(all[1]["name"], "sprite-32");
  EXPECT_EQ(all[1]["card"], "# A card");
  EXPECT_EQ(all[1]["sha256"], "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c")
      << "sha256 of `weights`";
  EXPECT_TRUE(all[1].contains("used"));
}

}  // namespace
}  // namespace sparky::studio
