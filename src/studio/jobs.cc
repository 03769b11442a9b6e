#include "studio/jobs.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/time.h"
#include "pixel/files.h"
#include "pixel/palette.h"
#include "pixel/palette_files.h"
#include "studio/file_work.h"
#include "studio/request.h"
#include "studio/steps.h"

namespace sparky::studio {
namespace fs = std::filesystem;
namespace {

constexpr int kInputsMax = 4096;

std::vector<fs::path> take_inputs(RequestFields& fields) {
  std::vector<std::string> given;
  fields.need("inputs");
  fields.take("inputs", given);
  if (given.empty() || given.size() > kInputsMax) {
    fields.refuse("inputs", fmt::format("a list of 1 to {} paths", kInputsMax));
  }
  return {given.begin(), given.end()};
}

Status check_cancelled(const JobCancelled& cancelled) {
  if (cancelled && cancelled()) return fail(Errc::cancelled, "cancelled");
  return {};
}

// One that is built in is known at once; a file is read when the work begins.
Status check_profile_name(const std::string& name) {
  if (!fs::path(name).has_extension()) SPARKY_TRY(pixel::find_profile(name));
  return {};
}

void tell(const JobProgress& progress, size_t step, size_t total) {
  if (progress) progress("post_processing", int64_t(step), int64_t(total));
}

// The names of files in the output directory, from the paths that they were written to.
Json names_of(const Json& paths) {
  Json out = Json::array();
  for (const Json& path : paths) out.push_back(fs::path(path.get<std::string>()).filename().string());
  return out;
}

// One picture out for each in.
Result<Json> convert_all(const std::vector<fs::path>& inputs, const fs::path& output, bool indexed,
                         const Operation& operation, const JobProgress& progress, const JobCancelled& cancelled) {
  SPARKY_ASSIGN(const std::vector<fs::path> outputs, outputs_in(output, inputs));
  for (const fs::path& path : outputs) SPARKY_TRY(check_file_name(path.filename().string()));
  Json files = Json::array(), pictures = Json::array();
  for (size_t i = 0; i < inputs.size(); ++i) {
    SPARKY_TRY(check_cancelled(cancelled));
    tell(progress, i, inputs.size());
    SPARKY_ASSIGN(Json facts, convert_picture(inputs[i], outputs[i], indexed, operation));
    facts.erase("note");
    facts["output"] = outputs[i].filename().string();
    files.push_back(facts["output"]);
    pictures.push_back(std::move(facts));
  }
  tell(progress, inputs.size(), inputs.size());
  return Json{{"files", std::move(files)}, {"pictures", std::move(pictures)}};
}

Result<Json> run_snap(const Json& request, const fs::path& output, const JobProgress& progress,
                      const JobCancelled& cancelled) {
  RequestFields fields(request);
  const auto inputs = take_inputs(fields);
  pixel::GridOptions options;
  bool indexed = false;
  fields.take_size("size", options.columns, options.rows);
  fields.take("hint", options.hint, 2, 4096);
  fields.take("indexed", indexed);
  SPARKY_TRY(fields.end());
  return convert_all(inputs, output, indexed, snap_operation(options), progress, cancelled);
}

Result<Json> run_clean(const Json& request, const fs::path& output, const JobProgress& progress,
                       const JobCancelled& cancelled) {
  RequestFields fields(request);
  const auto inputs = take_inputs(fields);
  bool indexed = false;
  fields.need("steps");
  const Json* steps = fields.take_list("steps");
  fields.take("indexed", indexed);
  SPARKY_TRY(fields.end());
  SPARKY_ASSIGN(const Operation operation, parse_steps(*steps));
  return convert_all(inputs, output, indexed, operation, progress, cancelled);
}

Result<Json> run_palette(const Json& request, const fs::path& output, const JobProgress& progress,
                         const JobCancelled& cancelled) {
  RequestFields fields(request);
  const auto inputs = take_inputs(fields);
  int colors = 16;
  auto method = pixel::Method::kmeans;
  std::string name = "palette.gpl";
  fields.take("colors", colors, 1, 256);
  fields.choose("method", method, {{"kmeans", pixel::Method::kmeans}, {"median-cut", pixel::Method::median_cut}});
  fields.take_file_name("output", name, {".gpl", ".hex", ".pal", ".act", ".ase", ".json", ".png"});
  if (inputs.size() != 1) fields.refuse("inputs", "one picture");
  SPARKY_TRY(fields.end());
  SPARKY_TRY(check_cancelled(cancelled));
  tell(progress, 0, 1);
  SPARKY_ASSIGN(const pixel::Picture picture, pixel::read_picture(inputs.front()));
  pixel::Palette palette = pixel::quantize(picture, colors, method);
  if (palette.colors.empty()) {
    return fail(Errc::invalid, inputs.front().string() + ": the picture is wholly transparent");
  }
  palette.name = inputs.front().stem().string();
  SPARKY_TRY(pixel::write_palette(output / name, palette));
  tell(progress, 1, 1);
  return Json{{"files", {name}}, {"colors", palette.colors.size()}};
}

Result<Json> run_sheet(const Json& request, const fs::path& output, const JobProgress& progress,
                       const JobCancelled& cancelled) {
  RequestFields fields(request);
  SheetWork work;
  work.inputs = take_inputs(fields);
  std::string picture = "sheet.png";
  fields.take_file_name("output", picture, {".png"});
  std::vector<std::string> data;
  fields.take("data", data);
  fields.choose("layout", work.pack.layout,
                {{"grid", pixel::Layout::grid}, {"rows", pixel::Layout::rows}, {"maxrects", pixel::Layout::maxrects}});
  fields.choose("form", work.form,
                {{"aseprite-hash", pixel::SheetJson::aseprite_hash},
                 {"aseprite-array", pixel::SheetJson::aseprite_array},
                 {"texturepacker-hash", pixel::SheetJson::texturepacker_hash},
                 {"texturepacker-array", pixel::SheetJson::texturepacker_array}});
  fields.take("columns", work.pack.columns, 1, 4096);
  fields.take("padding", work.pack.padding, 0, 256);
  fields.take("margin", work.pack.margin, 0, 256);
  fields.take("extrude", work.pack.extrude, 0, 64);
  fields.take("trim", work.pack.trim);
  fields.take("dedupe", work.pack.dedupe);
  fields.take("power_of_two", work.pack.power_of_two);
  fields.take("max_side", work.pack.max_side, 1, 16384);
  fields.take("tags", work.tags);
  fields.take("no_tags", work.no_tags);
  fields.take("texture", work.texture);
  fields.take("duration", work.duration_ms, 0, 65535);
  SPARKY_TRY(fields.end());
  work.output = output / picture;
  for (const std::string& name : data) {
    SPARKY_TRY(check_file_name(name));
    work.data.push_back(output / name);
  }
  SPARKY_TRY(check_cancelled(cancelled));
  tell(progress, 0, 1);
  SPARKY_ASSIGN(Json sheet, pack_sheet(work));
  sheet["files"] = names_of(sheet["files"]);
  tell(progress, 1, 1);
  return sheet;
}

// "3 findings: …" with the first few of them.
std::unexpected<Error> not_valid(const std::vector<pixel::Finding>& findings) {
  constexpr size_t kShown = 10;
  std::string text = fmt::format("{} finding{}:", findings.size(), findings.size() == 1 ? "" : "s");
  for (size_t i = 0; i < findings.size() && i < kShown; ++i) {
    const pixel::Finding& f = findings[i];
    text += fmt::format(" {}: {} [{}];", f.diagnostic.file, f.diagnostic.message, f.rule);
  }
  text.pop_back();
  if (findings.size() > kShown) text += fmt::format("; and {} more", findings.size() - kShown);
  return fail(Errc::invalid, std::move(text), "mend the sprites, or choose another profile");
}

Result<Json> run_validate(const Json& request, const fs::path&, const JobProgress& progress,
                          const JobCancelled& cancelled) {
  RequestFields fields(request);
  const auto inputs = take_inputs(fields);
  std::string name = "plain";
  fields.take("profile", name);
  SPARKY_TRY(fields.end());
  SPARKY_TRY(check_profile_name(name));
  SPARKY_TRY(check_cancelled(cancelled));
  SPARKY_ASSIGN(const pixel::Profile profile, pixel::find_profile(name));
  tell(progress, 0, inputs.size());
  SPARKY_ASSIGN(const auto sprites, read_sprite_files(inputs));
  const auto findings = pixel::validate(sprites, profile);
  if (!findings.empty()) return not_valid(findings);
  tell(progress, inputs.size(), inputs.size());
  return Json{{"files", Json::array()}, {"profile", profile.name}, {"sprites", sprites.size()}, {"valid", true}};
}

Result<Json> run_deploy(const Json& request, const fs::path&, const JobProgress& progress,
                        const JobCancelled& cancelled) {
  RequestFields fields(request);
  DeployOptions options;
  std::string game, profile = "bevy", preset = "minimal";
  bool rollback = false, force = false;
  fields.need("to");
  fields.take("to", game);
  fields.take("rollback", rollback);
  fields.take("force", force);
  if (!rollback) options.sprites = take_inputs(fields);
  fields.take("profile", profile);
  fields.take("preset", preset);
  fields.take("category", options.category);
  fields.take("dry_run", options.dry_run);
  SPARKY_TRY(fields.end());
  SPARKY_TRY(check_profile_name(profile));
  SPARKY_ASSIGN(options.preset, find_preset(preset));
  SPARKY_TRY(check_cancelled(cancelled));
  tell(progress, 0, 1);
  if (rollback) {
    SPARKY_ASSIGN(const Rollback undone, roll_back(game, force, std::chrono::seconds(30)));
    return Json{{"files", Json::array()}, {"rollback", to_json(undone)}};
  }
  options.game = game;
  SPARKY_ASSIGN(options.profile, pixel::find_profile(profile));
  SPARKY_ASSIGN(const Deployment done, deploy(options, now()));
  if (!done.findings.empty()) return not_valid(done.findings);
  tell(progress, 1, 1);
  return Json{{"files", Json::array()}, {"dry_run", options.dry_run}, {"deployment", to_json(done)}};
}

}  // namespace

const std::map<std::string, JobFunction, std::less<>>& job_functions() {
  static const std::map<std::string, JobFunction, std::less<>> all = {
      {"snap", run_snap},   {"clean", run_clean},       {"palette", run_palette},
      {"sheet", run_sheet}, {"validate", run_validate}, {"deploy", run_deploy}};
  return all;
}

Status check_job(std::string_view kind, const Json& request) {
  const auto function = job_functions().find(kind);
  if (function == job_functions().end()) return {};
  const auto done = function->second(request, {}, {}, [] { return true; });
  if (done || done.error().is(Errc::cancelled)) return {};
  return std::unexpected(done.error());
}

}  // namespace sparky::studio
