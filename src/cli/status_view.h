// How a run stands, for people: orchestrators, workstreams, gates, what needs a person. A pure function of the status
// document (wire's run_state), so that `status`, `run` and `watch` show the same.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/time.h"

namespace sparky::cli {

struct ViewStyle {
  bool color = false;
  bool unicode = true;
  int width = 100;  // columns; longer lines are cut
  int rows = 0;     // at most so many lines: what is done or waits gives way first; 0: no limit
};

// Lines with a final newline each.
std::string status_view(const Json& status, Time now, const ViewStyle& style);

// The part of text that fits into so many columns (wide characters count two), with … if it was cut. Escape sequences
// for colours (CSI … m) take no room.
std::string fitted(std::string_view text, int columns, bool unicode = true);

}  // namespace sparky::cli
