#include "pixel/sheet_export.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"

namespace sparky::pixel {
namespace {

// A string literal of Godot's text format.
std::string godot_text(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) >= ' ')
      out += c;
  }
  return out + '"';
}

// Region and margin by which an AtlasTexture shows the whole sprite: the margin's position is what was cut off left and
// above, its size what was cut off in all.
std::string godot_region(const SheetFrame& f) {
  std::string out =
      fmt::format("region = Rect2({}, {}, {}, {})\n", f.place.x, f.place.y, f.place.width, f.place.height);
  if (f.trimmed())
    out += fmt::format("margin = Rect2({}, {}, {}, {})\n", f.inside.x, f.inside.y, f.width - f.place.width,
                       f.height - f.place.height);
  return out;
}

// The wang id (top, top right, right, … top left; 1: terrain) of each tile of the set.
std::vector<std::string> wang_ids(WangSet set) {
  std::vector<std::string> out;
  auto id = [](auto on) {
    std::string text;
    for (int i = 0; i < 8; ++i) text += fmt::format("{}{}", i ? "," : "", on(i) ? 1 : 0);
    return text;
  };
  if (set == WangSet::corner16)
    for (int tile = 0; tile < 16; ++tile) out.push_back(id([&](int i) { return i % 2 == 1 && tile >> i / 2 & 1; }));
  if (set == WangSet::edge16)
    for (int tile = 0; tile < 16; ++tile) out.push_back(id([&](int i) { return i % 2 == 0 && tile >> i / 2 & 1; }));
  if (set == WangSet::blob47)
    for (int mask : blob_masks()) out.push_back(id([&](int i) { return mask >> i & 1; }));
  return out;
}

}  // namespace

std::string godot_sprite_frames(const Sheet& sheet, const std::string& texture) {
  std::string out =
      fmt::format("[gd_resource type=\"SpriteFrames\" load_steps={} format=3]\n\n", sheet.frames.size() + 2);
  out += fmt::format("[ext_resource type=\"Texture2D\" path={} id=\"1\"]\n", godot_text(texture));
  for (size_t i = 0; i < sheet.frames.size(); ++i)
    out += fmt::format("\n[sub_resource type=\"AtlasTexture\" id=\"AtlasTexture_{}\"]\natlas = ExtResource(\"1\")\n{}",
                       i, godot_region(sheet.frames[i]));
  auto tags = sheet.tags;
  if (tags.empty()) tags.push_back({"default", 0, int(sheet.frames.size()) - 1, Direction::forward});
  out += "\n[resource]\nanimations = [";
  for (size_t t = 0; t < tags.size(); ++t) {
    out += t ? ", {\n\"frames\": [" : "{\n\"frames\": [";
    auto played = played_frames(tags[t]);
    for (size_t i = 0; i < played.size(); ++i) {
      // With a speed of 10 frames a second, durations count in 100 ms.
      double duration = sheet.frames[size_t(played[i])].duration_ms / 100.0;
      out += fmt::format("{}{{\n\"duration\": {},\n\"texture\": SubResource(\"AtlasTexture_{}\")\n}}", i ? ", " : "",
                         duration == int(duration) ? fmt::format("{}.0", int(duration)) : fmt::format("{}", duration),
                         played[i]);
    }
    out += fmt::format("],\n\"loop\": true,\n\"name\": &{},\n\"speed\": 10.0\n}}", godot_text(tags[t].name));
  }
  return out + "]\n";
}

std::vector<std::pair<std::string, std::string>> godot_atlas_textures(const Sheet& sheet, const std::string& texture) {
  std::vector<std::pair<std::string, std::string>> out;
  for (auto& f : sheet.frames)
    out.emplace_back(f.name, fmt::format("[gd_resource type=\"AtlasTexture\" load_steps=2 format=3]\n\n"
                                         "[ext_resource type=\"Texture2D\" path={} id=\"1\"]\n\n"
                                         "[resource]\natlas = ExtResource(\"1\")\n{}",
                                         godot_text(texture), godot_region(f)));
  return out;
}

std::string bevy_layout(const Sheet& sheet) {
  std::string out;
  for (auto& t : sheet.tags) out += fmt::format("// {}: {}..={}\n", printable(t.name), t.from, t.to);
  out += fmt::format("(\n    size: ({}, {}),\n    textures: [\n", sheet.width, sheet.height);
  for (size_t i = 0; i < sheet.frames.size(); ++i) {
    auto& p = sheet.frames[i].place;
    std::string name = printable(sheet.frames[i].name);
    std::ranges::replace(name, '\n', ' ');
    out += fmt::format("        (min: ({}, {}), max: ({}, {})), // {} {}\n", p.x, p.y, p.x + p.width, p.y + p.height, i,
                       name);
  }
  return out + "    ],\n)\n";
}

const std::vector<int>& blob_masks() {
  static const auto masks = [] {
    std::vector<int> out;
    for (int mask = 0; mask < 256; ++mask) {
      bool good = true;
      for (int corner = 1; corner < 8; corner += 2)  // each lies between the edges before and after it
        good &= !(mask >> corner & 1) || ((mask >> (corner - 1) & 1) && (mask >> (corner + 1) % 8 & 1));
      if (good) out.push_back(mask);
    }
    return out;
  }();
  return masks;
}

