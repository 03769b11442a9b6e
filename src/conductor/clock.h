// The loop's clock: the time of day as it was at the start, carried on by a clock that nobody can set. Setting the time
// of day, in either direction, neither times anything out nor stalls it; the next start takes the time of day anew. It
// goes on while the machine sleeps.
#pragma once
#include <time.h>

#include "base/time.h"

namespace sparky::conductor {

class SteadyTime {
 public:
  explicit SteadyTime(Time time_of_day) : start_(time_of_day), since_(boot()) {}
  Time now() const { return start_ + (boot() - since_); }

 private:
  static Duration boot() {
    timespec t{};
    ::clock_gettime(CLOCK_BOOTTIME, &t);
    return std::chrono::floor<Duration>(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
  }
  Time start_;
  Duration since_;
};

}  // namespace sparky::conductor
