// Violation: an invariant that does not hold. Thrown by whoever sees it, printed with the seed.
#pragma once
#include <string>

namespace sparky::engine::sim {

struct Violation {
  std::string what;
};

}  // namespace sparky::engine::sim
