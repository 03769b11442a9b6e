// Sheet JSON, as Aseprite ("--data", hash or array) and TexturePacker ("JSON (Hash)", "JSON (Array)") write it.
// Both put into "frames" where each frame lies; Aseprite adds durations and, in "meta", frameTags and slices, and so
// does Sparky to both, for loaders skip what they do not know. TexturePacker's form gets "animations" besides, which
// PixiJS plays.
#pragma once
#include <string>
#include <string_view>

#include "pixel/sheet.h"

namespace sparky::pixel {

enum class SheetJson { aseprite_hash, aseprite_array, texturepacker_hash, texturepacker_array };

std::string encode_sheet_json(const Sheet& sheet, SheetJson form);
// Any of the four. Errc::invalid names the field. Rotated frames, which Sparky never makes, are refused.
Result<Sheet> decode_sheet_json(std::string_view text, std::string_view name = "sheet");

}  // namespace sparky::pixel
