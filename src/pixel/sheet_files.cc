#include "pixel/sheet_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "pixel/aseprite.h"
#include "pixel/clean.h"
#include "pixel/files.h"
#include "pixel/palette.h"
#include "pixel/sheet_export.h"

namespace sparky::pixel {
namespace fs = std::filesystem;
namespace {

// Adds frames called name_0, name_1, … and tags that count from the first of them.
void add_frames(SpriteSet& set, const std::string& name, Animation animation, const std::vector<Tag>& tags) {
  int first = int(set.sprites.size());
  for (size_t i = 0; i < animation.frames.size(); ++i)
    set.sprites.push_back(
        {fmt::format("{}_{}", name, i), std::move(animation.frames[i].picture), animation.frames[i].duration_ms});
  for (Tag t : tags) {
    t.from += first;
    t.to += first;
    set.tags.push_back(std::move(t));
  }
}

Status take_slices(SpriteSet& set, std::vector<Slice> slices, size_t first_frame) {
  if (slices.empty()) return {};
  if (!set.slices.empty() || first_frame != 0)
    return fail(Errc::invalid, "slices belong to the frames of one file, so only the first file may have some",
                "pack the files one by one");
  set.slices = std::move(slices);
  return {};
}

Status read_one(SpriteSet& set, const fs::path& path, int duration_ms) {
  SPARKY_ASSIGN(auto bytes, read_file(path, Limits().bytes));
  std::string name = path.stem().string();
  size_t first = set.sprites.size();
  if (is_aseprite(bytes)) {
    SPARKY_ASSIGN(auto ase, decode_aseprite(bytes, path.string()));
    SPARKY_ASSIGN(auto animation, flatten(ase));
    std::vector<Tag> tags;
    for (auto& t : ase.tags) tags.push_back(t.tag);
    if (animation.frames.size() == 1)
      set.sprites.push_back({name, std::move(animation.frames[0].picture), animation.frames[0].duration_ms});
    else
      add_frames(set, name, std::move(animation), tags);
    return take_slices(set, ase.slices, first);
  }
  if (sparky::trim(std::string_view(bytes).substr(0, 64)).starts_with('{')) {
    SPARKY_ASSIGN(auto sheet, read_sheet(path));
    SPARKY_ASSIGN(auto sprites, unpack(sheet.picture, sheet.sheet));
    std::ranges::move(sprites, std::back_inserter(set.sprites));
    for (Tag t : sheet.sheet.tags) {
      t.from += int(first);
      t.to += int(first);
      set.tags.push_back(std::move(t));
    }
    return take_slices(set, sheet.sheet.slices, first);
  }
  SPARKY_ASSIGN(auto animation, decode_animation(bytes, path.string()));
  if (animation.frames.size() == 1) {
    set.sprites.push_back({name, std::move(animation.frames[0].picture), duration_ms});
    return {};
  }
  std::vector<Tag> tag{{name, 0, int(animation.frames.size()) - 1, Direction::forward}};
  add_frames(set, name, std::move(animation), tag);
  return {};
}

}  // namespace

Result<SpriteSet> read_sprites(const std::vector<fs::path>& paths, int duration_ms) {
  SpriteSet out;
  for (auto& path : paths) SPARKY_TRY(read_one(out, path, duration_ms));
  return out;
}

Result<SheetAndPicture> read_sheet(const fs::path& path) {
  SPARKY_ASSIGN(auto text, read_file(path, 32u << 20));
  SPARKY_ASSIGN(auto sheet, decode_sheet_json(text, path.string()));
  fs::path image = fs::path(sheet.image).lexically_normal();
  if (image.empty() || image.is_absolute() || *image.begin() == "..")
    return fail(Errc::invalid,
                fmt::format("{}: meta.image \"{}\" is no file beside it", path.string(), printable(sheet.image)));
  SheetAndPicture out{std::move(sheet), {}, path.parent_path() / image};
  SPARKY_ASSIGN(out.picture, read_picture(out.picture_path));
  if (out.picture.width != out.sheet.width || out.picture.height != out.sheet.height)
    return fail(Errc::invalid,
                fmt::format("{}: the sheet is {}×{}, its picture {} is {}×{}", path.string(), out.sheet.width,
                            out.sheet.height, out.picture_path.string(), out.picture.width, out.picture.height),
                "pack the sheet again");
  return out;
}

Status write_sheet_data(const fs::path& path, const Sheet& sheet, SheetJson form, const std::string& texture) {
  auto suffix = lower(path.extension().string());
  if (suffix == ".json") return write_file_atomic(path, encode_sheet_json(sheet, form));
  if (suffix == ".tres") return write_file_atomic(path, godot_sprite_frames(sheet, texture));
  if (suffix == ".ron") return write_file_atomic(path, bevy_layout(sheet));
  if (suffix == ".tsx") {
    TilesetOptions options;
    options.name = path.stem().string();
    options.tile_width = sheet.frames.front().place.width;
    options.tile_height = sheet.frames.front().place.height;
    SPARKY_ASSIGN(auto text, tiled_tileset(sheet, options));
    return write_file_atomic(path, text);
  }
  return fail(Errc::invalid, fmt::format("{}: no sheet data has this suffix", path.string()),
              ".json (Aseprite, TexturePacker), .tres (Godot), .ron (Bevy) or .tsx (Tiled)");
}

Result<Animation> make_preview(const SpriteSet& set, const PreviewOptions& options) {
  if (set.sprites.empty()) return fail(Errc::invalid, "there is no frame to show");
  std::vector<int> order = played_frames({"", 0, int(set.sprites.size()) - 1, Direction::forward});
  if (!options.tag.empty()) {
    auto tag = std::ranges::find(set.tags, options.tag, &Tag::name);
    std::vector<std::string> names;
    for (auto& t : set.tags) names.push_back(t.name);
    if (tag == set.tags.end())
      return fail(Errc::not_found, fmt::format("no animation is called {}", printable(options.tag)),
                  names.empty() ? "there are none; leave out --tag" : "there are: " + join(names, ", "));
    order = played_frames(*tag);
  }
  Animation out;
  for (int i : order) {
    out.width = std::max(out.width, set.sprites[size_t(i)].picture.width);
    out.height = std::max(out.height, set.sprites[size_t(i)].picture.height);
  }
  uint64_t pixels =
      uint64_t(out.width) * uint64_t(out.height) * uint64_t(options.scale) * uint64_t(options.scale) * order.size();
  if (pixels > Limits().pixels)
    return fail(Errc::invalid,
                fmt::format("{} frames of {}×{}, {} times larger, are too many pixels", order.size(), out.width,
                            out.height, options.scale),
                "choose a smaller --scale");
  for (int i : order) {
    Picture canvas(out.width, out.height);
    paste(canvas, set.sprites[size_t(i)].picture, 0, 0);
    SPARKY_ASSIGN(auto scaled, scale_up(canvas, options.scale));
    out.frames.push_back(
        {std::move(scaled), options.duration_ms ? options.duration_ms : set.sprites[size_t(i)].duration_ms});
  }
  out.width *= options.scale;
  out.height *= options.scale;
  return out;
}

Status write_animation(const fs::path& path, Animation animation, bool* reduced) {
  auto suffix = lower(path.extension().string());
  if (suffix == ".png" || suffix == ".apng") {
    SPARKY_ASSIGN(auto bytes, encode_apng(animation));
    return write_file_atomic(path, bytes);
  }
  if (suffix != ".gif")
    return fail(Errc::invalid, fmt::format("{}: animations are written as GIF or APNG", path.string()),
                "end it in .gif or .png");
  bool changed = false;
  for (auto& frame : animation.frames) {
    Picture hard = binary_alpha(frame.picture);
    if (count_colors(hard).size() > 255) {
      SPARKY_ASSIGN(hard, remap(hard, quantize(hard, 255)));
    }
    for (size_t i = 0; i < hard.pixels.size(); ++i)
      changed |= hard.pixels[i] != frame.picture.pixels[i] && (hard.pixels[i].a || frame.picture.pixels[i].a);
    frame.picture = std::move(hard);
  }
  if (reduced) *reduced = changed;
  SPARKY_ASSIGN(auto bytes, encode_gif(animation));
  return write_file_atomic(path, bytes);
}

std::string file_name_of(const std::string& sprite_name) {
  std::string out = sprite_name;
  std::ranges::replace_if(
      out, [](char c) { return c == '/' || c == '\\' || c == ':' || static_cast<unsigned char>(c) < ' '; }, '_');
  for (std::string_view suffix : {".png", ".aseprite", ".ase", ".gif"})
    if (lower(out).ends_with(suffix)) out.erase(out.size() - suffix.size());
  while (out.ends_with('.')) out.pop_back();  // Aseprite calls frames "hero 0."
  if (out.empty()) return "_";
  if (out.front() == '.') out.front() = '_';
  return out.substr(0, 200);
}

}  // namespace sparky::pixel
