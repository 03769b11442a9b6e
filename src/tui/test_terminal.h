// TestTerminal: what a terminal shows of the bytes that it was sent, for tests: cells, and pictures decoded from
// kitty's protocol, iTerm2's (TIFF, as chafa writes it) and sixel. Only what the studio sends is understood; anything
// else fails.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "pixel/files.h"
#include "pixel/picture.h"
#include "tui/view.h"
#include "wire/fields.h"

namespace sparky::tui {

class TestTerminal {
 public:
  struct Image {
    pixel::Picture picture;
    int x = 0, y = 0, columns = 0, rows = 0;  // cells that it covers
    bool kitty = false;                       // apart from the cells: stays until it is deleted
    int id = 0;                               // kitty's
  };

  TestTerminal(int columns, int rows, int cell_width, int cell_height)
      : columns_(columns), rows_(rows), cell_width_(cell_width), cell_height_(cell_height) {
    resize(columns, rows);
  }

  void resize(int columns, int rows) {
    columns_ = columns;
    rows_ = rows;
    cells_.assign(size_t(columns * rows), " ");
    covered_.assign(cells_.size(), 0);
    std::erase_if(images_, [](auto& entry) { return !entry.second.kitty; });
  }

  void feed(std::string_view bytes) {
    for (size_t at = 0; at < bytes.size();) at = take(bytes, at);
  }

  // The pictures of which anything is seen.
  std::vector<Image> images() const {
    std::vector<Image> out;
    for (auto& [id, image] : images_)
      if (image.kitty || std::ranges::find(covered_, id) != covered_.end()) out.push_back(image);
    return out;
  }
  const std::string& cell(int x, int y) const { return cells_[size_t(y * columns_ + x)]; }
  bool covered(int x, int y) const { return covered_[size_t(y * columns_ + x)] != 0; }

 private:
  static int number(std::string_view text, int otherwise = 0) {
    std::from_chars(text.data(), text.data() + text.size(), otherwise);
    return otherwise;
  }

  size_t take(std::string_view bytes, size_t at) {
    auto c = static_cast<unsigned char>(bytes[at]);
    if (c == '\r') return x_ = 0, at + 1;
    if (c == '\n') return ++y_, at + 1;
    if (c != 0x1b) return write(bytes, at);
    char kind = at + 1 < bytes.size() ? bytes[at + 1] : '\0';
    if (kind == '[') {
      auto end = bytes.find_first_of("ABCDHJKchlmqnt", at + 2);
      if (end == bytes.npos) ADD_FAILURE() << "an unfinished sequence";
      control(bytes.substr(at + 2, end - at - 2), bytes[end]);
      return end + 1;
    }
    bool osc = kind == ']';
    auto end = bytes.find(osc ? "\x07" : "\x1b\\", at + 2);
    if (end == bytes.npos) {
      ADD_FAILURE() << "an unfinished string";
      return bytes.size();
    }
    auto body = bytes.substr(at + 2, end - at - 2);
    if (kind == 'P')
      sixel(body);
    else if (kind == '_')
      kitty(body);
    else if (osc && body.starts_with("1337;"))
      iterm2(body);
    else
      ADD_FAILURE() << "a sequence that nobody should send: " << kind;
    return end + (osc ? 1 : 2);
  }

  void control(std::string_view body, char final) {
    auto parts = split(body, ';');
    if (final == 'H') {
      y_ = std::max(1, number(parts[0], 1)) - 1;
      x_ = parts.size() > 1 ? std::max(1, number(parts[1], 1)) - 1 : 0;
    } else if (final == 'J') {
      for (int y = 0; y < rows_; ++y)
        for (int x = 0; x < columns_; ++x) put(x, y, " ");
    } else if (body == "?1049" && final == 'l') {
      resize(columns_, rows_);
    }
  }

  void put(int x, int y, std::string glyph) {
    if (x < 0 || y < 0 || x >= columns_ || y >= rows_) {
      ADD_FAILURE() << "written outside of the screen: " << x << "," << y;
      return;
    }
    cells_[size_t(y * columns_ + x)] = std::move(glyph);
    covered_[size_t(y * columns_ + x)] = 0;
  }

  size_t write(std::string_view bytes, size_t at) {
    size_t length = 1;
    while (at + length < bytes.size() && (bytes[at + length] & 0xc0) == 0x80) ++length;
    auto glyph = std::string(bytes.substr(at, length));
    int width = width_of(glyph);
    if (width == 0 && x_ > 0) {  // joins what stands before it
      cells_[size_t(y_ * columns_ + x_ - 1)] += glyph;
      return at + length;
    }
    put(x_, y_, glyph);
    if (width == 2) put(x_ + 1, y_, "");
    x_ += width;
    return at + length;
  }

