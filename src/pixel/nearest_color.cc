#include "pixel/nearest_color.h"

#include <algorithm>
#include <cmath>

namespace sparky::pixel {
namespace {

// All of sRGB lies in l 0…1, a −0.24…0.28, b −0.32…0.20; what dithering pushes beyond is compared with every colour.
constexpr int kSide = 32;  // boxes along each of the three
constexpr OkLab kLow{0, -0.32f, -0.36f}, kHigh{1.001f, 0.36f, 0.28f};
constexpr float kStepL = (kHigh.l - kLow.l) / kSide, kStepA = (kHigh.a - kLow.a) / kSide,
                kStepB = (kHigh.b - kLow.b) / kSide;

}  // namespace

NearestColor::NearestColor(std::vector<OkLab> colors)
    : colors_(std::move(colors)), boxes_(size_t(kSide) * kSide * kSide) {}

size_t NearestColor::of(OkLab color) {
  const auto l = int(std::floor((color.l - kLow.l) / kStepL)), a = int(std::floor((color.a - kLow.a) / kStepA)),
             b = int(std::floor((color.b - kLow.b) / kStepB));
  const bool inside = l >= 0 && a >= 0 && b >= 0 && l < kSide && a < kSide && b < kSide;
  if (!inside) return among_all(color);
  const auto box = (size_t(l) * kSide + size_t(a)) * kSide + size_t(b);
  if (boxes_[box].empty()) {
    const auto middle = [](float low, float step, int i) { return low + (float(i) + 0.5f) * step; };
    fill(box, {middle(kLow.l, kStepL, l), middle(kLow.a, kStepA, a), middle(kLow.b, kStepB, b)});
  }
  size_t best = boxes_[box].front();
  float least = distance2(color, colors_[best]);
  for (const uint16_t i : boxes_[box]) {
    const float d = distance2(color, colors_[i]);
    if (d < least) best = i, least = d;
  }
  return best;
}

size_t NearestColor::among_all(OkLab color) const {
  size_t best = 0;
  float least = distance2(color, colors_[0]);
  for (size_t i = 1; i < colors_.size(); ++i) {
    const float d = distance2(color, colors_[i]);
    if (d < least) best = i, least = d;
  }
  return best;
}

// A point of the box is at most half a diagonal from its middle, so whatever is nearest to it is no further from the
// middle than the middle's nearest by twice that.
void NearestColor::fill(size_t box, OkLab middle) {
  static const float half = 0.5f * std::sqrt(kStepL * kStepL + kStepA * kStepA + kStepB * kStepB);
  const float reach = std::sqrt(distance2(middle, colors_[among_all(middle)])) + 2 * half + 1e-4f;
  for (size_t i = 0; i < colors_.size(); ++i) {
    if (distance2(middle, colors_[i]) <= reach * reach) boxes_[box].push_back(uint16_t(i));
  }
}

}  // namespace sparky::pixel
