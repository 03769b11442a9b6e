#include "sprite/optimizer.h"

#include <cmath>

namespace sparky::sprite {
namespace {

// Matrices that map features to features. Embeddings, the first and the last layer and the AdaLN matrices have other
// geometry and stay with AdamW.
bool wants_muon(const std::string& name, const torch::Tensor& value) {
  if (value.dim() < 2 || value.dim() > 4) return false;
  for (auto other : {"text.word", "text.n_gram", "text.position", "place", "start", "modulation", "time1", "lora_"}) {
    if (name.find(other) != std::string::npos) return false;
  }
  return name != "in.weight" && name != "out.weight";
}

}  // namespace

torch::Tensor orthogonalised(torch::Tensor m, int iterations) {
  auto x = m.flatten(1);
  bool tall = x.size(0) > x.size(1);
  if (tall) x = x.t();
  x = x / (x.norm() + 1e-7);
  for (int i = 0; i < iterations; ++i) {
    auto a = torch::matmul(x, x.t());
    x = 3.4445 * x + torch::matmul(-4.7750 * a + 2.0315 * torch::matmul(a, a), x);
  }
  return (tall ? x.t() : x).reshape(m.sizes());
}

Optimizer::Optimizer(const std::vector<std::pair<std::string, torch::Tensor>>& parameters, OptimizerOptions options)
    : options_(options) {
  for (const auto& [name, value] : parameters) {
    Item item{name, value, torch::zeros_like(value), {}, wants_muon(name, value)};
    if (!item.muon) item.second = torch::zeros_like(value);
    items_.push_back(std::move(item));
  }
}

double Optimizer::step(double lr) {
  torch::NoGradGuard guard;
  ++steps;
  double squares = 0;
  for (auto& p : items_) {
    if (p.value.grad().defined()) squares += p.value.grad().square().sum().item<double>();
  }
  double norm = std::sqrt(squares), scale = std::min(1.0, options_.clip / (norm + 1e-6));
  for (auto& p : items_) {
    if (!p.value.grad().defined()) continue;
    auto g = p.value.grad() * scale;
    if (p.value.dim() > 1) p.value.mul_(1 - lr * options_.weight_decay);
    if (p.muon) {
      p.first.mul_(options_.momentum).add_(g);
      auto update = orthogonalised(g + p.first * options_.momentum);
      double rows = double(update.size(0)), columns = double(update.numel()) / rows;
      p.value.add_(update, -lr * 0.2 * std::sqrt(std::max(rows, columns)));
    } else {
      p.first.mul_(options_.beta1).add_(g, 1 - options_.beta1);
      p.second.mul_(options_.beta2).addcmul_(g, g, 1 - options_.beta2);
      double c1 = 1 - std::pow(options_.beta1, double(steps)), c2 = 1 - std::pow(options_.beta2, double(steps));
      p.value.addcdiv_(p.first, (p.second / c2).sqrt_().add_(1e-8), -lr / c1);
    }
    p.value.mutable_grad().reset();
  }
  return norm;
}

}  // namespace sparky::sprite
