// Executor: where attempts run, behind one interface. The conductor's loop polls fd(), calls pump() when it is
// readable, and treats what comes back as inputs to the engine. Implementations: local (the warden, local.h), and
// later agent, slurm and studio. Nothing here blocks for longer than starting a process takes.
//
// The life of an attempt, as the conductor sees it:
//   start() ─► started ─► progress* ─► exited     the usual way
//   start() ─► recalled                           recall() or cancel() came before it was started: it never ran
//   start() ─► not_started                        the executor's process died before it was started: it never ran
// `exited`, `recalled` and `not_started` are final. `exited` is durable with the executor when it is told, and is told
// again after every reconnect until forget(). So: commit the exit to the journal, then forget it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "warden/attempt.h"

namespace sparky::executors {

using warden::AttemptSpec;
using warden::Ending;
using warden::Exit;
using warden::Stdio;

struct ExecutorEvent {
  enum class Kind : uint8_t {
    started,      // pid, at
    progress,     // fraction, text
    output,       // bytes: the size of spec.output so far (Stdio::talk)
    exited,       // exit
    recalled,     // it never ran, and will not
    not_started,  // it never ran; start() it again with the same id if it is still wanted
    too_late,     // answer to recall(): it has been started (a `started` or `exited` came or comes)
    reconciled,   // the answer to reconcile() is complete
    unavailable,  // text: the executor cannot work now and is trying again by itself; for status and escalation
    available,    // and now it works again
  };
  Kind kind{};
  std::string id;     // empty for the last three kinds
  bool known = true;  // false: reconcile() did not name this id (an older journal was put back?): report it
  int64_t pid = 0;
  Time at{};            // when it happened
  double fraction = 0;  // 0 to 1
  uint64_t bytes = 0;
  std::string text;
  Exit exit;
};

class Executor {
 public:
  virtual ~Executor() = default;

  // Readable when pump() has something to do (also its own timers and pending writes). The same fd for life.
  virtual int fd() const = 0;
  // Reads what has come and returns it in order; never blocks.
  virtual std::vector<ExecutorEvent> pump(Time now) = 0;
  // Sends what the calls below have gathered. Once at the end of the loop's act phase: a batch costs one sync.
  virtual void flush() = 0;

  // Hands an attempt over. It starts at once or, when all slots are taken, the instant one is free, in order of
  // hand-over. Idempotent by id: one that is known is told again (started, exited), not run again.
  virtual void start(AttemptSpec spec) = 0;
  // SIGTERM to the whole tree, SIGKILL after `grace`. Answer: exited (cancelled), or recalled if not yet started.
  virtual void cancel(const std::string& id, Duration grace) = 0;
  // Takes back what is not yet started. Answer: recalled or too_late.
  virtual void recall(const std::string& id) = 0;
  // The exits of these ids are in the journal: they need not be told again. Their ids must not be started again.
  virtual void forget(const std::vector<std::string>& ids) = 0;
  // Bytes for a Stdio::talk attempt's standard input; `end` closes it.
  virtual void input(const std::string& id, std::string bytes, bool end) = 0;
  // How many attempts run at once. Hand over some more than that, so that no slot waits for the loop.
  virtual void set_slots(unsigned slots) = 0;

  // After a start, once, before anything else: the ids that the journal holds as handed over and not ended. Each is
  // answered by started (it runs), exited (also lost), nothing (it waits for a slot) or not_started; then whatever the
  // executor holds beyond these (known = false); then reconciled.
  virtual void reconcile(const std::vector<std::string>& ids) = 0;
};

}  // namespace sparky::executors
