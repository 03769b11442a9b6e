#include "executors/local.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <unordered_set>
#include <utility>

#include "base/files.h"
#include "warden/protocol.h"
#include "warden/socket.h"

extern char** environ;

namespace sparky::executors {
namespace {

namespace fs = std::filesystem;
using warden::Frame;
using warden::Reader;
using warden::Type;
using Clock = std::chrono::steady_clock;
using Kind = ExecutorEvent::Kind;

constexpr auto start_limit = std::chrono::seconds(10);  // for the warden to take its post
constexpr auto greet_limit = std::chrono::seconds(30);  // for its answer: first it kills what an earlier one left
constexpr auto busy_limit = std::chrono::seconds(2);    // a daemon that was just killed may hold on that long
constexpr auto retry_every = std::chrono::milliseconds(200);
constexpr int failures_silent = 20;
constexpr auto retry_soon = std::chrono::milliseconds(10);

fs::path own_directory() {
  std::error_code ec;
  return fs::read_symlink("/proc/self/exe", ec).parent_path();
}

// This process's environment, with the directory of its program first in PATH.
std::vector<std::string> own_environment() {
  std::vector<std::string> out;
  std::string path = own_directory().string();
  for (char** item = environ; *item != nullptr; ++item) {
    std::string_view text = *item;
    if (text.starts_with("PATH="))
      path += ":" + std::string(text.substr(5));
    else
      out.emplace_back(text);
  }
  out.push_back("PATH=" + path);
  return out;
}

fs::path warden_program(const fs::path& given) {
  if (!given.empty()) return given;
  if (const char* named = std::getenv("SPARKY_WARDEN_PROGRAM"); named && *named) return named;
  return own_directory() / "sparky-warden";
}

// Runs the program until it has taken its post and gone into the background. Errc::busy: there is one already.
Status start_warden(const fs::path& program, const fs::path& directory) {
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  Fd errors(pipe_fds[0]), end(pipe_fds[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, end.get(), 2);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  auto name = program.string(), where = directory.string();
  char* argv[] = {name.data(), where.data(), nullptr};
  pid_t pid = 0;
  int error = ::posix_spawn(&pid, name.c_str(), &actions, &attributes, argv, environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  end.reset();
  if (error != 0)
    return fail_errno(error, "cannot start " + name,
                      "sparky-warden belongs beside sparky; or name it in SPARKY_WARDEN_PROGRAM");

  std::string text;
  auto deadline = Clock::now() + start_limit;
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd poll_fd{errors.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&poll_fd, 1, int(left)) == 0) {
      ::kill(pid, SIGKILL);
      text = "it did not take its post within " + std::to_string(start_limit.count()) + " s";
      break;
    }
    char bytes[4096];
    ssize_t n = ::read(errors.get(), bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(bytes, size_t(n));
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 3) return fail(Errc::busy, "another warden is there");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (WIFSIGNALED(status) && text.empty())  // as one that leaves while we come: tried again, for some time in silence
    return fail(Errc::not_found, fmt::format("the warden was killed by signal {} as it started", WTERMSIG(status)));
  return fail(Errc::unavailable, "the warden cannot start: " + (text.empty() ? name + " failed" : text));
}

class LocalExecutor final : public Executor {
 public:
  explicit LocalExecutor(LocalOptions options);
  Status meet();  // connects for the first time, and waits for it

  int fd() const override { return epoll_.get(); }
  std::vector<ExecutorEvent> pump(Time now) override;
  void flush() override;
  void start(AttemptSpec spec) override;
  void cancel(const std::string& id, Duration grace) override;
  void recall(const std::string& id) override;
  void forget(const std::vector<std::string>& ids) override;
  void input(const std::string& id, std::string bytes, bool end) override;
  void set_slots(unsigned slots) override;
  void reconcile(const std::vector<std::string>& ids) override;

 private:
  enum class State : uint8_t { gone, greeting, live };

  void connect();
  void lost_it(Error why);
  void retry_in(Clock::duration delay);
  void hear();
  void hear_frame(Type type, Reader in);
  void hello();
  void exited(Reader& in);
  void emit(ExecutorEvent event);
  std::string& orders() { return state_ == State::live ? out_ : later_; }
  void wake();

  LocalOptions options_;
  Fd epoll_, timer_, socket_;
  State state_ = State::gone;
  bool watches_out_ = false, told_unavailable_ = false, was_live_ = false, reconnected_ = false;
  warden::FrameReader in_;
  std::string out_;    // to be sent
  std::string later_;  // orders given while there is no connection
  std::vector<std::string> later_ids_;
  std::unordered_set<std::string> open_;   // handed over, and not ended
  std::unordered_set<std::string> ended_;  // ended, and not forgotten
  int failures_ = 0;                       // since it last worked
  bool asked_reconcile_ = false;           // by our user, so the answer is for him
  Clock::time_point greet_by_{};
  std::vector<ExecutorEvent> events_;
  std::optional<Error> error_;  // why the last try failed
};

LocalExecutor::LocalExecutor(LocalOptions options)
    : options_(std::move(options)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = timer_.get();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event);
}

// === The connection ===

Status LocalExecutor::meet() {
  SPARKY_TRY(make_directories(options_.directory, 0700));
  auto busy_until = Clock::now() + busy_limit;
  auto deadline = Clock::now() + greet_limit;
  for (;;) {
    if (state_ == State::gone) connect();
    if (state_ == State::greeting) {
      pollfd poll_fd{epoll_.get(), POLLIN, 0};
      ::poll(&poll_fd, 1, 1000);
      hear();
    }
    if (state_ == State::live) return {};
    if (state_ == State::gone && error_) {
      bool passing = (error_->is(Errc::not_found) && failures_ <= failures_silent) ||
                     (error_->is(Errc::busy) && Clock::now() < busy_until);
      if (!passing || Clock::now() >= deadline) return std::unexpected(*error_);
      ::usleep(10'000);
    }
    if (Clock::now() >= deadline) return fail(Errc::unavailable, "the warden does not answer");
  }
}

// One try: an existing warden, or a new one. Afterwards greeting, or gone with error_.
void LocalExecutor::connect() {
  auto path = options_.directory / "sock";
  auto socket = warden::connect_to(path);
  if (!socket && socket.error().is(Errc::not_found)) {
    auto started = start_warden(warden_program(options_.program), options_.directory);
    // Busy: the other one is just coming or going.
    if (!started && !started.error().is(Errc::busy)) return lost_it(started.error());
    socket = warden::connect_to(path);
  }
  if (!socket) return lost_it(socket.error());
  socket_ = std::move(*socket);
  in_ = {};
  out_.clear();
  watches_out_ = false;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = socket_.get();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket_.get(), &event);
  auto environment = options_.environment.empty() ? own_environment() : options_.environment;
  (*Frame(out_, Type::hello)).u64(warden::protocol_version).text(SPARKY_VERSION).list(environment);
  state_ = State::greeting;
  greet_by_ = Clock::now() + greet_limit;
  if (was_live_) retry_in(greet_limit);
  flush();
}

void LocalExecutor::lost_it(Error why) {
  state_ = State::gone;
  ++failures_;
  socket_ = Fd();
  error_ = std::move(why);
  if (was_live_) retry_in(told_unavailable_ ? retry_every : retry_soon);
}

void LocalExecutor::retry_in(Clock::duration delay) {
  auto ns = std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::nanoseconds>(delay).count());
  itimerspec when{};
  when.it_value = {ns / 1'000'000'000, ns % 1'000'000'000};
  ::timerfd_settime(timer_.get(), 0, &when, nullptr);
}

std::vector<ExecutorEvent> LocalExecutor::pump(Time) {
  uint64_t ticks = 0;
  bool due = ::read(timer_.get(), &ticks, sizeof ticks) > 0;
  if (state_ == State::greeting && Clock::now() >= greet_by_)
    lost_it({Errc::unavailable, "the warden does not answer", {}});
  if (state_ == State::gone && due) {
    connect();
    // A warden that leaves as we come is nothing to speak of, unless that goes on.
    if (state_ == State::gone && !told_unavailable_ && (!error_->is(Errc::not_found) || failures_ > failures_silent)) {
      told_unavailable_ = true;
      emit({.kind = Kind::unavailable, .text = error_->text()});
    }
  }
  hear();
  flush();
  return std::exchange(events_, {});
}

void LocalExecutor::flush() {
  size_t done = 0;
  while (socket_ && done < out_.size()) {
    ssize_t n = ::send(socket_.get(), out_.data() + done, out_.size() - done, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;  // full, or gone: hear() finds out
    done += size_t(n);
  }
  out_.erase(0, done);
  if (!socket_ || watches_out_ == !out_.empty()) return;
  watches_out_ = !out_.empty();
  epoll_event event{};
  event.events = EPOLLIN | (watches_out_ ? uint32_t(EPOLLOUT) : 0u);
  event.data.fd = socket_.get();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket_.get(), &event);
}

void LocalExecutor::hear() {
  static thread_local char bytes[64u << 10];
  while (socket_) {
    ssize_t n = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      // not_found: a warden that leaves as we come; the next try starts another.
      return lost_it(
          {Errc::not_found, "the warden has gone", "its own words are in " + (options_.directory / "log").string()});
    }
    in_.append({bytes, size_t(n)});
    while (socket_) {
      auto item = in_.next();
      if (!item) break;
      hear_frame(item->type, Reader(item->fields));
    }
    if (in_.broken()) return lost_it({Errc::corrupt, "the warden sends what is no message", {}});
    if (size_t(n) < sizeof bytes) return;
  }
}