Result<std::string> tiled_tileset(const Sheet& sheet, const TilesetOptions& o) {
  int step_x = o.tile_width + o.spacing, step_y = o.tile_height + o.spacing;
  int columns = (sheet.width - 2 * o.margin + o.spacing) / step_x,
      rows = (sheet.height - 2 * o.margin + o.spacing) / step_y;
  if (columns < 1 || rows < 1)
    return fail(Errc::invalid, fmt::format("no tile of {}×{} fits into {}×{}", o.tile_width, o.tile_height, sheet.width,
                                           sheet.height));
  std::vector<int> tile_of;  // for each frame
  for (auto& f : sheet.frames) {
    int x = f.place.x - o.margin, y = f.place.y - o.margin;
    if (f.place.width != o.tile_width || f.place.height != o.tile_height || f.trimmed() || x % step_x || y % step_y)
      return fail(Errc::invalid,
                  fmt::format("frame {} is no tile of {}×{} in a grid", printable(f.name), o.tile_width, o.tile_height),
                  "pack tiles of one size with --layout grid");
    tile_of.push_back(y / step_y * columns + x / step_x);
  }
  auto ids = wang_ids(o.wang);
  if (ids.size() > sheet.frames.size())
    return fail(Errc::invalid,
                fmt::format("the wang set needs {} tiles, the sheet has {}", ids.size(), sheet.frames.size()));

  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += fmt::format("<tileset version=\"1.10\" tiledversion=\"1.10.2\" name=\"{}\" tilewidth=\"{}\" tileheight=\"{}\"",
                     escape_xml(o.name), o.tile_width, o.tile_height);
  if (o.spacing) out += fmt::format(" spacing=\"{}\"", o.spacing);
  if (o.margin) out += fmt::format(" margin=\"{}\"", o.margin);
  out += fmt::format(" tilecount=\"{}\" columns=\"{}\">\n", columns * rows, columns);
  out += fmt::format(" <image source=\"{}\" width=\"{}\" height=\"{}\"/>\n", escape_xml(sheet.image), sheet.width,
                     sheet.height);
  std::map<int, const Tag*> animated;
  for (auto& t : sheet.tags) animated.try_emplace(tile_of[size_t(played_frames(t).front())], &t);
  for (auto& [tile, tag] : animated) {
    out += fmt::format(" <tile id=\"{}\">\n  <animation>\n", tile);
    for (int i : played_frames(*tag))
      out += fmt::format("   <frame tileid=\"{}\" duration=\"{}\"/>\n", tile_of[size_t(i)],
                         sheet.frames[size_t(i)].duration_ms);
    out += "  </animation>\n </tile>\n";
  }
  if (!ids.empty()) {
    const char* type = o.wang == WangSet::corner16 ? "corner" : o.wang == WangSet::edge16 ? "edge" : "mixed";
    out += fmt::format(" <wangsets>\n  <wangset name=\"{}\" type=\"{}\" tile=\"-1\">\n", escape_xml(o.name), type);
    out += fmt::format("   <wangcolor name=\"{}\" color=\"#{:02x}{:02x}{:02x}\" tile=\"-1\" probability=\"1\"/>\n",
                       escape_xml(o.terrain), o.terrain_color.r, o.terrain_color.g, o.terrain_color.b);
    for (size_t i = 0; i < ids.size(); ++i)
      out += fmt::format("   <wangtile tileid=\"{}\" wangid=\"{}\"/>\n", tile_of[i], ids[i]);
    out += "  </wangset>\n </wangsets>\n";
  }
  return out + "</tileset>\n";
}

Result<std::vector<Sprite>> blob_from_autotile(const Picture& a) {
  int width = a.width / 2, height = a.height / 3;
  if (width < 2 || height < 2 || width % 2 || height % 2 || width * 2 != a.width || height * 3 != a.height)
    return fail(Errc::invalid, fmt::format("{}×{} is not an autotile of 2×3 tiles with even sides", a.width, a.height));
  int w = width / 2, h = height / 2;  // of a quarter
  std::vector<Sprite> out;
  for (int mask : blob_masks()) {
    Picture tile(width, height);
    for (int q = 0; q < 4; ++q) {  // NW, NE, SW, SE
      int right = q % 2, low = q / 2;
      bool beside = mask >> (right ? 2 : 6) & 1;  // E or W
      bool above = mask >> (low ? 4 : 0) & 1;     // S or N
      bool corner = mask >> (low ? (right ? 3 : 5) : (right ? 1 : 7)) & 1;
      // Where the quarter stands in the autotile, counted in quarters; the square below begins at row 2 and is 4×4.
      int x, y;
      if (beside && above && !corner)
        x = 2 + right, y = low;  // an inner corner
      else if (beside && above)
        x = right ? 1 : 2, y = 2 + (low ? 1 : 2);  // the square's middle
      else if (beside)
        x = right ? 1 : 2, y = 2 + (low ? 3 : 0);  // its upper or lower edge
      else if (above)
        x = right ? 3 : 0, y = 2 + (low ? 1 : 2);  // its left or right edge
      else
        x = right ? 3 : 0, y = 2 + (low ? 3 : 0);  // its corner
      paste(tile, crop(a, {x * w, y * h, w, h}), right * w, low * h);
    }
    out.push_back({fmt::format("blob_{:03}", mask), std::move(tile)});
  }
  return out;
}

}  // namespace sparky::pixel
