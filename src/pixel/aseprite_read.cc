// Reading .aseprite files.
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "base/text.h"
#include "pixel/aseprite.h"
#include "pixel/codec.h"

namespace sparky::pixel {
namespace {

enum Chunk {
  old_palette_8 = 0x0004,
  old_palette_6 = 0x0011,
  layer = 0x2004,
  cel = 0x2005,
  tags = 0x2018,
  palette = 0x2019,
  slice = 0x2022
};

// Little-endian reader that never passes the end.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  uint32_t number(size_t size) {
    auto raw = take(size);
    uint32_t v = 0;
    for (size_t i = 0; i < raw.size(); ++i) v |= uint32_t(uint8_t(raw[i])) << 8 * i;
    return v;
  }
  int byte() { return int(number(1)); }
  int word() { return int(number(2)); }
  int signed_word() { return int16_t(number(2)); }
  int signed_dword() { return int32_t(number(4)); }
  std::string text() {
    std::string out(take(size_t(word())));
    return invalid_utf8(out) ? printable(out) : out;
  }
  std::string_view take(size_t size) {
    if (size > left()) {
      short_ = true;
      return {};
    }
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  size_t left() const { return bytes_.size() - at_; }
  bool ended_early() const { return short_; }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
  bool short_ = false;
};

class Decoder {
 public:
  Decoder(std::string_view name, const Limits& limits) : name_(name), limits_(limits) {}

  Result<AseSprite> run(std::string_view bytes) {
    Bytes in(bytes);
    in.take(6);
    int frames = in.word();
    out_.width = in.word();
    out_.height = in.word();
    int bits = in.word();
    flags_ = in.number(4);
    int default_duration = in.word();
    in.take(8);
    out_.transparent_index = in.byte();
    in.take(3 + 96);
    if (in.ended_early()) return wrong("it ends within the header");
    SPARKY_TRY(check_size(name_, uint64_t(out_.width), uint64_t(out_.height), limits_, uint64_t(std::max(frames, 1))));
    if (bits != 8 && bits != 16 && bits != 32) return wrong(fmt::format("{} bits a pixel", bits));
    out_.mode = AseMode(bits);
    for (int i = 0; i < frames; ++i) SPARKY_TRY(frame(in, default_duration));
    if (out_.frames.empty()) return wrong("it has no frame");
    return finish();
  }

 private:
  std::unexpected<Error> wrong(std::string what) const {
    std::string where = out_.frames.empty() ? "" : fmt::format("frame {}: ", out_.frames.size());
    return fail(Errc::invalid, fmt::format("{}: broken Aseprite file: {}{}", name_, where, what),
                "save it again from Aseprite");
  }

  Status frame(Bytes& in, int default_duration) {
    size_t size = in.number(4);
    out_.frames.emplace_back();
    if (size < 16 || size - 4 > in.left()) return wrong("it ends early");
    Bytes body(in.take(size - 4));
    if (body.word() != 0xf1fa) return wrong("no frame begins here");
    size_t chunks = size_t(body.word());
    int duration = body.word();
    out_.frames.back().duration_ms = duration ? duration : default_duration ? default_duration : 100;
    body.take(2);
    if (size_t more = body.number(4)) chunks = more;
    for (size_t i = 0; i < chunks; ++i) {
      size_t length = body.number(4);
      if (length < 6 || length - 4 > body.left()) return wrong(fmt::format("chunk {} of {} ends early", i + 1, chunks));
      Bytes data(body.take(length - 4));
      int type = data.word();
      SPARKY_TRY(chunk(type, data));
      if (data.ended_early())
        return wrong(fmt::format("chunk {} of {} (type 0x{:04x}) ends early", i + 1, chunks, type));
    }
    return {};
  }

  Status chunk(int type, Bytes& in) {
    switch (type) {
      case Chunk::layer:
        return layer(in);
      case Chunk::cel:
        return cel(in);
      case Chunk::tags:
        return tags(in);
      case Chunk::palette:
        return palette(in);
      case Chunk::slice:
        return slice(in);
      case Chunk::old_palette_8:
      case Chunk::old_palette_6:
        return new_palette_ ? Status() : old_palette(in, type == Chunk::old_palette_6);
      default:
        return {};  // colour profiles, user data and the like
    }
  }

