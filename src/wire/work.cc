#include "wire/work.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <thread>
#include <zmq.hpp>

#include "base/files.h"
#include "wire/address.h"

namespace sparky::wire {
using namespace std::chrono;

namespace {

constexpr auto beat_every = seconds(2), silence_warned = seconds(5);

struct Signal {
  Fd fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  void raise() {
    uint64_t one = 1;
    (void)!::write(fd.get(), &one, sizeof one);
  }
  void clear() {
    uint64_t count;
    (void)!::read(fd.get(), &count, sizeof count);
  }
};

// What job threads have to say, for the thread that owns the socket.
struct Outbox {
  std::mutex mutex;
  std::vector<FromWorker> messages;
  Signal filled;
  void put(FromWorker message) {
    {
      std::lock_guard lock(mutex);
      messages.push_back(std::move(message));
    }
    filled.raise();
  }
  std::vector<FromWorker> take() {
    filled.clear();
    std::lock_guard lock(mutex);
    return std::exchange(messages, {});
  }
};

class Held final : public JobHandle {
 public:
  Held(std::string worker, Lease lease, Outbox& outbox)
      : worker_(std::move(worker)), lease_(std::move(lease)), outbox_(outbox) {}
  ~Held() override {
    if (thread_.joinable()) thread_.join();
  }

  void run(const JobFunction& function) {
    thread_ = std::thread([this, &function] {
      auto begun = steady_clock::now();
      auto made = function(lease_, *this);
      WorkerResult r{.name = worker_, .attempt = lease_.attempt, .ok = made.has_value() && !cancelled()};
      r.cancelled = cancelled();
      r.duration_s = duration<double>(steady_clock::now() - begun).count();
      if (!made) {
        r.error = made.error().text();
      } else if (r.ok) {
        r.result = std::move(made->result);
        r.files = std::move(made->files);
      }
      outbox_.put(std::move(r));
    });
  }
  void cancel() {
    cancelled_ = true;
    signal_.raise();
  }

  bool progress(std::string_view stage, int64_t step, int64_t total, double fraction) override {
    std::optional<double> eta;
    double elapsed = duration<double>(steady_clock::now() - begun_).count();
    if (fraction > 0) eta = elapsed / fraction * (1 - fraction);
    outbox_.put(WorkerProgress{worker_, lease_.attempt, std::string(stage), step, total, fraction, eta});
    return !cancelled_;
  }
  bool preview(std::string name, std::string bytes, int64_t step) override {
    outbox_.put(WorkerPreview{worker_, lease_.attempt, step, {std::move(name), {std::move(bytes)}, {}}});
    return !cancelled_;
  }
  bool cancelled() const override { return cancelled_; }
  int cancel_fd() const override { return signal_.fd.get(); }

  std::optional<WorkerResult> result;  // kept until it is settled; the socket's thread alone

 private:
  std::string worker_;
  Lease lease_;
  Outbox& outbox_;
  Signal signal_;
  std::atomic<bool> cancelled_ = false;
  steady_clock::time_point begun_ = steady_clock::now();
  std::thread thread_;
};

class Worker {
 public:
  Worker(const WorkOptions& options, const JobFunction& function) : o_(options), function_(function) {}

  Status run(const std::atomic<bool>& stop) {
    SPARKY_ASSIGN(auto endpoint, resolve(o_.address));
    zmq::context_t context(1);
    zmq::socket_t socket(context, zmq::socket_type::dealer);
    socket_ = &socket;
    try {
      configure(socket);
      socket.connect(endpoint.address);
      hello();
      while (!stop && refused_.empty() && !idle_for_too_long() && !patience_is_over()) {
        wait(socket);
        receive();
        warn_of_silence();
        for (auto& message : outbox_.take()) tell(std::move(message));
        if (steady_clock::now() - beat_ > beat_every) beat();
      }
      auto left = patience_is_over() ? leave_results() : Status{};
      for (auto& [attempt, held] : held_) held->cancel();
      held_.clear();  // waits for the functions to return
      abandoned_.clear();
      SPARKY_TRY(left);
      if (refused_.empty()) say(WorkerBye{o_.name, stop ? "it was told to end" : "nothing to do"});
    } catch (const zmq::error_t& e) {
      return fail(Errc::unavailable, fmt::format("the connection to {} failed: {}", o_.address, e.what()));
    }
    if (!refused_.empty()) return fail(Errc::denied, "the daemon refuses this worker: " + refused_);
    return {};
  }

