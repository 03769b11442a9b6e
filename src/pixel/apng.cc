// APNG (https://wiki.mozilla.org/APNG_Specification): a PNG with frames in private chunks. libspng reads and writes
// each frame as a PNG; this file splits and joins the chunks.
#include <zlib.h>

#include <algorithm>
#include <optional>

#include "pixel/codec.h"
#include "pixel/transform.h"

namespace sparky::pixel {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
constexpr std::string_view kFormat = "APNG";

struct Chunk {
  std::string_view type, data;
};

uint32_t number(std::string_view bytes, size_t at, int size = 4) {
  uint32_t v = 0;
  for (int i = 0; i < size; ++i) v = v << 8 | uint8_t(bytes[at + size_t(i)]);
  return v;
}

void append(std::string& out, uint32_t v, int size = 4) {
  for (int i = size - 1; i >= 0; --i) out += char(v >> 8 * i & 255);
}

void append_chunk(std::string& out, std::string_view type, std::string_view data) {
  append(out, uint32_t(data.size()));
  size_t start = out.size();
  out.append(type).append(data);
  append(out, uint32_t(crc32(0, reinterpret_cast<const Bytef*>(out.data() + start), uInt(out.size() - start))));
}

// The next chunk, or nothing where the bytes end or lie.
std::optional<Chunk> next_chunk(std::string_view bytes, size_t& at) {
  if (bytes.size() < at + 12) return std::nullopt;
  size_t length = number(bytes, at);
  if (length > bytes.size() - at - 12) return std::nullopt;
  Chunk chunk{bytes.substr(at + 4, 4), bytes.substr(at + 8, length)};
  at += length + 12;
  return chunk;
}

struct FrameControl {  // fcTL
  uint32_t width = 0, height = 0, x = 0, y = 0;
  int duration_ms = 0, dispose = 0, blend = 0;
};
enum Dispose { dispose_none = 0, dispose_background = 1, dispose_previous = 2 };

Rgba over(Rgba s, Rgba d) {
  if (s.a == 255 || d.a == 0) return s;
  if (s.a == 0) return d;
  int u = s.a * 255, v = (255 - s.a) * d.a, alpha = u + v;
  auto mix = [&](int a, int b) { return uint8_t((a * u + b * v) / alpha); };
  return {mix(s.r, d.r), mix(s.g, d.g), mix(s.b, d.b), uint8_t(alpha / 255)};
}

struct Decoder {
  std::string_view name;
  const Limits& limits;
  std::string_view header;  // IHDR's data
  std::string shared;       // PLTE and tRNS, which count for every frame
  uint32_t sequence = 0;    // the next number that fcTL or fdAT must bear
  std::optional<FrameControl> control;
  std::string data;  // compressed pixels of the frame being read
  Picture canvas{};
  Animation out{};

  Status take_sequence(std::string_view chunk) {
    if (chunk.size() < 4 || number(chunk, 0) != sequence++) return broken(name, kFormat, "frames out of order");
    return {};
  }

  Status begin(std::string_view c) {
    if (c.size() != 26) return broken(name, kFormat, "a frame header of a wrong size");
    SPARKY_TRY(take_sequence(c));
    SPARKY_TRY(finish());
    uint32_t divisor = number(c, 22, 2);
    if (divisor == 0) divisor = 100;
    FrameControl f{number(c, 4), number(c, 8), number(c, 12), number(c, 16)};
    f.duration_ms = int((number(c, 20, 2) * 1000 + divisor / 2) / divisor);
    f.dispose = uint8_t(c[24]);
    f.blend = uint8_t(c[25]);
    if (f.width == 0 || f.height == 0 || f.x > uint32_t(out.width) || f.width > uint32_t(out.width) - f.x ||
        f.y > uint32_t(out.height) || f.height > uint32_t(out.height) - f.y)
      return broken(name, kFormat, fmt::format("frame {} lies outside the picture", out.frames.size() + 1));
    control = f;
    return {};
  }

  // Decodes and composes the frame whose data has been gathered.
  Status finish() {
    if (!control) return {};
    FrameControl f = *std::exchange(control, std::nullopt);
    if (data.empty()) return broken(name, kFormat, fmt::format("frame {} has no pixels", out.frames.size() + 1));
    SPARKY_TRY(check_size(name, uint64_t(out.width), uint64_t(out.height), limits, out.frames.size() + 1));
    std::string png(kSignature), size;
    append(size, f.width);
    append(size, f.height);
    append_chunk(png, "IHDR", size + std::string(header.substr(8)));
    png += shared;
    append_chunk(png, "IDAT", data);
    append_chunk(png, "IEND", "");
    data.clear();
    SPARKY_ASSIGN(auto picture, decode_png(png, name, limits));
    Picture before = f.dispose == dispose_previous ? canvas : Picture();
    for (int y = 0; y < picture.height; ++y)
      for (int x = 0; x < picture.width; ++x) {
        Rgba& pixel = canvas.at(int(f.x) + x, int(f.y) + y);
        pixel = f.blend ? over(picture.at(x, y), pixel) : picture.at(x, y);
      }
    out.frames.push_back({canvas, f.duration_ms});
    if (f.dispose == dispose_previous && out.frames.size() > 1)
      canvas = std::move(before);
    else if (f.dispose != dispose_none)
      for (int y = 0; y < picture.height; ++y)
        for (int x = 0; x < picture.width; ++x) canvas.at(int(f.x) + x, int(f.y) + y) = {};
    return {};
  }

