#include "plan/days.h"

#include <gtest/gtest.h>

namespace sparky::plan {
namespace {

TEST(Days, ReadsWhatPeopleWrite) {
  auto read = [](std::string_view text) {
    auto days = parse_days(text);
    EXPECT_TRUE(days) << text << ": " << (days ? "" : days.error().message);
    return days.value_or(Days{-1, -1});
  };
  EXPECT_EQ(read("3-4d"), (Days{3, 4}));
  EXPECT_EQ(read("3-4 days"), (Days{3, 4}));
  EXPECT_EQ(read("3 – 4 days"), (Days{3, 4}));
  EXPECT_EQ(read("3d-4d"), (Days{3, 4}));
  EXPECT_EQ(read("3 to 4 Days"), (Days{3, 4}));
  EXPECT_EQ(read("1 day"), (Days{1, 1}));
  EXPECT_EQ(read("0.5d"), (Days{0.5, 0.5}));
  EXPECT_EQ(read("1-2 weeks"), (Days{5, 10}));
  EXPECT_EQ(read("4 days - 1 week"), (Days{4, 5}));
  EXPECT_EQ(read("4h"), (Days{0.5, 0.5}));
  EXPECT_EQ(parse_days("2w", {.days_per_week = 4, .hours_per_day = 8}).value(), (Days{8, 8}));
}

TEST(Days, RefusesTheRest) {
  for (auto text : {"", "days", "3", "3-4", "-3d", "4-3d", "3-d", "3dd", "3d 4", "1e9d", "nan", "inf d", "3 fortnights",
                    "999999999d", "3-4d soon", "0x3d"})
    EXPECT_FALSE(parse_days(text)) << text;
}

TEST(Days, WritesWhatItReads) {
  for (Days days : {Days{3, 4}, Days{5, 5}, Days{0.5, 1.25}, Days{0, 0}, Days{1.0 / 3, 1e5}})
    EXPECT_EQ(parse_days(text(days)).value(), days) << text(days);
  EXPECT_EQ(human({33, 41}), "33–41 days");
  EXPECT_EQ(human({1, 1}), "1 day");
}

}  // namespace
}  // namespace sparky::plan