// === What the warden says ===

void LocalExecutor::hear_frame(Type type, Reader in) {
  ExecutorEvent event;
  switch (type) {
    case Type::hello:
      return hello();
    case Type::refused: {
      bool busy = in.u64() == uint64_t(warden::Refusal::busy);
      auto text = in.text();
      if (busy)
        return lost_it({Errc::busy, "another Sparky is connected to this project's warden", "stop that one first"});
      return lost_it({Errc::unavailable, text, "it leaves by itself when they have ended; then try again"});
    }
    case Type::started:
      event.kind = Kind::started;
      event.id = in.text();
      event.known = in.u64() != 0 || open_.contains(event.id);
      open_.insert(event.id);  // also one of an earlier daemon's: should the warden die, its end is ours to tell
      event.pid = int64_t(in.u64());
      event.at = Time{Duration{int64_t(in.u64())}};
      break;
    case Type::progress:
      event.kind = Kind::progress;
      event.id = in.text();
      event.fraction = double(in.u64()) / 1e6;
      event.text = in.text();
      break;
    case Type::output:
      event.kind = Kind::output;
      event.id = in.text();
      event.bytes = in.u64();
      break;
    case Type::exited:
      return exited(in);
    case Type::recalled:
    case Type::not_started:
      event.kind = type == Type::recalled ? Kind::recalled : Kind::not_started;
      event.id = in.text();
      open_.erase(event.id);
      break;
    case Type::too_late:
      event.kind = Kind::too_late;
      event.id = in.text();
      break;
    case Type::reconciled:
      if (!std::exchange(asked_reconcile_, false)) return;
      event.kind = Kind::reconciled;
      break;
    case Type::trouble: {
      event.text = in.text();
      event.kind = event.text.empty() ? Kind::available : Kind::unavailable;
      break;
    }
    default:
      return;
  }
  if (in.ok()) emit(std::move(event));
}

