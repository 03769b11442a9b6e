// Judges: small networks that say what a tile shows. They share no weights and no code of theirs with the generator,
// and learn from the training split alone; each is first measured on real held-out tiles.
#pragma once
#include <torch/torch.h>

#include <map>
#include <string>
#include <vector>

#include "pixel/picture.h"
#include "studio/dataset.h"

namespace sparky::sprite {

// Four convolutions and a hidden layer of 128 features over 32×32 RGBA.
struct TrunkImpl : torch::nn::Module {
  TrunkImpl();
  torch::Tensor forward(torch::Tensor x);  // [B, 4, 32, 32] → [B, 128]
  torch::nn::ModuleList convs, norms;
  torch::nn::Linear hidden{nullptr};
};
TORCH_MODULE(Trunk);

torch::Tensor judge_input(const std::vector<const pixel::Picture*>& tiles);  // [B, 4, 32, 32]

// What a tile is asked: {"category": "wall"} or {"cloak color": "red", "body": "robe"}.
using Labels = std::map<std::string, std::string>;
Labels category_label(const studio::Sample& sample);
Labels attribute_labels(const studio::Sample& sample);  // of characters: each slot's colour and thing, or "none"

// Answers several questions about a tile, each with one of its classes.
class Classifier {
 public:
  // Classes with fewer than `rare` training samples are left out of training and of scores.
  Classifier(const std::vector<const studio::Sample*>& train, Labels (*labels)(const studio::Sample&), int rare,
             int epochs, uint64_t seed);
  struct Score {
    int right = 0, asked = 0;
    double share() const { return asked ? double(right) / asked : 0; }
  };
  // By question, and under "" together. Questions whose true answer is "none" are not asked.
  std::map<std::string, Score> score(const std::vector<pixel::Picture>& tiles, const std::vector<Labels>& truth);
  torch::Tensor features(const std::vector<pixel::Picture>& tiles);

 private:
  struct Question {
    std::vector<std::string> classes;
    torch::nn::Linear head{nullptr};
  };
  Trunk trunk_;
  std::map<std::string, Question> questions_;
};

// Pictures and captions in one space (Radford et al. 2021, in small): which caption belongs to which picture?
class Matcher {
 public:
  Matcher(const std::vector<const studio::Sample*>& train, int steps, uint64_t seed);
  // Share of captions whose own picture ranks first among `among` pictures.
  double recall(const std::vector<pixel::Picture>& tiles, const std::vector<std::string>& captions, size_t among);

 private:
  torch::Tensor text(const std::vector<std::string>& captions);
  Trunk trunk_;
  torch::nn::EmbeddingBag words_{nullptr};
  torch::nn::Linear project_{nullptr};
  torch::Tensor scale_;
  std::map<std::string, int64_t> index_;
};

// Kernel inception distance (Binkowski et al. 2018) over a judge's features: unbiased MMD² with (x·y/d + 1)³.
double kernel_distance(const torch::Tensor& a, const torch::Tensor& b);

}  // namespace sparky::sprite
