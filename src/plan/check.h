// Check: what a plan means as a whole. Every problem is found at once; order.h's cycles are named here.
#pragma once
#include <filesystem>
#include <vector>

#include "base/diagnostic.h"
#include "plan/plan.h"

namespace sparky::plan {

class Source;
struct Graph;

struct CheckOptions {
  bool files = true;  // look at the disk: spec files, the root
};

// Unknown ids, duplicates, cycles, what nobody carries out or can decide, missing specs, deliverables outside the tree,
// groups of an unwieldy size. In the order of the source. `source` (may be null) gives positions within an entry.
std::vector<Diagnostic> check(const Plan& plan, const Source* source = nullptr, CheckOptions options = {});

// The cycles alone (one for each knot of nodes that wait for each other).
std::vector<Diagnostic> check_cycles(const Plan& plan, const Graph& graph);

// The directory that the plan's relative paths begin at: that of the plan file.
std::filesystem::path directory(const Plan& plan);
// Where `run` and `check` execute and deliverables lie.
std::filesystem::path root(const Plan& plan);

}  // namespace sparky::plan
