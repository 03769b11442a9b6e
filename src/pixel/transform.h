// Transform: moving, turning and scaling pictures without making a colour that was not there.
#pragma once
#include "base/error.h"
#include "pixel/picture.h"

namespace sparky::pixel {

struct Box {
  int x = 0, y = 0, width = 0, height = 0;
  friend bool operator==(const Box&, const Box&) = default;
};
// The smallest box around all pixels that are not transparent; 0×0 if there are none.
Box opaque_box(const Picture& picture);
// The box may lie partly or wholly outside, where the result has `fill`.
Picture crop(const Picture& picture, Box box, Rgba fill = {});
// Copies `from` onto `onto` at x, y (replacing, not blending); what lies outside is cut off.
void paste(Picture& onto, const Picture& from, int x, int y);

// The picture cut to its opaque box; a wholly transparent one becomes 1×1.
Picture trim(const Picture& picture);
Picture pad(const Picture& picture, int left, int top, int right, int bottom, Rgba fill = {});
struct Padding {
  int left = 0, top = 0, right = 0, bottom = 0;
  int to_width = 0, to_height = 0;  // the result's size, with what is between in equal parts around; 0: as it comes
  Rgba fill;
};
// Errc::invalid if it does not fit into the size, or would be larger than 16384 pixels a side.
Result<Picture> pad(const Picture& picture, const Padding& padding);
// Puts the opaque box into the middle (rounded to the left and up); the size stays.
Picture center(const Picture& picture);
// Moves the opaque box so that its lowest row is `margin` rows above the bottom; in x to the middle, if asked.
Picture align_baseline(const Picture& picture, int margin, bool center_x);

enum class Axis { horizontal, vertical };  // horizontal swaps left and right
Picture mirror(const Picture& picture, Axis axis);
Picture rotate90(const Picture& picture, int quarters);  // clockwise; exact

enum class Rotation {
  nearest,    // each pixel takes the one that lies there
  rotsprite,  // by way of an 8 times larger picture whose edges were smoothed (Scale2x three times)
};
// By any angle (degrees clockwise) about the middle; quarter turns are exact. The size stays, or with `fit` grows to
// hold every corner. Errc::invalid for pictures of more than 1024 pixels a side.
Result<Picture> rotate(const Picture& picture, double degrees, Rotation method = Rotation::rotsprite, bool fit = false);

Result<Picture> scale_up(const Picture& picture, int factor);
// The inverse of scale_up: Errc::invalid names the first block whose pixels differ.
Result<Picture> scale_down(const Picture& picture, int factor);

// --- tiles ---
// The picture moved by (x, y), coming in again at the other side: half its size brings the seams to the middle.
Picture offset(const Picture& picture, int x, int y);
Picture repeat(const Picture& picture, int columns, int rows);

// How much the picture changes across its seams, as the mean OKLab distance from one column (row) to the next
// (transparent to opaque counts 1), beside the largest such change inside.
struct Seams {
  double horizontal = 0, horizontal_inside = 0;  // from the last column to the first
  double vertical = 0, vertical_inside = 0;      // from the last row to the first
  bool seamless_x() const { return horizontal <= horizontal_inside * 1.25 + 0.01; }
  bool seamless_y() const { return vertical <= vertical_inside * 1.25 + 0.01; }
};
Seams measure_seams(const Picture& picture);

}  // namespace sparky::pixel
