#include "pixel/grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "pixel/cells.h"
#include "pixel/edges.h"
#include "pixel/planes.h"

namespace sparky::pixel {
namespace {

constexpr double kErrorWeight = 0.5;   // nats for a factor of e in what a grid leaves unexplained
constexpr double kEvidenceWeak = 0.7;  // below, another look at half the resolution is worth its time

// Below or above these there is no grid to speak of; photographs, gradients, noise and smooth enlargements fall out
// here (measured in docs/pixel-snap.md).
constexpr double kEvidenceLeast = 0.15;  // nats an edge
constexpr double kBlurMost = 0.32;       // of a cell: smoother, a picture was interpolated, not drawn on a grid
constexpr double kStepLeast = 3.5;       // root mean square step between neighbouring cells, levels of 255

// How plausible two cell sizes are beside each other, in nats an edge: square cells are the rule, near-square ones
// common, and a factor of two is a mistake between a period and its multiple.
double squareness(double x, double y) {
  const double ratio = std::log(x / y);
  return 0.25 * std::exp(-0.5 * ratio * ratio / (0.02 * 0.02)) - 0.35 * std::min(1.0, std::abs(ratio) / 0.5);
}

// Pictures are more often whole sprites than cut through a cell: a grid that starts and ends with the picture gains.
double alignment(const Comb& comb, int length) {
  const double cells = length / comb.period;
  const double start = std::abs(std::remainder(comb.phase, comb.period)) / comb.period;
  const double end = std::abs(cells - std::round(cells));
  return 0.1 * std::exp(-0.5 * (start * start + end * end) / (0.08 * 0.08));
}

struct Choice {
  Comb x, y;
  double score = -1e9;
};

int cells_of(const Comb& comb, int length) { return std::max(1, int(std::lround(length / comb.period))); }

// Lines for round(length / period) cells, from the line nearest to the picture's edge. Where other than the wanted
// cells come out of that, these are spread over the picture.
GridAxis axis_of(const Comb& comb, int length, int wanted = 0) {
  GridAxis axis;
  const int cells = wanted > 0 ? wanted : cells_of(comb, length);
  const bool spread = cells != cells_of(comb, length);
  axis.cell = spread ? double(length) / cells : comb.period;
  const double first = spread ? 0 : std::remainder(comb.phase, comb.period);
  for (int k = 0; k <= cells; ++k) axis.lines.push_back(first + k * axis.cell);
  return axis;
}

Status check_options(int width, int height, const GridOptions& options) {
  if (width < 8 || height < 8) {
    return fail(Errc::invalid, fmt::format("a picture of {}x{} is too small to show a grid", width, height),
                "give one of at least 8x8 pixels");
  }
  if (options.columns < 0 || options.rows < 0 || options.columns > width / 2 || options.rows > height / 2) {
    return fail(Errc::invalid,
                fmt::format("size {}x{} does not fit a picture of {}x{}", options.columns, options.rows, width, height),
                fmt::format("each cell must cover 2 pixels or more, so at most {}x{}", width / 2, height / 2));
  }
  if (options.hint != 0 && (options.hint < 2 || options.hint > std::min(width, height))) {
    return fail(Errc::invalid,
                fmt::format("a cell of {} pixels is impossible in a picture of {}x{}", options.hint, width, height),
                "give the width of a cell in pixels, 2 or more");
  }
  return {};
}

// Root mean square step between neighbouring cells of an axis, over all channels.
double step_between_cells(const GridAxis& axis, const std::vector<Plane>& samples) {
  double steps = 0, count = 0;
  for (const Plane& plane : samples) {
    const Plane cells = AxisModel(plane.rows, axis.lines, {axis.blur}).solve(plane);
    for (int k = 0; k + 1 < cells.rows; ++k) {
      for (int c = 0; c < cells.columns; ++c) {
        const double step = cells.row(k + 1)[c] - cells.row(k)[c];
        steps += step * step;
      }
    }
    count += double(cells.rows - 1) * cells.columns;
  }
  return std::sqrt(3 * steps / std::max(count, 1.0));
}

Status check_grid(const Grid& grid, double step) {
  const std::string help = "if you know the size, give it with --size WIDTHxHEIGHT, or the cell's width with --hint";
  const double blur = std::max(grid.x.blur / grid.x.cell, grid.y.blur / grid.y.cell);
  const std::string best = fmt::format("the best candidate has cells of {:.2f}x{:.2f}", grid.x.cell, grid.y.cell);
  if (grid.evidence < kEvidenceLeast) {
    return fail(Errc::unavailable,
                fmt::format("no pixel grid found: edges lie anywhere ({}, evidence {:.2f}, {:.2f} needed)", best,
                            grid.evidence, kEvidenceLeast),
                help);
  }
  if (blur > kBlurMost) {
    return fail(
        Errc::unavailable,
        fmt::format("no pixel grid found: the picture is smooth ({}, blurred by {:.0f} % of a cell, {:.0f} % is "
                    "the most)",
                    best, 100 * blur, 100 * kBlurMost),
        help);
  }
  if (step < kStepLeast) {
    return fail(Errc::unavailable,
                fmt::format("no pixel grid found: there is too little contrast ({}, which differ by {:.1f} levels)",
                            best, step),
                help);
  }
  return {};
}

// The combs that an axis may choose from.
std::vector<Comb> candidates(const EdgeHistogram& edges, const GridOptions& options, int forced) {
  if (forced > 0) {
    const double period = double(edges.length) / forced;
    std::vector<Comb> combs = find_combs(edges, period * (1 - 0.4 / forced), period * (1 + 0.4 / forced), 1);
    // A comb that would round to another size, or none at all: lay the cells evenly over the picture.
    if (combs.empty() || cells_of(combs[0], edges.length) != forced) combs = {{.period = period, .score = 0}};
    return combs;
  }
  double shortest = options.cell_min,
         longest = std::min(std::max(options.cell_max, edges.length / 32.0), edges.length / 4.0);
  if (options.hint > 0) shortest = options.hint * 0.8, longest = options.hint * 1.25;
  return find_combs(edges, shortest, std::max(longest, shortest), 12);
}

Planes halved(const Planes& planes) {
  Planes out;
  out.opaque = planes.opaque;
  for (size_t c = 0; c < size_t(planes.channels()); ++c) {
    const Plane& from = planes.channel[c];
    Plane& to = out.channel[c] = Plane(from.rows / 2, from.columns / 2);
    for (int y = 0; y < to.rows; ++y) {
      const float* a = from.row(2 * y);
      const float* b = from.row(2 * y + 1);
      for (int x = 0; x < to.columns; ++x) {
        to.row(y)[x] = (a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1]) / 4;
      }
    }
  }
  return out;
}

// Takes off each comb's score what flat cells between its lines leave unexplained of the luma, in some of the rows that
// cross the axis: a wide comb on a few strong edges does not explain the rest.
void weigh_by_error(std::vector<Comb>& combs, const Plane& luma_along_axis) {
  constexpr int rows_most = 64;
  const int length = luma_along_axis.rows, step = std::max(1, luma_along_axis.columns / rows_most);
  Plane sample(length, luma_along_axis.columns / step);
  for (int i = 0; i < length; ++i) {
    for (int c = 0; c < sample.columns; ++c) sample.row(i)[c] = luma_along_axis.row(i)[c * step] - 128;
  }
  const FlatCells flat(sample);
  for (Comb& comb : combs) {
    const double residual = std::max(0.0, flat.residual(flat.settled(axis_of(comb, length).lines)));
    comb.error = std::sqrt(residual / double(sample.values.size()));
  }
}

struct Decision {
  Choice best, second;  // second: the best of another size
};

Decision choose(const Views& views, const GridOptions& options) {
  const int width = views.upright.channel[0].columns, height = views.upright.channel[0].rows;
  std::vector<Comb> combs_x = candidates(find_edges(views.upright), options, options.columns);
  std::vector<Comb> combs_y = candidates(find_edges(views.turned), options, options.rows);
  weigh_by_error(combs_x, views.turned.channel[Planes::luma]);
  weigh_by_error(combs_y, views.upright.channel[Planes::luma]);
  const auto likeliness = [](const Comb& c) { return c.score - kErrorWeight * std::log(1 + c.error); };
  const auto same_size = [&](const Choice& a, const Choice& b) {
    return cells_of(a.x, width) == cells_of(b.x, width) && cells_of(a.y, height) == cells_of(b.y, height);
  };
  std::vector<Choice> choices;
  for (const Comb& x : combs_x) {
    for (const Comb& y : combs_y) {
      choices.push_back({x, y,
                         (likeliness(x) + likeliness(y)) / 2 + squareness(x.period, y.period) +
                             (alignment(x, width) + alignment(y, height)) / 2});
    }
  }
  Decision out;
  for (const Choice& c : choices) {
    if (c.score > out.best.score) out.best = c;
  }
  for (const Choice& c : choices) {
    if (c.score > out.second.score && !same_size(c, out.best)) out.second = c;
  }
  return out;
}

// At half the resolution noise is half as strong, and a wide cell still wide enough.
Decision choose_at_half(const Views& views, GridOptions options) {
  options.hint /= 2;
  Decision out = choose(views_of(halved(views.upright)), options);
  for (Choice* choice : {&out.best, &out.second}) {
    for (Comb* comb : {&choice->x, &choice->y}) comb->period *= 2, comb->phase *= 2, comb->spread *= 2;
  }
  return out;
}

}  // namespace

