#include "sprite/network.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace sparky::sprite {
namespace nn = torch::nn;
namespace F = torch::nn::functional;
using torch::Tensor;

namespace {

constexpr int64_t kPatched = 16;  // channels of a 2×2-patched RGBA tile, and its side

nn::Conv2d conv3(int64_t in, int64_t out, int64_t stride = 1) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1).stride(stride));
}

void clear_values(const Tensor& t) {
  torch::NoGradGuard guard;
  t.zero_();
}

// Scaled dot-product attention; q [B, H, N, d], k and v [B, H, M, d], bias [B, 1, 1, M] added to the scores.
Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) {
  auto scores = torch::matmul(q * (1 / std::sqrt(double(q.size(-1)))), k.transpose(-1, -2));
  return torch::matmul(torch::softmax(scores + bias, -1), v);
}

Tensor split_heads(const Tensor& x, int64_t heads) {  // [B, N, C] → [B, H, N, C/H]
  return x.reshape({x.size(0), x.size(1), heads, x.size(2) / heads}).permute({0, 2, 1, 3});
}

Tensor merge_heads(const Tensor& x) { return x.permute({0, 2, 1, 3}).reshape({x.size(0), x.size(2), -1}); }

Tensor time_features(const Tensor& t, int64_t dim) {
  auto frequencies = torch::exp(torch::arange(dim / 2, t.options()) * (-std::log(1000.0) / double(dim / 2)));
  auto angles = t.unsqueeze(1) * 1000.0 * frequencies.unsqueeze(0);
  return torch::cat({angles.sin(), angles.cos()}, 1);
}

}  // namespace

std::string NetworkConfig::json() const {
  return json_text(Json{{"format", "sparky-sprite-net-1"},
                        {"tile", 32},
                        {"patch", 2},
                        {"channels", channels},
                        {"blocks", blocks},
                        {"text_dim", text_dim},
                        {"text_layers", text_layers},
                        {"condition_dim", condition_dim},
                        {"heads", heads},
                        {"words", words},
                        {"n_gram_buckets", n_gram_buckets},
                        {"max_tokens", max_tokens}},
                   1);
}

Result<NetworkConfig> NetworkConfig::parse(std::string_view text) {
  SPARKY_ASSIGN(Json j, parse_json(text, {.bytes = 1 << 20, .depth = 8}));
  auto bad = [](std::string what) { return fail(Errc::invalid, "network config: " + what); };
  if (!j.is_object() || j.value("format", Json()) != "sparky-sprite-net-1") {
    return bad("field 'format' must be \"sparky-sprite-net-1\"");
  }
  NetworkConfig c;
  for (auto [name, field, low, high] :
       {std::tuple{"blocks", &c.blocks, 1, 8}, std::tuple{"text_dim", &c.text_dim, 8, 2048},
        std::tuple{"text_layers", &c.text_layers, 0, 16}, std::tuple{"condition_dim", &c.condition_dim, 8, 4096},
        std::tuple{"heads", &c.heads, 1, 32}, std::tuple{"words", &c.words, 2, 1 << 20},
        std::tuple{"n_gram_buckets", &c.n_gram_buckets, 1, 1 << 20},
        std::tuple{"max_tokens", &c.max_tokens, 1, 1024}}) {
    auto it = j.find(name);
    if (it == j.end() || !it->is_number_integer() || *it < low || *it > high) {
      return bad(fmt::format("field '{}' must be a whole number from {} to {}", name, low, high));
    }
    *field = it->get<int64_t>();
  }
  const auto& channels = j.value("channels", Json());
  if (!channels.is_array() || channels.size() != 3) return bad("field 'channels' must be three numbers");
  c.channels.clear();
  for (const auto& n : channels) {
    int64_t multiple = c.channels.empty() ? 8 : 8 * c.heads;  // groups of 8; heads where there is attention
    if (!n.is_number_integer() || n < 8 || n > 4096 || n.get<int64_t>() % multiple != 0) {
      return bad(fmt::format("field 'channels': number {} must be 8 to 4096 and a multiple of {}",
                             c.channels.size() + 1, multiple));
    }
    c.channels.push_back(n.get<int64_t>());
  }
  if (c.text_dim % c.heads != 0) return bad("field 'text_dim' must be a multiple of 'heads'");
  return c;
}

TextBatch text_batch(const std::vector<std::vector<studio::Token>>& captions) {
  size_t longest = 1;
  for (const auto& c : captions) longest = std::max(longest, c.size());
  std::vector<int64_t> words, n_grams, offsets;
  for (const auto& c : captions) {
    for (size_t i = 0; i < longest; ++i) {
      offsets.push_back(int64_t(n_grams.size()));
      words.push_back(i < c.size() ? c[i].word : 0);
      if (i < c.size()) n_grams.insert(n_grams.end(), c[i].n_grams.begin(), c[i].n_grams.end());
    }
  }
  if (n_grams.empty()) n_grams.push_back(0);  // a bag of nothing at all is refused; padding is masked anyway
  return {torch::tensor(words).reshape({int64_t(captions.size()), int64_t(longest)}),
          torch::tensor(n_grams, torch::kLong), torch::tensor(offsets)};
}

