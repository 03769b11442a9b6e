// What follows once events are on disk: effects, answers, publications.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "conductor/agent_task.h"
#include "conductor/attempts.h"
#include "conductor/loop.h"
#include "engine/view.h"
#include "plan/check.h"

namespace sparky::conductor {
using namespace std::chrono_literals;

namespace {

constexpr Duration grace{10'000};  // between SIGTERM and SIGKILL

constexpr size_t statuses_max = 180;  // a month of them, at one in four hours
constexpr uintmax_t notify_log_max_bytes = 1u << 20;

// A log that others append to: when it has grown, it becomes the old one.
void keep_small(const std::filesystem::path& log) {
  std::error_code ec;
  if (std::filesystem::file_size(log, ec) > notify_log_max_bytes && !ec)
    std::filesystem::rename(log, log.string() + ".1", ec);
}

// The oldest go first.
void keep_newest(const std::filesystem::path& directory, size_t most) {
  std::error_code ec;
  std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> all;
  for (auto& entry : std::filesystem::directory_iterator(directory, ec))
    all.emplace_back(entry.last_write_time(ec), entry.path());
  std::ranges::sort(all);
  for (size_t i = 0; i + most < all.size(); ++i) std::filesystem::remove(all[i].second, ec);
}

double seconds_between(Time from, Time to) { return double((to - from).count()) / 1000; }

}  // namespace

void Loop::act(Turn turn) {
  auto took = Clock::now() - turn.begun;
  ledger_->committed(turn.facts);
  for (auto& asker : turn.askers)
    if (!asker->answered)
      answer(*asker, asker->known ? *asker->known : desk_->settle(asker->asked, asker->ordered, asker->replies));
  for (auto& [then, replies] : turn.then) then(replies);
  for (auto& effect : turn.effects) do_effect(effect);
  if (!turn.forget.empty()) executor_->forget(turn.forget);
  // Who waits for an answer has it by now.
  if (!turn.facts.empty()) {
    ++commits_;
    commit_ms_max_ = std::max(commit_ms_max_, std::chrono::duration<double, std::milli>(took).count());
    meter_->committed(turn.facts, took);
  }
  auto frames = ledger_->frames(turn.facts);
  for (auto& frame : frames) {
    for (auto& bound : events_) bound.publish(frame);
    meter_->sent("events", "event");
  }
  if (!frames.empty()) beat_ = Clock::now();
  for (auto& fact : turn.facts) publish(fact);
}

void Loop::do_effect(const engine::Effect& effect) {
  auto& state = ledger_->state();
  if (auto* e = std::get_if<engine::StartAttempt>(&effect)) {
    start(e->attempt);
  } else if (auto* e = std::get_if<engine::CancelAttempt>(&effect)) {
    auto* attempt = state.attempt(e->attempt);
    if (attempt && attempt->work == engine::Work::job)
      workers_->cancel(*attempt);
    else if (attempt)
      executor_->cancel(attempt_name(*attempt), grace);
  } else if (auto* e = std::get_if<engine::RecallAttempt>(&effect)) {
    if (auto* attempt = state.attempt(e->attempt)) executor_->recall(attempt_name(*attempt));
  } else if (auto* e = std::get_if<engine::ChangeSlots>(&effect)) {
    executor_->set_slots(e->slots);
  } else if (auto* e = std::get_if<engine::Notify>(&effect)) {
    notify(*e);
  }
}

void Loop::start(engine::AttemptId id) {
  auto* attempt = ledger_->state().attempt(id);
  if (!attempt) return;
  if (attempt->work == engine::Work::job) return workers_->lease(*attempt);
  auto spec = spec_of(ledger_->project(), ledger_->state(), *attempt);
  if (auto task = agent_task(ledger_->project(), ledger_->state(), *attempt); spec && task) {
    auto file = agents::task_file(task->project, task->run, task->workstream.id);
    if (auto written = write_file_atomic(file, agents::encode(*task), {.sync = false, .mode = 0600}); !written)
      spec = std::unexpected(written.error());
  }
  if (spec) {
    spec->log_max_bytes = options_.log_max_bytes;
    return executor_->start(std::move(*spec));
  }
  waiting_.push_back(
      {{engine::ReportEnded{.attempt = id, .outcome = engine::Outcome::spawn_failed, .note = spec.error().text()}},
       nullptr,
       {},
       {}});
}

// The plan's `notify` command, for the one who sleeps. It runs beside everything else; nobody waits for it.
void Loop::notify(const engine::Notify& what) {
  auto& state = ledger_->state();
  auto* run = state.run(what.run);
  auto command = run && !run->plan->notify.empty() ? run->plan->notify : options_.notify;
  if (!run || command.empty()) return;
  using What = engine::Notify::What;
  std::string kind = "end",
              text = engine::sentence(state, {state.clock, engine::RunSettled{run->id, engine::standing(*run)}});
  if (what.what == What::decision) {
    kind = "decision";
    auto it = state.decisions.find(what.id);
    if (it == state.decisions.end()) return;  // an agent's autonomy has answered it
    auto asked = engine::describe(state, it->second);
    text = fmt::format("{} needs decision {}: {}", asked.value("target", ""), asked.value("id", ""),
                       asked.value("text", ""));
  } else if (what.what == What::escalation) {
    kind = "escalation";
    auto it = state.escalations.find(what.id);
    if (it != state.escalations.end()) text = it->second.note;
  }
  std::vector<std::string> env;
  for (char** e = environ; *e; ++e) env.emplace_back(*e);
  env.push_back("SPARKY_NOTIFY=" + kind);
  env.push_back("SPARKY_NOTIFY_TEXT=" + printable(text));
  env.push_back(fmt::format("SPARKY_RUN={}", run->id));
  env.push_back("SPARKY_PLAN=" + printable(run->plan->name));
  env.push_back("SPARKY_NOTIFY_COMMAND=" + command);
  env.push_back("SPARKY_NOTIFY_LOG=" + (ledger_->directory() / "logs" / "notify.log").string());
  env.push_back("SPARKY_NOTIFY_DIRECTORY=" + plan::root(*run->plan).string());
  std::vector<char*> envp;
  for (auto& e : env) envp.push_back(e.data());
  envp.push_back(nullptr);
  keep_small(ledger_->directory() / "logs" / "notify.log");
  // The shell hands the command to the background and ends at once, so that there is nothing to reap later.
  char script[] =
      "mkdir -p \"${SPARKY_NOTIFY_LOG%/*}\"; cd \"$SPARKY_NOTIFY_DIRECTORY\" || exit;"
      " (eval \"$SPARKY_NOTIFY_COMMAND\") </dev/null >>\"$SPARKY_NOTIFY_LOG\" 2>&1 &";
  char sh[] = "/bin/sh", c[] = "-c";
  char* argv[] = {sh, c, script, nullptr};
  posix_spawnattr_t attr;
  posix_spawnattr_init(&attr);
  sigset_t none, pipe;
  sigemptyset(&none);
  sigemptyset(&pipe);
  for (int s : {SIGPIPE, SIGXFSZ}) sigaddset(&pipe, s);
  posix_spawnattr_setsigmask(&attr, &none);
  posix_spawnattr_setsigdefault(&attr, &pipe);
  posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  int err = posix_spawn(&pid, sh, nullptr, &attr, argv, envp.data());
  posix_spawnattr_destroy(&attr);
  if (err == 0) {
    ::waitpid(pid, nullptr, 0);
  } else {
    say(fmt::format("the notify command could not be started: {}", std::strerror(err)));
  }
}

// To the original clients, who know jobs alone.
void Loop::publish(const Fact& fact) {
  auto& jobs = ledger_->state().jobs;
  if (auto* leased = std::get_if<engine::LeaseGranted>(&fact.event.body)) {
    auto job = jobs.find(leased->job);
    if (job != jobs.end() && job->second.tries <= 1)  // once per job, however often it is tried
      tell(wire::JobStarted{job->second.spec.id, fact.event.at.time_since_epoch().count() / 1000});
    return;
  }
  auto* staged = std::get_if<engine::JobStaged>(&fact.event.body);
  auto found = staged ? jobs.find(staged->job) : jobs.end();
  if (found == jobs.end() || staged->state == engine::JobState::queued || staged->state == engine::JobState::running)
    return;
  auto& job = found->second;
  workers_->job_ended(job.id);
  auto seconds = job.started == Time{} ? 0 : seconds_between(job.started, job.finished);
  tell(wire::JobFinished{job.spec.id, staged->state == engine::JobState::completed, seconds});
  if (staged->state != engine::JobState::completed) return;
  auto result = parse_json(staged->result.empty() ? "{}" : staged->result).value_or(Json::object());
  wire::JobComplete complete{job.spec.id, "", seconds, {}};
  if (result.is_object() && result.contains("image_path") && result["image_path"].is_string())
    complete.image_path = result["image_path"];
  if (result.is_object() && result.contains("image_paths") && result["image_paths"].is_array())
    for (auto& path : result["image_paths"])
      if (path.is_string()) complete.image_paths.push_back(path);
  tell(complete);
}

void Loop::tell(const wire::Update& update) {
  auto frame = wire::encode(update);
  for (auto& bound : updates_) bound.publish(frame);
  meter_->sent("updates", std::visit([](auto& message) { return message.type; }, update));
}

void Loop::heartbeat() {
  if (Clock::now() - beat_ < 1s) return;
  beat_ = Clock::now();
  auto frame = wire::encode(wire::Stream(wire::Heartbeat{ledger_->newest(), iso(clock_.now())}));
  for (auto& bound : events_) bound.publish(frame);
}

// Requests are looked at one by one; who only listens is cut off when his key is removed.
Status Loop::cut_removed() {
  if (!gate_ || Clock::now() - looked_at_keys_ < 200ms) return {};
  looked_at_keys_ = Clock::now();
  if (!gate_->lost_one()) return {};
  for (auto* sockets : {&updates_, &events_})
    for (auto& bound : *sockets) SPARKY_TRY(bound.cut_all());
  return {};
}

// For who comes back in the morning: how each live run stood. The journal has the facts, so a failed write is only
// told.
void Loop::write_statuses() {
  if (options_.status_every.count() <= 0 || Clock::now() - statuses_written_ < options_.status_every) return;
  statuses_written_ = Clock::now();
  auto t = clock_.now();
  for (auto& [id, run] : ledger_->state().runs) {
    if (engine::standing(run) != engine::Standing::running) continue;
    auto file = ledger_->directory() / "status" / fmt::format("run-{}-{}.json", id, iso(t));
    auto written =
        write_file_atomic(file, json_text(engine::status(ledger_->state(), run, t), 1) + "\n", {.sync = false});
    if (!written) say(written.error().text());
  }
  keep_newest(ledger_->directory() / "status", statuses_max);
}

// For a daemon that a face started for itself: nobody asks, nothing runs, and nothing waits that could run.
void Loop::leave_when_idle() {
  if (options_.idle_exit.count() <= 0) return;
  auto& state = ledger_->state();
  bool waits = std::ranges::any_of(state.jobs, [](auto& entry) {
    return entry.second.state == engine::JobState::queued || entry.second.state == engine::JobState::running;
  });
  if (turn_ || !waiting_.empty() || !state.attempts.empty() || waits) busy_ = Clock::now();
  if (Clock::now() - busy_ < options_.idle_exit || stopping_) return;
  say(fmt::format("ends: nothing was asked and nothing under way for {}", human(options_.idle_exit)));
  stopping_ = true;
}

void Loop::answer(Asker& asker, const wire::Reply& reply) {
  asker.answered = true;
  send(asker.route, wire::encode(reply, asker.asked.envelope.request_id));
  meter_->sent("requests", wire::type_of(reply));
  meter_->answered(wire::type_of(asker.asked.body), Clock::now() - asker.arrived);
}

void Loop::say(std::string_view line) const {
  if (options_.log) return options_.log(line);
  fmt::print(stderr, "sparky: {}\n", printable(line));
}

Json Loop::inspect() const {
  return {{"executor", {{"available", trouble_.empty()}, {"trouble", trouble_}}},
          {"local_workers", local_workers_->describe()},
          {"journal", {{"commits", commits_}, {"commit_ms_max", commit_ms_max_}}},
          {"requests", requests_seen_}};
}

}  // namespace sparky::conductor
