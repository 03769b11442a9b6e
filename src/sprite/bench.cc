#include "sprite/bench.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <torch/torch.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "sprite/generator.h"
#include "sprite/sampler.h"
#include "sprite/weights.h"
#include "studio/sprite_process.h"

namespace sparky::sprite {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The machine's rate for what convolutions come down to: 1024³ products, the best of ten.
double matmul_rate() {
  auto a = torch::randn({1024, 1024}), b = torch::randn({1024, 1024});
  double best = 1e9;
  for (int i = 0; i < 10; ++i) {
    double began = seconds_now();
    torch::matmul(a, b);
    best = std::min(best, seconds_now() - began);
  }
  return 2.0 * 1024 * 1024 * 1024 / best;
}

// Multiplications and additions of one evaluation for one picture, without the text encoder, norms and the products
// inside attention, which are small beside them.
double evaluation_flops(const NetworkConfig& n) {
  double total = 2 * 9 * 16 * double(n.channels[0]) * 256;  // first and last convolution
  for (size_t level = 0; level < n.channels.size(); ++level) {
    double c = double(n.channels[level]), places = double(256 >> (2 * level));
    total += double(2 * n.blocks) * 2 * 9 * c * c * places;  // residual blocks, down and up
    if (level > 0) total += 2 * 4 * c * c * places;          // attention's matrices, down and up
    if (level + 1 == n.channels.size()) continue;
    double next = double(n.channels[level + 1]);
    total += (9 * c * next + next * c) * places / 4 + 2 * c * c * places;  // down, up, merge
  }
  return 2 * total;
}

}  // namespace

Status bench(const std::string& name) {
  SPARKY_ASSIGN(auto dir, studio::find_model(name));
  double began = seconds_now();
  SPARKY_ASSIGN(auto generator, Generator::load(dir));
  double load = seconds_now() - began;
  studio::SpriteRequest request;
  request.prompt = "a red dragon";
  SPARKY_ASSIGN(auto first, generator.generate(request, {}));
  double cold = load + first.seconds;
  double warm = 1e9;
  for (int i = 0; i < 5; ++i) {
    SPARKY_ASSIGN(auto made, generator.generate(request, {}));
    warm = std::min(warm, made.seconds);
  }
  SPARKY_ASSIGN(auto model, load_model(dir));
  torch::NoGradGuard guard;
  Json batches = Json::object();
  for (size_t n : {1u, 4u, 16u}) {
    auto tokens = model.vocabulary.encode("a red dragon").tokens;
    double best = 1e9;
    for (int i = 0; i < 3; ++i) {
      began = seconds_now();
      sample(model.net, std::vector(n, tokens), std::vector<uint64_t>(n, 1), request.steps);
      best = std::min(best, seconds_now() - began);
    }
    batches[std::to_string(n)] = double(n) / best;
  }
  double rate = matmul_rate(), flops = evaluation_flops(model.net->config) * 2 * request.steps;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  Json out{{"threads", torch::get_num_threads()},
           {"parameters", parameter_count(*model.net)},
           {"load_seconds", load},
           {"first_sprite_seconds", cold},
           {"warm_sprite_seconds", warm},
           {"step_milliseconds", warm / request.steps * 1000},
           {"steps", request.steps},
           {"sprites_per_second_by_batch", batches},
           {"peak_memory_mib", double(usage.ru_maxrss) / 1024},
           {"matmul_gflops", rate / 1e9},
           {"network_gflops", flops / warm / 1e9},
           {"share_of_matmul_rate", flops / warm / rate}};
  fmt::print("{}\n", json_text(out, 1));
  return {};
}

}  // namespace sparky::sprite
