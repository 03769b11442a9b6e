// File work: pictures, sheets and checks from files to files, told as JSON. What a command and the job of the same name
// both do.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "pixel/grid.h"
#include "pixel/sheet.h"
#include "pixel/sheet_files.h"
#include "pixel/validate.h"
#include "studio/deploy.h"

namespace sparky::studio {

// One picture in, one out; what it has to say about it goes into `facts`, and as a "note" for people.
using Operation = std::function<Result<pixel::Picture>(const pixel::Picture&, Json& facts)>;

// Reads a picture, applies the operation, writes the result as PNG with the input's PNG texts. Gives {"input",
// "output", "width", "height", "colors"} and the operation's facts; errors begin with the input's name.
Result<Json> convert_picture(const std::filesystem::path& input, const std::filesystem::path& output, bool indexed,
                             const Operation& operation);
// DIRECTORY/STEM.png for each input; Errc::invalid if two would be one.
Result<std::vector<std::filesystem::path>> outputs_in(const std::filesystem::path& directory,
                                                      const std::vector<std::filesystem::path>& inputs);

// pixel::snap, with "grid", "confidence" and "error" as its facts.
Operation snap_operation(const pixel::GridOptions& options);

struct SheetWork {
  std::vector<std::filesystem::path> inputs;  // as pixel::read_sprites takes them
  std::filesystem::path output;               // .png
  std::vector<std::filesystem::path> data;    // none: OUTPUT.json
  pixel::PackOptions pack;
  pixel::SheetJson form = pixel::SheetJson::aseprite_hash;
  std::vector<std::string> tags;  // "NAME=FROM-TO[:DIRECTION]"
  bool no_tags = false;           // numbered names do not become animations
  std::string texture;            // for .tres; empty: res://OUTPUT
  int duration_ms = 100;          // of still pictures
};
// The sprites with their animations: those they came with, else by their numbered names, and `tags`.
Result<pixel::SpriteSet> read_sprite_set(const SheetWork& work);
// Gives {"image", "width", "height", "frames", "tags", "used", "files"}.
Result<Json> pack_sheet(const SheetWork& work);
Json describe(const pixel::Sheet& sheet);  // {"image", "width", "height", "frames", "tags"}
// The picture as a data file that may lie elsewhere should name it.
std::string image_name(const std::filesystem::path& picture, const std::filesystem::path& data);

Result<std::vector<pixel::SpriteFile>> read_sprite_files(const std::vector<std::filesystem::path>& files);
Json to_json(const std::vector<pixel::Finding>& findings);  // [{"file", "rule", "message", "help"}]
Json to_json(const Deployment& deployment);                 // {"files", "manifest_changed", "backup", "findings"}
Json to_json(const Rollback& rollback);                     // {"backup", "restored", "removed"}

}  // namespace sparky::studio
