#include "tui/glide.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tui/test_studio.h"

namespace sparky::tui {
namespace {

using namespace std::chrono_literals;

// Whatever is told when: what is shown never goes beyond it, never back while it rises, and is there a second later.
RC_GTEST_PROP(Glide, IsNeverAheadNorBackAndArrives, ()) {
  Glide glide;
  Time now{1000s};
  double told = 0, shown = 0;
  for (int n = *rc::gen::inRange(1, 20); n > 0; --n) {
    now += std::chrono::milliseconds(*rc::gen::inRange(0, 3000));
    RC_ASSERT(glide.told() < 0 || glide.at(now) >= shown);
    if (glide.told() >= 0) shown = glide.at(now);
    told = std::min(1.0, told + *rc::gen::inRange(0, 100) / 400.0);
    glide.tell(told, now);
    for (int i = *rc::gen::inRange(0, 5); i > 0; --i) {
      now += std::chrono::milliseconds(*rc::gen::inRange(0, 40));
      RC_ASSERT(glide.at(now) >= shown);
      RC_ASSERT(glide.at(now) <= told);
      shown = glide.at(now);
    }
  }
  RC_ASSERT(glide.at(now + 1s) == told);
  RC_ASSERT(!glide.next(now + 1s, 100));
}

// Until the time that next() gives nothing looks different, and then it does, or it has arrived.
RC_GTEST_PROP(Glide, SaysWhenItLooksDifferent, ()) {
  Time now{1000s};
  Glide glide(0.1);
  auto between = std::chrono::milliseconds(*rc::gen::inRange(1, 1000));
  glide.tell(0.2, now);
  glide.tell(0.2 + *rc::gen::inRange(1, 60) / 100.0, now += between);
  int steps = *rc::gen::inRange(1, 400);
  auto step = [&](Time t) { return std::floor(glide.at(t) * steps + Glide::part_rounding); };
  for (int n = 0; n < 2000; ++n) {
    auto next = glide.next(now, steps);
    if (!next) break;
    RC_ASSERT(*next > now);
    RC_ASSERT(*next <= now + 2ms || step(*next - 2ms) == step(now));  // to a millisecond
    RC_ASSERT(step(*next) > step(now) || glide.at(*next) == glide.told());
    now = *next;
  }
  RC_ASSERT(glide.at(now) == glide.told());
}

TEST(Glide, AFallIsShownAtOnce) {
  Glide glide(0.8);
  glide.tell(0.1, Time{5s});  // tried again
  EXPECT_EQ(glide.at(Time{5s}), 0.1);
}

// A bar moves between two tellings, as finely as its cells have eighths; then the screen is at rest.
TEST(Studio, BarsMoveBetweenWhatIsTold) {
  auto m = example(100, 30);
  m.tab = Tab::queue;
  Stage stage(terminal());
  auto rest = drawn(m, stage);
  EXPECT_FALSE(stage.moves);
  auto tell = [&](double progress) {
    handle(m, wire::Progress{.job_id = "tui-1", .stage = "sampling", .progress = progress});
  };
  tell(0.45);
  m.now += 500ms;
  tell(0.75);
  std::set<std::string> frames{drawn(m, stage)};
  ASSERT_TRUE(stage.moves);
  int drawings = 1;
  while (stage.moves) {
    m.now = *stage.moves;
    frames.insert(drawn(m, stage));
    ASSERT_LT(++drawings, 100);
  }
  EXPECT_GT(drawings, 40) << "0.3 of 24 cells of eight eighths";
  EXPECT_GE(int(frames.size()), drawings - 1) << "no frame for nothing";
  EXPECT_NE(drawn(m, stage).find(" 75 %"), std::string::npos) << drawn(m, stage);
  // A list that is older than what was told moves nothing back, and the bar goes on from where it is.
  auto jobs = m.jobs;
  m.now += 500ms;
  tell(0.9);
  m.now += 250ms;
  auto half_way = m.jobs[0].progress.at(m.now);
  EXPECT_GT(half_way, 0.75);
  EXPECT_LT(half_way, 0.9);
  jobs[0].progress = 0.6;
  take_jobs(m, jobs, false);
  EXPECT_EQ(m.jobs[0].progress.at(m.now), half_way);
  EXPECT_EQ(m.jobs[0].progress.told(), 0.9);
}

}  // namespace
}  // namespace sparky::tui
