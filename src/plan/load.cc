// Finds a plan on disk: a file, or a directory with plan.toml.
#include <fmt/format.h>

#include "base/files.h"
#include "plan/toml.h"

namespace sparky::plan {
namespace fs = std::filesystem;

Parsed load_plan(const fs::path& path, Limits limits) {
  std::error_code ec;
  auto file = path;
  if (fs::is_directory(path, ec)) {
    file = path / "plan.toml";
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
