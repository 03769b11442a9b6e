#include "pixel/rectangles.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace sparky::pixel {
namespace {

int square_side(const std::vector<Box>& boxes) {
  double area = 0;
  for (auto& b : boxes) area += double(b.width) * b.height;
  return int(std::ceil(std::sqrt(area)));
}

int widest(const std::vector<Box>& boxes) { return std::ranges::max(boxes, {}, &Box::width).width; }
int highest(const std::vector<Box>& boxes) { return std::ranges::max(boxes, {}, &Box::height).height; }

bool overlap(const Box& p, const Box& q) {
  return p.x < q.x + q.width && q.x < p.x + p.width && p.y < q.y + q.height && q.y < p.y + p.height;
}
bool within(const Box& p, const Box& q) {
  return p.x >= q.x && p.y >= q.y && p.x + p.width <= q.x + q.width && p.y + p.height <= q.y + q.height;
}

// The free space as all its maximal rectangles.
class FreeSpace {
 public:
  FreeSpace(int width, int height) : free_{{0, 0, width, height}} {}

  std::optional<Box> place(int width, int height) {
    const Box* best = nullptr;
    int best_short = 0, best_long = 0;
    for (auto& f : free_) {
      if (f.width < width || f.height < height) continue;
      int spare_x = f.width - width, spare_y = f.height - height;
      int shorter = std::min(spare_x, spare_y), longer = std::max(spare_x, spare_y);
      if (best && std::pair(shorter, longer) >= std::pair(best_short, best_long)) continue;
      best = &f;
      best_short = shorter;
      best_long = longer;
    }
    if (!best) return std::nullopt;
    Box placed{best->x, best->y, width, height};
    take(placed);
    return placed;
  }

 private:
  void take(const Box& used) {
    std::vector<Box> kept, cut;
    for (auto& f : free_) {
      if (!overlap(f, used)) {
        kept.push_back(f);
        continue;
      }
      int right = f.x + f.width, bottom = f.y + f.height, used_right = used.x + used.width,
          used_bottom = used.y + used.height;
      if (used.x > f.x) cut.push_back({f.x, f.y, used.x - f.x, f.height});
      if (used_right < right) cut.push_back({used_right, f.y, right - used_right, f.height});
      if (used.y > f.y) cut.push_back({f.x, f.y, f.width, used.y - f.y});
      if (used_bottom < bottom) cut.push_back({f.x, used_bottom, f.width, bottom - used_bottom});
    }
    // Only the pieces just cut can lie within another rectangle.
    for (size_t i = 0; i < cut.size(); ++i) {
      bool redundant = std::ranges::any_of(kept, [&](auto& k) { return within(cut[i], k); });
      for (size_t j = 0; !redundant && j < cut.size(); ++j)
        redundant = j != i && within(cut[i], cut[j]) && (j < i || !(cut[i] == cut[j]));
      if (!redundant) kept.push_back(cut[i]);
    }
    free_ = std::move(kept);
  }

  std::vector<Box> free_;
};

std::optional<Arrangement> fill(const std::vector<Box>& boxes, const std::vector<size_t>& order, int width,
                                int height) {
  FreeSpace space(width, height);
  Arrangement out{0, 0, std::vector<Box>(boxes.size())};
  for (size_t i : order) {
    auto placed = space.place(boxes[i].width, boxes[i].height);
    if (!placed) return std::nullopt;
    out.places[i] = *placed;
    out.width = std::max(out.width, placed->x + placed->width);
    out.height = std::max(out.height, placed->y + placed->height);
  }
  return out;
}

}  // namespace

std::optional<Arrangement> arrange_grid(const std::vector<Box>& boxes, int columns, int max_side) {
  int cell_width = widest(boxes), cell_height = highest(boxes), count = int(boxes.size());
  if (columns <= 0) columns = int(std::ceil(std::sqrt(double(count) * cell_height / std::max(1, cell_width))));
  columns = std::clamp(columns, 1, count);
  int rows = (count + columns - 1) / columns;
  if (int64_t(columns) * cell_width > max_side || int64_t(rows) * cell_height > max_side) return std::nullopt;
  Arrangement out{columns * cell_width, rows * cell_height, {}};
  for (int i = 0; i < count; ++i)
    out.places.push_back(
        {i % columns * cell_width, i / columns * cell_height, boxes[size_t(i)].width, boxes[size_t(i)].height});
  return out;
}

namespace {

std::optional<Arrangement> fill_rows(const std::vector<Box>& boxes, int limit, int max_height) {
  Arrangement out;
  int x = 0, y = 0, row_height = 0;
  for (auto& b : boxes) {
    if (x > 0 && x + b.width > limit) {
      y += row_height;
      x = row_height = 0;
    }
    if (x + b.width > limit || y + b.height > max_height) return std::nullopt;
    out.places.push_back({x, y, b.width, b.height});
    x += b.width;
    row_height = std::max(row_height, b.height);
    out.width = std::max(out.width, x);
    out.height = y + row_height;
  }
  return out;
}

}  // namespace

std::optional<Arrangement> arrange_rows(const std::vector<Box>& boxes, int max_side) {
  int side = std::max(square_side(boxes), widest(boxes));
  std::optional<Arrangement> best;
  auto cost = [](const Arrangement& a) { return std::pair(int64_t(a.width) * a.height, std::max(a.width, a.height)); };
  for (double limit = side; limit <= 2.0 * side; limit = std::max(limit + 1, limit * 1.03))
    if (auto a = fill_rows(boxes, std::min(int(limit), max_side), max_side); a && (!best || cost(*a) < cost(*best)))
      best = a;
  return best;
}

std::optional<Arrangement> arrange_maxrects(const std::vector<Box>& boxes, int max_side, bool power_of_two) {
  std::vector<size_t> order(boxes.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](size_t i, size_t j) {
    auto rank = [&](size_t k) {
      return std::pair(std::max(boxes[k].width, boxes[k].height), std::min(boxes[k].width, boxes[k].height));
    };
    return rank(i) > rank(j);
  });
  int side = square_side(boxes), least = widest(boxes);
  std::optional<Arrangement> best;
  auto better = [&](const Arrangement& a) {
    auto size = [&](const Arrangement& x) {
      int64_t w = x.width, h = x.height;
      if (power_of_two) w = int64_t(std::bit_ceil(unsigned(w))), h = int64_t(std::bit_ceil(unsigned(h)));
      // A strip costs more than its area: few want a sheet that is more than twice as long as wide.
      const double strip = std::max(1.0, double(std::max(w, h)) / (2.0 * double(std::min(w, h))));
      return std::pair(double(w * h) * strip, double(std::max(w, h)));
    };
    return !best || size(a) < size(*best);
  };
  // Larger sets gain little from more attempts, and each attempt costs more.
  double step = boxes.size() > 400 ? 1.5 : 1.08;
  for (double width = std::max(least, side / 2); width <= 2.2 * std::max(side, least); width *= step) {
    int w = int(std::ceil(width));
    if (power_of_two) w = int(std::bit_ceil(unsigned(w)));
    w = std::min(w, max_side);
    if (w < least) break;
    if (auto a = fill(boxes, order, w, max_side); a && better(*a)) best = a;
    if (power_of_two) width = w;
  }
  // Full height leaves room at the bottom that the best fit may like more than what is beside: try closed boxes too.
  if (best)
    for (double height = best->height * 0.98; height * best->width >= double(side) * side * 0.98; height *= 0.98) {
      auto a = fill(boxes, order, best->width, int(height));
      if (!a) break;
      if (better(*a)) best = a;
    }
  return best;
}

}  // namespace sparky::pixel
