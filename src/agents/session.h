// Session: one attempt of an agent at a workstream, from its worktree to a candidate that can be checked. Run under the
// warden by `sparky agent-session`; it needs no daemon, and can be killed at any moment: the next attempt keeps what it
// finds under a ref before it goes on.
#pragma once
#include "agents/task.h"

namespace sparky::agents {

// The exit status: 0 there is a candidate (ref("candidate"), based on ref("base")); 75 a person has to decide first, 76
// for all agents of the run; else failed. home()/outcome.json says it in words, home()/summary.md holds what the agent
// said last.
Result<int> run_session(const Task& task);

// What a person may do by hand: the workstream's worktree, made if it is not there. Errc::busy while a session has it.
Result<std::filesystem::path> open_worktree(const Task& task);

}  // namespace sparky::agents
