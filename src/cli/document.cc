#include "cli/document.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "telemetry/changes.h"
#include "telemetry/schema.h"

namespace sparky::cli {
namespace {

constexpr size_t document_bytes_max = 64u << 20;

Result<std::string> read_stdin() {
  std::string text;
  char chunk[65536];
  while (size_t n = std::fread(chunk, 1, sizeof chunk, stdin)) {
    text.append(chunk, n);
    if (text.size() > document_bytes_max) return fail(Errc::invalid, "stdin: more than 64 MiB for one document");
  }
  return text;
}

std::string list(const std::vector<telemetry::Change>& changes) {
  std::string text;
  for (const auto& change : changes)
    text += printable(fmt::format("\n  {}: was {}, is {}{}", change.what, change.was, change.now,
                                  change.worse ? "  (regression)" : ""));
  return text;
}

}  // namespace

Result<Json> read_document(const std::filesystem::path& path, std::string_view schema_name) {
  bool from_stdin = path == "-";
  std::string name = from_stdin ? "stdin" : path.string();
  SPARKY_ASSIGN(std::string text, from_stdin ? read_stdin() : read_file(path, document_bytes_max));
  auto document = parse_json(text);
  if (!document)
    return fail(Errc::invalid, fmt::format("{}:{}", name, document.error().message), document.error().help);
  auto findings = telemetry::check_schema(*document, schema_name);
  if (findings.empty() && !telemetry::is_sealed(*document))
    return fail(Errc::corrupt, fmt::format("{}: /digest is not that of the content", name),
                "it was changed after it was recorded; record it anew");
  if (findings.empty()) return document;
  std::string message = fmt::format("{} is not a sparky {} document:", name, schema_name);
  size_t shown = 0;
  for (const auto& finding : findings) {
    if (++shown > 20) break;
    message += "\n  " + finding.text();
  }
  if (findings.size() > 20) message += fmt::format("\n  … and {} more", findings.size() - 20);
  return fail(Errc::corrupt, message, fmt::format("the schema is schemas/{}.schema.json", schema_name));
}

Status write_text(const std::filesystem::path& path, std::string_view text) {
  if (path != "-") return write_file_atomic(path, text);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    return fail(Errc::io, "cannot write to stdout");
  return {};
}

Status write_document(const std::filesystem::path& path, const Json& document) {
  return write_text(path, json_text(document, 2) + "\n");
}

Status refuse_changes(const std::string& file, const std::vector<telemetry::Change>& changes,
                      std::string_view this_thing, std::string help) {
  if (changes.empty()) return {};
  return fail(Errc::corrupt, fmt::format("{} does not describe {}:{}", file, this_thing, list(changes)),
              std::move(help));
}

Status report_regressions(const std::string& file, const std::vector<telemetry::Change>& changes) {
  if (!changes.empty()) fmt::print(stderr, "changes since {}:{}\n", file, list(changes));
  size_t worse = 0;
  for (const auto& change : changes) worse += change.worse;
  if (worse == 0) {
    fmt::print(stderr, "no regression since {}\n", file);
    return {};
  }
  return fail(Errc::corrupt, fmt::format("{} regression(s) since {}", worse, file));
}

}  // namespace sparky::cli
