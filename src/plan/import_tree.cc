// Finds the blueprint's documents on disk, and gives their plan its place.
#include <fmt/format.h>

#include <algorithm>

#include "base/files.h"
#include "plan/import.h"
#include "plan/spec.h"

namespace sparky::plan {
namespace fs = std::filesystem;
namespace {

constexpr size_t max_document_bytes = 4u << 20;
constexpr size_t max_documents = 20'000;

// Names in a directory, sorted; empty if it cannot be read.
std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> out;
  std::error_code ec;
  for (fs::directory_iterator it(directory, ec), end; !ec && it != end && out.size() < max_documents; it.increment(ec))
    out.push_back(it->path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

bool is_plan(const fs::path& directory) {
  std::error_code ec;
  return fs::exists(directory / "meta-orchestrator.md", ec) || fs::exists(directory / "plan.toml", ec);
}

class Finder {
 public:
  explicit Finder(const fs::path& directory) : directory_(directory) {}

  void find() {
    // The order decides which of two documents of the same kind is read first.
    add("meta-orchestrator.md");
    add("workstream-plan.md");
    for (auto& name : names_in(directory_ / "orchestrators"))
      if (name.ends_with(".md")) add("orchestrators/" + name);
    for (auto& name : names_in(directory_ / "workstreams")) add_spec(name);
    for (auto& name : names_in(directory_))
      if (is_plan(directory_ / name)) report(Severity::note, name, "a plan of its own; it is left alone");
  }

  std::vector<Document> documents;
  std::vector<Diagnostic> found;

 private:
  void add_spec(const std::string& name) {
    if (workstream_id(name).empty()) return;  // template.md, start-here.md
    std::error_code ec;
    auto path = "workstreams/" + name;
    if (!fs::is_directory(directory_ / path, ec)) {
      if (name.ends_with(".md")) add(path);
      return;
    }
    if (is_plan(directory_ / path)) return report(Severity::note, path, "a plan of its own; it is left alone");
    if (fs::exists(fs::symlink_status(directory_ / path / "README.md", ec)))
      add(path + "/README.md");
    else
      report(Severity::warning, path, "the workstream's folder has no README.md, its spec");
  }

  void add(const std::string& path) {
    std::error_code ec;
    if (!fs::exists(fs::symlink_status(directory_ / path, ec))) return;
    auto text = read_file(directory_ / path, max_document_bytes);
    if (text)
      documents.push_back({path, std::move(*text)});
    else
      report(Severity::warning, path, text.error().message);
  }
  void report(Severity severity, const std::string& path, std::string message) {
    found.push_back({severity, (directory_ / path).string(), 0, 0, std::move(message), {}});
  }

  fs::path directory_;
};

// The project that the documents belong to: they stand in its docs/orchestration (the blueprint's place), or in it.
fs::path project_of(const fs::path& directory) {
  auto absolute = directory.lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  if (absolute.filename() == "orchestration" && absolute.parent_path().filename() == "docs")
    return absolute.parent_path().parent_path();
  return absolute;
}

}  // namespace

bool has_documents(const fs::path& directory) {
  std::error_code ec;
  return fs::exists(directory / "meta-orchestrator.md", ec) || fs::exists(directory / "workstream-plan.md", ec) ||
         fs::is_directory(directory / "workstreams", ec);
}

Result<Imported> import_plan(const fs::path& directory, const fs::path& file) {
  std::error_code ec;
  auto absolute = fs::absolute(directory, ec);
  if (!fs::is_directory(absolute, ec))
    return fail(Errc::not_found, fmt::format("{} is not a directory", directory.string()));
  Finder finder(directory);
  finder.find();
  if (finder.documents.empty()) {
    auto usual = directory / "docs" / "orchestration";
    return fail(Errc::not_found,
                fmt::format("{} holds none of meta-orchestrator.md, workstream-plan.md, orchestrators/*.md, "
                            "workstreams/ws*/README.md",
                            directory.string()),
                has_documents(usual) ? fmt::format("sparky plan import {}", usual.string()) : "");
  }
  auto imported = import_documents(finder.documents, directory.string());
  auto& plan = imported.plan;
  if (plan.workstreams.empty())
    return fail(Errc::not_found, fmt::format("no document in {} describes a workstream", directory.string()),
                "a workstream has a folder workstreams/ws01-name with a README.md, or a row in workstream-plan.md");
  auto project = project_of(absolute);
  auto from = fs::absolute(file, ec).parent_path();
  plan.name = project.filename().string();
  plan.root = project.lexically_relative(from).string();
  if (plan.root != ".")
    imported.report.push_back({Severity::note,
                               file.string(),
                               0,
                               0,
                               fmt::format("the plan's root is {}, the project of the documents", plan.root),
                               {}});
  for (auto& w : plan.workstreams)
    if (!w.spec.empty()) w.spec = (absolute / w.spec).lexically_normal().lexically_relative(from).string();
  plan.files[0] = file.string();
  imported.report.insert(imported.report.begin(), finder.found.begin(), finder.found.end());
  return imported;
}

}  // namespace sparky::plan
