// The body of Kernels, included by one file per instruction set, which defines VECTOR_BYTES and KERNEL_NAME.
#pragma once
#include "telemetry/kernels.h"

namespace sparky::telemetry {
namespace {

typedef float Vector __attribute__((vector_size(VECTOR_BYTES), aligned(VECTOR_BYTES)));
typedef float LooseVector __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
constexpr size_t width = VECTOR_BYTES / sizeof(float);
constexpr size_t tile_rows = 6, tile_vectors = 2, block_k = 256;

float fma_kernel(size_t iterations) {
  Vector start = {};
  for (size_t i = 0; i < width; ++i) start[i] = 1.0f + float(i) * 1e-3f;
  Vector m = start * 0.0f + 0.999f, a = start * 0.0f + 0.001f;  // tends to 1: neither overflow nor denormals
  Vector v0 = start, v1 = start + a, v2 = v1 + a, v3 = v2 + a, v4 = v3 + a, v5 = v4 + a, v6 = v5 + a, v7 = v6 + a,
         v8 = v7 + a, v9 = v8 + a, v10 = v9 + a, v11 = v10 + a;
  for (size_t i = 0; i < iterations; ++i) {
    v0 = v0 * m + a, v1 = v1 * m + a, v2 = v2 * m + a, v3 = v3 * m + a, v4 = v4 * m + a, v5 = v5 * m + a;
    v6 = v6 * m + a, v7 = v7 * m + a, v8 = v8 * m + a, v9 = v9 * m + a, v10 = v10 * m + a, v11 = v11 * m + a;
  }
  Vector all = v0 + v1 + v2 + v3 + v4 + v5 + v6 + v7 + v8 + v9 + v10 + v11;
  float sum = 0;
  for (size_t i = 0; i < width; ++i) sum += all[i];
  return sum;
}

// One tile of 6 rows × 2 vectors of C, held in registers, over one block of k. `panel` is that part of B, packed.
void tile(size_t n, const float* a, const float* panel, float* c, size_t depth) {
  Vector sum[tile_rows][tile_vectors];
  for (size_t r = 0; r < tile_rows; ++r)
    for (size_t v = 0; v < tile_vectors; ++v) sum[r][v] = *reinterpret_cast<const LooseVector*>(c + r * n + v * width);
  for (size_t k = 0; k < depth; ++k) {
    const float* row = panel + k * tile_vectors * width;
    Vector b0 = *reinterpret_cast<const LooseVector*>(row), b1 = *reinterpret_cast<const LooseVector*>(row + width);
    for (size_t r = 0; r < tile_rows; ++r) {
      float x = a[r * n + k];
      sum[r][0] += b0 * x;
      sum[r][1] += b1 * x;
    }
  }
  for (size_t r = 0; r < tile_rows; ++r)
    for (size_t v = 0; v < tile_vectors; ++v) *reinterpret_cast<LooseVector*>(c + r * n + v * width) = sum[r][v];
}

void matmul_kernel(size_t n, const float* a, const float* b, float* c, size_t row_begin, size_t row_end,
                   float* scratch) {
  constexpr size_t columns = tile_vectors * width;
  for (size_t k0 = 0; k0 < n; k0 += block_k) {
    size_t depth = n - k0 < block_k ? n - k0 : block_k;
    for (size_t column = 0; column < n; column += columns) {
      for (size_t k = 0; k < depth; ++k)
        for (size_t j = 0; j < columns; ++j) scratch[k * columns + j] = b[(k0 + k) * n + column + j];
      for (size_t row = row_begin; row < row_end; row += tile_rows)
        tile(n, a + row * n + k0, scratch, c + row * n + column, depth);
    }
  }
}

constexpr Kernels kernels = {KERNEL_NAME, unsigned(width), fma_kernel, matmul_kernel};

}  // namespace
}  // namespace sparky::telemetry
