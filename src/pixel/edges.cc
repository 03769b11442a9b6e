#include "pixel/edges.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>

namespace sparky::pixel {
namespace {

constexpr float kContrastCap = 40;  // levels; above, an edge counts no more: outlines must not drown the shading
constexpr int kRowsMost = 256;      // rows repeat within a cell, so a taller picture needs not all of them

// The size of the difference between neighbours in a row, from the mean of three rows against noise.
class RowDifference {
 public:
  explicit RowDifference(const Planes& planes) : planes_(planes), smooth_(size_t(planes.channel[0].columns)) {}

  void compute(int y, std::vector<float>& difference) {
    const int columns = planes_.channel[0].columns, rows = planes_.channel[0].rows;
    std::fill(difference.begin(), difference.end(), 0.0f);
    for (int c = 0; c < planes_.channels(); ++c) {
      const Plane& plane = planes_.channel[size_t(c)];
      const float* above = plane.row(std::max(y - 1, 0));
      const float* here = plane.row(y);
      const float* below = plane.row(std::min(y + 1, rows - 1));
      for (int x = 0; x < columns; ++x) smooth_[size_t(x)] = above[x] + here[x] + below[x];
      const float scale = 1.0f / 3;
      for (int x = 0; x + 1 < columns; ++x) {
        difference[size_t(x)] += std::abs(smooth_[size_t(x) + 1] - smooth_[size_t(x)]) * scale;
      }
    }
  }

 private:
  const Planes& planes_;
  std::vector<float> smooth_;
};

// Differences below this are taken for noise: a multiple of a low percentile, which even a busy picture has from its
// cells' flat insides.
float noise_threshold(const Planes& planes) {
  const int columns = planes.channel[0].columns, rows = planes.channel[0].rows;
  RowDifference row_difference(planes);
  const auto width = size_t(columns);
  std::vector<float> difference(width), sample;
  const int step = std::max(1, rows / 48);
  for (int y = step / 2; y < rows; y += step) {
    row_difference.compute(y, difference);
    sample.insert(sample.end(), difference.begin(), difference.end() - 1);
  }
  if (sample.empty()) return 0;
  const auto low = sample.begin() + std::ptrdiff_t(sample.size() / 5);
  std::nth_element(sample.begin(), low, sample.end());
  return 1.5f + 2.5f * *low;
}

constexpr int kFoldBinsMost = 128;

// The histogram laid on one period.
struct Fold {
  double period;
  std::vector<double> weight;

