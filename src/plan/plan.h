// Plan: what to do. The model of the document that a person writes: orchestrators, workstreams, gates, criteria.
// Parsers (toml.h, markdown.h) make it, check.h judges it, graph.h turns it into nodes and edges.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace sparky::plan {

// Where something stands in a source file. `file` is an index into Plan::files.
struct Where {
  uint32_t file = 0;
  uint32_t line = 0;  // from 1; 0: unknown
  uint32_t column = 0;
};

enum class Phase : uint8_t { sequential, parallel, sequential_then_parallel, mixed };
enum class Priority : uint8_t { p0, p1, p2, p3 };
enum class OnLost : uint8_t { retry, ask };

std::string_view name(Phase phase);        // "sequential-then-parallel", …
std::string_view name(Priority priority);  // "P0", …
std::optional<Phase> parse_phase(std::string_view name);
std::optional<Priority> parse_priority(std::string_view name);

// Ids name files, directories and arguments: letters, digits, - _ . only (ASCII), beginning with a letter or a digit,
// without "..". Says what is wrong with an id; empty: nothing.
constexpr size_t max_id_bytes = 100;
std::string bad_id(std::string_view id);

// An estimate in working days.
struct Days {
  double min = 0, max = 0;
  friend bool operator==(const Days&, const Days&) = default;
};

// When a gate should be open: a date, or the end of the N-th week of the plan.
struct Due {
  std::optional<std::chrono::sys_days> date;
  int week = 0;
};
std::optional<Due> parse_due(std::string_view text);  // "2026-03-31" or "week 6"

// Exactly one of a check (shell command that must exit 0) and manual (a person decides).
struct Criterion {
  std::string text;
  std::string check;
  std::vector<std::string> needs_facts;  // `requires`: facts of the machine, e.g. "gpu"
  std::optional<Duration> timeout;       // default: Plan::check_timeout
  bool manual = false;
  bool red_first = false;  // must fail on the base and pass on the branch
  Where where;
};

struct Retries {
  int max = 0;             // further attempts after the first
  Duration backoff{1000};  // before the first retry
  double factor = 2;       // each further wait is this much longer
  Duration backoff_max{3'600'000};
};

// Small fields stand together at the end: a plan may have a million of these.
struct Workstream {
  std::string id, name, orchestrator, milestone;
  std::vector<std::string> agents;  // profiles: the first does, the others review; empty: none
  std::optional<Days> duration;
  std::vector<std::string> depends_on;    // workstreams, orchestrators or gates
  std::string spec;                       // a Markdown file, relative to the plan file
  std::vector<std::string> deliverables;  // paths or globs below the root
  std::vector<Criterion> criteria;
  std::string run;  // shell command; empty: nothing runs (manual), or an agent does it
  std::map<std::string, std::string> env;
  std::optional<Duration> timeout;
  Retries retries;
  std::map<std::string, int> needs;  // against Plan::limits
  Priority priority = Priority::p2;
  OnLost on_lost = OnLost::retry;
  bool accept_exit_status = false;  // `accept = "exit-status"`
  Where where;
};

struct Orchestrator {
  std::string id, name;
  Phase phase = Phase::mixed;
  std::vector<std::string> milestones;
  std::vector<std::string> depends_on;
  int jobs = 0;       // at most so many of its workstreams at once; 0: no limit of its own
  std::string agent;  // profile of the agent that is asked on escalations; may be empty
  Where where;
};

struct Gate {
  std::string id, name;
  std::vector<std::string> after;   // workstreams, orchestrators, gates it waits for
  std::vector<std::string> before;  // what it holds back; perhaps nothing
  std::vector<Criterion> criteria;
  std::string due;  // YYYY-MM-DD, or "week N"; empty: none
  Where where;
};

struct Calendar {
  std::string start;  // YYYY-MM-DD
  double days_per_week = 5, hours_per_day = 8;
};

struct Plan {
  std::string name;
  std::string root = ".";          // relative to the plan file: where `run` and `check` execute
  bool untestable_passes = false;  // `untestable = "pass"`
  std::string notify;              // command run on escalation, decision and end
  std::optional<Duration> stall;   // no progress for so long is an escalation; default 24 h
  std::optional<Duration> check_timeout;
  int jobs = 0;                       // default for --jobs; 0: one per core
  std::map<std::string, int> limits;  // [limits]
  std::optional<Calendar> calendar;
  std::vector<Orchestrator> orchestrators;
  std::vector<Workstream> workstreams;  // in plan order
  std::vector<Gate> gates;
  std::string agents_toml;           // the [agents.*] tables as written; src/agents reads them
  std::vector<std::string> spawned;  // what was spawned into its run, in order: a request of the wire, or a proposal
  std::vector<std::string> files;    // sources; files[0] is the plan file
};

}  // namespace sparky::plan
