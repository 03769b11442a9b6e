#include "tui/painter.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tui/test_studio.h"
#include "tui/test_terminal.h"

namespace sparky::tui {
namespace {

Terminal with(Graphics graphics) {
  auto t = terminal();
  t.graphics = graphics;
  t.cell_width = 10;
  t.cell_height = 20;
  return t;
}

ftxui::Screen screen_of(Model& m, Stage& stage) {
  stage.begin();
  ftxui::Screen screen(m.width, m.height);
  ftxui::Render(screen, draw(m, stage));
  return screen;
}

TEST(Painter, SendsNothingWhenNothingChangesAndLittleWhenLittleDoes) {
  auto m = example(80, 24);
  Stage stage(terminal());
  Painter painter(stage.terminal);
  auto first = painter.paint(screen_of(m, stage), stage.placements, stage.time);
  EXPECT_GT(first.size(), 500u);
  EXPECT_EQ(painter.paint(screen_of(m, stage), stage.placements, stage.time), "");
  handle(m, Key{"s", "s", 0, 0});
  auto second = painter.paint(screen_of(m, stage), stage.placements, stage.time);
  EXPECT_FALSE(second.empty());
  EXPECT_LT(second.size(), 250u) << second;
  EXPECT_TRUE(second.starts_with("\x1b[?2026h"));
  EXPECT_TRUE(second.ends_with("\x1b[?2026l"));
}

TEST(Painter, NoColourAndNoUnicodeWhereThereIsNone) {
  auto m = example(80, 24);
  m.tab = Tab::plan;
  auto plain = terminal();
  plain.colors = Colors::none;
  plain.unicode = false;
  Stage stage(plain);
  Painter painter(plain);
  auto bytes = painter.paint(screen_of(m, stage), stage.placements, stage.time);
  for (auto c : bytes) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
  EXPECT_EQ(bytes.find("\x1b[0;3"), std::string::npos) << "a colour";
  EXPECT_EQ(bytes.find(";38;"), std::string::npos);
}

constexpr Graphics protocols[] = {Graphics::kitty, Graphics::iterm2, Graphics::sixel};

// All that is shown is what was drawn: each picture in its place, whole, and every other cell its text.
void expect_shown(const TestTerminal& shown, const ftxui::Screen& screen, const Stage& stage) {
  auto images = shown.images();
  EXPECT_EQ(images.size(), stage.placements.size());
  for (auto& p : stage.placements) {
    auto found = std::ranges::any_of(images, [&](auto& image) {
      return image.x >= p->box.x_min && image.x + image.columns <= p->box.x_max + 1 && image.y >= p->box.y_min &&
             image.y + image.rows <= p->box.y_max + 1;
    });
    EXPECT_TRUE(found) << "no picture at " << p->box.x_min << "," << p->box.y_min;
  }
  for (auto& image : images) {
    if (image.kitty) continue;
    for (int y = image.y; y < image.y + image.rows; ++y)
      for (int x = image.x; x < image.x + image.columns; ++x) EXPECT_TRUE(shown.covered(x, y)) << x << "," << y;
  }
  for (int y = 0; y < screen.dimy(); ++y)
    for (int x = 0; x < screen.dimx(); ++x) {
      auto& wanted = screen.at(x, y);
      if (shown.covered(x, y) || wanted.empty()) continue;
      EXPECT_EQ(shown.cell(x, y), wanted) << x << "," << y;
    }
}

TEST(Painter, PicturesAreWholeInTheirPlaceAndGoneWithTheirScreen) {
  for (auto graphics : protocols) {
    SCOPED_TRACE(name(graphics));
    auto m = example(100, 30);
    m.generation.image = "/o/dragon.png";
    Stage stage(with(graphics));
    Painter painter(stage.terminal);
    TestTerminal shown(100, 30, 10, 20);
    auto frame = [&] {
      auto screen = screen_of(m, stage);
      auto bytes = painter.paint(screen, stage.placements, stage.time);
      shown.feed(bytes);
      expect_shown(shown, screen, stage);
      return bytes;
    };
    frame();
    ASSERT_EQ(stage.placements.size(), 1u);
    EXPECT_EQ(frame(), "") << "a picture that stays is not sent again";
    // Nearest neighbour by a whole factor: each pixel of the picture a square of its own colour.
    auto images = shown.images();
    ASSERT_EQ(images.size(), 1u);
    auto& image = images[0].picture;
    auto& source = *m.pictures["/o/dragon.png"].picture;
    int scale = image.width / source.width;
    ASSERT_GT(scale, 10);
    for (int y = 0; y < source.height * scale; ++y)
      for (int x = 0; x < source.width * scale; ++x) {
        auto want = source.at(x / scale, y / scale), got = image.at(x, y);
        ASSERT_NEAR(got.r, want.r, 3) << x << "," << y;  // sixel counts in hundredths
        ASSERT_NEAR(got.g, want.g, 3) << x << "," << y;
        ASSERT_EQ(got.a, 255) << x << "," << y;
      }
    m.tab = Tab::gallery;
    frame();
    EXPECT_GT(shown.images().size(), 5u);
    m.tab = Tab::settings;
    frame();
    EXPECT_TRUE(shown.images().empty());
    m.tab = Tab::gallery;
    frame();
    m.width = 60, m.height = 20;
    shown.resize(60, 20);
    painter.forget();
    frame();
    EXPECT_FALSE(shown.images().empty());
    shown.feed(leave_screen(stage.terminal));
    EXPECT_TRUE(shown.images().empty()) << "at the end nothing stays";
  }
}

RC_GTEST_PROP(Painter, WhateverIsDoneTheTerminalShowsWhatWasDrawn, ()) {
  auto m = example(100, 30);
  m.generation.image = "/o/dragon.png";
  auto t = with(*rc::gen::elementOf(std::vector<Graphics>(std::begin(protocols), std::end(protocols))));
  t.cell_width = 4, t.cell_height = 8;
  Stage stage(t);
  Painter painter(stage.terminal);
  TestTerminal shown(100, 30, 4, 8);
  auto steps = *rc::gen::container<std::vector<std::string>>(
      rc::gen::elementOf(std::vector<std::string>{"esc", "1", "2", "3", "4", "4", "4", "enter", "down", "down", "right",
                                                  "pagedown", "+", "/", "x", ":", "resize"}));
  if (steps.size() > 8) steps.resize(8);
  for (auto& step : steps) {
    if (step == "resize") {
      m.width = *rc::gen::inRange(30, 110);
      m.height = *rc::gen::inRange(8, 32);
      shown.resize(m.width, m.height);
      painter.forget();
    } else {
      handle(m, Key{step, step.size() == 1 && m.typing() ? step : "", 0, 0});
    }
    auto screen = screen_of(m, stage);
    shown.feed(painter.paint(screen, stage.placements, stage.time));
    expect_shown(shown, screen, stage);
    RC_ASSERT(!testing::Test::HasFailure());
  }
}

TEST(Painter, ManyNewPicturesAreSpreadOverFrames) {
  auto m = example(100, 30);
  m.tab = Tab::gallery;
  for (auto& p : m.gallery.pictures) m.pictures[p.path].picture = std::make_shared<pixel::Picture>(*checkers());
  for (auto graphics : {Graphics::symbols, Graphics::kitty}) {
    Stage stage(with(graphics)), whole(with(graphics));
    Painter painter(stage.terminal), at_once(whole.terminal);
    TestTerminal shown(100, 30, 10, 20), wanted(100, 30, 10, 20);
    auto all = screen_of(m, whole);
    wanted.feed(at_once.paint(all, whole.placements, whole.time));
    EXPECT_FALSE(whole.time.unfinished());
    int frames = 0;
    std::string cells;
    do {
      stage.time.begin({});
      auto screen = screen_of(m, stage);
      cells = screen_text(screen);
      shown.feed(painter.paint(screen, stage.placements, stage.time));
    } while (++frames < 100 && stage.time.unfinished());
    EXPECT_EQ(cells, screen_text(all));
    EXPECT_EQ(frames, 10) << name(graphics);  // two rows of five
    EXPECT_EQ(shown.images().size(), wanted.images().size());
  }
}

}  // namespace
}  // namespace sparky::tui