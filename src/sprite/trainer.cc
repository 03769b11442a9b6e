#include "sprite/trainer.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <chrono>
#include <cmath>
#include <fstream>

#include "base/files.h"
#include "base/text.h"
#include "pixel/files.h"
#include "sprite/examples.h"
#include "sprite/lora.h"
#include "sprite/network.h"
#include "sprite/optimizer.h"
#include "sprite/pixels.h"
#include "sprite/sampler.h"
#include "sprite/weights.h"
#include "studio/dataset.h"

namespace sparky::sprite {
namespace fs = std::filesystem;
using torch::Tensor;

namespace {

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
    if (!options_.base.empty()) return prepare_lora();
    bool there = fs::exists(options_.out / "train.safetensors");
    if (there && options_.resume) return resume();
    if (there) {
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
      if (!std::isfinite(loss)) {
        return fail(Errc::internal, fmt::format("the loss is no number any more at step {}", step_),
                    "--resume with a smaller --lr; the last checkpoint is whole");
      }
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
    net_->to(device_);
    net_->train();
    std::vector<std::pair<std::string, Tensor>> parameters;
    if (lora_) {
      parameters = lora_->parameters();
    } else {
      for (const auto& p : net_->named_parameters()) parameters.emplace_back(p.key(), p.value());
    }
    for (const auto& [name, value] : parameters) ema_.push_back(value.detach().clone());
    optimizer_ = std::make_unique<Optimizer>(parameters);
  }

  Status prepare_lora() {
    if (options_.resume) {
      return fail(Errc::invalid, "a LoRA's training cannot be resumed", "it takes minutes: start it anew");
    }
    SPARKY_ASSIGN(auto model, load_model(options_.base));
    net_ = model.net;
    vocabulary_ = model.vocabulary;
    base_hash_ = model.hash;
    net_->to(device_);
    for (auto& p : net_->parameters()) p.set_requires_grad(false);
    lora_ = std::make_unique<Lora>(net_, options_.rank, options_.alpha, options_.seed);
    start();
    return {};
  }

  double progress() const {  // 0…1 of the budget
    double p = 0;
    if (options_.minutes > 0) p = elapsed_ / (options_.minutes * 60);
    if (options_.steps > 0) p = std::max(p, double(step_) / double(options_.steps));
    return p;
  }
  bool finished() const { return progress() >= 1; }
  // Warm-up, then constant, then a straight line to nothing over the last 40 %.
  double rate() const {
    double warm = std::min(1.0, double(step_ + 1) / 50), p = progress();
    return options_.learning_rate * warm * std::clamp((1 - p) / 0.4, 0.02, 1.0);
  }

  // Everything random in a step comes from the seed and its number, so that a resumed training goes on as it would
  // have.
  double step(double& norm) {
    uint64_t mixed = options_.seed * 1'000'003 + uint64_t(step_);
    auto batch = make_batch(drawer_, vocabulary_, options_.batch, Random(mixed));
    torch::manual_seed(mixed);
    auto noise = torch::randn_like(batch.cells).to(device_);
    auto t = torch::sigmoid(torch::randn({options_.batch})).to(device_);
    auto cells = batch.cells.to(device_), at = t.reshape({-1, 1, 1, 1});
    if (lora_) lora_->apply();
    auto v = net_->forward(at * cells + (1 - at) * noise, t, batch.text.to(device_));
    auto loss = torch::mse_loss(v, cells - noise);
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
    if (lora_) lora_->apply();
  }

  std::map<std::string, std::string> facts() const {
    return {{"format", "sparky-sprite"},
            {"step", std::to_string(step_)},
            {"samples", std::to_string(step_ * options_.batch)},
            {"seconds", fmt::format("{:.0f}", elapsed_)},
            {"dataset", data_.hash}};
  }

  Status save() {
    SPARKY_TRY(write_file_atomic(options_.out / "loss.png", loss_curve()));
    swap_average();
    Status saved = lora_ ? save_lora() : save_model(options_.out, net_, vocabulary_, facts(), false);
    swap_average();
    if (!saved || lora_) return saved;
    studio::SafeTensors file;
    file.metadata = facts();
    file.metadata["optimizer_steps"] = std::to_string(optimizer_->steps);
    auto& items = optimizer_->items();
    for (size_t i = 0; i < items.size(); ++i) {
      add_tensor(file, "raw." + items[i].name, items[i].value);
      add_tensor(file, "ema." + items[i].name, ema_[i]);
      add_tensor(file, "first." + items[i].name, items[i].first);
      if (items[i].second.defined()) add_tensor(file, "second." + items[i].name, items[i].second);
    }
    return write_file_atomic(options_.out / "train.safetensors", to_bytes(file));
  }

