#include "tui/painter.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>

namespace sparky::tui {
using ftxui::Pixel;
using ftxui::Screen;

namespace {

bool same_style(const Pixel& a, const Pixel& b) {
  return a.foreground_color == b.foreground_color && a.background_color == b.background_color && a.bold == b.bold &&
         a.dim == b.dim && a.inverted == b.inverted && a.underlined == b.underlined;
}
bool same(const Pixel& a, const Pixel& b) { return a.character == b.character && same_style(a, b); }

std::string position(int x, int y) { return fmt::format("\x1b[{};{}H", y + 1, x + 1); }

// What the screens draw with, for terminals without Unicode.
std::string ascii(const std::string& character) {
  static const std::map<std::string, std::string, std::less<>> known = {
      {"│", "|"}, {"┃", "|"}, {"─", "-"}, {"━", "-"}, {"╭", "+"}, {"╮", "+"}, {"╰", "+"}, {"╯", "+"}, {"┌", "+"},
      {"┐", "+"}, {"└", "+"}, {"┘", "+"}, {"├", "+"}, {"┤", "+"}, {"┬", "+"}, {"┴", "+"}, {"┼", "+"}, {"█", "#"},
      {"░", "."}, {"▒", ":"}, {"▓", "#"}, {"✓", "+"}, {"●", "*"}, {"○", "o"}, {"✗", "x"}, {"»", ">"}, {"·", "."},
      {"…", "~"}, {"★", "*"}, {"▸", ">"}, {"→", ">"}, {"←", "<"}, {"↑", "^"}, {"↓", "v"}, {"▄", "_"}, {"▀", "\""},
      {"×", "x"}, {"◆", "*"}, {"▏", "."}, {"▎", "."}, {"▍", "."}, {"▌", "#"}, {"▋", "#"}, {"▊", "#"}, {"▉", "#"}};
  auto it = known.find(character);
  if (it != known.end()) return it->second;
  // Braille (U+2800 to U+28FF), as graphs have it: by how many of its dots are set.
  if (character.size() != 3 || !character.starts_with("\xe2") ||
      (static_cast<unsigned char>(character[1]) & 0xfc) != 0xa0)
    return "?";
  auto dots = std::popcount(unsigned(character[1] & 3) << 6 | unsigned(character[2] & 0x3f));
  return dots == 0 ? " " : dots < 4 ? "." : dots < 7 ? ":" : "#";
}

}  // namespace

std::string enter_screen() { return "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[2J\x1b[H"; }

std::string leave_screen(const Terminal& terminal) {
  return clear_graphics(terminal) + "\x1b[0m\x1b[?2004l\x1b[?1006l\x1b[?1000l\x1b[?25h\x1b[0 q\x1b[?1049l";
}

std::string Painter::glyph(const std::string& character) const {
  if (character.empty()) return " ";
  auto first = static_cast<unsigned char>(character[0]);
  if (first < 0x20 || first == 0x7f) return "?";  // no screen draws them; if one did, it would not get out
  return first < 0x80 || terminal_.unicode ? character : ascii(character);
}

void Painter::style(std::string& out, const Pixel& pixel) const {
  out += "\x1b[0";
  if (pixel.bold) out += ";1";
  if (pixel.dim) out += ";2";
  if (pixel.underlined) out += ";4";
  if (pixel.inverted) out += ";7";
  if (terminal_.colors != Colors::none) {
    (out += ';') += pixel.foreground_color.Print(false);
    (out += ';') += pixel.background_color.Print(true);
  }
  out += 'm';
}

std::string Painter::cells(const Screen& screen) {
  std::string out;
  const Pixel* styled = nullptr;  // whose style the terminal writes with
  bool whole = !shown_ || shown_->dimx() != screen.dimx() || shown_->dimy() != screen.dimy();
  if (whole) out += clear_graphics(terminal_) + "\x1b[0m\x1b[2J", placed_.clear();
  for (int y = 0; y < screen.dimy(); ++y) {
    int at = -1;  // the column where the terminal's own cursor stands in this row
    for (int x = 0; x < screen.dimx(); ++x) {
      auto& pixel = screen.PixelAt(x, y);
      bool wide = x + 1 < screen.dimx() && screen.at(x + 1, y).empty() && !pixel.character.empty();
      bool changed = whole ? !same(pixel, Pixel()) : !same(pixel, shown_->PixelAt(x, y));
      if (wide && !whole) changed = changed || !same(screen.PixelAt(x + 1, y), shown_->PixelAt(x + 1, y));
      if (pixel.character.empty() && x > 0 && width_of(screen.at(x - 1, y)) == 2) continue;  // its second half
      if (!changed) continue;
      if (at != x) out += position(x, y);
      if (!styled || !same_style(pixel, *styled)) style(out, pixel);
      styled = &pixel;
      auto drawn = glyph(pixel.character);
      out += drawn;
      if (wide && !terminal_.unicode) out += " ";
      at = x + (wide ? 2 : 1);
    }
  }
  return out;
}

// The cells of a box again, with what reaches into it from the left.
std::string Painter::text_of(const ftxui::Box& box) {
  std::string out;
  auto second_half = [&](int x, int y) {
    return x > 0 && shown_->at(x, y).empty() && width_of(shown_->at(x - 1, y)) == 2;
  };
  for (int y = box.y_min; y <= box.y_max && y < shown_->dimy(); ++y) {
    int x = box.x_min - second_half(box.x_min, y);
    for (out += position(x, y); x <= box.x_max && x < shown_->dimx(); ++x) {
      if (second_half(x, y) && terminal_.unicode) continue;
      style(out, shown_->PixelAt(x, y));
      out += glyph(shown_->at(x, y));
    }
  }
  return out;
}

// The picture's bytes; nothing if they are still to be made and there is no time left.
const Drawn* Painter::drawn(const Placement& p, int columns, int rows, PictureTime& time) {
  std::tuple<const void*, int, int> key{p.picture.get(), columns, rows};
  auto it = made_.find(key);
  if (it == made_.end()) {
    if (!time.left()) return nullptr;
    it = made_.emplace(key, Made{p.picture, draw(*p.picture, terminal_, columns, rows), 0}).first;
  }
  it->second.used = frame_;
  return &it->second.drawn;
}

// Kitty keeps its pictures apart from the cells, under ids; elsewhere cells and pictures replace each other.
std::string Painter::pictures(const std::vector<std::shared_ptr<Placement>>& wanted, PictureTime& time) {
  std::map<uint32_t, Placement> now;
  std::vector<const Placement*> fresh;
  ++frame_;
  for (auto& p : wanted) {
    auto stays = std::ranges::find_if(placed_, [&](auto& old) { return old.second == *p; });
    if (stays == placed_.end())
      fresh.push_back(p.get());
    else
      now.insert(placed_.extract(stays));
  }
  std::string out;
  for (auto& [id, old] : placed_) {
    out += clear_graphics(terminal_, id);
    if (terminal_.graphics == Graphics::kitty) continue;
    out += text_of(old.box);
  }
  for (auto* p : fresh) {
    int columns = p->box.x_max - p->box.x_min + 1, rows = p->box.y_max - p->box.y_min + 1;
    auto* picture = drawn(*p, columns, rows, time);
    if (!picture) continue;
    std::string_view bytes = picture->bytes;
    while (bytes.ends_with("\r\n")) bytes.remove_suffix(2);  // no scrolling at the last row
    out += position(p->box.x_min + (columns - picture->columns) / 2, p->box.y_min + (rows - picture->rows) / 2);
    out += with_id(std::string(bytes), ++last_id_);
    now.emplace(last_id_, *p);
  }
  placed_ = std::move(now);
  constexpr size_t kept_max = 300;  // a gallery's page or two, to go back to
  if (made_.size() > kept_max) std::erase_if(made_, [&](auto& entry) { return entry.second.used != frame_; });
  return out;
}

std::string Painter::paint(Screen screen, const std::vector<std::shared_ptr<Placement>>& placements,
                           PictureTime& time) {
  auto changed = cells(screen);
  auto cursor = screen.cursor();
  bool visible = cursor.shape != Screen::Cursor::Hidden;
  shown_ = std::move(screen);
  changed += pictures(placements, time);
  int x = visible ? cursor.x : -1, y = visible ? cursor.y : -1;
  if (changed.empty() && x == cursor_x_ && y == cursor_y_) return "";
  cursor_x_ = x;
  cursor_y_ = y;
  auto end = visible ? "\x1b[0m" + position(x, y) + "\x1b[6 q\x1b[?25h" : std::string("\x1b[0m");
  return "\x1b[?2026h\x1b[?25l" + changed + end + "\x1b[?2026l";
}

}  // namespace sparky::tui
