// Random: the same numbers from the same seed on every machine (SplitMix64; Steele, Lea, Flood 2014), unlike the
// distributions of the standard library.
#pragma once
#include <cstddef>
#include <cstdint>

namespace sparky::engine::sim {

struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  size_t below(size_t n) { return n == 0 ? 0 : size_t(next() % n); }
  bool percent(double p) { return double(next() % 1'000'000) < p * 10'000; }
  template <class Container>
  auto& pick(Container& c) {
    return c[below(c.size())];
  }
};

}  // namespace sparky::engine::sim
