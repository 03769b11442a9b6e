#include "conductor/workers.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/hash.h"
#include "conductor/attempts.h"

namespace sparky::conductor {
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr auto silence_max = 10s;       // a worker that was not heard of for so long is gone
constexpr auto obey_within = 5s;        // a cancelled attempt must end
constexpr auto progress_every = 100ms;  // per job, to the original clients
constexpr int messages_per_turn = 1000;
constexpr size_t name_max = 200;

// What the original clients know; anything else would end them.
std::string known_stage(const std::string& stage) {
  for (auto known : {"initializing", "loading_models", "encoding", "sampling", "decoding", "post_processing"})
    if (stage == known) return stage;
  return "sampling";
}

}  // namespace

void Workers::gather(Bound& socket) {
  for (int i = 0; i < messages_per_turn; ++i) {
    auto arrived = socket.receive();
    if (!arrived) return;
    if (arrived->role < wire::Role::operate) {
      say(arrived->route, wire::WorkerRefused{"its key is not allowed any more"});
      continue;
    }
    auto message = wire::parse_from_worker(arrived->body);
    if (!message) {
      say(arrived->route, wire::WorkerRefused{message.error().text()});
      continue;
    }
    std::visit(
        [&]<class M>(const M& m) {
          if constexpr (std::same_as<M, wire::WorkerHello>) {
            take(m, std::move(arrived->route));
          } else {
            // Only who said hello from this very connection is listened to.
            auto peer = peers_.find(m.name);
            if (peer == peers_.end() || peer->second.route.frames != arrived->route.frames)
              return say(arrived->route, wire::WelcomeAgain{});
            peer->second.heard = Clock::now();
            take(m, peer->second);
          }
        },
        *message);
  }
}

void Workers::take(const wire::WorkerHello& m, Route route) {
  if (m.name.empty() || m.name.size() > name_max || m.kinds.empty() || m.leases == 0 || m.leases > 1000)
    return say(route, wire::WorkerRefused{"a worker needs a name, kinds, and 1 to 1000 leases"});
  auto& peer = peers_[m.name];
  if (peer.route.frames == route.frames) {
    // The same connection, so the same process: it was asked more than once who it is, and what it holds its beats say.
    peer.heard = Clock::now();
    if (peer.joined) say(peer.route, wire::WorkerWelcome{{}, (ledger_.project() / "outputs").string()});
    return;
  }
  peer = {std::move(route), Clock::now(), false};
  engine::WorkerJoin join{{.name = m.name,
                           .kinds = m.kinds,
                           .models = m.models,
                           .memory = m.memory_bytes,
                           .device = m.device,
                           .leases = m.leases},
                          m.holds};
  // A lease that never reached it was not lost with it: no fault of the job.
  auto& state = ledger_.state();
  for (auto& [id, worker] : state.workers) {
    if (worker.spec.name != m.name) continue;
    for (auto attempt : worker.leases)
      if (auto* a = state.attempt(attempt); a && !a->started && std::ranges::find(m.holds, attempt) == m.holds.end())
        give_(engine::ReportRecalled{attempt}, nullptr);
  }
  give_(std::move(join), [this, name = m.name](const Replies& replies) {
    auto it = peers_.find(name);
    if (it == peers_.end() || replies.empty()) return;
    if (!replies[0]) return say(it->second.route, wire::WorkerRefused{replies[0].error().text()});
    it->second.joined = true;
    say(it->second.route, wire::WorkerWelcome{replies[0]->abandon, (ledger_.project() / "outputs").string()});
  });
}

// Compares what it holds with what it should hold: a lease or a cancel may have been lost with a connection.
void Workers::take(const wire::WorkerBeat& m, Peer& peer) {
  if (m.loaded) peer.loaded = m.loaded;
  auto& state = ledger_.state();
  for (auto& [id, worker] : state.workers) {
    if (worker.spec.name != m.name) continue;
    for (auto attempt : worker.leases)
      if (auto* a = state.attempt(attempt); a && std::ranges::find(m.holds, attempt) == m.holds.end()) lease(*a);
  }
  for (auto attempt : m.holds) {
    auto* a = live(attempt, m.name);
    if (!a) {
      if (!ending_.contains(attempt)) say(peer.route, wire::Settled{attempt});
    } else if (a->cancelling != engine::CancelReason::none) {
      say(peer.route, wire::CancelLease{attempt});
    } else if (!a->started) {
      give_(engine::ReportStarted{attempt}, nullptr);
    }
  }
}

