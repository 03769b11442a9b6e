// Grid: finds the pixel grid that a picture was drawn on. Cell sizes need not be whole numbers nor equal in x and y;
// the first line may lie anywhere.
//
// How: edges between cells lie on the grid's lines and nowhere else. Along each axis the places of all edges make a
// histogram; a grid of period p and phase φ is scored by the likelihood of those places under a mixture of "on a line"
// and "anywhere". The density on the lines grows with p, so the largest period that still explains the edges wins over
// its own fractions; multiples lose because the edges between their lines stay unexplained. The two axes are then
// settled together (cells are nearly square more often than not), and the lines are refined by how well flat cells,
// blurred as the picture is, rebuild it.
#pragma once
#include <vector>

#include "base/error.h"
#include "pixel/picture.h"

namespace sparky::pixel {

struct Views;  // pixel/planes.h

// How a picture's pixels see the cells along an axis.
struct Aperture {
  double sigma = 0;     // of a Gaussian blur, pixels; 0: hard edges
  bool halved = false;  // stored for pairs of pixels (2t, 2t + 1) and shown as 3/4 of the own and 1/4 of the nearer
                        // other pair: JPEG's 4:2:0 chroma, as libjpeg's "fancy upsampling" and its kin show it
};

// One axis of a grid: the lines, ascending, in pixels from the left or top edge. Cell i lies between lines[i] and
// lines[i + 1]. The first and last may lie outside the picture by up to half a cell.
struct GridAxis {
  double cell = 0;            // mean width of a cell, pixels
  double blur = 0;            // sigma of the picture's blur across this axis' lines, pixels; 0: hard edges
  Aperture chroma;            // how colour differences are seen (JPEG blurs them more)
  std::vector<double> lines;  // number of cells + 1

  int cells() const { return int(lines.size()) - 1; }
};

struct Grid {
  GridAxis x, y;
  double evidence = 0;    // of the weaker axis: how much likelier this grid makes an edge's place, nats
  double confidence = 0;  // 0–1: how far ahead this grid is of the next best with another size
};

struct GridOptions {
  double hint = 0;            // about how many pixels wide a cell is; 0: unknown
  int columns = 0, rows = 0;  // the size to force; 0: find it
  double cell_min = 2;        // pixels
  double cell_max = 128;      // pixels, or a 32nd of the side of a huge picture; never more than a quarter of it
};

// Errc::invalid for a picture under 8 pixels a side or impossible options; Errc::unavailable, with the reason, when
// the picture shows no grid (a photograph, a gradient, noise, or pixel art already at its true size).
Result<Grid> find_grid(const Picture& picture, const GridOptions& options = {});
Result<Grid> find_grid(const Views& views, const GridOptions& options);  // of a picture that is in planes already

}  // namespace sparky::pixel