  Status take(const Chunk& c) {
    if (c.type == "PLTE" || c.type == "tRNS") append_chunk(shared, c.type, c.data);
    if (c.type == "acTL" && c.data.size() == 8) {
      SPARKY_TRY(check_size(name, uint64_t(out.width), uint64_t(out.height), limits, number(c.data, 0)));
      out.loops = int(std::min(number(c.data, 4), 0x7fffffffu));
    }
    if (c.type == "fcTL") return begin(c.data);
    if (c.type == "IDAT" && control) data += c.data;  // without an fcTL before it the default picture is no frame
    if (c.type == "fdAT") {
      SPARKY_TRY(take_sequence(c.data));
      if (!control) return broken(name, kFormat, "pixels without a frame header");
      data += c.data.substr(4);
    }
    if (c.type == "IEND") return finish();
    return {};
  }
};

// Where `now` differs from `before`; at least one pixel.
Box changed_box(const Picture& before, const Picture& now) {
  Picture changes(now.width, now.height);
  for (size_t i = 0; i < now.pixels.size(); ++i) changes.pixels[i].a = before.pixels[i] == now.pixels[i] ? 0 : 255;
  Box box = opaque_box(changes);
  return box.width ? box : Box{0, 0, 1, 1};
}

}  // namespace

bool is_apng(std::string_view bytes) {
  if (!bytes.starts_with(kSignature)) return false;
  size_t at = kSignature.size();
  while (auto chunk = next_chunk(bytes, at)) {
    if (chunk->type == "acTL") return true;
    if (chunk->type == "IDAT") return false;
  }
  return false;
}

Result<Animation> decode_apng(std::string_view bytes, std::string_view name, const Limits& limits) {
  size_t at = kSignature.size();
  auto header = next_chunk(bytes, at);
  if (!header || header->type != "IHDR" || header->data.size() != 13) return broken(name, kFormat, "no header");
  Decoder decoder{name, limits, header->data};
  decoder.out.width = int(std::min(number(header->data, 0), 0x7fffffffu));
  decoder.out.height = int(std::min(number(header->data, 4), 0x7fffffffu));
  SPARKY_TRY(check_size(name, uint64_t(decoder.out.width), uint64_t(decoder.out.height), limits));
  // The default picture shows that the header does not lie before a canvas of its size is made.
  SPARKY_TRY(decode_png(bytes, name, limits));
  decoder.canvas = Picture(decoder.out.width, decoder.out.height);
  bool ended = false;
  while (auto chunk = next_chunk(bytes, at)) {
    SPARKY_TRY(decoder.take(*chunk));
    if ((ended = chunk->type == "IEND")) break;
  }
  if (!ended) return broken(name, kFormat, "the file ends early");
  if (decoder.out.frames.empty()) return broken(name, kFormat, "it has no frame");
  return std::move(decoder.out);
}

Result<std::string> encode_apng(const Animation& animation, const PngOptions& options) {
  if (animation.frames.empty()) return fail(Errc::invalid, "an APNG needs at least one frame");
  std::string out(kSignature);
  uint32_t sequence = 0;
  const Picture* before = nullptr;
  for (auto& [picture, duration_ms] : animation.frames) {
    if (picture.width != animation.width || picture.height != animation.height)
      return fail(Errc::invalid, fmt::format("a frame is {}×{}, the animation {}×{}", picture.width, picture.height,
                                             animation.width, animation.height));
    if (duration_ms < 0 || duration_ms > 65535)
      return fail(Errc::invalid, fmt::format("a frame of {} ms cannot be written", duration_ms), "0 to 65535 ms");
    Box box = before ? changed_box(*before, picture) : Box{0, 0, picture.width, picture.height};
    Picture part = crop(picture, box);
    SPARKY_ASSIGN(auto png, encode_png(part, before ? PngOptions{{}, options.compression} : options));
    std::string control;
    for (uint32_t v : {sequence++, uint32_t(part.width), uint32_t(part.height), uint32_t(box.x), uint32_t(box.y)})
      append(control, v);
    append(control, uint32_t(duration_ms), 2);
    append(control, 1000, 2);
    control += std::string(2, '\0');  // leave the frame in place, replace what was there
    bool control_written = false;
    size_t at = kSignature.size();
    while (auto chunk = next_chunk(png, at)) {
      if (chunk->type == "IDAT") {
        if (!control_written) append_chunk(out, "fcTL", control);
        control_written = true;
        if (before) {
          std::string data;
          append(data, sequence++);
          append_chunk(out, "fdAT", data.append(chunk->data));
          continue;
        }
      }
      if (before || chunk->type == "IEND") continue;
      append_chunk(out, chunk->type, chunk->data);
      if (chunk->type != "IHDR") continue;
      std::string frames_and_plays;
      append(frames_and_plays, uint32_t(animation.frames.size()));
      append(frames_and_plays, uint32_t(std::max(0, animation.loops)));
      append_chunk(out, "acTL", frames_and_plays);
    }
    before = &picture;
  }
  append_chunk(out, "IEND", "");
  return out;
}

}  // namespace sparky::pixel
