// Days: estimates as people write them ("3-4d", "3 – 4 days", "1-2 weeks", "6h") in working days.
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"
#include "plan/plan.h"

namespace sparky::plan {

// What a day and a week are worth; from [calendar], or the usual.
struct WorkingTime {
  double days_per_week = 5, hours_per_day = 8;
};

constexpr double max_days = 100'000;  // some 380 years of work: anything longer is a typing error

// The whole text must be an estimate; a lone number gives min = max. Errc::invalid with what would be right.
Result<Days> parse_days(std::string_view text, WorkingTime time = {});
// Shortest form that parse_days reads back: "3-4d", "5d", "0.5d".
std::string text(const Days& days);
// For people: "33–41 days", "5 days", "1 day".
std::string human(const Days& days);

}  // namespace sparky::plan
