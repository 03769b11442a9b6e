// Result: a command, and the digests of all it made, recorded so that anyone can run it again and compare
// (schemas/result.schema.json). The command finds in $OUT an empty directory; what lies there at its end, and what it
// printed, is its result. Nothing of an earlier result is overwritten.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace sparky::telemetry {

struct RecordRequest {
  std::vector<std::string> command;
  std::vector<std::filesystem::path> inputs;  // files whose change would change the result; relative to the directory
  std::filesystem::path directory = ".";      // where the command runs
  int runs = 2;                               // at least 2: a result that differs between runs cannot be reproduced
};

// Runs the command `runs` times. Errors: invalid — no command, an input is missing; unavailable — the command failed,
// or its result differed (the message names what differed).
Result<Json> record_result(const RecordRequest& request, const Json& environment);

// Runs the recorded command once more and compares. Errors: corrupt — an input changed, an output is missing, new or
// different (each named); unavailable — the command failed.
Status replay_result(const Json& recorded, const std::filesystem::path& directory);

}  // namespace sparky::telemetry
