#include "tui/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace sparky::tui {
namespace {

using namespace std::chrono_literals;

// A line that takes what its reader takes: a pipe that does not block.
struct Line {
  Fd reader, writer;
  Line() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    reader = Fd(ends[0]);
    writer = Fd(ends[1]);
    ::fcntl(writer.get(), F_SETPIPE_SZ, 4096);
  }
  std::string read(size_t most = 1 << 20) {
    std::string bytes(most, '\0');
    ssize_t n = ::read(reader.get(), bytes.data(), bytes.size());
    bytes.resize(n > 0 ? size_t(n) : 0);
    return bytes;
  }
};

TEST(Output, FramesWaitForTheAnswersToThoseBefore) {
  Line line;
  Output out(line.writer.get(), true);
  Output::Clock::time_point now{};
  ASSERT_TRUE(out.ready(now));
  out.send(std::string(1500, 'a'), now);
  auto came = line.read();
  EXPECT_EQ(came.substr(0, 1500), std::string(1500, 'a'));
  EXPECT_EQ(came.substr(1500), "\x1b[c");
  EXPECT_TRUE(out.ready(now)) << "a little ahead is well, for lines that are long and not slow";
  out.send(std::string(1500, 'b'), now);
  EXPECT_FALSE(out.ready(now));
  out.heard();
  EXPECT_TRUE(out.ready(now));
  EXPECT_EQ(out.unanswered(), 1u);
  out.heard();
  out.heard();  // one that nobody here asked for
  EXPECT_EQ(out.unanswered(), 0u);
}

TEST(Output, AnAnswerThatNeverComesHoldsNothingUpForLong) {
  Line line;
  Output out(line.writer.get(), true);
  Output::Clock::time_point now{};
  out.send(std::string(3000, 'a'), now);
  EXPECT_FALSE(out.ready(now + 1s));
  EXPECT_TRUE(out.ready(now + 11s));
}

TEST(Output, ALineThatIsFullIsNotWaitedFor) {
  Line line;
  Output out(line.writer.get(), false);
  Output::Clock::time_point now{};
  out.send(std::string(10'000, 'x'), now);  // returns at once
  EXPECT_TRUE(out.blocked());
  EXPECT_FALSE(out.ready(now));
  std::string got;
  while (got.size() < 10'000) {
    auto some = line.read();
    ASSERT_FALSE(some.empty()) << "after " << got.size();
    got += some;
    out.pump();
  }
  EXPECT_EQ(got, std::string(10'000, 'x'));
  EXPECT_TRUE(out.ready(now)) << "and no question behind it, since there is no answer";
}

TEST(Output, NobodyThereIsNoticed) {
  Line line;
  Output out(line.writer.get(), true);
  line.reader.reset();
  ::signal(SIGPIPE, SIG_IGN);
  out.send("x", {});
  EXPECT_TRUE(out.broken());
}

}  // namespace
}  // namespace sparky::tui