  Status save_lora() {
    size_t pictures = size_t(std::ranges::count_if(data_.samples, [](const auto& s) { return !s.test; }));
    auto metadata = facts();
    metadata["ss_num_train_images"] = std::to_string(pictures);
    metadata["ss_steps"] = std::to_string(step_);
    metadata["ss_learning_rate"] = fmt::format("{}", options_.learning_rate);
    metadata["ss_batch_size_per_device"] = std::to_string(options_.batch);
    metadata["ss_seed"] = std::to_string(options_.seed);
    metadata["ss_output_name"] = options_.out.filename().string();
    metadata["ss_base_model_version"] = "sparky-sprite";
    metadata["ss_new_sd_model_hash"] = base_hash_;
    return write_file_atomic(options_.out / "lora.safetensors", to_bytes(lora_->file(metadata)));
  }

  Status resume() {
    SPARKY_ASSIGN(auto model, load_model(options_.out));
    SPARKY_ASSIGN(auto file, studio::read_safetensors(options_.out / "train.safetensors"));
    // Words that the dataset has gained since then start untrained, behind the old ones.
    vocabulary_ = model.vocabulary;
    auto gained = collect_words(data_);
    for (const auto& word : gained.words()) vocabulary_.add(word);
    auto config = model.net->config;
    config.words = vocabulary_.size();
    torch::manual_seed(options_.seed);
    net_ = SpriteNet(config);
    start();
    torch::NoGradGuard guard;
    auto& items = optimizer_->items();
    for (size_t i = 0; i < items.size(); ++i) {
      auto restore = [&](const std::string& name, Tensor& into) -> Status {
        SPARKY_ASSIGN(auto t, get_tensor(file, name + "." + items[i].name));
        if (items[i].name == "text.word.weight" && t.size(0) < into.size(0)) {
          into.narrow(0, 0, t.size(0)).copy_(t);
          return {};
        }
        if (t.sizes() != into.sizes()) {
          return fail(Errc::corrupt, fmt::format("train.safetensors: '{}.{}' has a wrong shape", name, items[i].name));
        }
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
    auto tiles = to_pictures(sample(net_, prompts, seeds, 12));
    net_->train();
    swap_average();
    auto sheet = studio::contact_sheet(tiles, 8, 3);
    SPARKY_TRY(pixel::write_png(options_.out / fmt::format("sheet-{:07}.png", step_), sheet));
    return pixel::write_png(options_.out / "sheet.png", sheet);
  }

  // loss.csv as a picture: the logarithm of the loss over steps, a line across at each of 1, 0.5, 0.2 and 0.1.
  std::string loss_curve() const {
    auto text = read_file(options_.out / "loss.csv");
    std::vector<double> losses;
    for (auto line : split(text ? *text : "", '\n')) {
      auto fields = split(line, ',');
      if (fields.size() > 3 && !fields[0].starts_with("step"))
        losses.push_back(std::atof(std::string(fields[3]).c_str()));
    }
    pixel::Picture plot(640, 320, {255, 255, 255, 255});
    auto row = [&](double loss) {
      return std::clamp(int((std::log(2.0) - std::log(loss)) / std::log(40.0) * 319), 0, 319);
    };
    for (double mark : {1.0, 0.5, 0.2, 0.1}) {
      for (int x = 0; x < plot.width; ++x) plot.at(x, row(mark)) = {200, 200, 200, 255};
    }
    for (size_t i = 1; i < losses.size(); ++i) {
      double x0 = double(i - 1) * 639 / double(losses.size()), x1 = double(i) * 639 / double(losses.size());
      int y0 = row(losses[i - 1]), y1 = row(losses[i]), n = std::max({std::abs(y1 - y0), int(x1 - x0), 1});
      for (int k = 0; k <= n; ++k) {
        plot.at(int(x0 + (x1 - x0) * k / n), y0 + (y1 - y0) * k / n) = {170, 40, 40, 255};
      }
    }
    return pixel::encode_png(plot).value_or("");
  }

  TrainOptions options_;
  studio::Dataset data_;
  Drawer drawer_;
  studio::Vocabulary vocabulary_;
  SpriteNet net_{nullptr};
  std::unique_ptr<Lora> lora_;
  std::string base_hash_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<Tensor> ema_;
  torch::Device device_ = torch::cuda::is_available() ? torch::kCUDA : torch::kCPU;
  int64_t step_ = 0;
  double elapsed_ = 0;
};

}  // namespace

Status train(const TrainOptions& options, const std::function<void(const TrainReport&)>& report,
             const std::function<bool()>& stop) try {
  if (options.minutes <= 0 && options.steps <= 0) {
    return fail(Errc::invalid, "a training needs an end", "give --minutes or --steps");
  }
  if (options.batch < 1 || options.rank < 1) return fail(Errc::invalid, "--batch and --rank must be at least 1");
  SPARKY_ASSIGN(auto data, studio::read_dataset(options.dataset));
  Training training(options, std::move(data));
  SPARKY_TRY(training.prepare());
  return training.run(report, stop);
} catch (const std::bad_alloc&) {
  return fail(Errc::full, "out of memory", "a smaller --batch needs less");
} catch (const c10::Error& e) {
  return fail(Errc::internal, fmt::format("libtorch failed: {}", e.what_without_backtrace()));
}

}  // namespace sparky::sprite
