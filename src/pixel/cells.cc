#include "pixel/cells.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace sparky::pixel {
namespace {

constexpr std::array kBlurs = {0.0, 0.2, 0.35, 0.5, 0.7, 0.9, 1.15, 1.5, 2.0, 2.7, 3.6, 5.0};  // pixels
constexpr int kCellsMost = 24;           // of the other axis, to fit lines on: more add little
constexpr double kResidualFloor = 1e-3;  // squared levels a sample: smaller gains are rounding, not a better fit
constexpr double kDriftGain = 0.4;       // share of what even lines leave unexplained that drifting ones must explain
constexpr double kBlurMost = 0.45;       // of a cell: beyond, neighbours cannot be told apart

// The integral of the normal distribution's CDF from -infinity to z, from a table: millions are asked for.
double normal_ramp(double z) {
  constexpr double reach = 6, steps_per_unit = 256;
  static const std::vector<double> table = [] {
    std::vector<double> out;
    for (int i = 0; i <= int(2 * reach * steps_per_unit) + 1; ++i) {
      const double at = i / steps_per_unit - reach;
      const double density = std::exp(-0.5 * at * at) / std::sqrt(2 * std::numbers::pi);
      out.push_back(at * 0.5 * std::erfc(-at / std::sqrt(2.0)) + density);
    }
    return out;
  }();
  if (z <= -reach) return 0;
  if (z >= reach) return z;
  const double place = (z + reach) * steps_per_unit;
  const auto i = size_t(place);
  return table[i] + (place - double(i)) * (table[i + 1] - table[i]);
}

// The share of pixel [0, 1), blurred by sigma, that lies before `line`.
double share_before(double line, double sigma) {
  if (sigma <= 0) return std::clamp(line, 0.0, 1.0);
  return sigma * (normal_ramp(line / sigma) - normal_ramp((line - 1) / sigma));
}

}  // namespace

