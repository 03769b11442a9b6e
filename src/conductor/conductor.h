// Conductor: the loop. Gathers every input that is ready, lets the engine decide, commits all events in one durable
// transaction, and then replies, spawns and publishes. One thread owns the state; the journal has a thread of its own,
// so that a slow disk does not stop it from answering.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "executors/executor.h"
#include "wire/client.h"

namespace sparky::telemetry {
class MetricsSink;
}

namespace sparky::conductor {

// A program that carries out jobs, which the daemon starts when one waits that it can do.
struct WorkerProgram {
  std::string name;                                  // a short word: its worker is called local-NAME
  std::vector<std::string> kinds;                    // of jobs
  std::vector<std::string> argv;                     // `--name NAME` is added
  std::function<std::vector<std::string>()> models;  // that it has now; none: its jobs need no model
  // Why a request of its kinds would fail, known before it is queued. Quick: called from the loop. May be empty.
  std::function<Status(std::string_view kind, const Json& request)> check;
};

struct Options {
  std::filesystem::path project;
  unsigned slots = 0;              // attempts at once on this machine; 0: one per core
  std::vector<std::string> facts;  // what the machine has ("gpu", "arm64", …), for `requires`
  // Addresses beyond the project's own ipc sockets; tcp port 0 takes a free one.
  std::vector<std::string> requests, updates, events, workers;
  Duration status_every{4 * 3600 * 1000};  // a status document of each live run goes to .sparky/status/; 0: never
  std::string notify;                      // command run on escalation, decision and end, unless the plan has one
  uint64_t log_max_bytes = 16u << 20;      // of an attempt's log
  bool signals = false;                    // SIGTERM and SIGINT end the loop
  // The models that `generate` can ask for; may be empty. Called from the loop: must be quick.
  std::function<std::vector<wire::Model>()> models;
  // What answers the requests about gallery, comparisons and models; may be empty. On a thread of its own.
  std::function<wire::Reply(const wire::Request&)> studio;
  Duration idle_exit{0};  // ends when for so long nothing was asked and nothing was under way; 0: never
  std::vector<WorkerProgram> programs;
  std::shared_ptr<telemetry::MetricsSink> metrics;  // fed by the loop; may be null
  // For tests: another time of day, another executor than the local one.
  std::function<Time()> wall_clock = now;
  std::function<Result<std::unique_ptr<executors::Executor>>()> executor;
  std::function<void(std::string_view)> log;  // one line for the operator; empty: standard error
};

class Conductor {
 public:
  // Takes the project's lock, replays the journal, opens the sockets, and takes up what the executor still runs.
  // Errc::busy: another Sparky has the project.
  static Result<std::unique_ptr<Conductor>> open(Options options);
  virtual ~Conductor() = default;

  // Until stop(), a signal or a `shutdown` request. An error: the journal failed, and the process should end.
  virtual Status run() = 0;
  // From any thread, or a signal handler.
  virtual void stop() = 0;
  // Where it listens, by name: requests, updates, events, workers; the first is the project's own ipc socket.
  virtual std::vector<std::pair<std::string, std::string>> addresses() const = 0;
};

// A door to the project: to the Sparky that has it, if there is one, else through this process itself, which takes the
// lock and appends; what follows from it is done when the next Sparky runs. Errc::unavailable: one is there and silent.
Result<std::unique_ptr<wire::Door>> open_door(const std::filesystem::path& project, std::vector<std::string> facts = {},
                                              std::function<wire::Reply(const wire::Request&)> studio = {});

}  // namespace sparky::conductor
