// View: what the screens are made of, on top of FTXUI's elements: text that keeps to its columns whatever it holds,
// text fields, lists, bars, pictures, places to click. A screen is a function from the model to an element; what else
// it wants from the terminal (pictures, clicks, the cursor) it leaves on the Stage.
#pragma once
#include <chrono>
#include <ftxui/dom/elements.hpp>
#include <ftxui/screen/screen.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "pixel/picture.h"
#include "tui/glide.h"
#include "tui/graphics.h"
#include "tui/terminal.h"

namespace sparky::tui {

using ftxui::Element;
using ftxui::Elements;
using PicturePtr = std::shared_ptr<const pixel::Picture>;

// A picture that belongs over a box of cells, for terminals with graphics.
struct Placement {
  ftxui::Box box;  // the whole space; the picture stands in its middle
  PicturePtr picture;
  friend bool operator==(const Placement& a, const Placement& b) { return a.box == b.box && a.picture == b.picture; }
};
// What a click there means.
struct Spot {
  ftxui::Box box;
  std::string what;  // "tab", "row", "field", "key"
  int index = 0;
  std::string key;
};

// The theme: few colours, from the 16 that every terminal has under its user's control.
struct Theme {
  ftxui::Color accent = ftxui::Color::Cyan, good = ftxui::Color::Green, warn = ftxui::Color::Yellow,
               bad = ftxui::Color::Red, quiet = ftxui::Color::GrayDark, star = ftxui::Color::Yellow;
};
Theme theme_for(const Terminal& terminal);

inline constexpr auto picture_time = std::chrono::milliseconds(1);  // of a frame, for pictures that are new

// How long a frame may work on pictures that it has not drawn before: one is always drawn, others while there is time
// left, and the rest in the next frames.
class PictureTime {
 public:
  using Clock = std::chrono::steady_clock;
  void begin(Clock::duration allowed) { end_ = Clock::now() + allowed, any_ = unfinished_ = false; }
  bool left() {  // for one more; asked once for each
    bool another = !std::exchange(any_, true) || Clock::now() < end_;
    unfinished_ |= !another;
    return another;
  }
  bool unfinished() const { return unfinished_; }  // the next frame has more to show

 private:
  Clock::time_point end_ = Clock::time_point::max();
  bool any_ = false, unfinished_ = false;
};

// What a frame has beside its cells, and what is remembered from frame to frame.
class Stage {
 public:
  explicit Stage(Terminal terminal) : terminal(std::move(terminal)), theme(theme_for(this->terminal)) {}
  void begin();  // a new frame

  Terminal terminal;
  Theme theme;
  std::vector<std::shared_ptr<Placement>> placements;
  std::vector<std::shared_ptr<Spot>> spots;
  std::vector<std::string> missing;  // pictures that are shown and not known yet, by path
  PictureTime time;                  // without end, unless begin() is called on it
  std::optional<Time> moves;         // when something that moves looks different; nothing: nothing does

  // A picture in cells, made once and kept while it is shown.
  struct Made {
    PicturePtr picture;
    int columns = 0, rows = 0;
    std::vector<ftxui::Pixel> pixels;  // columns × rows
    bool used = true;
  };
  const Made* symbols(const PicturePtr& picture, int columns, int rows);  // nothing: there is no time left

 private:
  std::map<std::tuple<const void*, int, int>, Made> made_;
};

// Columns that text takes; and text cut to (with …) or filled up to exactly `width` columns. `printable` first: text
// from outside never reaches the terminal as it is.
int width_of(const std::string& text);
std::string cut(const std::string& text, int width);
std::string padded(const std::string& text, int width);
std::vector<std::string> wrapped(const std::string& text, int width);  // lines by words, each indented as the first
std::string one_line(const std::string& text);                         // without line breaks and tabs

Element label(const std::string& text);  // from outside: made printable
// A line of so many columns with a bar: "███▍░░░ 48 %".
Element bar(double fraction, int columns, ftxui::Color color);
// One that moves: the stage is told when it has to be drawn again.
Element bar(Stage& stage, const Glide& progress, Time now, int columns, ftxui::Color color);
// The picture, as large as fits by a whole factor, in the middle of the space that it gets.
Element picture_view(Stage& stage, const PicturePtr& picture);
// Marks the element's box as a place to click.
Element clickable(Stage& stage, Element element, std::string what, int index = 0, std::string key = "");
// The row of a list that is selected: inverted, but for bars, which would show the contrary.
Element selected_row(Element row);
// Braille graph of values from 0 to `top`, the newest at the right.
Element braille(const std::vector<double>& values, double top, ftxui::Color color);

// A line that a person edits. Cursor and edits go by characters as they are seen (graphemes).
struct TextField {
  std::string text;
  size_t cursor = 0;       // in graphemes
  std::string suggestion;  // shown behind the text, dimmed; taken by → at the end
  // Whether the key did something here. Text of several lines (a paste) becomes one line.
  bool take(const std::string& key, const std::string& input);
  void set(std::string value);
};
Element text_field(const TextField& field, bool focused, int width, const std::string& hint = "");

// A list's window: which rows are seen so that `selected` is among them.
struct Window {
  int first = 0, count = 0;
};
Window window_of(int rows, int selected, int height, int previous_first);

// For tests and screenshots: the cells as lines of text.
std::string screen_text(const ftxui::Screen& screen);

}  // namespace sparky::tui