Result<Grid> find_grid(const Picture& picture, const GridOptions& options) {
  return find_grid(views_of(to_planes(picture)), options);
}

Result<Grid> find_grid(const Views& views, const GridOptions& options) {
  const int width = views.upright.channel[0].columns, height = views.upright.channel[0].rows;
  SPARKY_TRY(check_options(width, height, options));
  Decision decision = choose(views, options);
  const auto evidence = [](const Choice& c) { return std::min(c.x.score, c.y.score); };
  if (evidence(decision.best) < kEvidenceWeak && std::min(width, height) >= 64) {
    const Decision half = choose_at_half(views, options);
    if (evidence(half.best) > evidence(decision.best)) decision = half;
  }
  const auto& [best, second] = decision;
  if (best.score < -1e8) return fail(Errc::unavailable, "the picture shows no edges, so no grid");

  Grid grid;
  grid.x = axis_of(best.x, width, options.columns);
  grid.y = axis_of(best.y, height, options.rows);
  const std::vector<Plane> samples_y = condensed(views.upright, grid.x.lines);
  fit_axis(grid.y, samples_y, options.rows == 0);
  const std::vector<Plane> samples_x = condensed(views.turned, grid.y.lines);
  fit_axis(grid.x, samples_x, options.columns == 0);
  grid.evidence = evidence(best);
  const double lead = second.score > -1e8 ? best.score - second.score : 1;
  grid.confidence = std::clamp((1 - std::exp(-4 * lead)) * std::min(1.0, (best.x.score + best.y.score) / 2), 0.0, 1.0);
  if (options.columns == 0 && options.rows == 0) {
    SPARKY_TRY(
        check_grid(grid, std::max(step_between_cells(grid.x, samples_x), step_between_cells(grid.y, samples_y))));
  }
  return grid;
}

}  // namespace sparky::pixel
