// Process spawn, and round trips between two threads over a unix socket and over ZeroMQ.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <cerrno>
#include <memory>
#include <thread>

#include "base/files.h"
#include "telemetry/bench.h"

namespace sparky::telemetry {
namespace {

constexpr size_t message_bytes = 64;
constexpr int trips_per_sample = 50;

bool send_all(int fd, const char* data) { return ::send(fd, data, message_bytes, MSG_NOSIGNAL) == message_bytes; }
bool receive_all(int fd, char* data) { return ::recv(fd, data, message_bytes, MSG_WAITALL) == message_bytes; }

// Seconds per round trip; one sample is the mean of some trips, because one alone is near the clock's grain.
std::vector<double> round_trips(bool quick, const std::function<bool()>& trip) {
  std::vector<double> samples;
  for (int i = 0; i < (quick ? 10 : 40); ++i) {
    bool ok = true;
    double seconds = time_s([&] {
      for (int k = 0; ok && k < trips_per_sample; ++k) ok = trip();
    });
    if (!ok) return {};
    samples.push_back(seconds / trips_per_sample);
  }
  return samples;
}

std::vector<double> unix_round_trips(bool quick) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return {};
  Fd near(ends[0]), far(ends[1]);
  std::thread echo([&] {
    char data[message_bytes];
    while (receive_all(far.get(), data) && send_all(far.get(), data)) {
    }
  });
  char data[message_bytes] = {};
  auto samples = round_trips(quick, [&] { return send_all(near.get(), data) && receive_all(near.get(), data); });
  ::shutdown(near.get(), SHUT_RDWR);
  echo.join();
  return samples;
}

std::vector<double> zeromq_round_trips(bool quick) {
  std::unique_ptr<void, int (*)(void*)> context(::zmq_ctx_new(), ::zmq_ctx_term);
  std::unique_ptr<void, int (*)(void*)> reply(::zmq_socket(context.get(), ZMQ_REP), ::zmq_close);
  std::unique_ptr<void, int (*)(void*)> request(::zmq_socket(context.get(), ZMQ_REQ), ::zmq_close);
  int linger = 0, patience_ms = 5000;
  for (void* socket : {reply.get(), request.get()}) {
    ::zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    ::zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
  }
  auto directory = TemporaryDirectory::make();
  if (!directory) return {};
  auto address = fmt::format("ipc://{}/s", directory->path().string());
  if (::zmq_bind(reply.get(), address.c_str()) != 0 || ::zmq_connect(request.get(), address.c_str()) != 0) return {};
  std::thread echo([&] {  // ends with an empty message
    char data[message_bytes];
    for (;;) {
      int n = ::zmq_recv(reply.get(), data, sizeof data, 0);
      if (n < 0 || ::zmq_send(reply.get(), data, size_t(n), 0) < 0 || n == 0) return;
    }
  });
  char data[message_bytes] = {};
  auto trip = [&](size_t size) {
    return ::zmq_send(request.get(), data, size, 0) == int(size) &&
           ::zmq_recv(request.get(), data, sizeof data, 0) == int(size);
  };
  std::vector<double> samples;
  if (trip(message_bytes)) samples = round_trips(quick, [&] { return trip(message_bytes); });
  trip(0);
  echo.join();
  return samples;
}

}  // namespace

void bench_processes(const BenchOptions& options, std::vector<Measurement>& out, std::vector<Unknown>& unknown) {
  std::string program = find_program("true");
  std::vector<double> samples;
  for (int i = 0; !program.empty() && i < (options.quick ? 30 : 150); ++i) {
    bool ok = true;
    double seconds = time_s([&] {
      char* argv[] = {program.data(), nullptr};
      pid_t pid = 0;
      int status = 0;
      ok = ::posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv, environ) == 0;
      while (ok && ::waitpid(pid, &status, 0) < 0) ok = errno == EINTR;
      ok = ok && status == 0;
    });
    if (!ok) break;
    samples.push_back(seconds);
  }
  if (samples.empty())
    unknown.push_back({"process.spawn", "the program `true` is not here, or does not run"});
  else
    out.push_back({"process.spawn", "Process: spawn and reap", "s",
                   "posix_spawn of `true`, then waitpid, one at a time", std::move(samples)});
}

void bench_ipc(const BenchOptions& options, std::vector<Measurement>& out, std::vector<Unknown>& unknown) {
  auto how = [](const char* what) {
    return fmt::format("{} bytes there and back between two threads over {}; a sample is the mean of {}", message_bytes,
                       what, trips_per_sample);
  };
  auto add = [&](const char* name, const char* title, std::string method, std::vector<double> samples) {
    if (samples.empty())
      unknown.push_back({name, "the sockets could not be made or lost a message"});
    else
      out.push_back({name, title, "s", std::move(method), std::move(samples)});
  };
  add("ipc.unix", "IPC: unix socket round trip", how("a unix stream socket"), unix_round_trips(options.quick));
  add("ipc.zeromq", "IPC: ZeroMQ round trip", how("ZeroMQ REQ/REP on ipc://"), zeromq_round_trips(options.quick));
}

}  // namespace sparky::telemetry
