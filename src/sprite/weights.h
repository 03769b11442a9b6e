// Tensors in and out of safetensors, and the model's folder:
//   model.safetensors  the weights (EMA)      config.json  NetworkConfig      vocabulary.json  the words
#pragma once
#include <torch/torch.h>

#include <filesystem>
#include <string>

#include "base/error.h"
#include "sprite/network.h"
#include "studio/safetensors.h"
#include "studio/vocabulary.h"

namespace sparky::sprite {

void add_tensor(studio::SafeTensors& file, const std::string& name, const torch::Tensor& value, bool half = false);
Result<torch::Tensor> get_tensor(const studio::SafeTensors& file, const std::string& name);  // float32

// Every parameter of the module, by name; refuses a missing name, a wrong shape, a value that is no number, and names
// that the module does not have.
Status load_parameters(torch::nn::Module& module, const studio::SafeTensors& file);

struct Model {
  SpriteNet net{nullptr};
  studio::Vocabulary vocabulary;
  std::string hash;  // SHA-256 of model.safetensors
  std::map<std::string, std::string> metadata;
};
Result<Model> load_model(const std::filesystem::path& dir);
Status save_model(const std::filesystem::path& dir, const SpriteNet& net, const studio::Vocabulary& vocabulary,
                  const std::map<std::string, std::string>& metadata, bool half);

// The same model with its weights as 16-bit numbers: half the bytes, to ship.
Status export_half(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace sparky::sprite
