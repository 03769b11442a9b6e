#include "pixel/sheet_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "pixel/color.h"

namespace sparky::pixel {
namespace {

using Ordered = nlohmann::ordered_json;  // the order of a hash's frames is what tags count in

constexpr std::pair<Direction, const char*> kDirections[] = {{Direction::forward, "forward"},
                                                             {Direction::reverse, "reverse"},
                                                             {Direction::pingpong, "pingpong"},
                                                             {Direction::pingpong_reverse, "pingpong_reverse"}};

Ordered box(const Box& b) { return {{"x", b.x}, {"y", b.y}, {"w", b.width}, {"h", b.height}}; }
Ordered size(int w, int h) { return {{"w", w}, {"h", h}}; }

Ordered frame(const SheetFrame& f, SheetJson form) {
  bool array = form == SheetJson::aseprite_array || form == SheetJson::texturepacker_array;
  bool texture_packer = form == SheetJson::texturepacker_hash || form == SheetJson::texturepacker_array;
  Ordered out;
  if (array) out["filename"] = f.name;
  out["frame"] = box(f.place);
  out["rotated"] = false;
  out["trimmed"] = f.trimmed();
  out["spriteSourceSize"] = box({f.inside.x, f.inside.y, f.place.width, f.place.height});
  out["sourceSize"] = size(f.width, f.height);
  if (texture_packer) out["pivot"] = {{"x", 0.5}, {"y", 0.5}};
  out["duration"] = f.duration_ms;
  return out;
}

Ordered slice(const Slice& s) {
  Ordered keys = Ordered::array();
  for (auto& k : s.keys) {
    Ordered entry{{"frame", k.frame}, {"bounds", box(k.bounds)}};
    if (k.center) entry["center"] = box(*k.center);
    if (k.pivot) entry["pivot"] = {{"x", k.pivot->x}, {"y", k.pivot->y}};
    keys.push_back(std::move(entry));
  }
  return {{"name", s.name},
          {"color", fmt::format("#{:02x}{:02x}{:02x}{:02x}", s.color.r, s.color.g, s.color.b, s.color.a)},
          {"keys", std::move(keys)}};
}

// Reads fields of a known kind, remembering the first that is wrong.
class Reader {
 public:
  Reader(std::string_view name) : name_(name) {}

  const Ordered& field(const Ordered& in, const char* key, const std::string& at) {
    static const Ordered none;
    if (!in.is_object()) return wrong(at, "an object"), none;
    auto it = in.find(key);
    return it == in.end() ? none : *it;
  }
  int number(const Ordered& in, const char* key, const std::string& at, std::optional<int> fallback = {}) {
    auto& v = field(in, key, at);
    if (v.is_null() && fallback) return *fallback;
    // Some writers give whole numbers as 16.0.
    if (v.is_number()) {
      double d = v.get<double>();
      if (d == std::floor(d) && std::abs(d) <= 1e9) return int(d);
    }
    wrong(at + "." + key, "a whole number");
    return 0;
  }
  std::string text(const Ordered& in, const char* key, const std::string& at, bool required) {
    auto& v = field(in, key, at);
    if (v.is_string()) return v.get<std::string>();
    if (required || !v.is_null()) wrong(at + "." + key, "a string");
    return {};
  }
  Box box(const Ordered& in, const std::string& at) {
    return {number(in, "x", at), number(in, "y", at), number(in, "w", at), number(in, "h", at)};
  }
  void wrong(const std::string& at, const std::string& wanted) {
    if (!error_) error_ = Error{Errc::invalid, fmt::format("{}: {} must be {}", name_, printable(at), wanted), ""};
  }
  Status status() const { return error_ ? Status(std::unexpected(*error_)) : Status(); }

