// Templates: the trees that `sparky init` writes. They lie in templates/ of the source, a folder each, and are built
// into the program (src/plan/CMakeLists.txt), so that it needs nothing beside it.
#pragma once
#include <filesystem>
#include <span>
#include <string_view>

#include "base/error.h"

namespace sparky::plan {

struct TemplateFile {
  std::string_view path, text;  // {{name}} in a plan.toml stands for the project's name
};

struct Template {
  std::string_view name, about;
  std::span<const TemplateFile> files;
};

std::span<const Template> templates();

// Writes the tree; Errc::exists, and nothing written, if one of its files is there and `overwrite` is false.
Status write_template(const Template& which, const std::filesystem::path& directory, bool overwrite = false);

}  // namespace sparky::plan
