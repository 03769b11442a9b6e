// RequestFields: reads the fields of a JSON object that came from outside. The first error stays, so that a caller
// reads all fields one after another and asks once, at the end.
//
//   RequestFields fields(request);
//   fields.take("colors", colors, 1, 256);
//   fields.choose("method", method, {{"kmeans", Method::kmeans}, {"median-cut", Method::median_cut}});
//   SPARKY_TRY(fields.end());
#pragma once
#include <climits>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace sparky::studio {

class RequestFields {
 public:
  // `where` stands before the names in messages: "steps[2].". The object must outlive this.
  explicit RequestFields(const Json& object, std::string where = "");

  // A field that is not there leaves `into` as it is.
  void take(std::string_view name, bool& into);
  void take(std::string_view name, std::string& into);
  void take(std::string_view name, std::vector<std::string>& into);  // a lone string is a list of one
  void take(std::string_view name, uint64_t& into);
  void take(std::string_view name, int& into, int lowest = INT_MIN, int highest = INT_MAX);
  void take(std::string_view name, double& into, double lowest = -HUGE_VAL, double highest = HUGE_VAL);
  void take(std::string_view name, float& into, double lowest, double highest);
  void take_size(std::string_view name, int& width, int& height);  // [width, height] or one number for both
  const Json* take_list(std::string_view name);                    // null: not there
  // A plain file name: no directory, not hidden, one of the suffixes (lower case, with the dot; none: any).
  void take_file_name(std::string_view name, std::string& into, std::initializer_list<std::string_view> suffixes);
  template <class T>
  void choose(std::string_view name, T& into, std::initializer_list<std::pair<std::string_view, T>> choices) {
    std::string given, right;
    take(name, given);
    if (given.empty()) return;
    for (const auto& [word, value] : choices) {
      if (word == given) {
        into = value;
        return;
      }
      right += (right.empty() ? "" : ", ") + std::string(word);
    }
    refuse(name, "one of " + right);
  }
  void need(std::string_view name);  // an error if it is not there
  void refuse(std::string_view name, const std::string& what_is_right);
  Status end();  // the first error; else of the first field that nobody took

 private:
  const Json* find(std::string_view name);

  const Json& object_;
  std::string where_;
  std::vector<std::string> known_;
  Status status_;
};

// Errc::invalid unless it is a name that stays in its directory.
Status check_file_name(std::string_view name);

}  // namespace sparky::studio
