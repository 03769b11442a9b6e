#include "telemetry/metrics.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "telemetry/host.h"
#include "telemetry/nvml.h"

namespace sparky::telemetry {
namespace {

using Labels = prometheus::Labels;
using Buckets = prometheus::Histogram::BucketBoundaries;

enum class Kind { counter, gauge, histogram };

struct Row {
  Metric metric;
  Kind kind;
  const char *name, *help;
  const char *label1 = nullptr, *label2 = nullptr;
  const Buckets* buckets = nullptr;
};

const Buckets fast = {.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5};
const Buckets slow = {.1, .5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600};
const Buckets generation = {.5, 1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60};

const std::vector<Row>& table() {
  using enum Kind;
  static const std::vector<Row> rows = {
      {Metric::workstreams, gauge, "sparky_workstreams", "Workstreams of the current run by state", "state"},
      {Metric::gates, gauge, "sparky_gates", "Phase gates of the current run by state", "state"},
      {Metric::jobs, gauge, "sparky_jobs", "Studio jobs by state", "state"},
      {Metric::queue_depth, gauge, "sparky_queue_depth", "Work that is ready and waits for a slot"},
      {Metric::attempts_running, gauge, "sparky_attempts_running", "Attempts that run now"},
      {Metric::attempts_total, counter, "sparky_attempts_total", "Attempts that ended, by outcome", "outcome"},
      {Metric::completion_ratio, gauge, "sparky_completion_ratio", "Part of the current run's work that is complete"},
      {Metric::decisions_waiting, gauge, "sparky_decisions_waiting", "Decisions that wait for a person"},
      {Metric::escalations_total, counter, "sparky_escalations_total", "Escalations raised, by type", "type"},
      {Metric::commit_seconds, histogram, "sparky_commit_seconds", "Time until a batch of events was on disk", nullptr,
       nullptr, &fast},
      {Metric::commit_events, counter, "sparky_journal_events_total", "Events committed to the journal"},
      {Metric::request_seconds, histogram, "sparky_request_seconds", "Time from a request to its reply, by type",
       "type", nullptr, &fast},
      {Metric::job_seconds, histogram, "sparky_job_seconds", "Time from start to end of a job, by kind", "kind",
       nullptr, &slow},
      {Metric::warden_up, gauge, "sparky_warden_up", "1 while the warden is connected"},
      {Metric::workers, gauge, "sparky_workers", "Studio workers by state", "state"},
      {Metric::images_generated, counter, "dgx_pixels_images_generated_total", "Images generated", "workflow", "model"},
      {Metric::generation_failures, counter, "dgx_pixels_generation_failures_total", "Generations that failed",
       "workflow", "error_type"},
      {Metric::generation_seconds, histogram, "dgx_pixels_generation_duration_seconds", "Time to generate an image",
       "workflow", nullptr, &generation},
      {Metric::active_jobs, gauge, "dgx_pixels_active_jobs", "Generations that run now"},
      {Metric::pixels_queue_depth, gauge, "dgx_pixels_queue_depth", "Generations that wait"},
      {Metric::zmq_sent, counter, "zmq_messages_sent_total", "Messages sent", "endpoint", "message_type"},
      {Metric::zmq_received, counter, "zmq_messages_received_total", "Messages received", "endpoint", "message_type"},
      {Metric::zmq_latency, histogram, "zmq_message_latency_seconds", "Time from a message to its reply", "endpoint",
       nullptr, &fast},
      {Metric::comfyui_errors, counter, "comfyui_api_errors_total", "Calls to ComfyUI that failed", "endpoint",
       "error_type"},
      {Metric::comfyui_latency, histogram, "comfyui_api_latency_seconds", "Time of a call to ComfyUI", "endpoint",
       nullptr, &slow}};
  return rows;
}

// What the kernel says of this process, under the names that Prometheus' client libraries use.
struct ProcessFigures {
  double resident_bytes = 0, virtual_bytes = 0, cpu_seconds = 0, open_files = 0, threads = 0;
};

ProcessFigures read_process() {
  ProcessFigures out;
  Host host;
  // Fields after the program's name, which may hold anything: state is field 3 (proc(5)).
  auto stat = host.text("/proc/self/stat");
  size_t end = stat.rfind(')');
  if (end != std::string::npos) {
    auto fields = words(std::string_view(stat).substr(end + 1));
    auto number = [&](size_t field) { return field - 3 < fields.size() ? std::atof(fields[field - 3].c_str()) : 0; };
    double ticks = double(::sysconf(_SC_CLK_TCK)), page = double(::sysconf(_SC_PAGESIZE));
    out.cpu_seconds = (number(14) + number(15)) / ticks;
    out.threads = number(20);
    out.virtual_bytes = number(23);
    out.resident_bytes = number(24) * page;
  }
  out.open_files = double(host.names("/proc/self/fd").size()) - 1;  // one of them was the look itself
  return out;
}

void set_gauge(prometheus::Registry& to, const char* name, const char* help, double value, const Labels& labels = {}) {
  prometheus::BuildGauge().Name(name).Help(help).Register(to).Add(labels).Set(value);
}

}  // namespace

void MetricsSink::add(Metric metric, double amount, std::string_view label1, std::string_view label2) {
  if (amount > 0) put({Update::Kind::add, metric, amount, std::string(label1), std::string(label2)});
}
void MetricsSink::set(Metric metric, double value, std::string_view label1, std::string_view label2) {
  put({Update::Kind::set, metric, value, std::string(label1), std::string(label2)});
}
void MetricsSink::observe(Metric metric, double seconds, std::string_view label1, std::string_view label2) {
  put({Update::Kind::observe, metric, seconds, std::string(label1), std::string(label2)});
}

void MetricsSink::put(Update update) {
  if (gathered_.size() < pending_max)
    gathered_.push_back(std::move(update));
  else
    ++dropped_;
}

void MetricsSink::flush() {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;
  beat_ = std::chrono::steady_clock::now();
  dropped_told_ = dropped_;
  if (handed_over_.empty()) {
    handed_over_.swap(gathered_);
  } else {
    size_t room = pending_max - std::min(pending_max, handed_over_.size());
    size_t moved = std::min(room, gathered_.size());
    std::move(gathered_.begin(), gathered_.begin() + ptrdiff_t(moved), std::back_inserter(handed_over_));
    dropped_ += gathered_.size() - moved;
    gathered_.clear();
  }
}

struct Metrics::Impl {
  std::shared_ptr<MetricsSink> sink;
  std::string version, nvml_library;
  prometheus::Registry registry;
  std::map<Metric, prometheus::Family<prometheus::Counter>*> counters;
  std::map<Metric, prometheus::Family<prometheus::Gauge>*> gauges;
  std::map<Metric, prometheus::Family<prometheus::Histogram>*> histograms;
  std::optional<Nvml> nvml;
  std::chrono::steady_clock::time_point nvml_tried{};
  uint64_t system_memory = 0;
  uint64_t dropped_seen = 0;
  prometheus::Counter* dropped = nullptr;

