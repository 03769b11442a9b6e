// Hardware report: a hardware document as text for a terminal, as Markdown for docs/hardware.md, and its topology as
// an SVG drawing. Pure functions of the document: the same document gives the same bytes, so a check can compare.
#pragma once
#include <string>

#include "base/json.h"

namespace sparky::telemetry {

// The documents must have passed check_schema().
std::string hardware_text(const Json& hardware);
std::string hardware_markdown(const Json& hardware);
std::string topology_svg(const Json& hardware);

}  // namespace sparky::telemetry
