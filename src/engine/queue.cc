// The job queue: jobs, workers, and the leases between them.
#include <algorithm>

#include "engine/step.h"
#include "engine/transitions.h"

namespace sparky::engine {
namespace {

constexpr uint32_t kills_max = 3;  // a job that was lost with so many workers is what kills them
// A worker goes on with the model it has loaded while a job for it is at most so much younger than the best one.
constexpr int64_t same_model_ms = 30'000;

bool can(const Worker& worker, const JobClass& wanted) {
  auto has = [](const std::vector<std::string>& all, const std::string& one) {
    return std::ranges::find(all, one) != all.end();
  };
  return has(worker.spec.kinds, wanted.kind) && worker.spec.memory >= wanted.memory &&
         (wanted.worker.empty() || wanted.worker == worker.spec.name) &&
         (wanted.model.empty() || worker.spec.models.empty() || has(worker.spec.models, wanted.model));
}

}  // namespace

// Every worker with a free lease takes the best job that it can do. Workers and kinds of job are few.
void Step::lease() {
  if (s.queue_paused || s.job_queues.empty()) return;
  for (auto& [id, worker] : s.workers) {
    while (worker.leases.size() < worker.spec.leases) {
      std::optional<std::pair<int64_t, JobId>> best, same;
      for (auto& [wanted, queue] : s.job_queues) {
        if (!can(worker, wanted)) continue;
        auto head = *queue.begin();
        if (!best || head < *best) best = head;
        if (wanted.model == worker.model && (!same || head < *same)) same = head;
      }
      if (!best) break;
      bool stay = same && same->first - best->first <= same_model_ms;
      emit(LeaseGranted{s.next_attempt, stay ? same->second : best->second, id});
    }
  }
}

Result<Reply> Step::operator()(const SubmitJob& input) {
  JobSpec spec = input.spec;
  if (spec.id.empty()) spec.id = "job-" + std::to_string(s.next_job);
  if (auto* known = s.job(spec.id)) {
    spec.client = known->spec.client;  // whoever asks again
    if (known->spec == spec) return Reply{.job = known->id, .job_id = spec.id, .existing = true};
    return fail(Errc::exists, "job '" + spec.id + "' exists with other content", "use another id");
  }
  if (spec.kind.empty()) return fail(Errc::invalid, "a job needs a kind", "say what is to be done, e.g. generate");
  for (auto& before : spec.after) {
    auto* other = s.job(before);
    if (!other) return fail(Errc::not_found, "after: there is no job '" + before + "'", "sparky jobs lists them");
    if (other->state == JobState::failed || other->state == JobState::cancelled)
      return fail(Errc::invalid, "after: job '" + before + "' is " + std::string(name(other->state)), "retry it first");
  }
  JobId id = s.next_job;
  emit(JobSubmitted{id, spec});
  return Reply{.job = id, .job_id = spec.id};
}

Result<Reply> Step::operator()(const CancelJob& input) {
  auto* job = s.job(input.id);
  if (!job) return fail(Errc::not_found, "there is no job '" + input.id + "'", "sparky jobs lists them");
  // Its answer may have been lost, so it is asked again.
  if (job->state == JobState::cancelled) return Reply{.job = job->id, .job_id = input.id, .existing = true};
  if (job->state != JobState::queued && job->state != JobState::running)
    return fail(Errc::invalid, "job '" + input.id + "' is " + std::string(name(job->state)) + " already");
  JobId id = job->id;
  if (job->attempt != 0) emit(AttemptCancelling{job->attempt, CancelReason::operator_asked, input.who});
  end_job(id, JobState::cancelled, input.who.empty() ? "cancelled" : "cancelled by " + input.who);
  return Reply{.job = id, .job_id = input.id};
}

Result<Reply> Step::operator()(const RetryJob& input) {
  auto* job = s.job(input.id);
  if (!job) return fail(Errc::not_found, "there is no job '" + input.id + "'", "sparky jobs lists them");
  if (job->state != JobState::failed && job->state != JobState::cancelled)
    return fail(Errc::invalid, "job '" + input.id + "' is " + std::string(name(job->state)),
                job->state == JobState::completed ? "submit it again under another id" : "cancel it first");
  for (auto& before : job->spec.after) {
    auto* other = s.job(before);
    if (!other)
      return fail(Errc::not_found, "it waits for job '" + before + "', which has been cleared",
                  "submit it again, without that");
    if (other->state == JobState::failed || other->state == JobState::cancelled)
      return fail(Errc::invalid, "it waits for job '" + before + "', which is " + std::string(name(other->state)),
                  "retry that first");
  }
  emit(JobStaged{.job = job->id, .state = JobState::queued, .reset = true});
  return Reply{.job = job->id, .job_id = input.id};
}

Result<Reply> Step::operator()(const ClearJobs& input) {
  auto ended = [](const Job& job) { return job.state != JobState::queued && job.state != JobState::running; };
  std::vector<JobId> clear;
  for (auto& id : input.ids) {
    auto* job = s.job(id);
    if (!job) return fail(Errc::not_found, "there is no job '" + id + "'", "sparky jobs lists them");
    if (!ended(*job))
      return fail(Errc::busy, "job '" + id + "' is " + std::string(name(job->state)), "cancel it first");
    clear.push_back(job->id);
  }
  if (input.ids.empty())
    for (auto& [id, job] : s.jobs)
      if (ended(job)) clear.push_back(id);
  if (!clear.empty()) emit(JobsCleared{clear});
  return Reply{.notes = {std::to_string(clear.size()) + " jobs cleared"}};
}

Result<Reply> Step::operator()(const MoveJob& input) {
  auto* job = s.job(input.id);
  if (!job) return fail(Errc::not_found, "there is no job '" + input.id + "'", "sparky jobs lists them");
  if (job->state != JobState::queued)
    return fail(Errc::invalid, "job '" + input.id + "' is " + std::string(name(job->state)),
                "only jobs that wait have a place in the line");
  if (input.before == input.id) return Reply{.job = job->id, .job_id = input.id};
  auto line = line_of(s);
  std::erase(line, job->id);
  auto at_place = input.last ? line.end() : line.begin();
  if (!input.before.empty()) {
    auto* before = s.job(input.before);
    if (!before) return fail(Errc::not_found, "there is no job '" + input.before + "'", "sparky jobs lists them");
    at_place = std::ranges::find(line, before->id);
    if (at_place == line.end())
      return fail(Errc::invalid, "job '" + input.before + "' is " + std::string(name(before->state)),
                  "name one that waits");
  }
  JobsRanked moved{.who = input.who};
  auto rank = [&](JobId id) { return s.jobs.at(id).rank; };
  auto place = [&](JobId id, int64_t at_rank) {
    moved.jobs.push_back(id);
    moved.ranks.push_back(at_rank);
  };
  // In the middle of its neighbours. Where they stand too close, those behind move on by as little as is needed. In
  // front of all it is so far ahead that no worker prefers another for the model that it has loaded.
  int64_t last = at_place == line.begin() ? INT64_MIN : rank(*(at_place - 1));
  if (line.empty()) return Reply{.job = job->id, .job_id = input.id};
  if (at_place == line.begin())
    place(job->id, rank(*at_place) - same_model_ms - 1);
  else if (at_place == line.end())
    place(job->id, last + 1);
  else
    place(job->id, last + std::max<int64_t>(1, (rank(*at_place) - last) / 2));
  for (last = moved.ranks[0]; at_place != line.end() && rank(*at_place) <= last; ++at_place) place(*at_place, ++last);
  auto id = job->id;
  emit(std::move(moved));
  return Reply{.job = id, .job_id = input.id};
}

Result<Reply> Step::operator()(const PauseQueue& input) {
  if (s.queue_paused != input.paused) emit(QueuePaused{input.paused, input.who});
  return Reply{};
}

Result<Reply> Step::operator()(const KeepReply& input) {
  emit(RequestKept{input.key, input.digest, input.reply});
  return Reply{};
}

Result<Reply> Step::operator()(const WorkerJoin& input) {
  if (input.spec.name.empty() || input.spec.kinds.empty())
    return fail(Errc::invalid, "a worker needs a name and what it can do", "send name and kinds");
  WorkerId id = 0;
  for (auto& [known, worker] : s.workers)
    if (worker.spec.name == input.spec.name) id = known;
  if (id == 0) id = s.next_worker;
  emit(WorkerJoined{id, input.spec});
  Reply reply;
  auto leases = s.workers.at(id).leases;
  for (auto attempt : leases)
    if (std::ranges::find(input.holds, attempt) == input.holds.end())
      (*this)(ReportEnded{
          .attempt = attempt, .outcome = Outcome::lost, .note = "worker " + input.spec.name + " came back without it"});
  for (auto attempt : input.holds) {
    auto* a = s.attempt(attempt);
    if (!a || a->worker != id || a->cancelling != CancelReason::none) reply.abandon.push_back(attempt);
  }
  return reply;
}

Result<Reply> Step::operator()(const WorkerLeave& input) {
  for (auto& [id, worker] : s.workers) {
    if (worker.spec.name != input.name) continue;
    auto leases = worker.leases;
    WorkerId gone = id;
    for (auto attempt : leases)
      (*this)(ReportEnded{.attempt = attempt,
                          .outcome = Outcome::lost,
                          .note = "worker " + input.name + " is gone" + (input.note.empty() ? "" : ": " + input.note)});
    emit(WorkerLeft{gone, input.note});
    return Reply{};
  }
  return Reply{.existing = true};
}

void Step::job_ended(const Attempt& a, const ReportEnded& report) {
  auto job = s.jobs.find(a.job);
  // Settled meanwhile (cancelled, timed out and queued again): this attempt's word does not count any more.
  if (job == s.jobs.end() || job->second.state != JobState::running || job->second.attempt != 0 ||
      a.cancelling != CancelReason::none)
    return;
  if (report.outcome == Outcome::exited && report.code == 0)
    return end_job(a.job, JobState::completed, {}, report.result);
  std::string note = report.note.empty() ? std::string(name(report.outcome)) : report.note;
  if (report.outcome == Outcome::cancelled) return end_job(a.job, JobState::cancelled, note);
  if (report.outcome != Outcome::lost) return retry_or_fail(a.job, note);
  if (job->second.lost >= kills_max)
    return end_job(a.job, JobState::failed,
                   "it was lost with its worker " + std::to_string(kills_max) + " times: " + note);
  emit(JobStaged{.job = a.job, .state = JobState::queued, .note = note});
}

void Step::retry_or_fail(JobId id, const std::string& note) {
  auto& job = s.jobs.at(id);
  uint32_t failures = job.tries - std::min(job.tries, job.lost);
  if (failures > job.spec.retries) return end_job(id, JobState::failed, note);
  emit(JobStaged{
      .job = id, .state = JobState::queued, .due = at + Duration{1000} * (1 << std::min(failures, 8u)), .note = note});
}

// What waits for a job that did not complete cannot run: it ends the same way, and says why.
void Step::end_job(JobId id, JobState state, std::string note, std::string result) {
  emit(JobStaged{.job = id, .state = state, .result = std::move(result), .note = std::move(note)});
  if (state == JobState::completed) return;
  std::vector<JobId> todo{id};
  while (!todo.empty()) {
    auto& job = s.jobs.at(todo.back());
    todo.pop_back();
    for (auto next : job.waiters) {
      auto it = s.jobs.find(next);
      if (it == s.jobs.end() || it->second.state != JobState::queued) continue;
      emit(JobStaged{.job = next,
                     .state = state,
                     .note = "it waits for job '" + job.spec.id + "', which is " + std::string(name(state))});
      todo.push_back(next);
    }
  }
}

}  // namespace sparky::engine
