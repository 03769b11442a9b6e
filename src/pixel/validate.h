// Validate: is a sprite what a game expects? Names, sizes, colours, alpha, frames that belong together, tile seams and
// file sizes, by a profile that a team writes down once (TOML) or one of those that come with Sparky.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"
#include "base/error.h"
#include "pixel/picture.h"

namespace sparky::pixel {

// A zero or false rule is not checked.
struct Profile {
  std::string name;
  std::string name_pattern;            // ECMAScript regular expression for the whole file name without ".png"
  int width_min = 0, width_max = 0;    // pixels
  int height_min = 0, height_max = 0;  // pixels
  int multiple_of = 0;                 // width and height are multiples of this
  bool power_of_two = false, square = false;
  int colors_max = 0;             // opaque and half-transparent ones; transparent is no colour
  bool binary_alpha = false;      // alpha is 0 or 255
  bool opaque = false;            // no transparency at all
  bool not_empty = true;          // something is to be seen
  bool frames_same_size = false;  // of one animation (names that differ in the last number only)
  bool frames_numbered = false;   // their numbers have no gap
  int frames_min = 0;
  int palette_drift_max = -1;   // colours that a frame has and the first has not; -1: any
  int baseline_drift_max = -1;  // pixels that the lowest visible row moves between frames; -1: any
  bool seamless = false;        // tiles: opposite borders fit
  int64_t file_bytes_max = 0;
};

const std::vector<Profile>& builtin_profiles();  // bevy, godot, tiled, plain
// The built-in profile of that name, or the TOML file. Unknown fields and wrong types are errors with line and column.
Result<Profile> find_profile(std::string_view name_or_file);
Result<Profile> parse_profile(std::string_view toml, const std::string& file);
std::string to_toml(const Profile& profile);  // parse_profile() reads the same back

// A name after `category_name[_variant][_frame]`: "character_knight_walk_0001" is frame 1 of "character_knight_walk".
struct SpriteName {
  std::string base;               // without the frame
  std::string category, variant;  // "character", "walk"; may be empty
  std::optional<int> frame;
};
SpriteName parse_sprite_name(std::string_view stem);

struct SpriteFile {
  std::string file;  // as shown to people
  std::string stem;  // its name without ".png"
  Picture picture;
  int64_t file_bytes = 0;
};

struct Finding {
  std::string rule;  // the profile's field
  Diagnostic diagnostic;
};
// Every rule that a sprite breaks, in the order of the sprites.
std::vector<Finding> validate(std::span<const SpriteFile> sprites, const Profile& profile);

}  // namespace sparky::pixel