AxisModel::AxisModel(int pixels, std::span<const double> lines, Aperture aperture, double ridge)
    : pixels_(pixels), cells_(int(lines.size()) - 1), first_(size_t(pixels)) {
  const auto go_on = [&](int& cell, double place) {  // to the cell of a place further on
    while (cell + 1 < cells_ && lines[size_t(cell) + 1] <= place) ++cell;
  };
  // What one stored sample sees: a pixel, or a pair of them.
  struct Sample {
    double from, wide;
    int first, last;  // cells
  };
  std::vector<Sample> samples;
  const int wide = aperture.halved ? 2 : 1;
  const double reach = 3 * aperture.sigma - 1e-9;
  samples.reserve(size_t(pixels));
  for (int x = 0, first = 0, last = 0; x < pixels; x += wide) {
    const int to = std::min(x + wide, pixels);
    go_on(first, x - reach), go_on(last, to + reach);
    samples.push_back({double(x), double(to - x), first, last});
  }
  // Each pixel is shown from one sample, or between two.
  const auto other = [&](int x) {
    return aperture.halved ? std::clamp(x / 2 + (x % 2 == 0 ? -1 : 1), 0, int(samples.size()) - 1) : x;
  };
  for (int x = 0; x < pixels; ++x) {
    const Sample &near = samples[size_t(x / wide)], &far = samples[size_t(other(x))];
    first_[size_t(x)] = std::min(near.first, far.first);
    band_ = std::max(band_, std::max(near.last, far.last) - first_[size_t(x)] + 1);
  }
  band_ = std::min(band_, cells_);
  weight_.assign(size_t(pixels) * size_t(band_), 0);
  for (int x = 0; x < pixels; ++x) {
    first_[size_t(x)] = std::min(first_[size_t(x)], cells_ - band_);
    float* weight = &weight_[size_t(x) * size_t(band_)];
    const auto see = [&](const Sample& sample, double share) {
      double below = 0;  // the share left of the current cell
      for (int i = 0; i < band_; ++i) {
        const int cell = first_[size_t(x)] + i;
        const bool outermost = i + 1 == band_ || cell + 1 == cells_;
        const double line = (lines[size_t(cell) + 1] - sample.from) / sample.wide;
        const double upto = outermost ? 1 : share_before(line, aperture.sigma / sample.wide);
        weight[i] += float(share * (upto - below));
        below = upto;
      }
    };
    if (aperture.halved) {
      see(samples[size_t(x / 2)], 0.75), see(samples[size_t(other(x))], 0.25);
    } else {
      see(samples[size_t(x)], 1);
    }
  }
  // AᵀA and its Cholesky factor L, row r holding columns r - band_ + 1 … r.
  const auto band = size_t(band_);
  std::vector<double> normal(size_t(cells_) * band, 0);
  for (int x = 0; x < pixels; ++x) {
    const float* weight = &weight_[size_t(x) * band];
    for (int i = 0; i < band_; ++i) {
      for (int j = 0; j <= i; ++j) {
        normal[size_t(first_[size_t(x)] + i) * band + band - 1 - size_t(i - j)] += double(weight[i]) * weight[j];
      }
    }
  }
  std::vector<double> seen(size_t(cells_), 1e-6);
  for (size_t i = 0; i < weight_.size(); ++i) seen[size_t(first_[i / band]) + i % band] += weight_[i];
  for (const double s : seen) pull_.push_back(float(1 + ridge / s));
  for (int r = 0; r < cells_; ++r) {
    normal[size_t(r) * band + band - 1] += ridge + 1e-6;  // a cell that no pixel sees stays 0
    for (int c = std::max(0, r - band_ + 1); c <= r; ++c) {
      double sum = normal[size_t(r) * band + band - 1 - size_t(r - c)];
      for (int k = std::max({0, r - band_ + 1, c - band_ + 1}); k < c; ++k) {
        sum -=
            normal[size_t(r) * band + band - 1 - size_t(r - k)] * normal[size_t(c) * band + band - 1 - size_t(c - k)];
      }
      double& out = normal[size_t(r) * band + band - 1 - size_t(r - c)];
      out = r == c ? std::sqrt(std::max(sum, 1e-9)) : sum / normal[size_t(c) * band + band - 1];
    }
  }
  factor_.assign(normal.begin(), normal.end());
}

Plane AxisModel::gather(const Plane& samples) const {
  Plane out(cells_, samples.columns);
  for (int x = 0; x < pixels_; ++x) {
    const float* from = samples.row(x);
    for (int i = 0; i < band_; ++i) {
      const float weight = weight_[size_t(x) * size_t(band_) + size_t(i)];
      if (weight < 1e-4f) continue;
      float* to = out.row(first_[size_t(x)] + i);
      for (int c = 0; c < samples.columns; ++c) to[c] += weight * from[c];
    }
  }
  return out;
}

void AxisModel::solve_in_place(Plane& plane) const {
  const auto factor = [&](int r, int c) { return factor_[size_t(r * band_ + band_ - 1 - (r - c))]; };
  const auto subtract = [&](int to, int from, float weight) {
    float* out = plane.row(to);
    const float* in = plane.row(from);
    for (int c = 0; c < plane.columns; ++c) out[c] -= weight * in[c];
  };
  const auto divide = [&](int r) {
    const float scale = 1 / factor(r, r);
    float* out = plane.row(r);
    for (int c = 0; c < plane.columns; ++c) out[c] *= scale;
  };
  for (int r = 0; r < cells_; ++r) {
    for (int c = std::max(0, r - band_ + 1); c < r; ++c) subtract(r, c, factor(r, c));
    divide(r);
  }
  for (int r = cells_ - 1; r >= 0; --r) {
    for (int c = r + 1; c < std::min(cells_, r + band_); ++c) subtract(r, c, factor(c, r));
    divide(r);
  }
}

