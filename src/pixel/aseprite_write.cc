// Writing .aseprite files, and what they show.
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "base/text.h"
#include "pixel/aseprite.h"
#include "pixel/codec.h"
#include "pixel/color.h"

namespace sparky::pixel {
namespace {

void put(std::string& out, uint32_t v, int size) {
  for (int i = 0; i < size; ++i) out += char(v >> 8 * i & 255);
}
void put_word(std::string& out, int v) { put(out, uint32_t(v), 2); }
void put_text(std::string& out, std::string_view text) {
  text = text.substr(0, 65535);
  put_word(out, int(text.size()));
  out += text;
}

struct Chunks {
  std::string bytes;
  uint32_t count = 0;
  void add(int type, const std::string& data) {
    put(bytes, uint32_t(data.size()) + 6, 4);
    put_word(bytes, type);
    bytes += data;
    ++count;
  }
};

std::string profile_chunk() {  // sRGB, without a gamma of its own
  std::string out(16, '\0');
  out[0] = 1;
  return out;
}

std::string palette_chunk(const AseSprite& s) {
  std::string out;
  put(out, uint32_t(s.palette.size()), 4);
  put(out, 0, 4);
  put(out, uint32_t(s.palette.size()) - 1, 4);
  out.append(8, '\0');
  for (size_t i = 0; i < s.palette.size(); ++i) {
    bool named = !s.palette_names.empty() && !s.palette_names[i].empty();
    put_word(out, named ? 1 : 0);
    for (uint8_t v : {s.palette[i].r, s.palette[i].g, s.palette[i].b, s.palette[i].a}) out += char(v);
    if (named) put_text(out, s.palette_names[i]);
  }
  return out;
}

std::string layer_chunk(const AseLayer& l) {
  std::string out;
  put_word(out, l.flags);
  put_word(out, l.group ? 1 : 0);
  put_word(out, l.level);
  put(out, 0, 4);
  put_word(out, int(l.blend));
  put(out, uint32_t(l.opacity), 1);
  put(out, 0, 3);
  put_text(out, l.name);
  return out;
}

std::string tags_chunk(const AseSprite& s) {
  std::string out;
  put_word(out, int(s.tags.size()));
  out.append(8, '\0');
  for (auto& t : s.tags) {
    put_word(out, t.tag.from);
    put_word(out, t.tag.to);
    put(out, uint32_t(t.tag.direction), 1);
    put_word(out, t.repeat);
    out.append(6, '\0');
    for (uint8_t v : {t.color.r, t.color.g, t.color.b}) out += char(v);
    put(out, 0, 1);
    put_text(out, t.tag.name);
  }
  return out;
}

std::string slice_chunk(const Slice& s) {
  auto any = [&](auto has) { return std::ranges::any_of(s.keys, has); };
  bool patch = any([](auto& k) { return k.center.has_value(); }),
       pivot = any([](auto& k) { return k.pivot.has_value(); });
  std::string out;
  put(out, uint32_t(s.keys.size()), 4);
  put(out, uint32_t(patch) | uint32_t(pivot) << 1, 4);
  put(out, 0, 4);
  put_text(out, s.name);
  auto put_box = [&](const Box& b) {
    for (int v : {b.x, b.y, b.width, b.height}) put(out, uint32_t(v), 4);
  };
  for (auto& k : s.keys) {
    put(out, uint32_t(k.frame), 4);
    put_box(k.bounds);
    if (patch) put_box(k.center.value_or(Box{}));
    if (pivot)
      for (int v : {k.pivot.value_or(Point{}).x, k.pivot.value_or(Point{}).y}) put(out, uint32_t(v), 4);
  }
  return out;
}

Result<std::string> cel_chunk(const AseCel& c) {
  std::string out;
  put_word(out, c.layer);
  put_word(out, c.x);
  put_word(out, c.y);
  put(out, uint32_t(c.opacity), 1);
  put_word(out, c.link >= 0 ? 1 : 2);
  put_word(out, c.z);
  out.append(5, '\0');
  if (c.link >= 0) {
    put_word(out, c.link);
    return out;
  }
  put_word(out, c.width);
  put_word(out, c.height);
  uLongf length = compressBound(uLong(c.pixels.size()));
  size_t start = out.size();
  out.resize(start + length);
  if (compress2(reinterpret_cast<Bytef*>(out.data() + start), &length, c.pixels.data(), uLong(c.pixels.size()), 9) !=
      Z_OK)
    return fail(Errc::internal, "cannot compress a cel");
  out.resize(start + length);
  return out;
}

const AseCel* cel_of(const AseSprite& s, size_t frame, int layer) {
  for (auto& c : s.frames[frame].cels)
    if (c.layer == layer) return &c;
  return nullptr;
}

Status check(const AseSprite& s) {
  auto wrong = [](std::string what) { return fail(Errc::invalid, "an Aseprite file cannot hold " + what); };
  if (s.width < 1 || s.height < 1 || s.width > 65535 || s.height > 65535)
    return wrong(fmt::format("a picture of {}×{}", s.width, s.height));
  if (s.frames.empty() || s.frames.size() > 65535) return wrong(fmt::format("{} frames", s.frames.size()));
  if (s.layers.size() > 65535 || s.tags.size() > 65535) return wrong("more than 65535 layers or tags");
  if (s.palette.size() > 256) return wrong(fmt::format("a palette of {} colours", s.palette.size()));
  for (size_t i = 0; i < s.frames.size(); ++i) {
    if (s.frames[i].duration_ms < 1 || s.frames[i].duration_ms > 65535)
      return wrong(fmt::format("a frame of {} ms", s.frames[i].duration_ms));
    for (auto& c : s.frames[i].cels) {
      if (c.layer < 0 || c.layer >= int(s.layers.size()) || s.layers[size_t(c.layer)].group)
        return wrong(fmt::format("a cel in layer {}", c.layer));
      if (c.link >= int(i)) return wrong(fmt::format("a cel in frame {} that is linked to frame {}", i, c.link));
      if (c.link < 0 && (c.width < 1 || c.height < 1 || c.width > 65535 || c.height > 65535 ||
                         c.pixels.size() != size_t(c.width) * size_t(c.height) * size_t(s.mode) / 8))
        return wrong(fmt::format("a cel of {}×{} with {} bytes", c.width, c.height, c.pixels.size()));
    }
  }
  return {};
}

Rgba color_at(const AseSprite& s, const AseLayer& layer, const AseCel& c, size_t at) {
  if (s.mode == AseMode::rgba)
    return {c.pixels[4 * at], c.pixels[4 * at + 1], c.pixels[4 * at + 2], c.pixels[4 * at + 3]};
  if (s.mode == AseMode::grayscale) {
    uint8_t v = c.pixels[2 * at];
    return {v, v, v, c.pixels[2 * at + 1]};
  }
  size_t index = c.pixels[at];
  bool nothing = int(index) == s.transparent_index && !(layer.flags & AseLayer::background);
  return nothing || index >= s.palette.size() ? Rgba{} : s.palette[index];
}

// Whether each layer shows: itself and every group around it.
std::vector<bool> shown(const std::vector<AseLayer>& layers) {
  std::vector<bool> out(layers.size()), group_shown;
  for (size_t i = 0; i < layers.size(); ++i) {
    auto& l = layers[i];
    group_shown.resize(size_t(l.level), true);
    bool inside = std::ranges::all_of(group_shown, [](bool b) { return b; });
    out[i] = inside && (l.flags & AseLayer::visible) && !(l.flags & AseLayer::reference);
    group_shown.push_back(out[i]);
  }
  return out;
}

}  // namespace

Result<std::string> encode_aseprite(const AseSprite& s) {
  SPARKY_TRY(check(s));
  std::string body;
  for (size_t i = 0; i < s.frames.size(); ++i) {
    Chunks chunks;
    if (i == 0) {
      chunks.add(0x2007, profile_chunk());
      if (!s.palette.empty()) chunks.add(0x2019, palette_chunk(s));
      for (auto& l : s.layers) chunks.add(0x2004, layer_chunk(l));
      if (!s.tags.empty()) chunks.add(0x2018, tags_chunk(s));
      for (auto& slice : s.slices) chunks.add(0x2022, slice_chunk(slice));
    }
    for (auto& c : s.frames[i].cels) {
      SPARKY_ASSIGN(auto data, cel_chunk(c));
      chunks.add(0x2005, data);
    }
    put(body, uint32_t(chunks.bytes.size()) + 16, 4);
    put_word(body, 0xf1fa);
    put_word(body, int(std::min(chunks.count, 0xffffu)));
    put_word(body, s.frames[i].duration_ms);
    put_word(body, 0);
    put(body, chunks.count, 4);
    body += chunks.bytes;
  }
  std::string out;
  put(out, uint32_t(body.size()) + 128, 4);
  put_word(out, 0xa5e0);
  put_word(out, int(s.frames.size()));
  put_word(out, s.width);
  put_word(out, s.height);
  put_word(out, int(s.mode));
  put(out, 1, 4);  // the layers' opacity counts
  put_word(out, 100);
  put(out, 0, 4);
  put(out, 0, 4);
  put(out, uint32_t(s.transparent_index), 1);
  put(out, 0, 3);
  put_word(out, int(s.palette.size()));
  put(out, 1, 1);  // square pixels
  put(out, 1, 1);
  out.resize(128, '\0');
  return out + body;
}

Result<Animation> flatten(const AseSprite& s) {
  SPARKY_TRY(check_size("the sprite", uint64_t(s.width), uint64_t(s.height), Limits(), s.frames.size()));
  Animation out{s.width, s.height, {}, 0};
  auto visible = shown(s.layers);
  for (size_t i = 0; i < s.frames.size(); ++i) {
    std::vector<const AseCel*> order;
    for (auto& c : s.frames[i].cels)
      if (visible[size_t(c.layer)]) order.push_back(&c);
    std::ranges::stable_sort(order, {}, [](const AseCel* c) { return std::tuple(c->layer + c->z, c->z); });
    Picture p(s.width, s.height);
    for (const AseCel* c : order) {
      const AseCel* source = c;
      while (source && source->link >= 0) source = cel_of(s, size_t(source->link), source->layer);
      if (!source) continue;
      auto& layer = s.layers[size_t(c->layer)];
      int opacity = (c->opacity * layer.opacity + 127) / 255;
      for (int y = std::max(0, -source->y); y < std::min(source->height, s.height - source->y); ++y)
        for (int x = std::max(0, -source->x); x < std::min(source->width, s.width - source->x); ++x) {
          Rgba& to = p.at(source->x + x, source->y + y);
          to = blend(to, color_at(s, layer, *source, size_t(y) * size_t(source->width) + size_t(x)), opacity,
                     layer.blend);
        }
    }
    out.frames.push_back({std::move(p), s.frames[i].duration_ms});
  }
  return out;
}

Result<AseSprite> make_aseprite(const std::vector<Sprite>& frames, const std::vector<Tag>& tags,
                                const std::vector<Slice>& slices) {
  if (frames.empty()) return fail(Errc::invalid, "there is no picture to put into an Aseprite file");
  AseSprite out;
  out.width = frames.front().picture.width;
  out.height = frames.front().picture.height;
  out.layers.push_back({"Layer 1"});
  std::map<uint32_t, Rgba> colors;
  int same_since = 0;
  for (size_t i = 0; i < frames.size(); ++i) {
    auto& picture = frames[i].picture;
    if (picture.width != out.width || picture.height != out.height)
      return fail(Errc::invalid,
                  fmt::format("{} is {}×{}, {} is {}×{}", printable(frames[i].name), picture.width, picture.height,
                              printable(frames.front().name), out.width, out.height),
                  "bring them to one size first: sparky pixel pad IN… --to WxH -o DIR/");
    auto& frame = out.frames.emplace_back();
    frame.duration_ms = std::max(1, frames[i].duration_ms);  // 0 would mean the file's default
    if (i > 0 && picture != frames[i - 1].picture) same_since = int(i);
    Box box = opaque_box(picture);
    if (box.width == 0) continue;
    AseCel c;
    if (same_since < int(i)) {
      c.link = same_since;
      c.x = box.x, c.y = box.y;
    } else {
      Picture part = crop(picture, box);
      c.x = box.x, c.y = box.y, c.width = box.width, c.height = box.height;
      for (Rgba p : part.pixels) {
        c.pixels.insert(c.pixels.end(), {p.r, p.g, p.b, p.a});
        if (p.a && colors.size() <= 256) colors.emplace(key(p), p);
      }
    }
    frame.cels.push_back(std::move(c));
  }
  if (colors.size() <= 256)
    for (auto& [k, c] : colors) out.palette.push_back(c);
  std::ranges::stable_sort(out.palette, {}, [](Rgba c) { return to_oklab(c).l; });
  for (auto& t : tags) out.tags.push_back({t});
  out.slices = slices;
  return out;
}

}  // namespace sparky::pixel
