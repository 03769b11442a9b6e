// Prompt: what an agent is told, built from the plan, the spec and the repository; and what it answers in words that
// Sparky reads.
#pragma once
#include <optional>
#include <string>

#include "agents/profile.h"
#include "agents/task.h"

namespace sparky::agents {

// `tree` is the worktree (the repository's rules and the spec are read there, else beside the plan); `base` names what
// it stands on. On a retry home()/feedback.md and the task's note are in it.
std::string build_prompt(const Task& task, const Profile& profile, const std::filesystem::path& tree,
                         const std::string& target);
// For those who review: the diff of what the first agent did.
std::string build_review_prompt(const Task& task, const Profile& profile, const std::string& diff);

// A line of its own in what an agent says last: "BLOCKED: …" or "DECISION: …"; the workstream waits for a person then.
std::optional<std::string> asks_for_person(std::string_view said);
// The reviewer's last "VERDICT: approve" or "VERDICT: changes"; nothing: neither.
std::optional<bool> verdict_of(std::string_view said);
// "::progress 0.6 text" lines, which it may write anywhere.
struct Progress {
  double fraction = 0;
  std::string text;
};
std::optional<Progress> progress_of(std::string_view line);

// home()/feedback.md: what the next try has to know. Cleared when a session begins its work with it.
Status add_feedback(const Task& task, const std::string& text);

}  // namespace sparky::agents
