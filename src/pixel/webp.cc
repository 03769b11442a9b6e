#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "pixel/codec.h"

namespace sparky::pixel {
namespace {

const uint8_t* data(std::string_view bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

Result<WebPBitstreamFeatures> features(std::string_view bytes, std::string_view name, const Limits& limits) {
  WebPBitstreamFeatures out{};
  if (WebPGetFeatures(data(bytes), bytes.size(), &out) != VP8_STATUS_OK) return broken(name, "WebP", "no header");
  SPARKY_TRY(check_size(name, uint64_t(out.width), uint64_t(out.height), limits));
  return out;
}

struct FreeDecoder {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

Result<Animation> decode_frames(std::string_view bytes, std::string_view name, const Limits& limits, int max_frames) {
  SPARKY_TRY(features(bytes, name, limits));
  WebPAnimDecoderOptions options;
  if (!WebPAnimDecoderOptionsInit(&options)) return fail(Errc::internal, "the WebP library is of another version");
  options.color_mode = MODE_RGBA;
  options.use_threads = 0;
  WebPData input{data(bytes), bytes.size()};
  std::unique_ptr<WebPAnimDecoder, FreeDecoder> decoder(WebPAnimDecoderNew(&input, &options));
  WebPAnimInfo info{};
  if (!decoder || !WebPAnimDecoderGetInfo(decoder.get(), &info)) return broken(name, "WebP", "the file ends early");
  uint64_t wanted = std::min<uint64_t>(info.frame_count, uint64_t(max_frames));
  SPARKY_TRY(check_size(name, info.canvas_width, info.canvas_height, limits, std::max<uint64_t>(wanted, 1)));
  Animation out{int(info.canvas_width), int(info.canvas_height), {}, int(info.loop_count)};
  int before_ms = 0;
  while (out.frames.size() < wanted) {
    uint8_t* rows = nullptr;
    int end_ms = 0;
    if (!WebPAnimDecoderGetNext(decoder.get(), &rows, &end_ms))
      return broken(name, "WebP", fmt::format("frame {} of {} cannot be decoded", out.frames.size() + 1, wanted));
    Frame frame{Picture(out.width, out.height), end_ms - before_ms};
    std::memcpy(frame.picture.pixels.data(), rows, frame.picture.pixels.size() * 4);
    out.frames.push_back(std::move(frame));
    before_ms = end_ms;
  }
  if (out.frames.empty()) return broken(name, "WebP", "it has no frame");
  return out;
}

}  // namespace

Result<Picture> decode_webp(std::string_view bytes, std::string_view name, const Limits& limits) {
  SPARKY_ASSIGN(auto header, features(bytes, name, limits));
  if (header.has_animation) {
    SPARKY_ASSIGN(auto animation, decode_frames(bytes, name, limits, 1));
    return std::move(animation.frames.front().picture);
  }
  Picture picture(header.width, header.height);
  if (!WebPDecodeRGBAInto(data(bytes), bytes.size(), reinterpret_cast<uint8_t*>(picture.pixels.data()),
                          picture.pixels.size() * 4, picture.width * 4))
    return broken(name, "WebP", "the pixels cannot be decoded");
  return picture;
}

Result<Animation> decode_webp_animation(std::string_view bytes, std::string_view name, const Limits& limits) {
  SPARKY_ASSIGN(auto header, features(bytes, name, limits));
  if (header.has_animation) return decode_frames(bytes, name, limits, limits.frames + 1);
  SPARKY_ASSIGN(auto picture, decode_webp(bytes, name, limits));
  Animation still{picture.width, picture.height, {}, 0};
  still.frames.push_back({std::move(picture), 100});
  return still;
}

}  // namespace sparky::pixel
