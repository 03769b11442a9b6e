// The loop with the real warden, the real journal and real sockets: plans run, everything may be killed.
#include "conductor/conductor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>
#include <zmq.hpp>

#include "base/files.h"
#include "base/text.h"
#include "conductor/test_project.h"
#include "journal/journal.h"
#include "wire/address.h"

namespace sparky::conductor {
namespace {
namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto small_plan = R"(
[plan]
name = "small"
[[orchestrator]]
id = "one"
[[workstream]]
id = "A"
name = "First"
orchestrator = "one"
run = "echo a >> order; echo '::progress 0.5 half'"
[[workstream.criteria]]
text = "order has a line"
check = "echo looked; grep -q a order"
[[workstream]]
id = "B"
name = "Second"
orchestrator = "one"
depends_on = ["A"]
run = "echo b >> order"
accept = "exit-status"
[[gate]]
id = "g"
after = ["one"]
[[gate.criteria]]
text = "both"
check = "test $(wc -l < order) = 2"
)";

// Waits until a run stands still, and gives its status document.
Json settle(wire::Client& client, uint32_t run = 0, Duration most = Duration(60'000)) {
  auto until = std::chrono::steady_clock::now() + most;
  for (;;) {
    auto state = client.ask<wire::RunState>(wire::RunStatus{run});
    if (!state) {
      ADD_FAILURE() << state.error().text();
      return {};
    }
    auto status = *state->status;
    if (status.value("state", "") != "running") return status;
    if (std::chrono::steady_clock::now() > until) {
      ADD_FAILURE() << "still running: " << status.dump(1);
      return status;
    }
    std::this_thread::sleep_for(5ms);
  }
}

TEST(Conductor, RunsAPlanToItsEndWithEvidence) {
  Project project;
  auto plan = project.plan(small_plan);
  Running running(project.options());
  auto client = project.client();
  ASSERT_TRUE(client) << client.error().text();
  auto started = client->ask<wire::RunStarted>(wire::StartRun{.plan = plan});
  ASSERT_TRUE(started) << started.error().text();
  EXPECT_EQ(started->run, 1u);
  EXPECT_FALSE(started->existing);
  auto status = settle(*client);
  EXPECT_EQ(status["state"], "completed") << status.dump(1);
  EXPECT_EQ(project.read("order"), "a\nb\n");
  auto logs = client->ask<wire::LogList>(wire::ListLogs{.id = "A"});
  ASSERT_TRUE(logs);
  ASSERT_EQ(logs->logs.size(), 2u);
  EXPECT_EQ(logs->logs[1].what, "check-1");
  auto part = client->ask<wire::LogPart>(wire::ReadLog{.path = logs->logs[1].path});
  ASSERT_TRUE(part);
  EXPECT_NE(part->data.data.find("looked\n"), std::string::npos);
  EXPECT_TRUE(client->ask<wire::LogPart>(wire::ReadLog{.path = "/etc/passwd"}).error().is(Errc::denied));
  // Once more: the same run, and nothing happens again.
  auto again = client->ask<wire::RunStarted>(wire::StartRun{.plan = plan});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->run, 1u);
  EXPECT_TRUE(again->existing);
  settle(*client);
  EXPECT_EQ(project.read("order"), "a\nb\n");
}

TEST(Conductor, ASubmissionWithAKeyIsOneRun) {
  Project project;
  auto start = wire::Request(wire::StartRun{.plan = project.plan(small_plan), .fresh = true});
  auto asked = [&](wire::Client& client, const wire::Request& request, std::string key) -> uint32_t {
    auto reply = client.ask(request, wire::Envelope{.key = std::move(key)}, Duration(5000));
    auto* started = reply ? std::get_if<wire::RunStarted>(&*reply) : nullptr;
    return started ? started->run : 0;
  };
  {
    Running running(project.options());
    auto client = project.client();
    EXPECT_EQ(asked(*client, start, "k1"), 1u);
    EXPECT_EQ(asked(*client, start, "k1"), 1u);
    EXPECT_EQ(asked(*client, start, "k2"), 2u);
    std::get<wire::StartRun>(start).jobs = 3;
    EXPECT_EQ(asked(*client, start, "k1"), 0u) << "the key belongs to another request";
    std::get<wire::StartRun>(start).jobs = 0;
  }
  Running running(project.options());
  auto client = project.client();
  EXPECT_EQ(asked(*client, start, "k1"), 1u) << "also after a restart";
}

TEST(Conductor, ErrorsSayWhatWouldBeRight) {
  Project project;
  Running running(project.options());
  auto client = project.client();
  ASSERT_TRUE(client);
  auto none = client->ask<wire::RunState>(wire::RunStatus{});
  EXPECT_TRUE(none.error().is(Errc::not_found));
  EXPECT_FALSE(none.error().help.empty());
  auto bad = client->ask<wire::RunStarted>(wire::StartRun{.plan = project.plan("[plan]\nname = 3\n")});
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("plan.toml:2"), std::string::npos) << bad.error().message;
  auto plan = project.plan(small_plan);
  ASSERT_TRUE(client->ask<wire::RunStarted>(wire::StartRun{.plan = plan}));
  auto wrong = client->ask<wire::Done>(wire::SkipNode{.id = "AA"});
  EXPECT_FALSE(wrong);
  auto word = client->ask<wire::Done>(wire::Decide{.target = "A", .answer = "maybe"});
  EXPECT_NE(word.error().message.find("approve, reject, waive"), std::string::npos);
}

