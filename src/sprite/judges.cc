#include "sprite/judges.h"

#include <algorithm>
#include <set>

#include "base/random.h"
#include "base/text.h"
#include "studio/vocabulary.h"

namespace sparky::sprite {
namespace nn = torch::nn;
using pixel::Picture;
using studio::Sample;
using torch::Tensor;

namespace {

constexpr int64_t kBatch = 64;

std::vector<const Picture*> pointers(const std::vector<Picture>& tiles) {
  std::vector<const Picture*> out;
  for (const auto& t : tiles) out.push_back(&t);
  return out;
}

std::string last_word(const std::string& text) {
  auto at = text.rfind(' ');
  return at == std::string::npos ? text : text.substr(at + 1);
}

// Batches of training samples in random order, some of them mirrored.
struct Shuffle {
  const std::vector<const Sample*>& samples;
  Random random;
  std::vector<const Sample*> next(Tensor& input) {
    std::vector<const Sample*> out;
    for (int64_t i = 0; i < kBatch; ++i) out.push_back(samples[random.below(samples.size())]);
    std::vector<const Picture*> tiles;
    for (const auto* s : out) tiles.push_back(&s->picture);
    input = judge_input(tiles);
    if (random.chance(0.5)) input = input.flip({3});
    return out;
  }
};

}  // namespace

Tensor judge_input(const std::vector<const Picture*>& tiles) {
  auto out = torch::empty({int64_t(tiles.size()), 4, studio::kTile, studio::kTile});
  auto at = out.accessor<float, 4>();
  for (size_t i = 0; i < tiles.size(); ++i) {
    for (int y = 0; y < studio::kTile; ++y) {
      for (int x = 0; x < studio::kTile; ++x) {
        auto c = tiles[i]->at(x, y);
        float a = c.a >= 128 ? 1.0f : 0.0f;
        auto cell = at[int64_t(i)];
        cell[0][y][x] = a * float(c.r) / 128, cell[1][y][x] = a * float(c.g) / 128;
        cell[2][y][x] = a * float(c.b) / 128, cell[3][y][x] = a * 2 - 1;
      }
    }
  }
  return out;
}

TrunkImpl::TrunkImpl() {
  const int64_t channels[] = {4, 32, 64, 96, 128};
  for (size_t i = 0; i < 4; ++i) {
    auto o = nn::Conv2dOptions(channels[i], channels[i + 1], 3).padding(1).stride(i == 0 ? 1 : 2);
    convs->push_back(nn::Conv2d(o));
    norms->push_back(nn::GroupNorm(8, channels[i + 1]));
  }
  register_module("convs", convs);
  register_module("norms", norms);
  hidden = register_module("hidden", nn::Linear(128 * 16, 128));
}

Tensor TrunkImpl::forward(Tensor x) {
  for (size_t i = 0; i < 4; ++i) {
    x = torch::silu(norms[i]->as<nn::GroupNorm>()->forward(convs[i]->as<nn::Conv2d>()->forward(x)));
  }
  return torch::silu(hidden(torch::dropout(x.flatten(1), 0.2, is_training())));
}

Labels category_label(const Sample& s) {
  bool fine = (s.kind == "dungeon" || s.kind == "item") && !s.tags.empty();
  return {{"category", fine ? s.tags.front() : s.kind}};
}

Labels attribute_labels(const Sample& s) {
  Labels out;
  for (auto slot : {"cloak", "hair", "body", "boots", "gloves", "legs", "head", "hand1", "hand2"}) {
    std::string color = "none", name = "none";
    for (const auto& p : s.parts) {
      if (p.slot != slot) continue;
      color = p.color.empty() ? "plain" : last_word(p.color);
      name = p.name;
    }
    std::string key = slot;
    if (!key.starts_with("hand")) out[key + " color"] = color;
    if (key == "body" || key == "legs" || key == "head" || key.starts_with("hand")) out[key] = name;
  }
  return out;
}

Classifier::Classifier(const std::vector<const Sample*>& train, Labels (*labels)(const Sample&), int rare, int epochs,
                       uint64_t seed) {
  torch::manual_seed(seed);
  trunk_ = Trunk();
  std::map<std::string, std::map<std::string, int>> counts;
  for (const auto* s : train) {
    for (const auto& [q, answer] : labels(*s)) ++counts[q][answer];
  }
  std::vector<Tensor> parameters = trunk_->parameters();
  for (const auto& [q, answers] : counts) {
    Question question;
    for (const auto& [answer, n] : answers) {
      if (n >= rare) question.classes.push_back(answer);
    }
    question.head = nn::Linear(128, int64_t(std::max<size_t>(1, question.classes.size())));
    for (auto& p : question.head->parameters()) parameters.push_back(p);
    questions_[q] = question;
  }
  torch::optim::AdamW adam(parameters, torch::optim::AdamWOptions(2e-3).weight_decay(0.02));
  Shuffle shuffle{train, Random(seed)};
  int64_t steps = int64_t(train.size()) * epochs / kBatch + 1;
  trunk_->train();
  for (int64_t step = 0; step < steps; ++step) {
    Tensor input;
    auto samples = shuffle.next(input);
    auto features = trunk_(input);
    auto loss = torch::zeros({});
    for (auto& [q, question] : questions_) {
      std::vector<int64_t> wanted;
      for (const auto* s : samples) {
        auto it = std::ranges::find(question.classes, labels(*s).at(q));
        wanted.push_back(it == question.classes.end() ? -100 : it - question.classes.begin());
      }
      if (std::ranges::all_of(wanted, [](auto w) { return w < 0; })) continue;
      loss = loss + torch::nn::functional::cross_entropy(question.head(features), torch::tensor(wanted));
    }
    for (auto& group : adam.param_groups()) {
      static_cast<torch::optim::AdamWOptions&>(group.options()).lr(2e-3 * (1 - double(step) / double(steps)));
    }
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  trunk_->eval();
}

Tensor Classifier::features(const std::vector<Picture>& tiles) {
  torch::NoGradGuard guard;
  return trunk_(judge_input(pointers(tiles)));
}

std::map<std::string, Classifier::Score> Classifier::score(const std::vector<Picture>& tiles,
                                                           const std::vector<Labels>& truth) {
  torch::NoGradGuard guard;
  auto f = features(tiles);
  std::map<std::string, Score> out;
  for (auto& [q, question] : questions_) {
    auto answers = question.head(f).argmax(1);
    for (size_t i = 0; i < truth.size(); ++i) {
      auto label = truth[i].find(q);
      if (label == truth[i].end() || label->second == "none") continue;
      if (std::ranges::find(question.classes, label->second) == question.classes.end()) continue;
      bool right = question.classes[size_t(answers[int64_t(i)].item<int64_t>())] == label->second;
      for (auto* s : {&out[q], &out[""]}) s->asked += 1, s->right += right;
    }
  }
  return out;
}

Matcher::Matcher(const std::vector<const Sample*>& train, int steps, uint64_t seed) {
  torch::manual_seed(seed);
  trunk_ = Trunk();
  for (const auto* s : train) {
    for (const auto& w : studio::prompt_words(studio::caption(*s))) index_.try_emplace(w, int64_t(index_.size()) + 1);
  }
  words_ = nn::EmbeddingBag(nn::EmbeddingBagOptions(int64_t(index_.size()) + 1, 128).mode(torch::kMean));
  project_ = nn::Linear(128, 128);
  scale_ = torch::full({}, 2.3).set_requires_grad(true);
  std::vector<Tensor> parameters = trunk_->parameters();
  for (auto& p : words_->parameters()) parameters.push_back(p);
  for (auto& p : project_->parameters()) parameters.push_back(p);
  parameters.push_back(scale_);
  torch::optim::AdamW adam(parameters, torch::optim::AdamWOptions(2e-3).weight_decay(0.02));
  Shuffle shuffle{train, Random(seed)};
  trunk_->train();
  for (int step = 0; step < steps; ++step) {
    Tensor input;
    std::vector<std::string> captions;
    for (const auto* s : shuffle.next(input)) captions.push_back(studio::caption(*s));
    auto image = torch::nn::functional::normalize(trunk_(input));
    auto scores = torch::matmul(text(captions), image.t()) * scale_.exp();
    auto own = torch::arange(kBatch);
    auto loss =
        torch::nn::functional::cross_entropy(scores, own) + torch::nn::functional::cross_entropy(scores.t(), own);
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  trunk_->eval();
}

Tensor Matcher::text(const std::vector<std::string>& captions) {
  std::vector<int64_t> words, offsets;
  for (const auto& c : captions) {
    offsets.push_back(int64_t(words.size()));
    for (const auto& w : studio::prompt_words(c)) {
      if (auto it = index_.find(w); it != index_.end()) words.push_back(it->second);
    }
    if (words.size() == size_t(offsets.back())) words.push_back(0);
  }
  return torch::nn::functional::normalize(project_(words_(torch::tensor(words), torch::tensor(offsets))));
}

double Matcher::recall(const std::vector<Picture>& tiles, const std::vector<std::string>& captions, size_t among) {
  torch::NoGradGuard guard;
  int right = 0, asked = 0;
  for (size_t at = 0; at + among <= tiles.size(); at += among) {
    std::vector<Picture> some(tiles.begin() + long(at), tiles.begin() + long(at + among));
    auto image = torch::nn::functional::normalize(trunk_(judge_input(pointers(some))));
    auto best =
        torch::matmul(text({captions.begin() + long(at), captions.begin() + long(at + among)}), image.t()).argmax(1);
    for (size_t i = 0; i < among; ++i) ++asked, right += best[int64_t(i)].item<int64_t>() == int64_t(i);
  }
  return asked ? double(right) / asked : 0;
}

double kernel_distance(const Tensor& a, const Tensor& b) {
  torch::NoGradGuard guard;
  double d = double(a.size(1)), n = double(a.size(0)), m = double(b.size(0));
  auto kernel = [&](const Tensor& x, const Tensor& y) { return (torch::matmul(x, y.t()) / d + 1).pow(3); };
  auto off_diagonal = [](const Tensor& k) { return (k.sum() - k.diagonal().sum()).item<double>(); };
  return off_diagonal(kernel(a, a)) / (n * (n - 1)) + off_diagonal(kernel(b, b)) / (m * (m - 1)) -
         2 * kernel(a, b).mean().item<double>();
}

}  // namespace sparky::sprite
