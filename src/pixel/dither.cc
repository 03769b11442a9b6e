// Remapping to a palette, with and without dithering.
#include <algorithm>
#include <array>
#include <cmath>

#include "pixel/color.h"
#include "pixel/nearest_color.h"
#include "pixel/palette.h"

namespace sparky::pixel {
namespace {

// The palette's colours with what is looked up in them.
struct Entries {
  std::vector<Rgba> colors;
  std::vector<OkLab> labs;
  NearestColor nearest;
};

// Remembers what was worked out for a colour. Pixel art has few colours; of a picture with very many the latest are
// kept.
template <class T>
class Memo {
 public:
  template <class Make>
  const T& of(Rgba color, Make make) {
    color.a = 255;
    const uint32_t k = key(color);
    Slot& slot = slots_[(k * 2654435761u) >> (32 - kBits)];
    if (slot.color != k) slot = {k, make(color)};
    return slot.value;
  }

 private:
  static constexpr int kBits = 18;
  struct Slot {
    uint32_t color = 0;  // no opaque colour's key
    T value{};
  };
  std::vector<Slot> slots_ = std::vector<Slot>(size_t(1) << kBits);
};

// Colours that together have the wanted colour as their mean, from dark to light: each next one makes up for the error
// of those before it (Thomas Knoll's pattern dithering). With a strength of 0 all are the nearest colour.
constexpr size_t kPattern = 32;
constexpr size_t kDistinctMost = 1 << 16;
using Pattern = std::array<uint16_t, kPattern>;  // indices of entries

Pattern make_pattern(Entries& entries, OkLab color, float strength) {
  Pattern out{};
  OkLab error;
  for (auto& index : out) {
    const size_t best = entries.nearest.of(color + error * strength);
    index = uint16_t(best);
    error = error + color - entries.labs[best];
  }
  std::ranges::stable_sort(out, {}, [&](uint16_t i) { return std::pair(entries.labs[i].l, i); });
  return out;
}

// Thresholds in (0, 1), side × side, repeated over the picture.
struct Thresholds {
  int side = 1;
  std::vector<float> values{0.5f};
  float at(int x, int y) const { return values[size_t(y % side * side + x % side)]; }
};

Thresholds bayer(int side) {
  std::vector<int> rank{0};
  for (int n = 1; n < side; n *= 2) {  // M(2n) = [4M, 4M+2; 4M+3, 4M+1]
    std::vector<int> next(size_t(4 * n * n));
    for (int y = 0; y < 2 * n; ++y)
      for (int x = 0; x < 2 * n; ++x) {
        static constexpr int kOffset[2][2] = {{0, 2}, {3, 1}};
        next[size_t(y * 2 * n + x)] = 4 * rank[size_t(y % n * n + x % n)] + kOffset[y / n][x / n];
      }
    rank = std::move(next);
  }
  Thresholds out{side, {}};
  for (int r : rank) out.values.push_back((float(r) + 0.5f) / float(side * side));
  return out;
}

// Void and cluster (Ulichney 1993) on a torus: each next rank goes where the points so far leave the largest void.
Thresholds make_blue_noise() {
  constexpr int side = 32, count = side * side;
  std::array<float, count> bell{};
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      int dx = std::min(x, side - x), dy = std::min(y, side - y);
      bell[size_t(y * side + x)] = std::exp(-float(dx * dx + dy * dy) / (2 * 1.9f * 1.9f));
    }
  std::array<float, count> energy{};
  std::array<bool, count> on{};
  auto toggle = [&](int at, bool value) {
    on[size_t(at)] = value;
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x) {
        int dy = (y - at / side + side) % side, dx = (x - at % side + side) % side;
        energy[size_t(y * side + x)] += (value ? 1.0f : -1.0f) * bell[size_t(dy * side + dx)];
      }
  };
  auto extreme = [&](bool among_on) {  // the tightest cluster, or the largest void
    int best = -1;
    for (int i = 0; i < count; ++i)
      if (on[size_t(i)] == among_on && (best < 0 || (among_on ? energy[size_t(i)] > energy[size_t(best)]
                                                              : energy[size_t(i)] < energy[size_t(best)])))
        best = i;
    return best;
  };
  // A start of a tenth of the points, scattered and then evened out.
  constexpr int start = count / 10;
  uint32_t random = 1;
  for (int placed = 0; placed < start;) {
    random = random * 1664525u + 1013904223u;
    int at = int(random >> 16) % count;
    if (on[size_t(at)]) continue;
    toggle(at, true);
    ++placed;
  }
  for (int i = 0; i < count; ++i) {
    int cluster = extreme(true);
    toggle(cluster, false);
    int gap = extreme(false);
    toggle(gap, true);
    if (gap == cluster) break;
  }
  std::array<int, count> rank{};
  auto saved_on = on;
  auto saved_energy = energy;
  for (int r = start - 1; r >= 0; --r) {
    int cluster = extreme(true);
    rank[size_t(cluster)] = r;
    toggle(cluster, false);
  }
  on = saved_on;
  energy = saved_energy;
  for (int r = start; r < count; ++r) {
    int gap = extreme(false);
    rank[size_t(gap)] = r;
    toggle(gap, true);
  }
  Thresholds out{side, {}};
  for (int r : rank) out.values.push_back((float(r) + 0.5f) / count);
  return out;
}

