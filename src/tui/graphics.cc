#include "tui/graphics.h"

#include <chafa.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "pixel/files.h"
#include "pixel/palette.h"
#include "wire/fields.h"

namespace sparky::tui {
namespace {

using pixel::Picture;

template <auto unref>
struct Unref {
  template <class T>
  void operator()(T* t) const {
    unref(t);
  }
};
template <class T, auto unref>
using Held = std::unique_ptr<T, Unref<unref>>;

Picture enlarged(const Picture& in, int scale) {
  Picture out(in.width * scale, in.height * scale);
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x) out.at(x, y) = in.at(x / scale, y / scale);
  return out;
}

// By the middle of each target pixel's area: keeps colours true, which averaging would not.
Picture reduced(const Picture& in, int width, int height) {
  Picture out(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      out.at(x, y) = in.at(int((int64_t(2) * x + 1) * in.width / (2 * width)),
                           int((int64_t(2) * y + 1) * in.height / (2 * height)));
  return out;
}

ChafaCanvasMode canvas_mode(Colors colors) {
  switch (colors) {
    case Colors::truecolor:
      return CHAFA_CANVAS_MODE_TRUECOLOR;
    case Colors::ansi256:
      return CHAFA_CANVAS_MODE_INDEXED_240;
    case Colors::ansi16:
      return CHAFA_CANVAS_MODE_INDEXED_16;
    case Colors::none:
      return CHAFA_CANVAS_MODE_FGBG;
  }
  return CHAFA_CANVAS_MODE_INDEXED_16;
}

// kitty and iTerm2 take files: a PNG of enlarged pixels is a hundredth of the bytes that chafa sends, which is their
// RGBA. https://sw.kovidgoyal.net/kitty/graphics-protocol/: in parts of at most 4096 bytes.
std::string kitty_bytes(std::string_view payload, int columns, int rows) {
  constexpr size_t part_max = 4096;
  std::string out;
  for (size_t at = 0; at == 0 || at < payload.size(); at += part_max) {
    bool first = at == 0, last = at + part_max >= payload.size();
    out += first ? fmt::format("\x1b_Ga=T,f=100,q=2,c={},r={},", columns, rows) : std::string("\x1b_G");
    out += last ? "m=0;" : "m=1;";
    out += payload.substr(at, part_max);
    out += "\x1b\\";
  }
  return out;
}

// https://iterm2.com/documentation-images.html
std::string iterm2_bytes(std::string_view payload, size_t size, int columns, int rows) {
  return fmt::format("\x1b]1337;File=inline=1;size={};width={};height={};preserveAspectRatio=0:{}\x07", size, columns,
                     rows, payload);
}

// With a palette where there are at most 256 colours: a quarter of the bytes to compress, and no filter to be chosen.
Result<std::string> png_of(const Picture& picture) {
  const pixel::PngOptions quick{.text = {}, .compression = 4};
  auto indexed = pixel::to_indexed(picture);
  return indexed ? pixel::encode_png(*indexed, quick) : pixel::encode_png(picture, quick);
}

struct Fit {
  Picture picture;
  int scale = 0;
};
Fit fit(const Picture& picture, int max_width, int max_height) {
  int scale = std::min(max_width / picture.width, max_height / picture.height);
  if (scale >= 1) return {scale == 1 ? picture : enlarged(picture, scale), scale};
  double shrink = std::min(double(max_width) / picture.width, double(max_height) / picture.height);
  return {reduced(picture, std::max(1, int(picture.width * shrink)), std::max(1, int(picture.height * shrink))), 0};
}

using Canvas = Held<ChafaCanvas, chafa_canvas_unref>;
Canvas render(const Picture& picture, const Terminal& terminal, int columns, int rows) {
  Held<ChafaSymbolMap, chafa_symbol_map_unref> symbols(chafa_symbol_map_new());
  auto tags = !terminal.unicode ? CHAFA_SYMBOL_TAG_ASCII
              : terminal.colors == Colors::none
                  ? ChafaSymbolTags(CHAFA_SYMBOL_TAG_BRAILLE | CHAFA_SYMBOL_TAG_SPACE)
                  : ChafaSymbolTags(CHAFA_SYMBOL_TAG_VHALF | CHAFA_SYMBOL_TAG_SPACE | CHAFA_SYMBOL_TAG_SOLID);
  chafa_symbol_map_add_by_tags(symbols.get(), tags);
  Held<ChafaCanvasConfig, chafa_canvas_config_unref> config(chafa_canvas_config_new());
  chafa_canvas_config_set_geometry(config.get(), columns, rows);
  chafa_canvas_config_set_symbol_map(config.get(), symbols.get());
  chafa_canvas_config_set_canvas_mode(config.get(), canvas_mode(terminal.colors));
  bool sixel = terminal.graphics == Graphics::sixel;
  chafa_canvas_config_set_pixel_mode(config.get(), sixel ? CHAFA_PIXEL_MODE_SIXELS : CHAFA_PIXEL_MODE_SYMBOLS);
  chafa_canvas_config_set_cell_geometry(config.get(), terminal.cell_width, terminal.cell_height);
  chafa_canvas_config_set_dither_mode(config.get(), CHAFA_DITHER_MODE_NONE);
  // Not every terminal knows "repeat this character" (REP).
  chafa_canvas_config_set_optimizations(config.get(), CHAFA_OPTIMIZATION_REUSE_ATTRIBUTES);
  chafa_canvas_config_set_preprocessing_enabled(config.get(), FALSE);
  chafa_canvas_config_set_work_factor(config.get(), 1.0f);
  chafa_canvas_config_set_transparency_threshold(config.get(), 0.5f);
  Canvas canvas(chafa_canvas_new(config.get()));
  chafa_canvas_draw_all_pixels(canvas.get(), CHAFA_PIXEL_RGBA8_UNASSOCIATED,
                               reinterpret_cast<const guint8*>(picture.pixels.data()), picture.width, picture.height,
                               picture.width * 4);
  return canvas;
}

std::string printed(ChafaCanvas* canvas) {
  // All sequences that chafa knows: what the terminal can do was decided by detect().
  Held<ChafaTermInfo, chafa_term_info_unref> info(chafa_term_db_get_fallback_info(chafa_term_db_get_default()));
  GString* text = chafa_canvas_print(canvas, info.get());
  std::string out(text->str, text->len);
  g_string_free(text, TRUE);
  return out;
}

// Without colours only light and dark are left. The picture's own range is spread over the lighter part of what there
// is, so that a dark sprite is no hole; of braille dots, which are there or not, more stand where it is lighter.
Picture shaded(const Picture& picture, bool dots) {
  auto light = [](pixel::Rgba p) { return (2126 * p.r + 7152 * p.g + 722 * p.b) / 10000; };
  int darkest = 255, lightest = 0;
  for (auto p : picture.pixels) {
    if (p.a < 128) continue;
    darkest = std::min(darkest, light(p));
    lightest = std::max(lightest, light(p));
  }
  Picture out = picture;
  for (auto& p : out.pixels) {
    const int floor = dots ? 96 : 140;  // a letter is chosen by how much of its cell it fills, and below half none is
    int share = lightest > darkest ? (light(p) - darkest) * (255 - floor) / (lightest - darkest) : 255 - floor;
    auto gray = uint8_t(std::clamp(floor + share, 0, 255));
    p = p.a < 128 ? pixel::Rgba{} : pixel::Rgba{gray, gray, gray, 255};
  }
  if (!dots) return out;
  return pixel::remap(out,
                      {.name = {}, .author = {}, .colors = {{0, 0, 0, 255}, {255, 255, 255, 255}}, .color_names = {}},
                      {.dither = pixel::Dither::bayer4})
      .value_or(out);
}

// The picture on whole cells, as large as fits.
struct OnCells {
  Picture picture;
  int columns = 0, rows = 0, scale = 0;
};
OnCells on_cells(const Picture& picture, const Terminal& terminal, int columns, int rows) {
  OnCells out;
  bool symbols = terminal.graphics == Graphics::symbols;
  // A cell is one by two half-blocks, two by four braille dots, or its pixels.
  bool braille = symbols && terminal.unicode && terminal.colors == Colors::none;
  int unit_w = symbols ? (braille ? 2 : 1) : terminal.cell_width;
  int unit_h = symbols ? (braille ? 4 : terminal.unicode ? 2 : 1) : terminal.cell_height;
  // Sixels are six high: chafa shrinks what does not fill the last ones, so that it fits.
  int whole = terminal.graphics == Graphics::sixel && unit_h >= 6 ? 6 : 1;
  auto height_of = [&](int rows_used) { return rows_used * unit_h / whole * whole; };
  auto [fitted, scale] = fit(picture, columns * unit_w, height_of(rows));
  out.scale = scale;
  out.columns = (fitted.width + unit_w - 1) / unit_w;
  out.rows = (fitted.height + unit_h - 1) / unit_h;
  if (height_of(out.rows) < fitted.height && out.rows < rows) ++out.rows;
  // The canvas is whole cells: what the picture does not fill is transparent, so that chafa does not stretch it.
  Picture canvas(out.columns * unit_w, height_of(out.rows));
  for (int y = 0; y < fitted.height; ++y)
    for (int x = 0; x < fitted.width; ++x) canvas.at(x, y) = fitted.at(x, y);
  out.picture = symbols && terminal.colors == Colors::none ? shaded(canvas, braille) : std::move(canvas);
  return out;
}

// chafa samples symbols at 8 × 8 pixels a cell: with exactly these no pixel is blurred.
Picture sampled(const OnCells& cells) {
  Picture out(cells.columns * 8, cells.rows * 8);
  int unit_w = cells.picture.width / cells.columns, unit_h = cells.picture.height / cells.rows;
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x) out.at(x, y) = cells.picture.at(x * unit_w / 8, y * unit_h / 8);
  return out;
}

// Where the terminal has all colours there is nothing to choose: a cell is its two pixels.
SymbolCell half_block(pixel::Rgba above, pixel::Rgba below) {
  auto color = [](pixel::Rgba p) { return p.a < 128 ? -1 : p.r << 16 | p.g << 8 | p.b; };
  int top = color(above), bottom = color(below);
  if (top < 0) return {bottom < 0 ? U' ' : U'▄', bottom, -1};
  return {U'▀', top, bottom};
}

}  // namespace

