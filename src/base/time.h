// Time as Sparky keeps it: whole milliseconds since 1970 UTC, handed in from outside.
#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sparky {

using Duration = std::chrono::milliseconds;
using Time = std::chrono::sys_time<Duration>;

Time now();                                     // the wall clock; never called in engine/ or plan/
std::string iso(Time t);                        // 2025-11-12T14:30:00Z (milliseconds only if not 0)
Result<Time> parse_iso(std::string_view text);  // what iso() writes, or YYYY-MM-DD
std::string human(Duration d);                  // 0.4s, 12s, 3m 20s, 2h 05m, 3d 4h
// "90s", "1h30m", "250ms", "2d" (24 h each), or a plain number of seconds.
Result<Duration> parse_duration(std::string_view text);

}  // namespace sparky
