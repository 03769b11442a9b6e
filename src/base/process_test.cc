#include "base/process.h"

#include <gtest/gtest.h>

namespace sparky {
namespace {

TEST(Process, CollectsBothStreamsAndTheCode) {
  auto done = run_program({"sh", "-c", "echo out; echo err >&2; exit 3"});
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(done->code, 3);
  EXPECT_EQ(done->out, "out\n");
  EXPECT_EQ(done->err, "err\n");
}

TEST(Process, FeedsMoreThanAPipeHolds) {
  std::string input(1 << 20, 'x');
  auto done = run_program({"cat"}, {.input = input});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->out, input);
}

TEST(Process, SurvivesAProgramThatDoesNotRead) {
  auto done = run_program({"true"}, {.input = std::string(1 << 20, 'x')});
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(done->code, 0);
}

TEST(Process, EnvironmentAndDirectory) {
  auto done = run_program({"sh", "-c", "echo $A$HOME; pwd"}, {.cwd = "/", .env = {"A=1", "HOME"}});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->out, "1\n/\n");
}

TEST(Process, TimeoutKillsTheGroup) {
  auto done = run_program({"sh", "-c", "sleep 100 & sleep 100"}, {.timeout = Duration(200)});
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is(Errc::unavailable)) << done.error().text();
}

TEST(Process, TooMuchOutputIsStopped) {
  auto done = run_program({"yes"}, {.output_max_bytes = 100'000});
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is(Errc::full));
}

TEST(Process, WithoutATimeoutItWaitsAndErrorsMayPass) {
  auto done =
      run_program({"sh", "-c", "sleep 0.2; echo late; kill -9 $$"}, {.timeout = Duration(0), .pass_errors = true});
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(done->code, 137);
  EXPECT_EQ(done->out, "late\n");
  EXPECT_TRUE(run_program({}).error().is(Errc::invalid));
}

TEST(Process, AMissingProgramIsNotFound) {
  auto done = run_program({"no such program"});
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is(Errc::not_found)) << done.error().text();
}

TEST(Process, CheckedSaysWhy) {
  auto failed = run_checked({"sh", "-c", "echo because >&2; exit 1"});
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("because"), std::string::npos);
}

}  // namespace
}  // namespace sparky
