// Changes: how two flat maps of properties differ. Both a machine (identity) and its software (environment) are such
// maps: "memory.total_bytes" → 25276514304, "packages.gcc" → "4:12.2.0-3".
#pragma once
#include <string>
#include <vector>

#include "base/json.h"

namespace sparky::telemetry {

struct Change {
  std::string what;      // the property
  std::string was, now;  // "absent" and "gone" where one side lacks it
  bool worse = false;    // gone, smaller, or an older version; otherwise only different
};

// Sizes of memory may differ by 2 %: kernels keep different amounts for themselves.
std::vector<Change> compare(const Json& was, const Json& now);

}  // namespace sparky::telemetry
