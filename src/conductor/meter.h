// Meter: what the loop tells of itself to /metrics (telemetry/metrics.h has the names). Cheap enough for every request:
// counts are gathered here and handed over a few times a second, and the state is looked through once a second.
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "conductor/ledger.h"
#include "telemetry/metrics.h"

namespace sparky::conductor {

class Meter {
 public:
  using Clock = std::chrono::steady_clock;

  // Without a sink, every call does nothing.
  Meter(const Ledger& ledger, std::shared_ptr<telemetry::MetricsSink> sink) : ledger_(ledger), sink_(std::move(sink)) {}

  void received(std::string_view endpoint, std::string_view type);
  void sent(std::string_view endpoint, std::string_view type);
  void answered(std::string_view type, Clock::duration took);
  void committed(const std::vector<Fact>& facts, Clock::duration took);
  // Once per turn of the loop.
  void turn(bool warden_up);

 private:
  void count(telemetry::Metric metric, double amount, std::string_view label1 = {}, std::string_view label2 = {});
  void job_ended(const engine::JobStaged& ended);
  void look();  // gauges, from the state
  void look_at_run();

  const Ledger& ledger_;
  std::shared_ptr<telemetry::MetricsSink> sink_;
  std::map<std::tuple<telemetry::Metric, std::string, std::string>, double> counts_;
  Clock::time_point flushed_{}, looked_{};
  uint64_t seen_ = ~uint64_t{0};  // newest event when the state was last looked through
};

}  // namespace sparky::conductor
