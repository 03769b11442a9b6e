// Jobs, workers, the original clients and keys, against a whole daemon.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>
#include <zmq.hpp>

#include "conductor/exec_worker.h"
#include "conductor/keys.h"
#include "conductor/test_project.h"
#include "wire/work.h"

namespace sparky::conductor {
namespace {
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// A worker in a thread of this process.
class Working {
 public:
  Working(wire::WorkOptions options, wire::JobFunction function)
      : thread_([this, options = std::move(options), function = std::move(function)] {
          status_ = wire::work(options, function, stop_);
        }) {}
  ~Working() { end(); }
  Status end() {
    stop_ = true;
    return wait();
  }
  Status wait() {
    if (thread_.joinable()) thread_.join();
    return status_;
  }

 private:
  std::atomic<bool> stop_ = false;
  Status status_;
  std::thread thread_;
};

wire::WorkOptions exec_options(const Project& project, std::string name = "w1") {
  return {.address = project.address("workers"), .name = std::move(name), .kinds = {"exec"}};
}

void wait_for_worker(wire::Client& client) {
  for (int i = 0; i < 1000; ++i) {
    auto workers = client.ask<wire::WorkerList>(wire::ListWorkers{});
    if (workers && !workers->workers->empty()) return;
    std::this_thread::sleep_for(10ms);
  }
  FAIL() << "no worker came";
}

Json wait_for_job(wire::Client& client, const std::string& id, std::string_view not_this = "") {
  for (int i = 0; i < 3000; ++i) {
    auto reply = client.ask<wire::JobReply>(wire::ShowJob{id});
    if (!reply) {
      ADD_FAILURE() << reply.error().text();
      return {};
    }
    auto state = reply->job->value("state", "");
    if (state != "queued" && state != not_this && (state != "running" || not_this == "queued")) return *reply->job;
    std::this_thread::sleep_for(10ms);
  }
  ADD_FAILURE() << "job " << id << " does not end";
  return {};
}

wire::SubmitJob exec_job(std::string id, std::string command) {
  return {.id = std::move(id), .kind = "exec", .request = wire::document({{"command", std::move(command)}})};
}

TEST(Jobs, AreCarriedOutAndKeptAcrossRestarts) {
  Project project;
  {
    Running running(project.options());
    auto client = project.client();
    auto nobody = client->ask(wire::Request(exec_job("j0", "true")), Duration(5000));
    ASSERT_TRUE(nobody && std::holds_alternative<wire::JobError>(*nobody)) << "nobody is able to do it";
    Working worker(exec_options(project), exec_function());
    wait_for_worker(*client);
    auto accepted = client->ask<wire::JobAccepted>(exec_job("j1", "echo hello; echo x > $SPARKY_OUTPUT/made.txt"));
    ASSERT_TRUE(accepted) << accepted.error().text();
    auto job = wait_for_job(*client, "j1");
    EXPECT_EQ(job["state"], "completed") << job.dump(1);
    auto again = client->ask<wire::JobAccepted>(exec_job("j1", "echo hello; echo x > $SPARKY_OUTPUT/made.txt"));
    EXPECT_TRUE(again) << "the same id and content: the same job";
    auto other = client->ask(wire::Request(exec_job("j1", "echo other")), Duration(5000));
    EXPECT_TRUE(other && std::holds_alternative<wire::JobError>(*other));
    EXPECT_EQ(project.read("outputs/jobs/j1/made.txt"), "x\n");
    ASSERT_TRUE(client->ask<wire::JobAccepted>(exec_job("j2", "echo bad; exit 3")));
    auto failed = wait_for_job(*client, "j2");
    EXPECT_EQ(failed["state"], "failed");
    EXPECT_NE(failed.dump().find("ended with 3: bad"), std::string::npos) << failed.dump(1);
  }
  Running running(project.options());
  auto client = project.client();
  auto page = client->ask<wire::JobList>(wire::ListJobs{.max = 1});
  ASSERT_TRUE(page && page->next);
  EXPECT_EQ((*page->jobs)[0]["id"], "j1");
  page = client->ask<wire::JobList>(wire::ListJobs{.after = page->next, .max = 1});
  ASSERT_TRUE(page);
  EXPECT_EQ((*page->jobs)[0]["id"], "j2");
  EXPECT_EQ(page->next, 0u) << "that was all";
  auto result = client->ask(wire::Request(wire::GetStatus{"j1"}), Duration(5000));
  ASSERT_TRUE(result && std::holds_alternative<wire::JobResult>(*result));
  EXPECT_EQ(std::get<wire::JobResult>(*result).image_path, (project.path / "outputs/jobs/j1/made.txt").string());
}

TEST(Jobs, CancelInterruptsARunningOneWithinASecond) {
  Project project;
  Running running(project.options());
  auto client = project.client();
  Working worker(exec_options(project), exec_function());
  wait_for_worker(*client);
  ASSERT_TRUE(client->ask<wire::JobAccepted>(exec_job("long", "echo $$ > pid; sleep 1000 & wait")));
  auto job = wait_for_job(*client, "long", "queued");
  EXPECT_EQ(job["state"], "running");
  std::this_thread::sleep_for(100ms);
  auto begun = Clock::now();
  ASSERT_TRUE(client->ask<wire::JobCancelled>(wire::Cancel{"long"}));
  EXPECT_EQ(wait_for_job(*client, "long")["state"], "cancelled");
  ASSERT_TRUE(client->ask<wire::JobAccepted>(exec_job("next", "true")));
  EXPECT_EQ(wait_for_job(*client, "next")["state"], "completed") << "the worker is free again";
  EXPECT_LT(Clock::now() - begun, 10s);
  EXPECT_TRUE(client->ask<wire::JobCancelled>(wire::Cancel{"long"})) << "its answer may have been lost";
  EXPECT_FALSE(client->ask<wire::JobCancelled>(wire::Cancel{"next"})) << "it is completed";
  auto unknown = client->ask(wire::Request(wire::Cancel{"none"}), Duration(5000));
  EXPECT_TRUE(unknown && std::holds_alternative<wire::JobError>(*unknown));
  fs::remove("pid");
}

// A worker by hand, to do what no honest one does.
struct RawWorker {
  zmq::context_t context;
  zmq::socket_t socket{context, zmq::socket_type::dealer};
  explicit RawWorker(const Project& project) {
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::rcvtimeo, 5000);
    socket.connect(project.address("workers"));
  }
  void say(const wire::FromWorker& message) { socket.send(zmq::buffer(wire::encode(message)), zmq::send_flags::none); }
  template <class T>
  std::optional<T> hear() {
    for (;;) {
      zmq::message_t frame;
      if (!socket.recv(frame)) return std::nullopt;
      auto message = wire::parse_to_worker(frame.to_string_view());
      if (message && std::holds_alternative<T>(*message)) return std::get<T>(*message);
    }
  }
};

TEST(Jobs, LateAndLyingWorkersChangeNothing) {
  Project project;
  Running running(project.options());
  auto client = project.client();
  RawWorker first(project), second(project);
  first.say(wire::WorkerHello{.name = "w", .kinds = {"exec"}});
  ASSERT_TRUE(first.hear<wire::WorkerWelcome>());
  ASSERT_TRUE(client->ask<wire::JobAccepted>(exec_job("j", "true")));
  auto lease = first.hear<wire::Lease>();
  ASSERT_TRUE(lease);
  // It comes back by another connection and knows nothing of its lease: that attempt is lost, another begins.
  second.say(wire::WorkerHello{.name = "w", .kinds = {"exec"}});
  ASSERT_TRUE(second.hear<wire::WorkerWelcome>());
  auto again = second.hear<wire::Lease>();
  ASSERT_TRUE(again);
  EXPECT_NE(again->attempt, lease->attempt);
  // The old connection is not listened to; the old attempt's result is settled without effect.
  first.say(wire::WorkerResult{.name = "w", .attempt = again->attempt, .ok = true});
  EXPECT_TRUE(first.hear<wire::WelcomeAgain>());
  second.say(wire::WorkerResult{.name = "w", .attempt = lease->attempt, .ok = true});
  EXPECT_EQ(second.hear<wire::Settled>()->attempt, lease->attempt);
  EXPECT_EQ(wait_for_job(*client, "j", "queued")["state"], "running");
  // Files outside the outputs are refused, and the job has failed.
  second.say(
      wire::WorkerResult{.name = "w", .attempt = again->attempt, .ok = true, .files = {{"x", {}, "/etc/passwd"}}});
  EXPECT_EQ(second.hear<wire::Settled>()->attempt, again->attempt);
  auto job = wait_for_job(*client, "j");
  EXPECT_EQ(job["state"], "failed");
  EXPECT_NE(job.dump().find("does not lie below"), std::string::npos);
  // Bytes that are no message cost nothing.
  second.socket.send(zmq::str_buffer("garbage"), zmq::send_flags::none);
  EXPECT_TRUE(second.hear<wire::WorkerRefused>());
  EXPECT_TRUE(client->ask<wire::Pong>(wire::Ping{}));
}

TEST(Jobs, ARestartOfTheDaemonLosesNoResult) {
  Project project;
  Working worker(exec_options(project), exec_function());
  {
    Running running(project.options());
    auto client = project.client();
    wait_for_worker(*client);
    ASSERT_TRUE(
        client->ask<wire::JobAccepted>(exec_job("j", "sleep 0.5; echo once >> " + (project.path / "o").string())));
    wait_for_job(*client, "j", "queued");
    std::this_thread::sleep_for(200ms);
  }
  std::this_thread::sleep_for(600ms);  // the job ends while nobody is there
  Running running(project.options());
  auto client = project.client();
  EXPECT_EQ(wait_for_job(*client, "j")["state"], "completed");
  EXPECT_EQ(project.read("o"), "once\n");
}

TEST(Jobs, AWorkerWhoseDaemonNeverComesBackLeavesItsResultAndEnds) {
  Project project;
  auto go = (project.path / "go").string();
  auto running = std::make_unique<Running>(project.options());
  auto options = exec_options(project);
  options.patience = Duration(300);
  options.unsettled = project.path / "unsettled";
  Working worker(options, exec_function());
  {
    auto client = project.client();
    wait_for_worker(*client);
    ASSERT_TRUE(client->ask<wire::JobAccepted>(
        exec_job("j", fmt::format("while ! test -e {}; do sleep 0.01; done; echo x > $SPARKY_OUTPUT/made.txt", go))));
    wait_for_job(*client, "j", "queued");
  }
  running.reset();
  ASSERT_TRUE(write_file_atomic(go, ""));
  auto ended = worker.wait();
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.error().text().find("took 1 result"), std::string::npos) << ended.error().text();
  EXPECT_EQ(project.read("unsettled/attempt-1/made.txt"), "x\n");
}

