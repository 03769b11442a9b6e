#include <spng.h>

#include <cstring>
#include <memory>
#include <span>

#include "base/text.h"
#include "pixel/codec.h"

namespace sparky::pixel {
namespace {

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
using Context = std::unique_ptr<spng_ctx, FreeContext>;

constexpr std::string_view kFormat = "PNG";

int bits_per_pixel(const spng_ihdr& header) {
  int channels = 1;
  if (header.color_type == SPNG_COLOR_TYPE_TRUECOLOR) channels = 3;
  if (header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA) channels = 2;
  if (header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA) channels = 4;
  return channels * header.bit_depth;
}

// A reader over `bytes` whose header is within the limits.
Result<Context> open(std::string_view bytes, std::string_view name, const Limits& limits, spng_ihdr& header) {
  Context context(spng_ctx_new(0));
  if (!context) return fail(Errc::full, "out of memory");
  spng_set_crc_action(context.get(), SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
  spng_set_chunk_limits(context.get(), 16u << 20, 32u << 20);
  spng_set_png_buffer(context.get(), bytes.data(), bytes.size());
  if (int e = spng_get_ihdr(context.get(), &header)) return broken(name, kFormat, spng_strerror(e));
  SPARKY_TRY(check_size(name, header.width, header.height, limits));
  // Deflate shrinks at most 1032 times, so a header that promises more than that lies.
  uint64_t raw = header.height * ((uint64_t(header.width) * uint64_t(bits_per_pixel(header)) + 7) / 8);
  if (raw > uint64_t(bytes.size()) * 1032 + 1024)
    return broken(name, kFormat,
                  fmt::format("the header promises {}×{}, but the file ends early", header.width, header.height));
  return context;
}

// Latin-1, the encoding of tEXt, as UTF-8.
std::string from_latin1(std::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    if (c < 0x80) {
      out += char(c);
    } else {
      out += char(0xc0 | c >> 6);
      out += char(0x80 | (c & 0x3f));
    }
  }
  return out;
}

// spng_text with the strings it points to.
struct TextChunks {
  std::vector<spng_text> chunks;
  std::vector<std::string> values;
};

Result<TextChunks> text_chunks(const Text& text) {
  TextChunks out;
  static char none[] = "";
  for (auto& [keyword, value] : text) {
    bool printable_ascii = !keyword.empty() && keyword.size() <= 79 && keyword.front() != ' ' && keyword.back() != ' ';
    for (char c : keyword) printable_ascii &= c >= ' ' && c <= '~';
    if (!printable_ascii)
      return fail(Errc::invalid, fmt::format("\"{}\" cannot be the keyword of a PNG text", printable(keyword)),
                  "1 to 79 printable ASCII characters, no space at the ends");
    if (value.find('\0') != std::string::npos || invalid_utf8(value))
      return fail(Errc::invalid, fmt::format("the PNG text \"{}\" is not UTF-8 without NUL", keyword));
    out.values.push_back(value);
    spng_text chunk{};
    std::memcpy(chunk.keyword, keyword.data(), keyword.size());
    bool ascii = true;
    for (char c : value) ascii &= (c >= ' ' && c <= '~') || c == '\n';
    chunk.type = ascii ? SPNG_TEXT : SPNG_ITXT;
    chunk.length = value.size();
    chunk.language_tag = none;
    chunk.translated_keyword = none;
    out.chunks.push_back(chunk);
  }
  for (size_t i = 0; i < out.chunks.size(); ++i) out.chunks[i].text = out.values[i].data();
  return out;
}

struct Encoding {
  spng_ihdr header{};
  const spng_plte* palette = nullptr;
  const spng_trns* transparency = nullptr;
  std::span<const uint8_t> rows;  // in PNG's own layout
};

Result<std::string> encode(Encoding encoding, const PngOptions& options) {
  SPARKY_ASSIGN(auto text, text_chunks(options.text));
  Context context(spng_ctx_new(SPNG_CTX_ENCODER));
  if (!context) return fail(Errc::full, "out of memory");
  spng_ctx* c = context.get();
  int e = spng_set_option(c, SPNG_ENCODE_TO_BUFFER, 1);
  if (!e) e = spng_set_option(c, SPNG_IMG_COMPRESSION_LEVEL, options.compression);
  if (!e) e = spng_set_ihdr(c, &encoding.header);
  if (!e && encoding.palette) e = spng_set_plte(c, const_cast<spng_plte*>(encoding.palette));
  if (!e && encoding.transparency) e = spng_set_trns(c, const_cast<spng_trns*>(encoding.transparency));
  if (!e && !text.chunks.empty()) e = spng_set_text(c, text.chunks.data(), uint32_t(text.chunks.size()));
  if (!e) e = spng_encode_image(c, encoding.rows.data(), encoding.rows.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  size_t size = 0;
  std::unique_ptr<void, decltype(&std::free)> buffer(e ? nullptr : spng_get_png_buffer(c, &size, &e), &std::free);
  if (e || !buffer) return fail(Errc::internal, fmt::format("cannot encode the PNG: {}", spng_strerror(e)));
  return std::string(static_cast<const char*>(buffer.get()), size);
}

Status check_shape(int width, int height, size_t pixels) {
  if (width <= 0 || height <= 0 || pixels != size_t(width) * size_t(height))
    return fail(Errc::invalid, fmt::format("a picture of {}×{} cannot be written", width, height));
  return {};
}

}  // namespace

Result<Picture> decode_png(std::string_view bytes, std::string_view name, const Limits& limits) {
  spng_ihdr header{};
  SPARKY_ASSIGN(auto context, open(bytes, name, limits, header));
  Picture picture(int(header.width), int(header.height));
  int e = spng_decode_image(context.get(), picture.pixels.data(), picture.pixels.size() * 4, SPNG_FMT_RGBA8,
                            SPNG_DECODE_TRNS);
  if (e) return broken(name, kFormat, spng_strerror(e));
  return picture;
}

Result<IndexedPicture> decode_indexed_png(std::string_view bytes, std::string_view name, const Limits& limits) {
  spng_ihdr header{};
  SPARKY_ASSIGN(auto context, open(bytes, name, limits, header));
  if (header.color_type != SPNG_COLOR_TYPE_INDEXED)
    return fail(Errc::invalid, fmt::format("{}: not an indexed PNG", name));
  size_t row_bytes = (size_t(header.width) * header.bit_depth + 7) / 8;
  std::vector<uint8_t> rows(row_bytes * header.height);
  if (int e = spng_decode_image(context.get(), rows.data(), rows.size(), SPNG_FMT_PNG, 0))
    return broken(name, kFormat, spng_strerror(e));
  IndexedPicture out{int(header.width), int(header.height), {}, {}};
  spng_plte palette{};
  if (int e = spng_get_plte(context.get(), &palette)) return broken(name, kFormat, spng_strerror(e));
  for (uint32_t i = 0; i < palette.n_entries; ++i)
    out.palette.push_back({palette.entries[i].red, palette.entries[i].green, palette.entries[i].blue, 255});
  spng_trns transparency{};
  if (spng_get_trns(context.get(), &transparency) == 0)
    for (uint32_t i = 0; i < transparency.n_type3_entries && i < palette.n_entries; ++i)
      out.palette[i].a = transparency.type3_alpha[i];
  out.indices.reserve(size_t(out.width) * size_t(out.height));
  unsigned depth = header.bit_depth, mask = (1u << depth) - 1;
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      size_t bit = size_t(x) * depth;
      unsigned index = rows[size_t(y) * row_bytes + bit / 8] >> (8 - depth - bit % 8) & mask;
      if (index >= out.palette.size())
        return broken(name, kFormat, fmt::format("a pixel names colour {} of {}", index, out.palette.size()));
      out.indices.push_back(uint8_t(index));
    }
  }
  return out;
}

