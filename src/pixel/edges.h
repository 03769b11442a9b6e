// Edges: where along an axis a picture changes, and how well a comb of equidistant lines explains those places. The
// inner part of grid.cc.
#pragma once
#include <vector>

#include "pixel/planes.h"

namespace sparky::pixel {

// The places of edges along x: local maxima of the horizontal difference in each row, to a fraction of a pixel.
struct EdgeHistogram {
  static constexpr int kBinsPerPixel = 4;
  int length = 0;             // pixels
  std::vector<float> weight;  // by place: bin b lies at b / kBinsPerPixel pixels; sums to 1 if there is any edge
  double edges = 0;           // how many edges, each counted by its contrast, up to 1
  double sharpness = 0;       // share of the weight that lies exactly between two pixels
};
EdgeHistogram find_edges(const Planes& planes);

// A comb: lines at phase + k * period. Score: mean log-likelihood of an edge's place under "on a line or anywhere",
// over "anywhere", in nats; 0 means that the comb explains nothing.
struct Comb {
  double period = 0, phase = 0, score = -1e9;
  double spread = 0;  // sigma of the edges about their lines, pixels
  double strays = 0;  // share of edges on no line
  double error = 0;   // root mean square of what flat cells between the lines leave unexplained; set by the caller
};
// The best phase, spread and strays for this period.
Comb fit_comb(const EdgeHistogram& edges, double period);
// The comb at the local maximum about this one; its last line moves by less than a tenth of a pixel.
Comb refine_comb(const EdgeHistogram& edges, const Comb& comb);
// Refined combs of periods within [shortest, longest], best first, at most `most`.
std::vector<Comb> find_combs(const EdgeHistogram& edges, double shortest, double longest, size_t most);

}  // namespace sparky::pixel
