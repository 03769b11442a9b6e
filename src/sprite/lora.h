// LoRA (Hu et al. 2021): small low-rank additions to a network's weights, W + weight · alpha/rank · up·down, for any
// linear or convolution. Files keep the names of kohya's trainers: lora_unet_MODULE.lora_down.weight [rank, in…],
// .lora_up.weight [out, rank(, 1, 1)] and .alpha, with ss_* metadata.
#pragma once
#include <torch/torch.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "sprite/network.h"
#include "studio/safetensors.h"
#include "studio/sprite_request.h"

namespace sparky::sprite {

// A layer whose weight can be added to. The weight that forward() uses is replaced; `base` stays what was loaded.
struct LoraTarget {
  std::string key;      // "lora_unet_down_blocks_0_conv1"
  torch::Tensor base;   // as loaded
  torch::Tensor* live;  // what the layer's forward() reads
  bool convolution = false;
};
std::vector<LoraTarget> lora_targets(SpriteNet& net);

// A LoRA in training: apply() before every forward pass, so that gradients reach down and up.
class Lora {
 public:
  Lora(SpriteNet& net, int64_t rank, double alpha, uint64_t seed);
  void apply();
  std::vector<std::pair<std::string, torch::Tensor>> parameters() const;
  studio::SafeTensors file(const std::map<std::string, std::string>& metadata) const;

 private:
  struct Pair {
    LoraTarget target;
    torch::Tensor down, up;
  };
  std::vector<Pair> pairs_;
  int64_t rank_;
  double alpha_;
};

// The LoRAs that are applied to a loaded network; changing them restores the base first.
class LoraStack {
 public:
  explicit LoraStack(SpriteNet& net) : targets_(lora_targets(net)) {}
  // Errc::corrupt or invalid if a file is damaged or belongs to another network; then nothing is applied.
  Status use(const std::vector<studio::LoraChoice>& loras);

 private:
  std::vector<LoraTarget> targets_;
  std::vector<studio::LoraChoice> applied_;
};

}  // namespace sparky::sprite
