#include "sprite/generator.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <chrono>
#include <cmath>
#include <new>
#include <optional>

#include "base/text.h"
#include "pixel/files.h"
#include "pixel/palette.h"
#include "pixel/transform.h"
#include "sprite/lora.h"
#include "sprite/pixels.h"
#include "sprite/sampler.h"
#include "sprite/weights.h"
#include "studio/dataset.h"

namespace sparky::sprite {
using pixel::Picture;
using torch::Tensor;

struct Generator::State {
  Model model;
  torch::Device device = torch::kCPU;
  std::unique_ptr<LoraStack> loras;
};

namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void warn_unknown(const studio::Vocabulary& v, const studio::Prompt& p, std::vector<std::string>& out) {
  for (const auto& [word, form] : p.read_as) out.push_back(fmt::format("'{}' is read as '{}'", word, form));
  for (const auto& word : p.unknown) {
    auto near = v.near(word);
    out.push_back(near.empty()
                      ? fmt::format("the model never learned the word '{}'", word)
                      : fmt::format("the model never learned the word '{}'; it knows {}", word, join(near, ", ")));
  }
  if (p.dropped > 0) {
    out.push_back(fmt::format("the prompt is too long: its last {} words were left out (the model reads {})", p.dropped,
                              v.max_tokens));
  }
}

// A picture on the model's grid: as it is, or what an exact enlargement was made of.
Result<Picture> read_tile(const std::string& path) {
  SPARKY_ASSIGN(Picture p, pixel::read_picture(path));
  if (p.width == p.height && p.width > studio::kTile && p.width % studio::kTile == 0) {
    auto small = pixel::scale_down(p, p.width / studio::kTile);
    if (small) return small;
  }
  if (p.width != studio::kTile || p.height != studio::kTile) {
    return fail(Errc::invalid,
                fmt::format("{} has {}×{} pixels; the model draws on {}×{}", path, p.width, p.height, studio::kTile,
                            studio::kTile),
                "scale it to 32×32 first, or give an exact enlargement of 32×32");
  }
  return p;
}

// 1 where the mask is white and opaque, as cells: [1, 16, 16, 16].
Tensor mask_cells(const Picture& mask) {
  auto m = torch::zeros({1, 4, mask.height, mask.width});
  auto at = m.accessor<float, 4>();
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      auto c = mask.at(x, y);
      bool open = c.a >= 128 && c.r + c.g + c.b >= 3 * 128;
      for (int k = 0; k < 4; ++k) at[0][k][y][x] = open ? 1.0f : 0.0f;
    }
  }
  return torch::pixel_unshuffle(m, 2);
}

Result<Picture> few_colors(const Picture& picture, int colors) {
  auto palette = pixel::quantize(picture, colors);
  if (palette.colors.empty()) return picture;  // wholly transparent
  return pixel::remap(picture, palette);
}

// The model's tile as the caller gets it: few colours, the kept part of `init` untouched, enlarged.
Result<Picture> finish(const Tensor& cells, const studio::SpriteRequest& r, const std::optional<Picture>& init,
                       const std::optional<Picture>& mask) {
  SPARKY_ASSIGN(Picture p, few_colors(to_pictures(cells)[0], r.colors));
  if (mask) {
    for (size_t i = 0; i < p.pixels.size(); ++i) {
      auto c = mask->pixels[i];
      if (!(c.a >= 128 && c.r + c.g + c.b >= 3 * 128)) p.pixels[i] = init->pixels[i];
    }
  }
  return r.size == studio::kTile ? p : pixel::scale_up(p, r.size / studio::kTile);
}

}  // namespace

std::string best_device() { return torch::cuda::is_available() ? "cuda" : "cpu"; }

Generator::Generator(std::unique_ptr<State> state) : state_(std::move(state)) {}
Generator::Generator(Generator&&) noexcept = default;
Generator::~Generator() = default;
std::string Generator::device() const { return state_->device.is_cuda() ? "cuda" : "cpu"; }
const std::string& Generator::hash() const { return state_->model.hash; }

Result<Generator> Generator::load(const std::filesystem::path& dir) try {
  auto state = std::make_unique<State>();
  SPARKY_ASSIGN(state->model, load_model(dir));
  state->device = torch::Device(best_device());
  state->model.net->to(state->device);
  state->loras = std::make_unique<LoraStack>(state->model.net);
  return Generator(std::move(state));
} catch (const std::bad_alloc&) {
  return fail(Errc::full, fmt::format("no memory for the model {}", dir.string()));
} catch (const c10::Error& e) {
  return fail(Errc::internal,
              fmt::format("libtorch refused the model {}: {}", dir.string(), e.what_without_backtrace()));
}

Result<Generated> Generator::generate(const studio::SpriteRequest& r,
                                      const std::function<bool(const Step&)>& on_step) try {
  SPARKY_TRY(studio::check(r));
  torch::NoGradGuard guard;
  double began = seconds_now();
  auto& net = state_->model.net;
  const auto& vocabulary = state_->model.vocabulary;
  SPARKY_TRY(state_->loras->use(r.loras));
  Generated out;
  out.model_hash = state_->model.hash;
  auto wanted = vocabulary.encode(r.prompt), unwanted = vocabulary.encode(r.negative);
  warn_unknown(vocabulary, wanted, out.warnings);
  warn_unknown(vocabulary, unwanted, out.warnings);
  std::optional<Picture> init, mask;
  if (!r.init.empty()) {
    SPARKY_ASSIGN(init, read_tile(r.init));
  }
  if (!r.mask.empty()) {
    SPARKY_ASSIGN(mask, read_tile(r.mask));
  }
  Guide guide{to_device(net->encode(text_batch({wanted.tokens, unwanted.tokens}).to(state_->device)), state_->device),
              r.steps, r.cfg, r.sampler == "heun"};
  if (init) {
    guide.init = to_tensor({&*init}).to(state_->device);
    guide.start = mask ? 0.0 : 1 - r.strength;
  }
  if (mask) guide.mask = mask_cells(*mask).to(state_->device);
  int total = r.count * guide.steps_left(), done = 0;
  double drawing = seconds_now();
  for (int i = 0; i < r.count; ++i) {
    uint64_t seed = r.seed + uint64_t(i);
    bool go_on = true;
    auto cells =
        draw(net, noise_of(seed).unsqueeze(0).to(state_->device), guide, [&](int step, int steps, const Tensor& clean) {
          ++done;
          double eta = (seconds_now() - drawing) / done * (total - done);
          Step s{i, r.count, step, steps, eta, nullptr};
          std::optional<Picture> preview;
          if (r.preview_every > 0 && step % r.preview_every == 0 && step < steps) preview = to_pictures(clean)[0];
          if (preview) s.preview = &*preview;
          return go_on = !on_step || on_step(s);
        });
    if (!go_on) return fail(Errc::cancelled, fmt::format("cancelled after {} of {} steps", done, total));
    SPARKY_ASSIGN(Picture p, finish(cells, r, init, mask));
    out.pictures.push_back(std::move(p));
    out.seeds.push_back(seed);
  }
  out.seconds = seconds_now() - began;
  return out;
} catch (const std::bad_alloc&) {
  return fail(Errc::full, "out of memory while drawing", "ask for fewer pictures at once");
} catch (const c10::Error& e) {
  return fail(Errc::internal, fmt::format("libtorch failed while drawing: {}", e.what_without_backtrace()));
}

}  // namespace sparky::sprite