Drawn draw(const Picture& picture, const Terminal& terminal, int columns, int rows) {
  Drawn out;
  if (picture.empty() || columns < 1 || rows < 1) return out;
  auto cells = on_cells(picture, terminal, columns, rows);
  if (terminal.graphics == Graphics::symbols) cells.picture = sampled(cells);
  out.columns = cells.columns;
  out.rows = cells.rows;
  out.scale = cells.scale;
  if (terminal.graphics == Graphics::kitty || terminal.graphics == Graphics::iterm2) {
    auto png = png_of(cells.picture);
    if (!png) return {};
    auto payload = wire::base64(*png);
    out.bytes = terminal.graphics == Graphics::kitty ? kitty_bytes(payload, out.columns, out.rows)
                                                     : iterm2_bytes(payload, png->size(), out.columns, out.rows);
    out.bytes += "\r\n";
    return out;
  }
  for (char c : printed(render(cells.picture, terminal, out.columns, out.rows).get())) {
    if (c == '\n') out.bytes += '\r';
    out.bytes += c;
  }
  out.bytes += "\r\n";
  return out;
}

Symbols draw_symbols(const Picture& picture, const Terminal& terminal, int columns, int rows) {
  Symbols out;
  if (picture.empty() || columns < 1 || rows < 1) return out;
  auto plain = terminal;
  plain.graphics = Graphics::symbols;
  auto cells = on_cells(picture, plain, columns, rows);
  out.columns = cells.columns;
  out.rows = cells.rows;
  out.scale = cells.scale;
  if (plain.colors == Colors::truecolor && plain.unicode) {
    for (int y = 0; y < out.rows; ++y)
      for (int x = 0; x < out.columns; ++x)
        out.cells.push_back(half_block(cells.picture.at(x, 2 * y), cells.picture.at(x, 2 * y + 1)));
    return out;
  }
  auto canvas = render(sampled(cells), plain, out.columns, out.rows);
  for (int y = 0; y < out.rows; ++y)
    for (int x = 0; x < out.columns; ++x) {
      SymbolCell cell;
      cell.character = chafa_canvas_get_char_at(canvas.get(), x, y);
      if (plain.colors != Colors::none)
        chafa_canvas_get_raw_colors_at(canvas.get(), x, y, &cell.foreground, &cell.background);
      // A transparent foreground would be drawn in the terminal's own text colour: the other half is drawn instead.
      if (plain.colors != Colors::none && cell.foreground < 0 && cell.character != U' ') {
        cell.character = cell.character == U'▄' ? U'▀' : cell.character == U'▀' ? U'▄' : U' ';
        std::swap(cell.foreground, cell.background);
      }
      out.cells.push_back(cell);
    }
  return out;
}

std::string with_id(const std::string& bytes, uint32_t id) {
  constexpr std::string_view head = "\x1b_G";
  if (!bytes.starts_with(head)) return bytes;
  return fmt::format("{}i={},{}", head, id, bytes.substr(head.size()));
}

std::string clear_graphics(const Terminal& terminal, uint32_t id) {
  return terminal.graphics == Graphics::kitty ? fmt::format("\x1b_Ga=d,d=I,i={},q=2\x1b\\", id) : "";
}

std::string clear_graphics(const Terminal& terminal) {
  return terminal.graphics == Graphics::kitty ? "\x1b_Ga=d,d=A,q=2\x1b\\" : "";
}

}  // namespace sparky::tui
