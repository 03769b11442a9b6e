#include "warden/warden.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "warden/socket.h"

namespace sparky::warden {
namespace {

enum Tag : uint64_t { tag_signals, tag_listener, tag_daemon, tag_sync };

constexpr uint64_t first_daemon_ms = 30'000;
constexpr uint64_t greeting_ms = 5'000;
constexpr uint64_t retry_ms = 1'000;
constexpr uint64_t hold_back_ms = 10;
constexpr size_t out_max_bytes = 8u << 20;  // to a daemon that does not read: beyond it, only what must be told

}  // namespace

Result<Post> take_post(const std::filesystem::path& directory) {
  Post post;
  auto lock = directory / "lock";
  post.lock = Fd(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!post.lock) return fail_errno(errno, "cannot open " + lock.string());
  if (::flock(post.lock.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Errc::busy, "another warden is at work in " + directory.string());
  SPARKY_ASSIGN(post.listener, listen_on(directory / "sock"));
  return post;
}

Warden::Warden(std::filesystem::path directory, Fd listener, Spool spool)
    : directory_(std::move(directory)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      listener_(std::move(listener)),
      spool_(std::move(spool)),
      supervisor_(std::make_unique<Supervisor>(epoll_.get(), directory_)) {
  // The supervisor's and the sync's threads have these blocked too: they were blocked before main made the warden.
  sigset_t mask;
  ::sigemptyset(&mask);
  for (int s : {SIGCHLD, SIGTERM, SIGINT}) ::sigaddset(&mask, s);
  signals_ = Fd(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  auto watch = [&](int fd, uint64_t tag) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  };
  watch(signals_.get(), tag_signals);
  watch(listener_.get(), tag_listener);
  watch(sync_.fd(), tag_sync);
}

Warden::~Warden() = default;

int Warden::run() {
  wait_until_ = monotonic_ms() + first_daemon_ms;
  while (!left_) {
    gather();
    hear_supervisor();
    start_ready();
    if (!holds_back()) write_spool();
    tell_durable();
    if (!holds_back()) flush();
    if (nothing_left()) leave();
  }
  return 0;
}

// === What can become ready ===

int Warden::wait_ms() const {
  if (can_start(supervisor_->slots_used())) return 0;  // a rewritten spool is durable without a sync's end to wait for
  uint64_t until = UINT64_MAX;
  if (auto d = supervisor_->deadline()) until = std::min(until, *d);
  if (spool_.broken()) until = std::min(until, retry_at_);
  if (wait_until_ != 0) until = std::min(until, wait_until_);
  if (hold_until_ != 0) until = std::min(until, hold_until_);
  if (daemon_ && !daemon_->greeted) until = std::min(until, daemon_->greet_by);
  if (until == UINT64_MAX) return -1;
  auto t = monotonic_ms();
  return until <= t ? 0 : int(std::min<uint64_t>(until - t, 3'600'000));
}

void Warden::gather() {
  epoll_event events[64];
  int n = ::epoll_wait(epoll_.get(), events, 64, wait_ms());
  for (int i = 0; i < n; ++i) {
    switch (uint64_t tag = events[i].data.u64; tag) {
      case tag_signals:
        hear_signals();
        break;
      case tag_listener:
        break;  // after the daemon, who may just have gone
      case tag_daemon:
        hear_daemon();
        break;
      case tag_sync:
        synced();
        break;
      default:
        supervisor_->ready(tag);
    }
  }
  for (int i = 0; i < n; ++i)
    if (events[i].data.u64 == tag_listener) welcome();
  supervisor_->tick();
  if (daemon_ && !daemon_->greeted && monotonic_ms() >= daemon_->greet_by) hang_up();
}

void Warden::hear_signals() {
  signalfd_siginfo info[16];
  for (ssize_t n; (n = ::read(signals_.get(), info, sizeof info)) > 0;) {
    for (size_t i = 0; i < size_t(n) / sizeof info[0]; ++i) {
      if (info[i].ssi_signo == SIGCHLD) continue;
      stopping_ = true;
      supervisor_->stop_all("the warden was told to stop (signal " + std::to_string(info[i].ssi_signo) + ")");
    }
  }
  supervisor_->reap();
}

void Warden::welcome() {
  Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  ucred peer{};
  socklen_t size = sizeof peer;
  bool own = ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
             (peer.uid == ::geteuid() || peer.uid == 0);
  if (!own) return;
  if (daemon_) {
    std::string frame;
    (*Frame(frame, Type::refused)).u64(uint64_t(Refusal::busy)).text("another daemon is connected");
    [[maybe_unused]] auto n = ::send(socket.get(), frame.data(), frame.size(), MSG_NOSIGNAL);
    return;
  }
  wait_until_ = 0;
  daemon_.emplace();
  daemon_->socket = std::move(socket);
  daemon_->greet_by = monotonic_ms() + greeting_ms;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag_daemon;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, daemon_->socket.get(), &event);
}

void Warden::hear_daemon() {
  static char bytes[64u << 10];
  for (int turn = 0; daemon_ && turn < 16; ++turn) {
    ssize_t n = ::recv(daemon_->socket.get(), bytes, sizeof bytes, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return hang_up();
    daemon_->in.append({bytes, size_t(n)});
    while (daemon_) {
      auto item = daemon_->in.next();
      if (daemon_->in.broken()) return hang_up();
      if (!item) break;
      if (!obey(item->type, item->fields)) return hang_up();
    }
    if (size_t(n) < sizeof bytes) return;
  }
}

void Warden::hang_up() {
  daemon_.reset();
  // What was waiting to be told is told to the next one, by reconcile.
  std::erase_if(untold_, [](const Untold& u) { return u.id.empty(); });
}

void Warden::synced() {
  auto done = sync_.collect();
  if (!done) return;
  if (done->error == 0) {
    durable_ = std::max(durable_, done->position);
    tell_durable();
    return flush();
  }
  // After a failed sync nobody knows what is on disk: a new file, from what is in memory.
  spool_.distrust();
  retry_at_ = 0;
}

void Warden::hear_supervisor() {
  for (auto& event : supervisor_->take_events()) {
    if (event.kind == Supervisor::Event::Kind::ended) {
      spool_.exit(event.id, event.exit);
      untold_.push_back({spool_.position(), event.id, true});
    } else if (daemon_ && daemon_->greeted && daemon_->out.size() < out_max_bytes) {
      if (event.kind == Supervisor::Event::Kind::progress)
        Frame(daemon_->out, Type::progress)->text(event.id).u64(uint64_t(event.fraction * 1e6)).text(event.text);
      else
        Frame(daemon_->out, Type::output)->text(event.id).u64(event.bytes);
    }
  }
}

// === The daemon's orders ===

bool Warden::obey(Type type, std::string_view fields) {
  Reader in(fields);
  if (type == Type::hello) return greet(in);
  if (!daemon_->greeted) return false;
  switch (type) {
    case Type::slots: {
      slots_ = std::max<uint64_t>(1, in.u64());
      raise_file_limit();
      return in.done();
    }
    case Type::reconcile: {
      auto ids = in.list();
      if (in.done()) reconcile(ids);
      return in.done();
    }
    case Type::spawn: {
      auto spec = take_spec(in);
      if (!in.done() || !complaint(spec).empty()) return false;
      take(std::move(spec));
      return true;
    }
    case Type::cancel: {
      auto id = in.text();
      auto grace = Duration{int64_t(std::min<uint64_t>(in.u64(), INT32_MAX))};
      if (in.done()) cancel(id, grace);
      return in.done();
    }
    case Type::recall: {
      auto id = in.text();
      if (in.done()) recall(id);
      return in.done();
    }
    case Type::input: {
      auto id = in.text(), bytes = in.text();
      bool end = in.u64() != 0;
      if (in.done()) input(id, bytes, end);
      return in.done();
    }
    case Type::forget: {
      for (auto& id : in.list())
        if (auto* entry = spool_.find(id); entry && entry->state == Entry::State::exited) spool_.forget(id);
      return in.done();
    }
    default:
      return false;
  }
}

bool Warden::greet(Reader in) {
  auto version = in.u64();
  auto program = in.text();
  if (!in.ok() || daemon_->greeted) return false;
  if (version != protocol_version) {
    (*Frame(daemon_->out, Type::refused))
        .u64(uint64_t(Refusal::version))
        .text("this warden (process " + std::to_string(::getpid()) + ") speaks version " +
              std::to_string(protocol_version) + " of the protocol, not " + std::to_string(version) + "; " +
              std::to_string(supervisor_->size()) + " attempts are running");
    flush();
    return false;
  }
  daemon_->environment = std::make_shared<const std::vector<std::string>>(in.list());
  if (!in.done()) return false;
  daemon_->greeted = true;
  (*Frame(daemon_->out, Type::hello)).u64(protocol_version).text(SPARKY_VERSION).u64(uint64_t(::getpid()));
  if (!trouble_.empty()) Frame(daemon_->out, Type::trouble)->text(trouble_);
  return true;
}

void Warden::take(AttemptSpec spec) {
  if (supervisor_->pid_of(spec.id) != 0) return tell_started(spec.id, true);
  if (auto* entry = spool_.find(spec.id); entry && entry->state == Entry::State::exited) {
    untold_.push_back({spool_.position(), spec.id, true});
    return;
  }
  if (!queued_.insert(spec.id).second) return;
  spool_.accept(spec.id);
  Queued queued{std::move(spec), spool_.position(), daemon_->environment, {}, false};
  if (queued.spec.beyond_slots)
    queue_.push_front(std::move(queued));
  else
    queue_.push_back(std::move(queued));
}

bool Warden::drop_queued(const std::string& id) {
  if (queued_.erase(id) == 0) return false;
  std::erase_if(queue_, [&](const Queued& q) { return q.spec.id == id; });
  spool_.forget(id);
  return true;
}

void Warden::cancel(const std::string& id, Duration grace) {
  if (drop_queued(id)) return tell(Type::recalled, id);
  if (supervisor_->pid_of(id) != 0) return supervisor_->cancel(id, grace);
  if (spool_.find(id) == nullptr) return tell(Type::not_started, id);
  untold_.push_back({spool_.position(), id, true});  // it has ended; perhaps that was not heard
}

void Warden::recall(const std::string& id) {
  bool ran = supervisor_->pid_of(id) != 0 || (spool_.find(id) && !queued_.contains(id));
  drop_queued(id);
  tell(ran ? Type::too_late : Type::recalled, id);
}

void Warden::input(const std::string& id, std::string_view bytes, bool end) {
  if (!queued_.contains(id)) return supervisor_->input(id, bytes, end);
  auto found = std::find_if(queue_.begin(), queue_.end(), [&](const Queued& q) { return q.spec.id == id; });
  found->input.append(bytes);
  found->input_ends = found->input_ends || end;
}

void Warden::reconcile(const std::vector<std::string>& ids) {
  std::unordered_set<std::string> known(ids.begin(), ids.end());
  for (auto& id : ids) {
    if (spool_.find(id)) continue;
    if (spool_.intact()) {
      tell(Type::not_started, id);
      continue;
    }
    Exit lost{.ending = Ending::lost, .started = now(), .ended = now()};
    lost.note = "the warden's records are damaged or gone, so nobody knows whether it ran or how it ended";
    spool_.exit(id, lost);
  }
  if (!spool_.intact()) spool_.settle();
  std::vector<std::string> strangers;
  for (auto& [id, entry] : spool_.entries()) {
    if (entry.state == Entry::State::exited)
      untold_.push_back({spool_.position(), id, known.contains(id)});
    else if (supervisor_->pid_of(id) != 0)
      tell_started(id, known.contains(id));
    else if (!known.contains(id))
      strangers.push_back(id);  // waiting for a slot, and nobody knows what for
  }
  for (auto& id : strangers) drop_queued(id);
  untold_.push_back({spool_.position(), {}, true});
}

void Warden::raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  auto wanted = std::min<rlim_t>(limit.rlim_max, 64 + 5 * slots_);
  if (wanted <= limit.rlim_cur) return;  // attempts inherit it: no more than must be
  limit.rlim_cur = wanted;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// === The loop's second half ===

bool Warden::can_start(size_t used) const {
  return daemon_ && !stopping_ && !spool_.broken() && !queue_.empty() && queue_.front().accepted <= durable_ &&
         (queue_.front().spec.beyond_slots || used < slots_);
}

void Warden::start_ready() {
  for (;;) {
    auto used = supervisor_->slots_used();
    std::vector<Queued> batch;
    while (can_start(used)) {
      used += !queue_.front().spec.beyond_slots;
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    if (batch.empty()) return;
    // Written before the processes exist: whatever ends this one now, the next warden knows that they may have run.
    for (auto& q : batch) spool_.start(q.spec.id, now());
    if (auto written = spool_.write(); !written) {
      trouble(written.error().message);
      for (; !batch.empty(); batch.pop_back()) {
        spool_.accept(batch.back().spec.id);
        queue_.push_front(std::move(batch.back()));
      }
      return;
    }
    for (auto& q : batch) {
      auto id = q.spec.id;
      queued_.erase(id);
      auto pid = supervisor_->start(std::move(q.spec), *q.environment);
      if (pid) {
        spool_.pid(id, *pid);
        tell_started(id, true);
        if (!q.input.empty() || q.input_ends) supervisor_->input(id, q.input, q.input_ends);
      } else {
        spool_.exit(id, pid.error());
        untold_.push_back({spool_.position(), id, true});
      }
    }
  }
}

// While more attempts wait here than have ended, nothing is lost if what there is to tell waits a moment for company:
// many short attempts then share one sync, one message and one turn of the daemon's. What starts is written at once.
bool Warden::holds_back() {
  bool enough = daemon_ && daemon_->greeted && !stopping_ && !spool_.broken() && queue_.size() > slots_ &&
                queue_.size() > untold_.size() && queue_.front().accepted <= durable_ &&
                queue_[slots_].accepted <= durable_;
  bool news = enough && (!untold_.empty() || !daemon_->out.empty() || queue_.back().accepted > durable_);
  bool syncs = sync_.busy();  // its end lets go of everything
  if (!news || syncs) hold_until_ = 0;
  if (!news || syncs) return news;
  auto t = monotonic_ms();
  if (hold_until_ == 0) hold_until_ = t + hold_back_ms;
  return t < hold_until_;
}

void Warden::write_spool() {
  if (spool_.broken() && !sync_.busy() && monotonic_ms() >= retry_at_) {
    if (auto written = spool_.rewrite(); !written) {
      retry_at_ = monotonic_ms() + retry_ms;
      trouble(written.error().message);
    } else {
      durable_ = spool_.position();
      trouble({});
    }
  }
  if (spool_.broken()) return;
  if (auto written = spool_.write(); !written) {
    retry_at_ = monotonic_ms();
    return trouble(written.error().message);
  }
  if (sync_.busy()) return;
  if (spool_.wants_rewrite() && spool_.rewrite()) durable_ = spool_.position();
  bool needed = (!queue_.empty() && std::max(queue_.front().accepted, queue_.back().accepted) > durable_) ||
                (!untold_.empty() && untold_.back().position > durable_);
  if (needed && !spool_.broken()) sync_.begin(spool_.fd(), spool_.position());
}

void Warden::tell_durable() {
  while (!untold_.empty() && untold_.front().position <= durable_) {
    auto untold = std::move(untold_.front());
    untold_.pop_front();
    if (untold.id.empty())
      Frame(daemon_->out, Type::reconciled);
    else
      tell_exited(untold.id, untold.known);
  }
}

void Warden::flush() {
  hold_until_ = 0;
  if (!daemon_) return;
  size_t done = 0;
  auto& out = daemon_->out;
  while (done < out.size()) {
    ssize_t n = ::send(daemon_->socket.get(), out.data() + done, out.size() - done, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) return hang_up();
    done += size_t(n);
  }
  out.erase(0, done);
  if (daemon_->watches_out != !out.empty()) {
    daemon_->watches_out = !out.empty();
    epoll_event event{};
    event.events = EPOLLIN | (out.empty() ? 0u : uint32_t(EPOLLOUT));
    event.data.u64 = tag_daemon;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, daemon_->socket.get(), &event);
  }
}

bool Warden::nothing_left() {
  if (supervisor_->size() > 0 || sync_.busy() || !untold_.empty() || spool_.broken()) return false;
  if (stopping_) return !daemon_ || daemon_->out.empty();
  return !daemon_ && (wait_until_ == 0 || monotonic_ms() >= wait_until_);
}

// A daemon that connects now finds nobody, and starts another warden as soon as the lock is free.
void Warden::leave() {
  while (!queue_.empty()) drop_queued(queue_.front().spec.id);
  if (spool_.write()) ::fdatasync(spool_.fd());
  ::unlink((directory_ / "sock").c_str());
  left_ = true;
}

// === Telling ===

void Warden::tell_started(const std::string& id, bool known) {
  auto* entry = spool_.find(id);
  if (!daemon_ || !daemon_->greeted || entry == nullptr) return;
  Frame frame(daemon_->out, Type::started);
  frame->text(id).u64(known).u64(uint64_t(supervisor_->pid_of(id)));
  frame->u64(uint64_t(entry->started.time_since_epoch().count()));
}

void Warden::tell_exited(const std::string& id, bool known) {
  auto* entry = spool_.find(id);
  // Without a daemon it stays in the spool, for the next one's reconcile.
  if (!daemon_ || !daemon_->greeted || entry == nullptr || entry->state != Entry::State::exited) return;
  Frame frame(daemon_->out, Type::exited);
  put(frame->text(id).u64(known), entry->exit);
}

void Warden::tell(Type type, const std::string& id) {
  if (daemon_ && daemon_->greeted) Frame(daemon_->out, type)->text(id);
}

void Warden::trouble(std::string text) {
  if (text == trouble_) return;
  trouble_ = std::move(text);
  if (daemon_ && daemon_->greeted) Frame(daemon_->out, Type::trouble)->text(trouble_);
}

}  // namespace sparky::warden
