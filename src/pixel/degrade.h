// Degrade: makes of a true sprite what image generators and careless exporters make of it (scaled off the grid,
// blurred, JPEG-ed, noisy), with the truth known. What the snap benchmark and its tests stand on.
#pragma once
#include <cstdint>

#include "base/error.h"
#include "pixel/picture.h"

namespace sparky::pixel {

struct Degradation {
  double scale_x = 8, scale_y = 8;  // output pixels per true pixel
  double shift_x = 0, shift_y = 0;  // output pixels by which the sprite moves right and down, edges repeated
  bool soft = false;                // false: nearest neighbour; true: each output pixel is the mean of what it covers
  double blur = 0;                  // Gaussian, sigma in output pixels
  double cell_jitter = 0;           // each true pixel's channels move by a normal deviate of this sigma, 0–255
  double noise = 0;                 // the same for every output pixel
  int jpeg_quality = 0;             // 1–100 with 4:2:0 chroma; 0: no JPEG
  double wobble = 0;                // grid lines drift by up to this share of a cell, slowly
  double tilt_degrees = 0;          // rotation about the middle
  uint64_t seed = 1;
};

// The sprite as it looks after the degradation; alpha survives unless jpeg_quality > 0, which puts it on white.
Result<Picture> degrade(const Picture& sprite, const Degradation& how);

}  // namespace sparky::pixel
