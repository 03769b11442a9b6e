// Any bytes as an .aseprite file; what decodes comes back the same and can be shown.
#include <cstdlib>

#include "pixel/aseprite.h"

using namespace sparky::pixel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Limits small{1 << 20, 512, 1 << 16, 16};
  auto sprite = decode_aseprite({reinterpret_cast<const char*>(data), size}, "fuzz", small);
  if (!sprite) return 0;
  auto bytes = encode_aseprite(*sprite);
  if (!bytes || decode_aseprite(*bytes).value() != *sprite) std::abort();
  (void)flatten(*sprite).value();
  return 0;
}
