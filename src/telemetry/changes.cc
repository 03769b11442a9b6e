#include "telemetry/changes.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "telemetry/host.h"

namespace sparky::telemetry {
namespace {

std::string show(const Json& value) { return value.is_string() ? value.get<std::string>() : json_text(value); }

bool is_memory_size(std::string_view key) { return key.starts_with("memory.") || key.ends_with(".memory_bytes"); }

bool is_version(std::string_view key) {
  return key.ends_with(".driver") || key.ends_with(".cuda") || key.ends_with(".version") ||
         key.starts_with("packages.") || key.starts_with("python_packages.") || key.starts_with("toolchain.");
}

}  // namespace

std::vector<Change> compare(const Json& was, const Json& now) {
  std::set<std::string> keys;
  for (const auto& [key, value] : was.items()) keys.insert(key);
  for (const auto& [key, value] : now.items()) keys.insert(key);
  std::vector<Change> out;
  for (const auto& key : keys) {
    Json a = was.value(key, Json()), b = now.value(key, Json());
    if (a == b) continue;
    if (b.is_null()) {
      out.push_back({key, show(a), "gone", true});
    } else if (a.is_null()) {
      out.push_back({key, "absent", show(b), false});
    } else if (a.is_number() && b.is_number()) {
      double x = a.get<double>(), y = b.get<double>();
      if (is_memory_size(key) && std::abs(x - y) <= 0.02 * x) continue;
      out.push_back({key, show(a), show(b), y < x});
    } else {
      out.push_back({key, show(a), show(b), is_version(key) && natural_less(show(b), show(a))});
    }
  }
  return out;
}

}  // namespace sparky::telemetry