  void show(pixel::Picture picture, int columns, int rows, int kitty_id = 0) {
    int number = ++last_;
    for (int y = y_; y < y_ + rows; ++y)
      for (int x = x_; x < x_ + columns; ++x) {
        if (x >= columns_ || y >= rows_)
          ADD_FAILURE() << "a picture outside of the screen";
        else if (kitty_id == 0)
          covered_[size_t(y * columns_ + x)] = number;
      }
    EXPECT_EQ(picture.width, columns * cell_width_) << "whole cells, so that nothing is stretched";
    EXPECT_GT(picture.height, rows * cell_height_ - 6) << "sixels may end within the last cells";
    EXPECT_LE(picture.height, rows * cell_height_);
    images_[number] = {std::move(picture), x_, y_, columns, rows, kitty_id != 0, kitty_id};
  }

  static pixel::Picture decoded(const std::string& base64) {
    auto picture = pixel::decode_picture(wire::from_base64(base64).value_or(""), "sent");
    EXPECT_TRUE(picture) << picture.error().text();
    return picture.value_or(pixel::Picture());
  }

  // https://sw.kovidgoyal.net/kitty/graphics-protocol/: PNG in parts.
  void kitty(std::string_view body) {
    auto semicolon = body.find(';');
    bool more = false, remove = false;
    int id = 0;
    for (auto part : split(body.substr(1, semicolon == body.npos ? body.npos : semicolon - 1), ',')) {
      remove |= part == "a=d";
      more |= part == "m=1";
      if (part.starts_with("i=")) id = number(part.substr(2));
      if (part.starts_with("c=")) kitty_.columns = number(part.substr(2));
      if (part.starts_with("r=")) kitty_.rows = number(part.substr(2));
      EXPECT_TRUE(!part.starts_with("f=") || part == "f=100") << part;
    }
    if (id != 0) kitty_.id = id;
    if (remove)
      return void(std::erase_if(images_, [&](auto& e) { return e.second.kitty && (id == 0 || e.second.id == id); }));
    EXPECT_LE(body.size() - semicolon, 4097u);
    kitty_.payload += body.substr(semicolon + 1);
    if (more) return;
    show(decoded(kitty_.payload), kitty_.columns, kitty_.rows, kitty_.id);
    kitty_ = {};
  }

  // https://iterm2.com/documentation-images.html
  void iterm2(std::string_view body) {
    auto colon = body.find(':');
    int columns = 0, rows = 0;
    for (auto part : split(body.substr(0, colon), ';')) {
      if (part.starts_with("width=")) columns = number(part.substr(6));
      if (part.starts_with("height=")) rows = number(part.substr(7));
    }
    show(decoded(std::string(body.substr(colon + 1))), columns, rows);
  }

  // DEC STD 070, chapter 14: each character six pixels, one above the other.
  void sixel(std::string_view body) {
    auto start = body.find('q');
    ASSERT_NE(start, body.npos);
    std::map<int, pixel::Rgba> palette;
    pixel::Picture picture;
    int color = 0, x = 0, top = 0;
    for (size_t at = start + 1; at < body.size();) {
      char c = body[at++];
      int times = 1;
      if (c == '"' || c == '#' || c == '!') {
        auto end = std::min(body.find_first_not_of("0123456789;", at), body.size());
        auto parts = split(body.substr(at, end - at), ';');
        auto part = [&](size_t i) { return i < parts.size() ? number(parts[i]) : 0; };
        auto share = [&](size_t i) { return uint8_t((part(i) * 255 + 50) / 100); };
        at = end;
        if (c == '"') picture = pixel::Picture(part(2), part(3));
        if (c == '#') color = part(0);
        if (c == '#' && parts.size() == 5) palette[color] = {share(2), share(3), share(4), 255};
        if (c != '!') continue;
        times = part(0);
        c = body[at++];
      }
      if (c == '$' || c == '-') {
        x = 0;
        top += c == '-' ? 6 : 0;
        continue;
      }
      EXPECT_TRUE(c >= '?' && c <= '~') << c;
      for (; times > 0; --times, ++x)
        for (int bit = 0; bit < 6; ++bit)
          if ((c - '?') >> bit & 1 && x < picture.width && top + bit < picture.height)
            picture.at(x, top + bit) = palette[color];
    }
    int columns = (picture.width + cell_width_ - 1) / cell_width_,
        rows = (picture.height + cell_height_ - 1) / cell_height_;
    show(std::move(picture), columns, rows);
  }

  struct Kitty {
    int id = 0, columns = 0, rows = 0;
    std::string payload;
  };

  int columns_, rows_, cell_width_, cell_height_;
  int x_ = 0, y_ = 0, last_ = 0;
  std::vector<std::string> cells_;
  std::vector<int> covered_;  // by which image; 0: none
  std::map<int, Image> images_;
  Kitty kitty_;
};

}  // namespace sparky::tui
