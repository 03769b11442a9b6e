// Gantt charts of a timeline: as text for a terminal, and as SVG.
#pragma once
#include <string>

#include "plan/timeline.h"

namespace sparky::plan {

struct GanttOptions {
  int width = 100;        // columns of the whole chart (text only)
  bool color = false;     // ANSI colours: critical rows stand out
  size_t rows_max = 200;  // of a larger plan, one row per orchestrator; of a larger still, the first so many
};

// A bar is solid while the workstream runs by the minimum estimates, light until it is finished by the maximum ones.
std::string gantt_text(const Timeline& timeline, const Plan& plan, GanttOptions options = {});
std::string gantt_svg(const Timeline& timeline, const Plan& plan, size_t rows_max = 500);

}  // namespace sparky::plan