TEST(Conductor, AFollowerMissesNothingAcrossARestart) {
  Project project;
  auto plan = project.plan(small_plan);
  std::vector<uint64_t> seen;
  uint64_t position = 0;
  auto follow = [&](wire::Client& client) {
    auto newest = client.welcome().newest;
    auto follower = wire::Follower::start(client, position);
    ASSERT_TRUE(follower) << follower.error().text();
    for (int quiet = 0; quiet < 2;) {
      auto event = follower->next(Duration(300));
      ASSERT_TRUE(event) << event.error().text();
      quiet = *event ? 0 : quiet + 1;
      if (*event) seen.push_back((*event)->seq);
    }
    position = follower->position();
    EXPECT_GE(position, newest);
  };
  {
    Running running(project.options());
    auto client = project.client();
    ASSERT_TRUE(client->ask<wire::RunStarted>(wire::StartRun{.plan = plan}));
    follow(*client);
  }
  Running running(project.options());
  auto client = project.client();
  ASSERT_TRUE(client->ask<wire::RunStarted>(wire::StartRun{.plan = plan, .fresh = true}));
  follow(*client);
  settle(*client);
  follow(*client);
  for (size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], i + 1) << "without gap or duplicate";
  auto list = client->ask<wire::EventList>(wire::ReadEvents{.after = 0, .max = 5});
  ASSERT_TRUE(list);
  EXPECT_EQ(list->events.size(), 5u);
  EXPECT_EQ((*list->events[0])["seq"], 1);
  EXPECT_EQ(list->after, 5u);
}

TEST(Conductor, WhatRunsGoesOnWhileNobodyIsThere) {
  Project project;
  auto plan = project.plan(R"(
[plan]
name = "slow"
[[orchestrator]]
id = "one"
[[workstream]]
id = "A"
name = "Slow"
orchestrator = "one"
run = "echo begin >> order; sleep 1; echo end >> order"
accept = "exit-status"
)");
  {
    Running running(project.options());
    auto client = project.client();
    ASSERT_TRUE(client->ask<wire::RunStarted>(wire::StartRun{.plan = plan}));
    while (project.read("order").empty()) std::this_thread::sleep_for(5ms);
  }
  Running running(project.options());
  auto client = project.client();
  EXPECT_EQ(settle(*client)["state"], "completed");
  EXPECT_EQ(project.read("order"), "begin\nend\n");
}

