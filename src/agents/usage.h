// Usage: what agents use up, read from what they print, kept per workstream, and held against the budgets. An amount
// that an agent does not tell is unknown, and counts as nothing; `sparky agents cost` says so.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agents/profile.h"
#include "agents/task.h"
#include "base/json.h"

namespace sparky::agents {

struct Usage {
  int64_t tokens = 0;
  double money = 0;    // US dollars
  bool known = false;  // the agent told it

  Usage& operator+=(const Usage& other);
  std::string text() const;  // "31k tokens, $0.41"
};

// Reads the output of command-line agents as it comes: Claude Code's stream-json (`result`), Codex's --json
// (`turn.completed`), Gemini's json (`stats`).
class UsageReader {
 public:
  void feed(std::string_view bytes);
  Usage total() const;            // of what has come so far
  std::string last_text() const;  // what it said last: a result, a message, else the end of its output

 private:
  void take(std::string_view line);
  std::string line_, all_, said_;
  Usage total_;
};
Usage usage_of_gemini(const Json& document);

// home()/usage.json: each attempt's usage, so that they add up.
struct Ledger {
  std::string id, orchestrator;
  std::map<std::string, Usage> attempts;
  Usage total() const;
};
Ledger read_ledger(const std::filesystem::path& project, uint32_t run, std::string_view id);
Status write_usage(const Task& task, const Usage& usage);  // of this attempt; replaces what it had
std::vector<Ledger> read_ledgers(const std::filesystem::path& project, uint32_t run);

// What a run, an orchestrator and a workstream may use up; 0: no limit.
struct Budgets {
  Budget run, orchestrator, workstream;
};
struct Spent {
  double share = 0;  // of the budget that is nearest to its end
  std::string text;  // "WS-05 has used $1.71 of $2.00"
};
// `now` is what this attempt has used so far. `grants` is how often a person let it go on: each time a budget more.
Spent spent(const Task& task, const Usage& now, const Budgets& budgets, int grants);

}  // namespace sparky::agents
