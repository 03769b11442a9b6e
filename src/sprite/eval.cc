#include "sprite/eval.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "pixel/files.h"
#include "sprite/generator.h"
#include "sprite/judges.h"
#include "studio/dataset.h"

namespace sparky::sprite {
using pixel::Picture;
using studio::Sample;
using torch::Tensor;

namespace {

struct Asked {
  std::vector<const Sample*> samples;
  std::vector<Picture> real, drawn;
  std::vector<std::string> captions;
};

std::vector<const Sample*> some(std::vector<const Sample*> from, size_t n, uint64_t seed) {
  Random random(seed);
  for (size_t i = from.size(); i > 1; --i) std::swap(from[i - 1], from[random.below(i)]);
  from.resize(std::min(n, from.size()));
  return from;
}

Result<Asked> draw_all(Generator& generator, std::vector<const Sample*> samples, const EvalOptions& o,
                       const std::function<void(const std::string&)>& say) {
  Asked out;
  out.samples = std::move(samples);
  for (size_t i = 0; i < out.samples.size(); ++i) {
    studio::SpriteRequest r;
    r.model = o.model.string();
    r.prompt = studio::caption(*out.samples[i]);
    r.seed = o.seed * 1'000'000 + i;
    r.steps = o.steps;
    r.cfg = o.cfg;
    SPARKY_ASSIGN(auto made, generator.generate(r, {}));
    out.drawn.push_back(std::move(made.pictures[0]));
    out.real.push_back(out.samples[i]->picture);
    out.captions.push_back(r.prompt);
    if ((i + 1) % 32 == 0) say(fmt::format("drew {} of {}", i + 1, out.samples.size()));
  }
  return out;
}

Json score_json(const std::map<std::string, Classifier::Score>& drawn,
                const std::map<std::string, Classifier::Score>& real) {
  Json j;
  for (const auto& [question, s] : drawn) {
    Json one{{"drawn", s.share()}, {"asked", s.asked}};
    if (auto it = real.find(question); it != real.end()) one["real"] = it->second.share();
    j[question.empty() ? "all" : question] = one;
  }
  return j;
}

Tensor flat(const std::vector<const Picture*>& tiles) { return judge_input(tiles).flatten(1); }

// Root mean square distance (of 255) from each tile to its nearest training tile.
std::vector<double> nearest(const std::vector<Picture>& tiles, const std::vector<const Sample*>& train) {
  std::vector<const Picture*> a, b;
  for (const auto& t : tiles) a.push_back(&t);
  auto all = flat(a);
  auto best = torch::full({all.size(0)}, 1e9);
  for (size_t at = 0; at < train.size(); at += 1024) {
    b.clear();
    for (size_t i = at; i < std::min(train.size(), at + 1024); ++i) b.push_back(&train[i]->picture);
    best = torch::minimum(best, std::get<0>(torch::cdist(all, flat(b)).min(1)));
  }
  std::vector<double> out;
  for (int64_t i = 0; i < best.size(0); ++i)
    out.push_back(best[i].item<double>() * 128 / std::sqrt(double(all.size(1))));
  std::ranges::sort(out);
  return out;
}

Json copy_json(const std::vector<double>& sorted) {
  constexpr double kNear = 8;  // of 255: to the eye the same tile
  auto near = std::ranges::lower_bound(sorted, kNear) - sorted.begin();
  return {{"median", sorted[sorted.size() / 2]},
          {"nearest", sorted.front()},
          {"near_copies", double(near) / double(sorted.size())}};
}

bool conforms(const Picture& p, size_t colors) {
  std::set<pixel::Rgba> seen;
  for (const auto& c : p.pixels) {
    if (c.a != 0 && c.a != 255) return false;
    if (c.a == 255) seen.insert(c);
  }
  return p.width == studio::kTile && p.height == studio::kTile && seen.size() <= colors && !seen.empty();
}

}  // namespace

Result<Json> evaluate(const EvalOptions& o, const std::function<void(const std::string&)>& say) try {
  SPARKY_ASSIGN(auto data, studio::read_dataset(o.dataset));
  SPARKY_ASSIGN(auto generator, Generator::load(o.model));
  std::vector<const Sample*> train_tiles, train_characters, test_tiles, test_characters, train;
  for (const auto& s : data.samples) {
    bool character = !s.parts.empty();
    (s.test ? (character ? test_characters : test_tiles) : (character ? train_characters : train_tiles)).push_back(&s);
    if (!s.test) train.push_back(&s);
  }
  if (test_tiles.size() < 32 || train_tiles.size() < 64) {
    return fail(Errc::invalid, fmt::format("{} held-out tiles are too few to judge by", test_tiles.size()),
                "build a larger dataset; at least 32 held-out tiles are needed");
  }
  SPARKY_ASSIGN(auto tiles, draw_all(generator, some(test_tiles, size_t(o.tiles), o.seed), o, say));
  SPARKY_ASSIGN(auto characters, draw_all(generator, some(test_characters, size_t(o.characters), o.seed), o, say));
  if (!o.sheet.empty()) {
    std::vector<Picture> both = tiles.drawn;
    both.insert(both.end(), characters.drawn.begin(), characters.drawn.end());
    SPARKY_TRY(pixel::write_png(o.sheet, studio::contact_sheet(both, 16, 2)));
  }
  Json out{{"model_hash", generator.hash()},
           {"dataset", data.hash},
           {"steps", o.steps},
           {"cfg", o.cfg},
           {"drawn", {{"tiles", tiles.drawn.size()}, {"characters", characters.drawn.size()}}}};

  say("the judge of categories learns");
  std::vector<const Sample*> mixed = train_tiles;
  auto more = some(train_characters, train_tiles.size() / 4, o.seed);
  mixed.insert(mixed.end(), more.begin(), more.end());
  Classifier categories(mixed, category_label, 12, 12, o.seed);
  std::vector<Labels> truth;
  for (const auto* s : tiles.samples) truth.push_back(category_label(*s));
  out["categories"] = score_json(categories.score(tiles.drawn, truth), categories.score(tiles.real, truth));
  auto real_features = categories.features(tiles.real);
  std::vector<Picture> other_real;
  for (const auto* s : some(train_tiles, tiles.real.size(), o.seed + 1)) other_real.push_back(s->picture);
  out["kid"] = {{"drawn", kernel_distance(categories.features(tiles.drawn), real_features)},
                {"real", kernel_distance(categories.features(other_real), real_features)}};

  if (!characters.samples.empty()) {
    say("the judge of attributes learns");
    Classifier attributes(train_characters, attribute_labels, 60, 3, o.seed);
    truth.clear();
    for (const auto* s : characters.samples) truth.push_back(attribute_labels(*s));
    out["attributes"] = score_json(attributes.score(characters.drawn, truth), attributes.score(characters.real, truth));
  }

  say("the judge of captions learns");
  Matcher matcher(mixed, 500, o.seed);
  out["retrieval_at_1_of_32"] = {{"drawn", matcher.recall(tiles.drawn, tiles.captions, 32)},
                                 {"real", matcher.recall(tiles.real, tiles.captions, 32)}};
  out["nearest_training_tile"] = {{"drawn", copy_json(nearest(tiles.drawn, train))},
                                  {"real", copy_json(nearest(tiles.real, train))}};
  size_t fine = 0;
  for (const auto* group : {&tiles, &characters}) {
    for (const auto& p : group->drawn) fine += conforms(p, 16);
  }
  out["conformity"] = double(fine) / double(tiles.drawn.size() + characters.drawn.size());
  return out;
} catch (const c10::Error& e) {
  return fail(Errc::internal, fmt::format("libtorch failed: {}", e.what_without_backtrace()));
}

}  // namespace sparky::sprite