TextEncoderImpl::TextEncoderImpl(const NetworkConfig& c) : heads(c.heads) {
  int64_t d = c.text_dim;
  word = register_module("word", nn::Embedding(nn::EmbeddingOptions(c.words, d).padding_idx(0)));
  n_gram = register_module("n_gram", nn::EmbeddingBag(nn::EmbeddingBagOptions(c.n_gram_buckets, d).mode(torch::kMean)));
  position = register_module("position", nn::Embedding(c.max_tokens + 1, d));
  start = register_parameter("start", torch::zeros({1, 1, d}));
  {
    torch::NoGradGuard guard;
    word->weight.mul_(0.5);
    word->weight[0].zero_();
    position->weight.mul_(0.1);
  }
  for (int64_t i = 0; i < c.text_layers; ++i) {
    norms->push_back(nn::LayerNorm(nn::LayerNormOptions({d})));
    norms->push_back(nn::LayerNorm(nn::LayerNormOptions({d})));
    qkvs->push_back(nn::Linear(d, 3 * d));
    outs->push_back(nn::Linear(d, d));
    convs->push_back(nn::Conv1d(nn::Conv1dOptions(d, 2 * d, 3).padding(1)));
    downs->push_back(nn::Linear(2 * d, d));
    clear_values(outs[size_t(i)]->as<nn::Linear>()->weight);
    clear_values(downs[size_t(i)]->as<nn::Linear>()->weight);
  }
  norms->push_back(nn::LayerNorm(nn::LayerNormOptions({d})));
  register_module("norms", norms);
  register_module("qkvs", qkvs);
  register_module("outs", outs);
  register_module("convs", convs);
  register_module("downs", downs);
}

std::pair<Tensor, Tensor> TextEncoderImpl::forward(const TextBatch& batch) {
  int64_t b = batch.words.size(0), t = batch.words.size(1);
  auto present = batch.words.ne(0).to(torch::kFloat);
  auto x = word(batch.words) + n_gram(batch.n_grams, batch.offsets).reshape({b, t, -1}) * present.unsqueeze(-1);
  x = torch::cat({start.expand({b, 1, -1}), x}, 1) + position->weight.slice(0, 0, t + 1).unsqueeze(0);
  auto mask = torch::cat({torch::ones({b, 1}, present.options()), present}, 1);
  auto bias = ((mask - 1) * 1e4).reshape({b, 1, 1, t + 1});
  auto visible = mask.unsqueeze(-1);
  for (size_t i = 0; i < qkvs->size(); ++i) {
    auto h = norms[2 * i]->as<nn::LayerNorm>()->forward(x);
    auto qkv = qkvs[i]->as<nn::Linear>()->forward(h).chunk(3, -1);
    h = attend(split_heads(qkv[0], heads), split_heads(qkv[1], heads), split_heads(qkv[2], heads), bias);
    x = x + outs[i]->as<nn::Linear>()->forward(merge_heads(h));
    h = norms[2 * i + 1]->as<nn::LayerNorm>()->forward(x) * visible;  // so that padding cannot leak to neighbours
    h = torch::silu(convs[i]->as<nn::Conv1d>()->forward(h.transpose(1, 2))).transpose(1, 2);
    x = x + downs[i]->as<nn::Linear>()->forward(h);
  }
  x = norms[norms->size() - 1]->as<nn::LayerNorm>()->forward(x) * visible;
  return {x, mask};
}

ResBlockImpl::ResBlockImpl(int64_t c, int64_t condition) {
  norm1 = register_module("norm1", nn::GroupNorm(8, c));
  norm2 = register_module("norm2", nn::GroupNorm(8, c));
  conv1 = register_module("conv1", conv3(c, c));
  conv2 = register_module("conv2", conv3(c, c));
  modulation = register_module("modulation", nn::Linear(condition, 2 * c));
  clear_values(conv2->weight);
  clear_values(conv2->bias);
  clear_values(modulation->weight);
  clear_values(modulation->bias);
}

Tensor ResBlockImpl::forward(Tensor x, const Tensor& condition) {
  auto h = conv1(torch::silu(norm1(x)));
  auto m = modulation(condition).unsqueeze(-1).unsqueeze(-1).chunk(2, 1);
  h = norm2(h) * (1 + m[0]) + m[1];
  return x + conv2(torch::silu(h));
}

AttentionImpl::AttentionImpl(int64_t c, int64_t text_dim, int64_t h) : heads(h) {
  norm = register_module("norm", nn::GroupNorm(8, c));
  qkv = register_module("qkv", nn::Linear(c, 3 * c));
  text_kv = register_module("text_kv", nn::Linear(text_dim, 2 * c));
  out = register_module("out", nn::Linear(c, c));
  clear_values(out->weight);
  clear_values(out->bias);
}

