#if defined(__aarch64__)
#define VECTOR_BYTES 32  // two NEON registers, so that 24 multiply-adds are in flight
#define KERNEL_NAME "NEON"
#else
#define VECTOR_BYTES 16
#define KERNEL_NAME "SSE2"
#endif
#include "telemetry/kernels_impl.h"

namespace sparky::telemetry {

const Kernels* kernels_base() { return &kernels; }

void stream_copy(double* __restrict to, const double* __restrict from, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] = from[i];
}

void stream_triad(double* __restrict a, const double* __restrict b, const double* __restrict c, double s,
                  size_t count) {
  for (size_t i = 0; i < count; ++i) a[i] = b[i] + s * c[i];
}

double stream_sum(const double* from, size_t count) {
  double sum[16] = {};
  size_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (size_t j = 0; j < 16; ++j) sum[j] += from[i + j];
  double all = 0;
  for (; i < count; ++i) all += from[i];
  for (double part : sum) all += part;
  return all;
}

}  // namespace sparky::telemetry
