#include "pixel/planes.h"

#include <algorithm>
#include <cmath>

namespace sparky::pixel {

Planes to_planes(const Picture& picture) {
  Planes planes;
  planes.opaque = std::ranges::all_of(picture.pixels, [](Rgba p) { return p.a == 255; });
  for (int c = 0; c < planes.channels(); ++c) planes.channel[size_t(c)] = Plane(picture.height, picture.width);
  float* luma = planes.channel[Planes::luma].values.data();
  float* blue = planes.channel[Planes::blue].values.data();
  float* red = planes.channel[Planes::red].values.data();
  for (size_t i = 0; i < picture.pixels.size(); ++i) {
    const Rgba p = picture.pixels[i];
    float scale = 1;
    if (!planes.opaque) {
      planes.channel[Planes::alpha].values[i] = p.a;
      scale = float(p.a) / 255.0f;
    }
    const float r = float(p.r) * scale, g = float(p.g) * scale, b = float(p.b) * scale;
    const float y = 0.299f * r + 0.587f * g + 0.114f * b;
    luma[i] = y;
    blue[i] = (b - y) * 0.564f;
    red[i] = (r - y) * 0.713f;
  }
  return planes;
}

Views views_of(Planes planes) {
  Views views;
  views.turned.opaque = planes.opaque;
  for (size_t c = 0; c < size_t(planes.channels()); ++c) views.turned.channel[c] = transposed(planes.channel[c]);
  views.upright = std::move(planes);
  return views;
}

Rgba to_color(float luma, float blue, float red, float alpha) {
  const auto byte = [](float v) { return uint8_t(std::clamp(std::lround(v), 0l, 255l)); };
  const uint8_t a = byte(alpha);
  if (a == 0) return {};
  const float back = 255.0f / float(a);
  const float r = luma + red / 0.713f, b = luma + blue / 0.564f;
  const float g = (luma - 0.299f * r - 0.114f * b) / 0.587f;
  return {byte(r * back), byte(g * back), byte(b * back), a};
}

Plane transposed(const Plane& plane) {
  constexpr int block = 32;
  Plane out(plane.columns, plane.rows);
  for (int r0 = 0; r0 < plane.rows; r0 += block) {
    for (int c0 = 0; c0 < plane.columns; c0 += block) {
      for (int r = r0; r < std::min(r0 + block, plane.rows); ++r) {
        for (int c = c0; c < std::min(c0 + block, plane.columns); ++c) out.row(c)[r] = plane.row(r)[c];
      }
    }
  }
  return out;
}

}  // namespace sparky::pixel
