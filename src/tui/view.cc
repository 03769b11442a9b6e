#include "tui/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ftxui/dom/node.hpp>
#include <ftxui/screen/string.hpp>

#include "base/text.h"

namespace sparky::tui {
using namespace ftxui;

Theme theme_for(const Terminal& terminal) {
  Theme theme;
  if (terminal.light.value_or(false)) {
    theme.accent = Color::Blue;
    theme.warn = Color::Magenta;
    theme.star = Color::Magenta;
    theme.quiet = Color::GrayDark;
  }
  return theme;
}

void Stage::begin() {
  placements.clear();
  spots.clear();
  missing.clear();
  moves.reset();
  constexpr size_t kept_max = 400;  // a gallery's pages, to go back to
  if (made_.size() > kept_max) std::erase_if(made_, [](auto& entry) { return !entry.second.used; });
  for (auto& [key, made] : made_) made.used = false;
}

namespace {

std::string utf8(char32_t c) {
  std::string out;
  if (c < 0x80) {
    out += char(c);
  } else if (c < 0x800) {
    out += char(0xc0 | c >> 6);
    out += char(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += char(0xe0 | c >> 12);
    out += char(0x80 | (c >> 6 & 0x3f));
    out += char(0x80 | (c & 0x3f));
  } else {
    out += char(0xf0 | c >> 18);
    out += char(0x80 | (c >> 12 & 0x3f));
    out += char(0x80 | (c >> 6 & 0x3f));
    out += char(0x80 | (c & 0x3f));
  }
  return out;
}

Color color_of(int value, Colors colors) {
  if (value < 0) return Color::Default;
  if (colors == Colors::truecolor)
    return Color(uint8_t(value >> 16), uint8_t(value >> 8 & 0xff), uint8_t(value & 0xff));
  return colors == Colors::ansi256 ? Color(Color::Palette256(value)) : Color(Color::Palette16(value & 15));
}

}  // namespace

// FTXUI looks for the nearest of its palette's colours whenever one is made, so each cell is made once.
const Stage::Made* Stage::symbols(const PicturePtr& picture, int columns, int rows) {
  std::tuple<const void*, int, int> key{picture.get(), columns, rows};
  auto known = made_.find(key);
  if (known == made_.end() && !time.left()) return nullptr;
  auto& made = known == made_.end() ? made_[key] : known->second;
  made.used = true;
  if (known != made_.end()) return &made;
  auto symbols = draw_symbols(*picture, terminal, columns, rows);
  made.picture = picture;
  made.columns = symbols.columns;
  made.rows = symbols.rows;
  for (auto& cell : symbols.cells) {
    auto& pixel = made.pixels.emplace_back();
    pixel.character = utf8(cell.character);
    pixel.foreground_color = color_of(cell.foreground, terminal.colors);
    pixel.background_color = color_of(cell.background, terminal.colors);
  }
  return &made;
}

int width_of(const std::string& text) { return string_width(text); }

std::string one_line(const std::string& text) {
  auto safe = printable(text);
  for (char& c : safe)
    if (c == '\n' || c == '\t') c = ' ';
  return safe;
}

std::string cut(const std::string& text, int width) {
  if (width <= 0) return "";
  if (string_width(text) <= width) return text;
  std::string out;
  int used = 0;
  for (auto& glyph : Utf8ToGlyphs(text)) {
    if (glyph.empty()) continue;  // the second cell of a wide one
    int w = string_width(glyph);
    if (used + w > width - 1) break;
    out += glyph;
    used += w;
  }
  return out + "…";
}

std::vector<std::string> wrapped(const std::string& text, int width) {
  auto indent = std::min(text.find_first_not_of(' '), text.size());
  int room = std::max(1, width - int(indent)), used = 0;
  std::vector<std::string> lines{""};
  for (auto part : split(std::string_view(text).substr(indent), ' ')) {
    auto word = cut(std::string(part), room);
    int w = string_width(word);
    if (used > 0 && used + 1 + w > room) lines.emplace_back(), used = 0;
    if (used > 0) lines.back() += ' ', ++used;
    lines.back() += word;
    used += w;
  }
  for (auto& line : lines) line.insert(0, indent, ' ');
  return lines;
}

std::string padded(const std::string& text, int width) {
  auto out = cut(text, width);
  return out + std::string(size_t(std::max(0, width - string_width(out))), ' ');
}

Element label(const std::string& value) { return text(one_line(value)); }

namespace {

// The blocks of a bar, which fill eighths of their cell: all, or those from one to eight eighths.
constexpr const char* blocks[] = {"░", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
int cells_of(int columns) { return std::max(1, columns - 6); }  // beside " 100 %"

}  // namespace

Element bar(double fraction, int columns, Color tint) {
  fraction = std::clamp(fraction, 0.0, 1.0);
  int cells = cells_of(columns), eighths = int(fraction * cells * 8 + Glide::part_rounding);
  std::string done, rest;
  for (int i = 0; i < cells; ++i) (8 * i < eighths ? done : rest) += blocks[std::clamp(eighths - 8 * i, 0, 8)];
  return hbox({text(done) | color(tint), text(rest) | dim, text(fmt::format(" {:3.0f} %", fraction * 100))});
}

Element bar(Stage& stage, const Glide& progress, Time now, int columns, Color tint) {
  if (auto next = progress.next(now, 8 * cells_of(columns)))
    stage.moves = stage.moves ? std::min(*stage.moves, *next) : *next;
  return bar(progress.at(now), columns, tint);
}

namespace {

// Fills what it gets; draws symbols itself, or leaves the cells blank for graphics.
class PictureNode : public Node {
 public:
  PictureNode(Stage& stage, PicturePtr picture) : stage_(stage), picture_(std::move(picture)) {}
  void ComputeRequirement() override {
    requirement_.min_x = requirement_.min_y = 1;
    requirement_.flex_grow_x = requirement_.flex_grow_y = 1;
    requirement_.flex_shrink_x = requirement_.flex_shrink_y = 1;
  }
  void Render(Screen& screen) override {
    int columns = box_.x_max - box_.x_min + 1, rows = box_.y_max - box_.y_min + 1;
    if (columns < 1 || rows < 1) return;
    if (stage_.terminal.graphics != Graphics::symbols) {
      stage_.placements.push_back(std::make_shared<Placement>(box_, picture_));
      return;
    }
    auto* symbols = stage_.symbols(picture_, columns, rows);
    if (!symbols) return;
    int left = box_.x_min + (columns - symbols->columns) / 2, top = box_.y_min + (rows - symbols->rows) / 2;
    for (int y = 0; y < symbols->rows; ++y)
      for (int x = 0; x < symbols->columns; ++x) {
        if (!screen.stencil.Contain(left + x, top + y)) continue;
        screen.PixelAt(left + x, top + y) = symbols->pixels[size_t(y) * size_t(symbols->columns) + size_t(x)];
      }
  }

