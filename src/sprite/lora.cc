#include "sprite/lora.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "sprite/weights.h"

namespace sparky::sprite {
using torch::Tensor;

namespace {

// up [out, rank] · down [rank, in…], in the weight's shape.
Tensor product(const Tensor& up, const Tensor& down, const Tensor& like) {
  return torch::matmul(up.flatten(1), down.flatten(1)).reshape(like.sizes());
}

constexpr std::string_view kEndings[] = {".lora_down.weight", ".lora_up.weight", ".alpha"};

Status check_names(const studio::SafeTensors& file, const std::vector<LoraTarget>& targets, const std::string& path) {
  for (const auto& [name, entry] : file.tensors) {
    bool known = std::ranges::any_of(targets, [&](const auto& t) {
      return name.starts_with(t.key) &&
             std::ranges::find(kEndings, std::string_view(name).substr(t.key.size())) != std::end(kEndings);
    });
    if (!known) {
      return fail(Errc::invalid, fmt::format("{}: tensor '{}' does not belong to this model", path, name),
                  "a LoRA works with the model that it was trained on");
    }
  }
  return {};
}

Status add_lora(const studio::LoraChoice& choice, const std::vector<LoraTarget>& targets, std::vector<Tensor>& sums) {
  SPARKY_ASSIGN(auto file, studio::read_safetensors(choice.path, 512u << 20));
  SPARKY_TRY(check_names(file, targets, choice.path));
  for (size_t i = 0; i < targets.size(); ++i) {
    const auto& t = targets[i];
    if (!file.tensors.contains(t.key + ".lora_down.weight")) continue;
    SPARKY_ASSIGN(auto down, get_tensor(file, t.key + ".lora_down.weight"));
    SPARKY_ASSIGN(auto up, get_tensor(file, t.key + ".lora_up.weight"));
    int64_t rank = down.dim() > 0 ? down.size(0) : 0;
    bool fits = down.dim() >= 2 && up.dim() >= 2 && rank > 0 && up.size(0) == t.base.size(0) &&
                up.numel() == up.size(0) * rank && down.numel() == rank * (t.base.numel() / t.base.size(0));
    if (!fits) {
      return fail(
          Errc::invalid,
          fmt::format("{}: '{}' has shapes [{}] and [{}], which do not fit the layer's [{}]", choice.path, t.key,
                      fmt::join(up.sizes(), ", "), fmt::join(down.sizes(), ", "), fmt::join(t.base.sizes(), ", ")),
          "a LoRA works with the model that it was trained on");
    }
    double alpha = double(rank);
    if (file.tensors.contains(t.key + ".alpha")) {
      SPARKY_ASSIGN(auto a, get_tensor(file, t.key + ".alpha"));
      if (a.numel() != 1)
        return fail(Errc::invalid, fmt::format("{}: '{}.alpha' must be one number", choice.path, t.key));
      alpha = a.item<double>();
    }
    auto delta = product(up, down, t.base.cpu()).mul_(choice.weight * alpha / double(rank)).to(t.base.device());
    sums[i] = sums[i].defined() ? sums[i] + delta : delta;
  }
  return {};
}

}  // namespace

std::vector<LoraTarget> lora_targets(SpriteNet& net) {
  std::vector<LoraTarget> out;
  for (const auto& module : net->named_modules("", false)) {
    std::string key = "lora_unet_" + module.key();
    std::ranges::replace(key, '.', '_');
    torch::nn::Module* m = module.value().get();
    if (auto* linear = dynamic_cast<torch::nn::LinearImpl*>(m)) {
      out.push_back({key, linear->weight.detach(), &linear->weight, false});
    } else if (auto* conv2 = dynamic_cast<torch::nn::Conv2dImpl*>(m)) {
      out.push_back({key, conv2->weight.detach(), &conv2->weight, true});
    } else if (auto* conv1 = dynamic_cast<torch::nn::Conv1dImpl*>(m)) {
      out.push_back({key, conv1->weight.detach(), &conv1->weight, true});
    }
  }
  return out;
}

Lora::Lora(SpriteNet& net, int64_t rank, double alpha, uint64_t seed) : rank_(rank), alpha_(alpha) {
  torch::manual_seed(seed);
  for (auto& target : lora_targets(net)) {
    auto shape = target.base.sizes().vec();
    std::vector<int64_t> up_shape = {shape[0], rank};
    if (target.convolution) up_shape.resize(shape.size(), 1);
    shape[0] = rank;
    double fan_in = double(target.base.numel()) / double(target.base.size(0));
    auto down = (torch::randn(shape) / std::sqrt(fan_in)).to(target.base.device()).set_requires_grad(true);
    auto up = torch::zeros(up_shape, target.base.options()).set_requires_grad(true);
    pairs_.push_back({target, down, up});
  }
}

void Lora::apply() {
  for (auto& p : pairs_)
    *p.target.live = p.target.base + product(p.up, p.down, p.target.base) * (alpha_ / double(rank_));
}

std::vector<std::pair<std::string, Tensor>> Lora::parameters() const {
  std::vector<std::pair<std::string, Tensor>> out;
  for (const auto& p : pairs_) {
    out.emplace_back(p.target.key + ".lora_down.weight", p.down);
    out.emplace_back(p.target.key + ".lora_up.weight", p.up);
  }
  return out;
}

studio::SafeTensors Lora::file(const std::map<std::string, std::string>& metadata) const {
  studio::SafeTensors out;
  out.metadata = metadata;
  out.metadata["ss_network_module"] = "networks.lora";
  out.metadata["ss_network_dim"] = std::to_string(rank_);
  out.metadata["ss_network_alpha"] = fmt::format("{}", alpha_);
  for (const auto& p : pairs_) {
    add_tensor(out, p.target.key + ".lora_down.weight", p.down);
    add_tensor(out, p.target.key + ".lora_up.weight", p.up);
    add_tensor(out, p.target.key + ".alpha", torch::full({}, alpha_));
  }
  return out;
}

Status LoraStack::use(const std::vector<studio::LoraChoice>& loras) {
  auto same = [](const auto& a, const auto& b) { return a.path == b.path && a.weight == b.weight; };
  if (std::ranges::equal(loras, applied_, same)) return {};
  torch::NoGradGuard guard;
  std::vector<Tensor> sums(targets_.size());
  for (const auto& choice : loras) SPARKY_TRY(add_lora(choice, targets_, sums));
  for (size_t i = 0; i < targets_.size(); ++i) {
    *targets_[i].live = sums[i].defined() ? targets_[i].base + sums[i] : targets_[i].base;
  }
  applied_ = loras;
  return {};
}

}  // namespace sparky::sprite