 private:
  std::string name_;
  std::optional<Error> error_;
};

SheetFrame read_frame(Reader& reader, const Ordered& in, std::string name, const std::string& at) {
  SheetFrame f;
  f.name = std::move(name);
  f.place = reader.box(reader.field(in, "frame", at), at + ".frame");
  auto& rotated = reader.field(in, "rotated", at);
  if (rotated.is_boolean() && rotated.get<bool>()) reader.wrong(at + ".rotated", "false (pack without rotation)");
  auto& whole = reader.field(in, "sourceSize", at);
  f.width = whole.is_null() ? f.place.width : reader.number(whole, "w", at + ".sourceSize");
  f.height = whole.is_null() ? f.place.height : reader.number(whole, "h", at + ".sourceSize");
  auto& inside = reader.field(in, "spriteSourceSize", at);
  if (!inside.is_null()) {
    f.inside = {reader.number(inside, "x", at + ".spriteSourceSize"),
                reader.number(inside, "y", at + ".spriteSourceSize")};
    // Aseprite keeps the whole size here even if it trimmed; the frame's own size is what lies on the sheet.
  }
  f.duration_ms = reader.number(in, "duration", at, 100);
  return f;
}

void read_frames(Reader& reader, const Ordered& frames, Sheet& out) {
  if (frames.is_array())
    for (size_t i = 0; i < frames.size(); ++i) {
      std::string at = fmt::format("frames[{}]", i);
      out.frames.push_back(read_frame(reader, frames[i], reader.text(frames[i], "filename", at, true), at));
    }
  else if (frames.is_object())
    for (auto& [name, value] : frames.items())
      out.frames.push_back(read_frame(reader, value, name, fmt::format("frames[\"{}\"]", name)));
  else
    reader.wrong("frames", "an object or an array");
}

void read_tags(Reader& reader, const Ordered& tags, Sheet& out) {
  for (size_t i = 0; i < tags.size(); ++i) {
    std::string at = fmt::format("meta.frameTags[{}]", i);
    Tag tag{reader.text(tags[i], "name", at, true), reader.number(tags[i], "from", at),
            reader.number(tags[i], "to", at), Direction::forward};
    auto direction = reader.text(tags[i], "direction", at, false);
    auto known = std::ranges::find(kDirections, direction, [](auto& d) { return std::string_view(d.second); });
    if (known != std::end(kDirections))
      tag.direction = known->first;
    else if (!direction.empty())
      reader.wrong(at + ".direction", "forward, reverse, pingpong or pingpong_reverse");
    out.tags.push_back(std::move(tag));
  }
}

void read_slices(Reader& reader, const Ordered& slices, Sheet& out) {
  for (size_t i = 0; i < slices.size(); ++i) {
    std::string at = fmt::format("meta.slices[{}]", i);
    Slice s{reader.text(slices[i], "name", at, true), {0, 0, 255, 255}, {}};
    auto color = reader.text(slices[i], "color", at, false);
    if (auto parsed = parse_color(color))
      s.color = *parsed;
    else if (!color.empty())
      reader.wrong(at + ".color", "\"#rrggbbaa\"");
    auto& keys = reader.field(slices[i], "keys", at);
    for (size_t k = 0; keys.is_array() && k < keys.size(); ++k) {
      std::string key_at = fmt::format("{}.keys[{}]", at, k);
      SliceKey key{reader.number(keys[k], "frame", key_at),
                   reader.box(reader.field(keys[k], "bounds", key_at), key_at + ".bounds"),
                   {},
                   {}};
      auto& center = reader.field(keys[k], "center", key_at);
      if (!center.is_null()) key.center = reader.box(center, key_at + ".center");
      auto& pivot = reader.field(keys[k], "pivot", key_at);
      if (!pivot.is_null())
        key.pivot = Point{reader.number(pivot, "x", key_at + ".pivot"), reader.number(pivot, "y", key_at + ".pivot")};
      s.keys.push_back(std::move(key));
    }
    out.slices.push_back(std::move(s));
  }
}

}  // namespace

std::string encode_sheet_json(const Sheet& sheet, SheetJson form) {
  bool array = form == SheetJson::aseprite_array || form == SheetJson::texturepacker_array;
  bool texture_packer = form == SheetJson::texturepacker_hash || form == SheetJson::texturepacker_array;
  Ordered out, meta;
  out["frames"] = array ? Ordered::array() : Ordered::object();
  for (auto& f : sheet.frames) {
    if (array)
      out["frames"].push_back(frame(f, form));
    else
      out["frames"][f.name] = frame(f, form);
  }
  if (texture_packer && !sheet.tags.empty()) {
    out["animations"] = Ordered::object();
    for (auto& tag : sheet.tags) {
      auto& names = out["animations"][tag.name] = Ordered::array();
      for (int i : played_frames(tag)) names.push_back(sheet.frames[size_t(i)].name);
    }
  }
  meta["app"] = "sparky";
  meta["version"] = "1.0";
  meta["image"] = sheet.image;
  meta["format"] = "RGBA8888";
  meta["size"] = size(sheet.width, sheet.height);
  meta["scale"] = "1";
  meta["frameTags"] = Ordered::array();
  for (auto& t : sheet.tags) {
    auto direction = std::ranges::find(kDirections, t.direction, [](auto& d) { return d.first; })->second;
    meta["frameTags"].push_back({{"name", t.name}, {"from", t.from}, {"to", t.to}, {"direction", direction}});
  }
  meta["slices"] = Ordered::array();
  for (auto& s : sheet.slices) meta["slices"].push_back(slice(s));
  out["meta"] = std::move(meta);
  return out.dump(1, ' ', false, Ordered::error_handler_t::replace) + "\n";
}

Result<Sheet> decode_sheet_json(std::string_view text, std::string_view name) {
  auto checked = parse_json(text, {.bytes = 32u << 20, .depth = 16, .values = 2u << 20});
  if (!checked) return fail(Errc::invalid, fmt::format("{}:{}", name, checked.error().message), checked.error().help);
  // Now known to be small, shallow and well formed: read it again with the order of its frames.
  auto json = Ordered::parse(text, nullptr, false);
  Reader reader(name);
  Sheet out;
  if (!json.is_object())
    return fail(Errc::invalid, fmt::format("{}: not a sheet: it must be an object with \"frames\"", name));
  read_frames(reader, reader.field(json, "frames", "the sheet"), out);
  auto& meta = reader.field(json, "meta", "the sheet");
  if (meta.is_object()) {
    out.image = reader.text(meta, "image", "meta", false);
    auto& whole = reader.field(meta, "size", "meta");
    out.width = reader.number(whole, "w", "meta.size");
    out.height = reader.number(whole, "h", "meta.size");
    auto& tags = reader.field(meta, "frameTags", "meta");
    if (tags.is_array()) read_tags(reader, tags, out);
    auto& slices = reader.field(meta, "slices", "meta");
    if (slices.is_array()) read_slices(reader, slices, out);
  } else {
    reader.wrong("meta", "an object with \"image\" and \"size\"");
  }
  SPARKY_TRY(reader.status());
  SPARKY_TRY(check_sheet(out, name));
  return out;
}

}  // namespace sparky::pixel
