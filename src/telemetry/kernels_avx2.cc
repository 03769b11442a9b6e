#if defined(__x86_64__)
#define VECTOR_BYTES 32
#define KERNEL_NAME "AVX2 with FMA"
#include "telemetry/kernels_impl.h"

namespace sparky::telemetry {
const Kernels* kernels_avx2() { return &kernels; }
}  // namespace sparky::telemetry
#else
#include "telemetry/kernels.h"

namespace sparky::telemetry {
const Kernels* kernels_avx2() { return nullptr; }
}  // namespace sparky::telemetry
#endif
