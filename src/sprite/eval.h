// Evaluation of a model on the held-out split of its dataset, by judges that learn here and now.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/json.h"

namespace sparky::sprite {

struct EvalOptions {
  std::filesystem::path model, dataset;
  std::filesystem::path sheet;  // contact sheet of what was judged; empty: none
  int tiles = 128;              // held-out captions of tiles to draw
  int characters = 96;          // held-out captions of compositions to draw
  int steps = 20;
  double cfg = 3.0;
  uint64_t seed = 1;
};

// Every figure beside the same judge's figure on real held-out tiles. `say` gets a line about what goes on.
Result<Json> evaluate(const EvalOptions& options, const std::function<void(const std::string&)>& say);

}  // namespace sparky::sprite
