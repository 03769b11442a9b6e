// Any bytes as sheet JSON; what decodes comes back the same, and can be unpacked or is refused.
#include <cstdlib>

#include "pixel/sheet_json.h"

using namespace sparky::pixel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto sheet = decode_sheet_json({reinterpret_cast<const char*>(data), size});
  if (!sheet) return 0;
  for (auto form : {SheetJson::aseprite_hash, SheetJson::aseprite_array, SheetJson::texturepacker_hash,
                    SheetJson::texturepacker_array})
    if (decode_sheet_json(encode_sheet_json(*sheet, form)).value() != *sheet) std::abort();
  uint64_t pixels = 0;
  for (auto& f : sheet->frames) pixels += uint64_t(f.width) * uint64_t(f.height);
  if (pixels < 100000) (void)unpack(Picture(16, 16), *sheet);
  return 0;
}