void Workers::take(const wire::WorkerProgress& m, Peer&) {
  auto* a = live(m.attempt, m.name);
  auto job = a ? ledger_.state().jobs.find(a->job) : ledger_.state().jobs.end();
  if (job == ledger_.state().jobs.end() || ending_.contains(m.attempt)) return;
  double fraction = std::clamp(m.fraction, 0.0, 1.0);
  give_(engine::ReportProgress{m.attempt, fraction, m.stage.substr(0, name_max)}, nullptr);
  auto& telling = telling_[a->job];
  telling.waiting = wire::Progress{job->second.spec.id, known_stage(m.stage), m.step,  m.total_steps,
                                   fraction * 100,      m.eta_s.value_or(0),  fraction};
  held_back_ = true;
  tick();
}

void Workers::take(const wire::WorkerPreview& m, Peer&) {
  auto* a = live(m.attempt, m.name);
  auto job = a ? ledger_.state().jobs.find(a->job) : ledger_.state().jobs.end();
  if (job == ledger_.state().jobs.end()) return;
  if (auto path = keep(m.file, job->second, "previews")) tell_(wire::Preview{job->second.spec.id, *path, m.step});
}

void Workers::take(const wire::WorkerResult& m, Peer& peer) {
  auto* a = live(m.attempt, m.name);
  auto job = a ? ledger_.state().jobs.find(a->job) : ledger_.state().jobs.end();
  if (ending_.contains(m.attempt)) return;  // said again while it is being written
  if (job == ledger_.state().jobs.end()) return say(peer.route, wire::Settled{m.attempt});
  engine::ReportEnded report{.attempt = m.attempt, .outcome = engine::Outcome::exited, .code = m.ok ? 0 : 1};
  report.duration = Duration(int64_t(std::clamp(m.duration_s, 0.0, 1e9) * 1000));
  report.note = m.error.substr(0, 4000);
  if (m.cancelled) report.outcome = engine::Outcome::cancelled;
  if (m.ok && a->cancelling == engine::CancelReason::none) {
    auto result = result_of(m, job->second);
    if (result) {
      report.result = std::move(*result);
    } else {
      report.code = 1;
      report.note = result.error().text();
    }
  }
  ending_.insert(m.attempt);
  give_(std::move(report), [this, name = m.name, attempt = m.attempt](const Replies&) {
    ending_.erase(attempt);
    cancelled_.erase(attempt);
    if (auto it = peers_.find(name); it != peers_.end()) say(it->second.route, wire::Settled{attempt});
  });
}

void Workers::take(const wire::WorkerBye& m, Peer&) { leave(m.name, m.note); }

void Workers::leave(const std::string& name, const std::string& note) {
  peers_.erase(name);
  give_(engine::WorkerLeave{name, note}, nullptr);
}

void Workers::tick() {
  auto now = Clock::now();
  held_back_ = false;
  for (auto& [job, telling] : telling_) {
    if (!telling.waiting) continue;
    if (now - telling.sent < progress_every) {
      held_back_ = true;
      continue;
    }
    tell_(*telling.waiting);
    telling.waiting.reset();
    telling.sent = now;
  }
  std::map<std::string, std::string> gone;
  for (auto& [name, peer] : peers_)
    if (now - peer.heard > silence_max) gone[name] = "not heard of for 10 s";
  for (auto& [attempt, since] : cancelled_)
    if (auto* a = ledger_.state().attempt(attempt); a && now - since > obey_within)
      if (auto worker = ledger_.state().workers.find(a->worker); worker != ledger_.state().workers.end())
        gone[worker->second.spec.name] = "did not end a cancelled job";
  // After a restart the journal knows workers that may not come back.
  if (now - began_ > silence_max)
    for (auto& [id, worker] : ledger_.state().workers)
      if (!peers_.contains(worker.spec.name)) gone.try_emplace(worker.spec.name, "did not come back");
  for (auto& [name, note] : gone) leave(name, note);
  std::erase_if(cancelled_, [&](auto& c) { return !ledger_.state().attempt(c.first); });
}

