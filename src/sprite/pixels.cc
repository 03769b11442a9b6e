#include "sprite/pixels.h"

#include <algorithm>
#include <cmath>

namespace sparky::sprite {

torch::Tensor to_tensor(const std::vector<const pixel::Picture*>& tiles) {
  int h = tiles.at(0)->height, w = tiles.at(0)->width;
  auto out = torch::zeros({int64_t(tiles.size()), 4, h, w});
  auto at = out.accessor<float, 4>();
  for (size_t i = 0; i < tiles.size(); ++i) {
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        auto c = tiles[i]->at(x, y);
        bool solid = c.a >= 128;
        auto cell = at[int64_t(i)];
        cell[0][y][x] = solid ? float(c.r) / 127.5f - 1 : 0;
        cell[1][y][x] = solid ? float(c.g) / 127.5f - 1 : 0;
        cell[2][y][x] = solid ? float(c.b) / 127.5f - 1 : 0;
        cell[3][y][x] = solid ? 1 : -1;
      }
    }
  }
  return torch::pixel_unshuffle(out, 2);
}

std::vector<pixel::Picture> to_pictures(const torch::Tensor& cells) {
  auto tiles = torch::pixel_shuffle(cells.detach().to(torch::kCPU, torch::kFloat), 2).contiguous();
  auto at = tiles.accessor<float, 4>();
  int h = int(tiles.size(2)), w = int(tiles.size(3));
  auto byte = [](float v) { return uint8_t(std::lround(std::clamp((v + 1) * 127.5f, 0.0f, 255.0f))); };
  std::vector<pixel::Picture> out;
  for (int64_t i = 0; i < tiles.size(0); ++i) {
    pixel::Picture p(w, h);
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        if (at[i][3][y][x] > 0) p.at(x, y) = {byte(at[i][0][y][x]), byte(at[i][1][y][x]), byte(at[i][2][y][x]), 255};
      }
    }
    out.push_back(std::move(p));
  }
  return out;
}

}  // namespace sparky::sprite
