#if defined(__x86_64__)
#define VECTOR_BYTES 64
#define KERNEL_NAME "AVX-512"
#include "telemetry/kernels_impl.h"

namespace sparky::telemetry {
const Kernels* kernels_avx512() { return &kernels; }
}  // namespace sparky::telemetry
#else
#include "telemetry/kernels.h"

namespace sparky::telemetry {
const Kernels* kernels_avx512() { return nullptr; }
}  // namespace sparky::telemetry
#endif
