// Any bytes through every picture decoder; what decodes must come back the same from our PNG.
#include <cstdlib>

#include "pixel/files.h"

using namespace sparky::pixel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Limits small{1 << 20, 512, 1 << 16, 16};
  if (auto picture = decode_picture(bytes, "fuzz", small)) {
    if (picture->pixels.size() != size_t(picture->width) * size_t(picture->height)) std::abort();
    auto png = encode_png(*picture, PngOptions{{}, 1});
    if (!png || decode_picture(*png).value() != *picture) std::abort();
  }
  if (auto animation = decode_animation(bytes, "fuzz", small)) {
    for (auto& frame : animation->frames)
      if (frame.picture.width != animation->width || frame.picture.height != animation->height) std::abort();
    if (animation->loops == 1) (void)encode_gif(*animation);
  }
  if (auto indexed = decode_indexed_png(bytes, "fuzz", small)) {
    auto png = encode_png(*indexed, PngOptions{{}, 1});
    if (!png || decode_indexed_png(*png).value() != *indexed) std::abort();
  }
  (void)decode_png_text(bytes, "fuzz", small);
  return 0;
}