  Status layer(Bytes& in) {
    AseLayer l;
    l.flags = in.word();
    int type = in.word();
    l.level = in.word();
    in.take(4);
    int blend = in.word();
    int opacity = in.byte();
    in.take(3);
    l.name = in.text();
    if (type == 2)
      return fail(Errc::invalid,
                  fmt::format("{}: layer \"{}\" is a tilemap, which cannot be read", name_, printable(l.name)),
                  "in Aseprite: Layer > Convert To > Layer");
    if (type > 2 || blend >= kBlendModes)
      return wrong(fmt::format("layer \"{}\" is of an unknown kind", printable(l.name)));
    if (l.level > int(out_.layers.size()))
      return wrong(fmt::format("layer \"{}\" lies in a group that is not there", printable(l.name)));
    if (flags_ & 1) l.opacity = opacity;
    l.group = type == 1;
    l.blend = Blend(blend);
    out_.layers.push_back(std::move(l));
    return {};
  }

  Status cel(Bytes& in) {
    AseCel c;
    c.layer = in.word();
    c.x = in.signed_word();
    c.y = in.signed_word();
    c.opacity = in.byte();
    int type = in.word();
    c.z = in.signed_word();
    in.take(5);
    int number = int(out_.frames.size()) - 1;
    if (type == 1) {
      c.link = in.word();
      if (c.link >= number) return wrong(fmt::format("a cel is linked to frame {}", c.link + 1));
    } else if (type == 0 || type == 2) {
      c.width = in.word();
      c.height = in.word();
      if (in.ended_early()) return {};
      SPARKY_TRY(pixels(in, type == 2, c));
    } else {
      return wrong(fmt::format("a cel of type {} (a tilemap?)", type));
    }
    out_.frames.back().cels.push_back(std::move(c));
    return {};
  }

  Status pixels(Bytes& in, bool compressed, AseCel& c) {
    pixels_ += uint64_t(c.width) * uint64_t(c.height);
    if (c.width == 0 || c.height == 0 || pixels_ > limits_.pixels)
      return wrong(fmt::format("a cel of {}×{} is empty or makes more than {} pixels together, the limit", c.width,
                               c.height, limits_.pixels));
    size_t size = size_t(c.width) * size_t(c.height) * size_t(out_.mode) / 8;
    auto data = in.take(compressed ? in.left() : size);
    if (in.ended_early() || (compressed && size > data.size() * 1032 + 1024))
      return wrong(fmt::format("a cel of {}×{} ends early", c.width, c.height));
    c.pixels.resize(size);
    if (!compressed) {
      std::copy(data.begin(), data.end(), c.pixels.begin());
      return {};
    }
    uLongf length = uLongf(size);
    int status = uncompress(c.pixels.data(), &length, reinterpret_cast<const Bytef*>(data.data()), uLong(data.size()));
    if (status != Z_OK || length != size) return wrong("a cel cannot be decompressed");
    return {};
  }

  Status tags(Bytes& in) {
    int count = in.word();
    in.take(8);
    for (int i = 0; i < count && !in.ended_early(); ++i) {
      AseTag t;
      t.tag.from = in.word();
      t.tag.to = in.word();
      int direction = in.byte();
      t.repeat = in.word();
      in.take(6);
      t.color.r = uint8_t(in.byte()), t.color.g = uint8_t(in.byte()), t.color.b = uint8_t(in.byte());
      in.take(1);
      t.tag.name = in.text();
      if (direction > 3) return wrong(fmt::format("tag \"{}\" runs in an unknown direction", printable(t.tag.name)));
      t.tag.direction = Direction(direction);
      out_.tags.push_back(std::move(t));
    }
    return {};
  }

