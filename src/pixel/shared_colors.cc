#include "pixel/shared_colors.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <unordered_map>

namespace sparky::pixel {
namespace {

constexpr size_t kCellsMost = 512 * 512;  // more are no sprite, and would take long
constexpr double kNoiseLeast = 0.12;      // levels: below, every cell rounds to its colour anyway
constexpr double kNoiseMost = 6;          // levels: what scatters more is taken for drawn
constexpr double kJitterMost = 4;         // levels: the same where the pixels of each cell agree
constexpr double kStep = 30;              // levels: about how far apart neighbouring colours are
constexpr size_t kPairsMost = 6000;       // for the estimate of the noise
constexpr float kReach = 3.2f;            // of a cluster about its centre, in sigmas: 98 % of a normal cloud
constexpr float kReachMost = 5;           // of a large cluster
constexpr double kAlone = -4;  // log-likelihood of a colour that only one cell has, beside one cell's at its centre
constexpr double kClampedShift = 0.5;  // sigmas by which clamped noise shifts the mean of black and white, about
constexpr double kRunMost = 0.45;      // correlation of neighbours within a cluster above which they run, not scatter

// A symmetric 3×3 matrix, and its inverse Cholesky factor, with which noise becomes equal in all directions.
struct Covariance {
  double rr = 0, gg = 0, bb = 0, rg = 0, rb = 0, gb = 0;

  void add(const Color3& d, double weight) {
    rr += weight * d[0] * d[0], gg += weight * d[1] * d[1], bb += weight * d[2] * d[2];
    rg += weight * d[0] * d[1], rb += weight * d[0] * d[2], gb += weight * d[1] * d[2];
  }
  void scale(double by) { rr *= by, gg *= by, bb *= by, rg *= by, rb *= by, gb *= by; }
  void widen(double variance) { rr += variance, gg += variance, bb += variance; }
  // Whether it may be noise: channels move independently, or (JPEG's chroma) against each other; those of a drawn
  // texture move together.
  bool scatters() const {
    const auto apart = [](double cross, double a, double b) { return cross < 0.35 * std::sqrt(a * b); };
    return apart(rg, rr, gg) && apart(rb, rr, bb) && apart(gb, gg, bb);
  }
  // Whether it is alike and independent in all three.
  bool even() const {
    const auto apart = [](double cross, double a, double b) { return cross > -0.35 * std::sqrt(a * b); };
    return std::max({rr, gg, bb}) < 2.5 * std::min({rr, gg, bb}) && scatters() && apart(rg, rr, gg) &&
           apart(rb, rr, bb) && apart(gb, gg, bb);
  }
  double mean() const { return (rr + gg + bb) / 3; }
};

class Whitening {
 public:
  explicit Whitening(const Covariance& c) {
    const double l00 = std::sqrt(c.rr), l10 = c.rg / l00, l20 = c.rb / l00;
    const double l11 = std::sqrt(std::max(c.gg - l10 * l10, 1e-6)), l21 = (c.gb - l20 * l10) / l11;
    const double l22 = std::sqrt(std::max(c.bb - l20 * l20 - l21 * l21, 1e-6));
    a_ = float(1 / l00), b_ = float(1 / l11), c_ = float(1 / l22);
    l10_ = float(l10), l20_ = float(l20), l21_ = float(l21);
    volume_ = l00 * l11 * l22;
  }
  Color3 operator()(const Color3& d) const {
    const float x = d[0] * a_, y = (d[1] - l10_ * x) * b_;
    return {x, y, (d[2] - l20_ * x - l21_ * y) * c_};
  }
  double volume() const { return volume_; }  // of one sigma in each direction, levels³

