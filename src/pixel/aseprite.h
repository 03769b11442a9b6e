// Aseprite files (.ase, .aseprite): layers, cels, frames, tags, slices and palette, read and written, so that an artist
// can go on by hand. Format: https://github.com/aseprite/aseprite/blob/main/docs/ase-file-specs.md
// Not kept: user data, ICC profiles, the grid. Tilemap layers are refused with a word on how to convert them.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "pixel/blend.h"
#include "pixel/files.h"
#include "pixel/sheet.h"

namespace sparky::pixel {

enum class AseMode { indexed = 8, grayscale = 16, rgba = 32 };  // bits a pixel

struct AseLayer {
  enum Flag { visible = 1, editable = 2, locked = 4, background = 8, reference = 64 };
  std::string name;
  int flags = visible | editable;
  bool group = false;
  int level = 0;  // how deep in groups
  Blend blend = Blend::normal;
  int opacity = 255;
  friend bool operator==(const AseLayer&, const AseLayer&) = default;
};

// What one layer shows in one frame. A linked cel shows what the same layer has in another frame.
struct AseCel {
  int layer = 0;
  int x = 0, y = 0;
  int opacity = 255;
  int z = 0;      // moves it before (or behind) as many layers
  int link = -1;  // the frame whose cel it is; then no pixels of its own
  int width = 0, height = 0;
  std::vector<uint8_t> pixels;  // RGBA; value and alpha; or an index
  friend bool operator==(const AseCel&, const AseCel&) = default;
};

struct AseFrame {
  int duration_ms = 100;  // 1 to 65535
  std::vector<AseCel> cels;
  friend bool operator==(const AseFrame&, const AseFrame&) = default;
};

struct AseTag {
  Tag tag;
  int repeat = 0;  // 0: for ever
  Rgba color{0, 0, 0, 255};
  friend bool operator==(const AseTag&, const AseTag&) = default;
};

struct AseSprite {
  int width = 0, height = 0;
  AseMode mode = AseMode::rgba;
  std::vector<Rgba> palette;               // up to 256
  std::vector<std::string> palette_names;  // none, or one for each colour
  int transparent_index = 0;               // of indexed sprites: nothing in layers other than the background
  std::vector<AseLayer> layers;            // from the bottom
  std::vector<AseFrame> frames;
  std::vector<AseTag> tags;
  std::vector<Slice> slices;  // their colour is not in the file
  friend bool operator==(const AseSprite&, const AseSprite&) = default;
};

bool is_aseprite(std::string_view bytes);
Result<AseSprite> decode_aseprite(std::string_view bytes, std::string_view name = "sprite", const Limits& limits = {});
// Errc::invalid for what the format cannot hold (sizes, pixels that do not fit a cel, links to nothing).
Result<std::string> encode_aseprite(const AseSprite& sprite);

// The visible layers of every frame, blended.
Result<Animation> flatten(const AseSprite& sprite);
// One layer, a cel for each frame (cut to what is not transparent, equal neighbours linked); the palette, if all frames
// together have up to 256 colours. All pictures must be of one size.
Result<AseSprite> make_aseprite(const std::vector<Sprite>& frames, const std::vector<Tag>& tags = {},
                                const std::vector<Slice>& slices = {});

}  // namespace sparky::pixel
