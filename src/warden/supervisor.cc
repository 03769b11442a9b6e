#include "warden/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "warden/spool.h"

namespace sparky::warden {
namespace {

constexpr size_t read_bytes = 64u << 10;
constexpr size_t turn_max_bytes = 1u << 20;         // of one attempt's output before the others have their turn
constexpr size_t last_words_max_bytes = 64u << 20;  // of what is still in the pipe when an attempt has ended
constexpr uint64_t progress_every_ms = 200;
constexpr uint64_t check_first_ms = 10, check_most_ms = 500;  // between looks at what remains; doubling
constexpr uint64_t give_up_ms = 30'000;  // after SIGKILL: who is still there then hangs in the kernel

Duration duration_of(const timeval& t) {
  return std::chrono::duration_cast<Duration>(std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec));
}

std::string name_of(const Process& p) {
  auto name = read_file("/proc/" + std::to_string(p.pid) + "/comm", 4096).value_or("?");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name + " (" + std::to_string(p.pid) + ")";
}

std::string names_of(const std::vector<Process>& processes) {
  std::string out;
  for (size_t i = 0; i < processes.size() && i < 5; ++i) out += (i ? ", " : "") + name_of(processes[i]);
  if (processes.size() > 5) out += " and " + std::to_string(processes.size() - 5) + " more";
  return out;
}

}  // namespace

uint64_t monotonic_ms() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return uint64_t(t.tv_sec) * 1000 + uint64_t(t.tv_nsec) / 1'000'000;
}

struct Supervisor::Running {
  Running(AttemptSpec s, uint64_t n) : spec(std::move(s)), serial(n), log(spec.log, spec.log_max_bytes) {
    if (spec.stdio == Stdio::talk) answers.emplace(spec.output, UINT64_MAX);
  }
  AttemptSpec spec;
  uint64_t serial;
  pid_t pid = 0;
  Time started{};
  uint64_t started_ms = 0, started_ticks = 0;
  Fd output, talk, input;  // our ends of its pipes
  OutputLog log;
  std::optional<OutputLog> answers;  // Stdio::talk: its standard output
  std::string unread;                // input that it has not taken yet
  bool input_ends = false, input_watched = false;
  ProgressScanner scanner;
  std::optional<ProgressScanner::Progress> progress;  // not reported yet
  uint64_t progress_at = 0;                           // when the next one may be reported

  bool main_gone = false, cancelled = false, timed_out = false, lost = false;
  int status = 0;
  rusage usage{};
  // leaving: the main process has ended, and somebody was left behind, or so it seems.
  enum class Stage : uint8_t { running, leaving, asked, killed } stage = Stage::running;
  uint64_t kill_at = 0;                 // SIGKILL, when asked; giving up, when killed
  uint64_t check_at = 0, check_ms = 0;  // the next look at what remains
  uint32_t strays = 0;
  std::string note;
  uint64_t due = UINT64_MAX;  // its place in deadlines_
};

Supervisor::Supervisor(int epoll, std::filesystem::path directory)
    : epoll_(epoll), directory_(directory.string()), null_(::open("/dev/null", O_RDWR | O_CLOEXEC)) {}
Supervisor::~Supervisor() = default;