 private:
  Stage& stage_;
  PicturePtr picture_;
};

// Around one child, in whose box it is.
class AroundNode : public Node {
 public:
  explicit AroundNode(Element child) : Node({std::move(child)}) {}
  void ComputeRequirement() override {
    Node::ComputeRequirement();
    requirement_ = children_[0]->requirement();
  }
  void SetBox(Box box) override {
    Node::SetBox(box);
    children_[0]->SetBox(box);
  }
};

class SpotNode : public AroundNode {
 public:
  SpotNode(Element child, std::shared_ptr<Spot> spot) : AroundNode(std::move(child)), spot_(std::move(spot)) {}
  void SetBox(Box box) override {
    AroundNode::SetBox(box);
    spot_->box = box;
  }

 private:
  std::shared_ptr<Spot> spot_;
};

class SelectedNode : public AroundNode {
 public:
  using AroundNode::AroundNode;
  void Render(Screen& screen) override {
    Node::Render(screen);
    for (int y = box_.y_min; y <= box_.y_max; ++y)
      for (int x = box_.x_min; x <= box_.x_max; ++x) {
        if (!screen.stencil.Contain(x, y)) continue;
        auto& pixel = screen.PixelAt(x, y);
        if (std::ranges::find(blocks, pixel.character) == std::end(blocks)) pixel.inverted = true;
      }
  }
};

// One line of text that scrolls with its cursor, where the terminal's own cursor stands.
class FieldNode : public Node {
 public:
  FieldNode(const TextField& field, bool focused, int width, std::string hint)
      : field_(field), focused_(focused), width_(width), hint_(std::move(hint)) {}
  void ComputeRequirement() override {
    requirement_.min_x = width_;
    requirement_.min_y = 1;
  }
  void Render(Screen& screen) override {
    int columns = std::min(width_, box_.x_max - box_.x_min + 1);
    if (columns < 1) return;
    struct Cell {
      std::string glyph;
      int width;
      bool dim;
    };
    std::vector<Cell> cells;
    int cursor = 0, total = 0;
    size_t index = 0;
    auto add = [&](const std::string& value, bool quiet) {
      for (auto& glyph : Utf8ToGlyphs(value)) {
        if (glyph.empty()) continue;
        if (!quiet && index++ == field_.cursor) cursor = total;
        cells.push_back({glyph, string_width(glyph), quiet});
        total += cells.back().width;
      }
    };
    add(field_.text, false);
    if (index <= field_.cursor) cursor = total;
    add(field_.text.empty() ? hint_ : field_.suggestion, true);
    int skip = std::max(0, cursor - columns + 1), x = -skip;
    for (auto& cell : cells) {
      if (x >= 0 && x + cell.width <= columns && screen.stencil.Contain(box_.x_min + x, box_.y_min)) {
        auto& pixel = screen.PixelAt(box_.x_min + x, box_.y_min);
        pixel.character = cell.glyph;
        pixel.dim = cell.dim;
        if (cell.width == 2) screen.PixelAt(box_.x_min + x + 1, box_.y_min).character = "";
      }
      x += cell.width;
    }
    for (int i = 0; i < columns; ++i)
      if (screen.stencil.Contain(box_.x_min + i, box_.y_min))
        screen.PixelAt(box_.x_min + i, box_.y_min).underlined = true;
    if (focused_) screen.SetCursor({box_.x_min + cursor - skip, box_.y_min, Screen::Cursor::Bar});
  }

