// Health: how an agent is, judged without a model from what can be seen of it. A silent agent whose processes work is
// working (it may be compiling); one that neither speaks nor works is stuck; one that does the same thing again and
// again is looping.
#pragma once
#include <string>

#include "agents/profile.h"

namespace sparky::agents {

enum class Health { working, waiting, stuck, looping, gone };
std::string_view name(Health health);

// Ages in milliseconds, by a clock that does not jump.
struct Signals {
  bool alive = true;       // its process
  bool asks = false;       // it has asked for a person and cannot go on
  int64_t word_age = 0;    // since its last message or output
  int64_t cpu_age = 0;     // since its processes last used CPU time worth mentioning
  int64_t files_age = -1;  // since a file of its worktree changed; -1: not looked at
  int repeats = 0;         // the same tool call in a row
  std::string repeated;    // which
};

struct Diagnosis {
  Health health = Health::working;
  std::string evidence;  // one sentence
};
Diagnosis diagnose(const Signals& seen, const Profile& profile);

}  // namespace sparky::agents
