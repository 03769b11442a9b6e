#include "telemetry/result.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/hash.h"
#include "base/process.h"
#include "base/text.h"
#include "base/time.h"
#include "telemetry/environment.h"
#include "telemetry/schema.h"

namespace sparky::telemetry {
namespace fs = std::filesystem;

namespace {

constexpr size_t file_bytes_max = size_t(4) << 30;

struct Digested {
  std::string sha256;
  uint64_t bytes = 0;
  bool operator==(const Digested&) const = default;
};
// What one run made: "stdout" and the files in $OUT ("file picture.ppm").
using Made = std::map<std::string, Digested>;

Result<Digested> digest(const fs::path& file) {
  SPARKY_ASSIGN(std::string text, read_file(file, file_bytes_max));
  return Digested{sha256_hex(text), text.size()};
}

Result<Made> run_once(const std::vector<std::string>& command, const fs::path& directory) {
  SPARKY_ASSIGN(auto out, TemporaryDirectory::make());
  SPARKY_ASSIGN(auto result, run_program(command, {.cwd = directory,
                                                   .env = {"OUT=" + out.path().string()},
                                                   .timeout = Duration{0},
                                                   .pass_errors = true}));
  if (result.code != 0)
    return fail(Errc::unavailable,
                fmt::format("the command ended with status {}: {}", result.code, join(command, " ")));
  Made made = {{"stdout", {sha256_hex(result.out), result.out.size()}}};
  std::error_code ec;
  for (fs::recursive_directory_iterator it(out.path(), ec), end; !ec && it != end; it.increment(ec))
    if (it->is_regular_file(ec)) {
      SPARKY_ASSIGN(made["file " + fs::relative(it->path(), out.path(), ec).generic_string()], digest(it->path()));
    }
  if (ec) return fail(Errc::io, fmt::format("cannot list what the command made: {}", ec.message()));
  return made;
}

std::string difference(const Made& was, const Made& now) {
  std::string out;
  for (const auto& [name, digested] : was) {
    auto found = now.find(name);
    if (found == now.end())
      out += fmt::format("\n  {}: is missing", name);
    else if (found->second != digested)
      out += fmt::format("\n  {}: was {} ({} bytes), is {} ({} bytes)", name, digested.sha256.substr(0, 16),
                         digested.bytes, found->second.sha256.substr(0, 16), found->second.bytes);
  }
  for (const auto& [name, digested] : now)
    if (!was.contains(name)) out += fmt::format("\n  {}: is new", name);
  return out;
}

}  // namespace

Result<Json> record_result(const RecordRequest& request, const Json& environment) {
  if (request.command.empty() || request.runs < 2)
    return fail(Errc::invalid, "a record needs a command and at least 2 runs",
                "sparky env record -o repro/result.json -- sh -c 'make-picture > $OUT/picture.ppm'");
  Json inputs = Json::array();
  for (const auto& input : request.inputs) {
    SPARKY_ASSIGN(auto digested, digest(request.directory / input));
    inputs.push_back({{"path", input.generic_string()}, {"sha256", digested.sha256}, {"bytes", digested.bytes}});
  }
  SPARKY_ASSIGN(Made made, run_once(request.command, request.directory));
  for (int run = 2; run <= request.runs; ++run) {
    SPARKY_ASSIGN(Made again, run_once(request.command, request.directory));
    if (auto differs = difference(made, again); !differs.empty())
      return fail(Errc::unavailable, fmt::format("run {} gave another result than run 1:{}", run, differs),
                  "remove what varies: times, random seeds, the order of files or threads");
  }
  Json outputs = Json::array();
  for (const auto& [name, digested] : made)
    if (name.starts_with("file "))
      outputs.push_back({{"path", name.substr(5)}, {"sha256", digested.sha256}, {"bytes", digested.bytes}});
  Json result = {{"schema", "sparky-result/1"},
                 {"captured_at", iso(now())},
                 {"command", request.command},
                 {"inputs", inputs},
                 {"outputs", outputs},
                 {"stdout_sha256", made["stdout"].sha256},
                 {"runs", request.runs},
                 {"environment_fingerprint", environment.at("fingerprint")},
                 {"environment_summary", environment_summary(environment)}};
  seal(result);
  return result;
}

Status replay_result(const Json& recorded, const fs::path& directory) {
  std::string wrong;
  for (const auto& input : recorded.at("inputs")) {
    auto path = input.at("path").get<std::string>();
    auto digested = digest(directory / path);
    if (!digested)
      wrong += fmt::format("\n  input {}: {}", path, digested.error().message);
    else if (digested->sha256 != input.at("sha256").get<std::string>())
      wrong += fmt::format("\n  input {}: is not the file that was recorded", path);
  }
  if (!wrong.empty())
    return fail(Errc::corrupt, "the inputs changed:" + wrong, "restore them, or record the result anew");

  SPARKY_ASSIGN(Made made, run_once(recorded.at("command").get<std::vector<std::string>>(), directory));
  Made was;
  for (const auto& output : recorded.at("outputs"))
    was["file " + output.at("path").get<std::string>()] = {output.at("sha256"), output.at("bytes")};
  was["stdout"] = {recorded.at("stdout_sha256"), made["stdout"].bytes};
  if (auto differs = difference(was, made); !differs.empty())
    return fail(Errc::corrupt, "the result was not reproduced:" + differs,
                "compare the environments: sparky env --compare FILE");
  return {};
}

}  // namespace sparky::telemetry
