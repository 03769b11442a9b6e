// Spawn: the blueprint's spawning protocol, as changes to a run's plan. The plan remembers what was spawned, so that it
// is there again when its file is read anew.
#pragma once
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "plan/plan.h"
#include "wire/messages.h"

namespace sparky::conductor {

struct Spawned {
  plan::Plan plan;
  std::vector<std::string> notes;  // what a spec does not say, or says unreadably
};

// The plan with an orchestrator more, or, if it has it ("models" also means the plan's "model"), with its phase,
// dependencies and workstreams changed. Workstreams that the plan has are adopted, and what their former orchestrator's
// gates and dependencies demand goes on to hold for them; an orchestrator without workstreams goes. A workstream that
// the plan lacks is Errc::not_found.
Result<Spawned> spawn(plan::Plan plan, wire::SpawnOrchestrator request);

// The plan with a workstream given to an agent. One that the plan lacks is made from its spec; where no profile of an
// agent carries it out, its criteria wait for a person.
Result<Spawned> spawn(plan::Plan plan, wire::SpawnAgent request);

// The plan with what Sparky adds to the workstreams that agents carry out: a last criterion, that the work is merged,
// and, where the workstream says none, the retries of its agent's profile. The same again changes nothing.
plan::Plan with_merges(plan::Plan plan, const std::filesystem::path& project);

// What an orchestrator's agent proposed for a workstream, as a change of the plan; `change` is TOML as in a plan:
// split     each [[workstream]] is a new one beside it; what has not begun and waits for it waits for them too
// reorder   its depends_on, and that of each other one named, becomes what is said there
// estimate  the same of duration
// `begun` names what has begun. Errc::invalid: `change` cannot be read as that, and a person has to see to it;
// Errc::denied: it can, and must not be done, with the reason.
struct Change {
  std::string kind, workstream, change;
};
Result<Spawned> propose(plan::Plan plan, const Change& change, const std::set<std::string>& begun);

// A plan whose file was read anew, with all that was spawned into the run whose plan was `earlier`.
Result<plan::Plan> spawn_again(plan::Plan plan, const plan::Plan& earlier);

}  // namespace sparky::conductor
