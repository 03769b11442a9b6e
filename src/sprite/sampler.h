// The sampler: noise to cells along the velocity field, with classifier-free guidance (Ho and Salimans 2022).
#pragma once
#include <torch/torch.h>

#include <functional>
#include <string>
#include <vector>

#include "sprite/network.h"

namespace sparky::sprite {

struct SampleOptions {
  int steps = 24;
  double cfg = 3.0;
  bool heun = false;  // second order: two evaluations per step
};

// Standard normal noise [16, 16, 16] that depends on the seed alone.
torch::Tensor noise_of(uint64_t seed);

// One picture per prompt, all in one batch; the prompts' tokens, and the seeds of their noise.
torch::Tensor sample(SpriteNet& net, const std::vector<std::vector<studio::Token>>& prompts,
                     const std::vector<uint64_t>& seeds, const SampleOptions& options);

}  // namespace sparky::sprite
