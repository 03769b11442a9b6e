#include "sprite/sampler.h"

#include "studio/random.h"

namespace sparky::sprite {
using torch::Tensor;

Tensor noise_of(uint64_t seed) {
  studio::Random random(seed * 0x9e3779b97f4a7c15ull + 0x51);
  auto out = torch::empty({16, 16, 16});
  float* at = out.data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); ++i) at[i] = float(random.normal());
  return out;
}

Tensor sample(SpriteNet& net, const std::vector<std::vector<studio::Token>>& prompts,
              const std::vector<uint64_t>& seeds, const SampleOptions& options) {
  torch::NoGradGuard guard;
  std::vector<Tensor> noises;
  for (auto s : seeds) noises.push_back(noise_of(s));
  auto x = torch::stack(noises);
  std::vector<std::vector<studio::Token>> both = prompts;
  both.resize(prompts.size() * 2);  // the second half asks for nothing in particular
  auto text = net->encode(text_batch(both));
  auto velocity = [&](const Tensor& at, double t) {
    auto v = net->velocity(torch::cat({at, at}), torch::full({at.size(0) * 2}, t), text).chunk(2);
    return v[1] + options.cfg * (v[0] - v[1]);
  };
  double dt = 1.0 / options.steps;
  for (int i = 0; i < options.steps; ++i) {
    double t = i * dt;
    auto v = velocity(x, t);
    if (options.heun && i + 1 < options.steps) v = 0.5 * (v + velocity(x + dt * v, t + dt));
    x = x + dt * v;
  }
  return x;
}

}  // namespace sparky::sprite
