// Random: a small generator whose numbers are the same on every platform (SplitMix64; Steele, Lea and Flood 2014).
// The standard's distributions differ between libraries, so the few that Sparky needs stand here.
#pragma once
#include <cstddef>
#include <cstdint>

namespace sparky {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  double unit() { return double(next() >> 11) * 0x1p-53; }  // [0, 1)
  bool chance(double p) { return unit() < p; }
  bool percent(double p) { return chance(p / 100); }
  size_t below(size_t n) { return size_t(unit() * double(n)); }  // 0 for n = 0
  bool one_in(size_t n) { return below(n) == 0; }
  template <class Container>
  auto& pick(Container& c) {  // one of its elements; it has some
    return c[below(c.size())];
  }
  double normal();  // mean 0, variance 1 (Box-Muller)
  uint64_t state() const { return state_; }
  void set_state(uint64_t s) { state_ = s; }

 private:
  uint64_t state_;
};

}  // namespace sparky
