#include "base/time.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>

namespace sparky {
using namespace std::chrono;

Time now() { return floor<milliseconds>(system_clock::now()); }

std::string iso(Time t) {
  auto day = floor<days>(t);
  year_month_day date{day};
  hh_mm_ss clock{t - day};
  int year = int(date.year());
  // Each event is told with its time, so the usual years are written by hand.
  bool usual = year >= 0 && year <= 9999;
  std::string text = usual ? "0000-00-00T00:00:00.000Z" : fmt::format("{:04}-00-00T00:00:00.000Z", year);
  size_t end = text.size();
  auto digits = [&](size_t from_end, int count, unsigned value) {
    for (size_t at = end - from_end + size_t(count); count-- > 0; value /= 10) text[--at] = char('0' + value % 10);
  };
  if (usual) digits(24, 4, unsigned(year));
  digits(19, 2, unsigned(date.month()));
  digits(16, 2, unsigned(date.day()));
  digits(13, 2, unsigned(clock.hours().count()));
  digits(10, 2, unsigned(clock.minutes().count()));
  digits(7, 2, unsigned(clock.seconds().count()));
  auto ms = unsigned(clock.subseconds().count());
  digits(4, 3, ms);
  if (ms == 0) text.erase(end - 5, 4);
  return text;
}

Result<Time> parse_iso(std::string_view text) {
  auto bad = [&] {
    return fail(Errc::invalid, fmt::format("'{}' is not a date", text), "write 2025-11-12 or 2025-11-12T14:30:00Z");
  };
  auto number = [&](size_t at, size_t length, int& out) {
    if (text.size() < at + length) return false;
    auto part = text.substr(at, length);
    auto [end, err] = std::from_chars(part.data(), part.data() + part.size(), out);
    return err == std::errc{} && end == part.data() + part.size() && part[0] != '-';
  };
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, ms = 0;
  if (!number(0, 4, y) || !number(5, 2, mo) || !number(8, 2, d) || text[4] != '-' || text[7] != '-') return bad();
  year_month_day date{year{y}, month(unsigned(mo)), day(unsigned(d))};
  if (!date.ok()) return bad();
  if (text.size() > 10) {
    if (!number(11, 2, h) || !number(14, 2, mi) || !number(17, 2, s) || text[10] != 'T' || text[13] != ':' ||
        text[16] != ':' || text.back() != 'Z' || h > 23 || mi > 59 || s > 60)
      return bad();
    if (text.size() == 24) {
      if (text[19] != '.' || !number(20, 3, ms)) return bad();
    } else if (text.size() != 20) {
      return bad();
    }
  }
  return Time{sys_days{date}} + hours(h) + minutes(mi) + seconds(s) + milliseconds(ms);
}

std::string human(Duration d) {
  int64_t ms = d.count();
  if (ms < 0) return "-" + human(-d);
  if (ms < 10'000) return fmt::format("{:.1f}s", double(ms) / 1000);
  int64_t s = ms / 1000;
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m {:02}s", s / 60, s % 60);
  if (s < 86'400) return fmt::format("{}h {:02}m", s / 3600, s / 60 % 60);
  return fmt::format("{}d {}h", s / 86'400, s / 3600 % 24);
}

Result<Duration> parse_duration(std::string_view text) {
  auto bad = [&] {
    return fail(Errc::invalid, fmt::format("'{}' is not a duration", text), "write 90s, 5m, 1h30m, 250ms or 2d");
  };
  constexpr double limit_ms = 1e15;  // some 30,000 years: far below overflow
  double total = 0;
  std::string_view rest = text;
  if (rest.empty()) return bad();
  while (!rest.empty()) {
    double value = 0;
    auto [end, err] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (err != std::errc{} || !(value >= 0) || value > limit_ms) return bad();
    rest.remove_prefix(size_t(end - rest.data()));
    size_t unit = 0;
    while (unit < rest.size() && rest[unit] >= 'a' && rest[unit] <= 'z') ++unit;
    auto name = rest.substr(0, unit);
    double scale = name == "ms"                   ? 1
                   : name == "s"                  ? 1e3
                   : name == "m" || name == "min" ? 60e3
                   : name == "h"                  ? 3600e3
                   : name == "d"                  ? 86400e3
                   : name.empty() && rest.empty() ? 1e3
                                                  : 0;
    if (scale == 0) return bad();
    total += value * scale;
    rest.remove_prefix(unit);
  }
  if (total > limit_ms) return bad();
  return Duration(int64_t(total + 0.5));
}

}  // namespace sparky
