#include "plan/days.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

#include "base/text.h"

namespace sparky::plan {
namespace {

// Reads from the front of what is left; whoever fails leaves `rest` where it was.
struct Scanner {
  std::string_view rest;

  void blanks() { rest = rest.substr(std::min(rest.find_first_not_of(" \t"), rest.size())); }
  bool take(std::string_view word) {
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  }
  std::optional<double> number() {
    double value = 0;
    if (rest.empty() || rest[0] < '0' || rest[0] > '9') return std::nullopt;
    auto [end, err] = std::from_chars(rest.data(), rest.data() + rest.size(), value, std::chars_format::fixed);
    if (err != std::errc{} || !std::isfinite(value)) return std::nullopt;
    rest.remove_prefix(size_t(end - rest.data()));
    return value;
  }
  // How many working days the unit is worth.
  std::optional<double> unit(WorkingTime time) {
    size_t length = 0;
    while (length < rest.size() && ((rest[length] | 0x20) >= 'a' && (rest[length] | 0x20) <= 'z')) ++length;
    auto letters = lower(rest.substr(0, length));
    rest.remove_prefix(letters.size());
    if (letters == "d" || letters == "day" || letters == "days") return 1;
    if (letters == "w" || letters == "wk" || letters == "wks" || letters == "week" || letters == "weeks")
      return time.days_per_week;
    if (letters == "h" || letters == "hr" || letters == "hrs" || letters == "hour" || letters == "hours")
      return 1 / time.hours_per_day;
    return std::nullopt;
  }
  bool range() {
    for (auto dash : {"-", "–", "—", "to "})
      if (take(dash)) return true;
    return false;
  }
};

}  // namespace

Result<Days> parse_days(std::string_view text, WorkingTime time) {
  auto bad = [&](std::string_view why) {
    return fail(Errc::invalid, fmt::format("'{}' is not an estimate: {}", text, why),
                "write working days or a range of them: 5d, 3-4d, 1-2 weeks, 6h");
  };
  Scanner in{trim(text)};
  auto min = in.number();
  if (!min) return bad("it does not begin with a number");
  in.blanks();
  std::optional<double> max, min_unit, max_unit;
  auto after_number = in;
  if (!in.range()) {
    min_unit = in.unit(time);
    if (!min_unit) return bad(after_number.rest.empty() ? "the unit is missing" : "the unit is unknown");
    in.blanks();
  }
  if (min_unit ? in.range() : true) {
    in.blanks();
    max = in.number();
    if (!max) return bad("the end of the range is missing");
    in.blanks();
    auto missing = in.rest.empty();
    max_unit = in.unit(time);
    if (!max_unit) return bad(missing ? "the unit is missing" : "the unit is unknown");
    in.blanks();
  }
  if (!in.rest.empty()) return bad(fmt::format("'{}' is left over", in.rest));
  Days days;
  days.min = *min * (min_unit ? *min_unit : *max_unit);
  days.max = max ? *max * *max_unit : days.min;
  if (days.min > days.max) return bad("the range ends before it begins");
  if (days.max > max_days) return bad(fmt::format("more than {} days", max_days));
  return days;
}

std::string text(const Days& days) {
  if (days.min == days.max) return fmt::format("{}d", days.min);
  return fmt::format("{}-{}d", days.min, days.max);
}

std::string human(const Days& days) {
  auto shown = [](double d) { return fmt::format("{}", std::round(d * 100) / 100); };
  auto low = shown(days.min), high = shown(days.max);
  if (low == high) return fmt::format("{} {}", low, low == "1" ? "day" : "days");
  return fmt::format("{}–{} days", low, high);
}

}  // namespace sparky::plan