  Status palette(Bytes& in) {
    new_palette_ = true;
    size_t size = in.number(4), first = in.number(4), last = in.number(4);
    in.take(8);
    if (size > 256 || first > last || last >= size)
      return wrong(fmt::format("a palette of {} colours, of which {} to {} change", size, first, last));
    out_.palette.resize(size, {0, 0, 0, 255});
    out_.palette_names.resize(size);
    for (size_t i = first; i <= last; ++i) {
      int flags = in.word();
      Rgba& c = out_.palette[i];
      c.r = uint8_t(in.byte()), c.g = uint8_t(in.byte()), c.b = uint8_t(in.byte()), c.a = uint8_t(in.byte());
      if (flags & 1) out_.palette_names[i] = in.text();
    }
    return {};
  }

  Status old_palette(Bytes& in, bool six_bits) {
    int packets = in.word();
    size_t at = 0;
    for (int i = 0; i < packets && !in.ended_early(); ++i) {
      at += size_t(in.byte());
      int count = in.byte();
      for (int k = 0; k < (count ? count : 256) && !in.ended_early(); ++k, ++at) {
        int r = in.byte(), g = in.byte(), b = in.byte();
        if (at >= 256) return wrong("a palette of more than 256 colours");
        if (out_.palette.size() <= at) out_.palette.resize(at + 1, {0, 0, 0, 255});
        if (six_bits) r = (r & 63) * 255 / 63, g = (g & 63) * 255 / 63, b = (b & 63) * 255 / 63;
        out_.palette[at] = {uint8_t(r), uint8_t(g), uint8_t(b), 255};
      }
    }
    return {};
  }

  Status slice(Bytes& in) {
    size_t keys = in.number(4);
    uint32_t flags = in.number(4);
    in.take(4);
    Slice s;
    s.name = in.text();
    for (size_t i = 0; i < keys && !in.ended_early(); ++i) {
      SliceKey k;
      uint32_t frame = in.number(4);
      if (frame > 0xffff) return wrong(fmt::format("slice \"{}\" begins at frame {}", printable(s.name), frame));
      k.frame = int(frame);
      k.bounds.x = in.signed_dword(), k.bounds.y = in.signed_dword();
      k.bounds.width = in.signed_dword(), k.bounds.height = in.signed_dword();
      if (flags & 1) {
        Box center;
        center.x = in.signed_dword(), center.y = in.signed_dword();
        center.width = in.signed_dword(), center.height = in.signed_dword();
        k.center = center;
      }
      if (flags & 2) {
        Point pivot;
        pivot.x = in.signed_dword(), pivot.y = in.signed_dword();
        k.pivot = pivot;
      }
      s.keys.push_back(k);
    }
    out_.slices.push_back(std::move(s));
    return {};
  }

  // What can be checked only when all is read.
  Result<AseSprite> finish() {
    int frames = int(out_.frames.size());
    if (std::ranges::all_of(out_.palette_names, &std::string::empty)) out_.palette_names.clear();
    for (auto& f : out_.frames)
      for (auto& c : f.cels)
        if (c.layer >= int(out_.layers.size()) || out_.layers[size_t(c.layer)].group)
          return wrong(fmt::format("a cel belongs to layer {}, which has no pictures", c.layer));
    for (auto& t : out_.tags)
      if (t.tag.from > t.tag.to || t.tag.to >= frames)
        return wrong(fmt::format("tag \"{}\" runs from frame {} to {} of {}", printable(t.tag.name), t.tag.from + 1,
                                 t.tag.to + 1, frames));
    return std::move(out_);
  }

  std::string_view name_;
  const Limits& limits_;
  AseSprite out_;
  uint32_t flags_ = 0;
  uint64_t pixels_ = 0;
  bool new_palette_ = false;
};

}  // namespace

bool is_aseprite(std::string_view bytes) { return bytes.size() >= 128 && bytes[4] == '\xe0' && bytes[5] == '\xa5'; }

Result<AseSprite> decode_aseprite(std::string_view bytes, std::string_view name, const Limits& limits) {
  if (bytes.size() > limits.bytes)
    return fail(Errc::invalid,
                fmt::format("{}: {} bytes are more than {}, the limit", name, bytes.size(), limits.bytes));
  if (!is_aseprite(bytes)) return fail(Errc::invalid, fmt::format("{}: not an Aseprite file", name));
  return Decoder(name, limits).run(bytes);
}

}  // namespace sparky::pixel
