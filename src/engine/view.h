// View: the state in words that people and scripts ask for. Reads only; what is said here is all that a face needs.
#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "engine/state.h"

namespace sparky::engine {

// How a run stands now: what RunSettled said, or running.
Standing standing(const Run& run);
// Of what was selected: done (completed or skipped) over all, running work counted by its progress. 0 to 1.
double progress(const State& state, const Run& run);

// When the run will be done, from the estimates and from what earlier work took against its estimates: the longest of
// the remaining critical path and the remaining work over the slots. Nothing: no estimate, or nothing can go on.
struct Forecast {
  std::vector<std::optional<double>> finish;  // by node: milliseconds from now, were there slots enough
  std::optional<double> run_ms;               // of all that is selected
  std::vector<std::optional<double>> start;   // by node: when its work begins; 0 if it has begun
  // By node: it lies on the critical path, the longest chain of what determined the end so far and what will: a delay
  // there delays the run. What nobody has estimated counts as long as the others are on average.
  std::vector<bool> critical;
};
Forecast forecast(const State& state, const Run& run, Time now);  // O(n)
std::optional<Time> eta(const State& state, const Run& run, Time now);
std::optional<Time> eta(const State& state, const Run& run, NodeId node, Time now);

// Why a workstream or gate does not go on: the exact chain, from itself to what has to happen first. Each line one
// link; `target` is what it is about (an id), `action` what a person can do about it (may be empty).
struct Link {
  std::string target;
  std::string text;  // "WS-04 has been running for 5min (65 %): training"
  std::string action;
};
std::vector<Link> explain(const State& state, const Run& run, NodeId node, Time now);

// All that waits for a node, directly or not; workstreams and gates, in plan order.
std::vector<NodeId> downstream(const Run& run, NodeId node);

// {"run","state","orchestrators":[{"orchestrator","id","status","workstreams":{…},"blockers","decisions_needed",…}],
//  "gates":[…],…}: the status document (blueprint §9.3's object per orchestrator).
Json status(const State& state, const Run& run, Time now);
Json describe(const State& state, const Decision& decision);  // {"id":"D7","run","target","text","kind","options"…}
Json describe(const State& state, const Escalation& escalation);
Json describe(const State& state, const Job& job, Time now);  // {"id","kind","state","progress","eta_s",…}
Json describe(const State& state, const Worker& worker);
Json describe(const State& state, const Run& run, NodeId node, Time now);  // one workstream or gate, with its criteria

// Where the jobs that wait stand in the line, from 1, and in how many seconds each should be done, from what was
// measured here. O(n log n).
struct Place {
  size_t position = 0;
  std::optional<double> eta_s;  // nothing: never measured
};
using Line = std::map<JobId, Place>;
Line line(const State& state);

// Seconds that a job submitted now would take until it is done, from what was measured here; nothing: never measured.
std::optional<double> estimated_seconds(const State& state, const JobSpec& spec);

// An event in one line for a person: "WS-05 completed (2 verified, 1 untestable)". Empty: nothing worth a line.
std::string sentence(const State& after, const Event& event);

}  // namespace sparky::engine
