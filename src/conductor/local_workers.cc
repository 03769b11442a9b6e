#include "conductor/local_workers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sparky::conductor {
using namespace std::chrono_literals;

namespace {

constexpr Duration grace{5'000};
constexpr auto rest_max = 60s;

bool has(const std::vector<std::string>& all, const std::string& one) {
  return std::ranges::find(all, one) != all.end();
}

}  // namespace

std::string local_worker_name(const WorkerProgram& program) { return "local-" + program.name; }

// Whether a job waits that this program can do; with `models`, one that somebody with these models cannot.
bool LocalWorkers::wanted(const WorkerProgram& program, const std::vector<std::string>* models) const {
  auto& state = ledger_.state();
  if (state.queue_paused) return false;
  for (auto& [job, queue] : state.job_queues) {
    if (!has(program.kinds, job.kind)) continue;
    if (!job.worker.empty() && job.worker != local_worker_name(program)) continue;
    if (models && (models->empty() || job.model.empty() || has(*models, job.model))) continue;
    if (job.model.empty() || !program.models || has(program.models(), job.model)) return true;
  }
  return false;
}

const engine::Worker* LocalWorkers::connected(const WorkerProgram& program) const {
  for (auto& [id, worker] : ledger_.state().workers)
    if (worker.spec.name == local_worker_name(program)) return &worker;
  return nullptr;
}

void LocalWorkers::tick(executors::Executor& executor) {
  for (auto& program : programs_) {
    auto& post = posts_[program.name];
    if (post.attempt.empty()) {
      if (Clock::now() >= post.rest_until && wanted(program, nullptr)) start(program, post, executor);
    } else if (auto* worker = connected(program); worker && worker->leases.empty() && !post.dismissed) {
      // What it has was settled when it started; a model may have been added since.
      if (!wanted(program, &worker->spec.models)) continue;
      post.dismissed = true;
      executor.cancel(post.attempt, grace);
    }
  }
}

void LocalWorkers::dismiss(executors::Executor& executor) {
  for (auto& program : programs_) {
    auto& post = posts_[program.name];
    auto* worker = connected(program);
    if (!post.attempt.empty() && worker && worker->leases.empty()) executor.cancel(post.attempt, grace);
  }
}

void LocalWorkers::start(const WorkerProgram& program, Post& post, executors::Executor& executor) {
  executors::AttemptSpec spec;
  auto time = std::chrono::system_clock::now().time_since_epoch();
  spec.id = fmt::format("{}{}-{}-{}", mark, program.name, ::getpid(),
                        std::chrono::duration_cast<std::chrono::microseconds>(time).count());
  spec.argv = program.argv;
  spec.argv.insert(spec.argv.end(), {"--name", local_worker_name(program)});
  spec.cwd = ledger_.project();
  spec.log = ledger_.directory() / "logs" / "workers" / (local_worker_name(program) + ".log");
  spec.beyond_slots = true;  // a workstream that has a slot may wait for its job
  post.attempt = spec.id;
  post.dismissed = false;
  executor.start(std::move(spec));
}

std::optional<std::string> LocalWorkers::take(const executors::ExecutorEvent& event, executors::Executor& executor) {
  using Kind = executors::ExecutorEvent::Kind;
  auto program = std::ranges::find_if(
      programs_, [&](auto& p) { return event.id.starts_with(fmt::format("{}{}-", mark, p.name)); });
  bool ended = event.kind == Kind::exited || event.kind == Kind::recalled || event.kind == Kind::not_started;
  if (event.kind == Kind::exited) executor.forget({event.id});
  if (program == programs_.end()) return std::nullopt;  // of another Sparky's time: it ends when it has nothing to do
  auto& post = posts_[program->name];
  if (event.kind == Kind::started && post.attempt.empty()) post.attempt = event.id;  // an earlier daemon started it
  if (event.kind == Kind::started && post.attempt != event.id) executor.cancel(event.id, grace);
  if (!ended || post.attempt != event.id) return std::nullopt;
  bool in_order = event.kind != Kind::exited || event.exit.ok() || post.dismissed;
  post.attempt.clear();
  post.trouble.clear();
  post.failures = in_order ? 0 : post.failures + 1;
  if (!in_order) {
    post.rest_until = Clock::now() + std::min<Clock::duration>(1s * (1 << std::min(post.failures - 1, 10)), rest_max);
    post.trouble =
        fmt::format("its last process ended with {}{}{}; its words are in .sparky/logs/workers/{}.log",
                    event.exit.ending == executors::Ending::signaled ? "signal " : "", event.exit.code,
                    event.exit.note.empty() ? "" : " (" + event.exit.note + ")", local_worker_name(*program));
  }
  return local_worker_name(*program);
}

Json LocalWorkers::describe() const {
  Json all = Json::array();
  for (auto& program : programs_) {
    auto it = posts_.find(program.name);
    Json one{{"name", program.name}, {"kinds", program.kinds}};
    one["running"] = it != posts_.end() && !it->second.attempt.empty();
    if (it != posts_.end() && !it->second.trouble.empty()) one["trouble"] = it->second.trouble;
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace sparky::conductor
