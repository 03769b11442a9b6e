// A job of the daemon, waited for in the terminal.
#pragma once
#include <functional>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "wire/client.h"

namespace sparky::cli {

// Whether the daemon has, or would start, a worker for this kind of job.
bool can_do(wire::Client& client, const std::string& kind);

// Submits a job and says its id. A refusal is Errc::unavailable with the daemon's reason.
Result<std::string> submit_job(wire::Client& client, const wire::SubmitJob& job);

// Waits until a job has ended and returns it as `sparky job show --json` does, if it was completed. Shows how far it is
// when `live`; survives restarts of the daemon. When `interrupted` becomes true the job is cancelled.
// Errors: what failed; Errc::cancelled.
Result<Json> await_job(wire::Client& client, const std::string& id, bool live,
                       const std::function<bool()>& interrupted);

}  // namespace sparky::cli
