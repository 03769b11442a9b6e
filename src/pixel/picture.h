// Picture: 8-bit RGBA pixels in rows from the top left, alpha not premultiplied. What every pixel function takes and
// gives.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sparky::pixel {

struct Rgba {
  uint8_t r = 0, g = 0, b = 0, a = 0;
  friend bool operator==(const Rgba&, const Rgba&) = default;
  friend auto operator<=>(const Rgba&, const Rgba&) = default;
};

struct Picture {
  int width = 0, height = 0;
  std::vector<Rgba> pixels;  // width × height

  Picture() = default;
  Picture(int w, int h, Rgba fill = {}) : width(w), height(h), pixels(size_t(w) * size_t(h), fill) {}
  bool empty() const { return pixels.empty(); }
  Rgba& at(int x, int y) { return pixels[size_t(y) * size_t(width) + size_t(x)]; }
  const Rgba& at(int x, int y) const { return pixels[size_t(y) * size_t(width) + size_t(x)]; }
  bool contains(int x, int y) const { return x >= 0 && y >= 0 && x < width && y < height; }
  friend bool operator==(const Picture&, const Picture&) = default;
};

// A picture whose pixels name entries of a palette of at most 256 colours.
struct IndexedPicture {
  int width = 0, height = 0;
  std::vector<Rgba> palette;     // 1 to 256
  std::vector<uint8_t> indices;  // width × height, each below palette.size()
  friend bool operator==(const IndexedPicture&, const IndexedPicture&) = default;
};

struct Frame {
  Picture picture;
  int duration_ms = 100;
  friend bool operator==(const Frame&, const Frame&) = default;
};

// Frames of one size, shown one after another.
struct Animation {
  int width = 0, height = 0;
  std::vector<Frame> frames;
  int loops = 0;  // how often it plays; 0: for ever
  friend bool operator==(const Animation&, const Animation&) = default;
};

}  // namespace sparky::pixel
