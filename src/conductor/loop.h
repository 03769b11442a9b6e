// Loop: the conductor's insides, divided by phase: loop.cc gathers, decides and commits; act.cc does what follows.
#pragma once
#include <chrono>
#include <deque>
#include <future>
#include <set>

#include "base/files.h"
#include "conductor/aside.h"
#include "conductor/clock.h"
#include "conductor/conductor.h"
#include "conductor/desk.h"
#include "conductor/ledger.h"
#include "conductor/local_workers.h"
#include "conductor/meter.h"
#include "conductor/sockets.h"
#include "conductor/workers.h"

namespace sparky::conductor {

using Clock = std::chrono::steady_clock;

class Loop final : public Conductor {
 public:
  static Result<std::unique_ptr<Loop>> open(Options options);
  ~Loop() override;
  Status run() override;
  void stop() override;
  std::vector<std::pair<std::string, std::string>> addresses() const override;

 private:
  // A request that waits: to be decided, for the disk, or for its commit.
  struct Asker {
    Route route;
    wire::Asked asked;
    Clock::time_point arrived;
    bool answered = false;
    Ordered ordered;
    std::optional<wire::Reply> known;  // its key was seen before
    std::vector<Result<engine::Reply>> replies;
  };
  // An input that waits to be decided; `asker` is who gets the reply, if anybody.
  struct Waiting {
    std::vector<engine::Input> inputs;
    std::shared_ptr<Asker> asker;
    std::string exit_of;  // an executor's name of an attempt whose end this is: to be forgotten once it is on disk
    std::function<void(const Workers::Replies&)> then;
    bool patient = false;  // nobody waits for it: a report of the executor's
  };
  // What is being committed, and what to do when it is.
  struct Turn {
    journal::Batch batch;
    std::vector<Fact> facts;
    std::vector<engine::Effect> effects;
    std::vector<std::shared_ptr<Asker>> askers;
    std::vector<std::string> forget;
    std::vector<std::pair<std::function<void(const Workers::Replies&)>, Workers::Replies>> then;
    Clock::time_point begun;
  };

  // Runs whose records are being copied to files, beside the loop; then they leave the journal.
  struct Pruning {
    std::shared_ptr<Asker> asker;
    std::future<Result<std::vector<std::string>>> files;
  };

  explicit Loop(Options options) : options_(std::move(options)), clock_(options_.wall_clock()) {}

  // loop.cc
  Status open_sockets();
  Status open_sockets(std::vector<Bound>& bound, zmq::socket_type type, std::string_view name,
                      const std::vector<std::string>& addresses);
  Status reconcile();
  Status finish_turn();  // waits for the commit under way, and acts
  void set_ahead();
  Clock::duration patience() const;
  void wait();
  void gather();
  bool has_come(const zmq::socket_t& socket) const;
  bool has_come(int fd) const;
  void take(Arrived arrived);
  void ask_aside(std::shared_ptr<Asker> asker);
  void take(const executors::ExecutorEvent& event);
  void take_local_worker(const executors::ExecutorEvent& event);
  void look_again();
  Status decide();
  void decide(Waiting& waiting, Turn& turn, Time now);
  void begin_prune(std::shared_ptr<Asker> asker);
  void finish_prune();
  void answer_late();
  void take_signals();

  // act.cc
  void act(Turn turn);
  void do_effect(const engine::Effect& effect);
  void start(engine::AttemptId id);
  void notify(const engine::Notify& what);
  void publish(const Fact& fact);
  void tell(const wire::Update& update);
  void heartbeat();
  Status cut_removed();
  void write_statuses();
  void leave_when_idle();
  void answer(Asker& asker, const wire::Reply& reply);
  void say(std::string_view line) const;
  Json inspect() const;

  Options options_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Desk> desk_;
  std::unique_ptr<executors::Executor> executor_;
  zmq::context_t context_{1};
  // For each purpose one socket for this machine and, with keys, one for others.
  std::vector<Bound> requests_, updates_, events_, worker_sockets_;
  std::optional<Gate> gate_;
  std::optional<Workers> workers_;
  std::optional<Aside> aside_;
  std::optional<LocalWorkers> local_workers_;
  std::optional<Meter> meter_;
  Fd wake_, signal_;

  std::deque<Waiting> waiting_;
  Clock::time_point patient_since_{};           // when the first of these came, if it can wait
  std::deque<std::shared_ptr<Asker>> looking_;  // reads that wait for the disk
  std::optional<Turn> turn_;                    // being committed
  std::optional<Pruning> pruning_;
  std::set<std::string> keys_aside_;     // of requests that the studio is answering
  std::vector<zmq::pollitem_t> polled_;  // what wait() waited for, and found
  SteadyTime clock_;
  bool stopping_ = false;
  double typical_ms_ = 1000;  // that an attempt took of late
  std::string trouble_;       // of the executor; empty: none
  Clock::time_point beat_{}, looked_at_keys_{}, statuses_written_ = Clock::now(), busy_ = Clock::now();
  uint64_t commits_ = 0, requests_seen_ = 0;
  double commit_ms_max_ = 0;
};

}  // namespace sparky::conductor