Plane AxisModel::solve(const Plane& samples) const {
  Plane out = gather(samples);
  for (int k = 0; k < cells_; ++k) {
    float* row = out.row(k);
    for (int c = 0; c < out.columns; ++c) row[c] *= pull_[size_t(k)];
  }
  solve_in_place(out);
  return out;
}

double AxisModel::residual(const Plane& samples) const {
  const Plane gathered = gather(samples);
  Plane solution = gathered;
  solve_in_place(solution);
  double total = 0;
  for (const float v : samples.values) total += double(v) * v;
  for (size_t i = 0; i < gathered.values.size(); ++i) total -= double(gathered.values[i]) * solution.values[i];
  return std::max(total, 0.0);
}

Plane AxisModel::rebuild(const Plane& cells) const {
  Plane out(pixels_, cells.columns);
  for (int x = 0; x < pixels_; ++x) {
    float* to = out.row(x);
    for (int i = 0; i < band_; ++i) {
      const float weight = weight_[size_t(x) * size_t(band_) + size_t(i)];
      const float* from = cells.row(first_[size_t(x)] + i);
      for (int c = 0; c < cells.columns; ++c) to[c] += weight * from[c];
    }
  }
  return out;
}

FlatCells::FlatCells(const Plane& samples) : sums_(samples.rows + 1, samples.columns), squares_(1, 0) {
  for (int r = 0; r < samples.rows; ++r) {
    double square = 0;
    for (int c = 0; c < samples.columns; ++c) {
      const float v = samples.row(r)[c];
      sums_.row(r + 1)[c] = sums_.row(r)[c] + v;
      square += v * v;
    }
    squares_.push_back(squares_.back() + square);
  }
}

double FlatCells::residual(int from, int to) const {
  from = std::max(from, 0), to = std::min(to, sums_.rows - 1);
  if (to <= from) return 0;
  const float* low = sums_.row(from);
  const float* high = sums_.row(to);
  float explained = 0;
  for (int c = 0; c < sums_.columns; ++c) explained += (high[c] - low[c]) * (high[c] - low[c]);
  return squares_[size_t(to)] - squares_[size_t(from)] - explained / float(to - from);
}

double FlatCells::residual(std::span<const double> lines) const {
  const auto border = [&](size_t k) {  // the outer cells reach to the ends
    return k == 0 ? 0 : k + 1 == lines.size() ? sums_.rows - 1 : int(std::floor(lines[k] + 0.5));
  };
  double out = 0;
  for (size_t k = 0; k + 1 < lines.size(); ++k) out += residual(border(k), border(k + 1));
  return out;
}

std::vector<double> FlatCells::settled(std::vector<double> lines) const {
  for (double& line : lines) line = std::floor(line + 0.5);
  for (size_t k = 1; k + 1 < lines.size(); ++k) {
    const int low = int(lines[k - 1]), high = int(lines[k + 1]), here = int(lines[k]);
    const double noise = 1e-3 * sums_.columns;
    double best_here = (residual(low, here) + residual(here, high)) * 0.98 - noise;
    for (const int line : {here - 1, here + 1}) {
      if (line <= low || line >= high) continue;
      const double moved = residual(low, line) + residual(line, high);
      if (moved < best_here) best_here = moved, lines[k] = line;
    }
  }
  return lines;
}

