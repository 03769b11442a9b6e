#include "conductor/attempts.h"

#include "conductor/agent_task.h"

#include <fmt/format.h>

#include <charconv>

#include "base/hash.h"
#include "base/text.h"
#include "plan/by_agent.h"
#include "plan/check.h"

namespace sparky::conductor {
namespace fs = std::filesystem;
using engine::Outcome;
using engine::Work;

namespace {

constexpr Duration check_timeout{600'000};

}  // namespace

std::string component(std::string_view id) {
  bool plain = !id.empty() && id.size() <= 100 && id[0] != '.';
  for (char c : id) plain = plain && (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.');
  return plain ? std::string(id) : "id-" + sha256_hex(id).substr(0, 16);
}

std::string attempt_name(const engine::Attempt& attempt) {
  auto mark = sha256_hex(fmt::format("{} {}", attempt.id, attempt.assigned.time_since_epoch().count()));
  return fmt::format("{}-{}", attempt.id, mark.substr(0, 8));
}

engine::AttemptId attempt_number(std::string_view name) {
  engine::AttemptId id = 0;
  auto [end, err] = std::from_chars(name.data(), name.data() + name.size(), id);
  return err == std::errc{} && end < name.data() + name.size() && *end == '-' ? id : 0;
}

fs::path log_directory(const fs::path& project, const engine::Run& run, engine::NodeId node) {
  return project / ".sparky" / "logs" / fmt::format("run-{}", run.id) / component(run.id_of(node));
}
fs::path log_directory(const fs::path& project, const engine::Job& job) {
  return project / ".sparky" / "logs" / "jobs" / component(job.spec.id);
}

fs::path log_file(const fs::path& project, const engine::State& state, const engine::Attempt& attempt) {
  if (attempt.work == Work::job) {
    auto job = state.jobs.find(attempt.job);
    if (job == state.jobs.end()) return {};
    return log_directory(project, job->second) / fmt::format("{:06}-job.log", attempt.id);
  }
  auto* run = state.run(attempt.run);
  if (!run) return {};
  auto what = attempt.work == Work::run ? "run" : fmt::format("check-{}", attempt.criterion + 1);
  return log_directory(project, *run, attempt.node) / fmt::format("{:06}-{}.log", attempt.id, what);
}

Result<executors::AttemptSpec> spec_of(const fs::path& project, const engine::State& state,
                                       const engine::Attempt& attempt) {
  auto* run = state.run(attempt.run);
  if (!run) return fail(Errc::internal, fmt::format("attempt {} belongs to no run", attempt.id));
  executors::AttemptSpec spec;
  spec.id = attempt_name(attempt);
  spec.cwd = plan::root(*run->plan);
  if (!spec.cwd.is_absolute()) spec.cwd = fs::absolute(spec.cwd).lexically_normal();
  spec.log = log_file(project, state, attempt);
  auto* workstream = run->workstream(attempt.node);
  auto agent = agent_task(project, state, attempt);
  if (agent) {  // Sparky's own program does the rest, under the warden like any other
    auto task = agents::task_file(project, run->id, agent->workstream.id).string();
    bool merge = agent->criterion >= 0 && plan::merges(agent->workstream.criteria[size_t(agent->criterion)]);
    spec.argv = {"sparky", agent->criterion < 0 ? "agent-session" : merge ? "agent-merge" : "agent-check", task};
    spec.cwd = project;
  }
  if (attempt.work == Work::run) {
    if (!workstream) return fail(Errc::internal, fmt::format("attempt {} is the work of no workstream", attempt.id));
    if (!agent) spec.command = workstream->run;
    spec.timeout = workstream->timeout.value_or(Duration(0));
  } else {
    auto criteria = run->criteria_of(attempt.node);
    if (attempt.criterion >= criteria.size())
      return fail(Errc::internal, fmt::format("attempt {} checks a criterion that is not there", attempt.id));
    auto& criterion = criteria[attempt.criterion];
    if (!agent) spec.command = criterion.check;
    spec.timeout = criterion.timeout.value_or(run->plan->check_timeout.value_or(check_timeout));
  }
  if (workstream)
    for (auto& [name, value] : workstream->env) spec.env.push_back(name + "=" + value);
  spec.env.push_back(fmt::format("SPARKY_RUN={}", run->id));
  spec.env.push_back(fmt::format("{}={}", workstream ? "SPARKY_WORKSTREAM" : "SPARKY_GATE", run->id_of(attempt.node)));
  return spec;
}

engine::ReportEnded report(engine::AttemptId attempt, const executors::Exit& exit) {
  engine::ReportEnded r{.attempt = attempt, .outcome = Outcome::exited, .code = exit.code, .duration = exit.duration};
  switch (exit.ending) {
    case executors::Ending::exited:
      break;
    case executors::Ending::signaled:
      r.outcome = Outcome::signalled;
      break;
    case executors::Ending::spawn_error:
      r.outcome = Outcome::spawn_failed;
      break;
    case executors::Ending::lost:
      r.outcome = Outcome::lost;
      break;
  }
  if (exit.timed_out) r.outcome = Outcome::timed_out;
  if (exit.cancelled && exit.ending != executors::Ending::lost) r.outcome = Outcome::cancelled;
  r.note = exit.note;
  return r;
}

}  // namespace sparky::conductor
