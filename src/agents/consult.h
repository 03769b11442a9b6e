// Consult: one turn of another agent than the one that does the work, a reviewer or an orchestrator's agent, in a clean
// checkout that nobody keeps. What it costs counts for the attempt that asks.
#pragma once
#include <optional>
#include <string>

#include "agents/advice.h"
#include "agents/repository.h"
#include "agents/talk.h"

namespace sparky::agents {

struct Asking {
  const Repository& repository;
  const Task& task;
  const Profile& profile;  // who is asked
  Budgets budgets;         // of the attempt
  std::string commit;      // checked out for it
};
// `monitor` is the attempt's: it is given the usage. Errc::io: it was stopped.
Result<std::string> consult(const Asking& asking, const std::string& prompt, Monitor& monitor);

// Asked a second time when the answer cannot be read. Errc::invalid: nor can that one.
Result<Proposal> ask_for_proposal(const Asking& asking, Monitor& monitor);

// A check of a gate has failed on `commit`: what the agent of the orchestrator it stands after (task.advisor) makes of
// it. Nothing: there is none, it was asked before, or it cannot be asked now, which it says on standard output.
std::optional<Proposal> advice_on_gate(const Repository& repository, const Task& task, const std::string& commit,
                                       const std::string& why);

}  // namespace sparky::agents
