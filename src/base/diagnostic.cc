#include "base/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>

namespace sparky {

std::string Diagnostic::text() const {
  static constexpr const char* names[] = {"error", "warning", "note"};
  std::string out = file;
  if (line > 0) out += fmt::format(":{}", line);
  if (line > 0 && column > 0) out += fmt::format(":{}", column);
  if (!out.empty()) out += ": ";
  out += fmt::format("{}: {}", names[static_cast<int>(severity)], message);
  if (!help.empty()) out += "\n  help: " + help;
  return out;
}

bool has_errors(const std::vector<Diagnostic>& found) {
  return std::any_of(found.begin(), found.end(), [](auto& d) { return d.severity == Severity::error; });
}

}  // namespace sparky
