// Profile: how a type of agent is started, what it may do, and what it may cost. Profiles are data: the built-in ones
// (builtin.toml), then the plan's [agents.NAME], then those of sparky.toml, each saying only what differs; the
// machine's owner has the last word.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"
#include "base/error.h"
#include "base/time.h"

namespace sparky::agents {

enum class Protocol { command, acp };             // a program that does it and ends; the Agent Client Protocol
enum class Permission { allow, ask, deny };       // ask: it becomes a decision
enum class Sandbox { automatic, required, off };  // automatic: where bubblewrap can be had, and a word where not

// What an orchestrator's agent can propose: once more, several workstreams, other dependencies, another duration, a
// decision to be written down.
inline constexpr std::string_view proposal_kinds[] = {"retry", "split", "reorder", "estimate", "adr"};

// What may be used up; 0: no limit.
struct Budget {
  int64_t tokens = 0;
  double money = 0;  // US dollars
  Duration time{0};  // wall time in which an agent worked, added up
  int64_t retries = 0;
};

struct Profile {
  std::string name, description, preamble, model;
  std::string like;  // the profile whose fields it takes up
  Protocol protocol = Protocol::command;
  // The program and its arguments; {prompt} {spec} {workdir} {output} {model} are put in. Empty: cannot be started.
  std::vector<std::string> command;
  std::string setup;                       // shell command, run once in a fresh worktree
  std::map<std::string, std::string> env;  // set for it
  std::vector<std::string> secrets;        // names of variables of Sparky's environment that it gets
  std::vector<std::string> writable;       // paths outside the worktree that the sandbox lets it write; ~ is home
  // By the kind of a tool call (read, edit, delete, move, search, execute, think, fetch, switch_mode, other); `usual`
  // for the rest.
  std::vector<std::string> autonomy;  // proposal_kinds that need no person, of an orchestrator's agent
  std::map<std::string, Permission> permissions;
  Permission usual = Permission::allow;
  Sandbox sandbox = Sandbox::automatic;
  bool network = true;
  Budget budget;                     // of a workstream, over all its attempts
  Budget attempt;                    // of one attempt; its time is `time`
  Duration time{2 * 3'600'000};      // of one attempt
  Duration silence{15 * 60'000};     // neither a word nor CPU time for so long: stuck
  int repeats = 12;                  // the same tool call so often in a row: looping
  int retries = 2;                   // further attempts, where the workstream does not say
  int conflicts = 3;                 // times it is handed a merge conflict before a person is asked
  int64_t memory_mb = 0;             // of each of its processes (address space); 0: no limit
  int64_t processes = 0;             // of its user; 0: no limit
  int64_t cores = 0;                 // that it may run on; 0: all
  std::vector<std::string> sources;  // where its fields come from: "built-in", a file

  Permission permission(std::string_view kind) const;
};

// What lies where: a plan's tables as they were written, and a project's sparky.toml.
struct Profiles {
  std::map<std::string, Profile> all;
  std::vector<Diagnostic> problems;  // unknown fields (with the nearest), wrong types

  // Errc::not_found, with the nearest name.
  Result<Profile> find(std::string_view name) const;
};
std::string_view builtin_profiles();  // as TOML
// `plan_toml` is plan::Plan::agents_toml; `project` holds sparky.toml (it may be missing).
Profiles load_profiles(std::string_view plan_toml, const std::filesystem::path& project);

// Why a profile cannot be started here; nothing: it can. Looks only at what is installed.
std::optional<Error> cannot_start(const Profile& profile);

// Puts words into {prompt} {spec} {workdir} {output} {model}; other braces stay as they are.
std::vector<std::string> fill_in(const std::vector<std::string>& command,
                                 const std::map<std::string, std::string>& words);

// The program of that name in PATH.
std::optional<std::filesystem::path> find_in_path(std::string_view program);

}  // namespace sparky::agents