Supervisor::Running* Supervisor::find(const std::string& id) const {
  auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

pid_t Supervisor::pid_of(const std::string& id) const {
  auto* a = find(id);
  return a ? a->pid : 0;
}

std::vector<Supervisor::Event> Supervisor::take_events() { return std::exchange(events_, {}); }

// === Starting ===

std::vector<std::string> Supervisor::environment_of(const AttemptSpec& spec,
                                                    const std::vector<std::string>& base) const {
  std::vector<std::string> changes(spec.env);
  changes.push_back("SPARKY_ATTEMPT=" + spec.id);
  changes.push_back("SPARKY_WARDEN=" + directory_);
  auto name = [](std::string_view item) { return item.substr(0, item.find('=')); };
  std::vector<std::string> out;
  out.reserve(base.size() + changes.size());
  for (auto& item : base)
    if (std::none_of(changes.begin(), changes.end(), [&](auto& c) { return name(c) == name(item); }))
      out.push_back(item);
  for (auto& item : changes)
    if (item.find('=') != item.npos) out.push_back(std::move(item));
  return out;
}

bool Supervisor::open_pipes(Running& a, Spawner::Request& request, std::vector<Fd>& ends) {
  auto pipe = [&](Fd& ours, bool we_read) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) return -1;
    ours = Fd(fds[we_read ? 0 : 1]);
    ends.emplace_back(fds[we_read ? 1 : 0]);
    ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
    return ends.back().get();
  };
  request.in = null_.get();
  request.out = request.err = pipe(a.output, true);
  if (a.spec.stdio == Stdio::talk && request.err >= 0) {
    request.out = pipe(a.talk, true);
    request.in = pipe(a.input, false);
  }
  return request.in >= 0 && request.out >= 0 && request.err >= 0;
}

void Supervisor::watch(int fd, uint32_t events, const Running& a, Pipe pipe) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = a.serial * 4 + pipe;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

std::expected<pid_t, Exit> Supervisor::start(AttemptSpec spec, const std::vector<std::string>& base_environment) {
  auto attempt = std::make_unique<Running>(std::move(spec), ++last_serial_);
  Running& a = *attempt;
  Spawner::Request request;
  request.argv = a.spec.argv.empty() ? std::vector<std::string>{"/bin/sh", "-c", a.spec.command} : a.spec.argv;
  request.environment = environment_of(a.spec, base_environment);
  request.cwd = a.spec.cwd.string();
  a.started = now();
  a.started_ms = monotonic_ms();
  a.started_ticks = ticks_of_boot_ms(boot_clock_ms());
  std::vector<Fd> ends;  // of the pipes: the attempt's, closed here when it has them
  Spawner::Reply reply;
  if (open_pipes(a, request, ends))
    reply = spawner_.spawn(request);
  else
    reply = {0, errno, std::string("cannot make a pipe: ") + std::strerror(errno) + "; run fewer at once (--jobs)"};
  if (reply.error != 0) {
    Exit exit{.ending = Ending::spawn_error, .code = reply.error, .started = a.started, .ended = a.started};
    exit.note = std::move(reply.note);
    return std::unexpected(std::move(exit));
  }
  a.pid = reply.pid;
  watch(a.output.get(), EPOLLIN, a, errors_and_output);
  if (a.talk) watch(a.talk.get(), EPOLLIN, a, talk_output);
  by_id_[a.spec.id] = &a;
  beyond_slots_ += a.spec.beyond_slots;
  by_pid_[a.pid] = &a;
  attempts_[a.serial] = std::move(attempt);
  schedule(a);
  return a.pid;
}

// === What it prints and reads ===

void Supervisor::ready(uint64_t tag) {
  auto found = attempts_.find(tag / 4);
  if (found == attempts_.end()) return;  // it ended earlier in this turn
  Running& a = *found->second;
  if (tag % 4 == errors_and_output) read_output(a, false);
  if (tag % 4 == talk_output) read_talk(a, false);
  if (tag % 4 == talk_input) write_input(a);
}

