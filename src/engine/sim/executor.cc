#include "engine/sim/executor.h"

#include "engine/held.h"

#include <algorithm>

namespace sparky::engine::sim {

bool Executor::knows(AttemptId id) const {
  return running_.contains(id) || ended_.contains(id) || std::ranges::find(waiting_, id) != waiting_.end();
}

void Executor::tell(Input input) {
  if (!healthy_ && random_.percent(3)) return;  // lost, until tell_again()
  said_.push_back(input);
  if (!healthy_ && random_.percent(5)) said_.push_back(input);
}

void Executor::start(AttemptId id, std::optional<AgentTask> agent) {
  if (forgotten_.contains(id))
    throw Violation{"attempt " + std::to_string(id) + " is started again after its end was journalled"};
  if (auto it = ended_.find(id); it != ended_.end()) return tell(it->second);
  if (running_.contains(id)) return tell(ReportStarted{id});
  if (knows(id)) return;
  waiting_.push_back(id);
  if (agent) agent_tasks_[id] = std::move(*agent);
}

void Executor::end(AttemptId id, ReportEnded report) {
  running_.erase(id);
  ended_[id] = report;
  tell(report);
}

void Executor::cancel(AttemptId id, Time now) {
  if (auto it = std::ranges::find(waiting_, id); it != waiting_.end()) return recall(id);
  auto it = running_.find(id);
  if (it == running_.end()) return;
  // Some are about to end by themselves, some need the longer way.
  if (random_.percent(20)) return;
  it->second.stuck = false;
  it->second.end = now + Duration(random_.below(15'000));
  it->second.report = {.attempt = id, .outcome = Outcome::cancelled, .code = 15, .duration = Duration(100)};
}

void Executor::recall(AttemptId id) {
  auto it = std::ranges::find(waiting_, id);
  if (it == waiting_.end()) return;  // too late
  waiting_.erase(it);
  ended_[id] = ReportRecalled{id};
  tell(ReportRecalled{id});
}

void Executor::forget(AttemptId id) {
  if (ended_.erase(id)) forgotten_.insert(id);
}

void Executor::advance(Time now) {
  std::vector<AttemptId> due;
  for (auto& [id, r] : running_)
    if (!r.stuck && r.end <= now) due.push_back(id);
  for (auto id : due) {
    std::optional<ReportEnded> report = running_.at(id).report;
    if (agents_.has(id)) report = agents_.turn(id, *report);
    if (report)
      end(id, *report);
    else  // an agent's next turn
      running_.at(id).end = now + Duration(1 + random_.below(60'000));
  }
  while (running_.size() < slots_ && !waiting_.empty()) {
    AttemptId id = waiting_.front();
    waiting_.pop_front();
    if (!ever_started_.insert(id).second) throw Violation{"attempt " + std::to_string(id) + " ran twice"};
    Running r{.end = now + Duration(1 + random_.below(120'000)), .report = {.attempt = id, .duration = Duration(1000)}};
    if (!healthy_) {
      auto dice = random_.below(100);
      if (dice < 20) r.report.code = 1;
      // These mean something only of an agent's attempt.
      if (dice < 4) r.report.code = held_code;
      if (dice < 2) r.report.code = held_all_code, r.report.note = "there is no sandbox";
      if (dice >= 20 && dice < 25) r.report.outcome = Outcome::signalled, r.report.code = 9;
      if (dice >= 25 && dice < 28) r.report.outcome = Outcome::timed_out;
      if (dice >= 28 && dice < 30) r.report.outcome = Outcome::spawn_failed, r.end = now;
      if (dice >= 30 && dice < 33) r.stuck = true;
      if (dice >= 33 && dice < 37) r.end = now + Duration(random_.below(400'000'000));
    }
    running_[id] = r;
    if (auto agent = agent_tasks_.find(id); agent != agent_tasks_.end()) agents_.start(agent->second);
    tell(ReportStarted{id});
  }
}

void Executor::die(Time now) {
  (void)now;
  while (!running_.empty()) {
    AttemptId id = running_.begin()->first;
    agents_.stopped(id);
    end(id, {.attempt = id, .outcome = Outcome::lost});
  }
  for (auto id : std::exchange(waiting_, {})) {
    ended_[id] = ReportRecalled{id};
    tell(ReportRecalled{id});
  }
}

std::vector<Input> Executor::told() { return std::exchange(said_, {}); }

void Executor::tell_again() {
  said_.clear();
  for (auto& [id, r] : running_) said_.push_back(ReportStarted{id});
  for (auto& [id, report] : ended_) said_.push_back(report);
}

std::optional<Time> Executor::next() const {
  std::optional<Time> out;
  for (auto& [id, r] : running_)
    if (!r.stuck && (!out || r.end < *out)) out = r.end;
  return out;
}

void Executor::heal(Time now) {
  healthy_ = true;
  for (auto& [id, r] : running_) {
    if (r.stuck || r.end > now + Duration(60'000)) r.end = now + Duration(60'000);
    r.stuck = false;
  }
  tell_again();
}

}  // namespace sparky::engine::sim
