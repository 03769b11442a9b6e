// Jobs: the kinds of work on pictures that a worker carries out for the queue, beside what needs a model. Each does
// what the command of that name does, with the same functions; the request holds the command's options by their names.
//
//   snap      {"inputs": ["render.png"], "size": [32, 32] | "hint": 21.5}
//   clean     {"inputs": […], "steps": [{"do": "background", "tolerance": 0.1}, {"do": "quantize", "colors": 12}]}
//   palette   {"inputs": ["knight.png"], "colors": 12, "output": "knight.gpl"}
//   sheet     {"inputs": […], "output": "hero.png", "data": ["hero.json", "hero.tres"], "layout": "maxrects", …}
//   validate  {"inputs": […], "profile": "bevy"}                  fails if there is a finding, so that what waits stays
//   deploy    {"inputs": […], "to": "GAME_DIR", "preset": …} | {"to": "GAME_DIR", "rollback": true}
//
// Inputs are paths on the worker's machine, relative ones from its working directory. What a job makes goes into its
// output directory and nowhere else: names in a request are plain file names. Only deploy writes to a game besides.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace sparky::studio {

// `stage` is one that wire::WorkerProgress knows; step of total, in files.
using JobProgress = std::function<void(std::string_view stage, int64_t step, int64_t total)>;
using JobCancelled = std::function<bool()>;
// The result holds "files", the names of what lies in the output directory, the most important first (maybe none), and
// what else is to be known. Errc::invalid names the request's field; Errc::cancelled soon after `cancelled` is true.
using JobFunction = Result<Json> (*)(const Json& request, const std::filesystem::path& output,
                                     const JobProgress& progress, const JobCancelled& cancelled);

// Each has read the whole request, and touched no file, when it asks `cancelled` for the first time.
const std::map<std::string, JobFunction, std::less<>>& job_functions();  // by kind

// What is wrong with a job's request, as far as it shows without looking at any file.
Status check_job(std::string_view kind, const Json& request);

}  // namespace sparky::studio