TEST(Jobs, EachEndsOnceWhateverIsKilled) {
  Project project;
  constexpr int jobs = 120;
  // Workers in processes of their own, made before this process has threads that a fork would lose.
  auto spawn_worker = [&](int n) {
    pid_t pid = ::fork();
    if (pid != 0) return pid;
    std::atomic<bool> never = false;
    auto options = exec_options(project, fmt::format("w{}", n));
    options.leases = 2;
    ::_exit(wire::work(options, exec_function(), never) ? 0 : 1);
  };
  auto spawn_daemon = [&] {
    pid_t pid = ::fork();
    if (pid != 0) return pid;
    auto conductor = Conductor::open(project.options());
    ::_exit(conductor && (*conductor)->run() ? 0 : 1);
  };
  auto end = [](pid_t pid) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  };
  pid_t daemon = spawn_daemon();
  std::vector<pid_t> workers{spawn_worker(0), spawn_worker(1)};
  std::srand(5);
  int accepted = 0;
  for (int round = 0; round < 6; ++round) {
    auto client = project.client();
    ASSERT_TRUE(client) << client.error().text();
    wait_for_worker(*client);
    for (int i = 0; i < jobs / 6; ++i, ++accepted)
      ASSERT_TRUE(client->ask<wire::JobAccepted>(
          exec_job(fmt::format("j{}", accepted),
                   fmt::format("sleep 0.01; echo {} >> {}", accepted, (project.path / "o").string()))));
    std::this_thread::sleep_for(std::chrono::milliseconds(std::rand() % 200));
    if (round % 3) {
      end(daemon);
      daemon = spawn_daemon();
    } else {  // twice in all: a job that was lost with three workers would rightly fail
      end(workers[size_t(round / 3)]);
      workers[size_t(round / 3)] = spawn_worker(round / 3);
    }
  }
  auto client = project.client();
  ASSERT_TRUE(client);
  int completed = 0;
  for (int i = 0; i < accepted; ++i) {
    auto job = wait_for_job(*client, fmt::format("j{}", i));
    EXPECT_EQ(job["state"], "completed") << job.dump(1);
    completed += job["state"] == "completed";
  }
  EXPECT_EQ(completed, accepted) << "each accepted job is done";
  std::map<uint64_t, int> ends;  // by job, from the journal's own story
  uint64_t after = 0;
  for (;;) {
    auto list = client->ask<wire::EventList>(wire::ReadEvents{.after = after});
    ASSERT_TRUE(list);
    for (auto& event : list->events)
      if ((*event)["event"] == "job-staged" && (*event)["data"].value("state", Json()) == "completed")
        ++ends[(*event)["data"]["job"].get<uint64_t>()];
    if (list->after >= list->newest) break;
    after = list->after;
  }
  EXPECT_EQ(ends.size(), size_t(accepted));
  for (auto& [job, n] : ends) EXPECT_EQ(n, 1) << "job " << job;
  for (auto pid : workers) end(pid);
  end(daemon);
}

