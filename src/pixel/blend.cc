#include "pixel/blend.h"

#include <algorithm>
#include <cmath>

namespace sparky::pixel {
namespace {

// a × b / 255, rounded.
int times(int a, int b) {
  int t = a * b + 0x80;
  return ((t >> 8) + t) >> 8;
}

int hard_light(int b, int s) { return s < 128 ? times(b, s * 2) : b + (s * 2 - 255) - times(b, s * 2 - 255); }

int soft_light(int b, int s) {
  double x = b / 255.0, y = s / 255.0;
  double d = x <= 0.25 ? ((16 * x - 12) * x + 4) * x : std::sqrt(x);
  return int(std::lround(255 * (y <= 0.5 ? x - (1 - 2 * y) * x * (1 - x) : x + (2 * y - 1) * (d - x))));
}

int channel(int b, int s, Blend mode) {
  switch (mode) {
    case Blend::multiply:
      return times(b, s);
    case Blend::screen:
      return b + s - times(b, s);
    case Blend::overlay:
      return hard_light(s, b);
    case Blend::darken:
      return std::min(b, s);
    case Blend::lighten:
      return std::max(b, s);
    case Blend::color_dodge:
      return b == 0 ? 0 : b >= 255 - s ? 255 : b * 255 / (255 - s);
    case Blend::color_burn:
      return b == 255 ? 255 : 255 - b >= s ? 0 : 255 - (255 - b) * 255 / s;
    case Blend::hard_light:
      return hard_light(b, s);
    case Blend::soft_light:
      return soft_light(b, s);
    case Blend::difference:
      return std::abs(b - s);
    case Blend::exclusion:
      return b + s - 2 * times(b, s);
    case Blend::addition:
      return std::min(b + s, 255);
    case Blend::subtract:
      return std::max(b - s, 0);
    case Blend::divide:
      return b == 0 ? 0 : b >= s ? 255 : b * 255 / s;
    default:
      return s;
  }
}

struct Rgb {
  double r, g, b;
};
double luminosity(Rgb c) { return 0.3 * c.r + 0.59 * c.g + 0.11 * c.b; }
double saturation(Rgb c) { return std::max({c.r, c.g, c.b}) - std::min({c.r, c.g, c.b}); }

Rgb with_luminosity(Rgb c, double l) {
  double d = l - luminosity(c);
  c = {c.r + d, c.g + d, c.b + d};
  double least = std::min({c.r, c.g, c.b}), most = std::max({c.r, c.g, c.b});
  auto toward = [&](double factor) { c = {l + (c.r - l) * factor, l + (c.g - l) * factor, l + (c.b - l) * factor}; };
  if (least < 0) toward(l / (l - least));
  if (most > 1) toward((1 - l) / (most - l));
  return c;
}

Rgb with_saturation(Rgb c, double s) {
  double least = std::min({c.r, c.g, c.b}), range = saturation(c);
  if (range <= 0) return {0, 0, 0};
  return {(c.r - least) * s / range, (c.g - least) * s / range, (c.b - least) * s / range};
}

Rgba mixed(Rgba backdrop, Rgba source, Blend mode) {
  auto unit = [](Rgba c) { return Rgb{c.r / 255.0, c.g / 255.0, c.b / 255.0}; };
  Rgb b = unit(backdrop), s = unit(source), out = s;
  if (mode == Blend::hue) out = with_luminosity(with_saturation(s, saturation(b)), luminosity(b));
  if (mode == Blend::saturation) out = with_luminosity(with_saturation(b, saturation(s)), luminosity(b));
  if (mode == Blend::color) out = with_luminosity(s, luminosity(b));
  if (mode == Blend::luminosity) out = with_luminosity(b, luminosity(s));
  auto byte = [](double v) { return uint8_t(std::lround(std::clamp(v, 0.0, 1.0) * 255)); };
  return {byte(out.r), byte(out.g), byte(out.b), source.a};
}

}  // namespace

Rgba blend(Rgba backdrop, Rgba source, int opacity, Blend mode) {
  if (backdrop.a != 0 && mode != Blend::normal) {
    if (mode >= Blend::hue && mode <= Blend::luminosity)
      source = mixed(backdrop, source, mode);
    else
      source = {uint8_t(channel(backdrop.r, source.r, mode)), uint8_t(channel(backdrop.g, source.g, mode)),
                uint8_t(channel(backdrop.b, source.b, mode)), source.a};
  }
  int alpha = times(source.a, opacity);
  if (alpha == 0) return backdrop;
  if (backdrop.a == 0) return {source.r, source.g, source.b, uint8_t(alpha)};
  int total = alpha + backdrop.a - times(backdrop.a, alpha);
  auto over = [&](int b, int s) { return uint8_t(b + (s - b) * alpha / total); };
  return {over(backdrop.r, source.r), over(backdrop.g, source.g), over(backdrop.b, source.b), uint8_t(total)};
}

}  // namespace sparky::pixel
