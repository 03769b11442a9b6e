#include "pixel/transform.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "pixel/color.h"

namespace sparky::pixel {
namespace {

constexpr int kMaxRotateSide = 1024;
constexpr int kMaxSide = 16384;

Rgba clear_outside(const Picture& p, int x, int y) { return p.contains(x, y) ? p.at(x, y) : Rgba{}; }

// Scale2x (Andrea Mazzoleni, 2001), by which a diagonal edge stays sharp: https://www.scale2x.it/algorithm
Picture scale2x(const Picture& in) {
  Picture out(in.width * 2, in.height * 2);
  for (int y = 0; y < in.height; ++y)
    for (int x = 0; x < in.width; ++x) {
      Rgba c = in.at(x, y);
      Rgba up = clear_outside(in, x, y - 1), down = clear_outside(in, x, y + 1);
      Rgba left = clear_outside(in, x - 1, y), right = clear_outside(in, x + 1, y);
      bool edge = !(up == down) && !(left == right);
      out.at(2 * x, 2 * y) = edge && left == up ? left : c;
      out.at(2 * x + 1, 2 * y) = edge && right == up ? right : c;
      out.at(2 * x, 2 * y + 1) = edge && left == down ? left : c;
      out.at(2 * x + 1, 2 * y + 1) = edge && right == down ? right : c;
    }
  return out;
}

double step(Rgba p, Rgba q) {
  if ((p.a == 0) != (q.a == 0)) return 1;
  if (p.a == 0) return 0;
  return std::sqrt(double(distance2(to_oklab(p), to_oklab(q)))) + std::abs(int(p.a) - int(q.a)) / 255.0;
}

}  // namespace

Box opaque_box(const Picture& p) {
  int left = p.width, top = p.height, right = -1, bottom = -1;
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x) {
      if (p.at(x, y).a == 0) continue;
      left = std::min(left, x);
      right = std::max(right, x);
      top = std::min(top, y);
      bottom = y;
    }
  return right < 0 ? Box{} : Box{left, top, right - left + 1, bottom - top + 1};
}

Picture crop(const Picture& picture, Box box, Rgba fill) {
  Picture out(box.width, box.height, fill);
  paste(out, picture, -box.x, -box.y);
  return out;
}

void paste(Picture& onto, const Picture& from, int x, int y) {
  int first = std::max(0, -x), last = std::min(from.width, onto.width - x);
  if (first >= last) return;
  for (int row = std::max(0, -y); row < std::min(from.height, onto.height - y); ++row)
    std::copy_n(&from.at(first, row), last - first, &onto.at(x + first, y + row));
}

Picture trim(const Picture& picture) {
  Box box = opaque_box(picture);
  return box.width ? crop(picture, box) : Picture(1, 1);
}

Picture pad(const Picture& p, int left, int top, int right, int bottom, Rgba fill) {
  return crop(p, {-left, -top, p.width + left + right, p.height + top + bottom}, fill);
}

Result<Picture> pad(const Picture& picture, const Padding& padding) {
  constexpr int kSideMax = 16384;
  auto [left, top, right, bottom, to_width, to_height, fill] = padding;
  if (to_width > 0) {
    const int64_t wide = int64_t(to_width) - picture.width - left - right;
    const int64_t high = int64_t(to_height) - picture.height - top - bottom;
    if (wide < 0 || high < 0) {
      return fail(Errc::invalid,
                  fmt::format("{}×{} does not fit into {}×{}", picture.width, picture.height, to_width, to_height),
                  "trim it first, or give a larger size");
    }
    left += int(wide / 2), right += int(wide - wide / 2), top += int(high / 2), bottom += int(high - high / 2);
  }
  if (int64_t(picture.width) + left + right > kSideMax || int64_t(picture.height) + top + bottom > kSideMax) {
    return fail(Errc::invalid, "the result would be larger than 16384 pixels a side");
  }
  return pad(picture, left, top, right, bottom, fill);
}

Picture center(const Picture& p) {
  Box box = opaque_box(p);
  Picture out(p.width, p.height);
  paste(out, crop(p, box), (p.width - box.width) / 2, (p.height - box.height) / 2);
  return out;
}

Picture align_baseline(const Picture& p, int margin, bool center_x) {
  Box box = opaque_box(p);
  Picture out(p.width, p.height);
  paste(out, crop(p, box), center_x ? (p.width - box.width) / 2 : box.x, p.height - margin - box.height);
  return out;
}

Picture mirror(const Picture& p, Axis axis) {
  Picture out(p.width, p.height);
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x)
      out.at(x, y) = axis == Axis::horizontal ? p.at(p.width - 1 - x, y) : p.at(x, p.height - 1 - y);
  return out;
}

