// Any bytes as a palette; what decodes comes back the same through every format that can hold it.
#include <cstdlib>

#include "pixel/palette_files.h"

using namespace sparky::pixel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto palette = decode_palette({reinterpret_cast<const char*>(data), size});
  if (!palette || palette->colors.size() > 300) return 0;
  for (auto format : {PaletteFormat::gpl, PaletteFormat::hex, PaletteFormat::jasc, PaletteFormat::act,
                      PaletteFormat::ase, PaletteFormat::lospec, PaletteFormat::png}) {
    auto bytes = encode_palette(*palette, format);
    if (bytes && decode_palette(*bytes).value().colors != palette->colors) std::abort();
  }
  return 0;
}
