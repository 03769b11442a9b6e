#include "pixel/files.h"

#include <algorithm>
#include <unordered_map>

#include "base/files.h"
#include "base/text.h"
#include "pixel/codec.h"

namespace sparky::pixel {

std::string_view format_name(Format format) {
  switch (format) {
    case Format::png:
      return "PNG";
    case Format::jpeg:
      return "JPEG";
    case Format::webp:
      return "WebP";
    case Format::gif:
      return "GIF";
  }
  return "";
}

std::optional<Format> sniff(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return Format::png;
  if (bytes.starts_with("\xff\xd8\xff")) return Format::jpeg;
  if (bytes.starts_with("RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP") return Format::webp;
  if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return Format::gif;
  return std::nullopt;
}

Status check_size(std::string_view name, uint64_t width, uint64_t height, const Limits& limits, uint64_t frames) {
  if (width == 0 || height == 0)
    return fail(Errc::invalid, fmt::format("{}: the picture is {}×{}", name, width, height));
  if (width > uint64_t(limits.side) || height > uint64_t(limits.side))
    return fail(Errc::invalid,
                fmt::format("{}: {}×{} is larger than {} pixels a side, the limit", name, width, height, limits.side));
  if (frames > uint64_t(limits.frames))
    return fail(Errc::invalid, fmt::format("{}: more than {} frames, the limit", name, limits.frames));
  if (width * height * frames > limits.pixels)
    return fail(Errc::invalid, fmt::format("{}: {} frames of {}×{} are more than {} pixels, the limit", name, frames,
                                           width, height, limits.pixels));
  return {};
}

namespace {
Result<Format> known_format(std::string_view bytes, std::string_view name, const Limits& limits) {
  if (bytes.size() > limits.bytes)
    return fail(Errc::invalid,
                fmt::format("{}: {} bytes are more than {}, the limit", name, bytes.size(), limits.bytes));
  if (auto format = sniff(bytes)) return *format;
  if (bytes.empty()) return fail(Errc::invalid, fmt::format("{}: the file is empty", name));
  return fail(Errc::invalid, fmt::format("{}: not a picture that can be read", name), "give a PNG, JPEG, WebP or GIF");
}
}  // namespace

Result<Picture> decode_picture(std::string_view bytes, std::string_view name, const Limits& limits) {
  SPARKY_ASSIGN(auto format, known_format(bytes, name, limits));
  switch (format) {
    case Format::png:
      return decode_png(bytes, name, limits);
    case Format::jpeg:
      return decode_jpeg(bytes, name, limits);
    case Format::webp:
      return decode_webp(bytes, name, limits);
    case Format::gif:
      break;
  }
  SPARKY_ASSIGN(auto animation, decode_gif(bytes, name, limits, 1));
  return std::move(animation.frames.front().picture);
}

Result<Animation> decode_animation(std::string_view bytes, std::string_view name, const Limits& limits) {
  SPARKY_ASSIGN(auto format, known_format(bytes, name, limits));
  if (format == Format::gif) return decode_gif(bytes, name, limits, limits.frames + 1);  // one more is refused
  if (format == Format::webp) return decode_webp_animation(bytes, name, limits);
  if (format == Format::png && is_apng(bytes)) return decode_apng(bytes, name, limits);
  SPARKY_ASSIGN(auto picture, decode_picture(bytes, name, limits));
  Animation still{picture.width, picture.height, {}, 0};
  still.frames.push_back({std::move(picture), 100});
  return still;
}

Result<Picture> read_picture(const std::filesystem::path& path, const Limits& limits) {
  SPARKY_ASSIGN(auto bytes, read_file(path, limits.bytes));
  return decode_picture(bytes, path.string(), limits);
}

Result<Animation> read_animation(const std::filesystem::path& path, const Limits& limits) {
  SPARKY_ASSIGN(auto bytes, read_file(path, limits.bytes));
  return decode_animation(bytes, path.string(), limits);
}

Status write_png(const std::filesystem::path& path, const Picture& picture, const PngOptions& options) {
  SPARKY_ASSIGN(auto bytes, encode_png(picture, options));
  return write_file_atomic(path, bytes);
}

Status write_png(const std::filesystem::path& path, const IndexedPicture& picture, const PngOptions& options) {
  SPARKY_ASSIGN(auto bytes, encode_png(picture, options));
  return write_file_atomic(path, bytes);
}

std::optional<IndexedPicture> to_indexed(const Picture& picture) {
  IndexedPicture out{picture.width, picture.height, {}, {}};
  out.indices.reserve(picture.pixels.size());
  std::unordered_map<uint32_t, uint8_t> index;
  for (Rgba c : picture.pixels) {
    uint32_t key = uint32_t(c.r) | uint32_t(c.g) << 8 | uint32_t(c.b) << 16 | uint32_t(c.a) << 24;
    auto [it, fresh] = index.try_emplace(key, uint8_t(out.palette.size()));
    if (fresh) {
      if (out.palette.size() == 256) return std::nullopt;
      out.palette.push_back(c);
    }
    out.indices.push_back(it->second);
  }
  return out;
}

Picture to_rgba(const IndexedPicture& picture) {
  Picture out(picture.width, picture.height);
  std::ranges::transform(picture.indices, out.pixels.begin(), [&](uint8_t i) { return picture.palette[i]; });
  return out;
}

}  // namespace sparky::pixel
