// Painter: from a screen of cells to the bytes that make a terminal show it. Only what differs from the last frame is
// sent, inside a synchronized update (DEC mode 2026), so that nothing flickers and a slow line has little to carry.
// Pictures are put over their cells after them, and are gone before anything else stands there.
#pragma once
#include <ftxui/screen/screen.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tui/view.h"

namespace sparky::tui {

// Bytes at the beginning and end: alternate screen, mouse, bracketed paste. The end also restores after a crash.
std::string enter_screen();
std::string leave_screen(const Terminal& terminal);

class Painter {
 public:
  explicit Painter(Terminal terminal) : terminal_(std::move(terminal)) {}
  // Empty when the terminal shows all that already.
  std::string paint(const ftxui::Screen& screen, const std::vector<std::shared_ptr<Placement>>& placements);
  void forget() { shown_.reset(); }  // the next frame is painted whole: after a resize or a stop

 private:
  std::string cells(const ftxui::Screen& screen);
  std::string style(const ftxui::Pixel& pixel) const;
  std::string glyph(const std::string& character) const;
  std::string pictures(const std::vector<std::shared_ptr<Placement>>& wanted);

  Terminal terminal_;
  std::optional<ftxui::Screen> shown_;
  std::vector<Placement> placed_;
  int cursor_x_ = -1, cursor_y_ = -1;
};

}  // namespace sparky::tui
