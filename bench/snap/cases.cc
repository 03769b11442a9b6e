#include "cases.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "base/hash.h"
#include "pixel/files.h"

namespace sparky::bench {
namespace {

namespace fs = std::filesystem;
using pixel::Degradation;
using pixel::Picture;
using pixel::Rgba;

class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  double between(double low, double high) { return std::uniform_real_distribution<double>(low, high)(random_); }
  int whole(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool chance(double p) { return between(0, 1) < p; }
  template <class T>
  const T& one_of(const std::vector<T>& items) {
    return items[size_t(whole(0, int(items.size()) - 1))];
  }

 private:
  std::mt19937_64 random_;
};

void draw_over(Picture& below, const Picture& above, int left, int top) {
  for (int y = 0; y < above.height; ++y) {
    for (int x = 0; x < above.width; ++x) {
      if (!below.contains(left + x, top + y)) continue;
      const Rgba p = above.at(x, y);
      Rgba& q = below.at(left + x, top + y);
      const auto mix = [&](uint8_t over, uint8_t under) {
        return uint8_t((over * p.a + under * (255 - p.a) + 127) / 255);
      };
      q = {mix(p.r, q.r), mix(p.g, q.g), mix(p.b, q.b), uint8_t(p.a + q.a * (255 - p.a) / 255)};
    }
  }
}

bool starts_with_any(const fs::path& path, std::initializer_list<std::string_view> folders) {
  return std::ranges::any_of(folders, [&](std::string_view f) { return path.begin()->string() == f; });
}

// The sprite with a margin of 0 to 3 transparent pixels instead of its own.
Picture trimmed(const Picture& sprite, Dice& dice) {
  int left = sprite.width, right = -1, top = sprite.height, bottom = -1;
  for (int y = 0; y < sprite.height; ++y) {
    for (int x = 0; x < sprite.width; ++x) {
      if (sprite.at(x, y).a == 0) continue;
      left = std::min(left, x), right = std::max(right, x), top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  if (right - left < 11 || bottom - top < 11) return sprite;
  const int margin = dice.whole(0, 3);
  Picture out(right - left + 1 + 2 * margin, bottom - top + 1 + 2 * margin);
  draw_over(out, sprite, margin - left, margin - top);
  return out;
}

}  // namespace

const std::vector<std::string>& categories() {
  static const std::vector<std::string> names = {"integer", "fractional", "stretched", "soft",  "blur", "jpeg",
                                                 "noise",   "jitter",     "combined",  "drift", "tilt"};
  return names;
}

std::vector<fs::path> sprites_of(const fs::path& dir, Half half) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    const fs::path path = entry.path().lexically_relative(dir);
    if (path.extension() != ".png" || !starts_with_any(path, {"mon", "item", "dngn"})) continue;
    if ((sha256(path.generic_string())[0] % 2 == 0) == (half == Half::held_out)) out.push_back(path);
  }
  std::ranges::sort(out);
  return out;
}

Result<Case> make_case(const fs::path& dir, const std::vector<fs::path>& sprites, const std::string& category,
                       uint64_t seed) {
  Dice dice(seed * 1000 + uint64_t(std::ranges::find(categories(), category) - categories().begin()));
  Case out;
  out.category = category;
  const bool opaque = category == "jpeg" || category == "combined" || dice.chance(0.6);
  // One sprite, alone or trimmed; or a scene of floor tiles with sprites on it.
  const int tiles = dice.chance(0.3) ? dice.whole(2, 4) : 1;
  for (;;) {
    const fs::path& path = dice.one_of(sprites);
    SPARKY_ASSIGN(Picture sprite, pixel::read_picture(dir / path));
    out.sprite = path.generic_string();
    int colors = 0;
    std::vector<Rgba> seen;
    for (const Rgba p : sprite.pixels) {
      if (p.a != 0 && std::ranges::find(seen, p) == seen.end()) seen.push_back(p), ++colors;
    }
    if (colors < 4 || sprite.width != 32 || sprite.height != 32) continue;
    if (tiles == 1) {
      out.truth = dice.chance(0.5) ? trimmed(sprite, dice) : sprite;
      break;
    }
    out.truth = Picture(32 * tiles, 32 * tiles);
    for (int i = 0; i < tiles * tiles; ++i) {
      const fs::path& other = dice.one_of(sprites);
      SPARKY_ASSIGN(const Picture tile, pixel::read_picture(dir / other));
      draw_over(out.truth, i == 0 ? sprite : tile, i % tiles * 32, i / tiles * 32);
    }
    break;
  }
  if (opaque) {
    static const std::vector<Rgba> grounds = {{255, 255, 255, 255}, {0, 0, 0, 255},     {255, 0, 255, 255},
                                              {90, 90, 110, 255},   {60, 120, 60, 255}, {240, 230, 200, 255}};
    Picture ground(out.truth.width, out.truth.height, dice.one_of(grounds));
    draw_over(ground, out.truth, 0, 0);
    out.truth = ground;
  }
  for (Rgba& p : out.truth.pixels) {
    if (p.a == 0) p = {};
  }

  Degradation& how = out.how;
  how.seed = seed;
  const double scale_most = std::min(24.0, 1280.0 / std::max(out.truth.width, out.truth.height));
  how.scale_x = how.scale_y = dice.between(3, scale_most);
  if (category == "integer") how.scale_x = how.scale_y = std::round(how.scale_x);
  if (category == "stretched") how.scale_y = std::clamp(how.scale_x * dice.between(0.8, 1.25), 3.0, scale_most);
  if (category != "integer" && category != "fractional") {
    how.shift_x = dice.between(-0.5, 0.5);
    how.shift_y = dice.between(-0.5, 0.5);
  }
  // Each kind of damage alone, then all together.
  const double scale = std::min(how.scale_x, how.scale_y);
  const bool all = category == "combined";
  how.soft = category == "soft" || category == "blur" || (category != "stretched" && dice.chance(0.5));
  if (category == "integer" || category == "fractional") how.soft = false;
  if (all || category == "blur") how.blur = std::min(dice.between(0.4, 1.6), 0.2 * scale);
  if (all || category == "noise") how.noise = dice.between(2, 8);
  if (all || category == "jitter") how.cell_jitter = dice.between(1, 3);
  if (category == "drift") how.wobble = dice.between(0.1, 0.4);
  if (category == "tilt") how.tilt_degrees = dice.between(0.5, 2) * (dice.chance(0.5) ? 1 : -1);
  if (all || category == "jpeg") how.jpeg_quality = dice.whole(60, 95);
  SPARKY_ASSIGN(out.degraded, pixel::degrade(out.truth, how));
  return out;
}

}  // namespace sparky::bench
