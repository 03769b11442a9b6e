// What asking the daemon costs, each figure beside the bare thing it is made of, measured in turns in the same run. Of
// the rounds, each is a figure of its own; shown are the middle one and, in brackets, the best and the worst.
//   ping      against a ROUTER of plain libzmq in a process of its own that sends every frame back
//   generate  acknowledged, which means on disk, against a ping and a sync of the same disk
//   jobs      accepted per second when a client pipelines them
//   events    to a hundred subscribers
//
//   daemon_bench SPARKY [ROUNDS] [JOBS]
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <zmq.hpp>

#include "base/files.h"
#include "base/json.h"
#include "wire/address.h"
#include "wire/messages.h"
#include "wire/worker.h"

namespace {

using namespace sparky;
using Clock = std::chrono::steady_clock;

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "daemon_bench: {}\n", why);
  std::exit(1);
}

// A child that prints one line when it is ready.
struct Child {
  pid_t pid = -1;
  std::string line;
  explicit Child(const std::function<void()>& body) {
    int ends[2];
    if (::pipe(ends) != 0) give_up("cannot make a pipe");
    pid = ::fork();
    if (pid == 0) {
      ::close(ends[0]);
      ::dup2(ends[1], STDOUT_FILENO);
      body();
      ::_exit(127);
    }
    ::close(ends[1]);
    for (char c; ::read(ends[0], &c, 1) == 1 && c != '\n';) line += c;
    if (line.empty()) give_up("a child process did not start");
  }
  ~Child() {
    ::kill(pid, SIGTERM);
    ::waitpid(pid, nullptr, 0);
  }
};