const Thresholds& thresholds(Dither dither) {
  static const Thresholds two = bayer(2), four = bayer(4), eight = bayer(8);
  switch (dither) {
    case Dither::bayer2:
      return two;
    case Dither::bayer4:
      return four;
    case Dither::bayer8:
      return eight;
    default:
      break;
  }
  static const Thresholds blue = make_blue_noise();
  return blue;
}

Picture undithered(const Picture& in, Entries& entries) {
  Memo<size_t> known;
  Picture out = in;
  for (Rgba& c : out.pixels) {
    if (c.a == 0) continue;
    const Rgba to = entries.colors[known.of(c, [&](Rgba color) { return entries.nearest.of(to_oklab(color)); })];
    c = {to.r, to.g, to.b, c.a};
  }
  return out;
}

Picture ordered(const Picture& in, Entries& entries, const Thresholds& thresholds, float strength) {
  // A pattern takes long to make. In a picture of very many colours, those that agree in their upper six bits share
  // one.
  const bool many = in.pixels.size() > kDistinctMost && count_colors(in).size() > kDistinctMost;
  const uint8_t kept = many ? 0xf8 : 0xff, middle = many ? 0x04 : 0x00;
  Memo<Pattern> patterns;
  Picture out = in;
  for (int y = 0; y < in.height; ++y)
    for (int x = 0; x < in.width; ++x) {
      Rgba& c = out.at(x, y);
      if (c.a == 0) continue;
      const Pattern& pattern = patterns.of(
          {uint8_t((c.r & kept) | middle), uint8_t((c.g & kept) | middle), uint8_t((c.b & kept) | middle), 255},
          [&](Rgba color) { return make_pattern(entries, to_oklab(color), strength); });
      Rgba to = entries.colors[pattern[size_t(thresholds.at(x, y) * kPattern)]];
      c = {to.r, to.g, to.b, c.a};
    }
  return out;
}

// Floyd and Steinberg (1976), rows in turns from left and from right.
Picture diffused(const Picture& in, Entries& entries, float strength) {
  Picture out = in;
  std::vector<OkLab> here(size_t(in.width) + 2), below(size_t(in.width) + 2);  // the errors, one pixel of margin
  for (int y = 0; y < in.height; ++y) {
    int step = y % 2 ? -1 : 1;
    for (int i = 0; i < in.width; ++i) {
      int x = step > 0 ? i : in.width - 1 - i;
      Rgba& c = out.at(x, y);
      if (c.a == 0) continue;
      size_t at = size_t(x) + 1, ahead = size_t(x + step + 1), behind = size_t(x - step + 1);
      OkLab wanted = to_oklab(c) + here[at];
      wanted = {std::clamp(wanted.l, 0.0f, 1.0f), std::clamp(wanted.a, -0.4f, 0.4f), std::clamp(wanted.b, -0.4f, 0.4f)};
      const size_t chosen = entries.nearest.of(wanted);
      const Rgba to = entries.colors[chosen];
      OkLab error = (wanted - entries.labs[chosen]) * strength;
      here[ahead] = here[ahead] + error * (7 / 16.0f);
      below[behind] = below[behind] + error * (3 / 16.0f);
      below[at] = below[at] + error * (5 / 16.0f);
      below[ahead] = below[ahead] + error * (1 / 16.0f);
      c = {to.r, to.g, to.b, c.a};
    }
    here.swap(below);
    std::ranges::fill(below, OkLab{});
  }
  return out;
}

}  // namespace

Result<Picture> remap(const Picture& picture, const Palette& palette, RemapOptions options) {
  std::vector<Rgba> colors;
  std::vector<OkLab> labs;
  for (Rgba c : palette.colors)
    if (c.a != 0) colors.push_back(c), labs.push_back(to_oklab(c));
  if (colors.empty())
    return fail(Errc::invalid, "the palette has no colour", "name one that has (sparky palette list)");
  Entries entries{colors, labs, NearestColor(labs)};
  Picture shown = picture;
  for (Rgba& c : shown.pixels) {
    if (c.a == 0) c = {};  // what hides under a clear pixel would be a colour beyond the palette's
  }
  float strength = std::clamp(options.strength, 0.0f, 1.0f);
  if (options.dither == Dither::floyd_steinberg && strength > 0) return diffused(shown, entries, strength);
  if (options.dither == Dither::none || strength == 0) return undithered(shown, entries);
  return ordered(shown, entries, thresholds(options.dither), strength);
}

Picture reduce_colors(const Picture& picture, int colors, Method method, RemapOptions options) {
  const Palette palette = quantize(picture, colors, method);
  return remap(picture, palette, options).value_or(picture);  // no palette: nothing is to be seen
}

}  // namespace sparky::pixel
