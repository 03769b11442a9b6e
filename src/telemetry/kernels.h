// Kernels: the inner loops of the benchmarks, compiled once per instruction set. These files include nothing that
// has inline functions: the linker could otherwise keep a copy that only newer processors can run.
#pragma once
#include <cstddef>

namespace sparky::telemetry {

struct Kernels {
  const char* name;        // "AVX-512"
  unsigned vector_floats;  // floats per vector
  // `iterations` rounds of 12 independent multiply-adds on vectors; gives something that depends on all.
  float (*fma)(size_t iterations);
  // Rows [row_begin, row_end) of C += A·B, all n×n floats, row after row. n is a multiple of 96, rows of 6.
  // scratch: 256 × 2 × vector_floats floats.
  void (*matmul)(size_t n, const float* a, const float* b, float* c, size_t row_begin, size_t row_end, float* scratch);
};
inline constexpr size_t fma_per_iteration = 12;

const Kernels* kernels_base();    // what every machine of this architecture can run
const Kernels* kernels_avx2();    // null if this is not x86-64
const Kernels* kernels_avx512();  // null if this is not x86-64

// STREAM's kernels (J. D. McCalpin, "Memory Bandwidth and Machine Balance", 1995).
void stream_copy(double* to, const double* from, size_t count);
void stream_triad(double* a, const double* b, const double* c, double s, size_t count);
double stream_sum(const double* from, size_t count);

}  // namespace sparky::telemetry
