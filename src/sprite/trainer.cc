#include "sprite/trainer.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <numeric>
#include <unordered_map>

#include "base/files.h"
#include "base/text.h"
#include "pixel/files.h"
#include "sprite/network.h"
#include "sprite/optimizer.h"
#include "sprite/pixels.h"
#include "sprite/sampler.h"
#include "sprite/weights.h"
#include "studio/colors.h"
#include "studio/dataset.h"

namespace sparky::sprite {
namespace fs = std::filesystem;
using studio::Random;
using torch::Tensor;

namespace {

// How often each kind is shown. Compositions are many and alike, walls and floors are easy; creatures are neither.
double kind_share(const std::string& kind) {
  static const std::unordered_map<std::string, double> shares = {
      {"monster", 0.34}, {"item", 0.26}, {"character", 0.20}, {"dungeon", 0.13}, {"effect", 0.04}, {"icon", 0.03}};
  auto it = shares.find(kind);
  return it == shares.end() ? 0.2 : it->second;
}

// Training samples by chance: by kind, and within a kind so that near twins share most of their weight.
class Drawer {
 public:
  explicit Drawer(const std::vector<studio::Sample>& samples) : samples_(samples) {
    std::map<int, int> twins;
    for (const auto& s : samples) ++twins[s.twins];
    std::map<std::string, double> kinds;
    std::vector<double> weight(samples.size(), 0);
    for (size_t i = 0; i < samples.size(); ++i) {
      if (samples[i].test) continue;
      weight[i] = 1 / std::sqrt(double(twins[samples[i].twins]));
      kinds[samples[i].kind] += weight[i];
    }
    for (size_t i = 0; i < samples.size(); ++i) {
      if (weight[i] > 0) sum_ += weight[i] * kind_share(samples[i].kind) / kinds[samples[i].kind];
      cumulative_.push_back(sum_);
    }
  }
  bool empty() const { return sum_ <= 0; }
  const studio::Sample& draw(Random& random) const {
    auto it = std::upper_bound(cumulative_.begin(), cumulative_.end(), random.unit() * sum_);
    return samples_[std::min(size_t(it - cumulative_.begin()), samples_.size() - 1)];
  }

