#include "studio/colors.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

namespace sparky::studio {
using pixel::OkLab;
using pixel::to_oklab;
std::string color_word(const OkLab& c) {
  double chroma = std::hypot(c.a, c.b);
  if (c.l < 0.22) return "black";
  if (chroma < 0.035) return c.l < 0.8 ? "gray" : "white";
  double hue = std::atan2(c.b, c.a) * 180 / std::numbers::pi;
  if (hue < 0) hue += 360;
  if (hue < 42 || hue >= 350) return c.l > 0.72 ? "pink" : "red";
  if (hue < 78) return c.l > 0.6 && chroma > 0.11 ? "orange" : "brown";
  if (hue < 98) return c.l > 0.62 && chroma > 0.08 ? "golden" : "brown";
  if (hue < 118) return c.l > 0.55 ? "yellow" : "green";
  if (hue < 168) return "green";
  if (hue < 225) return "cyan";
  if (hue < 285) return "blue";
  if (hue < 318) return "purple";
  return "magenta";
}

const std::vector<std::string>& color_words() {
  static const std::vector<std::string> words = {"black",  "gray",   "white", "red",  "pink", "orange", "brown",
                                                 "golden", "yellow", "green", "cyan", "blue", "purple", "magenta"};
  return words;
}

bool is_color_word(std::string_view word) {
  static constexpr std::string_view more[] = {"gold", "silver", "dark", "light", "grey", "teal", "bronze"};
  return std::ranges::find(color_words(), word) != color_words().end() ||
         std::ranges::find(more, word) != std::end(more);
}

std::vector<std::string> measured_colors(const pixel::Picture& picture) {
  struct Share {
    double weight = 0, lightness = 0;
  };
  std::map<std::string, Share> shares;
  double total = 0;
  for (const auto& p : picture.pixels) {
    if (p.a < 128) continue;
    OkLab c = to_oklab(p);
    std::string word = color_word(c);
    double weight = word == "black" ? 0.35 : word == "gray" ? 0.7 : 1;
    auto& s = shares[word];
    s.weight += weight;
    s.lightness += weight * c.l;
    total += weight;
  }
  std::vector<std::pair<double, std::string>> ranked;
  for (const auto& [word, s] : shares) {
    double l = s.lightness / s.weight;
    bool shaded = word != "black" && word != "white" && word != "golden" && word != "pink" && word != "yellow";
    std::string name = !shaded ? word : l < 0.40 ? "dark " + word : l > 0.78 ? "light " + word : word;
    ranked.emplace_back(s.weight / std::max(total, 1.0), name);
  }
  std::ranges::sort(ranked, [](const auto& x, const auto& y) {
    return x.first != y.first ? x.first > y.first : x.second < y.second;
  });
  std::vector<std::string> out;
  for (const auto& [share, name] : ranked) {
    if (out.size() == 2 || share < (out.empty() ? 0.0 : 0.22)) break;
    out.push_back(name);
  }
  return out;
}

pixel::Picture turn_hue(const pixel::Picture& picture, double degrees) {
  float cos = float(std::cos(degrees * std::numbers::pi / 180)),
        sin = float(std::sin(degrees * std::numbers::pi / 180));
  pixel::Picture out = picture;
  for (auto& p : out.pixels) {
    if (p.a == 0) continue;
    OkLab c = to_oklab(p);
    auto turned = pixel::to_rgba(OkLab{c.l, c.a * cos - c.b * sin, c.a * sin + c.b * cos});
    turned.a = p.a;
    p = turned;
  }
  return out;
}

}  // namespace sparky::studio
