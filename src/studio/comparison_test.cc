#include "studio/comparison.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"

namespace sparky::studio {
namespace {

Comparison example(const std::string& id = "c1") {
  return {.id = id,
          .created = "2025-11-12T14:30:00Z",
          .prompt = "a \"red\" dragon, flying",
          .seed = 7,
          .entries = {{.job = id + "-1", .model = "a"},
                      {.job = id + "-2", .model = "b", .lora = "armor", .lora_strength = 0.8}}};
}

TEST(Comparison, SurvivesItsJson) {
  auto c = example();
  c.entries[0].image = "/x/a.png";
  ASSERT_TRUE(judge(c, "2", "line\nbreak", "2025-11-12T15:00:00Z"));
  auto again = parse_comparison(to_json(c));
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(to_json(*again), to_json(c));
}

TEST(Comparison, NamesTheFieldThatIsWrong) {
  auto refused = [](auto change) {
    Json json = to_json(example());
    change(json);
    auto parsed = parse_comparison(json);
    return parsed ? "" : parsed.error().message;
  };
  EXPECT_EQ(refused([](Json&) {}), "");
  EXPECT_NE(refused([](Json& j) { j.erase("id"); }).find("'id'"), std::string::npos);
  EXPECT_NE(refused([](Json& j) { j["entries"].erase(0); }).find("'entries'"), std::string::npos);
  EXPECT_NE(refused([](Json& j) { j["entries"][0]["model"] = 7; }).find("'model'"), std::string::npos);
  EXPECT_NE(refused([](Json& j) { j["seed"] = -1; }).find("'seed'"), std::string::npos);
  EXPECT_NE(refused([](Json& j) { j["winner"] = "3"; }).find("'winner'"), std::string::npos);
  EXPECT_NE(refused([](Json& j) { j["created"] = "soon"; }).find("'created'"), std::string::npos);
}

TEST(Comparison, TheVerdictIsAnEntryOrATie) {
  auto c = example();
  EXPECT_FALSE(judge(c, "3", "", "t"));
  EXPECT_FALSE(judge(c, "0", "", "t"));
  EXPECT_FALSE(judge(c, "", "", "t"));
  EXPECT_EQ(c.winner, "");
  EXPECT_TRUE(judge(c, "tie", "", "t"));
}

TEST(Comparison, CsvHasTheHeaderThatItsReadersKnow) {
  auto c = example();
  c.entries[0].generation_time_s = 1.25;
  ASSERT_TRUE(judge(c, "2", "it's, \"sharp\"", "2025-11-12T15:00:00Z"));
  std::vector<Comparison> all{c};
  EXPECT_EQ(
      to_csv(all),
      "comparison_id,prompt,seed,model_name,base_model,lora,lora_strength,generation_time_s,winner,notes,"
      "completed_at\r\n"
      "c1,\"a \"\"red\"\" dragon, flying\",7,a,,,,1.250,false,\"it's, \"\"sharp\"\"\",2025-11-12T15:00:00Z\r\n"
      "c1,\"a \"\"red\"\" dragon, flying\",7,b,,armor,0.8,,true,\"it's, \"\"sharp\"\"\",2025-11-12T15:00:00Z\r\n");
}

TEST(Comparison, StandingsCountVerdictsOnly) {
  std::vector<Comparison> all{example("1"), example("2"), example("3"), example("4")};
  ASSERT_TRUE(judge(all[0], "2", "", "t"));
  ASSERT_TRUE(judge(all[1], "2", "", "t"));
  ASSERT_TRUE(judge(all[2], "tie", "", "t"));
  auto s = standings(all);
  ASSERT_EQ(s.size(), 2u);
  EXPECT_EQ(s[0].model, "b + armor");
  EXPECT_EQ(s[0].judged, 3);
  EXPECT_EQ(s[0].wins, 2);
  EXPECT_DOUBLE_EQ(s[0].win_rate(), 2.5 / 3);
  EXPECT_DOUBLE_EQ(s[1].win_rate(), 0.5 / 3);
}

TEST(Comparison, TakesPictureAndTimeFromItsJob) {
  auto c = example();
  Json job{{"id", "c1-2"},
           {"state", "completed"},
           {"started", "2025-11-12T14:30:00Z"},
           {"finished", "2025-11-12T14:30:02.500Z"},
           {"result", {{"image_path", "/p/outputs/x.png"}}}};
  take_job(c, job);
  EXPECT_EQ(c.entries[1].image, "/p/outputs/x.png");
  EXPECT_DOUBLE_EQ(c.entries[1].generation_time_s, 2.5);
  EXPECT_EQ(c.entries[0].image, "");
}

TEST(Comparison, SideBySideEnlargesByWholeFactorsAndFramesTheWinner) {
  pixel::Picture red(32, 32, {255, 0, 0, 255}), blue(64, 64, {0, 0, 255, 255});
  std::vector<pixel::Picture> both{red, blue};
  auto out = side_by_side(both, 1);
  EXPECT_EQ(out.width, 8 + 256 + 8 + 256 + 8);
  EXPECT_EQ(out.height, 256 + 16);
  EXPECT_EQ(out.at(8, 8), (pixel::Rgba{255, 0, 0, 255}));
  EXPECT_EQ(out.at(8 + 256 + 8, 8), (pixel::Rgba{0, 0, 255, 255}));
  EXPECT_EQ(out.at(8 + 256 + 7, 8), (pixel::Rgba{255, 200, 40, 255}));
  EXPECT_EQ(out.at(7, 8), (pixel::Rgba{}));
}

TEST(ComparisonStore, KeepsAndReplaces) {
  auto directory = std::move(*TemporaryDirectory::make());
  ComparisonStore store(directory.path());
  EXPECT_TRUE(store.list().value().empty());
  auto older = example("old"), newer = example("new");
  newer.created = "2025-11-13T00:00:00Z";
  ASSERT_TRUE(store.save(newer));
  ASSERT_TRUE(store.save(older));
  ASSERT_TRUE(judge(older, "1", "", "t"));
  ASSERT_TRUE(ComparisonStore(directory.path()).save(older));
  auto all = store.list().value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].id, "new");
  EXPECT_EQ(all[1].winner, "1");
}

}  // namespace
}  // namespace sparky::studio
