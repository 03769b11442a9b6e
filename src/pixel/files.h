// Files: pictures in (PNG, JPEG, WebP, GIF; animations too) and out (PNG, APNG, GIF). What a file is, its content says,
// never its suffix. Bytes come from anybody: every size is checked against limits before memory is taken for it.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "pixel/picture.h"

namespace sparky::pixel {

enum class Format { png, jpeg, webp, gif };
std::string_view format_name(Format format);  // "PNG", …
std::optional<Format> sniff(std::string_view bytes);

struct Limits {
  size_t bytes = 128u << 20;   // of the encoded file
  int side = 16384;            // pixels
  uint64_t pixels = 1u << 26;  // of one picture, and of all frames of an animation together
  int frames = 4096;
};

// Keyword → value (UTF-8), as PNG text chunks hold them. A keyword has 1 to 79 bytes of printable ASCII.
using Text = std::map<std::string, std::string>;

// The picture (of an animation the first frame). `name` stands in error messages.
Result<Picture> decode_picture(std::string_view bytes, std::string_view name = "picture", const Limits& limits = {});
Result<Picture> read_picture(const std::filesystem::path& path, const Limits& limits = {});
// All frames, composed on the full canvas (GIF, APNG, WebP); a still picture is an animation of one frame.
Result<Animation> decode_animation(std::string_view bytes, std::string_view name = "animation",
                                   const Limits& limits = {});
Result<Animation> read_animation(const std::filesystem::path& path, const Limits& limits = {});
// Palette and indices as the file has them; Errc::invalid if it is not an indexed PNG.
Result<IndexedPicture> decode_indexed_png(std::string_view bytes, std::string_view name = "picture",
                                          const Limits& limits = {});
Result<Text> decode_png_text(std::string_view bytes, std::string_view name = "picture", const Limits& limits = {});

struct PngOptions {
  Text text;
  int compression = 9;  // zlib's level, 0 to 9
};
// RGBA, 8 bits a channel: decodes to exactly the same pixels, the colour of transparent ones included.
Result<std::string> encode_png(const Picture& picture, const PngOptions& options = {});
// 1, 2, 4 or 8 bits a pixel by the size of the palette.
Result<std::string> encode_png(const IndexedPicture& picture, const PngOptions& options = {});
// Frames beyond the first as APNG chunks (https://wiki.mozilla.org/APNG_Specification), so that a plain PNG reader
// shows the first. Exact; durations up to 65,535 ms.
Result<std::string> encode_apng(const Animation& animation, const PngOptions& options = {});
// GIF has binary alpha, 255 colours beside transparency in a frame, and durations in 10 ms: Errc::invalid says what
// does not fit, durations are rounded, what fits is exact (all transparent pixels are alike).
Result<std::string> encode_gif(const Animation& animation);

// Atomically (base/files.h), parents made.
Status write_png(const std::filesystem::path& path, const Picture& picture, const PngOptions& options = {});
Status write_png(const std::filesystem::path& path, const IndexedPicture& picture, const PngOptions& options = {});

// The picture over its own colours, in order of first appearance; nothing if it has more than 256.
std::optional<IndexedPicture> to_indexed(const Picture& picture);
Picture to_rgba(const IndexedPicture& picture);

}  // namespace sparky::pixel
