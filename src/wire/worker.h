// Worker messages: between the daemon and those who carry out jobs, on a socket of their own.
//
//   worker: worker_hello ─► daemon: worker_welcome      says what it can do and which attempts it still holds
//   daemon: lease        ─► worker_progress*, worker_preview*, worker_result ─► daemon: settled
//   daemon: cancel_lease ─► worker_result (cancelled)
//   worker: worker_beat every 2 s with all it holds; daemon: welcome_again if it does not know the worker (any more)
//
// A worker keeps a result until it is settled, and gives it again after a reconnect; the daemon takes an attempt's
// result once. What is said with an attempt id that is not live changes nothing, and is settled.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "wire/messages.h"
#include "wire/types.h"

namespace sparky::wire {

// ---- worker to daemon -----------------------------------------------------------------------------------------------

struct WorkerHello {
  std::string name, device;
  std::vector<std::string> kinds, models;
  uint64_t memory_bytes = 0;
  uint32_t leases = 1;
  std::vector<uint64_t> holds;
  SPARKY_MESSAGE("worker_hello", "A worker is there. Answer: worker_welcome, or worker_refused.") {
    v("name", m.name, "the same after a reconnect; unique");
    v("kinds", m.kinds, "what it can do: generate, train, exec, …");
    v.maybe("models", m.models, "what it has; left out: any");
    v.maybe("memory_bytes", m.memory_bytes, "what it can use");
    v.maybe("device", m.device, "cpu, cuda:0 …");
    v.maybe("leases", m.leases, "jobs at once; left out: 1");
    v.maybe("holds", m.holds, "attempts that it works on, or whose results are not settled");
  }
};
struct WorkerBeat {
  std::string name;
  std::vector<uint64_t> holds;
  std::optional<std::vector<std::string>> loaded;
  SPARKY_MESSAGE("worker_beat", "It is still there; every 2 s.") {
    v("name", m.name, "its name");
    v.maybe("holds", m.holds, "as in worker_hello");
    v("loaded", m.loaded, "models that it holds in memory now; left out: it does not say");
  }
};
struct WorkerProgress {
  std::string name;
  uint64_t attempt = 0;
  std::string stage;
  int64_t step = 0, total_steps = 0;
  double fraction = 0;
  std::optional<double> eta_s;
  SPARKY_MESSAGE("worker_progress", "How far an attempt is.") {
    v("name", m.name, "of the worker");
    v("attempt", m.attempt, "the attempt");
    v("stage", m.stage, "initializing, loading_models, encoding, sampling, decoding, post_processing or training");
    v.maybe("step", m.step, "of total_steps");
    v.maybe("total_steps", m.total_steps, "left out: not known");
    v("fraction", m.fraction, "0 to 1");
    v("eta_s", m.eta_s, "seconds until it is done");
  }
};
struct WorkerFile {
  std::string name;
  Bytes data;
  std::string path;
  template <class M, class V>
  static void fields(M& m, V& v) {
    v("name", m.name, "file name, without a directory");
    v.maybe("data", m.data, "its bytes");
    v.maybe("path", m.path, "instead of bytes: where it lies below the project's outputs/");
  }
};
struct WorkerPreview {
  std::string name;
  uint64_t attempt = 0;
  int64_t step = 0;
  WorkerFile file;
  SPARKY_MESSAGE("worker_preview", "An image of work under way.") {
    v("name", m.name, "of the worker");
    v("attempt", m.attempt, "the attempt");
    v.maybe("step", m.step, "at which it was made");
    v("file", m.file, "the image");
  }
};
struct WorkerResult {
  std::string name;
  uint64_t attempt = 0;
  bool ok = false, cancelled = false;
  std::string error;
  Document result;
  std::vector<WorkerFile> files;
  double duration_s = 0;
  SPARKY_MESSAGE("worker_result", "An attempt has ended. Answer: settled.") {
    v("name", m.name, "of the worker");
    v("attempt", m.attempt, "the attempt");
    v("ok", m.ok, "it succeeded");
    v.maybe("cancelled", m.cancelled, "it was cancelled");
    v.maybe("error", m.error, "why it failed");
    v.maybe("result", m.result, "what is to be known about it");
    v.maybe("files", m.files, "what it made; of several images the first is the job's");
    v.maybe("duration_s", m.duration_s, "how long it ran");
  }
};
struct WorkerBye {
  std::string name, note;
  SPARKY_MESSAGE("worker_bye", "It goes.") {
    v("name", m.name, "its name");
    v.maybe("note", m.note, "why");
  }
};

// ---- daemon to worker -----------------------------------------------------------------------------------------------

struct WorkerWelcome {
  std::vector<uint64_t> abandon;
  std::string outputs;
  SPARKY_MESSAGE("worker_welcome", "It may work.") {
    v.maybe("abandon", m.abandon, "attempts that it must not go on with; they are settled");
    v("outputs", m.outputs, "the project's outputs/ on the daemon's machine");
  }
};
struct WorkerRefused {
  std::string message;
  SPARKY_MESSAGE("worker_refused", "It may not work.") { v("message", m.message, "why"); }
};
struct WelcomeAgain {
  SPARKY_MESSAGE("welcome_again", "The daemon does not know this worker: say worker_hello.") {}
};
struct Lease {
  uint64_t attempt = 0;
  std::string job, kind, model;
  Document request;
  SPARKY_MESSAGE("lease",
                 "Carry out a job. Said again until it is held; an attempt that is known is not begun twice.") {
    v("attempt", m.attempt, "names this execution in all that is said about it");
    v("job", m.job, "the job's id");
    v("kind", m.kind, "what is to be done");
    v.maybe("model", m.model, "with what");
    v("request", m.request, "in the words of its kind");
  }
};
struct CancelLease {
  uint64_t attempt = 0;
  SPARKY_MESSAGE("cancel_lease", "Stop it at once, and say worker_result.") { v("attempt", m.attempt, "the attempt"); }
};
struct Settled {
  uint64_t attempt = 0;
  SPARKY_MESSAGE("settled", "The end of an attempt is on disk, or of no interest any more: forget it.") {
    v("attempt", m.attempt, "the attempt");
  }
};

using FromWorker = std::variant<WorkerHello, WorkerBeat, WorkerProgress, WorkerPreview, WorkerResult, WorkerBye>;
using ToWorker = std::variant<WorkerWelcome, WorkerRefused, WelcomeAgain, Lease, CancelLease, Settled>;

Result<FromWorker> parse_from_worker(std::string_view msgpack);
Result<ToWorker> parse_to_worker(std::string_view msgpack);
std::string encode(const FromWorker& message);
std::string encode(const ToWorker& message);

}  // namespace sparky::wire
