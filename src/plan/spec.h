// Specs: what Markdown documents say about workstreams, orchestrators and gates, field by field, before anybody
// decides which document to follow. The forms are the blueprint's and those found in the wild.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/markdown.h"
#include "plan/plan.h"

namespace sparky::plan {

// One statement of one document.
struct Said {
  std::string value;
  int line = 0;
};

struct SaidItem {
  std::string text;
  std::vector<std::string> paths;  // what looks like a path in it
  int line = 0;
};

// What one document says about one workstream. Field names: name, id, orchestrator, milestone, agent, priority,
// duration, depends_on.
struct WorkstreamSpec {
  std::string id;  // "WS-01"; empty: the document does not say
  int line = 0;
  std::map<std::string, Said, std::less<>> fields;
  std::vector<SaidItem> deliverables, criteria;
};

struct OrchestratorSpec {
  std::string name;  // the first heading
  int line = 0;
  std::map<std::string, Said, std::less<>> fields;  // milestone, workstreams, phase, depends_on
};

struct GateSpec {
  int number = 0;
  std::string name, from, to, when;  // "Gate 1: Foundation → Model/Interface", "Foundation", …, "End of Week 2"
  int line = 0;
  std::vector<SaidItem> criteria;
};

// `claude-flow spawn orchestrator NAME --workstreams … --phase … --depends-on …`, or `spawn agent TYPE --workstream …`.
struct SpawnLine {
  bool agent = false;
  std::string name;                                  // of the orchestrator, or the type of the agent
  std::map<std::string, Said, std::less<>> options;  // without the dashes
  int line = 0;
};

// "WS-7", "ws07-name" and "WS-07: Name" all give WS-07 (as written, if there is a written form; else with two digits).
std::string workstream_id(std::string_view text);

// The same for all ways of naming an orchestrator: "Foundation Orchestrator" and "foundation", "model" and "models".
std::string orchestrator_key(std::string_view name);
// Lower case, everything but letters, digits and _ turned into single dashes: an id out of a name.
std::string slug(std::string_view text);

WorkstreamSpec read_workstream(const std::vector<MarkdownLine>& lines);                  // the whole document is one
std::vector<WorkstreamSpec> read_workstream_sections(const std::vector<MarkdownLine>&);  // one per heading "WS-01: …"
std::vector<WorkstreamSpec> read_matrix(const std::vector<MarkdownLine>& lines);         // one per row of the table
OrchestratorSpec read_orchestrator(const std::vector<MarkdownLine>& lines);
std::vector<GateSpec> read_gates(const std::vector<MarkdownLine>& lines);
std::vector<SpawnLine> read_spawn_lines(const std::vector<MarkdownLine>& lines);

}  // namespace sparky::plan