 private:
  float a_, b_, c_, l10_, l20_, l21_;
  double volume_;
};

Color3 operator-(const Color3& p, const Color3& q) { return {p[0] - q[0], p[1] - q[1], p[2] - q[2]}; }
float square(const Color3& d) { return d[0] * d[0] + d[1] * d[1] + d[2] * d[2]; }

// Calls visit(i, j) for neighbours i before j that are both opaque, every `step`-th of them.
template <class Visit>
void each_pair(const CellEstimates& cells, size_t step, Visit visit) {
  size_t count = 0;
  for (int y = 0; y < cells.rows; ++y) {
    for (int x = 0; x < cells.columns; ++x) {
      const size_t i = size_t(y) * size_t(cells.columns) + size_t(x);
      if (!cells.opaque[i]) continue;
      if (x + 1 < cells.columns && cells.opaque[i + 1] && count++ % step == 0) visit(i, i + 1);
      const size_t below = i + size_t(cells.columns);
      if (y + 1 < cells.rows && cells.opaque[below] && count++ % step == 0) visit(i, below);
    }
  }
}

// The noise of one cell, from the differences of neighbours; mean() 0 if nothing can be said.
Covariance noise_of(const CellEstimates& cells) {
  size_t pairs = 0;
  each_pair(cells, 1, [&](size_t, size_t) { ++pairs; });
  if (pairs < 24) return {};
  std::vector<Color3> differences;
  each_pair(cells, pairs / kPairsMost + 1,
            [&](size_t i, size_t j) { differences.push_back(cells.color[j] - cells.color[i]); });
  std::vector<double> step;  // how likely each is as a step between colours
  for (const Color3& d : differences) {
    step.push_back(std::exp(-(std::abs(d[0]) + std::abs(d[1]) + std::abs(d[2])) / kStep) / (8 * kStep * kStep * kStep));
  }
  Covariance noise;
  noise.widen(2);  // starts small and grows to what the differences bear
  double share = 0.3;
  for (int round = 0; round < 20; ++round) {
    const Whitening white(noise);
    const double normal = 1 / (std::pow(2 * std::numbers::pi, 1.5) * white.volume());
    Covariance next;
    double total = 0;
    for (size_t i = 0; i < differences.size(); ++i) {
      const double same = share * normal * std::exp(-0.5 * square(white(differences[i])));
      const double weight = same / (same + (1 - share) * step[i]);
      next.add(differences[i], weight);
      total += weight;
    }
    if (total < 12) return {};
    next.scale(1 / total);
    next.widen(0.01);
    noise = next;
    share = std::clamp(total / double(differences.size()), 0.02, 0.98);
  }
  noise.scale(0.5);  // a difference has two cells' noise
  return noise;
}

struct Clusters {
  std::vector<Color3> center;  // whitened
  std::vector<int> size;
  std::vector<int> of;  // by cell; -1: none
};

// Points by the cube they lie in. A cube is twice as wide as what is searched, so eight of them hold all that is near.
class Cubes {
 public:
  explicit Cubes(float reach) : reach_(reach), side_(2 * reach) {}
  void add(const Color3& at, int id) { cubes_[key(place(at))].push_back(id); }
  template <class Visit>
  void each_near(const Color3& at, Visit visit) const {
    each_cube_near(*this, at, [&](const std::vector<int>& ids) {
      for (const int id : ids) visit(id);
    });
  }
  // Forgets the points near by that meet the condition.
  template <class Condition>
  void drop_near(const Color3& at, Condition condition) {
    each_cube_near(*this, at, [&](std::vector<int>& ids) { std::erase_if(ids, condition); });
  }
  std::vector<int> fullest_first() const {
    std::vector<std::pair<uint64_t, const std::vector<int>*>> all;
    for (const auto& [k, ids] : cubes_) all.emplace_back(k, &ids);
    std::ranges::sort(all, [](const auto& a, const auto& b) {
      return a.second->size() != b.second->size() ? a.second->size() > b.second->size() : a.first < b.first;
    });
    std::vector<int> out;
    for (const auto& [k, ids] : all) out.insert(out.end(), ids->begin(), ids->end());
    return out;
  }