 private:
  TextField field_;
  bool focused_;
  int width_;
  std::string hint_;
};

std::vector<std::string> graphemes(const std::string& text) {
  auto all = Utf8ToGlyphs(text);
  std::erase(all, "");
  return all;
}

}  // namespace

Element picture_view(Stage& stage, const PicturePtr& picture) {
  if (!picture || picture->empty()) return filler();
  return std::make_shared<PictureNode>(stage, picture);
}

Element clickable(Stage& stage, Element element, std::string what, int index, std::string key) {
  auto spot = std::make_shared<Spot>(Spot{{}, std::move(what), index, std::move(key)});
  spot->box = {0, -1, 0, -1};
  stage.spots.push_back(spot);
  return std::make_shared<SpotNode>(std::move(element), spot);
}

Element selected_row(Element row) { return std::make_shared<SelectedNode>(std::move(row)); }

Element braille(const std::vector<double>& values, double top, Color tint) {
  return canvas([values, top](Canvas& c) {
           int w = c.width(), h = c.height();
           for (int x = 0; x < w; ++x) {
             auto back = size_t(w - 1 - x);
             if (back >= values.size() || top <= 0) continue;
             double v = std::clamp(values[values.size() - 1 - back] / top, 0.0, 1.0);
             int high = int(std::lround(v * (h - 1)));
             for (int y = 0; y <= high; ++y) c.DrawPointOn(x, h - 1 - y);
           }
         }) |
         color(tint) | flex;
}

void TextField::set(std::string value) {
  text = std::move(value);
  cursor = graphemes(text).size();
  suggestion.clear();
}

bool TextField::take(const std::string& key, const std::string& input) {
  auto all = graphemes(text);
  cursor = std::min(cursor, all.size());
  auto put_back = [&] {
    text.clear();
    for (auto& g : all) text += g;
  };
  auto erase = [&](size_t from, size_t to) {
    all.erase(all.begin() + std::ptrdiff_t(from), all.begin() + std::ptrdiff_t(to));
    cursor = from;
    put_back();
  };
  auto word_start = [&] {
    size_t at = cursor;
    while (at > 0 && all[at - 1] == " ") --at;
    while (at > 0 && all[at - 1] != " ") --at;
    return at;
  };
  if (!input.empty()) {
    auto added = one_line(input);
    std::string before, after;
    for (size_t i = 0; i < all.size(); ++i) (i < cursor ? before : after) += all[i];
    text = before + added + after;
    cursor = graphemes(before + added).size();  // a combining character joins what stands before it
    suggestion.clear();
    return true;
  }
  if (key == "left") return cursor > 0 ? --cursor, true : true;
  if (key == "right" && cursor == all.size() && !suggestion.empty()) return set(text + suggestion), true;
  if (key == "right") return cursor += cursor < all.size(), true;
  if (key == "home" || key == "ctrl-a") return cursor = 0, true;
  if (key == "end" || key == "ctrl-e") return cursor = all.size(), true;
  if (key == "backspace") return cursor > 0 ? erase(cursor - 1, cursor), suggestion.clear(), true : true;
  if (key == "delete") return cursor < all.size() ? erase(cursor, cursor + 1), true : true;
  if (key == "ctrl-w") return erase(word_start(), cursor), true;
  if (key == "ctrl-u") return erase(0, cursor), true;
  if (key == "ctrl-k") return erase(cursor, all.size()), true;
  return false;
}

Element text_field(const TextField& field, bool focused, int width, const std::string& hint) {
  return std::make_shared<FieldNode>(field, focused, width, hint);
}

Window window_of(int rows, int selected, int height, int previous) {
  height = std::max(1, height);
  int first = std::clamp(previous, 0, std::max(0, rows - height));
  if (selected < first) first = selected;
  if (selected >= first + height) first = selected - height + 1;
  return {std::max(0, first), std::min(height, rows - std::max(0, first))};
}

std::string screen_text(const Screen& screen) {
  std::string out;
  for (int y = 0; y < screen.dimy(); ++y) {
    std::string line;
    for (int x = 0; x < screen.dimx(); ++x) line += screen.at(x, y);
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + "\n";
  }
  return out;
}

}  // namespace sparky::tui
