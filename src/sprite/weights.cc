#include "sprite/weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/files.h"
#include "base/hash.h"

namespace sparky::sprite {
namespace fs = std::filesystem;
using studio::Dtype;
using torch::Tensor;

void add_tensor(studio::SafeTensors& file, const std::string& name, const Tensor& value, bool half) {
  auto t = value.detach().to(torch::kCPU, half ? torch::kHalf : torch::kFloat).contiguous();
  file.add(name, half ? Dtype::f16 : Dtype::f32, t.sizes().vec(),
           {static_cast<const char*>(t.data_ptr()), size_t(t.numel()) * t.element_size()});
}

Result<Tensor> get_tensor(const studio::SafeTensors& file, const std::string& name) {
  auto it = file.tensors.find(name);
  if (it == file.tensors.end()) return fail(Errc::corrupt, fmt::format("there is no tensor '{}'", name));
  torch::ScalarType type{};
  switch (it->second.dtype) {
    case Dtype::f64:
      type = torch::kDouble;
      break;
    case Dtype::f32:
      type = torch::kFloat;
      break;
    case Dtype::f16:
      type = torch::kHalf;
      break;
    case Dtype::bf16:
      type = torch::kBFloat16;
      break;
    default:
      return fail(Errc::corrupt, fmt::format("tensor '{}' holds {}, not floating-point numbers", name,
                                             studio::name(it->second.dtype)));
  }
  auto t = torch::empty(it->second.shape, type);
  auto bytes = file.bytes(it->second);
  std::copy(bytes.begin(), bytes.end(), static_cast<char*>(t.data_ptr()));
  t = t.to(torch::kFloat);
  if (!torch::isfinite(t).all().item<bool>()) {
    return fail(Errc::corrupt, fmt::format("tensor '{}' holds values that are no finite numbers", name));
  }
  return t;
}

Status load_parameters(torch::nn::Module& module, const studio::SafeTensors& file) {
  torch::NoGradGuard guard;
  auto parameters = module.named_parameters();
  for (const auto& [name, entry] : file.tensors) {
    if (!parameters.contains(name)) {
      return fail(Errc::corrupt, fmt::format("tensor '{}' does not belong to this network", name),
                  "is config.json from the same model?");
    }
  }
  for (auto& p : parameters) {
    SPARKY_ASSIGN(auto t, get_tensor(file, p.key()));
    if (t.sizes() != p.value().sizes()) {
      return fail(Errc::corrupt,
                  fmt::format("tensor '{}' has shape [{}], the network needs [{}]", p.key(), fmt::join(t.sizes(), ", "),
                              fmt::join(p.value().sizes(), ", ")),
                  "is config.json from the same model?");
    }
    p.value().copy_(t);
  }
  return {};
}

Result<Model> load_model(const fs::path& dir) {
  auto in = [&](const char* file, auto&& e) {
    return fail(e.code, fmt::format("model {}: {}: {}", dir.string(), file, e.message), e.help);
  };
  auto config_text = read_file(dir / "config.json", 1 << 20);
  if (!config_text) {
    return fail(Errc::not_found, fmt::format("{} is no model: {}", dir.string(), config_text.error().message),
                "a model's folder has config.json, vocabulary.json and model.safetensors");
  }
  auto config = NetworkConfig::parse(*config_text);
  if (!config) return in("config.json", config.error());
  auto words = read_file(dir / "vocabulary.json", 64u << 20);
  if (!words) return std::unexpected(words.error());
  auto vocabulary = studio::Vocabulary::parse(*words);
  if (!vocabulary) return in("vocabulary.json", vocabulary.error());
  if (vocabulary->size() != config->words || vocabulary->n_gram_buckets != config->n_gram_buckets ||
      vocabulary->max_tokens != config->max_tokens) {
    return fail(Errc::corrupt,
                fmt::format("model {}: vocabulary.json and config.json do not belong together", dir.string()));
  }
  SPARKY_ASSIGN(std::string bytes, read_file(dir / "model.safetensors", size_t(2) << 30));
  Model model;
  model.hash = sha256_hex(bytes);
  auto file = studio::parse_safetensors(std::move(bytes));
  if (!file) return in("model.safetensors", file.error());
  model.metadata = file->metadata;
  model.net = SpriteNet(*config);
  if (auto s = load_parameters(*model.net, *file); !s) return in("model.safetensors", s.error());
  model.net->eval();
  model.vocabulary = std::move(*vocabulary);
  return model;
}

Status save_model(const fs::path& dir, const SpriteNet& net, const studio::Vocabulary& vocabulary,
                  const std::map<std::string, std::string>& metadata, bool half) {
  studio::SafeTensors file;
  file.metadata = metadata;
  for (const auto& p : net->named_parameters()) add_tensor(file, p.key(), p.value(), half);
  SPARKY_TRY(write_file_atomic(dir / "config.json", net->config.json() + "\n"));
  SPARKY_TRY(write_file_atomic(dir / "vocabulary.json", vocabulary.json() + "\n"));
  return write_file_atomic(dir / "model.safetensors", to_bytes(file));
}

Status export_half(const fs::path& from, const fs::path& to) {
  SPARKY_ASSIGN(auto model, load_model(from));
  return save_model(to, model.net, model.vocabulary, model.metadata, true);
}

}  // namespace sparky::sprite
