#include "base/random.h"

#include <cmath>
#include <numbers>

namespace sparky {

double Random::normal() {
  double r = std::sqrt(-2 * std::log(1 - unit()));
  return r * std::cos(2 * std::numbers::pi * unit());
}

}  // namespace sparky
