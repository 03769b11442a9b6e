// Shared colours: a sprite has few colours, each on many cells. Where noise, JPEG or a generator moved every cell a
// little, the cells of one colour are found and all get their common mean: noise of sigma becomes sigma / √cells.
//
// How: of the differences between neighbouring cells, some are noise alone (the same colour twice), the others steps
// between colours; a mixture of the two, fitted by EM, tells the noise's covariance. What is no wider than that noise
// is one colour: cells are clustered under it, and a cell that fits no cluster keeps its own colour. Never moved: cells
// of a gradient (their differences do not scatter, they run), and cells whose pixels all agree, unless they scatter as
// noise does: alike and independently in red, green and blue, which a drawn texture does not.
#pragma once
#include <array>
#include <vector>

#include "pixel/picture.h"

namespace sparky::pixel {

using Color3 = std::array<float, 3>;  // red, green, blue: 0–255 and, by noise, a little beyond

struct CellEstimates {
  int columns = 0, rows = 0;
  std::vector<Color3> color;    // row after row
  std::vector<uint8_t> opaque;  // by cell: may share its colour
  double exact_share = 0;       // of the opaque cells: those whose pixels agree in every bit
  double pixel_noise = 0;       // sigma of the picture's noise in one channel of one pixel, levels of 255
};

// Draws the colours together; returns the number of cells that changed by sharing.
int share_colors(CellEstimates& cells);

}  // namespace sparky::pixel
