// Palette: the colours of a picture: counted, reduced to few, replaced, put in order, shown. All of it gives the same
// output for the same input. Transparent pixels (alpha 0) are no colour: they stay transparent, and remap() clears what
// hides under them. Of others the alpha stays while the colour may change.
#pragma once
#include <string>
#include <vector>

#include "base/error.h"
#include "pixel/picture.h"

namespace sparky::pixel {

struct Palette {
  std::string name, author;
  std::vector<Rgba> colors;
  std::vector<std::string> color_names;  // none, or one for each colour
  friend bool operator==(const Palette&, const Palette&) = default;
};

struct ColorCount {
  Rgba color;
  uint64_t pixels = 0;
};
// Every colour with its pixels, the most frequent first, then by value. Transparent pixels are left out.
std::vector<ColorCount> count_colors(const Picture& picture);

enum class Method { kmeans, median_cut };
// At most `colors` (1 to 256) opaque colours that stand for the picture's. If it has no more, exactly its own.
Palette quantize(const Picture& picture, int colors, Method method = Method::kmeans);

enum class Dither { none, bayer2, bayer4, bayer8, blue_noise, floyd_steinberg };
struct RemapOptions {
  Dither dither = Dither::none;
  float strength = 1;  // 0: as without dithering; 1: areas keep their mean colour as well as the palette can
};
// Each pixel takes a colour of the palette, whose transparent entries are not used. Errc::invalid if none is left.
Result<Picture> remap(const Picture& picture, const Palette& palette, RemapOptions options = {});

// quantize() and remap() in one; a wholly transparent picture stays as it is.
Picture reduce_colors(const Picture& picture, int colors, Method method = Method::kmeans, RemapOptions options = {});

enum class Order { lightness, hue, chroma, rgb };  // hue: greys first, then around the circle, dark to light
void sort(Palette& palette, Order order);

// Swatches of `cell` pixels a side in rows of `columns` (0: all in a row up to 16).
Picture show(const Palette& palette, int cell = 16, int columns = 0);

// The free palettes that come with Sparky (pico-8, db32, gameboy, …), each with its author.
const std::vector<Palette>& builtin_palettes();
const Palette* find_builtin_palette(std::string_view name);

}  // namespace sparky::pixel
