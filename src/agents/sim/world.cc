#include "agents/sim/world.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "agents/merge.h"
#include "agents/session.h"
#include "conductor/agent_task.h"
#include "conductor/spawn.h"
#include "engine/codec.h"
#include "engine/held.h"
#include "plan/by_agent.h"

namespace sparky::agents::sim {
using engine::Outcome;
using engine::Stage;

namespace {

constexpr engine::RunId run_id = 1;
constexpr int commands_max = 45;           // of git in one step: later ones are reached too seldom to be aimed at
constexpr unsigned step_seconds_max = 60;  // real ones; then it hangs

std::vector<std::string> some_ids(Random& random) {
  std::vector<std::string> out{"A", "B", "C"};
  if (random.percent(60)) out.push_back("D");
  if (random.percent(30)) out.push_back("E");
  return out;
}

}  // namespace

World::World(uint64_t seed, bool quiet)
    : random_(seed), ids_(some_ids(random_)), place_(random_, ids_), checker_(place_, ids_), quiet_(quiet) {}

plan::Plan World::make_plan() {
  plan::Plan plan;
  plan.name = "Simulated";
  plan.files = {(place_.repo() / "plan.toml").string()};
  plan.agents_toml = place_.agents_toml();
  plan.orchestrators = {{.id = "all", .name = "All", .agent = random_.percent(30) ? "lead" : ""}};
  for (auto& id : ids_) {
    plan::Workstream w{.id = id, .name = "Work", .orchestrator = "all", .agents = {"coder"}};
    if (random_.percent(20)) w.agents.push_back("critic");
    if (random_.percent(15) && id != ids_[0]) w.depends_on = {ids_[0]};
    w.criteria = {{.text = "It is right", .check = "sh check.sh " + id}};
    if (random_.percent(20)) w.criteria.push_back({.text = "It is what was wanted", .manual = true});
    if (random_.percent(20)) w.on_lost = plan::OnLost::ask;
    plan.workstreams.push_back(std::move(w));
    std::vector<std::string> turns;
    for (size_t n = random_.below(4); n > 0; --n) turns.emplace_back(random_.pick(sim::turns));
    place_.behave(id, turns);
  }
  if (random_.percent(40))
    plan.gates = {
        {.id = "gate", .after = {"all"}, .criteria = {{.text = "All is right", .check = "sh check.sh gate"}}}};
  return conductor::with_merges(std::move(plan), place_.repo());
}

Summary World::play() {
  engine_ = std::make_unique<engine::Engine>();
  take({engine::SetSlots{5, 0}, engine::CreateRun{std::make_shared<plan::Plan>(make_plan()), {}}});
  for (size_t n = 20 + random_.below(20); n > 0 && !finished(); --n) turn();
  settle();
  summary_.merged = checker_.merged();
  return summary_;
}

void World::turn() {
  auto dice = random_.below(100);
  if (dice < 70)
    run_one();
  else if (dice < 88)
    people();
  else if (dice < 92)
    restart();
  else if (dice < 97)
    clean_up();
  else {
    place_.somebody_commits();
    checker_.person_worked();
    checker_.after_step({}, {});
  }
}

void World::take(const std::vector<engine::Input>& inputs) {
  std::vector<engine::Effect> effects;
  for (auto& input : inputs) {
    auto decided = engine_->decide(input, now_);
    for (auto& event : decided.events) commit(event);
    effects.insert(effects.end(), decided.effects.begin(), decided.effects.end());
  }
  for (auto& effect : effects) perform(effect);
}

void World::commit(const engine::Event& event) {
  journal_.push_back(engine::encode(event));
  auto* staged = std::get_if<engine::NodeStaged>(&event.body);
  auto& run = *engine_->state().run(run_id);
  if (staged && staged->stage == Stage::completed && run.workstream(staged->node))
    checker_.completed(run.id_of(staged->node));
}

// As the conductor does it: first the task, for others may read it while this one waits.
void World::perform(const engine::Effect& effect) {
  auto* start = std::get_if<engine::StartAttempt>(&effect);
  auto* attempt = start ? engine_->state().attempt(start->attempt) : nullptr;
  if (!attempt || pending_.contains(attempt->id)) return;
  auto task = conductor::agent_task(place_.repo(), engine_->state(), *attempt);
  if (!task) throw Violation{"an attempt that is no agent's"};
  if (auto done = write_file_atomic(task_file(place_.repo(), run_id, task->workstream.id), encode(*task)); !done)
    throw Violation{done.error().text()};
  pending_.insert(attempt->id);
}

void World::run_one() {
  if (pending_.empty()) {
    now_ = std::max(now_ + Duration(1000), engine_->next_wakeup().value_or(now_));
    return take({engine::Tick{}});
  }
  auto in_line = [&](engine::AttemptId a) {
    return std::ranges::any_of(waiting_, [&](auto& w) { return w.attempt == a; });
  };
  std::vector<engine::AttemptId> all(pending_.begin(), pending_.end()), others;
  std::ranges::copy_if(all, std::back_inserter(others), [&](auto a) { return !in_line(a); });
  // Checks take long, so that others come to stand in line.
  auto id = random_.pick(faults_ && !others.empty() && random_.percent(80) ? others : all);
  auto& attempt = *engine_->state().attempt(id);
  auto& run_state = *engine_->state().run(run_id);
  bool merge =
      attempt.work == engine::Work::check && plan::merges(run_state.criteria_of(attempt.node)[attempt.criterion]);
  if (faults_ && merge && !in_line(id) && random_.percent(75)) return stand_in_line(id);
  run(id);
}

// It has come, and waits for its turn: others see it in the queue.
void World::stand_in_line(engine::AttemptId id) {
  auto node = engine_->state().attempt(id)->node;
  auto task = read_task(task_file(place_.repo(), run_id, engine_->state().run(run_id)->id_of(node)));
  if (!task) throw Violation{task.error().text()};
  auto place = lock_file(queue_place(*task), false);
  if (!place) throw Violation{place.error().text()};
  // The order of their coming is the order of these times, so each has one of its own.
  std::filesystem::last_write_time(
      queue_place(*task),
      std::filesystem::file_time_type::clock::now() - std::chrono::hours(1) + std::chrono::seconds(journal_.size()));
  waiting_.push_back({id, task->workstream.id, std::move(*place)});
  take({engine::ReportStarted{id}});
}

void World::run(engine::AttemptId id) {
  auto node = engine_->state().attempt(id)->node;
  auto name = engine_->state().run(run_id)->id_of(node);
  auto task = read_task(task_file(place_.repo(), run_id, name));
  if (!task) throw Violation{task.error().text()};
  std::erase_if(waiting_, [&](auto& w) { return w.attempt == id; });
  pending_.erase(id);
  take({engine::ReportStarted{id}});
  ++summary_.steps;
  summary_.sessions += task->criterion < 0;
  auto others = place_.log("others");
  bool killed = false;
  int code = carry_out(*task, killed);
  if (place_.log("others") != others) checker_.person_worked();
  now_ += Duration(random_.below(60'000));
  std::vector<std::string> line;
  for (auto& w : waiting_) line.push_back(w.id);
  checker_.after_step(name, line);
  engine::ReportEnded report{.attempt = id, .code = code, .duration = Duration(1000)};
  if (killed) {
    ++summary_.stopped;
    place_.age_locks();
    report.outcome = random_.percent(70) ? Outcome::lost : Outcome::signalled;
    report.code = SIGKILL;
  } else {
    report.note = outcome_of(place_.repo(), run_id, name, task->attempt);
  }
  take({report});
}

int World::carry_out(const Task& task, bool& killed) {
  bool fault = faults_ && random_.percent(45);
  place_.prepare_fault(fault ? 1 + int(random_.below(commands_max)) : 0, random_.pick(sim::faults));
  if (!quiet_)
    fmt::print("--- {} {} (try {})\n", task.workstream.id,
               task.criterion < 0 ? "session" : fmt::format("criterion {}", task.criterion + 1), task.number);
  std::fflush(stdout);
  pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(step_seconds_max);
    ::setenv("SPARKY_STEP", "1", 1);
    if (quiet_)
      if (int nothing = ::open("/dev/null", O_WRONLY); nothing >= 0) ::dup2(nothing, 1), ::dup2(nothing, 2);
    bool merge = task.criterion >= 0 && plan::merges(task.workstream.criteria[size_t(task.criterion)]);
    auto code = task.criterion < 0 ? run_session(task) : merge ? merge_step(task) : check_step(task);
    if (!code) fmt::print("{}\n", code.error().text());
    std::fflush(stdout);
    ::_exit(code.value_or(1));
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  place_.prepare_fault(0, "none");
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) throw Violation{task.workstream.id + ": a step hangs"};
  killed = WIFSIGNALED(status);
  if (!quiet_) fmt::print("--- {}\n", killed ? "stopped in the middle" : fmt::format("exit {}", WEXITSTATUS(status)));
  return killed ? 0 : WEXITSTATUS(status);
}

// They answer what they are asked, mostly with a yes, and try again what has failed.
void World::people() {
  auto& state = engine_->state();
  auto& run = *state.run(run_id);
  std::vector<engine::Input> wishes;
  if (!state.decisions.empty()) {
    auto& d = std::next(state.decisions.begin(), long(random_.below(state.decisions.size())))->second;
    auto answer = faults_ && random_.percent(15) ? engine::Answer::reject : engine::Answer::approve;
    auto home = place_.repo() / ".sparky" / "agents" / "run-1" / run.id_of(d.node);
    auto allowed = read_file(home / "allowed.json").value_or("");
    constexpr std::string_view budget = "\"budget: ";
    if (auto at = allowed.find(budget); d.kind == engine::DecisionKind::held && at != allowed.npos) {
      auto from = allowed.find(' ', at + budget.size()) + 1;
      if (answer == engine::Answer::approve) checker_.granted(allowed.substr(from, allowed.find('"', from) - from));
    }
    ++summary_.answers;
    wishes.push_back(engine::Decide{run_id, "D" + std::to_string(d.id), answer, "ada", "so be it"});
  }
  for (engine::NodeId n = 0; n < run.nodes.size(); ++n)
    if (run.nodes[n].stage == Stage::failed || run.nodes[n].stage == Stage::cancelled)
      wishes.push_back(engine::Retry{run_id, run.id_of(n), false, "ada"});
  take(wishes);
}

// The daemon ends and starts anew; what runs under its warden goes on.
void World::restart() {
  ++summary_.restarts;
  engine::State state;
  for (auto& bytes : journal_) {
    auto event = engine::decode_event(bytes);
    if (!event) throw Violation{"the journal cannot be read: " + event.error().message};
    engine::apply(state, *event);
  }
  if (engine::state_hash(state) != engine::state_hash(engine_->state()))
    throw Violation{"the replayed state differs from the live one"};
  engine_ = std::make_unique<engine::Engine>(std::move(state));
  for (auto& effect : engine_->outstanding()) perform(effect);
}

// `sparky gc`: whatever may go, goes; never what an attempt is about to go on with.
void World::clean_up() {
  auto repository = Repository::open(place_.repo());
  auto target = repository ? find_target(*repository, place_.repo()) : std::unexpected(repository.error());
  if (!target) return;
  auto trees = repository->worktrees(place_.repo() / ".sparky" / "worktrees", target->head);
  if (trees)
    for (auto& tree : *trees) (void)repository->remove_worktree(tree.path, target->head);
  checker_.after_step({}, {});
}

bool World::finished() const { return engine_->state().run(run_id)->settled == engine::Standing::completed; }

void World::settle() {
  faults_ = false;
  for (auto& id : ids_) place_.behave(id, {});
  for (int round = 0; round < 200; ++round) {
    if (finished()) return checker_.at_the_end();
    while (!engine_->state().decisions.empty()) people();
    people();
    run_one();
  }
  std::string open;
  auto& run = *engine_->state().run(run_id);
  for (engine::NodeId n = 0; n < run.nodes.size(); ++n)
    if (!engine::satisfies(run.nodes[n].stage) && run.nodes[n].open == 0)
      open += fmt::format(" {} is {};", run.id_of(n), engine::name(run.nodes[n].stage));
  throw Violation{"faults have stopped, and it does not come to an end:" + open};
}

}  // namespace sparky::agents::sim
