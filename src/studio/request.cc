#include "studio/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace sparky::studio {

RequestFields::RequestFields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object.is_object()) {
    const std::string name = where_.empty() ? "the request" : where_.substr(0, where_.size() - 1);
    status_ = fail(Errc::invalid, name + " must be an object of fields");
  }
}

const Json* RequestFields::find(std::string_view name) {
  known_.emplace_back(name);
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void RequestFields::refuse(std::string_view name, const std::string& what_is_right) {
  if (status_) status_ = fail(Errc::invalid, fmt::format("field '{}{}' must be {}", where_, name, what_is_right));
}

void RequestFields::need(std::string_view name) {
  if (status_ && find(name) == nullptr) {
    status_ = fail(Errc::invalid, fmt::format("field '{}{}' is missing", where_, name));
  }
}

void RequestFields::take(std::string_view name, bool& into) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_boolean()) return refuse(name, "true or false");
  into = value->get<bool>();
}

void RequestFields::take(std::string_view name, std::string& into) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_string()) return refuse(name, "a string");
  into = value->get<std::string>();
}

void RequestFields::take(std::string_view name, std::vector<std::string>& into) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (value->is_string()) {
    into = {value->get<std::string>()};
    return;
  }
  const bool strings = value->is_array() && std::ranges::all_of(*value, [](const Json& v) { return v.is_string(); });
  if (!strings) return refuse(name, "a list of strings");
  into = value->get<std::vector<std::string>>();
}

void RequestFields::take(std::string_view name, uint64_t& into) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_number_unsigned()) return refuse(name, "a whole number, 0 or more");
  into = value->get<uint64_t>();
}

void RequestFields::take(std::string_view name, int& into, int lowest, int highest) {
  const Json* value = find(name);
  if (value == nullptr) return;
  // Compared as JSON, so that no large number wraps around.
  if (!value->is_number_integer() || *value < lowest || *value > highest) {
    const bool any = lowest == INT_MIN && highest == INT_MAX;
    return refuse(name, any ? "a whole number" : fmt::format("a whole number from {} to {}", lowest, highest));
  }
  into = value->get<int>();
}

void RequestFields::take(std::string_view name, double& into, double lowest, double highest) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_number() || !(*value >= lowest && *value <= highest)) {
    const bool any = lowest == -HUGE_VAL && highest == HUGE_VAL;
    return refuse(name, any ? "a number" : fmt::format("a number from {} to {}", lowest, highest));
  }
  into = value->get<double>();
}

void RequestFields::take(std::string_view name, float& into, double lowest, double highest) {
  double wide = into;
  take(name, wide, lowest, highest);
  into = float(wide);
}

void RequestFields::take_size(std::string_view name, int& width, int& height) {
  const Json* value = find(name);
  if (value == nullptr) return;
  const auto good = [](const Json& v) { return v.is_number_integer() && v >= 1 && v <= 16384; };
  if (good(*value)) {
    width = height = value->get<int>();
  } else if (value->is_array() && value->size() == 2 && good((*value)[0]) && good((*value)[1])) {
    width = (*value)[0].get<int>(), height = (*value)[1].get<int>();
  } else {
    refuse(name, "[width, height], each from 1 to 16384");
  }
}

const Json* RequestFields::take_list(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr || value->is_array()) return value;
  refuse(name, "a list");
  return nullptr;
}

void RequestFields::take_file_name(std::string_view name, std::string& into,
                                   std::initializer_list<std::string_view> suffixes) {
  std::string given;
  take(name, given);
  if (find(name) == nullptr) return;
  if (!check_file_name(given)) return refuse(name, "a plain file name, without a directory");
  const std::string suffix = lower(std::filesystem::path(given).extension().string());
  if (suffixes.size() != 0 && std::ranges::find(suffixes, suffix) == suffixes.end()) {
    std::string right;
    for (const std::string_view s : suffixes) right += (right.empty() ? "" : ", ") + std::string(s);
    return refuse(name, "a file name that ends in " + right);
  }
  into = given;
}

Status RequestFields::end() {
  if (!status_ || !object_.is_object()) return status_;
  for (const auto& [key, value] : object_.items()) {
    if (std::ranges::find(known_, key) != known_.end()) continue;
    const auto meant = nearest(key, known_);
    return fail(Errc::invalid, fmt::format("unknown field '{}{}'", where_, printable(key)),
                meant ? fmt::format("'{}' is near", *meant) : "the fields are " + join(known_, ", "));
  }
  return {};
}

Status check_file_name(std::string_view name) {
  const bool plain = !name.empty() && name.size() <= 200 && name.front() != '.' &&
                     name.find_first_of("/\\\n\t") == name.npos && printable(name) == name;
  if (plain) return {};
  return fail(Errc::invalid, fmt::format("'{}' is no plain file name", printable(name.substr(0, 200))),
              "name a file without a directory, not beginning with a dot");
}

}  // namespace sparky::studio
