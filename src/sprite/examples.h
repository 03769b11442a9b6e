// Examples: batches of training data, drawn by chance from a dataset, with the changes that make more of it (mirrors,
// turned hues, captions in part).
#pragma once
#include <torch/torch.h>

#include <vector>

#include "base/random.h"
#include "sprite/network.h"
#include "studio/dataset.h"
#include "studio/vocabulary.h"

namespace sparky::sprite {

// Training samples by chance: by kind, and within a kind so that near twins share most of their weight.
class Drawer {
 public:
  explicit Drawer(const std::vector<studio::Sample>& samples);
  bool empty() const { return sum_ <= 0; }
  const studio::Sample& draw(Random& random) const;

 private:
  const std::vector<studio::Sample>& samples_;
  std::vector<double> cumulative_;
  double sum_ = 0;
};

struct Batch {
  torch::Tensor cells;  // [B, 16, 16, 16]
  TextBatch text;
};
Batch make_batch(const Drawer& drawer, const studio::Vocabulary& vocabulary, int64_t size, Random random);

// The words of all training captions, and the colour words.
studio::Vocabulary collect_words(const studio::Dataset& dataset);

}  // namespace sparky::sprite
