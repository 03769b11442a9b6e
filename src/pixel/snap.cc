#include "pixel/snap.h"

#include "pixel/cell_colors.h"

namespace sparky::pixel {

Result<Snapped> snap(const Picture& picture, const GridOptions& options) {
  Snapped out;
  SPARKY_ASSIGN(out.grid, find_grid(picture, options));
  CellColors colors = cell_colors(picture, out.grid);
  out.picture = std::move(colors.picture);
  out.error = colors.error;
  return out;
}

}  // namespace sparky::pixel