 private:
  const std::vector<studio::Sample>& samples_;
  std::vector<double> cumulative_;
  double sum_ = 0;
};

struct Batch {
  Tensor cells;
  TextBatch text;
};

pixel::Picture mirrored(pixel::Picture p) {
  for (int y = 0; y < p.height; ++y) {
    std::reverse(p.pixels.begin() + y * p.width, p.pixels.begin() + (y + 1) * p.width);
  }
  return p;
}

Batch make_batch(const Drawer& drawer, const studio::Vocabulary& vocabulary, int64_t size, Random random) {
  std::vector<pixel::Picture> pictures;
  std::vector<std::vector<studio::Token>> captions;
  for (int64_t i = 0; i < size; ++i) {
    const auto& s = drawer.draw(random);
    pixel::Picture picture = s.picture;
    std::vector<std::string> turned;
    if (s.kind != "character" && s.text.empty() && random.chance(0.2)) {
      picture = studio::turn_hue(picture, 30 + 300 * random.unit());
      turned = studio::measured_colors(picture);
    }
    if (random.chance(0.35)) picture = mirrored(std::move(picture));
    std::vector<studio::Token> tokens;
    if (!random.chance(0.1)) tokens = vocabulary.encode(studio::training_words(s, random, turned)).tokens;
    for (auto& t : tokens) {
      if (t.word > 1 && random.chance(0.06)) t.word = 1;  // so that n-grams must learn to speak for themselves
    }
    pictures.push_back(std::move(picture));
    captions.push_back(std::move(tokens));
  }
  std::vector<const pixel::Picture*> pointers;
  for (const auto& p : pictures) pointers.push_back(&p);
  return {to_tensor(pointers), text_batch(captions)};
}

studio::Vocabulary collect_words(const studio::Dataset& dataset) {
  std::map<std::string, int> counts;
  for (const auto& s : dataset.samples) {
    if (s.test) continue;
    for (const auto& w : studio::prompt_words(studio::caption(s))) ++counts[w];
  }
  for (const auto& c : studio::color_words()) ++counts[c];
  for (auto w : {"dark", "light", ","}) ++counts[w];
  studio::Vocabulary v;
  v.max_tokens = 48;
  for (const auto& [word, n] : counts) v.add(word);
  return v;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

const std::vector<std::string>& sheet_prompts() {
  static const std::vector<std::string> prompts = {"a red dragon",
                                                   "green dragon",
                                                   "a skeleton warrior",
                                                   "orc warrior",
                                                   "giant spider",
                                                   "blue jelly",
                                                   "a ghost",
                                                   "fire elemental",
                                                   "a rat",
                                                   "black bear",
                                                   "yellow snake",
                                                   "a demon with wings",
                                                   "human, red cloak, blue robe",
                                                   "elf, green hood, bow",
                                                   "dwarf with a golden helmet and an axe",
                                                   "purple robe wizard with a staff",
                                                   "knight, plate armour, shield",
                                                   "a steel sword",
                                                   "golden axe",
                                                   "red potion",
                                                   "blue potion",
                                                   "spell book",
                                                   "golden ring",
                                                   "scroll",
                                                   "wooden shield",
                                                   "ruby amulet",
                                                   "brick wall",
                                                   "stone floor",
                                                   "grass",
                                                   "blue water",
                                                   "wooden door",
                                                   "altar",
                                                   "a golden fountain",
                                                   "tree",
                                                   "fire cloud",
                                                   "lightning bolt",
                                                   "green poison cloud",
                                                   "statue of a dragon",
                                                   "dungeon entrance",
                                                   "treasure chest"};
  return prompts;
}

class Training {
 public:
  Training(const TrainOptions& o, studio::Dataset data) : options_(o), data_(std::move(data)), drawer_(data_.samples) {}

  Status prepare() {
    if (drawer_.empty()) return fail(Errc::invalid, "the dataset has no training samples");
    if (options_.resume && fs::exists(options_.out / "train.safetensors")) return resume();
    if (fs::exists(options_.out / "train.safetensors")) {
      return fail(Errc::exists, fmt::format("{} already holds a training", options_.out.string()),
                  "--resume continues it; another --out starts anew");
    }
    NetworkConfig config;
    config.channels.clear();
    for (auto c : split(options_.channels, ',')) config.channels.push_back(std::atoll(std::string(c).c_str()));
    vocabulary_ = collect_words(data_);
    config.words = vocabulary_.size();
    config.n_gram_buckets = vocabulary_.n_gram_buckets;
    config.max_tokens = vocabulary_.max_tokens;
    SPARKY_ASSIGN(config, NetworkConfig::parse(config.json()));
    torch::manual_seed(options_.seed);
    net_ = SpriteNet(config);
    start();
    return {};
  }

  Status run(const std::function<void(const TrainReport&)>& report, const std::function<bool()>& stop) {
    SPARKY_TRY(make_directories(options_.out));
    std::ofstream log(options_.out / "loss.csv", step_ == 0 ? std::ios::trunc : std::ios::app);
    if (step_ == 0) log << "step,samples,seconds,loss,learning_rate,gradient_norm\n";
    double began = seconds_now() - elapsed_, saved = seconds_now(), drawn = saved, loss_sum = 0;
    int64_t loss_count = 0, first = step_;
    double first_elapsed = elapsed_;
    while (!stop() && !finished()) {
      double norm = 0, loss = step(norm);
      if (!std::isfinite(loss))
        return fail(Errc::internal, fmt::format("the loss is no number any more at step {}", step_));
      elapsed_ = seconds_now() - began;
      loss_sum += loss;
      ++loss_count;
      if (step_ % 20 == 0 || finished()) {
        TrainReport r{step_, step_ * options_.batch, elapsed_, loss_sum / double(loss_count), rate(), norm, 0, 0};
        r.samples_per_second = double((step_ - first) * options_.batch) / (elapsed_ - first_elapsed + 1e-9);
        double done = progress();
        r.seconds_left = done > 0 ? elapsed_ * (1 - done) / done : 0;
        log << fmt::format("{},{},{:.1f},{:.5f},{:.6f},{:.3f}\n", r.step, r.samples, r.seconds, r.loss, r.learning_rate,
                           norm)
            << std::flush;
        report(r);
        loss_sum = 0, loss_count = 0;
      }
      if (seconds_now() - saved > options_.checkpoint_minutes * 60) {
        SPARKY_TRY(save());
        saved = seconds_now();
      }
      if (seconds_now() - drawn > options_.sheet_minutes * 60) {
        SPARKY_TRY(draw_sheet());
        drawn = seconds_now();
      }
    }
    SPARKY_TRY(save());
    return draw_sheet();
  }

 private:
  void start() {
    net_->train();
    std::vector<std::pair<std::string, Tensor>> parameters;
    for (const auto& p : net_->named_parameters()) {
      parameters.emplace_back(p.key(), p.value());
      ema_.push_back(p.value().detach().clone());
    }
    optimizer_ = std::make_unique<Optimizer>(parameters);
  }

  double progress() const {  // 0…1 of the budget
    double p = 0;
    if (options_.minutes > 0) p = elapsed_ / (options_.minutes * 60);
    if (options_.steps > 0) p = std::max(p, double(step_) / double(options_.steps));
    return p;
  }
  bool finished() const { return progress() >= 1; }
  // Warm-up, then constant, then a straight line to nothing over the last 30 %.
  double rate() const {
    double warm = std::min(1.0, double(step_ + 1) / 50), p = progress();
    return options_.learning_rate * warm * std::clamp((1 - p) / 0.3, 0.02, 1.0);
  }

  double step(double& norm) {
    uint64_t mixed = options_.seed * 1'000'003 + uint64_t(step_);
    auto batch = make_batch(drawer_, vocabulary_, options_.batch, Random(mixed));
    torch::manual_seed(mixed);
    auto noise = torch::randn_like(batch.cells);
    auto t = torch::sigmoid(torch::randn({options_.batch}));
    auto at = t.reshape({-1, 1, 1, 1});
    auto v = net_->forward(at * batch.cells + (1 - at) * noise, t, batch.text);
    auto loss = torch::mse_loss(v, batch.cells - noise);
    loss.backward();
    norm = optimizer_->step(rate());
    ++step_;
    torch::NoGradGuard guard;
    double decay = std::min(options_.ema, double(1 + step_) / double(10 + step_));
    auto& items = optimizer_->items();
    for (size_t i = 0; i < items.size(); ++i) ema_[i].lerp_(items[i].value, 1 - decay);
    return loss.item<double>();
  }

  // Swaps the averaged weights in (or out again).
  void swap_average() {
    torch::NoGradGuard guard;
    auto& items = optimizer_->items();
    for (size_t i = 0; i < items.size(); ++i) {
      auto raw = items[i].value.detach().clone();
      items[i].value.copy_(ema_[i]);
      ema_[i] = raw;
    }
  }

  Status save() {
    studio::SafeTensors file;
    file.metadata = {{"step", std::to_string(step_)},
                     {"seconds", fmt::format("{:.1f}", elapsed_)},
                     {"optimizer_steps", std::to_string(optimizer_->steps)},
                     {"dataset", data_.hash}};
    auto& items = optimizer_->items();
    for (size_t i = 0; i < items.size(); ++i) {
      add_tensor(file, "raw." + items[i].name, items[i].value);
      add_tensor(file, "ema." + items[i].name, ema_[i]);
      add_tensor(file, "first." + items[i].name, items[i].first);
      if (items[i].second.defined()) add_tensor(file, "second." + items[i].name, items[i].second);
    }
    SPARKY_TRY(write_file_atomic(options_.out / "train.safetensors", to_bytes(file)));
    swap_average();
    auto saved = save_model(options_.out, net_, vocabulary_,
                            {{"format", "sparky-sprite"},
                             {"step", std::to_string(step_)},
                             {"samples", std::to_string(step_ * options_.batch)},
                             {"seconds", fmt::format("{:.0f}", elapsed_)},
                             {"dataset", data_.hash}},
                            false);
    swap_average();
    return saved;
  }

  Status resume() {
    SPARKY_ASSIGN(auto model, load_model(options_.out));
    SPARKY_ASSIGN(auto file, studio::read_safetensors(options_.out / "train.safetensors"));
    net_ = model.net;
    vocabulary_ = model.vocabulary;
    start();
    torch::NoGradGuard guard;
    auto& items = optimizer_->items();
    for (size_t i = 0; i < items.size(); ++i) {
      auto restore = [&](const std::string& name, Tensor& into) -> Status {
        SPARKY_ASSIGN(auto t, get_tensor(file, name + "." + items[i].name));
        if (t.sizes() != into.sizes())
          return fail(Errc::corrupt, fmt::format("train.safetensors: '{}' has a wrong shape", name));
        into.copy_(t);
        return {};
      };
      SPARKY_TRY(restore("raw", items[i].value));
      SPARKY_TRY(restore("ema", ema_[i]));
      SPARKY_TRY(restore("first", items[i].first));
      if (items[i].second.defined()) SPARKY_TRY(restore("second", items[i].second));
    }
    step_ = std::atoll(file.metadata["step"].c_str());
    elapsed_ = std::atof(file.metadata["seconds"].c_str());
    optimizer_->steps = std::atoll(file.metadata["optimizer_steps"].c_str());
    return {};
  }

  Status draw_sheet() {
    std::vector<std::vector<studio::Token>> prompts;
    std::vector<uint64_t> seeds;
    for (const auto& p : sheet_prompts()) {
      prompts.push_back(vocabulary_.encode(p).tokens);
      seeds.push_back(seeds.size());
    }
    swap_average();
    net_->eval();
    auto tiles = to_pictures(sample(net_, prompts, seeds, {.steps = 12}));
    net_->train();
    swap_average();
    auto sheet = studio::contact_sheet(tiles, 8, 3);
    SPARKY_TRY(pixel::write_png(options_.out / fmt::format("sheet-{:07}.png", step_), sheet));
    return pixel::write_png(options_.out / "sheet.png", sheet);
  }

  TrainOptions options_;
  studio::Dataset data_;
  Drawer drawer_;
  studio::Vocabulary vocabulary_;
  SpriteNet net_{nullptr};
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<Tensor> ema_;
  int64_t step_ = 0;
  double elapsed_ = 0;
};

}  // namespace

Status train(const TrainOptions& options, const std::function<void(const TrainReport&)>& report,
             const std::function<bool()>& stop) {
  SPARKY_ASSIGN(auto data, studio::read_dataset(options.dataset));
  Training training(options, std::move(data));
  SPARKY_TRY(training.prepare());
  return training.run(report, stop);
}

}  // namespace sparky::sprite