void echo() {
  zmq::context_t context;
  zmq::socket_t router(context, zmq::socket_type::router);
  router.bind("tcp://127.0.0.1:*");
  fmt::print("{}\n", router.get(zmq::sockopt::last_endpoint));
  std::fflush(stdout);
  for (;;) {
    std::vector<zmq::message_t> frames;
    do {
      frames.emplace_back();
      if (!router.recv(frames.back())) continue;
    } while (frames.back().more());
    for (size_t i = 0; i < frames.size(); ++i)
      router.send(frames[i], i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
}

double microseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::micro>(Clock::now() - since).count();
}

struct Figures {
  std::vector<double> all;
  double at(double part) {
    std::ranges::sort(all);
    return all[size_t(part * double(all.size() - 1))];
  }
};

// One figure of each round.
struct Rounds {
  Figures figures;
  void add(double figure) { figures.all.push_back(figure); }
  std::string text(int digits) {
    return fmt::format("{:.{}f} ({:.{}f} to {:.{}f})", figures.at(0.5), digits, figures.at(0), digits, figures.at(1),
                       digits);
  }
};

std::string ask(zmq::socket_t& socket, const std::string& bytes) {
  socket.send(zmq::buffer(bytes), zmq::send_flags::none);
  zmq::message_t reply;
  if (!socket.recv(reply)) give_up("no reply");
  return reply.to_string();
}

class Bench {
 public:
  explicit Bench(std::string sparky)
      : directory_(std::move(*TemporaryDirectory::make())), echo_(echo), daemon_([this, sparky] { serve(sparky); }) {
    auto addresses = parse_json(daemon_.line).value()["addresses"];
    auto tcp = [&](const char* name) {
      for (auto& address : addresses[name])
        if (address.get<std::string>().starts_with("tcp")) return address.get<std::string>();
      give_up(fmt::format("the daemon has no tcp address for {}", name));
    };
    requests_ = tcp("requests"), events_ = tcp("events");
    bare_.connect(echo_.line);
    asked_.connect(requests_);
    for (auto* socket : {&bare_, &asked_, &worker_}) socket->set(zmq::sockopt::linger, 0);
    // Somebody who could do what is asked for; the queue is held back, so that nothing is done.
    worker_.connect(wire::resolve(wire::project_address(directory_.path(), "workers")).value().address);
    worker_.send(zmq::buffer(wire::encode(
                     wire::FromWorker(wire::WorkerHello{.name = "bench", .kinds = {"generate"}, .models = {"m"}}))),
                 zmq::send_flags::none);
    (void)ask(asked_, wire::encode(wire::Request(wire::PauseQueue{true}), {}));
  }

  void pings_and_generates(int rounds) {
    constexpr int pings = 2000, generates = 50;
    Rounds p50, p99, bare_us, ping_us, generate, generate_us, sync_us;
    for (int round = -1; round < rounds; ++round) {
      auto [bare, daemon] = pings_of_a_round(pings);
      auto [sync, accepted] = generates_of_a_round(generates, round);
      if (round < 0) continue;  // warms up
      auto ping = daemon.at(0.5);
      bare_us.add(bare.at(0.5)), ping_us.add(ping), sync_us.add(sync.at(0.5)), generate_us.add(accepted.at(0.5));
      p50.add(ping / bare.at(0.5)), p99.add(daemon.at(0.99) / bare.at(0.99));
      generate.add(accepted.at(0.5) / (ping + 1.5 * sync.at(0.5)));
    }
    fmt::print("{} rounds of {} pings and {} generates\n", rounds, pings, generates);
    fmt::print("ping      {} µs, bare libzmq {} µs\n", ping_us.text(0), bare_us.text(0));
    fmt::print("          p50 {} × bare (target 1.25), p99 {} × bare (target 1.5)\n", p50.text(2), p99.text(2));
    fmt::print("generate  {} µs acknowledged on disk, a bare sync {} µs\n", generate_us.text(0), sync_us.text(0));
    fmt::print("          {} × (ping + 1.5 × sync) (target 1)\n", generate.text(2));
  }

  std::pair<Figures, Figures> pings_of_a_round(int count) {
    auto ping = wire::encode(wire::Request(wire::Ping{}), {});
    Figures bare, daemon;
    for (int i = 0; i < count; ++i)
      for (auto [socket, figures] : {std::pair(&bare_, &bare), std::pair(&asked_, &daemon)}) {
        auto begun = Clock::now();
        (void)ask(*socket, ping);
        figures->all.push_back(microseconds(begun));
      }
    return {std::move(bare), std::move(daemon)};
  }

  std::pair<Figures, Figures> generates_of_a_round(int count, int round) {
    Fd file(::open((directory_.path() / "sync").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    Figures sync, generate;
    std::string block(4096, 'x');
    for (int i = 0; i < count; ++i) {
      beat();
      auto begun = Clock::now();
      if (::write(file.get(), block.data(), block.size()) < 0 || ::fdatasync(file.get()) != 0) give_up("cannot sync");
      sync.all.push_back(microseconds(begun));
      wire::Generate request{.id = fmt::format("g{}-{}", round, i), .prompt = "a red dragon", .model = "m"};
      begun = Clock::now();
      auto reply = ask(asked_, wire::encode(wire::Request(request), {}));
      generate.all.push_back(microseconds(begun));
      if (reply.find("job_accepted") == reply.npos) give_up("generate was refused: " + reply);
    }
    return {std::move(sync), std::move(generate)};
  }

  void jobs(int count) {
    zmq::socket_t pipe(context_, zmq::socket_type::dealer);
    pipe.set(zmq::sockopt::linger, 0);
    pipe.set(zmq::sockopt::sndhwm, 0);
    pipe.set(zmq::sockopt::rcvhwm, 0);
    pipe.connect(requests_);
    beat();
    auto begun = Clock::now();
    for (int i = 0; i < count; ++i) {
      wire::SubmitJob job{.id = fmt::format("j{}", i), .kind = "generate", .model = "m"};
      job.request = wire::document({{"prompt", "a red dragon"}});
      pipe.send(zmq::message_t(), zmq::send_flags::sndmore);
      pipe.send(zmq::buffer(wire::encode(wire::Request(job), {})), zmq::send_flags::none);
    }
    for (int accepted = 0; accepted < count; ++accepted) {
      zmq::message_t frame;
      do {
        if (!pipe.recv(frame)) give_up("no reply");
      } while (frame.more());
      if (frame.to_string_view().find("job_accepted") == std::string::npos) give_up("refused: " + frame.to_string());
    }
    auto seconds = microseconds(begun) / 1e6;
    fmt::print("jobs      {} accepted, on disk, in {:.2f} s: {:.0f} per second (target 10,000)\n", count, seconds,
               count / seconds);
  }

  void subscribers(int readers, int events) {
    std::vector<zmq::socket_t> all;
    for (int i = 0; i < readers; ++i) {
      auto& socket = all.emplace_back(context_, zmq::socket_type::sub);
      socket.set(zmq::sockopt::linger, 0);
      socket.set(zmq::sockopt::rcvhwm, 0);
      socket.set(zmq::sockopt::rcvtimeo, 20'000);
      socket.set(zmq::sockopt::subscribe, "");
      socket.connect(events_);
    }
    ::usleep(500'000);
    zmq::socket_t pipe(context_, zmq::socket_type::dealer);
    pipe.set(zmq::sockopt::linger, 0);
    pipe.set(zmq::sockopt::rcvhwm, 0);
    pipe.connect(requests_);
    beat();
    auto begun = Clock::now();
    for (int i = 0; i < events; ++i) {
      wire::Generate request{.id = fmt::format("e{}", i), .prompt = "a red dragon", .model = "m"};
      pipe.send(zmq::message_t(), zmq::send_flags::sndmore);
      pipe.send(zmq::buffer(wire::encode(wire::Request(request), {})), zmq::send_flags::none);
    }
    for (auto& socket : all)
      for (int seen = 0; seen < events;) {
        zmq::message_t frame;
        if (!socket.recv(frame)) give_up("a subscriber heard nothing for 20 s");
        seen += frame.to_string_view().find("job-submitted") != std::string::npos;
      }
    auto seconds = microseconds(begun) / 1e6;
    fmt::print("events    {} to each of {} subscribers in {:.2f} s: {:.0f} deliveries per second\n", events, readers,
               seconds, double(events) * readers / seconds);
  }

 private:
  void serve(const std::string& sparky) {
    ::chdir(directory_.path().c_str());
    auto project = directory_.path().string();
    ::execl(sparky.c_str(), sparky.c_str(), "--project", project.c_str(), "--json", "serve", "--req",
            "tcp://127.0.0.1:0", "--pub", "none", "--events", "tcp://127.0.0.1:0", "--http", "none", nullptr);
  }
  void beat() {
    worker_.send(zmq::buffer(wire::encode(wire::FromWorker(wire::WorkerBeat{"bench", {}}))), zmq::send_flags::none);
  }

  TemporaryDirectory directory_;
  Child echo_, daemon_;
  std::string requests_, events_;
  zmq::context_t context_;
  zmq::socket_t bare_{context_, zmq::socket_type::req}, asked_{context_, zmq::socket_type::req},
      worker_{context_, zmq::socket_type::dealer};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) give_up("daemon_bench SPARKY [ROUNDS] [JOBS]");
  auto number = [&](int i, int otherwise) { return argc > i ? std::max(1, std::atoi(argv[i])) : otherwise; };
  Bench bench(std::filesystem::absolute(argv[1]).string());
  bench.pings_and_generates(number(2, 7));
  bench.jobs(number(3, 10'000));
  bench.subscribers(100, 300);
  return 0;
}
