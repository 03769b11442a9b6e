#include "pixel/snap.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>

#include "pixel/cell_colors.h"
#include "pixel/planes.h"

namespace sparky::pixel {
namespace {

constexpr int kSideMost = 400;         // pixels: larger pictures are halved to look for a tilt
constexpr double kTiltEvidence = 0.9;  // nats an edge, more than a straight grid needs: many angles are tried
constexpr double kTiltConfidence = 0.85;
constexpr double kEvidenceDoubtful = 0.4;           // of a straight grid: below, a tilted one may be the truth
constexpr double kTiltMost = 2.2, kTiltStep = 0.4;  // degrees

// Each pixel the mean of four, colours weighted by their alpha.
Picture halved(const Picture& picture) {
  Picture out(picture.width / 2, picture.height / 2);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      std::array<int, 4> sum{};
      for (const auto& [i, j] : {std::pair{0, 0}, {1, 0}, {0, 1}, {1, 1}}) {
        const Rgba p = picture.at(2 * x + i, 2 * y + j);
        sum[0] += p.r * p.a, sum[1] += p.g * p.a, sum[2] += p.b * p.a, sum[3] += p.a;
      }
      const int a = std::max(sum[3], 1);
      out.at(x, y) = {uint8_t(sum[0] / a), uint8_t(sum[1] / a), uint8_t(sum[2] / a), uint8_t(sum[3] / 4)};
    }
  }
  return out;
}

// The picture turned back by `degrees` (clockwise tilt is positive) about its middle, between pixels bilinear.
Picture straightened(const Picture& picture, double degrees) {
  const double angle = degrees * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
  const double middle_x = picture.width / 2.0, middle_y = picture.height / 2.0;
  Picture out(picture.width, picture.height);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const double dx = x + 0.5 - middle_x, dy = y + 0.5 - middle_y;
      const double u = std::clamp(c * dx - s * dy + middle_x - 0.5, 0.0, picture.width - 1.0);
      const double v = std::clamp(s * dx + c * dy + middle_y - 0.5, 0.0, picture.height - 1.0);
      const int left = int(u), top = int(v);
      const float over = float(u - left), down = float(v - top);
      std::array<float, 4> sum{};
      for (const auto& [i, j] : {std::pair{0, 0}, {1, 0}, {0, 1}, {1, 1}}) {
        const Rgba p = picture.at(std::min(left + i, picture.width - 1), std::min(top + j, picture.height - 1));
        const float share = (i == 0 ? 1 - over : over) * (j == 0 ? 1 - down : down), a = share * float(p.a);
        sum[0] += a * float(p.r), sum[1] += a * float(p.g), sum[2] += a * float(p.b), sum[3] += a;
      }
      const float back = sum[3] > 0 ? 1 / sum[3] : 0;
      const auto byte = [](float value) { return uint8_t(std::lround(value)); };
      out.at(x, y) = {byte(sum[0] * back), byte(sum[1] * back), byte(sum[2] * back), byte(sum[3])};
    }
  }
  return out;
}

// The angle at which the picture shows a grid best, if it does.
std::optional<double> find_tilt(const Picture& picture, GridOptions options) {
  const bool large = std::min(picture.width, picture.height) > kSideMost;
  if (large) options.hint /= 2;
  const Picture small = large ? halved(picture) : picture;
  double best = 0, most = 0;
  const auto look = [&](double degrees) {
    const auto grid = find_grid(straightened(small, degrees), options);
    if (grid && grid->evidence > most) most = grid->evidence, best = degrees;
  };
  for (double degrees = kTiltStep; degrees < kTiltMost; degrees += kTiltStep) look(degrees), look(-degrees);
  if (most == 0) return std::nullopt;
  for (double step = kTiltStep / 2; step > 0.04; step /= 2) {
    const double middle = best;
    look(middle - step), look(middle + step);
  }
  return most >= kTiltEvidence ? std::optional(best) : std::nullopt;
}

Result<Snapped> snap_straight(const Picture& picture, const GridOptions& options) {
  Snapped out;
  const Views views = views_of(to_planes(picture));
  SPARKY_ASSIGN(out.grid, find_grid(views, options));
  CellColors colors = cell_colors(picture, views, out.grid);
  out.picture = std::move(colors.picture);
  out.error = colors.error;
  return out;
}

}  // namespace

Result<Snapped> snap(const Picture& picture, const GridOptions& options) {
  auto out = snap_straight(picture, options);
  const bool doubtful = out ? out->grid.evidence < kEvidenceDoubtful : out.error().is(Errc::unavailable);
  if (!doubtful || options.columns > 0) return out;
  const auto tilt = find_tilt(picture, options);
  if (!tilt) return out;
  auto turned = snap_straight(straightened(picture, *tilt), options);
  if (!turned || turned->grid.confidence < kTiltConfidence) return out;
  turned->tilt_degrees = *tilt;
  return turned;
}

}  // namespace sparky::pixel
