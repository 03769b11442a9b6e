// Engine: when to do what. The one scheduler of runs and jobs, pure: no clock, thread, I/O, randomness or logging.
//
//   Engine engine(state);                            // State{} at first, then what the journal replays to
//   Decided d = engine.decide(input, now);          // what happens because of it; the engine's state has moved on
//   commit every d.events in one transaction         // a failed commit ends the process: memory ran ahead of disk
//   act on d.effects, answer d.reply, publish d.events
//
// Replay is apply() over all events. State and effects follow from events alone: `decide` reads the state, makes an
// event, applies it by the same apply(), and goes on until nothing more follows from the input. After a restart:
// replay, Engine::outstanding(), and reconcile that with what the executors know.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "engine/event.h"
#include "engine/input.h"
#include "engine/state.h"

namespace sparky::engine {

// --- effects: what the conductor does once the events are durable. All are safe to do twice.
struct StartAttempt {  // state().attempt(id) says what: a workstream's work, a check of it or of a gate, a job
  AttemptId attempt = 0;
};
struct CancelAttempt {  // kill it; ReportEnded or ReportRecalled follows
  AttemptId attempt = 0;
};
struct RecallAttempt {  // take it back unless it has started; ReportRecalled follows, or nothing
  AttemptId attempt = 0;
};
struct ChangeSlots {
  uint32_t slots = 1;
};
struct Notify {  // run the plan's `notify` command
  enum class What : uint8_t { escalation, decision, end } what = What::end;
  RunId run = 0;
  uint32_t id = 0;  // of the escalation or decision
};
using Effect = std::variant<StartAttempt, CancelAttempt, RecallAttempt, ChangeSlots, Notify>;

struct Decided {
  Result<Reply> reply = Reply{};
  std::vector<Event> events;
  std::vector<Effect> effects;
};

// Changes the state by one event. Total: an event that does not fit (unknown run, stale id) changes nothing but the
// clock. The only way a state changes.
void apply(State& state, const Event& event);
// What follows from an event; `after` is the state just after it.
void effects(const State& after, const Event& event, std::vector<Effect>& out);

class Engine {
 public:
  Engine() = default;
  explicit Engine(State state) : state_(std::move(state)) {}

  const State& state() const { return state_; }
  // `now` is the wall clock as it reads. The engine's own time never goes back: a clock that was set back makes it go
  // on from where it was.
  Decided decide(const Input& input, Time now);
  // When Tick should come, by the same clock as the last decide(); nothing: only when something else happens.
  std::optional<Time> next_wakeup() const;
  // After a restart: what was decided and perhaps not done. Starts for attempts not known to have started, cancels and
  // recalls that were not answered. Attempts that have started and that no executor knows are lost (ReportEnded).
  std::vector<Effect> outstanding() const;

 private:
  friend class Step;
  State state_;
  Duration skew_{0};  // engine time minus wall clock
};

}  // namespace sparky::engine