  int bins() const { return int(weight.size()); }
};

Fold fold(const EdgeHistogram& edges, double period) {
  const int bins = std::clamp(int(std::lround(period * EdgeHistogram::kBinsPerPixel)), 8, kFoldBinsMost);
  Fold f{period, std::vector<double>(size_t(bins), 0)};
  const double step = 1.0 / (EdgeHistogram::kBinsPerPixel * period);
  for (size_t b = 0; b < edges.weight.size(); ++b) {
    if (edges.weight[b] == 0) continue;
    const double turn = double(b) * step;
    const double place = (turn - double(int(turn))) * bins;
    const int low = int(place);
    const double high_share = place - low;
    f.weight[size_t(low % bins)] += edges.weight[b] * (1 - high_share);
    f.weight[size_t((low + 1) % bins)] += edges.weight[b] * high_share;
  }
  return f;
}

// Scores the fold's phases near its mean and near its peak, for one spread and share of strays.
void score_phases(const Fold& f, double spread, double strays, Comb& best) {
  const int bins = f.bins();
  const double bin_width = f.period / bins;
  const double peak = f.period / (spread * std::sqrt(2 * std::numbers::pi));
  std::array<double, kFoldBinsMost> table;
  for (int b = 0; b <= bins / 2; ++b) {
    const double distance = b * bin_width / spread;
    table[size_t(b)] = std::log((1 - strays) * peak * std::exp(-0.5 * distance * distance) + strays);
    table[size_t((bins - b) % bins)] = table[size_t(b)];
  }
  std::complex<double> sum = 0;
  for (int b = 0; b < bins; ++b) sum += f.weight[size_t(b)] * std::polar(1.0, 2 * std::numbers::pi * b / bins);
  const int mean = int(std::lround(std::arg(sum) / (2 * std::numbers::pi) * bins));
  const int peak_bin = int(std::ranges::max_element(f.weight) - f.weight.begin());
  for (const int middle : {mean, peak_bin}) {
    for (int phase = middle - 2; phase <= middle + 2; ++phase) {
      const int first = ((phase % bins) + bins) % bins;
      double score = 0;
      for (int b = 0, t = bins - first; b < bins; ++b, ++t) {
        if (t >= bins) t -= bins;
        score += f.weight[size_t(b)] * table[size_t(t)];
      }
      if (score > best.score) best = {f.period, first * bin_width, score, spread, strays};
    }
  }
}

constexpr std::array kSpreads = {0.22, 0.4, 0.75, 1.4};  // pixels
constexpr std::array kStrays = {0.03, 0.15, 0.45};

}  // namespace

EdgeHistogram find_edges(const Planes& planes) {
  const int columns = planes.channel[0].columns, rows = planes.channel[0].rows;
  constexpr int bins = EdgeHistogram::kBinsPerPixel;
  EdgeHistogram out;
  out.length = columns;
  out.weight.assign(size_t(columns) * bins + 1, 0.0f);
  const float threshold = noise_threshold(planes);
  RowDifference row_difference(planes);
  const auto width = size_t(columns);
  std::vector<float> d(width);
  double total = 0, exact = 0;
  const int step = std::max(1, rows / kRowsMost);
  for (int y = 0; y < rows; y += step) {
    row_difference.compute(y, d);
    d[width - 1] = 0;
    for (size_t x = 0; x + 1 < width; ++x) {
      const float before = x > 0 ? d[x - 1] : 0, after = d[x + 1];
      if (d[x] <= threshold || d[x] <= before || d[x] < after) continue;
      const float offset = (after - before) / (before + d[x] + after);
      const float weight = std::min(d[x] - threshold, kContrastCap) / kContrastCap;
      const auto bin = size_t(std::lround((float(x) + 1 + offset) * bins));
      out.weight[bin] += weight;
      total += weight;
      if (bin % bins == 0) exact += weight;
    }
  }
  if (total > 0) {
    for (float& w : out.weight) w /= float(total);
    out.sharpness = exact / total;
  }
  out.edges = total * step;
  return out;
}

Comb fit_comb(const EdgeHistogram& edges, double period) {
  const Fold f = fold(edges, period);
  Comb best{.period = period};
  for (const double spread : kSpreads) {
    if (spread > 0.3 * period) break;
    for (const double strays : kStrays) score_phases(f, spread, strays, best);
  }
  return best;
}

Comb refine_comb(const EdgeHistogram& edges, const Comb& comb) {
  Comb best = comb;
  const double lines = edges.length / comb.period;
  for (double step = comb.period / (4 * lines); step * lines > 0.1; step /= 2) {
    for (const double sign : {-1.0, 1.0}) {
      for (int climb = 0; climb < 3; ++climb) {
        Comb next{.period = best.period + sign * step};
        score_phases(fold(edges, next.period), best.spread, best.strays, next);
        if (next.score <= best.score) break;
        best = next;
      }
    }
    if (const Comb again = fit_comb(edges, best.period); again.score > best.score) best = again;
  }
  return best;
}

std::vector<Comb> find_combs(const EdgeHistogram& edges, double shortest, double longest, size_t most) {
  // Peaks of the histogram's spectrum, and their simple multiples, which a strong harmonic may hide.
  std::vector<std::pair<double, double>> points;  // place, weight: one for each pixel
  for (int x = 0; x <= edges.length; ++x) {
    double weight = 0, place = 0;
    for (int i = -1; i <= 2; ++i) {
      const int bin = x * EdgeHistogram::kBinsPerPixel + i;
      if (bin < 0 || bin >= int(edges.weight.size())) continue;
      weight += edges.weight[size_t(bin)];
      place += edges.weight[size_t(bin)] * bin / EdgeHistogram::kBinsPerPixel;
    }
    if (weight > 0) points.emplace_back(place / weight, weight);
  }
  const double step = 0.25 / edges.length;
  const double lowest = 1 / longest;
  const int count = int((1 / shortest - lowest) / step) + 2;
  std::vector<std::complex<double>> spectrum(size_t(std::max(count, 3)));
  for (const auto& [place, weight] : points) {
    std::complex<double> value = std::polar(weight, 2 * std::numbers::pi * (lowest - step) * place);
    const std::complex<double> turn = std::polar(1.0, 2 * std::numbers::pi * step * place);
    for (auto& s : spectrum) s += value, value *= turn;
  }
  std::vector<std::pair<double, double>> peaks;  // magnitude, frequency
  for (size_t i = 1; i + 1 < spectrum.size(); ++i) {
    const double m = std::abs(spectrum[i]);
    if (m < std::abs(spectrum[i - 1]) || m < std::abs(spectrum[i + 1])) continue;
    peaks.emplace_back(m, lowest + (double(i) - 1) * step);
  }
  std::ranges::sort(peaks, std::greater{});
  if (peaks.size() > 16) peaks.resize(16);
  std::vector<Comb> combs;
  for (const auto& [magnitude, frequency] : peaks) {
    for (int multiple = 1; multiple <= 4; ++multiple) {
      const double period = multiple / frequency;
      if (period < shortest * 0.99 || period > longest * 1.01) continue;
      const auto near = [&](const Comb& c) { return std::abs(c.period - period) < period * period / edges.length / 4; };
      if (std::ranges::any_of(combs, near)) continue;
      combs.push_back(fit_comb(edges, period));
    }
  }
  std::ranges::sort(combs, std::greater{}, &Comb::score);
  if (combs.size() > most) combs.resize(most);
  for (Comb& comb : combs) comb = refine_comb(edges, comb);
  std::ranges::sort(combs, std::greater{}, &Comb::score);
  return combs;
}

}  // namespace sparky::pixel
