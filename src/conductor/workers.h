// Workers: the loop's side of those who carry out jobs (wire/worker.h). Knows who is connected and where, hears their
// beats, hands out leases, and turns what they say into inputs for the engine, which alone decides.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "conductor/ledger.h"
#include "conductor/sockets.h"
#include "engine/input.h"
#include "wire/worker.h"

namespace sparky::conductor {

class Workers {
 public:
  using Clock = std::chrono::steady_clock;
  using Replies = std::vector<Result<engine::Reply>>;
  // How the loop takes an input; `then` is called once it is on disk.
  using Give = std::function<void(engine::Input, std::function<void(const Replies&)> then)>;

  Workers(Ledger& ledger, Give give, std::function<void(const wire::Update&)> tell)
      : ledger_(ledger), give_(std::move(give)), tell_(std::move(tell)) {}

  void gather(Bound& socket);  // what has come there
  // Notices who is silent or does not obey, and lets out progress that was held back.
  void tick();
  // When tick() is wanted at the latest.
  Clock::duration patience() const {
    return held_back_ ? std::chrono::milliseconds(50) : std::chrono::milliseconds(500);
  }

  void lease(const engine::Attempt& attempt);
  void cancel(const engine::Attempt& attempt);
  // Models in a worker's memory, if it says so.
  std::optional<std::vector<std::string>> loaded(const std::string& worker) const;
  void job_ended(engine::JobId job);  // its last progress goes out before its end is told

 private:
  struct Peer {
    Route route;
    Clock::time_point heard;
    bool joined = false;                             // the engine has it
    std::optional<std::vector<std::string>> loaded;  // models in its memory, by its last beat that said so
  };
  struct Telling {  // of one job
    Clock::time_point sent{};
    std::optional<wire::Progress> waiting;
  };

  void take(const wire::WorkerHello& m, Route route);
  void take(const wire::WorkerBeat& m, Peer& peer);
  void take(const wire::WorkerProgress& m, Peer& peer);
  void take(const wire::WorkerPreview& m, Peer& peer);
  void take(const wire::WorkerResult& m, Peer& peer);
  void take(const wire::WorkerBye& m, Peer& peer);
  void leave(const std::string& name, const std::string& note);
  const engine::Attempt* live(engine::AttemptId id, const std::string& worker) const;
  Result<std::string> keep(const wire::WorkerFile& file, const engine::Job& job, const std::string& kind) const;
  Result<std::string> result_of(const wire::WorkerResult& m, const engine::Job& job) const;
  void say(const Route& route, const wire::ToWorker& message) { send(route, wire::encode(message)); }

  Ledger& ledger_;
  Give give_;
  std::function<void(const wire::Update&)> tell_;
  std::map<std::string, Peer> peers_;
  std::map<engine::AttemptId, Clock::time_point> cancelled_;
  std::set<engine::AttemptId> ending_;  // a result is on its way to the disk
  std::map<engine::JobId, Telling> telling_;
  bool held_back_ = false;
  Clock::time_point began_ = Clock::now();
};

}  // namespace sparky::conductor
