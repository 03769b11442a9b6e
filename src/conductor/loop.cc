#include "conductor/loop.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "conductor/agent_task.h"
#include "conductor/attempts.h"
#include "conductor/host_load.h"
#include "conductor/keys.h"
#include "conductor/proposal.h"
#include "engine/held.h"
#include "executors/local.h"

namespace sparky::conductor {
using namespace std::chrono_literals;

namespace {

constexpr int requests_per_turn = 1000, inputs_per_turn = 4000;  // so that a flood cannot keep a turn from ending
constexpr Clock::duration late_read = 250ms, late_write = 3s;    // when a commit takes longer, see answer_late()
constexpr Clock::duration patience_max = 10ms;                   // see patience()
constexpr uint64_t snapshot_events = 20'000;

sigset_t ending_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, s);
  return set;
}
void block_signals() {
  auto set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

// Each client is a connection or two.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, 65'536));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Error denied(const wire::Request& request, wire::Role needed, std::optional<wire::Role> role) {
  if (!role)
    return {Errc::denied, "this key is not allowed any more",
            "`sparky keys add NAME` on the daemon's machine makes one"};
  return {Errc::denied,
          fmt::format("this '{}' needs the role {}; this client may only {}", wire::type_of(request), name(needed),
                      name(*role)),
          "another key, or: sparky keys add NAME --role …"};
}

// As many as are configured, or as a run that is still going on asks for.
unsigned slots_of(const Options& options, const engine::State& state) {
  auto slots = options.slots ? options.slots : std::max(1u, std::thread::hardware_concurrency());
  for (auto& [id, run] : state.runs)
    if (run.settled == engine::Standing::running) slots = std::max(slots, run.options.jobs);
  return slots;
}

}  // namespace

Result<std::unique_ptr<Conductor>> Conductor::open(Options options) {
  SPARKY_ASSIGN(auto loop, Loop::open(std::move(options)));
  return loop;
}

Result<std::unique_ptr<Loop>> Loop::open(Options options) {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);            // a write beyond the limit shall be an error, not the end
  if (options.signals) block_signals();  // before any thread is there, so that none of them takes one
  std::unique_ptr<Loop> loop(new Loop(std::move(options)));
  auto& o = loop->options_;
  SPARKY_ASSIGN(loop->ledger_, Ledger::open(o.project));
  loop->wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!loop->wake_) return fail_errno(errno, "cannot make an eventfd");
  if (o.executor) {
    SPARKY_ASSIGN(loop->executor_, o.executor());
  } else {
    SPARKY_ASSIGN(loop->executor_, executors::connect_or_start({.directory = loop->ledger_->directory() / "warden",
                                                                .slots = slots_of(o, loop->ledger_->state())}));
  }
  raise_file_limit();  // after the warden, so that attempts do not inherit it
  loop->local_workers_.emplace(*loop->ledger_, o.programs);
  loop->meter_.emplace(*loop->ledger_, o.metrics);
  loop->aside_.emplace(loop->ledger_->project(), o.studio);
  SPARKY_TRY(loop->open_sockets());
  Surroundings around{.facts = o.facts, .models = o.models, .programs = o.programs, .started = loop->clock_.now()};
  around.inspect = [l = loop.get(), host = std::make_shared<HostLoad>()] {
    auto all = l->inspect();
    all["host"] = host->now();
    return all;
  };
  around.loaded = [l = loop.get()](const std::string& worker) { return l->workers_->loaded(worker); };
  Json addresses = Json::object();
  for (auto& [name, address] : loop->addresses()) {
    if (!addresses.contains(name)) addresses[name] = address;
    if (address.starts_with("tcp://")) addresses["tcp"][name] = address;  // for who is not on this machine
  }
  around.addresses = wire::document(std::move(addresses));
  loop->desk_ = std::make_unique<Desk>(*loop->ledger_, std::move(around));
  return loop;
}

Loop::~Loop() = default;

