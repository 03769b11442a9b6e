// Models: what there is to draw with. A folder with config.json and model.safetensors is a checkpoint; a .safetensors
// file in a models folder, or in its loras/, is a LoRA.
#pragma once
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"

namespace sparky::studio {

struct ModelFile {
  std::string name, type;      // type: checkpoint or lora
  std::filesystem::path path;  // of the folder, or of the LoRA's file
  std::filesystem::path weights;
  uint64_t size_bytes = 0;  // of the weights
  Time changed{};
};

// By name; of two with one name the one in the earlier folder.
std::vector<ModelFile> find_models(std::span<const std::filesystem::path> folders);

class ModelShelf {
 public:
  // {name, path, type, size_bytes, changed, sha256, card, words}. The hash is of the weights' file and computed once
  // for each state of it; the card is card.md or README.md of the folder, else its config.json or the LoRA's own
  // metadata; words are those that a checkpoint's vocabulary knows.
  Json describe(const ModelFile& model);

 private:
  struct Known {
    uint64_t size_bytes;
    Time changed;
    std::string sha256;
  };
  std::map<std::string, Known> known_;  // by path of the weights
};

}  // namespace sparky::studio
