// The sampler: noise to cells along the velocity field, with classifier-free guidance (Ho and Salimans 2022).
#pragma once
#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "sprite/network.h"

namespace sparky::sprite {

// Standard normal noise [16, 16, 16] that depends on the seed alone.
torch::Tensor noise_of(uint64_t seed);

// What steers a drawing. `text` holds the wanted captions, then as many unwanted (or empty) ones.
struct Guide {
  SpriteNetImpl::Encoded text;
  int steps = 20;
  double cfg = 3.0;
  bool heun = false;
  double start = 0;      // in time: above 0 it begins at `init` with that much less noise (image to image)
  torch::Tensor init{};  // cells; needed by start > 0 and by mask
  torch::Tensor mask{};  // 1 where to draw, 0 where `init` stays

  int steps_left() const;  // those after `start`
};
SpriteNetImpl::Encoded to_device(SpriteNetImpl::Encoded text, torch::Device device);

// on_step(finished, of, the clean cells as far as known) may return false to stop.
using OnStep = std::function<bool(int, int, const torch::Tensor&)>;
torch::Tensor draw(SpriteNet& net, torch::Tensor noise, const Guide& guide, const OnStep& on_step = {});

// One picture per prompt, all in one batch: for sheets and measurements.
torch::Tensor sample(SpriteNet& net, const std::vector<std::vector<studio::Token>>& prompts,
                     const std::vector<uint64_t>& seeds, int steps, double cfg = 3.0);

}  // namespace sparky::sprite
