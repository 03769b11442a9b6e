// Types: the small words that state, events and inputs of the engine share.
#pragma once
#include <cstdint>
#include <string_view>

#include "plan/graph.h"

namespace sparky::engine {

using plan::no_node;
using plan::NodeId;
using RunId = uint32_t;      // from 1; a later run has a larger one
using AttemptId = uint64_t;  // from 1; unique for all time within a project. 0: none
using JobId = uint64_t;      // from 1
using WorkerId = uint32_t;   // from 1
using DecisionId = uint32_t;
using EscalationId = uint32_t;

// Where a workstream or gate stands.
//   waiting ─► ready ─► running ─► checking ─► deciding ─► completed | failed
//                ▲ backoff ◄─┴─────────┴───────────┘            (gates: no running)
enum class Stage : uint8_t {
  waiting,    // for what it depends on (or it is not selected by --until / --only)
  ready,      // nothing holds it back but a free slot or a limit
  running,    // its attempt has been handed to an executor
  checking,   // its criteria are being checked, in order
  deciding,   // a person has to decide something; nothing of it runs
  backoff,    // its next attempt starts when NodeState::due has come
  completed,  // a gate: open
  skipped,    // by an operator; satisfies what depends on it
  failed,
  cancelled,
};
inline constexpr int stage_count = 10;
constexpr bool satisfies(Stage s) { return s == Stage::completed || s == Stage::skipped; }
constexpr bool is_final(Stage s) { return s >= Stage::completed; }

enum class Verdict : uint8_t { open, verified, failed, waived, untestable };

enum class Work : uint8_t { run, check, job };  // what an attempt carries out

// How an attempt ended. `recalled` and `not_started` never ran, and are told by AttemptRecalled instead.
enum class Outcome : uint8_t { exited, signalled, timed_out, cancelled, lost, spawn_failed };

enum class CancelReason : uint8_t { none, operator_asked, run_cancelled, timed_out };

// Why a run takes up no new work.
enum class Halt : uint8_t { none, paused, cancelled };

// What can be said of a run as a whole. All but `running` mean: nothing will happen until somebody acts.
enum class Standing : uint8_t {
  running,
  completed,  // all that was selected is done
  waiting,    // only decisions are left
  failed,     // something failed or was cancelled, and nothing else can go on
  paused,     // halted by an operator, and nothing runs any more
  cancelled,
};
// 0 completed (and of a running run), 1 failed, 3 waiting, 130 paused or cancelled.
int exit_code(Standing standing);

enum class DecisionKind : uint8_t {
  criterion,   // a manual criterion, or one that this machine cannot test
  acceptance,  // everything ran, but no criterion could be verified: is it done?
  lost,        // the attempt was lost with its warden and on_lost = "ask": approve runs it again, reject fails it
  held,        // an agent's session or merge asks before it goes on (engine/held.h)
};
enum class Answer : uint8_t { approve, reject, waive };

enum class EscalationKind : uint8_t {
  stall,     // an attempt has shown no progress for the stall time
  overrun,   // an attempt has taken more than 150 % of the estimate
  gate,      // a gate's criterion failed
  crashing,  // an attempt keeps ending without an exit of its own (signal, timeout, lost, not startable)
  failed,    // a workstream has failed for good
};
enum class Severity : uint8_t { info, warning, critical };

enum class JobState : uint8_t { queued, running, completed, failed, cancelled };
enum class JobPriority : uint8_t { urgent, high, normal, low };

// The words used on the wire, in JSON and on the screen ("waiting", "timed-out", …).
std::string_view name(Stage);
std::string_view name(Verdict);
std::string_view name(Work);
std::string_view name(Outcome);
std::string_view name(CancelReason);
std::string_view name(Halt);
std::string_view name(Standing);
std::string_view name(DecisionKind);
std::string_view name(Answer);
std::string_view name(EscalationKind);
std::string_view name(Severity);
std::string_view name(JobState);
std::string_view name(JobPriority);

}  // namespace sparky::engine