void LocalExecutor::hello() {
  state_ = State::live;
  failures_ = 0;
  error_.reset();
  retry_in(std::chrono::hours(24 * 365));
  Frame(out_, Type::slots)->u64(options_.slots);
  if (was_live_)  // the warden died under us: what became of all that it had?
    Frame(out_, Type::reconcile)->list({open_.begin(), open_.end()});
  reconnected_ = std::exchange(was_live_, true);
  out_ += std::exchange(later_, {});
  for (auto& id : std::exchange(later_ids_, {})) open_.insert(std::move(id));
  if (std::exchange(told_unavailable_, false)) emit({.kind = Kind::available});
}

void LocalExecutor::exited(Reader& in) {
  ExecutorEvent event;
  event.kind = Kind::exited;
  event.id = in.text();
  event.known = in.u64() != 0 || open_.contains(event.id) || ended_.contains(event.id);
  event.exit = warden::take_exit(in);
  event.at = event.exit.ended;
  if (!in.ok()) return;
  // After the warden's death: what we had forgotten before it came to hear of that.
  if (!event.known && reconnected_) return forget({event.id});
  open_.erase(event.id);
  if (ended_.insert(event.id).second) emit(std::move(event));
}

void LocalExecutor::emit(ExecutorEvent event) { events_.push_back(std::move(event)); }

// === Orders ===

// Something is to be returned by pump() that did not come through the socket.
void LocalExecutor::wake() {
  if (state_ == State::live) retry_in(Clock::duration(1));
}

void LocalExecutor::start(AttemptSpec spec) {
  if (auto why = warden::complaint(spec); !why.empty()) {
    ExecutorEvent event{.kind = Kind::exited, .id = spec.id, .at = now()};
    event.exit = {.ending = Ending::spawn_error, .code = EINVAL, .started = event.at, .ended = event.at, .note = why};
    emit(std::move(event));
    return wake();
  }
  ended_.erase(spec.id);  // should it have ended, that is to be told again
  if (state_ == State::live)
    open_.insert(spec.id);
  else
    later_ids_.push_back(spec.id);
  Frame frame(orders(), Type::spawn);
  put(*frame, spec);
}

void LocalExecutor::cancel(const std::string& id, Duration grace) {
  Frame(orders(), Type::cancel)->text(id).u64(uint64_t(std::max<int64_t>(0, grace.count())));
}

void LocalExecutor::recall(const std::string& id) { Frame(orders(), Type::recall)->text(id); }

void LocalExecutor::forget(const std::vector<std::string>& ids) {
  if (ids.empty()) return;
  for (auto& id : ids) ended_.erase(id);
  Frame(orders(), Type::forget)->list(ids);
}

void LocalExecutor::input(const std::string& id, std::string bytes, bool end) {
  constexpr size_t piece = 1u << 20;
  for (size_t at = 0; at == 0 || at < bytes.size(); at += piece) {
    auto part = std::string_view(bytes).substr(at, piece);
    Frame(orders(), Type::input)->text(id).text(part).u64(end && at + piece >= bytes.size());
  }
}

void LocalExecutor::set_slots(unsigned slots) {
  options_.slots = slots;
  if (state_ == State::live) Frame(out_, Type::slots)->u64(slots);
}

void LocalExecutor::reconcile(const std::vector<std::string>& ids) {
  asked_reconcile_ = true;
  open_.insert(ids.begin(), ids.end());
  if (state_ == State::live) Frame(out_, Type::reconcile)->list(ids);
}

}  // namespace

Result<std::unique_ptr<Executor>> connect_or_start(LocalOptions options) {
  auto executor = std::make_unique<LocalExecutor>(std::move(options));
  SPARKY_TRY(executor->meet());
  return executor;
}

}  // namespace sparky::executors