Result<Text> decode_png_text(std::string_view bytes, std::string_view name, const Limits& limits) {
  spng_ihdr header{};
  SPARKY_ASSIGN(auto context, open(bytes, name, limits, header));
  if (int e = spng_decode_chunks(context.get())) {
    // spng reads what follows the image data only once that is decoded.
    size_t size = 0;
    if (spng_decoded_image_size(context.get(), SPNG_FMT_PNG, &size)) return broken(name, kFormat, spng_strerror(e));
    std::vector<uint8_t> rows(size);
    e = spng_decode_image(context.get(), rows.data(), rows.size(), SPNG_FMT_PNG, 0);
    if (!e) e = spng_decode_chunks(context.get());
    if (e) return broken(name, kFormat, spng_strerror(e));
  }
  uint32_t count = 0;
  Text out;
  if (spng_get_text(context.get(), nullptr, &count) || count == 0) return out;
  std::vector<spng_text> chunks(count);
  if (int e = spng_get_text(context.get(), chunks.data(), &count)) return broken(name, kFormat, spng_strerror(e));
  for (auto& chunk : chunks) {
    std::string value(chunk.text, chunk.length);
    out[from_latin1(chunk.keyword)] = chunk.type == SPNG_ITXT ? value : from_latin1(value);
  }
  return out;
}

