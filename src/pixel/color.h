// Color: sRGB to OKLab and back. Distances between colours are taken in OKLab, where equal steps look about equal.
// Formulas: Björn Ottosson, "A perceptual color space for image processing", https://bottosson.github.io/posts/oklab/
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "pixel/picture.h"

namespace sparky::pixel {

struct OkLab {
  float l = 0, a = 0, b = 0;  // l 0 (black) to 1 (white); a and b about ±0.4
  friend OkLab operator+(OkLab p, OkLab q) { return {p.l + q.l, p.a + q.a, p.b + q.b}; }
  friend OkLab operator-(OkLab p, OkLab q) { return {p.l - q.l, p.a - q.a, p.b - q.b}; }
  friend OkLab operator*(OkLab p, float f) { return {p.l * f, p.a * f, p.b * f}; }
};
inline float dot(OkLab p, OkLab q) { return p.l * q.l + p.a * q.a + p.b * q.b; }
inline float distance2(OkLab p, OkLab q) { return dot(p - q, p - q); }

OkLab to_oklab(Rgba color);  // alpha does not count
Rgba to_rgba(OkLab color);   // the nearest of sRGB, channel by channel; alpha 255

// 0xAABBGGRR: one number per colour, for tables.
inline uint32_t key(Rgba c) { return uint32_t(c.r) | uint32_t(c.g) << 8 | uint32_t(c.b) << 16 | uint32_t(c.a) << 24; }
inline Rgba rgba(uint32_t key) { return {uint8_t(key), uint8_t(key >> 8), uint8_t(key >> 16), uint8_t(key >> 24)}; }

// "rgb", "rrggbb", "rrggbbaa", with or without '#'; "transparent".
std::optional<Rgba> parse_color(std::string_view text);
std::string hex(Rgba color);  // "rrggbb", with alpha below 255 "rrggbbaa"

}  // namespace sparky::pixel
