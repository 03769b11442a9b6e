// Import: a plan out of the blueprint's Markdown documents. Documents in the wild disagree and leave things out: every
// statement that could not be read, and every disagreement with the side that was followed, is reported by file and
// line. Of several documents the nearest to the work is followed: a workstream's own README.md, then its section in
// workstream-plan.md, then the matrix there, then the orchestrators' documents and the spawn commands.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "plan/plan.h"

namespace sparky::plan {

struct Document {
  std::string path;  // relative to the imported directory: "workstreams/ws01-name/README.md"
  std::string text;
};

struct Imported {
  Plan plan;
  std::vector<Diagnostic> report;
};

// Pure: `directory` is how messages name the documents' place.
Imported import_documents(const std::vector<Document>& documents, const std::string& directory);

struct ImportedSpec {
  Workstream workstream;
  std::optional<Orchestrator> owner;  // an owner that the plan does not have yet
  std::vector<Diagnostic> report;
};
// One spec as the workstream `id` of a plan that it joins, where its owner and dependencies are looked up. `file` is
// how messages name it, and becomes its `spec`.
ImportedSpec import_spec(const std::string& text, const std::string& file, const std::string& id, const Plan& plan);

// Finds the documents of DIR: meta-orchestrator.md, workstream-plan.md, orchestrators/*.md, workstreams/ws*/README.md.
// A directory below that is a plan of its own is left alone. Spec paths and the root are relative to `file`, where the
// TOML is to be written. Errc::not_found if there is nothing to import.
Result<Imported> import_plan(const std::filesystem::path& directory, const std::filesystem::path& file);

bool has_documents(const std::filesystem::path& directory);

}  // namespace sparky::plan