std::vector<double> FlatCells::tracked(double cell) const {
  const int rows = sums_.rows - 1;
  const int narrow = std::max(1, int(std::ceil(cell / 2))), wide = int(std::floor(1.4 * cell));
  const double bend = 0.1 * residual(0, rows) / rows;  // the price of a cell that is a tenth wider than others
  std::vector<double> least(size_t(rows) + 1, 1e300);
  std::vector<int> before(least.size(), 0);
  least[0] = 0;
  for (int to = narrow; to <= rows; ++to) {
    for (int width = narrow; width <= std::min(wide, to); ++width) {
      const int from = to - width;
      if (least[size_t(from)] > 1e299) continue;
      const bool cut = (from == 0 || to == rows) && width < cell;
      const double off = (width - cell) / (0.1 * cell);
      const double cost =
          least[size_t(from)] + residual(from, to) + bend * (cut ? std::min(off * off, 9.0) : off * off);
      if (cost < least[size_t(to)]) least[size_t(to)] = cost, before[size_t(to)] = from;
    }
  }
  std::vector<double> lines{double(rows)};
  for (int at = rows; at > 0 && least[size_t(rows)] < 1e299;) lines.push_back(at = before[size_t(at)]);
  std::ranges::reverse(lines);
  return lines;
}

std::vector<Plane> condensed(const Planes& planes, std::span<const double> other_lines) {
  const int length = planes.channel[0].rows, others = planes.channel[0].columns;
  // At most kCellsMost of the other axis' cells, evenly taken.
  std::vector<std::pair<int, int>> ranges;
  const int cells = int(other_lines.size()) - 1;
  const int step = (cells + kCellsMost - 1) / kCellsMost;
  for (int k = 0; k < cells; k += step) {
    const double low = other_lines[size_t(k)], wide = other_lines[size_t(k) + 1] - low;
    const int from = std::clamp(int(std::ceil(low + wide / 4 - 0.5)), 0, others - 1);
    const int to = std::clamp(int(std::floor(low + wide * 3 / 4 - 0.5)), from, others - 1);
    ranges.emplace_back(from, to + 1);
  }
  std::vector<Plane> out;
  for (int channel = 0; channel < planes.channels(); ++channel) {
    Plane plane(length, int(ranges.size()));
    // Without the mean, so that a residual is not the small difference of large sums.
    double mean = 0;
    for (int y = 0; y < length; ++y) {
      const float* from = planes.channel[size_t(channel)].row(y);
      float* to = plane.row(y);
      for (const auto& [a, b] : ranges) {
        float sum = 0;
        for (int x = a; x < b; ++x) sum += from[x];
        *to = sum / float(b - a);
        mean += *to++;
      }
    }
    mean /= double(plane.values.size());
    for (float& v : plane.values) v -= float(mean);
    out.push_back(std::move(plane));
  }
  return out;
}

namespace {

// One way to lay even lines on an axis: freely, or rounded to pixel borders as nearest-neighbour scaling leaves them.
struct Fit {
  bool rounded = false;
  double first = 0, last = 0, blur = 0, residual = 0;