// What an original client sends, byte for byte of its own making, and what it can understand.
struct Original {
  zmq::context_t context;
  zmq::socket_t requests{context, zmq::socket_type::req}, updates{context, zmq::socket_type::sub};
  Original(const std::string& req, const std::string& pub) {
    requests.set(zmq::sockopt::linger, 0);
    requests.set(zmq::sockopt::rcvtimeo, 5000);  // it gives up after 5 s
    requests.connect(req);
    updates.set(zmq::sockopt::rcvtimeo, 5000);
    updates.set(zmq::sockopt::subscribe, "");
    updates.connect(pub);
  }
  Json ask(const Json& map) {
    requests.send(zmq::buffer(to_msgpack(map)), zmq::send_flags::none);
    zmq::message_t frame;
    if (!requests.recv(frame)) return {{"type", "no reply within 5 s"}};
    return parse_msgpack(frame.to_string_view()).value_or(Json());
  }
  Json update() {
    zmq::message_t frame;
    if (!updates.recv(frame)) return {{"type", "none"}};
    return parse_msgpack(frame.to_string_view()).value_or(Json());
  }
};

TEST(Compatible, AnOriginalClientsWholeDay) {
  Project project;
  auto options = project.options();
  options.requests = {"tcp://127.0.0.1:0"};
  options.updates = {"tcp://127.0.0.1:0"};
  Running running(options);
  std::string req, pub;
  for (auto& [name, address] : (*running).addresses()) {
    if (name == "requests" && address.starts_with("tcp")) req = address;
    if (name == "updates" && address.starts_with("tcp")) pub = address;
  }
  auto work = exec_options(project);
  work.kinds = {"generate"};
  work.models = {"sdxl"};
  Working worker(work, exec_function("for i in 1 2 3 4; do echo ::progress 0.$((i*2)) sampling; sleep 0.05; done; "
                                     "printf P > $SPARKY_OUTPUT/a.png; printf Q > $SPARKY_OUTPUT/b.png; sleep 0.1"));
  auto client = project.client();
  wait_for_worker(*client);
  Original tui(req, pub);
  EXPECT_EQ(tui.ask({{"type", "ping"}}), Json({{"type", "pong"}}));
  auto models = tui.ask({{"type", "list_models"}});
  EXPECT_EQ(models["type"], "model_list");
  EXPECT_EQ(models["models"][0]["name"], "sdxl");
  EXPECT_EQ(models["models"][0]["model_type"], "checkpoint");
  auto info = tui.ask({{"type", "status"}});
  EXPECT_EQ(info["type"], "status_info");
  EXPECT_EQ(info["version"], "1.0.0");
  std::this_thread::sleep_for(100ms);  // its subscription reaches the daemon
  Json generate = {{"type", "generate"}, {"id", "j1"},  {"prompt", "a knight"}, {"model", "sdxl"},
                   {"size", {32, 32}},   {"steps", 30}, {"cfg_scale", 7.5}};
  auto accepted = tui.ask(generate);
  EXPECT_EQ(accepted["type"], "job_accepted") << accepted.dump();
  EXPECT_EQ(accepted["job_id"], "j1");
  EXPECT_TRUE(accepted["estimated_time_s"].is_number());
  EXPECT_EQ(tui.ask(generate)["type"], "job_accepted") << "the same id and content gets the same reply";
  generate["prompt"] = "another";
  EXPECT_EQ(tui.ask(generate)["type"], "job_error");
  std::vector<std::string> told;
  double percent = 0;
  for (Json update; told.empty() || told.back() != "job_complete"; told.push_back(update["type"])) {
    update = tui.update();
    ASSERT_NE(update["type"], "none");
    EXPECT_EQ(update["job_id"], "j1");
    if (update["type"] == "job_started") {
      EXPECT_TRUE(update["timestamp"].is_number_integer());
    }
    if (update["type"] == "progress") {
      percent = update["percent"];
      EXPECT_EQ(update["stage"], "sampling");
      EXPECT_DOUBLE_EQ(update["progress"].get<double>() * 100, percent);
    }
    if (update["type"] == "job_finished") {
      EXPECT_EQ(update["success"], true);
    }
    if (update["type"] == "job_complete") {
      EXPECT_EQ(update["image_path"], (project.path / "outputs/jobs/j1/a.png").string());
      EXPECT_EQ(update["image_paths"].size(), 2u);
    }
  }
  EXPECT_EQ(told.front(), "job_started");
  EXPECT_EQ(std::ranges::count(told, "job_started"), 1);
  EXPECT_EQ(told[told.size() - 2], "job_finished");
  EXPECT_NEAR(percent, 80, 0.01) << "the last progress is never lost";
  auto result = tui.ask({{"type", "get_status"}, {"job_id", "j1"}});
  EXPECT_EQ(result["type"], "result");
  EXPECT_EQ(project.read("outputs/jobs/j1/a.png"), "P");
  // Refusals, each in the words that it knows.
  EXPECT_EQ(tui.ask({{"type", "generate"}, {"prompt", "p"}, {"model", "nope"}})["type"], "job_error");
  EXPECT_EQ(tui.ask({{"type", "generate"}, {"prompt", "p"}, {"model", "sdxl"}, {"size", {0, 5}}})["type"], "job_error");
  EXPECT_EQ(tui.ask({{"type", "generate"}, {"model", "sdxl"}})["type"], "error");
  EXPECT_EQ(tui.ask({{"type", "cancel"}, {"job_id", "none"}})["type"], "job_error");
  EXPECT_EQ(tui.ask({{"type", "whatever"}})["type"], "error");
  EXPECT_EQ(tui.ask(Json::array({1, 2}))["type"], "error");
  auto made = tui.ask({{"type", "generate"}, {"prompt", "p"}, {"model", "sdxl"}});
  EXPECT_EQ(made["type"], "job_accepted") << "an id is made";
  auto cancelled = tui.ask({{"type", "cancel"}, {"job_id", made["job_id"]}});
  EXPECT_EQ(cancelled["type"], "job_cancelled");
}

