// The local executor against the real warden: real processes, real kills.
#include "executors/local.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "base/files.h"
#include "warden/process.h"
#include "warden/spool.h"

namespace sparky::executors {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Kind = ExecutorEvent::Kind;

// A project directory with a warden that is gone when the test ends, with all that it may have left.
class Local : public testing::Test {
 protected:
  void SetUp() override { make_root("sparky local test"); }
  void make_root(const std::string& name) {
    std::string pattern = (fs::temp_directory_path() / (name + ".XXXXXX")).string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    roots_.push_back(root_ = pattern);
  }
  void TearDown() override {
    executor_.reset();
    for (auto& root : roots_) {
      root_ = root;
      kill_warden(SIGTERM);
      for (auto& p : marked()) kill(p.pid, SIGKILL);
      fs::remove_all(root);
    }
  }

  fs::path directory() const { return root_ / ".sparky" / "warden"; }
  LocalOptions options(unsigned slots) const {
    return {.directory = directory(), .program = SPARKY_BIN_DIR "/sparky-warden", .slots = slots};
  }
  void connect(unsigned slots = 2, const std::vector<std::string>& known = {}) {
    auto connected = connect_or_start(options(slots));
    ASSERT_TRUE(connected) << connected.error().text();
    executor_ = std::move(*connected);
    events_.clear();
    executor_->reconcile(known);
    executor_->flush();
    EXPECT_TRUE(until(Kind::reconciled));
  }
  AttemptSpec spec(const std::string& id, const std::string& command) const {
    AttemptSpec s{.id = id, .command = command, .cwd = root_};
    s.log = root_ / "logs" / (id + ".log");
    s.grace = 10s;
    return s;
  }
  void start(AttemptSpec s) {
    executor_->start(std::move(s));
    executor_->flush();
  }
  // Pumps until `done` holds for an event; all events are kept in events_.
  ::testing::AssertionResult until(const std::function<bool(const ExecutorEvent&)>& done,
                                   std::chrono::seconds limit = 60s) {
    auto end = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < end) {
      pollfd p{executor_->fd(), POLLIN, 0};
      ::poll(&p, 1, 1000);
      bool found = false;
      for (auto& e : executor_->pump(now())) {
        events_.push_back(e);
        found = found || done(e);
      }
      if (found) return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << "nothing came within " << limit.count() << " s";
  }
  // Such an event has come since events_ was cleared, or comes now.
  ::testing::AssertionResult until(Kind kind, const std::string& id = {}) {
    auto it = [&](auto& e) { return e.kind == kind && (id.empty() || e.id == id); };
    if (std::any_of(events_.begin(), events_.end(), it)) return ::testing::AssertionSuccess();
    return until(it);
  }
  const ExecutorEvent& last(Kind kind, const std::string& id) const {
    static const ExecutorEvent none;
    auto found = std::find_if(events_.rbegin(), events_.rend(), [&](auto& e) { return e.kind == kind && e.id == id; });
    return found == events_.rend() ? none : *found;
  }
  Exit run(AttemptSpec s) {
    start(s);
    auto ended = [&](auto& e) {
      if (e.kind == Kind::not_started && e.id == s.id) start(s);
      return e.kind == Kind::exited && e.id == s.id;
    };
    EXPECT_TRUE(until(ended)) << s.id;
    return last(Kind::exited, s.id).exit;
  }
  int count(Kind kind, const std::string& id) const {
    return int(std::count_if(events_.begin(), events_.end(), [&](auto& e) { return e.kind == kind && e.id == id; }));
  }
  std::string text(const fs::path& path) const { return read_file(path).value_or(""); }
  std::string log(const std::string& id) const { return text(root_ / "logs" / (id + ".log")); }

