#include "cli/await_job.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "base/time.h"

namespace sparky::cli {
using namespace std::chrono_literals;

namespace {

bool has_kind(const Json& workers, const std::string& kind) {
  for (auto& worker : workers)
    for (auto& one : worker.value("kinds", Json::array()))
      if (one == kind) return true;
  return false;
}

void show(const Json& job) {
  auto eta = job.contains("eta_s")
                 ? fmt::format(", {} to go", human(Duration(int64_t(job["eta_s"].get<double>() * 1000))))
                 : std::string();
  auto doing = job.value("state", "") == "queued" ? std::string("queued") : job.value("doing", std::string("running"));
  auto part = job.contains("progress") ? fmt::format(" {:.0f} %", job["progress"].get<double>() * 100) : std::string();
  fmt::print(stderr, "\r\033[K{}: {}{}{}", printable(job.value("id", "")), printable(doing), part, eta);
  std::fflush(stderr);
}

}  // namespace

bool can_do(wire::Client& client, const std::string& kind) {
  auto inside = client.ask<wire::Inspection>(wire::Inspect{});
  if (inside && has_kind(inside->daemon->value("local_workers", Json::array()), kind)) return true;
  auto connected = client.ask<wire::WorkerList>(wire::ListWorkers{});
  return connected && has_kind(*connected->workers, kind);
}

Result<std::string> submit_job(wire::Client& client, const wire::SubmitJob& job) {
  SPARKY_ASSIGN(auto reply, client.ask(wire::Request(job), Duration(10'000)));
  if (auto* accepted = std::get_if<wire::JobAccepted>(&reply)) return accepted->job_id;
  if (auto* refused = std::get_if<wire::JobError>(&reply)) return fail(Errc::unavailable, refused->error);
  if (auto* error = std::get_if<wire::ErrorReply>(&reply)) return fail(Errc::unavailable, error->message, error->help);
  return fail(Errc::internal, fmt::format("Sparky answered with '{}'", wire::type_of(reply)));
}

Result<Json> await_job(wire::Client& client, const std::string& id, bool live,
                       const std::function<bool()>& interrupted) {
  constexpr auto patience = 60s;  // with a daemon that does not answer
  auto heard = std::chrono::steady_clock::now();
  bool cancelling = false;
  for (;; std::this_thread::sleep_for(150ms)) {
    if (interrupted() && !cancelling)
      cancelling = client.ask(wire::Request(wire::Cancel{id}), Duration(2000)).has_value();
    auto reply = client.ask<wire::JobReply>(wire::ShowJob{id}, Duration(2000));
    if (!reply && !reply.error().is(Errc::unavailable)) return std::unexpected(reply.error());
    if (!reply && std::chrono::steady_clock::now() - heard > patience)
      return fail(Errc::unavailable, fmt::format("the daemon does not answer; job {} goes on when it is back", id),
                  fmt::format("sparky serve --detach; sparky job show {}", id));
    if (!reply) continue;
    heard = std::chrono::steady_clock::now();
    auto& job = *reply->job;
    auto state = job.value("state", "");
    if (state == "queued" || state == "running") {
      if (live) show(job);
      continue;
    }
    if (live) fmt::print(stderr, "\r\033[K");
    if (state == "completed") return job;
    if (state == "cancelled") return fail(Errc::cancelled, fmt::format("job {} was cancelled", id));
    return fail(Errc::internal, job.value("error", "the job has failed"),
                fmt::format("sparky job retry {} tries again", id));
  }
}

}  // namespace sparky::cli
