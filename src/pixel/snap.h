// Snap: makes true pixel art of a picture that only looks like it: finds the grid and gives each cell one colour.
#pragma once
#include "base/error.h"
#include "pixel/grid.h"
#include "pixel/picture.h"

namespace sparky::pixel {

struct Snapped {
  Picture picture;          // one pixel a cell
  Grid grid;                // of the picture after it was straightened, if it was tilted
  double tilt_degrees = 0;  // clockwise, up to 2; looked for where the picture as it is shows no grid
  double error = 0;         // root mean square difference between the input and the cells seen through its blur, 0–255
};

// Errors as find_grid().
Result<Snapped> snap(const Picture& picture, const GridOptions& options = {});

}  // namespace sparky::pixel
