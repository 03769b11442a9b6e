// Palette files, read by content and written by suffix:
//   .gpl   GIMP palette; alpha by Aseprite's extension ("Channels: RGBA")
//   .hex   one rrggbb (or rrggbbaa) a line, as Lospec gives them
//   .pal   JASC (Paint Shop Pro)
//   .act   Adobe colour table: at most 256 colours, of which one may be transparent
//   .ase   Adobe Swatch Exchange: opaque colours
//   .json  Lospec's {"name", "author", "colors": ["rrggbb", …]}
//   .png   one row of pixels, one for each colour; of any other picture the colours in order of appearance
// What a format can hold comes back exactly; what it cannot is refused, names apart.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "pixel/palette.h"

namespace sparky::pixel {

enum class PaletteFormat { gpl, hex, jasc, act, ase, lospec, png };

constexpr size_t kMaxPaletteColors = 65536;

Result<Palette> decode_palette(std::string_view bytes, std::string_view name = "palette");
Result<Palette> read_palette(const std::filesystem::path& path);  // named after the file if it holds no name
// A built-in palette of that name, else a file.
Result<Palette> find_palette(const std::string& name_or_path);

Result<std::string> encode_palette(const Palette& palette, PaletteFormat format);
Result<PaletteFormat> palette_format_of(const std::filesystem::path& path);  // by suffix
Status write_palette(const std::filesystem::path& path, const Palette& palette);

}  // namespace sparky::pixel