void Workers::lease(const engine::Attempt& a) {
  auto& state = ledger_.state();
  auto job = state.jobs.find(a.job);
  auto worker = state.workers.find(a.worker);
  if (job == state.jobs.end() || worker == state.workers.end()) return;
  auto peer = peers_.find(worker->second.spec.name);
  if (peer == peers_.end()) return;  // it comes back, is told again by its beat, or is noticed as gone
  if (a.cancelling != engine::CancelReason::none) return say(peer->second.route, wire::CancelLease{a.id});
  auto request = parse_json(job->second.spec.request);
  say(peer->second.route, wire::Lease{a.id, job->second.spec.id, job->second.spec.kind, job->second.spec.model,
                                      wire::document(request ? std::move(*request) : Json::object())});
}

void Workers::cancel(const engine::Attempt& a) {
  cancelled_.try_emplace(a.id, Clock::now());
  auto worker = ledger_.state().workers.find(a.worker);
  if (worker == ledger_.state().workers.end()) return;
  if (auto peer = peers_.find(worker->second.spec.name); peer != peers_.end())
    say(peer->second.route, wire::CancelLease{a.id});
}

void Workers::job_ended(engine::JobId job) {
  auto it = telling_.find(job);
  if (it == telling_.end()) return;
  if (it->second.waiting) tell_(*it->second.waiting);
  telling_.erase(it);
}

std::optional<std::vector<std::string>> Workers::loaded(const std::string& worker) const {
  auto peer = peers_.find(worker);
  return peer == peers_.end() ? std::nullopt : peer->second.loaded;
}

const engine::Attempt* Workers::live(engine::AttemptId id, const std::string& name) const {
  auto* a = ledger_.state().attempt(id);
  if (!a || a->work != engine::Work::job) return nullptr;
  auto worker = ledger_.state().workers.find(a->worker);
  return worker != ledger_.state().workers.end() && worker->second.spec.name == name ? a : nullptr;
}

// Where a file of a job is kept; its name never leaves that directory, and a path never the project's outputs.
Result<std::string> Workers::keep(const wire::WorkerFile& file, const engine::Job& job, const std::string& kind) const {
  auto outputs = ledger_.project() / "outputs";
  if (!file.path.empty()) {
    std::error_code ec;
    auto real = fs::canonical(fs::path(file.path).is_absolute() ? fs::path(file.path) : outputs / file.path, ec);
    auto root = fs::weakly_canonical(outputs) / "";
    if (ec || !real.native().starts_with(root.native()))
      return fail(Errc::denied,
                  fmt::format("the worker's file '{}' does not lie below {}", file.path, outputs.string()));
    return real.string();
  }
  bool plain = !file.name.empty() && file.name.size() <= name_max && file.name[0] != '.' &&
               file.name.find_first_of(std::string_view("/\0", 2)) == file.name.npos;
  if (!plain) return fail(Errc::denied, fmt::format("the worker's file name '{}' is no plain file name", file.name));
  auto path = outputs / kind / component(job.spec.id) / file.name;
  SPARKY_TRY(write_file_atomic(path, file.data.data, {.sync = kind == "jobs"}));  // a preview may be lost
  return path.string();
}

Result<std::string> Workers::result_of(const wire::WorkerResult& m, const engine::Job& job) const {
  Json result = m.result && m.result->is_object() ? *m.result : Json::object();
  Json paths = Json::array();
  for (auto& file : m.files) {
    SPARKY_ASSIGN(auto path, keep(file, job, "jobs"));
    paths.push_back(std::move(path));
  }
  if (!paths.empty()) {
    result["image_path"] = paths[0];
    if (paths.size() > 1) result["image_paths"] = std::move(paths);
  }
  return json_text(result);
}

}  // namespace sparky::conductor
