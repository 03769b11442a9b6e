// Terminal: what the terminal at the other end can do, found by asking it.
//
// The questions: kitty's graphics query (https://sw.kovidgoyal.net/kitty/graphics-protocol/), XTVERSION, the cell size
// (CSI 16 t), the background colour (OSC 11), and last DA1 (CSI c), which every terminal answers, as a fence: when its
// answer is here, no other will come. Inside tmux the questions that tmux would not hand on are wrapped for it.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sparky::tui {

enum class Graphics { symbols, sixel, kitty, iterm2 };
std::string_view name(Graphics graphics);
std::optional<Graphics> parse_graphics(std::string_view name);

enum class Colors { none, ansi16, ansi256, truecolor };

struct Terminal {
  Graphics graphics = Graphics::symbols;
  Colors colors = Colors::ansi256;
  bool unicode = true;
  bool tmux = false;
  bool answers = false;                  // it answers questions (DA1)
  std::optional<bool> light;             // light background; unknown: nothing
  int cell_width = 8, cell_height = 16;  // pixels
  int columns = 80, rows = 24;
};

// What the answers say. Pure: any bytes may come, in any pieces.
struct Answers {
  bool kitty = false, sixel = false;
  std::string version;                      // XTVERSION, e.g. "WezTerm 20240203"
  std::optional<std::pair<int, int>> cell;  // width, height in pixels
  std::optional<bool> light;
  bool fence = false;  // DA1 has come: that was all
};
Answers parse_answers(std::string_view bytes);

// The bytes that ask, for a terminal or for tmux in front of one.
std::string questions(bool tmux);

struct Environment {  // of the process: values of the variables, empty where unset
  std::string term, colorterm, term_program, lang, no_color, tmux, graphics, colorfgbg;  // graphics: SPARKY_GRAPHICS
};
Environment environment();

// Colours and Unicode by the environment, graphics by the answers, overridden by SPARKY_GRAPHICS.
Terminal conclude(const Environment& environment, const Answers& answers);

// Whether the terminal in front of tmux shows sixels. tmux that was built with them (Ubuntu's) says for itself that it
// does, and draws nothing that one sees where its terminal does not.
bool tmux_shows_sixels();

// Asks the terminal on these descriptors, for at most `limit`; raw mode while it asks, restored after. Without a
// terminal: what the environment says, and symbols. Keys typed meanwhile are handed back in `typed`.
Terminal detect(int in, int out, std::chrono::milliseconds limit, std::string* typed = nullptr);

}  // namespace sparky::tui
