// Environment: the software around a result (system, toolchain, packages, source state, variables), as one JSON
// document (schemas/environment.schema.json), enough to build the same place again; never a secret.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace sparky::telemetry {

// Takes about a second: every tool is asked for its version. Never fails; what could not be learnt is in /unknown.
Json read_environment(const std::filesystem::path& directory, const std::string& sparky_version);

// SHA-256 over what decides a result: not the time, the directory, the source state, nor where programs lie.
std::string environment_fingerprint(const Json& environment);
// What the fingerprint covers, as a flat map for compare() of telemetry/changes.h.
Json environment_properties(const Json& environment);
// How the recorded source state differs from the present one ("commit abc, now def"); empty if it does not.
std::string source_difference(const Json& was, const Json& now);
std::string environment_summary(const Json& environment);  // one line
std::string environment_text(const Json& environment);     // for a terminal

// May a variable of this name be recorded? An explicit list; names that speak of secrets never.
bool recordable_variable(std::string_view name);
// "https://user:token@host/x" → "https://host/x".
std::string without_credentials(std::string url);

}  // namespace sparky::telemetry
