// Pictures as bytes or cells for a terminal: PNG files for kitty and iTerm2, sixel through chafa, else half-blocks (by
// chafa where colours are few). Pixels stay pixels: pictures are enlarged by whole factors and nearest neighbour only;
// what is too large is reduced.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "pixel/picture.h"
#include "tui/terminal.h"

namespace sparky::tui {

struct Drawn {
  std::string bytes;          // lines end in "\r\n"; the cursor ends on the line below
  int columns = 0, rows = 0;  // cells covered
  int scale = 0;              // each pixel of the picture became scale × scale pixels (or half-cells); 0: reduced
};

// Draws as large as fits into columns × rows cells.
Drawn draw(const pixel::Picture& picture, const Terminal& terminal, int columns, int rows);

// A picture in character cells, for terminals without graphics.
struct SymbolCell {
  char32_t character = U' ';
  int foreground = -1, background = -1;  // truecolor: 0xRRGGBB; else an index into the palette; -1: the terminal's own
};
struct Symbols {
  int columns = 0, rows = 0, scale = 0;  // as in Drawn
  std::vector<SymbolCell> cells;         // columns × rows
};
Symbols draw_symbols(const pixel::Picture& picture, const Terminal& terminal, int columns, int rows);

// The same with a name, by which kitty removes it; of other terminals the bytes as they are.
std::string with_id(const std::string& bytes, uint32_t id);
std::string clear_graphics(const Terminal& terminal, uint32_t id);

// Bytes that remove all graphics that were drawn, and free them (kitty keeps them until told); empty where text
// overwrites them.
std::string clear_graphics(const Terminal& terminal);

}  // namespace sparky::tui
