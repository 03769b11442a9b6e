#include "pixel/snap.h"

#include "pixel/cell_colors.h"
#include "pixel/planes.h"

namespace sparky::pixel {

Result<Snapped> snap(const Picture& picture, const GridOptions& options) {
  Snapped out;
  const Views views = views_of(to_planes(picture));
  SPARKY_ASSIGN(out.grid, find_grid(views, options));
  CellColors colors = cell_colors(picture, views, out.grid);
  out.picture = std::move(colors.picture);
  out.error = colors.error;
  return out;
}

}  // namespace sparky::pixel
