// Cells: a picture as flat cells seen through a blur. Given the lines of a grid, pixel x of an axis sees cell k with
// the weight that a Gaussian about the pixel's centre has inside the cell; the cells' colours are the least-squares
// solution, which undoes the blur exactly where the model holds. The inner part of grid.cc and colors.cc.
#pragma once
#include <span>
#include <vector>

#include "pixel/grid.h"
#include "pixel/planes.h"

namespace sparky::pixel {

// One axis: `pixels` samples seen through cells between `lines`, blurred by sigma (0: each pixel sees one cell). What
// lies before the first line or after the last belongs to the first or last cell.
class AxisModel {
 public:
  // `ridge`: variance of the noise over that of the cells' differences; draws each cell towards the mean of its pixels.
  AxisModel(int pixels, std::span<const double> lines, double sigma, double ridge = 0);

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

 private:
  Plane sums_;                   // row r: the sum of the samples' rows before r
  std::vector<double> squares_;  // likewise of their squares, all columns together
};

// Means over the middle half of each cell along the other axis: a small plane that is still as long as the picture
// along this one, to fit lines and blur on. `planes` have this axis as rows.
std::vector<Plane> condensed(const Planes& planes, std::span<const double> other_lines);

// Moves the axis' lines as a whole (first and last line; the others stay evenly between) and sets blur and
// chroma_blur, to rebuild `samples` (as condensed() gives them, luma first) best. Returns the luma's residual.
double fit_axis(GridAxis& axis, const std::vector<Plane>& samples);

}  // namespace sparky::pixel
