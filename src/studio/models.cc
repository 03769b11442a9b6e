#include "studio/models.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"
#include "studio/vocabulary.h"

namespace sparky::studio {
namespace fs = std::filesystem;
namespace {

constexpr size_t card_max = 64 << 10;

void add(std::map<std::string, ModelFile>& found, ModelFile model) {
  struct stat info{};
  if (::stat(model.weights.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  model.size_bytes = uint64_t(info.st_size);
  model.changed = Time(Duration(int64_t(info.st_mtim.tv_sec) * 1000));
  found.try_emplace(model.name, std::move(model));
}

// Mapped, because a checkpoint may be larger than the memory.
std::string hash_of(const ModelFile& model) {
  Fd file(::open(model.weights.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0 || info.st_size == 0) return {};
  auto size = size_t(info.st_size);
  void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (bytes == MAP_FAILED) return {};
  auto digest = sha256_hex(std::string_view(static_cast<const char*>(bytes), size));
  ::munmap(bytes, size);
  return digest;
}

// __metadata__ of a safetensors file, without reading its weights.
std::string metadata_of(const fs::path& weights) {
  std::ifstream in(weights, std::ios::binary);
  unsigned char length[8] = {};
  in.read(reinterpret_cast<char*>(length), 8);
  uint64_t size = 0;
  for (int i = 7; i >= 0; --i) size = size << 8 | length[i];
  if (!in || size == 0 || size > (1u << 20)) return {};
  std::string header(size_t(size), '\0');
  in.read(header.data(), std::streamsize(size));
  auto json = parse_json(header);
  if (!in || !json || !json->is_object() || !json->contains("__metadata__")) return {};
  return json_text((*json)["__metadata__"], 1).substr(0, card_max);
}

std::string card_of(const ModelFile& model) {
  if (model.type == "lora") return metadata_of(model.weights);
  for (auto name : {"card.md", "README.md", "config.json"})
    if (auto text = read_file(model.path / name, card_max); text && !invalid_utf8(*text)) return *text;
  return {};
}

// The words that a model knows, for completion.
std::vector<std::string> words_of(const ModelFile& model) {
  auto text = model.type == "checkpoint" ? read_file(model.path / "vocabulary.json", 1 << 20) : Result<std::string>("");
  auto vocabulary = text ? Vocabulary::parse(*text) : Result<Vocabulary>(std::unexpected(text.error()));
  return vocabulary ? vocabulary->words() : std::vector<std::string>{};
}

}  // namespace

std::vector<ModelFile> find_models(std::span<const fs::path> folders) {
  std::map<std::string, ModelFile> found;
  for (auto& folder : folders) {
    std::error_code ec;
    for (auto& entry : fs::directory_iterator(folder, ec))
      if (fs::exists(entry.path() / "config.json", ec))
        add(found, {.name = entry.path().filename().string(),
                    .type = "checkpoint",
                    .path = fs::weakly_canonical(entry.path(), ec),
                    .weights = entry.path() / "model.safetensors"});
    for (auto& place : {folder, folder / "loras"})
      for (auto& entry : fs::directory_iterator(place, ec))
        if (entry.path().extension() == ".safetensors")
          add(found, {.name = entry.path().stem().string(),
                      .type = "lora",
                      .path = fs::weakly_canonical(entry.path(), ec),
                      .weights = entry.path()});
  }
  std::vector<ModelFile> out;
  for (auto& [name, model] : found) out.push_back(std::move(model));
  return out;
}

Json ModelShelf::describe(const ModelFile& model) {
  auto it = known_.find(model.weights.string());
  if (it == known_.end() || it->second.size_bytes != model.size_bytes || it->second.changed != model.changed)
    it = known_.insert_or_assign(model.weights.string(), Known{model.size_bytes, model.changed, hash_of(model)}).first;
  return {{"name", model.name},
          {"path", model.path.string()},
          {"type", model.type},
          {"size_bytes", model.size_bytes},
          {"changed", iso(model.changed)},
          {"sha256", it->second.sha256},
          {"card", card_of(model)},
          {"words", words_of(model)}};
}

}  // namespace sparky::studio