 private:
  void configure(zmq::socket_t& socket) {
    socket.set(zmq::sockopt::linger, 500);
    socket.set(zmq::sockopt::reconnect_ivl, 100);
    socket.set(zmq::sockopt::reconnect_ivl_max, 2000);
    if (o_.security.server_key.empty()) return;
    socket.set(zmq::sockopt::curve_serverkey, o_.security.server_key);
    socket.set(zmq::sockopt::curve_publickey, o_.security.own.public_key);
    socket.set(zmq::sockopt::curve_secretkey, o_.security.own.secret_key);
  }
  void wait(zmq::socket_t& socket) {
    zmq::pollitem_t items[] = {{socket.handle(), 0, ZMQ_POLLIN, 0}, {nullptr, outbox_.filled.fd.get(), ZMQ_POLLIN, 0}};
    try {
      zmq::poll(items, 2, milliseconds(200));
    } catch (const zmq::error_t& e) {
      if (e.num() != EINTR) throw;  // a signal, which perhaps set `stop`: then there is still a farewell to be said
    }
  }
  // libzmq tries for ever, and does not say that a key was refused.
  void warn_of_silence() {
    if (heard_ != steady_clock::time_point{} || warned_ || steady_clock::now() - began_ < silence_warned) return;
    warned_ = true;
    log(fmt::format("no answer from {} yet: is the daemon up, and this worker's key allowed there (sparky keys)?",
                    o_.address));
  }
  void say(const FromWorker& message) { (void)socket_->send(zmq::buffer(encode(message)), zmq::send_flags::dontwait); }
  void log(std::string_view line) const {
    if (o_.log) o_.log(line);
  }
  std::vector<uint64_t> holds() const {
    std::vector<uint64_t> all;
    for (auto& [attempt, held] : held_) all.push_back(attempt);
    return all;
  }
  void hello() {
    say(WorkerHello{o_.name, o_.device, o_.kinds, o_.models, o_.memory_bytes, o_.leases, holds()});
    // What was not settled is said again: the daemon that took it may be gone.
    for (auto& [attempt, held] : held_)
      if (held->result) say(*held->result);
    beat_ = steady_clock::now();
  }
  void beat() {
    say(WorkerBeat{o_.name, holds(), loaded()});
    for (auto& [attempt, held] : held_)
      if (held->result) say(*held->result);
    beat_ = steady_clock::now();
  }
  std::optional<std::vector<std::string>> loaded() const {
    return o_.loaded ? std::optional(o_.loaded()) : std::nullopt;
  }
  void tell(FromWorker message) {
    if (auto* result = std::get_if<WorkerResult>(&message)) {
      auto it = held_.find(result->attempt);
      if (it == held_.end()) return void(abandoned_.erase(result->attempt));
      if (o_.loaded) say(WorkerBeat{o_.name, holds(), loaded()});  // who hears of the end finds this current
      it->second->result = *result;
      heard_ = std::max(heard_, steady_clock::now());  // patience begins now
      log(fmt::format("attempt {} {}", result->attempt,
                      result->ok          ? "done"
                      : result->cancelled ? "cancelled"
                                          : "failed: " + result->error));
    }
    say(message);
  }
  bool idle_for_too_long() {
    auto now = steady_clock::now();
    if (!held_.empty()) busy_ = now;
    return o_.idle.count() > 0 && now - busy_ > o_.idle;
  }

  // All is done, and nobody takes it: a daemon that lives would have settled it long ago.
  bool patience_is_over() const {
    bool all_done = !held_.empty() && std::ranges::all_of(held_, [](auto& h) { return h.second->result.has_value(); });
    return all_done && steady_clock::now() - heard_ > o_.patience;
  }
  Status leave_results() const {
    size_t files = 0;
    for (auto& [attempt, held] : held_)
      for (auto& file : held->result->files) {
        if (o_.unsettled.empty() || !file.path.empty()) continue;
        auto path = o_.unsettled / fmt::format("attempt-{}", attempt) / std::filesystem::path(file.name).filename();
        SPARKY_TRY(write_file_atomic(path, file.data.data));
        ++files;
      }
    auto where = files ? fmt::format("; the files made are in {}", o_.unsettled.string()) : "";
    return fail(Errc::unavailable,
                fmt::format("no daemon at {} took {} result{} within {}{}", o_.address, held_.size(),
                            held_.size() == 1 ? "" : "s", human(o_.patience), where),
                "`sparky doctor` says whether it is up; when it is, it gives the jobs out again");
  }

  void receive() {
    for (;;) {
      zmq::message_t frame;
      if (!socket_->recv(frame, zmq::recv_flags::dontwait)) return;
      heard_ = steady_clock::now();
      while (frame.more())
        if (!socket_->recv(frame)) break;
      auto message = parse_to_worker(frame.to_string_view());
      if (message) std::visit([&](auto& m) { take(m); }, *message);
    }
  }
  void take(const WorkerWelcome& m) {
    log("connected to " + o_.address);
    for (auto attempt : m.abandon) forget(attempt);
  }
  void take(const WorkerRefused& m) { refused_ = m.message; }
  void take(const WelcomeAgain&) { hello(); }
  void take(const Settled& m) { forget(m.attempt); }
  void take(const CancelLease& m) {
    auto it = held_.find(m.attempt);
    if (it != held_.end()) return it->second->cancel();
    say(WorkerResult{.name = o_.name, .attempt = m.attempt, .cancelled = true});  // it never came here
  }
  void take(const Lease& m) {
    if (held_.contains(m.attempt)) return;
    log(fmt::format("attempt {}: {} for job {}", m.attempt, m.kind, m.job));
    auto& held = held_[m.attempt] = std::make_unique<Held>(o_.name, m, outbox_);
    beat();  // first the daemon hears that it is held: if it kills this worker, that is known of it
    held->run(function_);
  }
  void forget(uint64_t attempt) {
    auto it = held_.find(attempt);
    if (it == held_.end()) return;
    it->second->cancel();
    // Its function may take a while to return; until then the thread must not be waited for here.
    if (!it->second->result) return void(abandoned_.insert(held_.extract(it)));
    held_.erase(it);
  }

  const WorkOptions& o_;
  const JobFunction& function_;
  zmq::socket_t* socket_ = nullptr;
  Outbox outbox_;
  std::map<uint64_t, std::unique_ptr<Held>> held_, abandoned_;
  std::string refused_;
  bool warned_ = false;
  steady_clock::time_point began_ = steady_clock::now(), beat_{}, heard_{}, busy_ = steady_clock::now();
};

}  // namespace

Status work(const WorkOptions& options, const JobFunction& function, const std::atomic<bool>& stop) {
  return Worker(options, function).run(stop);
}

}  // namespace sparky::wire
