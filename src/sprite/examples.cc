#include "sprite/examples.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <unordered_map>

#include "sprite/pixels.h"
#include "studio/colors.h"

namespace sparky::sprite {

namespace {

// How often each kind is shown. Compositions are many and alike, walls and floors are easy; creatures are neither.
double kind_share(const std::string& kind) {
  static const std::unordered_map<std::string, double> shares = {
      {"monster", 0.34}, {"item", 0.26}, {"character", 0.20}, {"dungeon", 0.13}, {"effect", 0.04}, {"icon", 0.03}};
  auto it = shares.find(kind);
  return it == shares.end() ? 0.2 : it->second;
}

pixel::Picture mirrored(pixel::Picture p) {
  for (int y = 0; y < p.height; ++y) {
    std::reverse(p.pixels.begin() + y * p.width, p.pixels.begin() + (y + 1) * p.width);
  }
  return p;
}

}  // namespace

Drawer::Drawer(const std::vector<studio::Sample>& samples) : samples_(samples) {
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

const studio::Sample& Drawer::draw(Random& random) const {
  auto it = std::upper_bound(cumulative_.begin(), cumulative_.end(), random.unit() * sum_);
  return samples_[std::min(size_t(it - cumulative_.begin()), samples_.size() - 1)];
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

}  // namespace sparky::sprite
