// Cell colours: one colour for each cell of a known grid. Cells whose pixels agree get just that colour; the others
// the least-squares solution under the picture's blur (cells.h).
#pragma once
#include "pixel/grid.h"
#include "pixel/picture.h"

namespace sparky::pixel {

struct CellColors {
  Picture picture;   // columns × rows of the grid
  double error = 0;  // root mean square of the picture less the cells seen through its blur, levels of 255
};
// `views`: the picture in planes.
CellColors cell_colors(const Picture& picture, const Views& views, const Grid& grid);

}  // namespace sparky::pixel