namespace {
// Closing alone does not do: a process that is just being started may hold a copy for another moment, and epoll would
// go on reporting it.
void unwatch(int epoll, Fd& pipe) {
  if (pipe) ::epoll_ctl(epoll, EPOLL_CTL_DEL, pipe.get(), nullptr);
  pipe = Fd();
}

// Reads what is there, in turns of at most turn_max_bytes or, for the last time, all; closes the pipe at its end.
template <class Use>
void drain(int epoll, Fd& pipe, bool last, Use use) {
  static char bytes[read_bytes];
  const size_t max_bytes = last ? last_words_max_bytes : turn_max_bytes;
  for (size_t done = 0; pipe && done < max_bytes;) {
    ssize_t n = ::read(pipe.get(), bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return unwatch(epoll, pipe);
    use(std::string_view(bytes, size_t(n)));
    done += size_t(n);
    // A flood: a wider pipe needs fewer turns. Refused beyond the user's limit, and then it stays as it is.
    if (done == sizeof bytes && !last) ::fcntl(pipe.get(), F_SETPIPE_SZ, int(turn_max_bytes));
    if (!last && size_t(n) < sizeof bytes / 2) return;  // most likely all; if not, the loop comes back
  }
}
}  // namespace

void Supervisor::read_output(Running& a, bool last) {
  drain(epoll_, a.output, last, [&](std::string_view bytes) {
    a.log.write(bytes);
    if (auto progress = a.scanner.scan(bytes)) a.progress = std::move(progress);
  });
  if (a.progress) {
    report_progress(a);
    schedule(a);
  }
}

void Supervisor::report_progress(Running& a) {
  auto t = monotonic_ms();
  if (!a.progress || t < a.progress_at) return;
  events_.push_back({Event::Kind::progress, a.spec.id, a.progress->fraction, std::move(a.progress->text), 0, {}});
  a.progress.reset();
  a.progress_at = t + progress_every_ms;
}

void Supervisor::read_talk(Running& a, bool last) {
  auto before = a.answers->total_bytes();
  drain(epoll_, a.talk, last, [&](std::string_view bytes) { a.answers->write(bytes); });
  if (a.answers->total_bytes() > before)
    events_.push_back({Event::Kind::output, a.spec.id, 0, {}, a.answers->total_bytes(), {}});
}

void Supervisor::input(const std::string& id, std::string_view bytes, bool end) {
  auto* a = find(id);
  if (a == nullptr || !a->input) return;
  a->unread.append(bytes);
  a->input_ends = a->input_ends || end;
  write_input(*a);
}

void Supervisor::write_input(Running& a) {
  while (a.input && !a.unread.empty()) {
    ssize_t n = ::write(a.input.get(), a.unread.data(), a.unread.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      if (!a.input_watched) watch(a.input.get(), EPOLLOUT, a, talk_input);
      a.input_watched = true;
      return;
    }
    if (n < 0)
      unwatch(epoll_, a.input);  // it reads no more
    else
      a.unread.erase(0, size_t(n));
  }
  if (a.input_watched && a.input) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, a.input.get(), nullptr);
  a.input_watched = false;
  if (a.input_ends) a.input = Fd();
}

// === Ending ===

void Supervisor::cancel(const std::string& id, Duration grace) {
  auto* a = find(id);
  if (a == nullptr) return;
  a->cancelled = a->cancelled || (!a->timed_out && !a->main_gone);
  terminate(*a, grace);
}

void Supervisor::stop_all(const std::string& note) {
  std::vector<Running*> all;
  for (auto& [serial, a] : attempts_) all.push_back(a.get());
  for (auto* a : all) {
    if (!a->main_gone && !a->cancelled && !a->timed_out) {
      a->lost = true;
      a->note = note;
    }
    terminate(*a, a->spec.grace);
  }
}

void Supervisor::terminate(Running& a, Duration grace) {
  auto kill_at = monotonic_ms() + uint64_t(grace.count());
  if (a.stage == Running::Stage::killed) return;
  if (a.stage == Running::Stage::asked) {  // asked again: only sooner
    a.kill_at = std::min(a.kill_at, kill_at);
    a.check_at = std::min(a.check_at, a.kill_at);
    schedule(a);
    return;
  }
  a.stage = Running::Stage::asked;
  a.kill_at = kill_at;
  a.check_ms = check_first_ms;
  a.check_at = std::min(monotonic_ms() + a.check_ms, kill_at);
  if (grace.count() > 0) {
    auto targets = remains(a).processes;
    signal_all(a, targets, SIGTERM);
    signal_all(a, targets, SIGCONT);  // one that is stopped would not hear it
  }
  schedule(a);
}

void Supervisor::reap() {
  bool orphan = false;
  for (;;) {
    int status = 0;
    rusage usage{};
    pid_t pid = ::wait4(-1, &status, WNOHANG, &usage);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) break;
    auto found = by_pid_.find(pid);
    if (found == by_pid_.end())
      orphan = true;
    else
      main_exited(*found->second, status, usage);
  }
  if (!orphan) return;
  for (auto& [serial, a] : attempts_) {  // perhaps that was the last one somebody waits for
    if (a->stage == Running::Stage::running || !a->main_gone) continue;
    a->check_at = 0;
    schedule(*a);
  }
}

