// The snap benchmark's cases: a true sprite, how it was degraded, and what came of it, all from a seed.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "pixel/degrade.h"
#include "pixel/picture.h"

namespace sparky::bench {

struct Case {
  std::string category, sprite;
  pixel::Degradation how;
  pixel::Picture truth, degraded;
};

// Which half of the sprites: one to tune on, one to report. A sprite's half follows from its path.
enum class Half { tuning, held_out };

const std::vector<std::string>& categories();
// Sprite paths under `dir` (mon/, item/, dngn/, …) of that half, sorted.
std::vector<std::filesystem::path> sprites_of(const std::filesystem::path& dir, Half half);
Result<Case> make_case(const std::filesystem::path& dir, const std::vector<std::filesystem::path>& sprites,
                       const std::string& category, uint64_t seed);

}  // namespace sparky::bench
