// Usage: what agents use up, read from what they print, kept per workstream, and held against the budgets. An amount
// that an agent does not tell is unknown, and counts as nothing; `sparky agents cost` says so.
#pragma once
#include <algorithm>
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
  bool known = false;  // the agent told these
  Duration time{0};    // how long it worked

  Usage& operator+=(const Usage& other);
  std::string text() const;  // "31k tokens, $0.41"
};

// Reads the output of command-line agents as it comes: Claude Code's stream-json (`result`), Codex's --json
// (`turn.completed`), Gemini's json (`stats`).
class UsageReader {
 public:
  void feed(std::string_view bytes);
  Usage total() const;                   // of what has come so far
  bool ended() const { return ended_; }  // it has told what its turn cost: it is about to end by itself
  std::string last_text() const;         // what it said last: a result, a message, else the end of its output

 private:
  void take(std::string_view line);
  std::string line_, all_, said_;
  Usage total_;
  bool ended_ = false;
};
Usage usage_of_gemini(const Json& document);

// home()/usage.json: each attempt's usage, so that they add up.
struct Ledger {
  std::string id, orchestrator;
  std::map<std::string, Usage> attempts;
  int tries = 0;  // of its work, the present one among them
  Usage total() const;
  int64_t retries() const { return std::max(0, tries - 1); }
};
Ledger read_ledger(const std::filesystem::path& project, uint32_t run, std::string_view id);
Status write_usage(const Task& task, const Usage& usage);  // of this attempt; replaces what it had
std::vector<Ledger> read_ledgers(const std::filesystem::path& project, uint32_t run);

// What a run, an orchestrator, a workstream and an attempt may use up.
struct Budgets {
  Budget run, orchestrator, workstream, attempt;
};
Budgets budgets_of(const std::filesystem::path& project, const Profile& profile);
// Whose budget: "run", "orchestrator game", "workstream WS-05", "attempt".
struct Spent {
  double share = 0;  // of the budget that is nearest to its end
  std::string scope;
  std::string text;  // "WS-05 has used $1.71 of $2.00"
  bool for_all() const { return scope == "run" || scope.starts_with("orchestrator "); }
};
// What the agents of a run have used, and the budgets that persons let go on, by scope, and how often.
struct Books {
  std::vector<Ledger> ledgers;
  std::map<std::string, int> grants;
};
// `now` is what this attempt has used so far. A budget that a person granted again is that much larger.
Spent spent(const Books& books, const Task& task, const Usage& now, const Budgets& budgets);
Spent spent(const Task& task, const Usage& now, const Budgets& budgets);  // by the books as they are written down

std::map<std::string, int> read_grants(const std::filesystem::path& project, uint32_t run);  // run-N/granted.json
// At least `times`: whoever asked for the same is answered by the same yes. An attempt's is never granted: the next
// attempt has its own.
void grant(std::map<std::string, int>& grants, const std::string& scope, int times);
Status grant(const Task& task, const std::string& scope, int times);

}  // namespace sparky::agents
