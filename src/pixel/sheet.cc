#include "pixel/sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <map>
#include <set>

#include "base/text.h"
#include "pixel/color.h"
#include "pixel/files.h"
#include "pixel/rectangles.h"

namespace sparky::pixel {
namespace {

Status check_names(const std::vector<Sprite>& sprites) {
  std::set<std::string_view> names;
  for (auto& s : sprites) {
    if (s.name.empty()) return fail(Errc::invalid, "a sprite has no name");
    if (s.picture.empty()) return fail(Errc::invalid, fmt::format("{}: the sprite has no pixels", s.name));
    if (!names.insert(s.name).second)
      return fail(Errc::invalid, fmt::format("two sprites are called {}", printable(s.name)), "rename one of them");
  }
  return {};
}

// Draws the part at its place, with its edge repeated `extrude` pixels outwards.
void draw(Picture& sheet, const Picture& part, const Box& place, int extrude) {
  for (int y = -extrude; y < place.height + extrude; ++y)
    for (int x = -extrude; x < place.width + extrude; ++x)
      sheet.at(place.x + x, place.y + y) = part.at(std::clamp(x, 0, part.width - 1), std::clamp(y, 0, part.height - 1));
}

// "walk_03" → "walk"; nothing if it does not end in a number, or is nothing else.
std::string_view numbered_prefix(std::string_view name) {
  size_t end = name.find_last_not_of("0123456789");
  if (end == std::string_view::npos || end + 1 == name.size()) return {};
  auto prefix = name.substr(0, end + 1);
  while (!prefix.empty() && (prefix.back() == '_' || prefix.back() == '-' || prefix.back() == ' '))
    prefix.remove_suffix(1);
  return prefix;
}

}  // namespace

std::vector<int> played_frames(const Tag& tag) {
  std::vector<int> out;
  for (int i = tag.from; i <= tag.to; ++i) out.push_back(i);
  bool back_first = tag.direction == Direction::reverse || tag.direction == Direction::pingpong_reverse;
  if (back_first) std::ranges::reverse(out);
  if (tag.direction == Direction::pingpong || tag.direction == Direction::pingpong_reverse)
    for (size_t i = out.size() - 1; i-- > 1;) out.push_back(out[i]);
  return out;
}

Result<PackedSheet> pack(const std::vector<Sprite>& sprites, const PackOptions& options) {
  if (sprites.empty()) return fail(Errc::invalid, "there is no sprite to pack");
  SPARKY_TRY(check_names(sprites));
  if (options.trim && options.layout == Layout::grid)
    return fail(Errc::invalid, "in a grid every cell is whole, so nothing can be trimmed",
                "pack with rows or maxrects, or do not trim");

  PackedSheet out;
  std::vector<Picture> parts;   // what is drawn, each once
  std::vector<size_t> part_of;  // for each sprite
  std::map<std::pair<std::pair<int, int>, std::vector<uint32_t>>, size_t> known;
  for (auto& sprite : sprites) {
    Box box{0, 0, sprite.picture.width, sprite.picture.height};
    if (options.trim) {
      box = opaque_box(sprite.picture);
      if (box.width == 0) box = {0, 0, 1, 1};
    }
    Picture part = crop(sprite.picture, box);
    out.sheet.frames.push_back({sprite.name,
                                {0, 0, box.width, box.height},
                                {box.x, box.y},
                                sprite.picture.width,
                                sprite.picture.height,
                                sprite.duration_ms});
    size_t index = parts.size();
    if (options.dedupe) {
      std::vector<uint32_t> pixels(part.pixels.size());
      std::ranges::transform(part.pixels, pixels.begin(), key);
      index = known.try_emplace({{part.width, part.height}, std::move(pixels)}, parts.size()).first->second;
    }
    if (index == parts.size()) parts.push_back(std::move(part));
    part_of.push_back(index);
  }

  // Each box carries its extrusion and, to the right and below, the padding; the last padding is taken off again.
  int around = 2 * options.extrude + options.padding;
  std::vector<Box> boxes;
  for (auto& p : parts) boxes.push_back({0, 0, p.width + around, p.height + around});
  int room = options.max_side - 2 * options.margin + options.padding;
  std::optional<Arrangement> arranged;
  if (options.layout == Layout::grid) arranged = arrange_grid(boxes, options.columns, room);
  if (options.layout == Layout::rows) arranged = arrange_rows(boxes, room);
  if (options.layout == Layout::maxrects) arranged = arrange_maxrects(boxes, room, options.power_of_two);
  if (!arranged)
    return fail(Errc::invalid,
                fmt::format("{0} sprites do not fit into {1}×{1} pixels", sprites.size(), options.max_side),
                "pack fewer of them, or with maxrects and trim");
  out.sheet.width = arranged->width - options.padding + 2 * options.margin;
  out.sheet.height = arranged->height - options.padding + 2 * options.margin;
  if (options.power_of_two) {
    out.sheet.width = int(std::bit_ceil(unsigned(out.sheet.width)));
    out.sheet.height = int(std::bit_ceil(unsigned(out.sheet.height)));
  }
  out.picture = Picture(out.sheet.width, out.sheet.height);
  int shift = options.margin + options.extrude;
  for (size_t i = 0; i < parts.size(); ++i)
    draw(out.picture, parts[i],
         {arranged->places[i].x + shift, arranged->places[i].y + shift, parts[i].width, parts[i].height},
         options.extrude);
  for (size_t i = 0; i < sprites.size(); ++i) {
    out.sheet.frames[i].place.x = arranged->places[part_of[i]].x + shift;
    out.sheet.frames[i].place.y = arranged->places[part_of[i]].y + shift;
  }
  return out;
}

Result<std::vector<Sprite>> unpack(const Picture& picture, const Sheet& sheet) {
  std::vector<Sprite> out;
  uint64_t pixels = 0;
  for (auto& f : sheet.frames) {
    pixels += uint64_t(std::max(f.width, 0)) * uint64_t(std::max(f.height, 0));
    if (f.width < 1 || f.height < 1 || pixels > Limits().pixels)
      return fail(Errc::invalid,
                  fmt::format("frame {} of {}×{} is empty or makes more than {} pixels together, the limit",
                              printable(f.name), f.width, f.height, Limits().pixels));
    if (f.place.width < 1 || f.place.height < 1 || f.place.x < 0 || f.place.y < 0 ||
        f.place.x > picture.width - f.place.width || f.place.y > picture.height - f.place.height)
      return fail(Errc::invalid,
                  fmt::format("frame {} lies at {},{} with {}×{} pixels, but the picture has {}×{}", printable(f.name),
                              f.place.x, f.place.y, f.place.width, f.place.height, picture.width, picture.height),
                  "is this the picture that belongs to the sheet?");
    Picture sprite(f.width, f.height);
    paste(sprite, crop(picture, f.place), f.inside.x, f.inside.y);
    out.push_back({f.name, std::move(sprite), f.duration_ms});
  }
  return out;
}

Result<Sheet> grid_sheet(const Picture& picture, const std::string& name, int width, int height, int margin,
                         int spacing) {
  Sheet out{"", picture.width, picture.height, {}, {}, {}};
  if (width < 1 || height < 1 || margin < 0 || spacing < 0) return fail(Errc::invalid, "a cell has at least one pixel");
  int columns = (picture.width - 2 * margin + spacing) / (width + spacing);
  int rows = (picture.height - 2 * margin + spacing) / (height + spacing);
  if (columns < 1 || rows < 1)
    return fail(Errc::invalid,
                fmt::format("no cell of {}×{} fits into {}×{}", width, height, picture.width, picture.height));
  size_t used = 0;
  for (int i = 0; i < columns * rows; ++i) {
    Box place{margin + i % columns * (width + spacing), margin + i / columns * (height + spacing), width, height};
    out.frames.push_back({fmt::format("{}_{}", name, i), place, {0, 0}, width, height, 100});
    if (opaque_box(crop(picture, place)).width) used = out.frames.size();
  }
  out.frames.resize(std::max<size_t>(used, 1));
  return out;
}

std::vector<Tag> tags_of_names(const std::vector<std::string>& names) {
  std::vector<Tag> out;
  for (size_t i = 0; i < names.size();) {
    auto prefix = numbered_prefix(names[i]);
    size_t end = i + 1;
    while (!prefix.empty() && end < names.size() && numbered_prefix(names[end]) == prefix) ++end;
    if (end - i >= 2) out.push_back({std::string(prefix), int(i), int(end) - 1, Direction::forward});
    i = end;
  }
  return out;
}

Status check_sheet(const Sheet& sheet, std::string_view name) {
  auto wrong = [&](std::string what) { return fail(Errc::invalid, fmt::format("{}: {}", name, what)); };
  if (sheet.frames.empty()) return wrong("it has no frame");
  std::set<std::string_view> names;
  for (auto& f : sheet.frames) {
    auto& p = f.place;
    if (f.name.empty() || !names.insert(f.name).second)
      return wrong(fmt::format("frame name \"{}\" is empty or taken", printable(f.name)));
    if (p.width < 1 || p.height < 1 || p.x < 0 || p.y < 0 || p.x > sheet.width - p.width ||
        p.y > sheet.height - p.height)
      return wrong(fmt::format("frame {} at {},{} of {}×{} lies outside the picture of {}×{}", printable(f.name), p.x,
                               p.y, p.width, p.height, sheet.width, sheet.height));
    if (f.inside.x < 0 || f.inside.y < 0 || f.inside.x > f.width - p.width || f.inside.y > f.height - p.height)
      return wrong(fmt::format("frame {}: its {}×{} pixels at {},{} are not within its size of {}×{}",
                               printable(f.name), p.width, p.height, f.inside.x, f.inside.y, f.width, f.height));
    if (f.duration_ms < 0) return wrong(fmt::format("frame {} lasts {} ms", printable(f.name), f.duration_ms));
  }
  int count = int(sheet.frames.size());
  for (auto& t : sheet.tags)
    if (t.from < 0 || t.to < t.from || t.to >= count)
      return wrong(
          fmt::format("tag {} runs from frame {} to {}, but there are {}", printable(t.name), t.from, t.to, count));
  for (auto& s : sheet.slices)
    for (auto& k : s.keys)
      if (k.frame < 0 || k.frame >= count || k.bounds.width < 0 || k.bounds.height < 0)
        return wrong(
            fmt::format("slice {} has a key at frame {}, but there are {}", printable(s.name), k.frame, count));
  return {};
}

}  // namespace sparky::pixel
