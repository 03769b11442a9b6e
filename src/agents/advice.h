// Advice: an orchestrator that is an agent itself (`agent = "lead"`) is asked when a workstream of its domain has used
// up its tries, and when the check of a gate after it has failed: what now? It answers with one proposal, which is a
// decision for a person unless its profile has autonomy for that kind. Nothing is asked, and nothing spent, before
// that.
#pragma once
#include <string>

#include "agents/profile.h"
#include "agents/task.h"

namespace sparky::agents {

struct Proposal {
  std::string kind;    // retry (with advice), split, reorder, estimate, adr
  std::string why;     // one or two sentences, for the person who decides
  std::string advice;  // for the agent that tries again
  std::string change;  // what is to stand in the plan, or the text of the record; empty for retry

  bool changes_plan() const { return kind == "split" || kind == "reorder" || kind == "estimate"; }
  std::string text(const Task& task) const;  // for the person who decides
  std::string for_agent() const;             // for the agent that tries again, when it is approved
  bool operator==(const Proposal&) const = default;
};

// The last JSON object in what it says. Errc::invalid names the field, and what would be right.
Result<Proposal> read_proposal(std::string_view said);
std::string build_advice_prompt(const Task& task, const Profile& profile);

// home()/proposal.json: what was proposed and perhaps not answered yet.
Status keep_proposal(const Task& task, const Proposal& proposal);
Result<Proposal> kept_proposal(const Task& task);  // not_found: nothing was proposed
void forget_proposal(const Task& task);

// The name of a new record in a directory of records: the next number, and its title (the first line of `text`).
// Errc::exists: this very text stands there already.
Result<std::string> record_path(const std::filesystem::path& directory, std::string_view text);

// This try is the one after all tries: the orchestrator's agent is to be asked first.
bool wants_advice(const Task& task);

}  // namespace sparky::agents
