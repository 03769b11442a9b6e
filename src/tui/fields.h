// Fields of what the daemon says: each tolerates that one is missing or of another kind. Text comes printable; raw()
// is as it came, for what is sent back.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"

namespace sparky::tui {

inline const Json& part(const Json& json, const char* field) {
  static const Json none;
  if (!json.is_object()) return none;
  auto it = json.find(field);
  return it == json.end() ? none : *it;
}
inline std::string raw(const Json& json, const char* field) {
  auto& value = part(json, field);
  return value.is_string() ? value.get<std::string>() : "";
}
inline std::string str(const Json& json, const char* field) { return printable(raw(json, field)); }
inline double num(const Json& json, const char* field, double initial = 0) {
  auto& value = part(json, field);
  return value.is_number() ? value.get<double>() : initial;
}
inline bool flag(const Json& json, const char* field) {
  auto& value = part(json, field);
  return value.is_boolean() && value.get<bool>();
}
inline Time time(const Json& json, const char* field) { return parse_iso(str(json, field)).value_or(Time{}); }
inline std::vector<std::string> strings(const Json& json) {
  std::vector<std::string> out;
  if (json.is_array())
    for (auto& item : json)
      if (item.is_string()) out.push_back(printable(item.get<std::string>()));
  return out;
}

}  // namespace sparky::tui