TEST(Conductor, OneSparkyPerProjectAndADoorWithoutOne) {
  Project project(std::string(120, 'd'));  // its sockets' paths have more than 107 bytes
  auto plan = project.plan(R"(
[plan]
name = "asks"
[[orchestrator]]
id = "one"
[[workstream]]
id = "A"
name = "Asks"
orchestrator = "one"
[[workstream.criteria]]
text = "a person agrees"
manual = true
)");
  {
    Running running(project.options());
    auto second = Conductor::open(project.options());
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(Errc::busy));
    auto client = project.client();
    ASSERT_TRUE(client) << client.error().text();
    ASSERT_TRUE(client->ask<wire::RunStarted>(wire::StartRun{.plan = plan}));
    EXPECT_EQ(settle(*client)["state"], "waiting");
    auto door = open_door(project.path);
    ASSERT_TRUE(door) << door.error().text();
    EXPECT_TRUE((*door)->ask<wire::RunList>(wire::ListRuns{}));
  }
  {
    auto door = open_door(project.path);  // nobody there: this process appends by itself
    ASSERT_TRUE(door) << door.error().text();
    auto done = (*door)->ask<wire::Done>(wire::Decide{.target = "A", .answer = "approve"});
    ASSERT_TRUE(done) << done.error().text();
  }
  Running running(project.options());
  auto client = project.client();
  EXPECT_EQ(settle(*client)["state"], "completed");
  auto verified = journal::verify(project.path / ".sparky" / "journal.db");
  EXPECT_TRUE(verified);
}

TEST(Conductor, PrunedRunsLeaveAFileAndTheNumbersGoOn) {
  Project project;
  auto plan = project.plan(small_plan);
  {
    Running running(project.options());
    auto client = project.client();
    for (int i = 0; i < 3; ++i) {
      fs::remove(project.path / "order");
      ASSERT_TRUE(client->ask<wire::RunStarted>(wire::StartRun{.plan = plan, .fresh = true}));
      ASSERT_EQ(settle(*client)["state"], "completed");
    }
    auto pruned = client->ask<wire::Pruned>(wire::Prune{.keep = 1});
    ASSERT_TRUE(pruned) << pruned.error().text();
    EXPECT_EQ(pruned->runs, (std::vector<uint32_t>{2, 1}));
    EXPECT_NE(read_file(pruned->files[0])->find("\"run-created\""), std::string::npos);
  }
  EXPECT_GT(journal::verify(project.path / ".sparky" / "journal.db")->stubs, 0u);
  Running running(project.options());
  auto client = project.client();
  EXPECT_TRUE(client->ask<wire::RunState>(wire::RunStatus{1}).error().is(Errc::not_found));
  auto next = client->ask<wire::RunStarted>(wire::StartRun{.plan = plan, .fresh = true});
  ASSERT_TRUE(next);
  EXPECT_EQ(next->run, 4u);
}