  std::vector<double> lines(int cells) const {
    std::vector<double> out(size_t(cells) + 1);
    for (int k = 0; k <= cells; ++k) {
      const double line = first + (last - first) * k / cells;
      out[size_t(k)] = rounded ? std::floor(line + 0.5) : line;
    }
    return out;
  }
};

Fit best_fit(Fit fit, int cells, const Plane& samples) {
  const auto residual = [&](const Fit& f) {
    return AxisModel(samples.rows, f.lines(cells), {f.blur}).residual(samples);
  };
  const double floor = kResidualFloor * double(samples.values.size());
  const auto accept = [&](Fit next, double least_gain) {
    next.residual = residual(next);
    if (next.residual >= fit.residual * (1 - least_gain) - floor) return false;
    fit = next;
    return true;
  };
  const auto choose_blur = [&] {
    for (const double blur : kBlurs) {
      if (blur > kBlurMost * (fit.last - fit.first) / cells) break;
      Fit next = fit;
      next.blur = blur;
      accept(next, 1e-6);
    }
  };
  fit.residual = residual(fit);
  choose_blur();
  for (double step = 0.4; step > 0.02; step /= 2) {
    bool moved = true;
    for (int round = 0; round < 4 && moved; ++round) {
      moved = false;
      for (const auto& [a, b] : {std::pair{step, step}, {-step, -step}, {step, -step}, {-step, step}}) {
        Fit next = fit;
        next.first += a, next.last += b;
        moved |= accept(next, 1e-4);
      }
    }
    if (step > 0.15) choose_blur();
  }
  for (double step = 0.1; step > 0.01 && fit.blur > 0; step /= 2) {
    for (const double sign : {1.0, -1.0}) {
      Fit next = fit;
      next.blur *= 1 + sign * step;
      accept(next, 1e-6);
    }
  }
  return fit;
}

// Nearest-neighbour scaling rounds each line to a pixel border: tries all shifts and stretches near the start.
std::vector<double> best_rounded(Fit& fit, int cells, const Plane& samples) {
  const FlatCells flat(samples);
  fit.rounded = true;
  Fit best = fit;
  double least = flat.residual(best.lines(cells));
  const double floor = kResidualFloor * double(samples.values.size());
  for (int a = -10; a <= 10; ++a) {
    for (int b = -10; b <= 10; ++b) {
      Fit next = fit;
      next.first += a * 0.08, next.last += b * 0.08;
      const double residual = flat.residual(next.lines(cells));
      if (residual < least * (1 - 1e-6) - floor) least = residual, best = next;
    }
  }
  fit = best;
  return flat.settled(fit.lines(cells));
}

// Cells about `cell` wide, or several times as wide: an even comb finds it hard to tell a drifting one from its parts.
std::vector<double> drifting_lines(const FlatCells& flat, double cell, int pixels, double floor) {
  std::vector<double> out = flat.tracked(cell);
  const double most = 1.2 * flat.residual(out) + floor;
  for (int times = 2; times <= 4 && times * cell * 4 <= pixels; ++times) {
    std::vector<double> wider = flat.tracked(times * cell);
    if (wider.size() > 4 && flat.residual(wider) <= most) out = std::move(wider);
  }
  return out;
}

}  // namespace

double fit_axis(GridAxis& axis, const std::vector<Plane>& samples, bool may_drift) {
  const int cells = axis.cells();
  Fit fit = best_fit({.first = axis.lines.front(), .last = axis.lines.back()}, cells, samples[0]);
  axis.lines = fit.lines(cells);
  Fit rounded = fit;
  const std::vector<double> rounded_lines = best_rounded(rounded, cells, samples[0]);
  const auto try_lines = [&](const std::vector<double>& lines, const Fit& as, double gain) {
    const double most = fit.residual * (1 - gain);
    for (const double blur : kBlurs) {
      if (blur > kBlurMost * axis.cell) break;
      const double residual = AxisModel(samples[0].rows, lines, {blur}).residual(samples[0]);
      if (residual >= std::min(most, fit.residual)) continue;
      fit = as;
      fit.blur = blur, fit.residual = residual;
      axis.lines = lines;
    }
  };
  try_lines(rounded_lines, rounded, 0);
  const double floor = kResidualFloor * double(samples[0].values.size());
  if (may_drift && fit.residual > floor) {
    const std::vector<double> lines = drifting_lines(FlatCells(samples[0]), axis.cell, samples[0].rows, floor);
    if (lines.size() > 2) try_lines(lines, {.first = lines.front(), .last = lines.back()}, kDriftGain);
  }
  axis.cell = (fit.last - fit.first) / axis.cells();
  axis.blur = fit.blur;
  axis.chroma = {fit.blur, false};
  std::vector<Aperture> apertures{{fit.blur, true}};
  for (const double blur : kBlurs) {
    if (blur >= fit.blur && blur <= kBlurMost * axis.cell) apertures.push_back({blur, false});
  }
  double least = 1e300;
  for (const Aperture aperture : apertures) {
    const AxisModel model(samples[0].rows, axis.lines, aperture);
    const double residual = model.residual(samples[1]) + model.residual(samples[2]);
    if (residual < least * (1 - 1e-6)) least = residual, axis.chroma = aperture;
  }
  return fit.residual;
}

}  // namespace sparky::pixel
