// Working days into dates: offset 0 is the morning of the first working day; the week begins on Monday.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "plan/plan.h"

namespace sparky::plan {

class WorkCalendar {
 public:
  explicit WorkCalendar(const Calendar& calendar);

  std::chrono::sys_days start_of(double offset) const;   // the day on which work that begins at the offset begins
  std::chrono::sys_days finish_of(double offset) const;  // the day in whose course the offset is reached
  int days_per_week() const { return days_per_week_; }

 private:
  std::chrono::sys_days day(int64_t index) const;  // the index-th working day
  std::chrono::sys_days first_;                    // the Monday of the first week
  int64_t skipped_ = 0;                            // working days of that week before the start
  int days_per_week_;
};

std::string iso_date(std::chrono::sys_days day);

}  // namespace sparky::plan
