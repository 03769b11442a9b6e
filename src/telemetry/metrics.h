// Metrics: what /metrics shows. The loop feeds a MetricsSink and is never held up: it gathers its updates and hands
// them over only when nobody else holds the lock at that moment. A Metrics object, on the HTTP side, takes them in,
// adds what it samples itself (GPU, this process) and writes Prometheus' text format (exposition format 0.0.4).
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace sparky::telemetry {

// Every metric that somebody feeds; metrics.cc has the table with name, help, labels and buckets. The second group are
// the names that the original dgx-pixels dashboards use.
enum class Metric : uint8_t {
  workstreams,          // gauge {state}
  gates,                // gauge {state}
  jobs,                 // gauge {state}
  queue_depth,          // gauge
  attempts_running,     // gauge
  attempts_total,       // counter {outcome}
  completion_ratio,     // gauge, 0…1: work done of the run
  decisions_waiting,    // gauge
  escalations_total,    // counter {type}
  commit_seconds,       // histogram
  commit_events,        // counter
  request_seconds,      // histogram {type}
  job_seconds,          // histogram {kind}
  warden_up,            // gauge, 0 or 1
  workers,              // gauge {state}
  images_generated,     // dgx_pixels_images_generated_total {workflow, model}
  generation_failures,  // dgx_pixels_generation_failures_total {workflow, error_type}
  generation_seconds,   // dgx_pixels_generation_duration_seconds {workflow}
  active_jobs,          // dgx_pixels_active_jobs
  pixels_queue_depth,   // dgx_pixels_queue_depth
  zmq_sent,             // zmq_messages_sent_total {endpoint, message_type}
  zmq_received,         // zmq_messages_received_total {endpoint, message_type}
  zmq_latency,          // zmq_message_latency_seconds {endpoint}
  comfyui_errors,       // comfyui_api_errors_total {endpoint, error_type}
  comfyui_latency,      // comfyui_api_latency_seconds {endpoint}
};

// The loop's side. All calls come from one thread; none blocks, none fails.
class MetricsSink {
 public:
  // label values in the order of the table; at most two.
  void add(Metric metric, double amount = 1, std::string_view label1 = {}, std::string_view label2 = {});
  void set(Metric metric, double value, std::string_view label1 = {}, std::string_view label2 = {});
  void observe(Metric metric, double seconds, std::string_view label1 = {}, std::string_view label2 = {});
  // Once per turn of the loop, and at least every five seconds: hands over what was gathered, and says that the loop
  // is alive. If the lock is taken just now, the updates stay for the next turn.
  void flush();

  struct Update {
    enum class Kind : uint8_t { add, set, observe } kind;
    Metric metric;
    double value;
    std::string label1, label2;
  };

 private:
  friend class Metrics;
  void put(Update update);
  // Nobody takes updates (no HTTP server runs): the oldest are dropped, and counted.
  static constexpr size_t pending_max = 1 << 16;

  std::vector<Update> gathered_;  // the loop's own
  uint64_t dropped_ = 0;
  std::mutex mutex_;  // guards what follows
  std::vector<Update> handed_over_;
  uint64_t dropped_told_ = 0;
  std::chrono::steady_clock::time_point beat_{};
};

class Metrics {
 public:
  // nvml_library: "" does not look for GPUs.
  Metrics(std::shared_ptr<MetricsSink> sink, std::string version, std::string nvml_library = "libnvidia-ml.so.1");
  ~Metrics();

  void take();         // what the sink has for us; to be called at least once a second
  std::string text();  // takes, samples GPU and process, and writes everything

  struct Health {
    bool ok = false;
    std::string json;  // {"status":"ok","loop_age_s":0.2,"version":"…"}
  };
  // The loop counts as stuck when it has not flushed for so long.
  Health health(std::chrono::seconds patience = std::chrono::seconds(15)) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sparky::telemetry