void Supervisor::main_exited(Running& a, int status, const rusage& usage) {
  a.main_gone = true;
  a.status = status;
  a.usage = usage;
  by_pid_.erase(a.pid);
  if (a.stage != Running::Stage::running) return check(a);
  // The usual case costs two calls: nobody in its group, nobody orphaned.
  bool group_left = ::kill(-a.pid, 0) == 0 || errno == EPERM;
  if (!group_left && !orphans_exist()) return finish(a, {});
  a.stage = Running::Stage::leaving;
  a.check_ms = check_first_ms;
  check(a);
}

void Supervisor::check(Running& a) {
  auto t = monotonic_ms();
  if (!a.main_gone && a.stage == Running::Stage::asked && t < a.kill_at) {  // its exit will bring us back
    a.check_at = a.kill_at;
    return schedule(a);
  }
  auto [left, sure] = remains(a);
  if (a.main_gone && left.empty() && sure) return finish(a, {});
  if (a.stage == Running::Stage::leaving && !left.empty()) {
    a.strays = uint32_t(left.size());
    a.note = "it left running, and Sparky ended: " + names_of(left);
    return terminate(a, a.spec.grace);
  }
  if (a.stage == Running::Stage::asked && t >= a.kill_at) {
    a.stage = Running::Stage::killed;
    a.kill_at = t + give_up_ms;
    a.check_ms = check_first_ms;
  } else if (a.stage == Running::Stage::killed && t >= a.kill_at) {
    return finish(a, left);
  }
  if (a.stage == Running::Stage::killed) signal_all(a, left, SIGKILL);
  a.check_at = t + a.check_ms;
  if (a.stage == Running::Stage::asked) a.check_at = std::min(a.check_at, a.kill_at);
  a.check_ms = std::min(a.check_ms * 2, check_most_ms);
  schedule(a);
}

bool Supervisor::belongs(const Process& p, const Running& a, bool pid_is_ours) const {
  if (p.pid == ::getpid() || p.pid == 1 || p.started_ticks + 1 < a.started_ticks) return false;
  if (pid_is_ours && (p.group == a.pid || p.session == a.pid)) return true;
  if (by_pid_.contains(p.pid)) return false;  // another attempt's main process
  auto marks = marks_of(p.pid);
  if (marks.directory == directory_ && marks.attempt == a.spec.id) return true;
  if (p.parent != ::getpid() || (marks.directory == directory_ && by_id_.contains(marks.attempt))) return false;
  // An orphan that bears no mark (it cleared its environment): ours if nobody else who runs can have started it.
  return std::none_of(attempts_.begin(), attempts_.end(), [&](auto& item) {
    return item.second.get() != &a && item.second->started_ticks <= p.started_ticks + 1;
  });
}

// Every living process of the attempt: its session and group, who bears its mark, orphans that can only be its own,
// and all their descendants.
Supervisor::Remains Supervisor::remains(const Running& a) const {
  std::vector<Process> dead;
  auto all = list_processes(&dead);
  // Once the main process is reaped and its group empty, its pid may go to a stranger.
  bool reused = a.main_gone && std::any_of(all.begin(), all.end(), [&](auto& p) { return p.pid == a.pid; });
  std::vector<size_t> roots;
  for (size_t i = 0; i < all.size(); ++i)
    if (belongs(all[i], a, !reused)) roots.push_back(i);
  Remains out{with_descendants(all, roots), true};
  std::erase_if(out.processes, [](const Process& p) { return p.pid == ::getpid(); });
  // An orphan that died while we looked may have left a child which we did not see. It stays dead until reap().
  for (auto& p : dead)
    if (p.parent == ::getpid() && !by_pid_.contains(p.pid)) out.sure = false;
  return out;
}

