// Painter: from a screen of cells to the bytes that make a terminal show it. Only what differs from the last frame is
// sent, inside a synchronized update (DEC mode 2026), so that nothing flickers and a slow line has little to carry.
// Pictures are put over their cells after them, and are gone before anything else stands there.
#pragma once
#include <ftxui/screen/screen.hpp>
#include <map>
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
  // The terminal stays the caller's, who may find that it has changed: its cells' size with a font.
  explicit Painter(const Terminal& terminal) : terminal_(terminal) {}
  explicit Painter(Terminal&&) = delete;
  // Empty when the terminal shows all that already. Of new pictures only as many as there is time for.
  std::string paint(ftxui::Screen screen, const std::vector<std::shared_ptr<Placement>>& placements, PictureTime& time);
  void forget() { shown_.reset(); }  // the next frame is painted whole: after a resize or a stop

 private:
  std::string cells(const ftxui::Screen& screen);
  void style(std::string& out, const ftxui::Pixel& pixel) const;
  std::string glyph(const std::string& character) const;
  const Drawn* drawn(const Placement& placement, int columns, int rows, PictureTime& time);
  std::string text_of(const ftxui::Box& box);
  std::string pictures(const std::vector<std::shared_ptr<Placement>>& wanted, PictureTime& time);

  const Terminal& terminal_;
  std::optional<ftxui::Screen> shown_;
  struct Made {
    PicturePtr picture;  // held, so that its address is nobody else's
    Drawn drawn;
    uint64_t used = 0;
  };
  std::map<std::tuple<const void*, int, int>, Made> made_;
  std::map<uint32_t, Placement> placed_;  // by kitty's id
  uint32_t last_id_ = 0;
  uint64_t frame_ = 0;
  int cursor_x_ = -1, cursor_y_ = -1;
};

}  // namespace sparky::tui
