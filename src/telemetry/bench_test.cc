#include "telemetry/bench.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "telemetry/kernels.h"

namespace sparky::telemetry {
namespace {

std::vector<const Kernels*> runnable_kernels() {
  std::vector<const Kernels*> out = {kernels_base()};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) out.push_back(kernels_avx2());
  if (__builtin_cpu_supports("avx512f")) out.push_back(kernels_avx512());
#endif
  return out;
}

TEST(Kernels, TheMatrixProductIsRight) {
  constexpr size_t n = 288;  // more than one block of k
  std::vector<float> a(n * n), b(n * n);
  for (size_t i = 0; i < n * n; ++i) a[i] = float(i % 7) - 3, b[i] = float(i % 11) - 5;
  for (const auto* kernels : runnable_kernels()) {
    std::vector<float> c(n * n, 1), scratch(256 * 2 * kernels->vector_floats);
    kernels->matmul(n, a.data(), b.data(), c.data(), 0, 144, scratch.data());
    kernels->matmul(n, a.data(), b.data(), c.data(), 144, n, scratch.data());
    for (size_t row : {0, 5, 143, 144, 287})
      for (size_t column = 0; column < n; ++column) {
        float expected = 1;
        for (size_t k = 0; k < n; ++k) expected += a[row * n + k] * b[k * n + column];
        ASSERT_EQ(c[row * n + column], expected) << kernels->name << " " << row << "," << column;
      }
  }
}

TEST(Kernels, MultiplyAddStaysFinite) {
  for (const auto* kernels : runnable_kernels()) {
    float sum = kernels->fma(100000);
    EXPECT_NEAR(sum, 12.0f * float(kernels->vector_floats), 0.5f * float(kernels->vector_floats)) << kernels->name;
  }
}

RC_GTEST_PROP(Kernels, StreamLoopsDoWhatTheySay, (std::vector<uint8_t> values)) {
  std::vector<double> b(values.begin(), values.end()), c(b.rbegin(), b.rend()), a(b.size());
  stream_copy(a.data(), b.data(), b.size());
  RC_ASSERT(a == b);
  stream_triad(a.data(), b.data(), c.data(), 3, b.size());
  double sum = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    RC_ASSERT(a[i] == b[i] + 3 * c[i]);
    sum += b[i];
  }
  RC_ASSERT(stream_sum(b.data(), b.size()) == sum);
}

TEST(Bench, MedianAndSpread) {
  EXPECT_DOUBLE_EQ(median({3}), 3);
  EXPECT_DOUBLE_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_DOUBLE_EQ(spread({1, 2, 3, 4, 5}), 2.0 / 3);
  EXPECT_DOUBLE_EQ(spread({7, 7, 7}), 0);
}

Json document(std::vector<Measurement> measurements) {
  Json doc = {{"results", Json::array()}, {"unknown", Json::array()}};
  std::set<std::string> names;
  for (const auto& m : measurements) {
    doc["results"].push_back(measurement_json(m));
    names.insert(m.name);
  }
  for (const auto& name : benchmark_names())
    if (!names.contains(name)) doc["unknown"].push_back({{"what", name}, {"why", "not part of this test"}});
  return doc;
}

Measurement copy_of(std::vector<double> samples) {
  return {"memory.copy", "Copy", "B/s", "h", std::move(samples), 2e10, "p"};
}
Measurement sync_of(std::vector<double> samples) { return {"disk.fsync", "Sync", "s", "h", std::move(samples)}; }

TEST(Bench, EveryContradictionIsNoticed) {
  const Json good = document({copy_of({1e10, 1.2e10, 1.1e10}), sync_of({3e-4, 2e-4})});
  for (const auto& finding : check_plausible(good)) ADD_FAILURE() << finding.text();
  EXPECT_DOUBLE_EQ(good["results"][0]["share_of_peak"].get<double>(), 0.6);
  EXPECT_DOUBLE_EQ(good["results"][1]["best"].get<double>(), 2e-4);
  auto broken = [&](const char* pointer, Json value, const char* place) {
    Json bad = good;
    bad[Json::json_pointer(pointer)] = std::move(value);
    auto findings = check_plausible(bad);
    ASSERT_FALSE(findings.empty()) << pointer;
    EXPECT_EQ(findings[0].pointer, place);
  };
  broken("/results/0/value", 2e10, "/results/0/value");
  broken("/results/0/best", 1.1e10, "/results/0/best");
  broken("/results/1/best", 3e-4, "/results/1/best");
  broken("/results/0/spread", 0.5, "/results/0/spread");
  broken("/results/0/share_of_peak", 0.9, "/results/0/share_of_peak");
  broken("/results/0/peak", nullptr, "/results/0/share_of_peak");
  broken("/results/0/better", "lower", "/results/0/better");
  broken("/results/1/name", "memory.copy", "/results/1/name");
  broken("/results/0/samples/1", 9e9, "/results/0/value");
  broken("/unknown", Json::array(), "/results");
  EXPECT_FALSE(check_plausible(document({copy_of({1e20})})).empty());
  EXPECT_FALSE(check_plausible(document({sync_of({1e-12})})).empty());
}

TEST(Bench, OnlyWhatIsWorseAtItsBestIsARegression) {
  Json was = document({copy_of({1e10, 1e10, 1e10}), sync_of({1e-3})});
  auto changes = [&](Measurement copy, Measurement sync) {
    return compare_benchmarks(was, document({std::move(copy), std::move(sync)}), 0.2);
  };
  EXPECT_TRUE(changes(copy_of({0.85e10}), sync_of({1.15e-3})).empty());
  EXPECT_TRUE(changes(copy_of({0.5e10, 0.5e10, 0.9e10}), sync_of({1.1e-3, 5e-3, 5e-3})).empty());  // a busy moment
  auto slower = changes(copy_of({0.7e10}), sync_of({1.3e-3}));
  ASSERT_EQ(slower.size(), 2u);
  EXPECT_TRUE(slower[0].worse && slower[1].worse);
  auto faster = changes(copy_of({1.3e10}), sync_of({0.7e-3}));
  ASSERT_EQ(faster.size(), 2u);
  EXPECT_FALSE(faster[0].worse || faster[1].worse);
  auto gone = compare_benchmarks(was, document({sync_of({1e-3})}), 0.2);
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].what, "memory.copy");
  EXPECT_TRUE(gone[0].worse);
}

TEST(Bench, AQuickRunIsValidPlausibleAndLeavesNothingBehind) {
  auto directory = TemporaryDirectory::make();
  ASSERT_TRUE(directory);
  int told = 0;
  Json doc = run_benchmarks({.directory = directory->path(),
                             .quick = true,
                             .progress = [&](std::string_view, int done, int total) { told += done <= total; }});
  for (const auto& finding : check_schema(doc, "bench")) ADD_FAILURE() << finding.text();
  for (const auto& finding : check_plausible(doc)) ADD_FAILURE() << finding.text();
  EXPECT_EQ(told, 6);
  EXPECT_TRUE(std::filesystem::is_empty(directory->path()));
  EXPECT_TRUE(compare_benchmarks(doc, doc, 0.1).empty());
  EXPECT_EQ(bench_markdown(doc), bench_markdown(doc));
  EXPECT_NE(bench_text(doc).find("Memory: triad"), std::string::npos);
}

TEST(Bench, ADirectoryThatTakesNoFileIsNamed) {
  std::vector<Measurement> out;
  std::vector<Unknown> unknown;
  bench_disk({.directory = "/proc", .quick = true}, out, unknown);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(unknown.size(), 5u);
}

}  // namespace
}  // namespace sparky::telemetry