// Neither what runs nor what is asked waits for the copying, and a log of a pruned run is kept beside its records.
TEST(Conductor, PruningDoesNotHoldALiveRun) {
  Project project;
  auto plan = project.plan(small_plan);
  Running running(project.options());
  auto client = project.client();
  ASSERT_TRUE(client->ask<wire::RunStarted>(wire::StartRun{.plan = plan}));
  ASSERT_EQ(settle(*client)["state"], "completed");
  auto slow = project.plan(
      "[plan]\nname = \"s\"\n[[orchestrator]]\nid = \"o\"\n[[workstream]]\nid = \"S\"\n"
      "name = \"S\"\norchestrator = \"o\"\nrun = \"until test -e go; do sleep 0.05; done\"\n"
      "accept = \"exit-status\"\n",
      "slow.toml");
  ASSERT_TRUE(client->ask<wire::RunStarted>(wire::StartRun{.plan = slow}));
  auto refused = client->ask<wire::Pruned>(wire::Prune{.runs = {1, 2}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("run 2 is live"), std::string::npos) << refused.error().text();
  auto pruned = client->ask<wire::Pruned>(wire::Prune{});
  ASSERT_TRUE(pruned) << pruned.error().text();
  EXPECT_EQ(pruned->runs, std::vector<uint32_t>{1});
  EXPECT_TRUE(fs::exists(project.path / ".sparky/archive/run-1-logs/A"));
  EXPECT_FALSE(fs::exists(project.path / ".sparky/logs/run-1"));
  EXPECT_FALSE(fs::exists(project.path / ".sparky/archive/run-1.jsonl.part"));
  project.plan("", "go");
  EXPECT_EQ(settle(*client)["state"], "completed");
}

// The project has 4 slots; all five are wanted at once, and each waits for the others.
TEST(Conductor, MoreJobsThanCoresAreGivenToWhoAsksForThem) {
  Project project;
  std::string toml = "[plan]\nname = \"j\"\njobs = 5\n[[orchestrator]]\nid = \"o\"\n";
  for (int i = 0; i < 5; ++i)
    toml += fmt::format(
        "[[workstream]]\nid = \"W{0}\"\nname = \"n\"\norchestrator = \"o\"\naccept = \"exit-status\"\n"
        "run = \"touch here-{0}; until test $(ls here-* | wc -l) = 5; do sleep 0.02; done\"\n",
        i);
  auto plan = project.plan(toml);
  Running running(project.options());
  auto client = project.client();
  ASSERT_TRUE(client->ask<wire::RunStarted>(wire::StartRun{.plan = plan}));
  EXPECT_EQ(settle(*client)["state"], "completed");
}

TEST(Conductor, AClockThatIsSetNeitherTimesOutNorStallsAnything) {
  Project project;
  auto plan = project.plan(
      "[plan]\nname = \"c\"\nstall = \"1h\"\n[[orchestrator]]\nid = \"o\"\n[[workstream]]\nid = \"A\"\n"
      "name = \"A\"\norchestrator = \"o\"\nduration = \"1d\"\ntimeout = \"1h\"\n"
      "run = \"until test -e go; do sleep 0.05; done\"\naccept = \"exit-status\"\n"
      "[[workstream]]\nid = \"B\"\nname = \"B\"\norchestrator = \"o\"\n"
      "run = \"echo x >> tried; test -e go\"\naccept = \"exit-status\"\n"
      "retries = { max = 50, backoff = \"100ms\", factor = 1 }\n");
  static std::atomic<int64_t> set_by_days{0};
  auto options = project.options();
  options.wall_clock = [] { return now() + std::chrono::days(set_by_days.load()); };
  Running running(options);
  auto client = project.client();
  ASSERT_TRUE(client->ask<wire::RunStarted>(wire::StartRun{.plan = plan}));
  auto tries = [&] { return std::ranges::count(project.read("tried"), '\n'); };
  for (int64_t days : {30, -30}) {
    set_by_days = days;
    auto before = tries();
    while (tries() < before + 2) std::this_thread::sleep_for(20ms);  // retries go on at their pace
    auto status = *client->ask<wire::RunState>(wire::RunStatus{})->status;
    EXPECT_EQ(status["escalations"].size(), 0u) << status["escalations"].dump(1);
  }
  project.plan("", "go");
  EXPECT_EQ(settle(*client)["state"], "completed");
  set_by_days = 0;
}

TEST(Conductor, WhatWasSpawnedStaysWhenThePlansFileIsReadAgain) {
  Project project;
  auto plan = project.plan(small_plan);
  project.plan("# W-9: Ninth\n\nAcceptance Criteria:\n- [ ] a person likes it\n", "ninth.md");
  Running running(project.options());
  auto client = project.client();
  ASSERT_TRUE(client->ask<wire::RunStarted>(wire::StartRun{.plan = plan}));
  ASSERT_EQ(settle(*client)["state"], "completed");
  auto spawned = client->ask<wire::Done>(wire::SpawnAgent{.agent = "x", .workstream = "W-9", .spec = "ninth.md"});
  ASSERT_TRUE(spawned) << spawned.error().text();
  auto again = client->ask<wire::RunStarted>(wire::StartRun{.plan = plan});
  ASSERT_TRUE(again) << again.error().text();
  auto status = settle(*client);
  EXPECT_EQ(status["state"], "waiting");
  EXPECT_EQ(status["decisions"][0]["text"], "a person likes it");
  EXPECT_EQ(status["orchestrators"][0]["order"], Json({"A", "B", "W-9"}));
}

TEST(Conductor, HostileFramesCostNothing) {
  Project project;
  Running running(project.options());
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::req);
  socket.set(zmq::sockopt::req_relaxed, 1);
  socket.set(zmq::sockopt::rcvtimeo, 5000);
  socket.connect(wire::project_address(project.path, "sock"));
  for (auto& bytes :
       {std::string(), std::string("\xc1"), std::string(100'000, '\x91'), std::string("\xdf\xff\xff\xff\xff"),
        std::string("\x81\xa4type\xa4nope"), std::string("\x81\xa4type\x01"), std::string(1'000'000, 'x')}) {
    socket.send(zmq::buffer(bytes), zmq::send_flags::none);
    zmq::message_t reply;
    ASSERT_TRUE(socket.recv(reply));
    auto map = parse_msgpack(reply.to_string_view());
    ASSERT_TRUE(map);
    EXPECT_EQ((*map)["type"], "error");
  }
  auto client = project.client();
  EXPECT_TRUE(client->ask<wire::Pong>(wire::Ping{}));
}

TEST(Conductor, ARequestIsOneFrameBehindItsRoute) {
  Project project;
  Running running(project.options());
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::dealer);
  socket.set(zmq::sockopt::rcvtimeo, 5000);
  socket.connect(wire::project_address(project.path, "sock"));
  auto ping = to_msgpack(Json{{"type", "ping"}});
  auto said = [&](const std::vector<std::string>& frames) {  // the type of the answer, and the frames before it
    for (size_t i = 0; i < frames.size(); ++i)
      socket.send(zmq::buffer(frames[i]), i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    std::string route;
    for (zmq::message_t frame;; route += frame.to_string() + "|") {
      if (!socket.recv(frame)) return std::string("silence");
      if (!frame.more()) return route + (*parse_msgpack(frame.to_string_view()))["type"].get<std::string>();
    }
  };
  EXPECT_EQ(said({ping}), "pong");
  EXPECT_EQ(said({"", ping}), "|pong");
  EXPECT_EQ(said({"a", "b", "", ping}), "a|b||pong") << "as through proxies";
  EXPECT_EQ(said({"", ping, ping}), "|error");
  EXPECT_EQ(said({ping, ping}), "error");
  EXPECT_EQ(said({""}), "error");
  EXPECT_EQ(said(std::vector<std::string>(1000, "x")), "error");
}

TEST(Conductor, QuestionsAboutWhatIsNotAreErrors) {
  Project project;
  Running running(project.options());
  auto client = project.client();
  auto ahead = client->ask<wire::EventList>(wire::ReadEvents{.after = 1'000'000});
  ASSERT_FALSE(ahead) << "who waits for a number of another journal would wait for ever";
  EXPECT_TRUE(ahead.error().is(Errc::invalid)) << ahead.error().text();
  auto jobs = client->ask<wire::JobList>(wire::ListJobs{.state = "done"});
  ASSERT_FALSE(jobs);
  EXPECT_NE(jobs.error().text().find("completed"), std::string::npos) << jobs.error().text();
}

// A conductor in a process of its own, to be killed.
pid_t child(const Options& options) {
  pid_t pid = ::fork();
  if (pid != 0) return pid;
  auto conductor = Conductor::open(options);
  if (!conductor) ::_exit(3);
  ::_exit((*conductor)->run() ? 0 : 1);
}

TEST(Kill, EffectsHappenOnceWhateverDies) {
  Project project;
  std::string toml = "[plan]\nname = \"many\"\njobs = 4\n[[orchestrator]]\nid = \"one\"\n";
  for (int i = 0; i < 40; ++i)
    toml += fmt::format(
        "[[workstream]]\nid = \"W{0}\"\nname = \"n\"\norchestrator = \"one\"\n"
        "run = \"echo {0} >> order; sleep 0.02\"\n[[workstream.criteria]]\ntext = \"t\"\ncheck = \"grep -qx {0} "
        "order\"\n",
        i);
  auto plan = project.plan(toml);
  std::srand(11);
  int kills = 0;
  std::string state = "running";
  for (int round = 0; round < 40 && state == "running"; ++round) {
    pid_t pid = child(project.options());
    auto client = project.client();
    if (client && round == 0) {
      ASSERT_TRUE(client->ask<wire::RunStarted>(wire::StartRun{.plan = plan}));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(30 + std::rand() % 120));
    if (client)
      if (auto s = client->ask<wire::RunState>(wire::RunStatus{}, Duration(2000)))
        state = s->status->value("state", "");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    ++kills;
  }
  EXPECT_GT(kills, 2);
  Running running(project.options());
  auto client = project.client();
  auto status = settle(*client);
  EXPECT_EQ(status["state"], "completed") << status.dump(1);
  auto order = project.read("order");
  std::map<std::string, int> times;
  for (auto line : split(trim(order), '\n')) ++times[std::string(line)];
  EXPECT_EQ(times.size(), 40u);
  for (auto& [line, n] : times) EXPECT_EQ(n, 1) << "the effect of W" << line;
  EXPECT_TRUE(journal::verify(project.path / ".sparky" / "journal.db"));
}

}  // namespace
}  // namespace sparky::conductor