TEST(Keys, OthersComeInByKeyAndRole) {
  Project project;
  zmq::context_t context;
  auto options = project.options();
  options.requests = options.events = {"tcp://0.0.0.0:0"};
  auto refused = Conductor::open(options);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(Errc::denied)) << refused.error().text();
  auto server = make_server_keys(project.path);
  ASSERT_TRUE(server) << server.error().text();
  EXPECT_EQ(make_server_keys(project.path)->secret_key, server->secret_key) << "an existing pair stays";
  auto watcher = add_client(project.path, "watcher", wire::Role::observe);
  auto boss = add_client(project.path, "boss", wire::Role::operate);
  ASSERT_TRUE(watcher && boss);
  EXPECT_TRUE(add_client(project.path, "boss", wire::Role::observe).error().is(Errc::exists));
  EXPECT_TRUE(add_client(project.path, "../x", wire::Role::observe).error().is(Errc::invalid));
  Running running(options);
  std::string address;
  for (auto& [name, a] : (*running).addresses())
    if (name == "requests" && a.starts_with("tcp")) address = "tcp://127.0.0.1" + a.substr(a.rfind(':'));
  auto in = [&](wire::KeyPair own) {
    return wire::Client::connect(address, Duration(1500), {server->public_key, own});
  };
  EXPECT_FALSE(wire::Client::connect(address, Duration(700))) << "without keys nobody comes in";
  EXPECT_FALSE(in({})) << "nor with a key that nobody allowed";
  auto eyes = in(*watcher);
  ASSERT_TRUE(eyes) << eyes.error().text();
  EXPECT_TRUE(eyes->ask<wire::RunList>(wire::ListRuns{}));
  auto events = (*eyes->welcome().addresses)["events"].get<std::string>();
  EXPECT_TRUE(events.starts_with("tcp://127.0.0.1:")) << "another machine cannot reach " << events;
  EXPECT_TRUE(wire::Follower::start(*eyes, 0));
  auto denied = eyes->ask<wire::Done>(wire::PauseQueue{true});
  ASSERT_FALSE(denied);
  EXPECT_TRUE(denied.error().is(Errc::denied)) << denied.error().text();
  auto maker = add_client(project.path, "maker", wire::Role::submit);
  auto makes = in(*maker);
  ASSERT_TRUE(makes);
  auto refused_as = [&](const char* kind) {
    auto reply = makes->ask<wire::JobAccepted>(wire::SubmitJob{.kind = kind});
    return reply ? "accepted" : std::string(reply.error().is(Errc::denied) ? "denied" : "refused");
  };
  auto decided = [&](wire::Client& client) {
    EXPECT_TRUE(client.ask(wire::Request(wire::PauseQueue{true}), wire::Envelope{.who = "the boss"}, Duration(5000)));
    auto events = client.ask<wire::EventList>(wire::ReadEvents{});
    return events ? events->events.back()->dump() : events.error().text();
  };
  EXPECT_EQ(refused_as("deploy"), "denied") << "it writes into a game";
  EXPECT_EQ(refused_as("exec"), "denied") << "it runs commands";
  EXPECT_EQ(refused_as("snap"), "refused") << "allowed, but nobody here can do it";
  auto hands = in(*boss);
  ASSERT_TRUE(hands);
  EXPECT_NE(decided(*hands).find("\"who\":\"boss\""), std::string::npos)
      << "not who it says it is: " << decided(*hands);
  // Who only listens is cut off too, and the others come back by themselves.
  auto listen = [&](const wire::KeyPair& own) {
    zmq::socket_t socket(context, zmq::socket_type::sub);
    socket.set(zmq::sockopt::curve_serverkey, server->public_key);
    socket.set(zmq::sockopt::curve_publickey, own.public_key);
    socket.set(zmq::sockopt::curve_secretkey, own.secret_key);
    socket.set(zmq::sockopt::subscribe, "");
    socket.set(zmq::sockopt::rcvtimeo, 20'000);
    socket.set(zmq::sockopt::linger, 0);
    socket.connect(events);
    return socket;
  };
  auto hears = [](zmq::socket_t& socket) {
    zmq::message_t frame;
    return socket.recv(frame).has_value();
  };
  auto boss_listens = listen(*boss), watcher_listens = listen(*watcher);
  EXPECT_TRUE(hears(boss_listens) && hears(watcher_listens));
  ASSERT_TRUE(remove_client(project.path, "boss"));
  boss_listens.set(zmq::sockopt::rcvtimeo, 4'000);  // a heartbeat comes each second
  int heard = 0;
  while (heard < 20 && hears(boss_listens)) ++heard;
  EXPECT_LT(heard, 20) << "a removed client hears on";
  watcher_listens.set(zmq::sockopt::rcvtimeo, 0);
  while (hears(watcher_listens)) {
  }
  watcher_listens.set(zmq::sockopt::rcvtimeo, 20'000);
  EXPECT_TRUE(hears(watcher_listens));
  EXPECT_FALSE(in(*boss)) << "a removed client stays out";
  auto late = hands->ask<wire::Done>(wire::PauseQueue{false});
  EXPECT_TRUE(!late && late.error().is(Errc::denied)) << "also over a connection that it had";
  EXPECT_TRUE(project.client()) << "this machine needs no key";
}

}  // namespace
}  // namespace sparky::conductor
