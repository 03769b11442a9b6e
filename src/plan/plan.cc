#include "plan/plan.h"

namespace sparky::plan {

std::string_view name(Phase phase) {
  static constexpr std::string_view names[] = {"sequential", "parallel", "sequential-then-parallel", "mixed"};
  return names[size_t(phase)];
}

std::string_view name(Priority priority) {
  static constexpr std::string_view names[] = {"P0", "P1", "P2", "P3"};
  return names[size_t(priority)];
}

}  // namespace sparky::plan
