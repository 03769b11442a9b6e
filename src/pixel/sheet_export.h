// Sheet export: what game engines and map editors load beside the sheet's picture.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "pixel/sheet.h"

namespace sparky::pixel {

// Godot 4 SpriteFrames (.tres): an AtlasTexture for each frame, an animation for each tag (without tags one called
// "default"). Frames keep their durations; what a tag plays backwards is written out. `texture` is the picture's path
// in the project, as "res://assets/hero.png".
std::string godot_sprite_frames(const Sheet& sheet, const std::string& texture);
// One AtlasTexture (.tres) for each frame: its name and the file's text.
std::vector<std::pair<std::string, std::string>> godot_atlas_textures(const Sheet& sheet, const std::string& texture);

// Bevy's TextureAtlasLayout as RON, in the form that its serde and reflection read: frame i is `textures[i]`.
std::string bevy_layout(const Sheet& sheet);

// --- Tiled ---

// Which sets of tiles Tiled's terrain brush can draw with (https://doc.mapeditor.org/en/stable/manual/terrain/):
enum class WangSet {
  none,
  corner16,  // tile i has terrain in the corners of i's bits: NE 1, SE 2, SW 4, NW 8
  edge16,    // tile i has terrain at the edges of i's bits: N 1, E 2, S 4, W 8
  blob47,    // edges and corners, a corner only between two edges: tiles in the order of blob_masks()
};
// The 47 sets of neighbours, ascending: N 1, NE 2, E 4, SE 8, S 16, SW 32, W 64, NW 128.
const std::vector<int>& blob_masks();

struct TilesetOptions {
  std::string name;
  int tile_width = 16, tile_height = 16;
  int margin = 0, spacing = 0;
  WangSet wang = WangSet::none;
  std::string terrain = "terrain";  // the name of the wang set's colour
  Rgba terrain_color{255, 0, 0, 255};
};
// A Tiled tileset (.tsx) over a grid picture; the sheet's tags become animated tiles (their first frame shows them).
// Errc::invalid: frames that are no grid of that tile size, or fewer tiles than the wang set has.
Result<std::string> tiled_tileset(const Sheet& sheet, const TilesetOptions& options);

// 47 blob tiles of one 2×3 set of tiles ("autotile" as RPG Maker lays it out): top left the lone tile, top right the
// four inner corners, below 2×2 tiles of a filled square's outside. Errc::invalid if the picture is not 2×3 even tiles.
Result<std::vector<Sprite>> blob_from_autotile(const Picture& autotile);

}  // namespace sparky::pixel
