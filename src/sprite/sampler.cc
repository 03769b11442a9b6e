#include "sprite/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace sparky::sprite {
using torch::Tensor;

Tensor noise_of(uint64_t seed) {
  Random random(seed * 0x9e3779b97f4a7c15ull + 0x51);
  auto out = torch::empty({16, 16, 16});
  float* at = out.data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); ++i) at[i] = float(random.normal());
  return out;
}

int Guide::steps_left() const { return std::max(1, int(std::lround(steps * (1 - start)))); }

SpriteNetImpl::Encoded to_device(SpriteNetImpl::Encoded text, torch::Device device) {
  return {text.tokens.to(device), text.bias.to(device), text.pooled.to(device)};
}

Tensor draw(SpriteNet& net, Tensor noise, const Guide& guide, const OnStep& on_step) {
  torch::NoGradGuard guard;
  auto velocity = [&](const Tensor& x, double t) {
    auto v = net->velocity(torch::cat({x, x}), torch::full({x.size(0) * 2}, t, x.options()), guide.text).chunk(2);
    return v[1] + guide.cfg * (v[0] - v[1]);
  };
  // What is known about the picture at time t: `init` under that much noise.
  auto known = [&](double t) { return t * guide.init + (1 - t) * noise; };
  Tensor x = guide.start > 0 ? known(guide.start) : noise;
  int steps = guide.steps_left();
  double dt = (1 - guide.start) / steps;
  for (int i = 0; i < steps; ++i) {
    double t = guide.start + i * dt;
    auto v = velocity(x, t);
    auto clean = x + (1 - t) * v;
    if (guide.heun && i + 1 < steps) v = 0.5 * (v + velocity(x + dt * v, t + dt));
    x = x + dt * v;
    if (guide.mask.defined()) x = guide.mask * x + (1 - guide.mask) * known(i + 1 == steps ? 1.0 : t + dt);
    if (on_step && !on_step(i + 1, steps, clean)) break;
  }
  return x;
}

Tensor sample(SpriteNet& net, const std::vector<std::vector<studio::Token>>& prompts,
              const std::vector<uint64_t>& seeds, int steps, double cfg) {
  torch::NoGradGuard guard;
  std::vector<Tensor> noises;
  for (auto s : seeds) noises.push_back(noise_of(s));
  std::vector<std::vector<studio::Token>> both = prompts;
  both.resize(prompts.size() * 2);  // the second half asks for nothing in particular
  return draw(net, torch::stack(noises), {net->encode(text_batch(both)), steps, cfg});
}

}  // namespace sparky::sprite
