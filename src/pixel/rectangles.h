// Rectangles: where a number of boxes lie on as small a sheet as can be found.
#pragma once
#include <optional>
#include <vector>

#include "pixel/transform.h"

namespace sparky::pixel {

struct Arrangement {
  int width = 0, height = 0;
  std::vector<Box> places;  // in the order given
};

// All of them overlap nothing; nothing if they do not fit into max_side × max_side.
std::optional<Arrangement> arrange_grid(const std::vector<Box>& boxes, int columns, int max_side);
std::optional<Arrangement> arrange_rows(const std::vector<Box>& boxes, int max_side);
// Maximal rectangles, best short side fit: Jukka Jylänki, "A Thousand Ways to Pack the Bin" (2010). Tries several
// widths.
std::optional<Arrangement> arrange_maxrects(const std::vector<Box>& boxes, int max_side, bool power_of_two);

}  // namespace sparky::pixel