void Supervisor::signal_all(const Running& a, const std::vector<Process>& targets, int signal) const {
  // The group at one stroke: nobody in it can fork himself away in between.
  bool group = std::any_of(targets.begin(), targets.end(), [&](auto& p) { return p.group == a.pid; });
  if (group) ::kill(-a.pid, signal);
  for (auto& p : targets)
    if (!group || p.group != a.pid) send_signal(p, signal);
}

void Supervisor::finish(Running& a, const std::vector<Process>& immortal) {
  if (!immortal.empty()) a.note += (a.note.empty() ? "" : "; ") + ("does not die: " + names_of(immortal));
  read_output(a, true);
  unwatch(epoll_, a.output);
  unwatch(epoll_, a.input);
  if (a.answers) {
    read_talk(a, true);
    unwatch(epoll_, a.talk);
    a.answers->close();
  }
  a.log.close();
  a.progress_at = 0;
  report_progress(a);

  Exit exit;
  exit.ending = WIFSIGNALED(a.status) || !a.main_gone ? Ending::signaled : Ending::exited;
  exit.code = !a.main_gone ? SIGKILL : WIFSIGNALED(a.status) ? WTERMSIG(a.status) : WEXITSTATUS(a.status);
  if (a.lost) exit.ending = Ending::lost, exit.code = 0;
  exit.timed_out = a.timed_out;
  exit.cancelled = a.cancelled;
  exit.started = a.started;
  exit.duration = Duration{int64_t(monotonic_ms() - a.started_ms)};
  exit.ended = now();
  exit.cpu_user = duration_of(a.usage.ru_utime);
  exit.cpu_system = duration_of(a.usage.ru_stime);
  exit.memory_max_bytes = uint64_t(a.usage.ru_maxrss) * 1024;
  exit.output_bytes = a.log.total_bytes() + (a.answers ? a.answers->total_bytes() : 0);
  exit.log_cut_bytes = a.log.cut_bytes();
  exit.strays = a.strays;
  exit.note = std::move(a.note);
  for (auto* log : {&a.log, a.answers ? &*a.answers : nullptr})
    if (log && !log->trouble().empty()) exit.note += (exit.note.empty() ? "" : "; ") + log->trouble();
  exit.note.resize(std::min<size_t>(exit.note.size(), 2000));
  events_.push_back({Event::Kind::ended, a.spec.id, 0, {}, 0, std::move(exit)});

  deadlines_.erase({a.due, a.serial});
  by_id_.erase(a.spec.id);
  beyond_slots_ -= a.spec.beyond_slots;
  by_pid_.erase(a.pid);
  attempts_.erase(a.serial);
}

// === Time ===

void Supervisor::schedule(Running& a) {
  uint64_t due = UINT64_MAX;
  if (a.stage == Running::Stage::running && a.spec.timeout.count() > 0)
    due = std::min(due, a.started_ms + uint64_t(a.spec.timeout.count()));
  if (a.stage != Running::Stage::running) due = std::min(due, a.check_at);
  if (a.progress) due = std::min(due, a.progress_at);
  if (due == a.due) return;
  deadlines_.erase({a.due, a.serial});
  a.due = due;
  if (due != UINT64_MAX) deadlines_.insert({due, a.serial});
}

std::optional<uint64_t> Supervisor::deadline() const {
  if (deadlines_.empty()) return {};
  return deadlines_.begin()->first;
}

void Supervisor::tick() {
  auto t = monotonic_ms();
  while (!deadlines_.empty() && deadlines_.begin()->first <= t) {
    Running& a = *attempts_.at(deadlines_.begin()->second);
    deadlines_.erase(deadlines_.begin());
    a.due = UINT64_MAX;
    report_progress(a);
    if (a.stage != Running::Stage::running && t >= a.check_at) {
      check(a);  // may end it
      continue;
    }
    if (a.stage == Running::Stage::running && a.spec.timeout.count() > 0 &&
        t >= a.started_ms + uint64_t(a.spec.timeout.count())) {
      a.timed_out = true;
      terminate(a, a.spec.grace);
    }
    schedule(a);
  }
}

}  // namespace sparky::warden
