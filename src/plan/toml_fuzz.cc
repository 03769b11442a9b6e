// Any bytes as a plan file: reading, checking, timing and writing must end, and what was written must read back.
#include <cstdlib>

#include "plan/check.h"
#include "plan/graph.h"
#include "plan/plan_json.h"
#include "plan/timeline.h"
#include "plan/toml.h"
#include "plan/tree.h"

#include <nlohmann/json.hpp>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sparky;
  auto parsed = plan::parse_plan({reinterpret_cast<const char*>(data), size}, "fuzz.toml", {.bytes = 1 << 16});
  if (!parsed.readable) {
    if (parsed.problems.empty()) std::abort();  // whatever cannot be read is explained
    return 0;
  }
  plan::check(parsed.plan, parsed.source.get(), {.files = false});
  auto graph = plan::build_graph(parsed.plan);
  plan::check_cycles(parsed.plan, graph);
  plan::tree(parsed.plan);
  if (graph.cycle.empty()) plan::make_timeline(parsed.plan, graph, int(size % 4));
  if (!parsed.problems.empty()) return 0;
  auto again = plan::parse_plan(plan::to_toml(parsed.plan), "again.toml");
  if (!again.problems.empty() || plan::to_json(again.plan)["workstreams"] != plan::to_json(parsed.plan)["workstreams"])
    std::abort();
  auto decoded = plan::plan_from_json(plan::to_json(parsed.plan));
  if (!decoded || plan::to_json(*decoded) != plan::to_json(parsed.plan)) std::abort();
  return 0;
}
