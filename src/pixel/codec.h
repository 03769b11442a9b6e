// Codec: the decoders behind files.h, one per format. Each checks the declared size before it takes memory.
#pragma once
#include <fmt/format.h>

#include "pixel/files.h"

namespace sparky::pixel {

Result<Picture> decode_png(std::string_view bytes, std::string_view name, const Limits& limits);
Result<Picture> decode_jpeg(std::string_view bytes, std::string_view name, const Limits& limits);
Result<Picture> decode_webp(std::string_view bytes, std::string_view name, const Limits& limits);
// At most max_frames frames are decoded.
Result<Animation> decode_gif(std::string_view bytes, std::string_view name, const Limits& limits, int max_frames);
Result<Animation> decode_apng(std::string_view bytes, std::string_view name, const Limits& limits);
Result<Animation> decode_webp_animation(std::string_view bytes, std::string_view name, const Limits& limits);
bool is_apng(std::string_view bytes);

// Refuses sizes beyond the limits, for `frames` pictures of this size.
Status check_size(std::string_view name, uint64_t width, uint64_t height, const Limits& limits, uint64_t frames = 1);
inline std::unexpected<Error> broken(std::string_view name, std::string_view format, std::string_view why) {
  return fail(Errc::invalid, fmt::format("{}: broken {}: {}", name, format, why), "export the picture again");
}

}  // namespace sparky::pixel
