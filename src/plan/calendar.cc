#include "plan/calendar.h"

#include <algorithm>
#include <cmath>

namespace sparky::plan {
using namespace std::chrono;

namespace {
// Sums of estimates such as 0.1 d must not reach into the next day by rounding.
constexpr double epsilon = 1e-9;
}  // namespace

WorkCalendar::WorkCalendar(const Calendar& calendar) : days_per_week_(std::clamp(int(calendar.days_per_week), 1, 7)) {
  auto parsed = parse_iso(calendar.start);
  sys_days start = parsed ? floor<days>(*parsed) : sys_days{};
  int64_t weekday_index = (weekday(start) - Monday).count();
  first_ = start - days(weekday_index);
  if (weekday_index >= days_per_week_)  // starts on a day off: the next Monday
    first_ += days(7);
  else
    skipped_ = weekday_index;
}

sys_days WorkCalendar::day(int64_t index) const {
  index += skipped_;
  return first_ + days(7 * (index / days_per_week_) + index % days_per_week_);
}

sys_days WorkCalendar::start_of(double offset) const { return day(int64_t(std::floor(offset + epsilon))); }
sys_days WorkCalendar::finish_of(double offset) const {
  return day(std::max<int64_t>(0, int64_t(std::ceil(offset - epsilon)) - 1));
}

std::string iso_date(sys_days day) { return iso(Time(day)).substr(0, 10); }

}  // namespace sparky::plan