Picture rotate90(const Picture& p, int quarters) {
  quarters = (quarters % 4 + 4) % 4;
  if (quarters == 0) return p;
  if (quarters == 2) return mirror(mirror(p, Axis::horizontal), Axis::vertical);
  Picture out(p.height, p.width);
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x)
      out.at(x, y) = quarters == 1 ? p.at(y, p.height - 1 - x) : p.at(p.width - 1 - y, x);
  return out;
}

Result<Picture> rotate(const Picture& p, double degrees, Rotation method, bool fit) {
  if (!std::isfinite(degrees)) return fail(Errc::invalid, "the angle is not a number");
  if (p.width > kMaxRotateSide || p.height > kMaxRotateSide)
    return fail(Errc::invalid, fmt::format("{}×{} is too large to rotate as pixel art, the limit is {} a side", p.width,
                                           p.height, kMaxRotateSide));
  double turn = std::fmod(degrees, 360);
  double quarters = turn / 90;
  if (quarters == std::round(quarters)) {
    Picture turned = rotate90(p, int(quarters));
    if (fit || (turned.width == p.width && turned.height == p.height)) return turned;
    return crop(turned, {(turned.width - p.width) / 2, (turned.height - p.height) / 2, p.width, p.height});
  }
  double angle = turn * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
  int width = p.width, height = p.height;
  if (fit) {
    width = int(std::ceil(std::abs(c) * p.width + std::abs(s) * p.height - 1e-9));
    height = int(std::ceil(std::abs(s) * p.width + std::abs(c) * p.height - 1e-9));
  }
  int factor = method == Rotation::rotsprite ? 8 : 1;
  Picture source = p;
  for (int f = 1; f < factor; f *= 2) source = scale2x(source);
  Picture out(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      double dx = x + 0.5 - width / 2.0, dy = y + 0.5 - height / 2.0;
      double sx = (c * dx + s * dy + p.width / 2.0) * factor, sy = (-s * dx + c * dy + p.height / 2.0) * factor;
      out.at(x, y) = clear_outside(source, int(std::floor(sx)), int(std::floor(sy)));
    }
  return out;
}

Result<Picture> scale_up(const Picture& p, int factor) {
  if (factor < 1 || p.width > kMaxSide / factor || p.height > kMaxSide / factor)
    return fail(Errc::invalid, fmt::format("{}×{} cannot be made {} times larger", p.width, p.height, factor),
                fmt::format("a factor of 1 or more, up to {} pixels a side", kMaxSide));
  Picture out(p.width * factor, p.height * factor);
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x) out.at(x, y) = p.at(x / factor, y / factor);
  return out;
}

Result<Picture> scale_down(const Picture& p, int factor) {
  if (factor < 1 || p.width % factor || p.height % factor)
    return fail(Errc::invalid, fmt::format("{}×{} cannot be divided by {}", p.width, p.height, factor));
  Picture out(p.width / factor, p.height / factor);
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x) {
      Rgba& to = out.at(x / factor, y / factor);
      if (x % factor == 0 && y % factor == 0) to = p.at(x, y);
      if (!(to == p.at(x, y)))
        return fail(Errc::invalid,
                    fmt::format("the {0}×{0} pixels at {1},{2} are not of one colour", factor, x / factor * factor,
                                y / factor * factor),
                    "`sparky pixel snap` finds the true grid of such a picture");
    }
  return out;
}

Picture offset(const Picture& p, int x, int y) {
  Picture out(p.width, p.height);
  for (int row = 0; row < p.height; ++row)
    for (int column = 0; column < p.width; ++column) {
      int to_x = int(((long(column) + x) % p.width + p.width) % p.width);
      int to_y = int(((long(row) + y) % p.height + p.height) % p.height);
      out.at(to_x, to_y) = p.at(column, row);
    }
  return out;
}

Picture repeat(const Picture& p, int columns, int rows) {
  Picture out(p.width * columns, p.height * rows);
  for (int y = 0; y < rows; ++y)
    for (int x = 0; x < columns; ++x) paste(out, p, x * p.width, y * p.height);
  return out;
}

Seams measure_seams(const Picture& p) {
  Seams out;
  if (p.empty()) return out;
  for (int x = 0; x < p.width; ++x) {
    double sum = 0;
    for (int y = 0; y < p.height; ++y) sum += step(p.at(x, y), p.at((x + 1) % p.width, y));
    double change = sum / p.height;
    if (x + 1 == p.width)
      out.horizontal = change;
    else
      out.horizontal_inside = std::max(out.horizontal_inside, change);
  }
  for (int y = 0; y < p.height; ++y) {
    double sum = 0;
    for (int x = 0; x < p.width; ++x) sum += step(p.at(x, y), p.at(x, (y + 1) % p.height));
    double change = sum / p.width;
    if (y + 1 == p.height)
      out.vertical = change;
    else
      out.vertical_inside = std::max(out.vertical_inside, change);
  }
  return out;
}

}  // namespace sparky::pixel