  // All processes that bear this project's mark.
  std::vector<warden::Process> marked() const {
    auto out = warden::list_processes();
    auto where = fs::weakly_canonical(directory()).string();
    std::erase_if(out, [&](auto& p) { return p.pid == getpid() || warden::marks_of(p.pid).directory != where; });
    return out;
  }
  pid_t warden_pid() const {
    auto where = directory().string();
    for (auto& p : warden::list_processes()) {
      auto arguments = read_file("/proc/" + std::to_string(p.pid) + "/cmdline").value_or("");
      if (arguments.find(std::string("sparky-warden") + '\0' + where + '\0') != arguments.npos) return p.pid;
    }
    return 0;
  }
  // And waits until it is gone.
  void kill_warden(int signal) {
    pid_t pid = warden_pid();
    if (pid == 0) return;
    kill(pid, signal);
    for (int i = 0; i < 3000 && warden_pid() == pid; ++i) usleep(10'000);
    ASSERT_NE(warden_pid(), pid);
  }
  void wait_for(const std::function<bool()>& what) {
    for (int i = 0; i < 6000; ++i) {
      if (what()) return;
      usleep(10'000);
    }
    FAIL() << "waited for a minute";
  }

  fs::path root_;
  std::vector<fs::path> roots_;
  std::unique_ptr<Executor> executor_;
  std::vector<ExecutorEvent> events_;
};

TEST_F(Local, RunsACommandAndTellsHowItEnded) {
  connect();
  auto exit = run(spec("a", "echo out; echo err >&2; exit 3"));
  EXPECT_EQ(exit.ending, Ending::exited);
  EXPECT_EQ(exit.code, 3);
  EXPECT_FALSE(exit.ok());
  EXPECT_EQ(log("a"), "out\nerr\n");
  EXPECT_EQ(exit.output_bytes, 8u);
  EXPECT_EQ(exit.strays, 0u);
  EXPECT_EQ(count(Kind::started, "a"), 1);
  EXPECT_TRUE(run(spec("b", "true")).ok());
  EXPECT_FALSE(fs::exists(root_ / "logs" / "b.log"));
  EXPECT_EQ(run(spec("c", "kill -9 $$")).code, 9);
  EXPECT_EQ(last(Kind::exited, "c").exit.ending, Ending::signaled);
}

TEST_F(Local, GivesTheAttemptItsEnvironmentDirectoryAndNothingElse) {
  connect();
  auto s = spec("env",
                "echo $SPARKY_ATTEMPT; echo $COLOUR; echo ${HOME-none}; pwd; ls /proc/self/fd | tr '\\n' ' ';"
                "cat; ps -o sid= -p $$ | tr -d ' '; echo $$; trap");
  s.env = {"COLOUR=deep red=ish", "HOME"};
  EXPECT_TRUE(run(s).ok());
  std::istringstream lines(log("env"));
  std::vector<std::string> l;
  for (std::string line; std::getline(lines, line);) l.push_back(line);
  ASSERT_EQ(l.size(), 6u) << log("env");
  EXPECT_EQ(l[0], "env");
  EXPECT_EQ(l[1], "deep red=ish");
  EXPECT_EQ(l[2], "none");
  EXPECT_EQ(l[3], root_.string());
  auto descriptors = l[4].substr(0, 8);
  EXPECT_EQ(descriptors, "0 1 2 3 ") << "besides the three, only what ls has opened itself";
  EXPECT_EQ(l[4].substr(8), l[5]) << "it leads its own session";
}

TEST_F(Local, SaysWhyACommandCouldNotBeStarted) {
  connect();
  EXPECT_EQ(run(spec("none", "sparky-no-such-command")).code, 127);
  auto direct = spec("direct", "");
  direct.argv = {"sparky-no-such-program", "x"};
  auto exit = run(direct);
  EXPECT_EQ(exit.ending, Ending::spawn_error);
  EXPECT_EQ(exit.code, ENOENT);
  EXPECT_NE(exit.note.find("sparky-no-such-program"), exit.note.npos);
  auto lost = spec("lost", "true");
  lost.cwd = root_ / "not there";
  exit = run(lost);
  EXPECT_EQ(exit.ending, Ending::spawn_error);
  EXPECT_NE(exit.note.find("not there"), exit.note.npos) << exit.note;
  auto file = spec("file", "true");
  file.cwd = "/etc/passwd";
  EXPECT_NE(run(file).note.find("not a directory"), std::string::npos);
  EXPECT_EQ(run(spec("long", "true " + std::string(200'000, 'x'))).code, E2BIG);
  auto odd = spec("a=b", "true");
  EXPECT_EQ(run(odd).ending, Ending::spawn_error);
  EXPECT_TRUE(run(spec("\xf0\x9f\x90\x89 dragon ../.. \"'", "echo $SPARKY_ATTEMPT")).ok());
}

TEST_F(Local, KeepsBinaryOutputAndReportsProgress) {
  connect();
  auto s = spec("p",
                "printf 'a\\0b\\377\\n::progress 0.5 half  way\\n x ::progress 0.9 no\\n'; sleep 0.3;"
                "echo '::progress 1 done'; echo '::progress 7 no'");
  EXPECT_TRUE(run(s).ok());
  EXPECT_EQ(log("p").substr(0, 5), std::string("a\0b\xff\n", 5));
  std::vector<std::pair<double, std::string>> seen;
  for (auto& e : events_)
    if (e.kind == Kind::progress) seen.push_back({e.fraction, e.text});
  EXPECT_EQ(seen, (std::vector<std::pair<double, std::string>>{{0.5, "half  way"}, {1, "done"}}));
}

TEST_F(Local, AFloodOfOutputIsBounded) {
  connect();
  auto s = spec("flood", "echo first; head -c 60000000 /dev/zero | tr '\\0' x; echo; echo last");
  s.log_max_bytes = 1 << 20;
  start(s);
  uint64_t most = 0;
  EXPECT_TRUE(until(Kind::exited, "flood"));
  struct stat st{};
  ASSERT_EQ(stat((root_ / "logs" / "flood.log").c_str(), &st), 0);
  most = uint64_t(st.st_blocks) * 512;
  EXPECT_LT(most, 2u << 20);
  auto exit = last(Kind::exited, "flood").exit;
  EXPECT_EQ(exit.output_bytes, 60'000'012u);
  auto kept = log("flood");
  EXPECT_TRUE(kept.starts_with("first\n"));
  EXPECT_TRUE(kept.ends_with("x\nlast\n"));
  auto line = "[sparky: " + std::to_string(exit.log_cut_bytes) + " bytes of output cut here]\n";
  EXPECT_NE(kept.find(line), kept.npos);
  EXPECT_EQ(kept.size() + exit.log_cut_bytes, exit.output_bytes + line.size() + 1);
}

TEST_F(Local, TimeoutAndCancelEndTheWholeTree) {
  connect(3);
  auto slow = spec("slow", "sleep 1000 & sleep 1000");
  slow.timeout = 300ms;
  auto stubborn = spec("stubborn", "trap '' TERM; echo ready; while :; do sleep 1000; done");
  stubborn.timeout = 300ms;
  stubborn.grace = 300ms;
  start(slow);
  start(stubborn);
  EXPECT_TRUE(until(Kind::exited, "slow"));
  EXPECT_TRUE(until(Kind::exited, "stubborn"));
  for (auto& e : events_) {
    if (e.kind != Kind::exited) continue;
    EXPECT_TRUE(e.exit.timed_out);
    EXPECT_FALSE(e.exit.cancelled);
    EXPECT_EQ(e.exit.ending, Ending::signaled);
    EXPECT_EQ(e.exit.code, e.id == "slow" ? SIGTERM : SIGKILL);
  }
  // Its main process ends at SIGTERM; a child that ignores it, in a session of its own, does not.
  start(spec("tree", "setsid sh -c 'trap \"\" TERM; echo up; while :; do sleep 1000; done' & wait"));
  EXPECT_TRUE(until(Kind::started, "tree"));
  wait_for([&] { return log("tree") == "up\n"; });
  executor_->cancel("tree", 200ms);
  executor_->flush();
  EXPECT_TRUE(until(Kind::exited, "tree"));
  EXPECT_TRUE(last(Kind::exited, "tree").exit.cancelled);
  EXPECT_TRUE(marked().empty());
}

TEST_F(Local, WhoeverIsLeftBehindIsEnded) {
  connect();
  // In the group; in a session of its own; forked twice; and, at last, with an environment that bears no mark.
  const char* ways[] = {"sleep 1000 & echo", "setsid sleep 1000 & sleep 0.1",
                        "(setsid sh -c 'sleep 1000 & sleep 1000 &' &)", "(setsid env -i sleep 1000 &) ; sleep 0.2",
                        "(setsid sh -c 'trap \"\" TERM; sleep 1000; :' &); sleep 0.2"};
  // The third is a race between births and deaths while the warden looks: it gets more turns.
  std::vector<const char*> turns(std::begin(ways), std::end(ways));
  turns.insert(turns.end(), 6, ways[2]);
  int n = 0;
  for (auto way : turns) {
    auto s = spec("way" + std::to_string(++n), std::string(way));
    s.command += " > pid" + std::to_string(n);
    s.grace = 300ms;
    auto exit = run(s);
    EXPECT_TRUE(exit.ok()) << way;
    EXPECT_GE(exit.strays, 1u) << way;
    EXPECT_FALSE(exit.note.empty());
    EXPECT_TRUE(marked().empty()) << way;
    pid_t warden = warden_pid();
    for (auto& p : warden::list_processes()) EXPECT_NE(p.parent, warden) << way;
  }
}

TEST_F(Local, AnotherAttemptsHelpersAreLeftInPeace) {
  connect(2);
  start(spec("long", "(setsid sleep 1000 &); echo up; sleep 1000"));
  wait_for([&] { return log("long") == "up\n"; });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(spec("short" + std::to_string(i), "true")).strays, 0u);
  EXPECT_EQ(marked().size(), 3u);
  executor_->cancel("long", 5s);
  executor_->flush();
  EXPECT_TRUE(until(Kind::exited, "long"));
  EXPECT_TRUE(marked().empty());
}

TEST_F(Local, QueuesInOrderAndRecalls) {
  connect(1);
  start(spec("first", "while [ ! -e go ]; do sleep 0.02; done; echo 1 >> order"));
  for (auto id : {"second", "third", "fourth"}) start(spec(id, std::string("echo ") + id + " >> order"));
  EXPECT_TRUE(until(Kind::started, "first"));
  executor_->recall("third");
  executor_->recall("first");
  executor_->cancel("fourth", 1s);
  executor_->flush();
  EXPECT_TRUE(until(Kind::recalled, "fourth"));
  EXPECT_EQ(count(Kind::recalled, "third"), 1);
  EXPECT_EQ(count(Kind::too_late, "first"), 1);
  ASSERT_TRUE(write_file_atomic(root_ / "go", ""));
  EXPECT_TRUE(until(Kind::exited, "second"));
  EXPECT_EQ(text(root_ / "order"), "1\nsecond\n");
}

TEST_F(Local, WhatIsAcceptedWhileTheSpoolIsRewrittenStarts) {
  connect(1);
  auto spool_bytes = [&] { return fs::file_size(directory() / "spool"); };
  // Filled until the next attempt makes it so long that it is written anew.
  for (int n = 0; spool_bytes() < warden::rewrite_from_bytes - 200; ++n) {
    bool near = spool_bytes() > warden::rewrite_from_bytes - 2000;
    auto id = std::string(near ? 1 : 190, 'x') + std::to_string(n);
    executor_->start(spec(id, "true"));
    executor_->recall(id);
    executor_->flush();
    ASSERT_TRUE(until(Kind::recalled, id));
    events_.clear();
  }
  EXPECT_TRUE(run(spec(std::string(200, 'y'), "true")).ok());
  EXPECT_LT(spool_bytes(), warden::rewrite_from_bytes / 2);
}

// While more waits than has ended, the warden keeps its words back for company: for a moment, whatever runs next.
TEST_F(Local, AnEndIsToldWhileTheNextOnesRunOn) {
  connect(2);
  for (auto* id : {"short", "long", "longer", "waits", "waits-too", "waits-as-well", "last"})
    executor_->start(spec(id, id == std::string_view("short") ? "true" : "sleep 300"));
  executor_->flush();
  EXPECT_TRUE(until(Kind::exited, "short"));
  EXPECT_TRUE(until(Kind::started, "longer"));
  EXPECT_EQ(count(Kind::started, "waits"), 0);
}

TEST_F(Local, WhatTakesNoSlotStartsWhenAllAreTaken) {
  connect(1);
  // The one slot waits for what comes last, and before that stands another in the queue.
  start(spec("waits", "while [ ! -e made ]; do sleep 0.02; done"));
  start(spec("queued", "test -e made"));
  EXPECT_TRUE(until(Kind::started, "waits"));
  auto beyond = spec("beyond", "touch made; while [ ! -e end ]; do sleep 0.02; done");
  beyond.beyond_slots = true;
  start(beyond);
  EXPECT_TRUE(until(Kind::exited, "waits"));
  EXPECT_TRUE(until(Kind::exited, "queued")) << "it takes no slot while it runs";
  EXPECT_TRUE(last(Kind::exited, "queued").exit.ok());
  ASSERT_TRUE(write_file_atomic(root_ / "end", ""));
  EXPECT_TRUE(until(Kind::exited, "beyond"));
}

TEST_F(Local, StartingTwiceRunsOnce) {
  connect();
  auto s = spec("once", "echo x >> effects");
  EXPECT_TRUE(run(s).ok());
  EXPECT_TRUE(run(s).ok());  // told again
  executor_.reset();
  connect();
  EXPECT_TRUE(run(s).ok());
  EXPECT_EQ(text(root_ / "effects"), "x\n");
  start(spec("running", "echo y >> effects; sleep 1000"));
  start(spec("running", "echo y >> effects; sleep 1000"));
  wait_for([&] { return text(root_ / "effects") == "x\ny\n"; });
  executor_->cancel("running", 1s);
  executor_->flush();
  EXPECT_TRUE(until(Kind::exited, "running"));
  EXPECT_EQ(text(root_ / "effects"), "x\ny\n");
}

TEST_F(Local, ADaemonThatComesBackAdoptsAll) {
  connect(2);
  start(spec("runs", "while [ ! -e go ]; do sleep 0.02; done; echo done >> effects"));
  start(spec("ends", "while [ ! -e end ]; do sleep 0.02; done"));
  start(spec("waits", "echo waited >> effects"));
  EXPECT_TRUE(until(Kind::started, "ends"));
  executor_.reset();  // as when it is killed: the connection is gone
  ASSERT_TRUE(write_file_atomic(root_ / "end", ""));
  wait_for([&] {
    auto left = marked();
    return std::none_of(left.begin(), left.end(), [](auto& p) { return warden::marks_of(p.pid).attempt == "ends"; });
  });
  EXPECT_EQ(text(root_ / "effects"), "") << "without a daemon nothing new is started";
  connect(2, {"runs", "ends", "waits", "never"});
  EXPECT_EQ(count(Kind::started, "runs"), 1);
  EXPECT_TRUE(until(Kind::exited, "ends"));
  EXPECT_EQ(count(Kind::not_started, "never"), 1);
  EXPECT_TRUE(until(Kind::exited, "waits"));
  ASSERT_TRUE(write_file_atomic(root_ / "go", ""));
  EXPECT_TRUE(until(Kind::exited, "runs"));
  EXPECT_EQ(text(root_ / "effects"), "waited\ndone\n");
}

TEST_F(Local, TheWardenLeavesAndItsExitsStay) {
  connect();
  start(spec("a", "sleep 0.2"));
  EXPECT_TRUE(until(Kind::started, "a"));
  executor_.reset();
  wait_for([&] { return warden_pid() == 0; });
  connect(2, {"b"});
  ASSERT_EQ(count(Kind::exited, "a"), 1) << "an exit that is newer than the journal is told, not swallowed";
  EXPECT_EQ(count(Kind::not_started, "b"), 1);
  EXPECT_FALSE(last(Kind::exited, "a").known);
  executor_->forget({"a"});
  executor_->flush();
  executor_.reset();
  wait_for([&] { return warden_pid() == 0; });
  connect();
  EXPECT_EQ(events_.size(), 1u);
}

TEST_F(Local, AKilledWardenLosesWhatRanAndNothingElse) {
  connect(2);
  EXPECT_TRUE(run(spec("done", "true")).ok());
  start(spec("lost", "(setsid sleep 1000 &); setsid sleep 1000 & echo up; sleep 1000"));
  start(spec("cleared", "exec env -i sleep 1000"));
  start(spec("waits", "echo waited >> effects"));
  EXPECT_TRUE(until(Kind::started, "cleared"));
  wait_for([&] { return log("lost") == "up\n"; });
  events_.clear();
  pid_t cleared = 0;
  wait_for([&] {
    pid_t warden = warden_pid();
    for (auto& p : warden::list_processes())
      if (p.parent == warden && warden::marks_of(p.pid).attempt.empty()) cleared = p.pid;
    return cleared != 0;
  });
  kill_warden(SIGKILL);
  EXPECT_TRUE(until(Kind::not_started, "waits"));
  EXPECT_TRUE(until(Kind::exited, "lost"));
  EXPECT_TRUE(until(Kind::exited, "cleared"));
  for (auto& e : events_) {
    if (e.kind != Kind::exited) continue;
    EXPECT_EQ(e.exit.ending, Ending::lost);
    EXPECT_GE(e.exit.strays, 1u);
    EXPECT_NE(e.id, "done");
  }
  EXPECT_TRUE(marked().empty());
  for (auto& p : warden::list_processes()) EXPECT_NE(p.pid, cleared);
  EXPECT_TRUE(run(spec("waits", "echo waited >> effects")).ok());
  EXPECT_EQ(text(root_ / "effects"), "waited\n");
}

TEST_F(Local, WhatAnEarlierDaemonStartedAndTheNextOneDidNotNameIsToldWhenTheWardenDies) {
  connect(2);
  start(spec("adopted", "sleep 1000"));
  EXPECT_TRUE(until(Kind::started, "adopted"));
  executor_.reset();
  connect(2);
  EXPECT_TRUE(until(Kind::started, "adopted"));
  kill_warden(SIGKILL);
  EXPECT_TRUE(until(Kind::exited, "adopted"));
  EXPECT_EQ(last(Kind::exited, "adopted").exit.ending, Ending::lost);
}

TEST_F(Local, AWardenKilledAsItStartsIsStartedAgain) {
  auto program = root_ / "warden", once = root_ / "once";
  ASSERT_TRUE(write_file_atomic(program, "#!/bin/sh\ntest -e '" + once.string() + "' || { : > '" + once.string() +
                                             "'; kill -9 $$; }\nexec " SPARKY_BIN_DIR "/sparky-warden \"$@\"\n"));
  fs::permissions(program, fs::perms::owner_all);
  auto start = options(1);
  start.program = program;
  auto connected = connect_or_start(start);
  EXPECT_TRUE(connected) << connected.error().text();
  connected = fail(Errc::invalid, "");
  kill_warden(SIGTERM);
  // One that always dies is told, with why.
  ASSERT_TRUE(write_file_atomic(program, "#!/bin/sh\nkill -9 $$\n"));
  fs::permissions(program, fs::perms::owner_all);
  connected = connect_or_start(start);
  ASSERT_FALSE(connected);
  EXPECT_NE(connected.error().text().find("killed by signal 9"), std::string::npos) << connected.error().text();
}

TEST_F(Local, AWardenToldToStopEndsItsAttemptsAsLost) {
  connect(2);
  start(spec("a", "sleep 1000"));
  EXPECT_TRUE(until(Kind::started, "a"));
  kill_warden(SIGTERM);
  EXPECT_TRUE(until(Kind::exited, "a"));
  EXPECT_EQ(last(Kind::exited, "a").exit.ending, Ending::lost);
  EXPECT_TRUE(marked().empty());
  EXPECT_TRUE(run(spec("b", "true")).ok());
}

TEST_F(Local, ADeletedOrDamagedSpoolMakesTheUnknownLost) {
  connect(1);
  EXPECT_TRUE(run(spec("a", "true")).ok());
  executor_->flush();
  executor_.reset();
  wait_for([&] { return warden_pid() == 0; });
  fs::remove(directory() / "spool");
  connect(1, {"a"});
  ASSERT_EQ(count(Kind::exited, "a"), 1);
  EXPECT_EQ(last(Kind::exited, "a").exit.ending, Ending::lost);
  // Having said so, it knows everything again.
  events_.clear();
  executor_->forget({"a"});
  executor_->reconcile({"never"});
  executor_->flush();
  EXPECT_TRUE(until(Kind::reconciled));
  EXPECT_EQ(count(Kind::not_started, "never"), 1);
}

TEST_F(Local, TwoDaemonsContendAndOneIsRefused) {
  connect();
  auto second = connect_or_start(options(1));
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().is(Errc::busy)) << second.error().text();
  EXPECT_TRUE(run(spec("a", "true")).ok());
  executor_.reset();
  // Many at once, from nothing: exactly one wins each time, and nobody fails otherwise.
  wait_for([&] { return warden_pid() == 0; });
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::vector<std::unique_ptr<Executor>> winners;
  std::vector<std::string> others;
  for (int i = 0; i < 6; ++i)
    threads.emplace_back([&] {
      auto c = connect_or_start(options(1));
      std::lock_guard lock(mutex);
      if (c)
        winners.push_back(std::move(*c));
      else if (!c.error().is(Errc::busy))
        others.push_back(c.error().text());
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(winners.size(), 1u);
  EXPECT_TRUE(others.empty()) << others[0];
}

TEST_F(Local, AnyPathWillDo) {
  make_root("sp\xf0\x9f\x90\x89rky, with 'quotes' and spaces");
  connect();
  EXPECT_TRUE(run(spec("a", "pwd")).ok());
  EXPECT_EQ(log("a"), root_.string() + "\n");
  executor_.reset();
  kill_warden(SIGTERM);
  root_ /= std::string(150, 'd');
  ASSERT_TRUE(make_directories(root_));
  connect();
  EXPECT_TRUE(run(spec("b", "pwd")).ok());
  executor_.reset();
  kill_warden(SIGTERM);
}

TEST_F(Local, AnAttemptThatTalks) {
  connect();
  auto s = spec("talk", "echo hello >&2; while read line; do echo \"you said $line\"; done; echo bye");
  s.stdio = Stdio::talk;
  s.output = root_ / "answers";
  start(s);
  executor_->input("talk", "one\n", false);
  executor_->flush();
  EXPECT_TRUE(until([&](auto& e) { return e.kind == Kind::output && text(s.output) == "you said one\n"; }));
  EXPECT_EQ(last(Kind::output, "talk").bytes, 13u);
  executor_->input("talk", std::string(3'000'000, 'x') + "\n", true);
  executor_->flush();
  EXPECT_TRUE(until(Kind::exited, "talk"));
  EXPECT_EQ(text(s.output).size(), 13u + 9 + 3'000'001 + 4);
  EXPECT_EQ(log("talk"), "hello\n");
}

// The warden is killed again and again at random moments; what is told as ended happened exactly once, and what is
// told as lost at most once.
TEST_F(Local, KilledAtRandomItNeverRunsAnAttemptTwice) {
  std::minstd_rand random(20'251'112);
  connect(2);
  int next = 0, lost = 0, ended = 0, again = 0;
  std::map<std::string, int> open;
  auto hand_over = [&](const std::string& id) {
    executor_->start(spec(id, "echo " + id + " >> effects; sleep 0.00" + std::to_string(random() % 9)));
    open[id] = 1;
  };
  for (int round = 0; round < 15; ++round) {
    auto kill_after = 3 + int(random() % 20);
    for (int events = 0; events < kill_after;) {
      while (open.size() < 6) hand_over("n" + std::to_string(next++));
      executor_->flush();
      pollfd p{executor_->fd(), POLLIN, 0};
      ASSERT_EQ(::poll(&p, 1, 60'000), 1);
      for (auto& e : executor_->pump(now())) {
        ++events;
        if (e.kind == Kind::not_started) {
          ++again;
          hand_over(e.id);
        }
        if (e.kind != Kind::exited) continue;
        (e.exit.ending == Ending::lost ? lost : ended)++;
        EXPECT_EQ(open.erase(e.id), 1u) << e.id;
        executor_->forget({e.id});
        auto effects = text(root_ / "effects");
        auto line = "\n" + e.id + "\n";
        auto found = ("\n" + effects).find(line);
        bool there = found != std::string::npos;
        EXPECT_TRUE(there || e.exit.ending == Ending::lost) << e.id;
        EXPECT_TRUE(!there || ("\n" + effects).find(line, found + 1) == std::string::npos) << e.id;
      }
    }
    usleep(random() % 5000);
    pid_t pid = warden_pid();
    if (pid > 0) kill(pid, SIGKILL);
  }
  EXPECT_GT(ended, 20);
  EXPECT_GT(lost, 3);
}

}  // namespace
}  // namespace sparky::executors
