// Finds a plan on disk: a file, or a directory with plan.toml or else the blueprint's documents.
#include <fmt/format.h>

#include "base/files.h"
#include "plan/import.h"
#include "plan/toml.h"

namespace sparky::plan {
namespace fs = std::filesystem;

namespace {

Parsed from_documents(const fs::path& directory, const fs::path& file) {
  Parsed out;
  auto imported = import_plan(directory, file);
  if (imported) {
    out.plan = std::move(imported->plan);
    out.problems = std::move(imported->report);
    out.readable = true;
  } else {
    out.problems.push_back({Severity::error, "", 0, 0, imported.error().message, imported.error().help});
  }
  return out;
}

}  // namespace

Parsed load_plan(const fs::path& path, Limits limits) {
  std::error_code ec;
  auto file = path;
  if (fs::is_directory(path, ec)) {
    file = path / "plan.toml";
    if (!fs::exists(file, ec) && has_documents(path)) return from_documents(path, file);
    if (!fs::exists(file, ec)) {
      Parsed failed;
      failed.problems.push_back(
          {Severity::error, path.string(), 0, 0, "the directory holds no plan.toml",
           "`sparky plan import DIR` makes one from Markdown documents; `sparky init` a new one"});
      return failed;
    }
  }
  auto text = read_file(file, limits.bytes);
  if (text) return parse_plan(*text, file.string(), limits);
  Parsed failed;
  failed.problems.push_back({Severity::error, "", 0, 0, text.error().message, text.error().help});
  return failed;
}

}  // namespace sparky::plan