Result<std::string> encode_png(const Picture& picture, const PngOptions& options) {
  SPARKY_TRY(check_shape(picture.width, picture.height, picture.pixels.size()));
  Encoding encoding;
  encoding.header = {uint32_t(picture.width), uint32_t(picture.height), 8, SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 0, 0, 0};
  encoding.rows = {reinterpret_cast<const uint8_t*>(picture.pixels.data()), picture.pixels.size() * 4};
  return encode(encoding, options);
}

Result<std::string> encode_png(const IndexedPicture& picture, const PngOptions& options) {
  SPARKY_TRY(check_shape(picture.width, picture.height, picture.indices.size()));
  if (picture.palette.empty() || picture.palette.size() > 256)
    return fail(Errc::invalid, fmt::format("an indexed PNG has 1 to 256 colours, not {}", picture.palette.size()));
  unsigned depth = 8;
  for (unsigned d : {4u, 2u, 1u})
    if (picture.palette.size() <= 1u << d) depth = d;
  spng_plte palette{};
  spng_trns transparency{};
  palette.n_entries = uint32_t(picture.palette.size());
  for (size_t i = 0; i < picture.palette.size(); ++i) {
    Rgba c = picture.palette[i];
    palette.entries[i] = {c.r, c.g, c.b, 255};
    transparency.type3_alpha[i] = c.a;
    if (c.a != 255) transparency.n_type3_entries = uint32_t(i + 1);
  }
  size_t row_bytes = (size_t(picture.width) * depth + 7) / 8;
  std::vector<uint8_t> rows(row_bytes * size_t(picture.height));
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      unsigned index = picture.indices[size_t(y) * size_t(picture.width) + size_t(x)];
      if (index >= picture.palette.size())
        return fail(Errc::invalid,
                    fmt::format("pixel {},{} names colour {} of {}", x, y, index, picture.palette.size()));
      size_t bit = size_t(x) * depth;
      rows[size_t(y) * row_bytes + bit / 8] |= uint8_t(index << (8 - depth - bit % 8));
    }
  }
  Encoding encoding;
  encoding.header = {
      uint32_t(picture.width), uint32_t(picture.height), uint8_t(depth), SPNG_COLOR_TYPE_INDEXED, 0, 0, 0};
  encoding.palette = &palette;
  encoding.transparency = transparency.n_type3_entries ? &transparency : nullptr;
  encoding.rows = rows;
  return encode(encoding, options);
}

}  // namespace sparky::pixel
