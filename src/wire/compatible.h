// The compatible messages: what clients of the original dgx-pixels say and understand, field for field. Sparky adds
// fields of its own at the end of some; those clients ignore them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/types.h"

namespace sparky::wire {

#define SPARKY_MESSAGE(NAME, DOC)                           \
  static constexpr std::string_view type = NAME, doc = DOC; \
  template <class M, class V>                               \
  static void fields([[maybe_unused]] M& m, [[maybe_unused]] V& v)

// ---- requests -------------------------------------------------------------------------------------------------------

struct Ping {
  static constexpr Role role = Role::observe;
  SPARKY_MESSAGE("ping", "Is anybody there? Answer: pong.") {}
};
struct Generate {
  static constexpr Role role = Role::submit;
  std::string id, prompt, model;
  std::vector<int64_t> size;  // width, height
  int64_t steps = 0;
  double cfg_scale = 0;
  std::optional<std::string> lora;
  std::optional<int64_t> batch_size, animation_frames;
  std::optional<std::vector<int64_t>> tileset_grid;  // columns, rows
  std::optional<int64_t> seed, colors;
  std::optional<std::string> negative;
  SPARKY_MESSAGE("generate",
                 "Asks for an image. Answer: job_accepted or job_error. The same id and content again: the same job.") {
    v.maybe("id", m.id, "the job's id; left out: one is made");
    v("prompt", m.prompt, "what to draw");
    v("model", m.model, "name of a model, as in model_list");
    v.maybe("size", m.size, "[width, height] in pixels; left out: the model's own");
    v.maybe("steps", m.steps, "sampling steps; left out: the model's own");
    v.maybe("cfg_scale", m.cfg_scale, "guidance; left out: the model's own");
    v("lora", m.lora, "name of a LoRA");
    v("batch_size", m.batch_size, "so many images");
    v("animation_frames", m.animation_frames, "frames of an animation");
    v("tileset_grid", m.tileset_grid, "[columns, rows] of a tile set");
    v("seed", m.seed, "for the same image again");
    v("colors", m.colors, "at most so many colours");
    v("negative", m.negative, "what to keep away from");
  }
};
struct Cancel {
  static constexpr Role role = Role::submit;
  std::string job_id;
  SPARKY_MESSAGE(
      "cancel",
      "Cancels a job, also a running one; one that is cancelled stays so. Answer: job_cancelled or job_error.") {
    v("job_id", m.job_id, "the job's id");
  }
};
struct GetStatus {
  static constexpr Role role = Role::observe;
  std::string job_id;
  SPARKY_MESSAGE("get_status", "How a job stands. Answer: result once it is completed, else status.") {
    v("job_id", m.job_id, "the job's id");
  }
};
struct ListModels {
  static constexpr Role role = Role::observe;
  SPARKY_MESSAGE("list_models", "Which models there are. Answer: model_list.") {}
};
struct StatusRequest {
  static constexpr Role role = Role::observe;
  SPARKY_MESSAGE("status", "How busy it is. Answer: status_info.") {}
};

// ---- replies --------------------------------------------------------------------------------------------------------

struct ErrorReply {
  std::string message, help, code;
  std::vector<std::string> details;
  SPARKY_MESSAGE("error", "It could not be done, and nothing has changed.") {
    v("message", m.message, "what is wrong");
    v.maybe("help", m.help, "what to do next");
    v.maybe("code", m.code,
            "invalid, not_found, exists, busy, denied, unavailable, corrupt, io, full, cancelled, internal");
    v.maybe("details", m.details, "further findings, one each");
  }
};
struct Pong {
  SPARKY_MESSAGE("pong", "Yes.") {}
};
struct JobAccepted {
  std::string job_id;
  double estimated_time_s = 0;
  SPARKY_MESSAGE("job_accepted", "The job is on disk and will be done.") {
    v("job_id", m.job_id, "the job's id");
    v("estimated_time_s", m.estimated_time_s, "from what was measured here; 0: nothing was measured yet");
  }
};
struct JobComplete {
  std::string job_id, image_path;
  double duration_s = 0;
  std::vector<std::string> image_paths;
  SPARKY_MESSAGE("job_complete", "The job is completed.") {
    v("job_id", m.job_id, "the job's id");
    v("image_path", m.image_path, "absolute path of the (first) image");
    v("duration_s", m.duration_s, "how long it ran");
    v.maybe("image_paths", m.image_paths, "all images, if there are several");
  }
};
struct JobError {
  std::string job_id, error;
  SPARKY_MESSAGE("job_error", "The job was refused, or there is none of that id.") {
    v("job_id", m.job_id, "the job's id");
    v("error", m.error, "why");
  }
};
struct JobCancelled {
  std::string job_id;
  SPARKY_MESSAGE("job_cancelled", "The job is or is being cancelled.") { v("job_id", m.job_id, "the job's id"); }
};
struct Model {
  std::string name, path, model_type;
  double size_mb = 0;
  template <class M, class V>
  static void fields(M& m, V& v) {
    v("name", m.name, "its name");
    v("path", m.path, "its file");
    v("model_type", m.model_type, "checkpoint, lora or vae");
    v("size_mb", m.size_mb, "size of the file");
  }
};
struct ModelList {
  std::vector<Model> models;
  SPARKY_MESSAGE("model_list", "The models that a job can ask for.") {
    v("models", m.models, "list of {name, path, model_type, size_mb}");
  }
};
struct StatusInfo {
  std::string version;
  int64_t queue_size = 0, active_jobs = 0;
  double uptime_s = 0;
  SPARKY_MESSAGE("status_info", "How busy it is.") {
    v("version", m.version, "of the protocol");
    v("queue_size", m.queue_size, "jobs that wait");
    v("active_jobs", m.active_jobs, "jobs that run");
    v("uptime_s", m.uptime_s, "since the daemon started");
  }
};
struct JobStatus {
  std::string job_id, status;
  SPARKY_MESSAGE("status", "How a job stands.") {
    v("job_id", m.job_id, "the job's id");
    v("status", m.status, "queued, running, completed, failed or cancelled");
  }
};
struct JobResult {
  std::string image_path;
  Document metadata;
  SPARKY_MESSAGE("result", "What a completed job made.") {
    v("image_path", m.image_path, "absolute path of the (first) image");
    v("metadata", m.metadata, "all that the worker said about it");
  }
};

// ---- updates (PUB socket, one map per frame, no topic) --------------------------------------------------------------

struct JobStarted {
  std::string job_id;
  int64_t timestamp = 0;
  SPARKY_MESSAGE("job_started", "A job began to run. Once per job.") {
    v("job_id", m.job_id, "the job's id");
    v("timestamp", m.timestamp, "seconds since 1970, a whole number");
  }
};
struct Progress {
  std::string job_id, stage;
  int64_t step = 0, total_steps = 0;
  double percent = 0, eta_s = 0, progress = 0;
  SPARKY_MESSAGE("progress", "How far a job is; at most ten a second per job, and always the last.") {
    v("job_id", m.job_id, "the job's id");
    v("stage", m.stage, "initializing, loading_models, encoding, sampling, decoding or post_processing");
    v("step", m.step, "of total_steps");
    v("total_steps", m.total_steps, "0: not known");
    v("percent", m.percent, "0 to 100");
    v("eta_s", m.eta_s, "seconds until it is done");
    v("progress", m.progress, "0 to 1");
  }
};
struct Preview {
  std::string job_id, image_path;
  int64_t step = 0;
  SPARKY_MESSAGE("preview", "An image of work under way.") {
    v("job_id", m.job_id, "the job's id");
    v("image_path", m.image_path, "absolute path");
    v("step", m.step, "at which it was made");
  }
};
struct JobFinished {
  std::string job_id;
  bool success = false;
  double duration_s = 0;
  SPARKY_MESSAGE("job_finished", "A job has ended; when it succeeded, job_complete follows.") {
    v("job_id", m.job_id, "the job's id");
    v("success", m.success, "false: failed or cancelled");
    v("duration_s", m.duration_s, "how long it ran");
  }
};

}  // namespace sparky::wire
