// Bytes from a damaged journal: an event or a state is refused or read; what was read is written the same way, and can
// be applied, described and looked at.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/codec.h"
#include "engine/engine.h"
#include "engine/view.h"
#include "plan/sample.h"

namespace {

using namespace sparky;
using namespace sparky::engine;

void require(bool holds) {
  if (!holds) std::abort();
}

const State& base() {
  static const State state = [] {
    Engine engine;
    Time now{Duration{1'700'000'000'000}};
    auto plan = plan::sample_plan(1, {.workstreams = 9, .per_orchestrator = 3});
    for (auto& w : plan.workstreams) w.run = "true";
    engine.decide(SetSlots{3, 1}, now);
    engine.decide(CreateRun{std::make_shared<plan::Plan>(plan), {}}, now);
    engine.decide(WorkerJoin{{.name = "w", .kinds = {"exec"}}, {}}, now);
    engine.decide(SubmitJob{{.id = "j", .kind = "exec"}}, now);
    return engine.state();
  }();
  return state;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto event = decode_event(bytes)) {
    auto again = decode_event(encode(*event));
    require(again && encode(*again) == encode(*event));
    to_json(*event);
    State state = base();
    apply(state, *event);
    sentence(state, *event);
    for (auto& [id, run] : state.runs) status(state, run, state.clock);
    encode(state);
  }
  if (auto state = decode_state(bytes)) {
    auto again = decode_state(encode(*state));
    require(again && encode(*again) == encode(*state));
    for (auto& [id, run] : state->runs) status(*state, run, state->clock);
  }
  return 0;
}
