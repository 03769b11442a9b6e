#include "pixel/palette.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <tuple>

#include "pixel/color.h"
#include "pixel/nearest_color.h"

namespace sparky::pixel {
namespace {

// A colour of the picture, or the mean of like ones, with how many pixels it stands for.
struct Weighted {
  OkLab lab;
  double weight = 0;
};

// Beyond this many different colours, those that agree in their upper five bits count as one.
constexpr size_t kMaxDistinct = 16384;

std::vector<Weighted> weighted(const std::vector<ColorCount>& counts) {
  if (counts.size() <= kMaxDistinct) {
    std::vector<Weighted> out;
    for (auto& c : counts) out.push_back({to_oklab(c.color), double(c.pixels)});
    return out;
  }
  struct Sum {
    double l = 0, a = 0, b = 0, weight = 0;
  };
  std::vector<Sum> cells(32 * 32 * 32);
  for (auto& c : counts) {
    auto& cell = cells[size_t(c.color.r >> 3) << 10 | size_t(c.color.g >> 3) << 5 | c.color.b >> 3];
    OkLab lab = to_oklab(c.color);
    double w = double(c.pixels);
    cell = {cell.l + lab.l * w, cell.a + lab.a * w, cell.b + lab.b * w, cell.weight + w};
  }
  std::vector<Weighted> out;
  for (auto& c : cells)
    if (c.weight > 0) out.push_back({{float(c.l / c.weight), float(c.a / c.weight), float(c.b / c.weight)}, c.weight});
  return out;
}

float channel(OkLab c, int i) { return i == 0 ? c.l : i == 1 ? c.a : c.b; }

struct Box {
  size_t begin = 0, end = 0;
  int axis = 0;       // the one along which the colours differ most
  double spread = 0;  // weighted sum of squares along that axis
};

OkLab mean(const std::vector<Weighted>& points, size_t begin, size_t end) {
  double l = 0, a = 0, b = 0, w = 0;
  for (size_t i = begin; i < end; ++i) {
    auto& p = points[i];
    l += p.lab.l * p.weight, a += p.lab.a * p.weight, b += p.lab.b * p.weight, w += p.weight;
  }
  return {float(l / w), float(a / w), float(b / w)};
}

Box measure(const std::vector<Weighted>& points, size_t begin, size_t end) {
  OkLab m = mean(points, begin, end);
  double spread[3] = {};
  for (size_t i = begin; i < end; ++i)
    for (int c = 0; c < 3; ++c) {
      double d = channel(points[i].lab, c) - channel(m, c);
      spread[c] += d * d * points[i].weight;
    }
  int axis = int(std::max_element(spread, spread + 3) - spread);
  return {begin, end, axis, spread[axis]};
}

// Median cut (Heckbert 1982): splits the box that spreads most at its weighted median, until there are enough.
std::vector<OkLab> median_cut(std::vector<Weighted>& points, size_t colors) {
  std::vector<Box> boxes{measure(points, 0, points.size())};
  while (boxes.size() < colors) {
    auto widest = std::ranges::max_element(boxes, {}, [](const Box& b) { return b.end - b.begin < 2 ? -1 : b.spread; });
    if (widest->end - widest->begin < 2) break;
    Box box = *widest;
    auto from = points.begin() + ptrdiff_t(box.begin), to = points.begin() + ptrdiff_t(box.end);
    std::stable_sort(from, to, [&](auto& p, auto& q) { return channel(p.lab, box.axis) < channel(q.lab, box.axis); });
    double half = std::accumulate(from, to, 0.0, [](double s, auto& p) { return s + p.weight; }) / 2;
    size_t cut = box.begin;
    for (double sum = 0; cut < box.end && sum < half; ++cut) sum += points[cut].weight;
    cut = std::clamp(cut, box.begin + 1, box.end - 1);
    *widest = measure(points, box.begin, cut);
    boxes.push_back(measure(points, cut, box.end));
  }
  std::vector<OkLab> out;
  for (auto& b : boxes) out.push_back(mean(points, b.begin, b.end));
  return out;
}

// Lloyd's iteration from the centres that median cut found, until no colour changes its centre.
void kmeans(const std::vector<Weighted>& points, std::vector<OkLab>& centers) {
  std::vector<size_t> owner(points.size(), centers.size());
  for (int round = 0; round < 32; ++round) {
    bool moved = false;
    struct Sum {
      double l = 0, a = 0, b = 0, weight = 0;
    };
    std::vector<Sum> sums(centers.size());
    NearestColor nearest(centers);
    for (size_t i = 0; i < points.size(); ++i) {
      const size_t best = nearest.of(points[i].lab);
      moved |= best != owner[i];
      owner[i] = best;
      auto& [lab, w] = points[i];
      sums[best] = {sums[best].l + lab.l * w, sums[best].a + lab.a * w, sums[best].b + lab.b * w,
                    sums[best].weight + w};
    }
    if (!moved) return;
    for (size_t k = 0; k < centers.size(); ++k)
      if (sums[k].weight > 0)
        centers[k] = {float(sums[k].l / sums[k].weight), float(sums[k].a / sums[k].weight),
                      float(sums[k].b / sums[k].weight)};
  }
}

}  // namespace

std::vector<ColorCount> count_colors(const Picture& picture) {
  std::vector<uint32_t> keys;
  keys.reserve(picture.pixels.size());
  for (Rgba c : picture.pixels) {
    if (c.a != 0) keys.push_back(key(c));
  }
  std::ranges::sort(keys);
  std::vector<ColorCount> out;
  for (size_t i = 0, j = 0; i < keys.size(); i = j) {
    while (j < keys.size() && keys[j] == keys[i]) ++j;
    out.push_back({rgba(keys[i]), j - i});
  }
  std::ranges::sort(out, [](auto& p, auto& q) { return std::tie(q.pixels, p.color) < std::tie(p.pixels, q.color); });
  return out;
}

Palette quantize(const Picture& picture, int colors, Method method) {
  Picture opaque = picture;
  for (Rgba& c : opaque.pixels)
    if (c.a) c.a = 255;
  auto counts = count_colors(opaque);
  Palette out;
  if (counts.size() <= size_t(std::max(colors, 1))) {
    for (auto& c : counts) out.colors.push_back(c.color);
  } else {
    auto points = weighted(counts);
    auto centers = median_cut(points, size_t(std::max(colors, 1)));
    if (method == Method::kmeans) kmeans(points, centers);
    for (OkLab c : centers) out.colors.push_back(to_rgba(c));
  }
  sort(out, Order::lightness);
  out.colors.erase(std::unique(out.colors.begin(), out.colors.end()), out.colors.end());
  return out;
}

void sort(Palette& palette, Order order) {
  auto rank = [order](Rgba c) {
    OkLab lab = to_oklab(c);
    float chroma = std::hypot(lab.a, lab.b);
    // Twelve families of hue, so that within one the colours run from dark to light; greys stand before them.
    float turn = std::atan2(lab.b, lab.a) / (2 * std::numbers::pi_v<float>);
    float family = chroma < 0.03f ? -1 : std::floor((turn < 0 ? turn + 1 : turn) * 12);
    switch (order) {
      case Order::lightness:
        return std::tuple(lab.l, 0.0f, c);
      case Order::hue:
        return std::tuple(family, lab.l, c);
      case Order::chroma:
        return std::tuple(chroma, lab.l, c);
      case Order::rgb:
        break;
    }
    return std::tuple(0.0f, 0.0f, c);
  };
  std::vector<size_t> at(palette.colors.size());
  std::iota(at.begin(), at.end(), 0);
  std::ranges::stable_sort(at, {}, [&](size_t i) { return rank(palette.colors[i]); });
  Palette sorted = palette;
  for (size_t i = 0; i < at.size(); ++i) {
    sorted.colors[i] = palette.colors[at[i]];
    if (!palette.color_names.empty()) sorted.color_names[i] = palette.color_names[at[i]];
  }
  palette = std::move(sorted);
}

Picture show(const Palette& palette, int cell, int columns) {
  int count = int(palette.colors.size());
  if (columns <= 0) columns = std::min(count, 16);
  if (count == 0) return Picture(cell, cell);
  Picture out(columns * cell, (count + columns - 1) / columns * cell);
  for (int i = 0; i < count; ++i)
    for (int y = 0; y < cell; ++y)
      for (int x = 0; x < cell; ++x) out.at(i % columns * cell + x, i / columns * cell + y) = palette.colors[size_t(i)];
  return out;
}

}  // namespace sparky::pixel
