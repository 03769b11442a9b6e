// Generator: a loaded model that draws. The studio's interface to the sprite model; libtorch stays behind it.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "pixel/picture.h"
#include "studio/sprite_request.h"

namespace sparky::sprite {

struct Step {
  int picture = 0, pictures = 1;  // from 0
  int step = 0, steps = 0;        // finished, of all for this picture
  double eta_seconds = 0;         // for the whole request
  const pixel::Picture* preview = nullptr;
};

struct Generated {
  std::vector<pixel::Picture> pictures;  // size × size, binary alpha, at most `colors` colours
  std::vector<uint64_t> seeds;
  std::vector<std::string> warnings;  // words the model does not know, words beyond its limit
  std::string model_hash;
  double seconds = 0;
};

class Generator {
 public:
  // Errc::not_found, invalid or corrupt, with the file and what is wrong.
  static Result<Generator> load(const std::filesystem::path& model_dir);
  Generator(Generator&&) noexcept;
  ~Generator();

  // Each picture is computed on its own, so that its bytes depend on model, prompt, seed and options alone.
  // `on_step` may return false: the request ends with Errc::cancelled.
  Result<Generated> generate(const studio::SpriteRequest& request, const std::function<bool(const Step&)>& on_step);

  std::string device() const;  // "cpu", "cuda"
  const std::string& hash() const;

 private:
  struct State;
  explicit Generator(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

std::string best_device();

}  // namespace sparky::sprite
