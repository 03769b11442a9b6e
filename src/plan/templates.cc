#include "plan/templates.h"

#include <fmt/format.h>

#include "base/files.h"
#include "plan/plan.h"

namespace sparky::plan {
namespace fs = std::filesystem;

Status write_template(const Template& which, const fs::path& directory, bool overwrite) {
  std::error_code ec;
  for (auto& file : which.files)
    if (auto path = directory / file.path; !overwrite && fs::exists(fs::symlink_status(path, ec)))
      return fail(Errc::exists, fmt::format("{} exists; nothing was written", path.string()),
                  "name an empty directory, or overwrite with --force");
  auto name = fs::absolute(directory, ec).lexically_normal().filename().string();
  if (name.empty()) name = fs::absolute(directory, ec).lexically_normal().parent_path().filename().string();
  // The name goes into TOML: whatever a directory may be called, an id is always a good string.
  if (!bad_id(name).empty()) name = "project";
  for (auto& file : which.files) {
    std::string text(file.text);
    if (fs::path(file.path).filename() == "plan.toml")
      for (size_t at; (at = text.find("{{name}}")) != text.npos;) text.replace(at, 8, name);
    unsigned mode = file.path.ends_with(".sh") ? 0755 : 0644;
    SPARKY_TRY(write_file_atomic(directory / file.path, text, {.sync = false, .overwrite = overwrite, .mode = mode}));
  }
  return sync_directory(directory);
}

}  // namespace sparky::plan