  void apply(const MetricsSink::Update& update);
  void sample_process(prometheus::Registry& to) const;
  void sample_gpus(prometheus::Registry& to);
};

Metrics::Metrics(std::shared_ptr<MetricsSink> sink, std::string version, std::string nvml_library)
    : impl_(std::make_unique<Impl>()) {
  impl_->sink = std::move(sink);
  impl_->version = std::move(version);
  impl_->nvml_library = std::move(nvml_library);
  auto& registry = impl_->registry;
  for (const auto& row : table()) switch (row.kind) {
      case Kind::counter:
        impl_->counters[row.metric] = &prometheus::BuildCounter().Name(row.name).Help(row.help).Register(registry);
        break;
      case Kind::gauge:
        impl_->gauges[row.metric] = &prometheus::BuildGauge().Name(row.name).Help(row.help).Register(registry);
        break;
      case Kind::histogram:
        impl_->histograms[row.metric] = &prometheus::BuildHistogram().Name(row.name).Help(row.help).Register(registry);
        break;
    }
  // Those without labels exist from the start, so that a dashboard sees 0 and not a gap.
  for (const auto& row : table()) {
    if (row.label1) continue;
    if (row.kind == Kind::counter) impl_->counters[row.metric]->Add({});
    if (row.kind == Kind::gauge) impl_->gauges[row.metric]->Add({});
    if (row.kind == Kind::histogram) impl_->histograms[row.metric]->Add({}, *row.buckets);
  }
  impl_->dropped = &prometheus::BuildCounter()
                        .Name("sparky_metrics_dropped_total")
                        .Help("Updates of metrics that were dropped because nobody took them")
                        .Register(registry)
                        .Add({});
  set_gauge(registry, "sparky_build_info", "Always 1; the version is a label", 1, {{"version", impl_->version}});
  set_gauge(registry, "process_start_time_seconds", "When this process began to be watched, in seconds since 1970",
            double(now().time_since_epoch().count()) / 1000);
  for (std::string_view line : Host().lines("/proc/meminfo"))
    if (line.starts_with("MemTotal:")) impl_->system_memory = uint64_t(std::atoll(line.data() + 9)) * 1024;
}

Metrics::~Metrics() = default;

void Metrics::Impl::apply(const MetricsSink::Update& update) {
  const Row& row = table()[size_t(update.metric)];
  Labels labels;
  if (row.label1) labels[row.label1] = printable(update.label1);
  if (row.label2) labels[row.label2] = printable(update.label2);
  switch (row.kind) {
    case Kind::counter:
      counters[row.metric]->Add(labels).Increment(update.value);
      break;
    case Kind::gauge: {
      auto& gauge = gauges[row.metric]->Add(labels);
      if (update.kind == MetricsSink::Update::Kind::add)
        gauge.Increment(update.value);
      else
        gauge.Set(update.value);
      break;
    }
    case Kind::histogram:
      histograms[row.metric]->Add(labels, *row.buckets).Observe(update.value);
      break;
  }
}

void Metrics::take() {
  std::vector<MetricsSink::Update> updates;
  uint64_t dropped = 0;
  {
    std::lock_guard lock(impl_->sink->mutex_);
    updates.swap(impl_->sink->handed_over_);
    dropped = impl_->sink->dropped_told_;
  }
  for (const auto& update : updates) impl_->apply(update);
  if (dropped > impl_->dropped_seen) impl_->dropped->Increment(double(dropped - impl_->dropped_seen));
  impl_->dropped_seen = dropped;
}

void Metrics::Impl::sample_process(prometheus::Registry& to) const {
  auto figures = read_process();
  set_gauge(to, "process_resident_memory_bytes", "Resident memory", figures.resident_bytes);
  set_gauge(to, "process_virtual_memory_bytes", "Virtual memory", figures.virtual_bytes);
  set_gauge(to, "process_open_fds", "Open file descriptors", figures.open_files);
  set_gauge(to, "process_threads", "Threads", figures.threads);
  prometheus::BuildCounter()
      .Name("process_cpu_seconds_total")
      .Help("User and system time of the process")
      .Register(to)
      .Add({})
      .Increment(figures.cpu_seconds);
}

void Metrics::Impl::sample_gpus(prometheus::Registry& to) {
  if (nvml_library.empty()) return;
  auto now = std::chrono::steady_clock::now();
  if (!nvml && (nvml_tried.time_since_epoch().count() == 0 || now - nvml_tried > std::chrono::minutes(1))) {
    nvml_tried = now;  // a driver may be installed later, but looking costs time
    if (auto opened = Nvml::open(nvml_library)) nvml = std::move(*opened);
  }
  std::vector<Gpu> gpus;
  if (nvml) gpus = nvml->gpus(system_memory).value_or(std::vector<Gpu>{});
  set_gauge(to, "sparky_gpus", "GPUs that answer", double(gpus.size()));
  for (const auto& gpu : gpus) {
    Labels labels = {{"gpu", fmt::format("{}", gpu.index)}, {"model", gpu.model}};
    auto set = [&](const char* name, const char* help, auto value, double scale = 1) {
      if (value) set_gauge(to, name, help, double(*value) * scale, labels);
    };
    set("sparky_gpu_utilization_ratio", "Part of the last sampling period in which the GPU was busy",
        gpu.utilization_percent, 0.01);
    set("sparky_gpu_memory_bytes", "Memory that the GPU can use", gpu.memory_bytes);
    set("sparky_gpu_memory_used_bytes", "Memory of the GPU in use; absent where it shares the system's",
        gpu.memory_used_bytes);
    set("sparky_gpu_temperature_celsius", "Temperature", gpu.temperature_c);
    set("sparky_gpu_power_watts", "Power drawn", gpu.power_w);
    set("sparky_gpu_sm_clock_hertz", "Clock of the processors", gpu.sm_clock_mhz, 1e6);
    set("sparky_gpu_memory_clock_hertz", "Clock of the memory", gpu.memory_clock_mhz, 1e6);
  }
}

std::string Metrics::text() {
  take();
  prometheus::Registry sampled;  // of this moment only: a GPU that is gone leaves nothing behind
  impl_->sample_process(sampled);
  impl_->sample_gpus(sampled);
  auto families = impl_->registry.Collect();
  auto fresh = sampled.Collect();
  std::move(fresh.begin(), fresh.end(), std::back_inserter(families));
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return out.str();
}

Metrics::Health Metrics::health(std::chrono::seconds patience) const {
  std::chrono::steady_clock::time_point beat;
  {
    std::lock_guard lock(impl_->sink->mutex_);
    beat = impl_->sink->beat_;
  }
  Json json = {{"version", impl_->version}};
  if (beat.time_since_epoch().count() == 0) {
    json["status"] = "starting";
    return {false, json_text(json) + "\n"};
  }
  double age = std::chrono::duration<double>(std::chrono::steady_clock::now() - beat).count();
  bool ok = age <= double(patience.count());
  json["status"] = ok ? "ok" : "stuck";
  json["loop_age_s"] = age;
  return {ok, json_text(json) + "\n"};
}

}  // namespace sparky::telemetry
