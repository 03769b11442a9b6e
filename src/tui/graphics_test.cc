#include "tui/graphics.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "tui/test_terminal.h"

namespace sparky::tui {
namespace {

using pixel::Picture;
using pixel::Rgba;

Picture checkers() {
  Picture p(4, 4);
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 4; ++x) p.at(x, y) = (x + y) % 2 ? Rgba{250, 10, 20, 255} : Rgba{10, 200, 30, 255};
  return p;
}

Terminal terminal(Graphics graphics, Colors colors = Colors::truecolor) {
  Terminal t;
  t.graphics = graphics;
  t.colors = colors;
  t.cell_width = 10;
  t.cell_height = 20;
  return t;
}

// Reads half-block output back into pixels: two per cell, by the colours that were set.
Picture read_back(const std::string& bytes, int columns, int rows) {
  Picture out(columns, rows * 2);
  Rgba fg, bg;
  bool inverse = false;
  int x = 0, y = 0;
  for (size_t at = 0; at < bytes.size();) {
    if (bytes[at] == '\x1b') {
      auto end = bytes.find_first_of("mlh", at);
      std::string body = bytes.substr(at + 2, end - at - 2);
      bool colors = bytes[end] == 'm';
      at = end + 1;
      if (!colors) continue;
      if (body == "0") fg = bg = {}, inverse = false;
      if (body == "7") inverse = true;
      for (auto [code, target] : {std::pair{"38;2;", &fg}, std::pair{"48;2;", &bg}}) {
        int r = 0, g = 0, b = 0;
        auto found = body.find(code);
        if (found == body.npos || std::sscanf(body.c_str() + found + 5, "%d;%d;%d", &r, &g, &b) != 3) continue;
        *target = {uint8_t(r), uint8_t(g), uint8_t(b), 255};
      }
    } else if (bytes[at] == '\r' || bytes[at] == '\n') {
      if (bytes[at++] == '\n') x = 0, ++y;
    } else {
      std::string glyph = bytes.substr(at, (bytes[at] & 0x80) ? 3 : 1);
      at += glyph.size();
      if (y >= rows || x >= columns) return {};
      out.at(x, 2 * y) = (glyph == "▀" || glyph == "█") != inverse ? fg : bg;
      out.at(x, 2 * y + 1) = (glyph == "▄" || glyph == "█") != inverse ? fg : bg;
      ++x;
    }
  }
  return out;
}

TEST(Graphics, HalfBlocksKeepEveryPixel) {
  auto drawn = draw(checkers(), terminal(Graphics::symbols), 40, 10);
  EXPECT_EQ(drawn.scale, 5);
  EXPECT_EQ(drawn.columns, 20);
  EXPECT_EQ(drawn.rows, 10);
  auto back = read_back(drawn.bytes, drawn.columns, drawn.rows);
  ASSERT_FALSE(back.empty());
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 20; ++x) {
      auto want = checkers().at(x / 5, y / 5), got = back.at(x, y);
      EXPECT_NEAR(got.r, want.r, 2) << x << "," << y;
      EXPECT_NEAR(got.g, want.g, 2) << x << "," << y;
    }
}

TEST(Graphics, EachProtocolKeepsEveryPixelAndWhatIsTransparent) {
  auto source = checkers();
  source.at(1, 2) = {};
  for (auto graphics : {Graphics::kitty, Graphics::iterm2, Graphics::sixel}) {
    SCOPED_TRACE(name(graphics));
    auto drawn = draw(source, terminal(graphics), 20, 10);
    TestTerminal shown(21, 12, 10, 20);
    shown.feed(with_id(drawn.bytes, 1));
    auto images = shown.images();
    ASSERT_EQ(images.size(), 1u);
    EXPECT_EQ(images[0].columns, drawn.columns);
    EXPECT_EQ(images[0].rows, drawn.rows);
    int scale = graphics == Graphics::sixel ? 49 : 50;  // 200 is no multiple of six
    ASSERT_EQ(drawn.scale, scale);
    for (int y = 0; y < 4 * scale; ++y)
      for (int x = 0; x < 4 * scale; ++x) {
        auto want = source.at(x / scale, y / scale), got = images[0].picture.at(x, y);
        ASSERT_EQ(got.a, want.a) << x << "," << y;
        if (want.a == 0) continue;
        ASSERT_NEAR(got.r, want.r, 3) << x << "," << y;
        ASSERT_NEAR(got.g, want.g, 3) << x << "," << y;
        ASSERT_NEAR(got.b, want.b, 3) << x << "," << y;
      }
  }
}

TEST(Graphics, LargePicturesFit) {
  auto drawn = draw(Picture(1000, 400, Rgba{1, 2, 3, 255}), terminal(Graphics::symbols), 40, 10);
  EXPECT_EQ(drawn.scale, 0);
  EXPECT_EQ(drawn.columns, 40);
  EXPECT_EQ(drawn.rows, 8);
}

TEST(Graphics, WithoutColoursThereAreNoColourCodes) {
  auto drawn = draw(checkers(), terminal(Graphics::symbols, Colors::none), 20, 10);
  EXPECT_EQ(drawn.bytes.find("38;"), std::string::npos);
  EXPECT_TRUE(draw(Picture(), terminal(Graphics::symbols), 20, 10).bytes.empty());
}

TEST(Graphics, WithoutColoursADarkSpriteIsSeenAllTheSame) {
  Picture dark(16, 16);
  for (int y = 4; y < 12; ++y)
    for (int x = 4; x < 12; ++x) dark.at(x, y) = {uint8_t(8 + x), 10, 40, 255};
  for (bool unicode : {true, false}) {
    auto plain = terminal(Graphics::symbols, Colors::none);
    plain.unicode = unicode;
    auto symbols = draw_symbols(dark, plain, unicode ? 8 : 16, unicode ? 4 : 16);
    for (int y = 0; y < symbols.rows; ++y)
      for (int x = 0; x < symbols.columns; ++x) {
        bool inside = x * 4 >= symbols.columns && x * 4 < symbols.columns * 3 && y * 4 >= symbols.rows &&
                      y * 4 < symbols.rows * 3;
        auto character = symbols.cells[size_t(y * symbols.columns + x)].character;
        EXPECT_EQ(inside, character != U' ' && character != U'\u2800') << x << "," << y << " unicode " << unicode;
      }
  }
}

TEST(Graphics, TransparentHalvesOfACellShowTheBackground) {
  for (bool above : {true, false}) {
    Picture half(4, 4);
    for (int x = 0; x < 4; ++x) half.at(x, above ? 0 : 1) = {200, 10, 20, 255};
    auto symbols = draw_symbols(half, terminal(Graphics::symbols), 4, 2);
    ASSERT_EQ(symbols.columns, 4);
    for (int x = 0; x < 4; ++x) {
      auto& cell = symbols.cells[size_t(x)];
      EXPECT_EQ(cell.character, above ? U'▀' : U'▄');
      EXPECT_EQ(cell.foreground, 0xc80a14);
      EXPECT_EQ(cell.background, -1);
    }
  }
}

}  // namespace
}  // namespace sparky::tui