Status Loop::open_sockets() {
  using zmq::socket_type;
  SPARKY_TRY(open_sockets(requests_, socket_type::router, "sock", options_.requests));
  SPARKY_TRY(open_sockets(updates_, socket_type::pub, "updates", options_.updates));
  SPARKY_TRY(open_sockets(events_, socket_type::pub, "events", options_.events));
  SPARKY_TRY(open_sockets(worker_sockets_, socket_type::router, "workers", options_.workers));
  auto give = [this](engine::Input input, std::function<void(const Workers::Replies&)> then) {
    waiting_.push_back({{std::move(input)}, nullptr, {}, std::move(then)});
  };
  workers_.emplace(*ledger_, give, [this](const wire::Update& update) { tell(update); });
  return {};
}

Status Loop::open_sockets(std::vector<Bound>& bound, zmq::socket_type type, std::string_view name,
                          const std::vector<std::string>& addresses) {
  std::vector<std::string> local{wire::project_address(ledger_->project(), name)}, open_to_all;
  for (auto& address : addresses) (wire::is_public(address) ? open_to_all : local).push_back(address);
  SPARKY_ASSIGN(auto own, Bound::open(context_, type, local));
  bound.push_back(std::move(own));
  if (open_to_all.empty()) return {};
  auto keys = server_keys(ledger_->project());
  if (!keys)
    return fail(Errc::denied,
                fmt::format("{} can be reached from other machines, and there are no keys", open_to_all[0]),
                "make them (`sparky keys server`, `sparky keys add NAME`), or listen on 127.0.0.1");
  if (!gate_) {
    SPARKY_ASSIGN(gate_, Gate::open(context_, ledger_->project()));
  }
  SPARKY_ASSIGN(auto others,
                Bound::open_secured(context_, type, open_to_all, keys->secret_key, std::string(name), *gate_));
  bound.push_back(std::move(others));
  return {};
}

std::vector<std::pair<std::string, std::string>> Loop::addresses() const {
  std::vector<std::pair<std::string, std::string>> all;
  auto add = [&](const char* name, const std::vector<Bound>& sockets) {
    for (auto& bound : sockets)
      for (auto& address : bound.addresses()) all.emplace_back(name, address);
  };
  add("requests", requests_);
  add("updates", updates_);
  add("events", events_);
  add("workers", worker_sockets_);
  return all;
}

