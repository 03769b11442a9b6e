#include "telemetry/metrics.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "telemetry/host.h"

namespace sparky::telemetry {
namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

void feed_one_of_each(MetricsSink& sink) {
  for (int i = 0; i <= int(Metric::comfyui_latency); ++i) {
    auto metric = Metric(i);
    sink.add(metric, 1, "one", "two");
  }
}

TEST(Metrics, WhatIsFedIsShown) {
  auto sink = std::make_shared<MetricsSink>();
  Metrics metrics(sink, "1.2.3", "");
  sink->set(Metric::workstreams, 3, "running");
  sink->set(Metric::workstreams, 2, "running");
  sink->add(Metric::images_generated, 2, "sprite", "base");
  sink->add(Metric::images_generated, 1, "sprite", "base");
  sink->observe(Metric::generation_seconds, 4, "sprite");
  EXPECT_FALSE(has_line(metrics.text(), "sparky_workstreams{state=\"running\"} 2"));  // not handed over yet
  sink->flush();
  auto text = metrics.text();
  EXPECT_TRUE(has_line(text, "sparky_workstreams{state=\"running\"} 2")) << text;
  EXPECT_TRUE(has_line(text, "dgx_pixels_images_generated_total{model=\"base\",workflow=\"sprite\"} 3")) << text;
  EXPECT_TRUE(has_line(text, "dgx_pixels_generation_duration_seconds_bucket{workflow=\"sprite\",le=\"3\"} 0")) << text;
  EXPECT_TRUE(has_line(text, "dgx_pixels_generation_duration_seconds_bucket{workflow=\"sprite\",le=\"5\"} 1")) << text;
  EXPECT_TRUE(has_line(text, "dgx_pixels_queue_depth 0")) << text;  // there before anybody feeds it
  EXPECT_TRUE(has_line(text, "sparky_build_info{version=\"1.2.3\"} 1")) << text;
  EXPECT_NE(text.find("\nprocess_resident_memory_bytes "), std::string::npos);
}

// Each entry of the enumeration is the row of the table with its place.
TEST(Metrics, EveryMetricHasARowAndAName) {
  auto sink = std::make_shared<MetricsSink>();
  Metrics metrics(sink, "1", "");
  feed_one_of_each(*sink);
  sink->flush();
  auto text = metrics.text();
  for (auto name :
       {"dgx_pixels_images_generated_total{model=\"two\",workflow=\"one\"} 1",
        "dgx_pixels_generation_failures_total{error_type=\"two\",workflow=\"one\"} 1",
        "dgx_pixels_generation_duration_seconds_count{workflow=\"one\"} 1", "dgx_pixels_active_jobs 1",
        "dgx_pixels_queue_depth 1", "zmq_messages_sent_total{endpoint=\"one\",message_type=\"two\"} 1",
        "zmq_messages_received_total{endpoint=\"one\",message_type=\"two\"} 1",
        "zmq_message_latency_seconds_count{endpoint=\"one\"} 1",
        "comfyui_api_errors_total{endpoint=\"one\",error_type=\"two\"} 1",
        "comfyui_api_latency_seconds_count{endpoint=\"one\"} 1", "sparky_warden_up 1", "sparky_commit_seconds_count 1",
        "sparky_journal_events_total 1", "sparky_workers{state=\"one\"} 1", "sparky_attempts_total{outcome=\"one\"} 1"})
    EXPECT_TRUE(has_line(text, name)) << name;
}

TEST(Metrics, PromtoolFindsNoFault) {
  if (find_program("promtool").empty()) GTEST_SKIP() << "promtool (package prometheus) is not installed";
  ::setenv("FAKE_NVML", "discrete", 1);
  auto sink = std::make_shared<MetricsSink>();
  Metrics metrics(sink, "1.2.3", FAKE_NVML_DIR "/libnvidia-ml.so.1");
  feed_one_of_each(*sink);
  sink->add(Metric::generation_failures, 1, "a \"quoted\"\nname\\", "\xff\x1b");
  sink->flush();
  auto text = metrics.text();
  ::unsetenv("FAKE_NVML");
  EXPECT_NE(text.find("sparky_gpu_temperature_celsius{gpu=\"1\",model=\"NVIDIA RTX 6000 Ada Generation\"} 35"),
            std::string::npos)
      << text;
  auto dir = TemporaryDirectory::make();
  ASSERT_TRUE(write_file_atomic(dir->path() / "metrics", text, {.sync = false}));
  auto checked = run_program({"sh", "-c", "promtool check metrics < metrics 2>&1"}, {.cwd = dir->path()});
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->code, 0) << checked->out;
}

TEST(Metrics, UnifiedMemoryShowsNoUse) {
  ::setenv("FAKE_NVML", "gb10", 1);
  Metrics metrics(std::make_shared<MetricsSink>(), "1", FAKE_NVML_DIR "/libnvidia-ml.so.1");
  auto text = metrics.text();
  ::unsetenv("FAKE_NVML");
  EXPECT_NE(text.find("sparky_gpu_memory_bytes{gpu=\"0\",model=\"NVIDIA GB10\"}"), std::string::npos);
  EXPECT_EQ(text.find("sparky_gpu_memory_used_bytes"), std::string::npos);
  EXPECT_EQ(text.find("\nsparky_gpus 1\n") == std::string::npos, false);
}

TEST(Metrics, HealthFollowsTheLoop) {
  auto sink = std::make_shared<MetricsSink>();
  Metrics metrics(sink, "1.2.3", "");
  EXPECT_FALSE(metrics.health().ok);
  EXPECT_NE(metrics.health().json.find("starting"), std::string::npos);
  sink->flush();
  auto health = metrics.health();
  EXPECT_TRUE(health.ok);
  EXPECT_EQ(parse_json(health.json)->at("status"), "ok");
  EXPECT_FALSE(metrics.health(std::chrono::seconds(-1)).ok);  // as if the last sign of life were too old
  EXPECT_NE(metrics.health(std::chrono::seconds(-1)).json.find("stuck"), std::string::npos);
}

// What the loop feeds while somebody scrapes all the time arrives complete, and nothing is counted twice.
TEST(Metrics, NothingIsLostBetweenTwoThreads) {
  auto sink = std::make_shared<MetricsSink>();
  Metrics metrics(sink, "1", "");
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) metrics.take();
  });
  for (int i = 0; i < 20000; ++i) {
    sink->add(Metric::commit_events, 1);
    sink->flush();
  }
  done = true;
  reader.join();
  for (int i = 0; i < 3; ++i) sink->flush();
  EXPECT_TRUE(has_line(metrics.text(), "sparky_journal_events_total 20000"));
}

TEST(Metrics, WithoutAReaderMemoryIsBoundedAndTheLossIsCounted) {
  auto sink = std::make_shared<MetricsSink>();
  Metrics metrics(sink, "1", "");
  for (int i = 0; i < 70000; ++i) {
    sink->add(Metric::commit_events, 1);
    if (i % 1000 == 0) sink->flush();
  }
  sink->flush(), sink->flush();
  auto text = metrics.text();
  EXPECT_TRUE(has_line(text, "sparky_journal_events_total 65536"));
  EXPECT_TRUE(has_line(text, "sparky_metrics_dropped_total 4464")) << text;
}

}  // namespace
}  // namespace sparky::telemetry
