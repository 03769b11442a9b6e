// Glide: a share from 0 to 1 that is told in steps and shown moving. It goes from what is shown to what was told last
// in the time that lay between the last two tellings, so it is never ahead of what is known.
#pragma once
#include <algorithm>
#include <cmath>
#include <optional>

#include "base/time.h"

namespace sparky::tui {

class Glide {
 public:
  static constexpr double part_rounding = 1e-6;  // so near below a whole part counts as it
  Glide() = default;
  Glide(double value) : from_(value), to_(value) {}  // at rest there; negative: not known

  void tell(double value, Time now) {
    if (value == to_) return;
    bool anew = to_ < 0 || value < at(now);
    from_ = anew ? value : at(now);
    over_ = anew ? Duration(0) : std::clamp(now - told_, Duration(0), longest);
    to_ = value;
    told_ = now;
  }
  double told() const { return to_; }
  double at(Time now) const {
    if (now >= told_ + over_) return to_;
    return from_ + (to_ - from_) * double(std::max(Duration(0), now - told_).count()) / double(over_.count());
  }
  // When it is one of `steps` equal parts of the whole further, or has arrived; nothing: it is at rest.
  std::optional<Time> next(Time now, int steps) const {
    if (now >= told_ + over_) return std::nullopt;
    double part = (std::floor(at(now) * steps + part_rounding) + 1) / steps;
    double share = std::min(1.0, (part - from_) / (to_ - from_));
    return std::max(now + Duration(1), told_ + Duration(int64_t(std::ceil(share * double(over_.count()) - 1e-9))));
  }

 private:
  static constexpr Duration longest{1000};
  double from_ = -1, to_ = -1;
  Time told_{};
  Duration over_{0};
};

}  // namespace sparky::tui
