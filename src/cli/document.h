// Document: what the commands that write a measured JSON document (hardware, env, bench) have in common.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace sparky::telemetry {
struct Change;
}

namespace sparky::cli {

// Reads JSON from a file, or from stdin for "-", and checks it against the schema of that name and its own digest.
// The error names the file and lists every finding with its JSON pointer.
Result<Json> read_document(const std::filesystem::path& path, std::string_view schema_name);
// Writes text to the file (atomically, parents made), or to stdout for "-".
Status write_text(const std::filesystem::path& path, std::string_view text);
Status write_document(const std::filesystem::path& path, const Json& document);

// Fails if there is any change, naming each: `file` does not describe `this_thing` ("this machine").
Status refuse_changes(const std::string& file, const std::vector<telemetry::Change>& changes,
                      std::string_view this_thing, std::string help);
// Names every change on stderr; fails if one is for the worse.
Status report_regressions(const std::string& file, const std::vector<telemetry::Change>& changes);

}  // namespace sparky::cli
