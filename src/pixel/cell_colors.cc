#include "pixel/cell_colors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

#include "pixel/cells.h"
#include "pixel/planes.h"
#include "pixel/shared_colors.h"

namespace sparky::pixel {
namespace {

// Independent noise in red, green and blue has this many times the sigma that it has in luma and chroma together.
constexpr double kRgbOverPlanes = 1.54;

struct Solution {
  Plane cells;       // rows × columns of the grid
  double error = 0;  // sum of squares over the pixels
};

// The variance of what the blurred cells do not explain over that of the steps between neighbouring cells, along one
// axis: how much to distrust a step that the blur has nearly washed away.
double ridge_of(const Plane& samples, const GridAxis& axis, Aperture aperture) {
  const AxisModel model(samples.rows, axis.lines, aperture);
  const Plane cells = model.solve(samples);
  const double spare = double(samples.rows - axis.cells()) * samples.columns;
  const double noise = model.residual(samples) / std::max(spare, 1.0);
  double steps = 0;
  for (int k = 0; k + 1 < cells.rows; ++k) {
    for (int c = 0; c < cells.columns; ++c) {
      const double step = cells.row(k + 1)[c] - cells.row(k)[c];
      steps += step * step;
    }
  }
  steps /= std::max(1.0, double(cells.rows - 1) * cells.columns);
  return std::min(10.0, noise / std::max(steps / 2, 0.01));
}

// Fits the cells of one channel; `samples_x`, `samples_y`: the channel condensed for each axis.
Solution solve(const Plane& channel, const Grid& grid, bool chroma, const Plane& samples_x, const Plane& samples_y) {
  const Aperture along_x = chroma ? grid.x.chroma : Aperture{grid.x.blur};
  const Aperture along_y = chroma ? grid.y.chroma : Aperture{grid.y.blur};
  const AxisModel by_row(channel.rows, grid.y.lines, along_y, ridge_of(samples_y, grid.y, along_y));
  const AxisModel by_column(channel.columns, grid.x.lines, along_x, ridge_of(samples_x, grid.x, along_x));
  Solution out;
  const Plane half = transposed(by_row.solve(channel));
  const Plane turned = by_column.solve(half);
  out.cells = transposed(turned);
  const Plane rebuilt = by_row.rebuild(transposed(by_column.rebuild(turned)));
  for (size_t i = 0; i < rebuilt.values.size(); ++i) {
    const double off = rebuilt.values[i] - channel.values[i];
    out.error += off * off;
  }
  return out;
}

// The cell that each pixel of an axis lies wholly in, -1 where it may see two.
std::vector<int> sole_cells(const GridAxis& axis, int pixels) {
  std::vector<int> out(size_t(pixels), -1);
  for (int k = 0; k < axis.cells(); ++k) {
    const double reach = std::min(2.5 * axis.blur, 0.3 * axis.cell);
    const int from = int(std::ceil(axis.lines[size_t(k)] + reach - 1e-6));
    const int to = int(std::floor(axis.lines[size_t(k) + 1] - reach + 1e-6));
    for (int x = std::max(from, 0); x < std::min(to, pixels); ++x) out[size_t(x)] = k;
  }
  return out;
}

// Gives each cell in which most of the inner pixels agree in every bit their colour; tells which.
std::vector<uint8_t> apply_majorities(const Picture& picture, const Grid& grid, Picture& cells) {
  struct Vote {
    Rgba color;
    int lead = 0, count = 0, seen = 0;
  };
  std::vector<Vote> votes(cells.pixels.size());
  std::vector<uint8_t> exact(votes.size());
  const std::vector<int> columns = sole_cells(grid.x, picture.width), rows = sole_cells(grid.y, picture.height);
  const auto each = [&](auto visit) {
    for (int y = 0; y < picture.height; ++y) {
      if (rows[size_t(y)] < 0) continue;
      for (int x = 0; x < picture.width; ++x) {
        if (columns[size_t(x)] < 0) continue;
        const Rgba p = picture.at(x, y);
        visit(votes[size_t(rows[size_t(y)]) * size_t(cells.width) + size_t(columns[size_t(x)])], p.a == 0 ? Rgba{} : p);
      }
    }
  };
  each([](Vote& vote, Rgba p) {  // Boyer and Moore: the lead survives only for a majority
    if (vote.lead == 0) vote.color = p;
    vote.lead += p == vote.color ? 1 : -1;
  });
  each([](Vote& vote, Rgba p) {
    vote.seen += 1;
    vote.count += p == vote.color;
  });
  for (size_t i = 0; i < votes.size(); ++i) {
    exact[i] = votes[i].seen > 0 && votes[i].count * 10 >= votes[i].seen * 7;
    if (exact[i]) cells.pixels[i] = votes[i].color;
  }
  return exact;
}

// Gives cells of one colour that noise moved apart that colour.
void share(Picture& picture, const std::array<Plane, Planes::count>& planes, bool opaque,
           const std::vector<uint8_t>& exact, double error) {
  CellEstimates cells{.columns = picture.width, .rows = picture.height};
  int exact_count = 0, opaque_count = 0;
  for (size_t i = 0; i < picture.pixels.size(); ++i) {
    const Rgba p = picture.pixels[i];
    const float luma = planes[0].values[i], blue = planes[1].values[i], red = planes[2].values[i];
    const float r = luma + red / 0.713f, b = luma + blue / 0.564f, g = (luma - 0.299f * r - 0.114f * b) / 0.587f;
    cells.color.push_back(exact[i] ? Color3{float(p.r), float(p.g), float(p.b)} : Color3{r, g, b});
    const bool whole = p.a == 255 && (opaque || planes[3].values[i] > 250);
    cells.opaque.push_back(whole);
    opaque_count += whole, exact_count += whole && exact[i];
  }
  cells.exact_share = opaque_count > 0 ? double(exact_count) / opaque_count : 1;
  cells.pixel_noise = error * kRgbOverPlanes;
  if (share_colors(cells) == 0) return;
  const auto byte = [](float v) { return uint8_t(std::clamp(std::lround(v), 0l, 255l)); };
  for (size_t i = 0; i < picture.pixels.size(); ++i) {
    if (!cells.opaque[i]) continue;
    const Color3& c = cells.color[i];
    picture.pixels[i] = {byte(c[0]), byte(c[1]), byte(c[2]), 255};
  }
}

}  // namespace

CellColors cell_colors(const Picture& picture, const Views& views, const Grid& grid) {
  const auto& [planes, turned] = views;
  const std::vector<Plane> samples_y = condensed(planes, grid.x.lines), samples_x = condensed(turned, grid.y.lines);

  std::array<Plane, Planes::count> cells;
  double error = 0;
  for (size_t c = 0; c < size_t(planes.channels()); ++c) {
    const bool chroma = c == Planes::blue || c == Planes::red;
    Solution solution = solve(planes.channel[c], grid, chroma, samples_x[c], samples_y[c]);
    error += solution.error;
    cells[c] = std::move(solution.cells);
  }
  CellColors out;
  out.error = std::sqrt(error / (double(picture.pixels.size()) * planes.channels()));
  out.picture = Picture(grid.x.cells(), grid.y.cells());
  for (int y = 0; y < out.picture.height; ++y) {
    for (int x = 0; x < out.picture.width; ++x) {
      out.picture.at(x, y) = to_color(cells[0].row(y)[x], cells[1].row(y)[x], cells[2].row(y)[x],
                                      planes.opaque ? 255 : cells[3].row(y)[x]);
    }
  }
  const std::vector<uint8_t> exact = apply_majorities(picture, grid, out.picture);
  share(out.picture, cells, planes.opaque, exact, out.error);
  return out;
}

}  // namespace sparky::pixel
