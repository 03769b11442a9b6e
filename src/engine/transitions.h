// Transitions: how a change of one node spreads through its run. Used by apply() and by what rebuilds a state; nobody
// else changes a node's stage.
#pragma once
#include "engine/state.h"

namespace sparky::engine {

// Moves a node to a stage, keeps the counts, and lets what waits for it become ready (or wait again).
void set_stage(State& state, Run& run, NodeId node, Stage stage);
// Puts a node in or out of the pool and the agenda, as its stage asks.
void place(State& state, Run& run, NodeId node);

// Makes everything that is derived in a run anew from what is not: graph order, inherited priorities, paths, selection,
// counters, classes, queues, timers. O(n).
void rebuild(State& state, Run& run);
// The same for the whole state, after decoding.
void rebuild(State& state);

void arm(State& state, Attempt& attempt);  // sets the attempt's timer by what it may still run into
void disarm(State& state, Attempt& attempt);

// The runnable order of jobs: submission time, moved back by how urgent it is, so that an old low job overtakes a new
// urgent one.
int64_t job_rank(JobPriority priority, Time submitted);
std::vector<JobId> line_of(const State& state);  // the jobs that wait, in the order in which they go
void enqueue(State& state, const Job& job);      // into its queue, or its backoff's timer; nothing if it is not ready
void dequeue(State& state, const Job& job);

bool is_automatic(plan::NodeKind kind);  // begin, end, barrier: passed as soon as nothing holds them back
Duration stall_after(const Run& run);
// When an attempt of this workstream has taken more than 150 % of its estimate; nothing: no estimate.
std::optional<Duration> overrun_after(const Run& run, NodeId node);
Duration working_day(const plan::Plan& plan);

}  // namespace sparky::engine
