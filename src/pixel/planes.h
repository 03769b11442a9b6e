// Planes: a picture as separate float planes, for arithmetic: luma, two chroma differences (ITU-R BT.601, as JPEG has
// them) and alpha, all 0–255 scaled, colours premultiplied by alpha.
#pragma once
#include <array>
#include <vector>

#include "pixel/picture.h"

namespace sparky::pixel {

// A matrix of floats, row after row. Pictures: rows × columns of pixels.
struct Plane {
  int rows = 0, columns = 0;
  std::vector<float> values;

  Plane() = default;
  Plane(int r, int c) : rows(r), columns(c), values(size_t(r) * size_t(c)) {}
  float* row(int r) { return values.data() + size_t(r) * size_t(columns); }
  const float* row(int r) const { return values.data() + size_t(r) * size_t(columns); }
};

struct Planes {
  enum Channel { luma, blue, red, alpha, count };
  std::array<Plane, count> channel;
  bool opaque = true;  // alpha is 255 everywhere and its plane is empty

  int channels() const { return opaque ? 3 : 4; }
};

Planes to_planes(const Picture& picture);

// A picture with its columns as columns, and turned, so that each axis can be read along rows.
struct Views {
  Planes upright, turned;
};
Views views_of(Planes planes);

// The colour of one sample in planes' terms; clamps, rounds, and gives {0,0,0,0} where alpha rounds to 0.
Rgba to_color(float luma, float blue, float red, float alpha);
Plane transposed(const Plane& plane);

}  // namespace sparky::pixel
