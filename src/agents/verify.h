// Verify: what a change looks like from outside, before anybody believes it: are the deliverables there, and does it
// touch what it should not: tests that are gone or weaker, what a check runs, files that nobody declared.
#pragma once
#include <string>
#include <vector>

#include "agents/repository.h"
#include "plan/plan.h"

namespace sparky::agents {

struct Finding {
  bool serious = false;  // a person is asked before it is merged
  std::string path, text;
};

// `prefix` is the plan's root within the repository ("" or "plans/x/"): deliverables and checks are relative to it.
Result<std::vector<Finding>> findings(const Repository& repository, const std::string& base, const std::string& commit,
                                      const plan::Workstream& workstream, const std::string& prefix);
// The pure part: `diff` as git prints it.
std::vector<Finding> findings_in(const std::vector<FileChange>& changes, const std::string& diff,
                                 const plan::Workstream& workstream, const std::string& prefix);

// Deliverables (paths or globs) that are not in the tree.
std::vector<std::string> missing_deliverables(const std::filesystem::path& root, const plan::Workstream& workstream);

bool is_test(std::string_view path);
bool matches(std::string_view deliverable, std::string_view path);  // a file, anything below a directory, or a glob

}  // namespace sparky::agents
