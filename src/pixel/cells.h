// Cells: a picture as flat cells seen through a blur. Given the lines of a grid, pixel x of an axis sees cell k with
// the weight that a Gaussian about the pixel's centre has inside the cell; the cells' colours are the least-squares
// solution, which undoes the blur exactly where the model holds. The inner part of grid.cc and colors.cc.
#pragma once
#include <span>
#include <vector>

#include "pixel/grid.h"
#include "pixel/planes.h"

namespace sparky::pixel {

// One axis: `pixels` samples that see cells between `lines` through an aperture. What lies before the first line or
// after the last belongs to the first or last cell.
class AxisModel {
 public:
  // `ridge`: variance of the noise over that of the cells' differences; draws each cell towards the mean of its pixels.
  AxisModel(int pixels, std::span<const double> lines, Aperture aperture, double ridge = 0);

  int cells() const { return cells_; }
  // Row i of `samples` is pixel i of this axis (any number of columns); row k of the result is cell k.
  Plane solve(const Plane& samples) const;
  // What solve()'s cells leave unexplained of the samples: the sum of squares.
  double residual(const Plane& samples) const;
  Plane rebuild(const Plane& cells) const;  // the inverse way: what the pixels would be

 private:
  Plane gather(const Plane& samples) const;  // Aᵀ · samples
  void solve_in_place(Plane& gathered) const;

  int pixels_, cells_, band_ = 1;
  std::vector<int> first_;     // by pixel: the first cell it sees
  std::vector<float> weight_;  // by pixel: band_ weights
  std::vector<float> pull_;    // by cell: what the ridge multiplies its gathered sum with
  std::vector<float> factor_;  // banded Cholesky factor of AᵀA, band_ entries a row, diagonal last
};

// The simplest model: flat cells between lines rounded to pixels, no blur. Its residual comes from running sums, cheap
// enough to try many lines.
class FlatCells {
 public:
  explicit FlatCells(const Plane& samples);              // row i is pixel i of the axis
  double residual(std::span<const double> lines) const;  // sum of squares
  double residual(int from, int to) const;               // of the one cell of rows [from, to)
  // Whole lines, each inner one moved by at most a pixel to where its two cells are flattest: nearest-neighbour scaling
  // may have rounded it either way.
  std::vector<double> settled(std::vector<double> lines) const;
  // Whole lines of cells about `cell` wide whose width may change along the axis, as many as fit best. The outer cells
  // may be cut by the picture's edge.
  std::vector<double> tracked(double cell) const;

 private:
  Plane sums_;                   // row r: the sum of the samples' rows before r
  std::vector<double> squares_;  // likewise of their squares, all columns together
};

// Means over the middle half of each cell along the other axis: a small plane that is still as long as the picture
// along this one, to fit lines and blur on. `planes` have this axis as rows.
std::vector<Plane> condensed(const Planes& planes, std::span<const double> other_lines);

// Moves the axis' lines as a whole (first and last line; the others stay evenly between) and sets blur and
// chroma, to rebuild `samples` (as condensed() gives them, luma first) best. Returns the luma's residual. If the axis
// `may_drift` and cells of changing width explain much more, the lines are theirs, and their number may change.
double fit_axis(GridAxis& axis, const std::vector<Plane>& samples, bool may_drift);

}  // namespace sparky::pixel
