#include "pixel/color.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace sparky::pixel {
namespace {

const std::array<float, 256>& linear_of_srgb() {
  static const auto table = [] {
    std::array<float, 256> t{};
    for (size_t i = 0; i < 256; ++i) {
      double v = double(i) / 255;
      t[i] = float(v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4));
    }
    return t;
  }();
  return table;
}

uint8_t srgb_of_linear(float v) {
  v = v <= 0.0031308f ? v * 12.92f : 1.055f * std::pow(v, 1 / 2.4f) - 0.055f;
  return uint8_t(std::lround(std::clamp(v, 0.0f, 1.0f) * 255));
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

OkLab to_oklab(Rgba c) {
  auto& linear = linear_of_srgb();
  float r = linear[c.r], g = linear[c.g], b = linear[c.b];
  float l = std::cbrt(0.4122214708f * r + 0.5363325363f * g + 0.0514459929f * b);
  float m = std::cbrt(0.2119034982f * r + 0.6806995451f * g + 0.1073969566f * b);
  float s = std::cbrt(0.0883024619f * r + 0.2817188376f * g + 0.6299787005f * b);
  return {0.2104542553f * l + 0.7936177850f * m - 0.0040720468f * s,
          1.9779984951f * l - 2.4285922050f * m + 0.4505937099f * s,
          0.0259040371f * l + 0.7827717662f * m - 0.8086757660f * s};
}

Rgba to_rgba(OkLab c) {
  auto cube = [](float v) { return v * v * v; };
  float l = cube(c.l + 0.3963377774f * c.a + 0.2158037573f * c.b);
  float m = cube(c.l - 0.1055613458f * c.a - 0.0638541728f * c.b);
  float s = cube(c.l - 0.0894841775f * c.a - 1.2914855480f * c.b);
  return {srgb_of_linear(4.0767416621f * l - 3.3077115913f * m + 0.2309699292f * s),
          srgb_of_linear(-1.2684380046f * l + 2.6097574011f * m - 0.3413193965f * s),
          srgb_of_linear(-0.0041960863f * l - 0.7034186147f * m + 1.7076147010f * s), 255};
}

std::optional<Rgba> parse_color(std::string_view text) {
  if (text == "transparent") return Rgba{};
  if (text.starts_with('#')) text.remove_prefix(1);
  if (std::ranges::any_of(text, [](char c) { return digit(c) < 0; })) return std::nullopt;
  auto pair = [&](size_t at) { return uint8_t(digit(text[at]) * 16 + digit(text[at + 1])); };
  auto single = [&](size_t at) { return uint8_t(digit(text[at]) * 17); };
  if (text.size() == 3) return Rgba{single(0), single(1), single(2), 255};
  if (text.size() == 6) return Rgba{pair(0), pair(2), pair(4), 255};
  if (text.size() == 8) return Rgba{pair(0), pair(2), pair(4), pair(6)};
  return std::nullopt;
}

std::string hex(Rgba c) {
  std::string out = fmt::format("{:02x}{:02x}{:02x}", c.r, c.g, c.b);
  return c.a == 255 ? out : out + fmt::format("{:02x}", c.a);
}

}  // namespace sparky::pixel
