// NearestColor: which of some colours is nearest to a given one, for many given ones. OKLab is divided into small
// boxes; each remembers, from when it is first asked about, the few colours that can be nearest to a point in it. The
// answer is that of comparing with all of them: of equally near ones the first.
#pragma once
#include <cstdint>
#include <vector>

#include "pixel/color.h"

namespace sparky::pixel {

class NearestColor {
 public:
  explicit NearestColor(std::vector<OkLab> colors);  // 1 or more, at most 65536
  size_t of(OkLab color);

 private:
  size_t among_all(OkLab color) const;
  void fill(size_t box, OkLab middle);

  std::vector<OkLab> colors_;
  std::vector<std::vector<uint16_t>> boxes_;  // candidates in ascending order; empty: not asked about yet
};

}  // namespace sparky::pixel
