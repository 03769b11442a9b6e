#include "conductor/meter.h"

#include <array>
#include <nlohmann/json.hpp>

#include "engine/view.h"

namespace sparky::conductor {
using namespace std::chrono_literals;
using engine::JobState;
using telemetry::Metric;

namespace {

double seconds(std::chrono::steady_clock::duration d) { return std::chrono::duration<double>(d).count(); }

size_t images_of(const std::string& result) {
  auto json = parse_json(result.empty() ? "{}" : result);
  if (!json || !json->is_object()) return 0;
  if (auto paths = json->find("image_paths"); paths != json->end() && paths->is_array()) return paths->size();
  return json->contains("image_path") ? 1 : 0;
}

}  // namespace

void Meter::count(Metric metric, double amount, std::string_view label1, std::string_view label2) {
  if (sink_) counts_[{metric, std::string(label1), std::string(label2)}] += amount;
}

void Meter::received(std::string_view endpoint, std::string_view type) {
  count(Metric::zmq_received, 1, endpoint, type);
}
void Meter::sent(std::string_view endpoint, std::string_view type) { count(Metric::zmq_sent, 1, endpoint, type); }

void Meter::answered(std::string_view type, Clock::duration took) {
  if (!sink_) return;
  sink_->observe(Metric::request_seconds, seconds(took), type);
  sink_->observe(Metric::zmq_latency, seconds(took), "requests");
}

void Meter::committed(const std::vector<Fact>& facts, Clock::duration took) {
  if (!sink_) return;
  sink_->observe(Metric::commit_seconds, seconds(took));
  count(Metric::commit_events, double(facts.size()));
  for (auto& fact : facts) {
    if (auto* ended = std::get_if<engine::AttemptEnded>(&fact.event.body)) {
      bool failed = ended->outcome == engine::Outcome::exited && ended->code != 0;
      count(Metric::attempts_total, 1, failed ? "failed" : name(ended->outcome));
    } else if (auto* opened = std::get_if<engine::EscalationOpened>(&fact.event.body)) {
      count(Metric::escalations_total, 1, name(opened->kind));
    } else if (auto* staged = std::get_if<engine::JobStaged>(&fact.event.body)) {
      if (staged->state != JobState::queued && staged->state != JobState::running) job_ended(*staged);
    }
  }
}

void Meter::job_ended(const engine::JobStaged& ended) {
  auto job = ledger_.state().jobs.find(ended.job);
  if (job == ledger_.state().jobs.end()) return;  // cleared in the same batch
  auto& spec = job->second.spec;
  auto took = double((job->second.finished - job->second.started).count()) / 1000;
  if (job->second.started != Time{}) sink_->observe(Metric::job_seconds, took, spec.kind);
  if (spec.kind != "generate") return;
  if (ended.state == JobState::completed) {
    count(Metric::images_generated, double(images_of(ended.result)), spec.kind, spec.model);
    sink_->observe(Metric::generation_seconds, took, spec.kind);
  } else {
    count(Metric::generation_failures, 1, spec.kind, name(ended.state));
  }
}

void Meter::turn(bool warden_up) {
  if (!sink_) return;
  auto t = Clock::now();
  if (t - flushed_ < 200ms) return;
  flushed_ = t;
  if (t - looked_ >= 1s) {
    looked_ = t;
    sink_->set(Metric::warden_up, warden_up);
    if (seen_ != ledger_.newest()) look();
    seen_ = ledger_.newest();
  }
  for (auto& [key, amount] : counts_) sink_->add(std::get<0>(key), amount, std::get<1>(key), std::get<2>(key));
  counts_.clear();
  sink_->flush();
}

void Meter::look() {
  auto& state = ledger_.state();
  std::array<double, 5> jobs{};
  double waiting = 0, active = 0;
  for (auto& [id, job] : state.jobs) {
    ++jobs[size_t(job.state)];
    if (job.spec.kind != "generate") continue;
    waiting += job.state == JobState::queued;
    active += job.state == JobState::running;
  }
  for (size_t i = 0; i < jobs.size(); ++i) sink_->set(Metric::jobs, jobs[i], name(JobState(i)));
  sink_->set(Metric::pixels_queue_depth, waiting);
  sink_->set(Metric::active_jobs, active);
  double ready = double(state.pool.queued());
  for (auto& [wanted, queue] : state.job_queues) ready += double(queue.size());
  sink_->set(Metric::queue_depth, ready);
  double running = 0;
  for (auto& [id, attempt] : state.attempts) running += attempt.started;
  sink_->set(Metric::attempts_running, running);
  double busy = 0;
  for (auto& [id, worker] : state.workers) busy += !worker.leases.empty();
  sink_->set(Metric::workers, busy, "busy");
  sink_->set(Metric::workers, double(state.workers.size()) - busy, "idle");
  sink_->set(Metric::decisions_waiting, double(state.decisions.size()));
  look_at_run();
}

// The current run is the latest one.
void Meter::look_at_run() {
  auto run = ledger_.run(0);
  if (!run) return;
  std::array<double, engine::stage_count> workstreams{}, gates{};
  for (engine::NodeId n = 0; n < (*run)->nodes.size(); ++n) {
    if ((*run)->workstream(n)) ++workstreams[size_t((*run)->nodes[n].stage)];
    if ((*run)->gate(n)) ++gates[size_t((*run)->nodes[n].stage)];
  }
  for (size_t i = 0; i < workstreams.size(); ++i) {
    sink_->set(Metric::workstreams, workstreams[i], name(engine::Stage(i)));
    sink_->set(Metric::gates, gates[i], name(engine::Stage(i)));
  }
  sink_->set(Metric::completion_ratio, engine::progress(ledger_.state(), **run));
}

}  // namespace sparky::conductor
