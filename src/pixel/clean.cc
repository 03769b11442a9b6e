#include "pixel/clean.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>

#include "pixel/color.h"

namespace sparky::pixel {
namespace {

struct Step {
  int x, y;
};
// The first four share an edge, the others a corner; each group runs clockwise from the top.
constexpr std::array<Step, 8> kAround{{{0, -1}, {1, 0}, {0, 1}, {-1, 0}, {1, -1}, {1, 1}, {-1, 1}, {-1, -1}}};

Rgba clear_outside(const Picture& p, int x, int y) { return p.contains(x, y) ? p.at(x, y) : Rgba{}; }

std::vector<Step> border(const Picture& p) {
  std::vector<Step> out;
  for (int x = 0; x < p.width; ++x) {
    out.push_back({x, 0});
    if (p.height > 1) out.push_back({x, p.height - 1});
  }
  for (int y = 1; y + 1 < p.height; ++y) {
    out.push_back({0, y});
    if (p.width > 1) out.push_back({p.width - 1, y});
  }
  return out;
}

// The upper six bits of each channel: colours that agree in them count as one.
uint32_t family(Rgba c) { return key({uint8_t(c.r & 0xfc), uint8_t(c.g & 0xfc), uint8_t(c.b & 0xfc), 255}); }

// The families of the border that are its background: those chained by steps within the tolerance (as a gradient is)
// that together hold at least an eighth of it.
std::map<uint32_t, OkLab> background_colors(const Picture& p, const std::vector<Step>& edge, float tolerance) {
  std::map<uint32_t, std::pair<OkLab, int>> open;
  for (auto [x, y] : edge)
    if (p.at(x, y).a != 0) ++open.try_emplace(family(p.at(x, y)), to_oklab(p.at(x, y)), 0).first->second.second;
  std::map<uint32_t, OkLab> out;
  while (!open.empty()) {
    std::vector<std::pair<uint32_t, OkLab>> chain{{open.begin()->first, open.begin()->second.first}};
    int pixels = open.begin()->second.second;
    open.erase(open.begin());
    for (size_t i = 0; i < chain.size(); ++i)
      for (auto it = open.begin(); it != open.end();) {
        auto [lab, count] = it->second;
        if (distance2(chain[i].second, lab) > tolerance * tolerance) {
          ++it;
          continue;
        }
        chain.emplace_back(it->first, lab);
        pixels += count;
        it = open.erase(it);
      }
    if (pixels * 8 >= int(edge.size())) out.insert(chain.begin(), chain.end());
  }
  return out;
}

bool near_any(const std::map<uint32_t, OkLab>& colors, OkLab lab, float tolerance) {
  return std::ranges::any_of(colors, [&](auto& c) { return distance2(c.second, lab) <= tolerance * tolerance; });
}

}  // namespace

Picture remove_background(const Picture& picture, BackgroundOptions options) {
  auto edge = border(picture);
  auto colors = background_colors(picture, edge, options.tolerance);
  if (colors.empty()) return picture;
  // Each entry carries the colour that its flood started from; transparent pixels let any flood through.
  struct Front {
    int x, y;
    OkLab from;
  };
  std::deque<Front> fronts;
  std::vector<bool> reached(picture.pixels.size());
  auto visit = [&](int x, int y, OkLab from) {
    size_t at = size_t(y) * size_t(picture.width) + size_t(x);
    Rgba c = picture.pixels[at];
    if (reached[at] || (c.a != 0 && distance2(to_oklab(c), from) > options.tolerance * options.tolerance)) return;
    reached[at] = true;
    fronts.push_back({x, y, from});
  };
  for (auto [x, y] : edge) {
    Rgba c = picture.at(x, y);
    if (c.a == 0) continue;
    if (colors.contains(family(c))) visit(x, y, to_oklab(c));
  }
  while (!fronts.empty()) {
    Front f = fronts.front();
    fronts.pop_front();
    for (size_t i = 0; i < 4; ++i)
      if (picture.contains(f.x + kAround[i].x, f.y + kAround[i].y))
        visit(f.x + kAround[i].x, f.y + kAround[i].y, f.from);
  }
  Picture out = picture;
  for (size_t i = 0; i < out.pixels.size(); ++i) {
    Rgba& c = out.pixels[i];
    if (reached[i] || (options.holes && c.a != 0 && near_any(colors, to_oklab(c), options.tolerance))) c = {};
  }
  return out;
}

Picture binary_alpha(const Picture& picture, int threshold) {
  Picture out = picture;
  for (Rgba& c : out.pixels) c = int(c.a) >= threshold ? Rgba{c.r, c.g, c.b, 255} : Rgba{};
  return out;
}

Picture remove_orphans(const Picture& picture, OrphanOptions options) {
  Picture out = picture;
  auto index = [&](int x, int y) { return size_t(y) * size_t(picture.width) + size_t(x); };
  auto same = [](Rgba p, Rgba q) { return p == q || (p.a == 0 && q.a == 0); };
  std::vector<bool> seen(picture.pixels.size());
  for (int y = 0; y < picture.height; ++y)
    for (int x = 0; x < picture.width; ++x) {
      if (seen[index(x, y)]) continue;
      Rgba color = picture.at(x, y);
      std::vector<Step> group{{x, y}};
      std::map<Rgba, int> beside;  // the colours around the group, by how many contacts
      seen[index(x, y)] = true;
      for (size_t i = 0; i < group.size(); ++i)
        for (auto [dx, dy] : kAround) {
          int nx = group[i].x + dx, ny = group[i].y + dy;
          Rgba next = clear_outside(picture, nx, ny);
          if (!picture.contains(nx, ny) || !same(next, color)) {
            if (!picture.contains(nx, ny)) continue;
            ++beside[next.a == 0 ? Rgba{} : next];
          } else if (!seen[index(nx, ny)]) {
            seen[index(nx, ny)] = true;
            group.push_back({nx, ny});
          }
        }
      if (int(group.size()) > options.size || beside.empty()) continue;
      auto common = std::ranges::max_element(beside, {}, [](auto& b) { return b.second; });
      bool speck = color.a != 0 && beside.size() == 1 && beside.begin()->first.a == 0;
      bool pinhole = color.a == 0 && !beside.contains(Rgba{});
      bool faint = color.a != 0 && common->first.a != 0 &&
                   distance2(to_oklab(color), to_oklab(common->first)) <= options.contrast * options.contrast;
      if (speck || pinhole || faint)
        for (auto [gx, gy] : group) out.at(gx, gy) = common->first;
    }
  return out;
}

Picture remove_jaggies(const Picture& picture) {
  Picture out = picture;
  auto is = [&](int x, int y, Rgba color) { return out.contains(x, y) && out.at(x, y) == color; };
  // How many pixels of the colour follow in this direction, the first one not counted; up to 2.
  auto arm = [&](int x, int y, Step s, Rgba color) {
    int n = 0;
    while (n < 2 && is(x + s.x * (n + 1), y + s.y * (n + 1), color)) ++n;
    return n;
  };
  for (int y = 0; y < picture.height; ++y)
    for (int x = 0; x < picture.width; ++x) {
      Rgba color = out.at(x, y);
      if (color.a == 0) continue;
      for (size_t i = 0; i < 4; ++i) {
        Step one = kAround[i], two = kAround[(i + 1) % 4];
        bool corner = is(x + one.x, y + one.y, color) && is(x + two.x, y + two.y, color) &&
                      !is(x - one.x, y - one.y, color) && !is(x - two.x, y - two.y, color);
        // A filled inside would make it the corner of an area, other contacts a crossing.
        bool line =
            !is(x + one.x + two.x, y + one.y + two.y, color) && !is(x - one.x - two.x, y - one.y - two.y, color);
        if (!corner || !line) continue;
        if (arm(x, y, one, color) == 2 && arm(x, y, two, color) == 2) continue;
        Rgba outside = clear_outside(out, x - one.x, y - one.y), other = clear_outside(out, x - two.x, y - two.y);
        // Lines are darker than what they bound; a light one is an area's edge or a highlight.
        if (outside.a != 0 && to_oklab(outside).l <= to_oklab(color).l) outside = other;
        if (outside.a != 0 && to_oklab(outside).l <= to_oklab(color).l) continue;
        out.at(x, y) = outside;
        break;
      }
    }
  return out;
}

Picture outline(const Picture& picture, OutlineOptions options) {
  Picture out = picture;
  auto darker = [&](Rgba c) {
    Rgba d = to_rgba(to_oklab(c) * (1 - std::clamp(options.darken, 0.0f, 1.0f)));
    return Rgba{d.r, d.g, d.b, 255};
  };
  for (int y = 0; y < picture.height; ++y)
    for (int x = 0; x < picture.width; ++x) {
      if ((picture.at(x, y).a != 0) != options.inner) continue;
      for (size_t i = 0; i < (options.diagonal ? 8u : 4u); ++i) {
        Rgba next = clear_outside(picture, x + kAround[i].x, y + kAround[i].y);
        if ((next.a != 0) == options.inner) continue;
        out.at(x, y) = options.color ? *options.color : darker(options.inner ? picture.at(x, y) : next);
        break;
      }
    }
  return out;
}

}  // namespace sparky::pixel
