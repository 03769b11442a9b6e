// Task: what Sparky's own steps of an agent's workstream (session, check, merge) are told. The conductor writes it to
// .sparky/agents/run-N/ID/task.json before each attempt; the step runs under the warden, needs nobody else, and so
// outlives the daemon. Here too: where each thing of such a workstream lies.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "plan/plan.h"

namespace sparky::agents {

struct Task {
  std::filesystem::path project;  // holds .sparky/
  uint32_t run = 0;
  std::string plan;     // its name
  std::string attempt;  // the executor's name of the attempt
  int number = 1;       // which try of the work this is
  // A workstream, or (gate) the criteria of a gate, checked on what is merged.
  plan::Workstream workstream;
  bool gate = false;
  int criterion = -1;                                        // of a check: which, from 0
  std::filesystem::path root, plan_directory;                // absolute; deliverables lie below the root
  std::string agents_toml;                                   // plan::Plan::agents_toml
  Duration check_timeout{600'000};                           // where the criterion has none
  std::vector<std::pair<std::string, std::string>> depends;  // workstreams it depends on: id, name
  std::string advisor;                                       // profile of its orchestrator's agent; empty: none
  std::vector<std::string> facts;  // what this machine is or has, for a criterion's `requires`
  std::string approved_by;         // a person said: go on
  std::string note;                // what was said last: why it is tried again, what a person wrote

  std::filesystem::path home() const;            // .sparky/agents/run-1/WS-05: task, transcripts, usage, findings
  std::filesystem::path worktree() const;        // .sparky/worktrees/run-1/WS-05
  std::filesystem::path checkout() const;        // a clean checkout of the candidate, for its checks
  std::string branch() const;                    // ws/WS-05-name
  std::string ref(std::string_view what) const;  // refs/sparky/run-1/WS-05/attempt-12
};

// What the plan says of a workstream (by its place in the plan); the rest belongs to a run.
Task make_task(const std::filesystem::path& project, const plan::Plan& plan, const plan::Workstream& workstream);

// Exclusive among processes for as long as the Fd is open. Errc::busy (only without `wait`): somebody else has it.
Result<Fd> lock_file(const std::filesystem::path& file, bool wait);

std::filesystem::path task_file(const std::filesystem::path& project, uint32_t run, std::string_view id);
std::string encode(const Task& task);
Result<Task> decode_task(std::string_view text);
Result<Task> read_task(const std::filesystem::path& file);

// How the step of this attempt ended, in one line for a person ("2 commits, 31k tokens", "held: …"), in
// home()/outcome.json; the conductor puts it into the note of the attempt.
Status write_outcome(const Task& task, const std::string& text);
std::string outcome_of(const std::filesystem::path& project, uint32_t run, std::string_view id,
                       std::string_view attempt);  // empty: it left none

}  // namespace sparky::agents
