// Work: what a worker program is made of. It connects to the daemon, takes leases, calls a function for each, and
// gives back what comes of it; it goes on through restarts of the daemon.
//
//   return wire::work({.address = …, .name = "box-1", .kinds = {"generate"}}, [&](const Lease& lease, Job& job) {
//     for (int step = 0; step < steps; ++step) {
//       if (!job.progress("sampling", step, steps)) return cancelled;
//       …
//     }
//     return Made{.files = {{"image.png", png}}};
//   }, stop);
#pragma once
#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "wire/client.h"
#include "wire/worker.h"

namespace sparky::wire {

// What a job function sees of its job. To be used from the function's own thread, or any other until it returns.
class JobHandle {
 public:
  virtual ~JobHandle() = default;
  // False: the job was cancelled, and the function should return soon (whatever it returns is not looked at).
  virtual bool progress(std::string_view stage, int64_t step, int64_t total_steps, double fraction) = 0;
  virtual bool preview(std::string name, std::string bytes, int64_t step) = 0;
  virtual bool cancelled() const = 0;
  // Readable once the job is cancelled, for functions that poll.
  virtual int cancel_fd() const = 0;
};

struct Made {
  Document result;                // what is to be known about it; may be null
  std::vector<WorkerFile> files;  // with bytes, or with a path below outputs/ on the daemon's machine
};
using JobFunction = std::function<Result<Made>(const Lease&, JobHandle&)>;

struct WorkOptions {
  std::string address;  // of the daemon's workers socket
  Security security;
  std::string name;  // unique; the same when it is started again
  std::vector<std::string> kinds, models;
  std::string device = "cpu";
  uint64_t memory_bytes = 0;
  uint32_t leases = 1;                        // jobs at once, each in a thread of its own
  Duration idle{0};                           // ends by itself after so long without a job; 0: never
  Duration patience{600'000};                 // gives up after so long with results that the daemon does not take
  std::filesystem::path unsettled;            // where it leaves their files then, in attempt-N/; empty: nowhere
  std::function<void(std::string_view)> log;  // one line for the operator
  std::function<std::vector<std::string>()> loaded;  // models in memory now; called at any time; may be empty
};

// Until `stop` is true (looked at a few times a second); running jobs are then cancelled. Errc::denied: refused.
// Errc::unavailable: no daemon took the results for as long as `patience`; the next one gives the jobs out anew.
Status work(const WorkOptions& options, const JobFunction& function, const std::atomic<bool>& stop);

}  // namespace sparky::wire
