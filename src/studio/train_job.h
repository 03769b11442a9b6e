// Jobs of kind `train`: `sparky train`, with a queue that remembers it, follows it and can stop it. The request holds
// the command's options by their names:
//
//   {"dataset": "/…/mine", "out": "/…/style", "lora": true, "steps": 300, …}
//
// What is trained lies in `out`, as it does without a daemon; the job's own files are pictures of it. A job whose
// worker died goes on from the last checkpoint in `out`; one that is cancelled leaves a checkpoint that `resume` goes
// on from.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "studio/jobs.h"

namespace sparky::studio {

// The words behind `sparky train` for a request. Errc::invalid names the field.
Result<std::vector<std::string>> train_arguments(const Json& request);
// The other way round: words as they stand on a command line; paths become absolute. Errc::invalid names the word.
Result<Json> train_request(const std::vector<std::string>& words);

// Runs sparky-sprite until it has trained. `preview` gets the newest contact sheet whenever there is another. Returns
// {"files": ["sheet.png", "loss.png"], "out", "step", "samples", "loss", "seconds"}, and "lora", its file, if it is
// one.
Result<Json> train(const Json& request, std::string_view job, const std::filesystem::path& output,
                   const JobProgress& progress, const std::function<void(std::string png, int64_t step)>& preview,
                   const JobCancelled& cancelled);

}  // namespace sparky::studio
