// Memory bandwidth and floating point.
#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "telemetry/bench.h"
#include "telemetry/kernels.h"
#include "telemetry/probes.h"

namespace sparky::telemetry {
namespace {

int thread_count() { return std::max(1, int(std::thread::hardware_concurrency())); }

// Keeps a value that nobody reads, so that the work for it is not left out.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "m"(value) : "memory");
}

// Whole cache lines, on cache line boundaries, untouched until the first use: the pages then lie near who uses them.
template <class T>
std::unique_ptr<T[], void (*)(T*)> aligned_array(size_t count) {
  auto* memory = static_cast<T*>(std::aligned_alloc(64, (count * sizeof(T) + 63) / 64 * 64));
  return {memory, [](T* p) { std::free(p); }};
}

const Kernels* best_kernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return kernels_avx512();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kernels_avx2();
#endif
  return kernels_base();
}

}  // namespace

void bench_memory(const BenchOptions& options, std::vector<Measurement>& out, std::vector<Unknown>& unknown) {
  std::vector<Unknown> ignored;
  Host host;
  Json memory = read_memory(host, ignored), cpu = read_cpu(host, ignored);
  int64_t last_level = 0;
  for (const auto& cache : cpu["caches"])
    last_level = std::max(last_level, cache["size_bytes"].get<int64_t>() * cache["instances"].get<int64_t>());
  // STREAM's rule: each array at least four times the last cache. Three of them in at most a quarter of the memory.
  int64_t total = memory["total_bytes"].is_null() ? int64_t(1) << 30 : memory["total_bytes"].get<int64_t>();
  int64_t wanted = std::max<int64_t>(4 * last_level, 64 << 20);
  int64_t bytes = std::min(wanted, total / 12);
  if (bytes < wanted)
    unknown.push_back({"memory", "the arrays are smaller than four times the last cache, for lack of memory"});

  const int threads = thread_count();
  const size_t count = size_t(bytes) / sizeof(double) / size_t(threads) * size_t(threads),
               part = count / size_t(threads);
  auto a = aligned_array<double>(count), b = aligned_array<double>(count), c = aligned_array<double>(count);
  if (!a || !b || !c) {
    for (auto name : {"memory.copy", "memory.triad", "memory.read"}) unknown.push_back({name, "not enough memory"});
    return;
  }
  time_threads_s(threads, [&](int t) {  // the first touch decides where a page lies
    for (size_t i = size_t(t) * part; i < size_t(t + 1) * part; ++i) a[i] = 1, b[i] = 2, c[i] = 0.5;
  });
  auto rates = [&](int arrays, const std::function<void(size_t)>& work) {
    std::vector<double> samples;
    for (int i = 0; i < (options.quick ? 4 : 10); ++i)
      samples.push_back(double(arrays) * double(count) * sizeof(double) /
                        time_threads_s(threads, [&](int t) { work(size_t(t) * part); }));
    return samples;
  };
  auto how = [&](const char* what) {
    return fmt::format("{}, arrays of {}, {} thread(s), bytes as STREAM counts them", what, human_bytes(double(bytes)),
                       threads);
  };
  Measurement copy{"memory.copy", "Memory: copy", "B/s", how("a[i] = b[i]"),
                   rates(2, [&](size_t at) { stream_copy(&a[at], &b[at], part); })};
  Measurement triad{"memory.triad", "Memory: triad", "B/s", how("a[i] = b[i] + s * c[i]"),
                    rates(3, [&](size_t at) { stream_triad(&a[at], &b[at], &c[at], 3.0, part); })};
  Measurement read{"memory.read", "Memory: read", "B/s", how("sum of a[i]"),
                   rates(1, [&](size_t at) { keep(stream_sum(&a[at], part)); })};
  auto block_copy = rates(2, [&](size_t at) { std::memcpy(&a[at], &b[at], part * sizeof(double)); });
  auto block_set = rates(1, [&](size_t at) { std::memset(&c[at], 1, part * sizeof(double)); });

  double peak = 0;
  std::string peak_is = "memory: channels × transfers per second × width, from the firmware's table of modules";
  if (!memory["theoretical_bytes_per_s"].is_null()) {
    peak = memory["theoretical_bytes_per_s"].get<double>();
  } else {
    for (const auto* samples : {&copy.samples, &triad.samples, &read.samples, &block_copy, &block_set})
      for (double rate : *samples) peak = std::max(peak, rate);
    peak_is =
        "memory: the highest rate seen here among reading, memset, memcpy, copy and triad (the modules' own rate is "
        "not readable), so a lower bound of the true peak";
  }
  for (auto* m : {&copy, &triad, &read}) {
    m->peak = peak;
    m->peak_is = peak_is;
    out.push_back(std::move(*m));
  }
}

void bench_compute(const BenchOptions& options, std::vector<Measurement>& out, std::vector<Unknown>& unknown) {
  (void)unknown;
  const Kernels& kernels = *best_kernels();
  const int threads = thread_count();
  const int repetitions = options.quick ? 4 : 10;
  const double flops_per_iteration = 2.0 * fma_per_iteration * kernels.vector_floats;

  // So many iterations that one sample takes about 50 ms.
  size_t iterations = 1 << 16;
  while (time_s([&] { keep(kernels.fma(iterations)); }) < 0.02 && iterations < (size_t(1) << 40)) iterations *= 2;
  iterations *= 2;
  Measurement fma{"compute.fma",
                  "Floating point: multiply-add",
                  "FLOP/s",
                  fmt::format("32-bit a = a * m + b on {} vectors, {} chains per thread, {} thread(s)", kernels.name,
                              fma_per_iteration, threads),
                  {}};
  for (int i = 0; i < repetitions; ++i)
    fma.samples.push_back(flops_per_iteration * double(iterations) * threads /
                          time_threads_s(threads, [&](int) { keep(kernels.fma(iterations)); }));
  const size_t n = options.quick ? 768 : 1152;  // multiples of 96
  auto a = aligned_array<float>(n * n), b = aligned_array<float>(n * n), c = aligned_array<float>(n * n);
  const size_t scratch_floats = 256 * 2 * kernels.vector_floats;
  auto scratch = aligned_array<float>(scratch_floats * size_t(threads));
  for (size_t i = 0; i < n * n; ++i) a[i] = float(i % 7) * 0.25f, b[i] = float(i % 5) * 0.5f, c[i] = 0;
  const size_t row_tiles = n / 6;
  Measurement matmul{
      "compute.matmul",
      "Floating point: matrix product",
      "FLOP/s",
      fmt::format("{0}×{0} 32-bit floats, tiles of 6×{1}, {2} thread(s)", n, 2 * kernels.vector_floats, threads),
      {}};
  for (int i = 0; i < repetitions; ++i)
    matmul.samples.push_back(2.0 * double(n) * double(n) * double(n) / time_threads_s(threads, [&](int t) {
                               size_t from = row_tiles * size_t(t) / size_t(threads) * 6;
                               size_t to = row_tiles * size_t(t + 1) / size_t(threads) * 6;
                               kernels.matmul(n, a.get(), b.get(), c.get(), from, to,
                                              &scratch[scratch_floats * size_t(t)]);
                             }));
  matmul.peak = std::max(*std::max_element(fma.samples.begin(), fma.samples.end()),
                         *std::max_element(matmul.samples.begin(), matmul.samples.end()));
  matmul.peak_is =
      "floating point: the best sample of the two measurements; on a quiet machine the multiply-adds', which do "
      "nothing else";
  out.push_back(std::move(fma));
  out.push_back(std::move(matmul));
}

}  // namespace sparky::telemetry