 private:
  using Place = std::array<int64_t, 3>;
  Place place(const Color3& at) const {
    return {int64_t(std::floor(at[0] / side_)), int64_t(std::floor(at[1] / side_)), int64_t(std::floor(at[2] / side_))};
  }
  template <class Self, class Visit>
  static void each_cube_near(Self& self, const Color3& at, Visit visit) {
    const float reach = self.reach_;
    const Place low = self.place({at[0] - reach, at[1] - reach, at[2] - reach});
    const Place high = self.place({at[0] + reach, at[1] + reach, at[2] + reach});
    for (int64_t i = low[0]; i <= high[0]; ++i) {
      for (int64_t j = low[1]; j <= high[1]; ++j) {
        for (int64_t k = low[2]; k <= high[2]; ++k) {
          if (const auto found = self.cubes_.find(key({i, j, k})); found != self.cubes_.end()) visit(found->second);
        }
      }
    }
  }
  static uint64_t key(const Place& p) {
    return (uint64_t(p[0] & 0x1fffff) << 42) | (uint64_t(p[1] & 0x1fffff) << 21) | uint64_t(p[2] & 0x1fffff);
  }
  float reach_, side_;
  std::unordered_map<uint64_t, std::vector<int>> cubes_;
};

// From the fullest cube on: climbs to the middle of the cloud and takes what is within reach.
Clusters gather(const std::vector<Color3>& points, const std::vector<uint8_t>& opaque) {
  Cubes cubes(kReach);
  for (size_t i = 0; i < points.size(); ++i) {
    if (opaque[i]) cubes.add(points[i], int(i));
  }
  Clusters out;
  out.of.assign(points.size(), -1);
  const auto mean_about = [&](const Color3& about, float reach) {
    Color3 sum{};
    float count = 0;
    cubes.each_near(about, [&](int i) {
      if (out.of[size_t(i)] >= 0 || square(points[size_t(i)] - about) > reach * reach) return;
      for (size_t c = 0; c < 3; ++c) sum[c] += points[size_t(i)][c];
      count += 1;
    });
    if (count > 0) {
      for (float& v : sum) v /= count;
    }
    return count > 0 ? sum : about;
  };
  for (const int first : cubes.fullest_first()) {
    if (out.of[size_t(first)] >= 0) continue;
    Color3 center = points[size_t(first)];
    for (int climb = 0; climb < 5; ++climb) {
      const Color3 next = mean_about(center, 2.5f);
      const float moved = square(next - center);
      center = next;
      if (moved < 0.01f) break;
    }
    int count = 1;
    out.of[size_t(first)] = int(out.center.size());
    cubes.drop_near(center, [&](int i) {
      if (out.of[size_t(i)] >= 0) return true;
      const bool near = square(points[size_t(i)] - center) <= kReach * kReach;
      if (near) out.of[size_t(i)] = int(out.center.size()), ++count;
      return near;
    });
    out.center.push_back(center);
    out.size.push_back(count);
  }
  return out;
}

void recenter(const std::vector<Color3>& points, Clusters& clusters) {
  std::ranges::fill(clusters.size, 0);
  std::vector<Color3> sum(clusters.center.size(), Color3{});
  for (size_t i = 0; i < points.size(); ++i) {
    if (clusters.of[i] < 0) continue;
    const auto k = size_t(clusters.of[i]);
    clusters.size[k] += 1;
    for (size_t c = 0; c < 3; ++c) sum[k][c] += points[i][c];
  }
  for (size_t k = 0; k < sum.size(); ++k) {
    for (size_t c = 0; c < 3; ++c) {
      if (clusters.size[k] > 0) clusters.center[k][c] = sum[k][c] / float(clusters.size[k]);
    }
  }
}

// Each point to the likeliest cluster, large ones being likelier by their size.
void reassign(const std::vector<Color3>& points, Clusters& clusters) {
  Cubes cubes(kReachMost);
  for (size_t k = 0; k < clusters.center.size(); ++k) {
    if (clusters.size[k] > 0) cubes.add(clusters.center[k], int(k));
  }
  for (size_t i = 0; i < points.size(); ++i) {
    if (clusters.of[i] < 0) continue;
    const int own = clusters.of[i];
    double best = -1e9;
    cubes.each_near(points[i], [&](int k) {
      // What a point itself adds to its cluster says nothing for it.
      const int size = clusters.size[size_t(k)], others = size - (k == own);
      const float apart = k == own && others > 0 ? float(size) / float(others) : 1;
      const float distance = square(points[i] - clusters.center[size_t(k)]) * apart * apart;
      const double likely = others > 0 ? std::log(others) - 0.5 * distance : kAlone;
      if (distance < kReachMost * kReachMost && likely > best) best = likely, clusters.of[i] = k;
    });
  }
}

// By cluster: whether its cells run from one colour to another, so that neighbours lie on the same side of its centre.
std::vector<bool> running(const CellEstimates& cells, const std::vector<Color3>& points, const Clusters& clusters) {
  std::vector<double> along(clusters.center.size(), 0), spread(along), pairs(along);
  each_pair(cells, 1, [&](size_t i, size_t j) {
    if (clusters.of[i] != clusters.of[j]) return;
    const auto k = size_t(clusters.of[i]);
    const Color3 a = points[i] - clusters.center[k], b = points[j] - clusters.center[k];
    along[k] += a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    spread[k] += (square(a) + square(b)) / 2;
    pairs[k] += 1;
  });
  std::vector<bool> out;
  for (size_t k = 0; k < along.size(); ++k) out.push_back(pairs[k] >= 8 && along[k] > kRunMost * spread[k]);
  return out;
}

// By cluster: the colour that its cells have but for the noise.
std::vector<Color3> common_colors(const CellEstimates& cells, const Clusters& clusters) {
  std::vector<Color3> out(clusters.center.size(), Color3{});
  for (size_t i = 0; i < cells.color.size(); ++i) {
    if (clusters.of[i] < 0) continue;
    for (size_t c = 0; c < 3; ++c) out[size_t(clusters.of[i])][c] += cells.color[i][c];
  }
  const float shift = float(kClampedShift * cells.pixel_noise);
  for (size_t k = 0; k < out.size(); ++k) {
    for (float& v : out[k]) {
      v /= float(std::max(clusters.size[k], 1));
      v = v > 255 - shift ? 255 : v < shift ? 0 : v;
    }
  }
  return out;
}

}  // namespace

int share_colors(CellEstimates& cells) {
  if (cells.color.size() > kCellsMost) return 0;
  const Covariance noise = noise_of(cells);
  const double sigma = std::sqrt(noise.mean());
  if (sigma < kNoiseLeast || sigma > kNoiseMost || !noise.scatters()) return 0;
  const bool measured = cells.exact_share < 0.9 && sigma < 1.6 * cells.pixel_noise + 0.3;
  if (!measured && !(noise.even() && sigma < kJitterMost)) return 0;
  const Whitening white(noise);
  std::vector<Color3> points(cells.color.size());
  for (size_t i = 0; i < points.size(); ++i) points[i] = white(cells.color[i]);
  Clusters clusters = gather(points, cells.opaque);
  for (int round = 0; round < 2; ++round) {
    recenter(points, clusters);
    reassign(points, clusters);
  }
  recenter(points, clusters);

  const std::vector<bool> runs = running(cells, points, clusters);
  const std::vector<Color3> common = common_colors(cells, clusters);
  int changed = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    if (clusters.of[i] < 0) continue;
    const auto k = size_t(clusters.of[i]);
    if (clusters.size[k] < 2 || runs[k]) continue;
    cells.color[i] = common[k];
    ++changed;
  }
  return changed;
}

}  // namespace sparky::pixel
