// SpriteNet: text to velocity. A convolutional U-Net over 2×2-patched 32×32 RGBA (16 channels at 16×16) with attention
// over pixels and caption words at the two smaller resolutions, conditioned on time and caption by scale and shift
// (AdaLN). It learns rectified flow (Liu, Gong and Liu 2022): x_t = t·x + (1-t)·noise, velocity = x - noise.
#pragma once
#include <torch/torch.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "studio/vocabulary.h"

namespace sparky::sprite {

struct NetworkConfig {
  std::vector<int64_t> channels = {48, 128, 192};  // at 16², 8² and 4²
  int64_t blocks = 2;                              // residual blocks per resolution, each way
  int64_t text_dim = 128, text_layers = 2;
  int64_t condition_dim = 256;
  int64_t heads = 4;
  int64_t words = 0, n_gram_buckets = 2048, max_tokens = 48;

  std::string json() const;
  static Result<NetworkConfig> parse(std::string_view json);
};

// Captions of a batch, padded to the longest. words [B, T] int64 (0: padding);
// n_grams: buckets of all B·T tokens one after another, offsets [B·T] into it.
struct TextBatch {
  torch::Tensor words, n_grams, offsets;
  TextBatch to(torch::Device device) const { return {words.to(device), n_grams.to(device), offsets.to(device)}; }
};
TextBatch text_batch(const std::vector<std::vector<studio::Token>>& captions);

struct TextEncoderImpl : torch::nn::Module {
  explicit TextEncoderImpl(const NetworkConfig& config);
  // words → [B, 1+T, D] (a start token first) and mask [B, 1+T], 1 where there is a token.
  std::pair<torch::Tensor, torch::Tensor> forward(const TextBatch& batch);

  torch::nn::Embedding word{nullptr}, position{nullptr};
  torch::nn::EmbeddingBag n_gram{nullptr};
  torch::Tensor start;
  torch::nn::ModuleList norms, qkvs, outs, convs, downs;
  int64_t heads;
};
TORCH_MODULE(TextEncoder);

struct ResBlockImpl : torch::nn::Module {
  ResBlockImpl(int64_t channels, int64_t condition);
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& condition);

  torch::nn::GroupNorm norm1{nullptr}, norm2{nullptr};
  torch::nn::Conv2d conv1{nullptr}, conv2{nullptr};
  torch::nn::Linear modulation{nullptr};
};
TORCH_MODULE(ResBlock);

// Every pixel looks at all pixels and all words at once.
struct AttentionImpl : torch::nn::Module {
  AttentionImpl(int64_t channels, int64_t text_dim, int64_t heads);
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& text, const torch::Tensor& bias);

  torch::nn::GroupNorm norm{nullptr};
  torch::nn::Linear qkv{nullptr}, text_kv{nullptr}, out{nullptr};
  int64_t heads;
};
TORCH_MODULE(Attention);

struct SpriteNetImpl : torch::nn::Module {
  explicit SpriteNetImpl(const NetworkConfig& config);
  // x [B, 16, 16, 16], t [B] in 0…1 → velocity, as x.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& t, const TextBatch& text);
  // The caption alone, for samplers that ask many times about the same words.
  struct Encoded {
    torch::Tensor tokens, bias, pooled;
  };
  Encoded encode(const TextBatch& text);
  torch::Tensor velocity(const torch::Tensor& x, const torch::Tensor& t, const Encoded& text);

  NetworkConfig config;
  TextEncoder text{nullptr};
  torch::nn::Linear time1{nullptr}, time2{nullptr}, pool1{nullptr}, pool2{nullptr};
  torch::nn::Conv2d in{nullptr}, out{nullptr};
  torch::nn::GroupNorm out_norm{nullptr};
  torch::Tensor place;  // learned, [1, C, 16, 16]: where on the tile we are
  torch::nn::ModuleList down_blocks, down_attention, down_convs, up_blocks, up_attention, up_convs, merges;
};
TORCH_MODULE(SpriteNet);

int64_t parameter_count(const torch::nn::Module& module);

}  // namespace sparky::sprite
