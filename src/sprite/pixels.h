// Tiles as the network sees them: colour times binary alpha in -1…1 and alpha as ±1, 2×2 pixels to one cell of 16
// channels. Transparent pixels have colour 0, so that edges carry no trace of what lay below them.
#pragma once
#include <torch/torch.h>

#include <vector>

#include "pixel/picture.h"

namespace sparky::sprite {

torch::Tensor to_tensor(const std::vector<const pixel::Picture*>& tiles);  // [B, 16, 16, 16]
std::vector<pixel::Picture> to_pictures(const torch::Tensor& cells);       // alpha 0 or 255

}  // namespace sparky::sprite
