#include "cli/status_view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace sparky::cli {
namespace {

Json sample() {
  return *parse_json(R"({"run":3,"plan":"p","state":"running","progress":0.5,"slots":{"used":1,"all":2},
    "eta":"2025-01-01T01:00:00Z",
    "orchestrators":[{"orchestrator":"Foundation","id":"foundation","status":"active",
      "phase":"sequential","progress":0.5,"order":["WS-02","WS-01","WS-03","WS-04"],
      "workstreams":{"WS-01":{"status":"complete","stage":"completed","criteria":{"verified":2,"untestable":1}},
                     "WS-02":{"status":"in_progress","stage":"running","progress":0.65,"since":"2025-01-01T00:00:00Z",
                              "doing":"reading \u001b[2J disks"},
                     "WS-03":{"status":"blocked","stage":"waiting","blocker":"WS-02 incomplete"},
                     "WS-04":{"status":"blocked","stage":"waiting","left_out":true}}}],
    "gates":[{"id":"gate-1","name":"Gate 1","status":"blocked","stage":"waiting","waits_for":["WS-03"],
              "criteria":[{"text":"a GPU","verdict":"untestable"}]}],
    "decisions":[{"id":"D7","target":"WS-09","text":"Is it done?"}],"escalations":[
      {"type":"failed","severity":"critical","target":"WS-04","text":"WS-04 failed: exit status 1",
       "affected":["A","B","C","D"]}]})");
}
const Time t = *parse_iso("2025-01-01T00:00:30Z");

TEST(StatusView, ShowsAllThatMatters) {
  auto text = status_view(sample(), t, {});
  EXPECT_NE(text.find("p  run 3  running  ██████████░░░░░░░░░░ 50 %  ETA in 59m 30s  slots 1/2\n"), text.npos) << text;
  EXPECT_NE(text.find("✓ WS-01  completed  1 untestable, 2 verified\n"), text.npos) << text;
  EXPECT_NE(text.find("● WS-02  running 65 %  30s  reading \\x1b[2J disks\n"), text.npos) << text;
  EXPECT_NE(text.find("· WS-03  waiting  WS-02 incomplete\n"), text.npos) << text;
  EXPECT_NE(text.find("untestable: a GPU\n"), text.npos) << text;
  EXPECT_NE(text.find("sparky decide D7 approve|reject|waive"), text.npos) << text;
  EXPECT_NE(text.find("! WS-04 failed: exit status 1  (holds back A, B, C and 1 more)\n"), text.npos) << text;
  EXPECT_NE(text.find("1/4  1 left out\n"), text.npos) << "--until leaves out by the number, not line by line\n"
                                                       << text;
  EXPECT_EQ(text.find("WS-04 "), text.find("WS-04 failed")) << text;
  EXPECT_LT(text.find("WS-02  running"), text.find("WS-01  completed")) << "in the order of the plan:\n" << text;
  EXPECT_EQ(text.find('\x1b'), text.npos) << "no colours unless asked for";
}

TEST(StatusView, WithLittleRoomWhatIsDoneOrWaitsGivesWay) {
  auto text = status_view(sample(), t, {.rows = 9});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 9) << text;
  EXPECT_NE(text.find("WS-02"), text.npos) << text;
  EXPECT_EQ(text.find("WS-01"), text.npos) << text;
  EXPECT_NE(text.find("D7"), text.npos) << text;
}

TEST(Fitted, CountsColumnsNotBytes) {
  EXPECT_EQ(fitted("abc", 3), "abc");
  EXPECT_EQ(fitted("abcd", 3), "ab…");
  EXPECT_EQ(fitted("日本語", 5), "日本…");
  EXPECT_EQ(fitted("日本語", 6), "日本語");
  EXPECT_EQ(fitted("\x1b[31mred\x1b[0m", 3), "\x1b[31mred\x1b[0m");
  EXPECT_EQ(fitted("\x1b[31mredder\x1b[0m", 3), "\x1b[31mre…\x1b[0m");
  EXPECT_EQ(fitted("\xff\xff\xff\xff", 3), "\xff\xff…");
}

}  // namespace
}  // namespace sparky::cli
