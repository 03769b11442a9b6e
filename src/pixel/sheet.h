// Sheet: sprites on one picture, and where each of them lies. Packing and unpacking are exact: what comes back from a
// sheet are the sprites that went in (a trimmed margin comes back as transparent black).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "pixel/picture.h"
#include "pixel/transform.h"

namespace sparky::pixel {

enum class Direction { forward, reverse, pingpong, pingpong_reverse };

// A named run of frames: an animation.
struct Tag {
  std::string name;
  int from = 0, to = 0;  // frames, both included
  Direction direction = Direction::forward;
  friend bool operator==(const Tag&, const Tag&) = default;
};
// The frames in the order in which they are shown once.
std::vector<int> played_frames(const Tag& tag);

struct Point {
  int x = 0, y = 0;
  friend bool operator==(const Point&, const Point&) = default;
};
// A named region, from each key's frame on; with `center` it is a 9-patch. In pixels of the unpacked sprite; center and
// pivot from the corner of the bounds.
struct SliceKey {
  int frame = 0;
  Box bounds;
  std::optional<Box> center;
  std::optional<Point> pivot;
  friend bool operator==(const SliceKey&, const SliceKey&) = default;
};
struct Slice {
  std::string name;
  Rgba color{0, 0, 255, 255};
  std::vector<SliceKey> keys;
  friend bool operator==(const Slice&, const Slice&) = default;
};

struct Sprite {
  std::string name;
  Picture picture;
  int duration_ms = 100;
};

struct SheetFrame {
  std::string name;
  Box place;                  // on the sheet
  Point inside;               // where the placed part lies within the sprite
  int width = 0, height = 0;  // of the whole sprite; larger than `place` if it was trimmed
  int duration_ms = 100;
  bool trimmed() const { return place.width != width || place.height != height; }
  friend bool operator==(const SheetFrame&, const SheetFrame&) = default;
};

struct Sheet {
  std::string image;  // the picture's file name
  int width = 0, height = 0;
  std::vector<SheetFrame> frames;
  std::vector<Tag> tags;
  std::vector<Slice> slices;
  friend bool operator==(const Sheet&, const Sheet&) = default;
};

enum class Layout {
  grid,      // equal cells, as large as the largest sprite
  rows,      // one after another, in the given order
  maxrects,  // tightest
};
struct PackOptions {
  Layout layout = Layout::grid;
  int columns = 0;  // grid: cells in a row; 0: about as wide as high
  int padding = 0;  // pixels between sprites
  int margin = 0;   // pixels around all of them
  int extrude = 0;  // repeats each sprite's edge outwards, against bleeding when it is drawn scaled
  bool trim = false;
  bool dedupe = false;  // equal sprites share their place
  bool power_of_two = false;
  int max_side = 8192;
};

struct PackedSheet {
  Picture picture;
  Sheet sheet;
};
// Errc::invalid: no sprite, two of one name, trimming in a grid, or they do not fit into max_side.
Result<PackedSheet> pack(const std::vector<Sprite>& sprites, const PackOptions& options = {});
// Errc::invalid names the frame that does not lie on the picture.
Result<std::vector<Sprite>> unpack(const Picture& picture, const Sheet& sheet);
// Frames `name_0`, `name_1`, … of equal size, row by row; wholly transparent ones at the end are left out.
Result<Sheet> grid_sheet(const Picture& picture, const std::string& name, int width, int height, int margin,
                         int spacing);

// Runs of at least two neighbours called PREFIX_NUMBER (or PREFIXNUMBER, "PREFIX NUMBER") become tags called PREFIX.
std::vector<Tag> tags_of_names(const std::vector<std::string>& names);
// Checks what others rely on: frames within the picture, tags and slices within the frames, names unique and not empty.
Status check_sheet(const Sheet& sheet, std::string_view name = "sheet");

}  // namespace sparky::pixel