void Loop::stop() {
  uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

Status Loop::run() {
  if (options_.signals) {
    auto set = ending_signals();
    signal_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  SPARKY_TRY(reconcile());
  while (!(stopping_ && !turn_)) {
    wait();
    gather();
    if (turn_ && has_come(ledger_->journal().completion_fd())) SPARKY_TRY(finish_turn());
    look_again();
    finish_prune();
    if (!turn_ && !stopping_ && patience() <= 0ms) {
      set_ahead();
      SPARKY_TRY(decide());
    }
    answer_late();
    heartbeat();
    SPARKY_TRY(cut_removed());
    write_statuses();
    leave_when_idle();
    local_workers_->tick(*executor_);
    meter_->turn(trouble_.empty());
    executor_->flush();
  }
  local_workers_->dismiss(*executor_);
  executor_->flush();
  journal::Batch last;
  if (ledger_->newest()) ledger_->add_snapshot(last, ledger_->newest(), 1000);
  return last.empty() ? Status{} : ledger_->journal().commit(std::move(last));
}

Status Loop::finish_turn() {
  std::optional<Status> done;
  while (!(done = ledger_->journal().take_completion())) {
    pollfd p{ledger_->journal().completion_fd(), POLLIN, 0};
    ::poll(&p, 1, 1000);
  }
  SPARKY_TRY(*done);  // memory is ahead of the disk now: nothing may be told any more
  auto turn = std::move(*turn_);
  turn_.reset();
  act(std::move(turn));
  return {};
}

// The journal says what was handed over; the executor says what became of it.
Status Loop::reconcile() {
  auto& engine = ledger_->engine();
  std::vector<std::string> names;
  for (auto& [id, attempt] : engine.state().attempts)
    if (attempt.work != engine::Work::job) names.push_back(attempt_name(attempt));
  auto slots = slots_of(options_, engine.state());
  executor_->set_slots(slots);
  executor_->reconcile(names);
  executor_->flush();
  std::set<engine::AttemptId> heard_of;
  for (bool complete = false; !complete;) {
    zmq::pollitem_t item{nullptr, executor_->fd(), ZMQ_POLLIN, 0};
    zmq::poll(&item, 1, 1000ms);
    for (auto& event : executor_->pump(clock_.now())) {
      using Kind = executors::ExecutorEvent::Kind;
      if (event.kind == Kind::reconciled) complete = true;
      if (event.kind == Kind::started || event.kind == Kind::exited) heard_of.insert(attempt_number(event.id));
      take(event);
    }
    executor_->flush();
  }
  for (auto& [id, attempt] : engine.state().attempts)
    if (attempt.work != engine::Work::job && attempt.started && !heard_of.contains(id))
      waiting_.push_back(
          {{engine::ReportEnded{
               .attempt = id, .outcome = engine::Outcome::lost, .note = "nobody knows what became of it"}},
           nullptr,
           {},
           {}});
  // What was decided before the end and perhaps not done. Ends that were just told come first.
  waiting_.push_back({{engine::SetSlots{slots, std::max(4u, slots)}}, nullptr, {}, {}});
  SPARKY_TRY(decide());
  if (turn_) SPARKY_TRY(finish_turn());
  for (auto& effect : engine.outstanding()) do_effect(effect);
  executor_->flush();
  return {};
}

// Commands that end in moments would wait for the disk between one and the next, so more of them are handed over early.
// What takes longer gains nothing by that, and is better chosen when there is a slot for it.
void Loop::set_ahead() {
  auto& state = ledger_->state();
  auto few = std::max(4u, state.slots);
  if (typical_ms_ < 200 && state.ahead < 16 * few)
    waiting_.push_back({{engine::SetSlots{state.slots, 16 * few}}, nullptr, {}, {}});
  if (typical_ms_ > 500 && state.ahead > few)
    waiting_.push_back({{engine::SetSlots{state.slots, few}}, nullptr, {}, {}});
}

// How long what waits may still wait for company. While the executor holds more work early than has ended, nothing
// stands still if the ends of short commands share one commit, one sync and one message.
Clock::duration Loop::patience() const {
  if (waiting_.empty() || !std::ranges::all_of(waiting_, &Waiting::patient)) return 0ms;
  if (auto wake = ledger_->engine().next_wakeup(); wake && *wake <= clock_.now()) return 0ms;
  auto ends = size_t(std::ranges::count_if(waiting_, [](auto& w) { return !w.exit_of.empty(); }));
  auto& state = ledger_->state();
  if (state.slots_used <= state.slots + 2 * ends) return 0ms;
  return patient_since_ + patience_max - Clock::now();
}

void Loop::wait() {
  Clock::time_point until = std::min(beat_ + 1s, Clock::now() + 1s);
  auto timeout = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  if (auto wake = ledger_->engine().next_wakeup(); wake && !turn_) timeout = std::min(timeout, *wake - clock_.now());
  if (turn_ && !looking_.empty())
    timeout = std::min<std::chrono::milliseconds>(timeout, std::chrono::ceil<std::chrono::milliseconds>(late_read));
  timeout = std::min(timeout, std::chrono::ceil<std::chrono::milliseconds>(workers_->patience()));
  if (pruning_) timeout = std::min<std::chrono::milliseconds>(timeout, 20ms);
  if (!turn_ && !waiting_.empty())
    timeout = std::min(timeout, std::chrono::ceil<std::chrono::milliseconds>(patience()));
  auto& items = polled_;
  items.clear();
  for (auto& bound : requests_) items.push_back({bound.socket().handle(), 0, ZMQ_POLLIN, 0});
  // What a worker hears at once (a lease again, "settled") must not be ahead of the disk.
  if (!turn_)
    for (auto& bound : worker_sockets_) items.push_back({bound.socket().handle(), 0, ZMQ_POLLIN, 0});
  if (gate_) items.push_back({gate_->socket().handle(), 0, ZMQ_POLLIN, 0});
  for (int fd : {executor_->fd(), ledger_->journal().completion_fd(), wake_.get(), aside_->fd()})
    items.push_back({nullptr, fd, ZMQ_POLLIN, 0});
  if (signal_) items.push_back({nullptr, signal_.get(), ZMQ_POLLIN, 0});
  try {
    zmq::poll(items, std::max(timeout, 0ms));
  } catch (const zmq::error_t& e) {
    if (e.num() != EINTR) throw;
  }
}

// Whether wait() found something to read there: looking at what is quiet would cost as much as answering a ping.
bool Loop::has_come(const zmq::socket_t& socket) const {
  return std::ranges::any_of(polled_, [&](auto& item) { return item.socket == socket.handle() && item.revents; });
}
bool Loop::has_come(int fd) const {
  return std::ranges::any_of(polled_, [&](auto& item) { return !item.socket && item.fd == fd && item.revents; });
}

void Loop::gather() {
  for (auto& bound : requests_)
    for (int i = 0; has_come(bound.socket()) && i < requests_per_turn; ++i) {
      auto arrived = bound.receive();
      if (!arrived) break;
      take(std::move(*arrived));
    }
  if (has_come(executor_->fd()))
    for (auto& event : executor_->pump(clock_.now())) take(event);
  for (auto& bound : worker_sockets_)
    if (has_come(bound.socket())) workers_->gather(bound);
  workers_->tick();
  if (gate_ && has_come(gate_->socket())) gate_->answer();
  if (has_come(aside_->fd())) aside_->tell();
  take_signals();
}

void Loop::take_signals() {
  uint64_t count = 0;
  if (has_come(wake_.get()) && ::read(wake_.get(), &count, sizeof count) == sizeof count) stopping_ = true;
  signalfd_siginfo info;
  if (signal_ && has_come(signal_.get()) && ::read(signal_.get(), &info, sizeof info) == sizeof info) {
    say(fmt::format("ends on signal {}; what runs goes on under the warden", info.ssi_signo));
    stopping_ = true;
  }
}

void Loop::take(Arrived arrived) {
  ++requests_seen_;
  busy_ = Clock::now();
  auto asker = std::make_shared<Asker>();
  asker->route = std::move(arrived.route);
  asker->arrived = Clock::now();
  auto asked = arrived.frames == 1 ? wire::parse_request(arrived.body, &asker->asked.envelope.request_id)
                                   : fail(Errc::invalid, fmt::format("a request is one frame, not {}", arrived.frames),
                                          "a DEALER sends an empty frame, then the request");
  meter_->received("requests", asked ? wire::type_of(asked->body) : "invalid");
  if (!asked) return answer(*asker, error_reply(asked.error()));
  asker->asked = std::move(*asked);
  if (!arrived.client.empty()) asker->asked.envelope.who = arrived.client;  // whatever it calls itself
  auto& request = asker->asked.body;
  if (auto needed = desk_->role_of(request); !arrived.role || *arrived.role < needed)
    return answer(*asker, error_reply(denied(request, needed, arrived.role)));
  if (std::holds_alternative<wire::Shutdown>(request)) {
    stopping_ = true;
    return answer(*asker, wire::Done{{"Sparky ends; what runs goes on"}, ledger_->newest()});
  }
  if (wire::is_of_studio(request)) {
    ask_aside(std::move(asker));
  } else if (Desk::acts(request)) {
    waiting_.push_back({{}, std::move(asker), {}, {}});
  } else if (turn_ && Desk::needs_disk(request)) {
    looking_.push_back(std::move(asker));
  } else {
    answer(*asker, desk_->look(request, clock_.now()));
  }
}

// What the studio does is not in the journal. With a key, that it begins is on disk first and what came of it after: a
// crash in between leaves a request of which nobody knows, and which is not done twice.
void Loop::ask_aside(std::shared_ptr<Asker> asker) {
  auto& asked = asker->asked;
  if (wire::role_of(asked.body) == wire::Role::observe) asked.envelope.key.clear();
  auto& key = asked.envelope.key;
  if (keys_aside_.contains(key))
    return answer(*asker, error_reply({Errc::busy, fmt::format("the request with the key '{}' is under way", key),
                                       "ask again in a moment"}));
  if (auto known = desk_->answered(asked)) return answer(*asker, *known);
  auto work = [this, asker](const Workers::Replies&) {
    aside_->ask(asker->asked.body, [this, asker](const wire::Reply& said) {
      auto reply = said;
      if (auto* done = std::get_if<wire::Done>(&reply)) done->newest = ledger_->newest();
      auto then = [this, asker, reply](const Workers::Replies&) {
        keys_aside_.erase(asker->asked.envelope.key);
        answer(*asker, reply);
      };
      auto keep = desk_->keep(asker->asked, reply);
      if (!keep) keep = desk_->not_done(asker->asked);
      if (!keep) return then({});
      waiting_.push_back({{std::move(*keep)}, nullptr, {}, std::move(then)});
    });
  };
  auto begin = desk_->begun(asked);
  if (!begin) return work({});
  keys_aside_.insert(key);
  waiting_.push_back({{std::move(*begin)}, nullptr, {}, std::move(work)});
}

// Reads that wait for the disk: answered when nothing is being written, or when that takes too long. Then the answer
// may be ahead of the disk; its `newest` is not, so that nobody misses an event.
void Loop::look_again() {
  while (!looking_.empty() && (!turn_ || Clock::now() - looking_.front()->arrived > late_read)) {
    answer(*looking_.front(), desk_->look(looking_.front()->asked.body, clock_.now()));
    looking_.pop_front();
  }
}

// An original client gives up after 5 s. What it asked for may still be done, so it shall ask again in the same words.
void Loop::answer_late() {
  auto too_late = Clock::now() - late_write;
  auto tell = [&](const std::shared_ptr<Asker>& asker) {
    if (!asker || asker->answered || asker->arrived > too_late) return;
    answer(*asker, wire::ErrorReply{"the disk is slow: this is not on disk yet",
                                    "ask again with the same id or key; it is not done twice",
                                    "busy",
                                    {}});
  };
  if (turn_) std::ranges::for_each(turn_->askers, tell);
  for (auto& waiting : waiting_) tell(waiting.asker);
}

// A worker whose process has ended need not be waited for.
void Loop::take_local_worker(const executors::ExecutorEvent& event) {
  if (auto gone = local_workers_->take(event, *executor_))
    waiting_.push_back({{engine::WorkerLeave{*gone, "its process has ended"}}, nullptr, {}, {}});
}

void Loop::take(const executors::ExecutorEvent& event) {
  using Kind = executors::ExecutorEvent::Kind;
  if (LocalWorkers::is_one(event.id)) return take_local_worker(event);
  auto id = attempt_number(event.id);
  auto* attempt = ledger_->state().attempt(id);
  bool ours = attempt && attempt_name(*attempt) == event.id;
  if (waiting_.empty()) patient_since_ = Clock::now();
  auto report = [&](engine::Input input) { waiting_.push_back({{std::move(input)}, nullptr, {}, {}, true}); };
  switch (event.kind) {
    case Kind::started:
      if (ours) return report(engine::ReportStarted{id});
      say(fmt::format("attempt {} runs, but the journal does not want it: it is cancelled", event.id));
      return executor_->cancel(event.id, 10s);
    case Kind::progress:
      if (ours) report(engine::ReportProgress{id, event.fraction, event.text});
      return;
    case Kind::exited:
      if (!ours && !event.known)
        say(fmt::format("attempt {} ended (code {}), but the journal does not know it: was an older one put back?",
                        event.id, event.exit.code));
      waiting_.push_back({{}, nullptr, event.id, {}, true});
      typical_ms_ += (double((event.exit.ended - event.exit.started).count()) - typical_ms_) / 16;
      if (ours) {
        auto ended = conductor::report(id, event.exit);
        if (auto task = agent_task(ledger_->project(), ledger_->state(), *attempt))
          if (auto said = agents::outcome_of(task->project, task->run, task->workstream.id, task->attempt);
              !said.empty())
            ended.note = said;
        waiting_.back().inputs.push_back(std::move(ended));
      }
      return;
    case Kind::recalled:
      if (ours) report(engine::ReportRecalled{id});
      return;
    case Kind::not_started:
      if (ours && attempt->cancelling != engine::CancelReason::none) return report(engine::ReportRecalled{id});
      if (ours) start(id);
      return;
    case Kind::unavailable:
      trouble_ = event.text;
      return say("the executor cannot work: " + event.text);
    case Kind::available:
      trouble_.clear();
      return say("the executor works again");
    case Kind::output:
    case Kind::too_late:
    case Kind::reconciled:
      return;
  }
}

// Copying a run's records takes as long as the journal is; meanwhile everything goes on.
void Loop::begin_prune(std::shared_ptr<Asker> asker) {
  if (pruning_)
    return answer(*asker, error_reply({Errc::busy, "runs are being archived already", "ask again when that is done"}));
  auto copy = [project = ledger_->project(), runs = archived(asker->ordered)] {
    return Ledger::copy_records(project, runs);
  };
  pruning_ = Pruning{std::move(asker), std::async(std::launch::async, std::move(copy))};
}

void Loop::finish_prune() {
  if (!pruning_ || pruning_->files.wait_for(0s) != std::future_status::ready) return;
  auto [asker, future] = *std::exchange(pruning_, {});
  auto files = future.get();
  if (!files) return answer(*asker, error_reply(files.error()));
  asker->ordered.notes = std::move(*files);
  asker->arrived = Clock::now();  // what it waited for so far was not the disk
  auto inputs = asker->ordered.inputs;
  waiting_.push_back({std::move(inputs), std::move(asker), {}, {}});
}

Status Loop::decide() {
  auto t = clock_.now();
  Turn turn{.begun = Clock::now()};
  if (auto wake = ledger_->engine().next_wakeup(); wake && *wake <= t)
    waiting_.push_front({{engine::Tick{}}, nullptr, {}, {}});
  if (waiting_.empty()) return {};
  for (int i = 0; i < inputs_per_turn && !waiting_.empty(); ++i) {
    auto& next = waiting_.front();
    decide(next, turn, t);
    waiting_.pop_front();
  }
  if (turn.facts.empty()) {
    act(std::move(turn));
    return {};
  }
  ledger_->add_snapshot(turn.batch, turn.facts.back().seq, snapshot_events);
  if (!ledger_->journal().submit(std::move(turn.batch))) return fail(Errc::internal, "a commit was still under way");
  turn_ = std::move(turn);
  return {};
}

void Loop::decide(Waiting& waiting, Turn& turn, Time t) {
  auto& asker = waiting.asker;
  if (asker && waiting.inputs.empty()) {
    asker->known = desk_->answered(asker->asked);
    if (asker->known) return turn.askers.push_back(asker);
    auto ordered = desk_->order(asker->asked);
    if (!ordered) {
      asker->replies.push_back(std::unexpected(ordered.error()));
      return turn.askers.push_back(asker);
    }
    asker->ordered = std::move(*ordered);
    if (std::holds_alternative<wire::Prune>(asker->asked.body) && !asker->ordered.inputs.empty())
      return begin_prune(asker);
    waiting.inputs = asker->ordered.inputs;
  }
  if (asker) turn.askers.push_back(asker);
  Workers::Replies replies;
  auto give = [&](const engine::Input& input) {
    auto decided = ledger_->engine().decide(input, t);
    for (auto& event : decided.events) turn.facts.push_back(ledger_->add(turn.batch, std::move(event)));
    turn.effects.insert(turn.effects.end(), decided.effects.begin(), decided.effects.end());
    return std::move(decided.reply);
  };
  std::optional<std::pair<engine::RunId, engine::NodeId>> asks;  // whose session has ended with a question
  for (auto& input : waiting.inputs) {
    if (auto* ended = std::get_if<engine::ReportEnded>(&input); ended && ended->code == engine::held_code)
      if (auto* a = ledger_->state().attempt(ended->attempt); a && a->work == engine::Work::run)
        asks = {a->run, a->node};
    replies.push_back(give(input));
    if (!replies.back()) break;
  }
  if (asks)
    for (auto& input : by_autonomy(*ledger_, asks->first, asks->second))
      if (!give(input)) break;
  if (asker && !asker->asked.envelope.key.empty())
    if (auto keep = desk_->keep(asker->asked, desk_->settle(asker->asked, asker->ordered, replies))) (void)give(*keep);
  if (waiting.then) turn.then.emplace_back(std::move(waiting.then), replies);
  if (asker) asker->replies = std::move(replies);
  if (!waiting.exit_of.empty()) turn.forget.push_back(waiting.exit_of);
}

}  // namespace sparky::conductor