Tensor AttentionImpl::forward(Tensor x, const Tensor& text, const Tensor& bias) {
  int64_t b = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
  auto pixels = norm(x).flatten(2).transpose(1, 2);
  auto p = qkv(pixels).chunk(3, -1);
  auto t = text_kv(text).chunk(2, -1);
  auto k = torch::cat({p[1], t[0]}, 1), v = torch::cat({p[2], t[1]}, 1);
  auto scores_bias = torch::cat({torch::zeros({b, 1, 1, h * w}, bias.options()), bias}, -1);
  auto y =
      out(merge_heads(attend(split_heads(p[0], heads), split_heads(k, heads), split_heads(v, heads), scores_bias)));
  return x + y.transpose(1, 2).reshape({b, c, h, w});
}

SpriteNetImpl::SpriteNetImpl(const NetworkConfig& c) : config(c) {
  text = register_module("text", TextEncoder(c));
  time1 = register_module("time1", nn::Linear(128, c.condition_dim));
  time2 = register_module("time2", nn::Linear(c.condition_dim, c.condition_dim));
  pool1 = register_module("pool1", nn::Linear(c.text_dim, c.condition_dim));
  pool2 = register_module("pool2", nn::Linear(c.condition_dim, c.condition_dim));
  in = register_module("in", conv3(kPatched, c.channels[0]));
  place = register_parameter("place", torch::zeros({1, c.channels[0], kPatched, kPatched}));
  size_t levels = c.channels.size();
  for (size_t level = 0; level < levels; ++level) {
    int64_t ch = c.channels[level];
    for (int64_t i = 0; i < c.blocks; ++i) {
      down_blocks->push_back(ResBlock(ch, c.condition_dim));
      up_blocks->push_back(ResBlock(ch, c.condition_dim));
    }
    if (level > 0) {
      down_attention->push_back(Attention(ch, c.text_dim, c.heads));
      up_attention->push_back(Attention(ch, c.text_dim, c.heads));
    }
    if (level + 1 < levels) {
      down_convs->push_back(conv3(ch, c.channels[level + 1], 2));
      up_convs->push_back(nn::Conv2d(nn::Conv2dOptions(c.channels[level + 1], ch, 1)));
      merges->push_back(nn::Conv2d(nn::Conv2dOptions(2 * ch, ch, 1)));
    }
  }
  register_module("down_blocks", down_blocks);
  register_module("down_attention", down_attention);
  register_module("down_convs", down_convs);
  register_module("up_blocks", up_blocks);
  register_module("up_attention", up_attention);
  register_module("up_convs", up_convs);
  register_module("merges", merges);
  out_norm = register_module("out_norm", nn::GroupNorm(8, c.channels[0]));
  out = register_module("out", conv3(c.channels[0], kPatched));
  clear_values(out->weight);
  clear_values(out->bias);
}

SpriteNetImpl::Encoded SpriteNetImpl::encode(const TextBatch& batch) {
  auto [tokens, mask] = text(batch);
  auto mean = tokens.sum(1) / mask.sum(1, true);
  auto pooled = pool2(torch::silu(pool1(mean)));
  return {tokens, ((mask - 1) * 1e4).reshape({mask.size(0), 1, 1, mask.size(1)}), pooled};
}

Tensor SpriteNetImpl::velocity(const Tensor& x, const Tensor& t, const Encoded& words) {
  auto condition = torch::silu(time2(torch::silu(time1(time_features(t, 128)))) + words.pooled);
  auto h = in(x) + place;
  size_t levels = config.channels.size(), per = size_t(config.blocks);
  std::vector<Tensor> skips;
  for (size_t level = 0; level < levels; ++level) {
    if (level > 0) h = down_convs[level - 1]->as<nn::Conv2d>()->forward(h);
    for (size_t i = 0; i < per; ++i) {
      h = down_blocks[level * per + i]->as<ResBlock>()->forward(h, condition);
      if (level > 0 && i == 0) h = down_attention[level - 1]->as<Attention>()->forward(h, words.tokens, words.bias);
    }
    skips.push_back(h);
  }
  for (size_t level = levels; level-- > 0;) {
    if (level + 1 < levels) {
      h = up_convs[level]->as<nn::Conv2d>()->forward(h);
      h = F::interpolate(h, F::InterpolateFuncOptions().scale_factor(std::vector<double>{2, 2}).mode(torch::kNearest));
      h = merges[level]->as<nn::Conv2d>()->forward(torch::cat({h, skips[level]}, 1));
    }
    for (size_t i = 0; i < per; ++i) {
      h = up_blocks[level * per + i]->as<ResBlock>()->forward(h, condition);
      if (level > 0 && i == 0) h = up_attention[level - 1]->as<Attention>()->forward(h, words.tokens, words.bias);
    }
  }
  return out(torch::silu(out_norm(h)));
}

Tensor SpriteNetImpl::forward(const Tensor& x, const Tensor& t, const TextBatch& batch) {
  return velocity(x, t, encode(batch));
}

int64_t parameter_count(const nn::Module& module) {
  int64_t n = 0;
  for (const auto& p : module.parameters()) n += p.numel();
  return n;
}

}  // namespace sparky::sprite
