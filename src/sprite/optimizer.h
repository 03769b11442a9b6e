// The optimiser: Muon (Jordan et al. 2024: momentum, orthogonalised by Newton-Schulz) for weight matrices inside the
// network, AdamW (Loshchilov and Hutter 2019) for everything else. Muon's step is scaled to AdamW's size
// (Liu et al. 2025, "Muon is scalable"), so that one learning rate serves both.
#pragma once
#include <torch/torch.h>

#include <map>
#include <string>
#include <vector>

namespace sparky::sprite {

struct OptimizerOptions {
  double momentum = 0.95;            // Muon
  double beta1 = 0.9, beta2 = 0.99;  // AdamW
  double weight_decay = 0.01;
  double clip = 1.0;  // global gradient norm
};

class Optimizer {
 public:
  struct Item {
    std::string name;
    torch::Tensor value, first, second;  // second: AdamW only
    bool muon = false;
  };
  Optimizer(const std::vector<std::pair<std::string, torch::Tensor>>& parameters, OptimizerOptions options = {});
  // Clips, updates every parameter that has a gradient, clears the gradients. Returns the norm before clipping.
  double step(double learning_rate);

  std::vector<Item>& items() { return items_; }
  int64_t steps = 0;

 private:
  OptimizerOptions options_;
  std::vector<Item> items_;
};

// The nearest (semi-)orthogonal matrix, roughly: singular values land in 0.7…1.2.
torch::Tensor orthogonalised(torch::Tensor matrix, int iterations = 5);

}  // namespace sparky::sprite
