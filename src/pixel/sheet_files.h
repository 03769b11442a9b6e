// Sheet files: sprites from whatever holds them, and sheets and previews to where they are wanted.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "pixel/sheet.h"
#include "pixel/sheet_json.h"

namespace sparky::pixel {

// Sprites with the animations and slices that came with them.
struct SpriteSet {
  std::vector<Sprite> sprites;
  std::vector<Tag> tags;
  std::vector<Slice> slices;  // of the only file that has any
};

// One after another: pictures (named after the file), animations and Aseprite files (file_0, file_1, …, tagged), sheet
// JSON with its picture beside it (named as in the sheet). All told by content. `duration_ms` is for still pictures.
Result<SpriteSet> read_sprites(const std::vector<std::filesystem::path>& paths, int duration_ms = 100);

struct SheetAndPicture {
  Sheet sheet;
  Picture picture;
  std::filesystem::path picture_path;
};
// A sheet's JSON and the picture that it names, which must lie in the same directory or below.
Result<SheetAndPicture> read_sheet(const std::filesystem::path& json_path);

// What the suffix asks for: .json in the given form, .tres Godot SpriteFrames (of `texture`), .ron Bevy's layout, .tsx
// a Tiled tileset of tiles as large as the first frame.
Status write_sheet_data(const std::filesystem::path& path, const Sheet& sheet, SheetJson form,
                        const std::string& texture);

struct PreviewOptions {
  std::string tag;  // empty: all frames in order
  int scale = 1;
  int duration_ms = 0;  // 0: each frame's own
};
// The frames on one canvas (smaller ones at its top left), in the order in which they are played.
Result<Animation> make_preview(const SpriteSet& set, const PreviewOptions& options);
// .gif (colours and alpha reduced to what GIF holds; `reduced` tells) or .png/.apng.
Status write_animation(const std::filesystem::path& path, Animation animation, bool* reduced = nullptr);

// A sprite's name as a file name: without directories, dots at the front, and a picture's suffix.
std::string file_name_of(const std::string& sprite_name);

}  // namespace sparky::pixel
