// Requests that act: into inputs for the engine, and its replies into answers.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/diagnostic.h"
#include "conductor/desk.h"
#include "conductor/spawn.h"
#include "engine/view.h"
#include "plan/check.h"
#include "plan/plan_json.h"
#include "plan/toml.h"

namespace sparky::conductor {
namespace fs = std::filesystem;
using engine::Input;
using Inputs = std::vector<Input>;

namespace {

Result<std::shared_ptr<const plan::Plan>> load(const std::string& file) {
  fs::path path(file);
  if (!path.is_absolute())
    return fail(Errc::invalid, fmt::format("field 'plan' must be an absolute path, not '{}'", file));
  auto parsed = plan::load_plan(path.lexically_normal());
  auto found = parsed.problems;
  if (parsed.readable)
    for (auto& problem : plan::check(parsed.plan, parsed.source.get())) found.push_back(std::move(problem));
  if (!parsed.readable || has_errors(found)) {
    std::string text;
    size_t errors = 0;
    for (auto& d : found)
      if (d.severity == Severity::error && ++errors <= 20) text += "\n" + d.text();
    return fail(Errc::invalid, fmt::format("the plan has {} error{}:{}", errors, errors == 1 ? "" : "s", text),
                fmt::format("`sparky plan check {}` shows all findings", file));
  }
  return std::make_shared<const plan::Plan>(std::move(parsed.plan));
}

constexpr size_t id_max = 200, prompt_max = 20'000, request_max = 1 << 20, queue_max = 1'000'000,
                 client_jobs_max = 200'000;

template <class Enum>
Result<Enum> word(std::string_view text, std::initializer_list<Enum> all, std::string_view field) {
  std::string names;
  for (auto value : all) {
    if (name(value) == text) return value;
    names += (names.empty() ? "" : ", ") + std::string(name(value));
  }
  return fail(Errc::invalid, fmt::format("field '{}' is '{}'; it must be one of {}", field, text, names));
}

}  // namespace

struct Order {
  Desk& desk;
  const wire::Envelope& envelope;
  Ledger& ledger = desk.ledger_;
  const engine::State& state = desk.state_;
  const std::string& who = envelope.who;

  Result<engine::RunId> run(uint32_t given) const {
    SPARKY_ASSIGN(auto* found, ledger.run(given));
    return found->id;
  }

  // A queue without bounds would be a way to fill the disk.
  Status limits(const std::string& id, const wire::Document& request) const {
    if (id.size() > id_max) return fail(Errc::invalid, fmt::format("field 'id' has more than {} bytes", id_max));
    if (request && json_text(*request).size() > request_max)
      return fail(Errc::invalid, fmt::format("field 'request' has more than {} bytes", request_max));
    size_t waiting = 0, mine = 0;
    for (auto& [wanted, queue] : state.job_queues) waiting += queue.size();
    if (waiting >= client_jobs_max)
      for (auto& [job, j] : state.jobs) mine += j.state == engine::JobState::queued && j.spec.client == who;
    if (waiting >= queue_max || mine >= client_jobs_max)
      return fail(Errc::busy, fmt::format("the queue is full: {} jobs wait, {} of them yours", waiting, mine),
                  "ask again later, or cancel some");
    return {};
  }
  static Status sizes(const wire::Generate& r) {
    auto in = [](int64_t value, int64_t least, int64_t most, std::string_view field) -> Status {
      if (value >= least && value <= most) return {};
      return fail(Errc::invalid, fmt::format("field '{}' is {}; it must be {} to {}", field, value, least, most));
    };
    if (r.prompt.size() > prompt_max)
      return fail(Errc::invalid, fmt::format("field 'prompt' has more than {} bytes", prompt_max));
    if (!r.size.empty() && r.size.size() != 2) return fail(Errc::invalid, "field 'size' must be [width, height]");
    for (auto side : r.size) SPARKY_TRY(in(side, 1, 4096, "size"));
    if (r.steps != 0) SPARKY_TRY(in(r.steps, 1, 1000, "steps"));
    if (r.batch_size) SPARKY_TRY(in(*r.batch_size, 1, 1000, "batch_size"));
    if (r.animation_frames) SPARKY_TRY(in(*r.animation_frames, 1, 1000, "animation_frames"));
    if (r.tileset_grid) {
      if (r.tileset_grid->size() != 2) return fail(Errc::invalid, "field 'tileset_grid' must be [columns, rows]");
      for (auto n : *r.tileset_grid) SPARKY_TRY(in(n, 1, 64, "tileset_grid"));
    }
    return {};
  }

  Result<Inputs> operator()(const wire::StartRun& r) {
    SPARKY_ASSIGN(auto plan, load(r.plan));
    engine::RunOptions options{.jobs = r.jobs, .until = r.until, .only = r.only, .facts = desk.around_.facts};
    options.facts.insert(options.facts.end(), r.facts.begin(), r.facts.end());
    // Several clients may ask with the same key; the engine knows it again.
    bool known_key = false;
    for (auto& [id, run] : state.runs) known_key = known_key || (!envelope.key.empty() && run.key == envelope.key);
    const engine::Run* earlier = nullptr;
    for (auto& [id, run] : state.runs)
      if (!run.plan->files.empty() && run.plan->files[0] == plan->files[0]) earlier = &run;
    if (!earlier || r.fresh || known_key) return Inputs{engine::CreateRun{plan, options, envelope.key}};
    Inputs inputs;
    if (plan::to_json(*earlier->plan) != plan::to_json(*plan))
      inputs.push_back(engine::UpdatePlan{earlier->id, plan, who});
    inputs.push_back(engine::SetOptions{earlier->id, options});
    inputs.push_back(engine::Resume{earlier->id, who});  // also says what stays failed
    return inputs;
  }
  Result<Inputs> operator()(const wire::PauseRun& r) {
    SPARKY_ASSIGN(auto id, run(r.run));
    return Inputs{engine::Pause{id, who}};
  }
  Result<Inputs> operator()(const wire::ResumeRun& r) {
    SPARKY_ASSIGN(auto id, run(r.run));
    return Inputs{engine::Resume{id, who}};
  }
  Result<Inputs> operator()(const wire::CancelRun& r) {
    SPARKY_ASSIGN(auto id, run(r.run));
    return Inputs{engine::CancelRun{id, who}};
  }
  Result<Inputs> operator()(const wire::RetryNode& r) {
    SPARKY_ASSIGN(auto id, run(r.run));
    return Inputs{engine::Retry{id, r.id, r.with_dependents, who}};
  }
  Result<Inputs> operator()(const wire::SkipNode& r) {
    SPARKY_ASSIGN(auto id, run(r.run));
    return Inputs{engine::Skip{id, r.id, who, r.note}};
  }
  Result<Inputs> operator()(const wire::CancelNode& r) {
    SPARKY_ASSIGN(auto id, run(r.run));
    return Inputs{engine::CancelNode{id, r.id, who, r.note}};
  }
  Result<Inputs> operator()(const wire::Decide& r) {
    using engine::Answer;
    SPARKY_ASSIGN(auto answer, word(r.answer, {Answer::approve, Answer::reject, Answer::waive}, "answer"));
    SPARKY_ASSIGN(auto id, run(r.run));
    return Inputs{engine::Decide{id, r.target, answer, who, r.note}};
  }
  Result<Inputs> operator()(const wire::CloseEscalation& r) {
    return Inputs{engine::CloseEscalation{r.escalation, who}};
  }
  Result<Inputs> operator()(const wire::SpawnOrchestrator& r) {
    SPARKY_ASSIGN(auto* run, ledger.run(r.run));
    SPARKY_ASSIGN(auto plan, with_orchestrator(*run->plan, r));
    return Inputs{engine::UpdatePlan{run->id, std::make_shared<const plan::Plan>(std::move(plan)), who}};
  }
  Result<Inputs> operator()(const wire::SpawnAgent& r) {
    SPARKY_ASSIGN(auto* run, ledger.run(r.run));
    SPARKY_ASSIGN(auto plan, with_agent(*run->plan, r));
    return Inputs{engine::UpdatePlan{run->id, std::make_shared<const plan::Plan>(std::move(plan)), who}};
  }
  Result<Inputs> operator()(const wire::SubmitJob& r) {
    using engine::JobPriority;
    engine::JobSpec spec{.id = r.id, .kind = r.kind, .model = r.model};
    spec.request = json_text(r.request ? *r.request : Json::object());
    SPARKY_ASSIGN(spec.priority,
                  word(r.priority.empty() ? "normal" : r.priority,
                       {JobPriority::urgent, JobPriority::high, JobPriority::normal, JobPriority::low}, "priority"));
    if (r.kind.empty()) return fail(Errc::invalid, "field 'kind' is empty");
    SPARKY_TRY(limits(r.id, r.request));
    if (!state.job(r.id)) SPARKY_TRY(desk.somebody_can(r.kind));
    if (!(r.timeout_s >= 0 && r.timeout_s < 1e9)) return fail(Errc::invalid, "field 'timeout_s' is out of range");
    spec.after = r.after;
    spec.retries = r.retries;
    spec.timeout = Duration(int64_t(r.timeout_s * 1000));
    spec.memory = r.memory_bytes;
    spec.client = who;
    return Inputs{engine::SubmitJob{std::move(spec)}};
  }
  Result<Inputs> operator()(const wire::Generate& r) {
    if (r.id.empty() || !state.job(r.id)) {  // a repeated request gets its reply, whoever is there now
      auto known = desk.models();
      auto same = [&](const wire::Model& m) { return m.name == r.model; };
      if (std::ranges::none_of(known, same))
        return fail(Errc::not_found, fmt::format("there is no model '{}'", r.model),
                    "list_models names those there are");
      SPARKY_TRY(desk.somebody_can("generate"));
    }
    engine::JobSpec spec{.id = r.id, .kind = "generate", .model = r.model};
    SPARKY_TRY(limits(r.id, nullptr));
    SPARKY_TRY(sizes(r));
    // The request as it came, so that nothing of it is dropped on the way to the worker.
    spec.request = wire::encode(wire::Request(r), {}, wire::Encoding::json);
    spec.client = who;
    return Inputs{engine::SubmitJob{std::move(spec)}};
  }
  Result<Inputs> operator()(const wire::Cancel& r) { return Inputs{engine::CancelJob{r.job_id, who}}; }
  Result<Inputs> operator()(const wire::RetryJob& r) { return Inputs{engine::RetryJob{r.id}}; }
  Result<Inputs> operator()(const wire::ClearJobs& r) { return Inputs{engine::ClearJobs{r.ids}}; }
  Result<Inputs> operator()(const wire::PauseQueue& r) { return Inputs{engine::PauseQueue{r.paused, who}}; }
  template <class Other>
  Result<Inputs> operator()(const Other& other) {
    return fail(Errc::internal, fmt::format("'{}' does not act on the engine", other.type));
  }
};

Result<Inputs> Desk::order(const wire::Asked& asked, Time) {
  return std::visit(Order{*this, asked.envelope}, asked.body);
}

wire::ErrorReply error_reply(const Error& error) {
  static constexpr std::string_view codes[] = {"invalid", "not_found", "exists", "busy",      "denied",  "unavailable",
                                               "corrupt", "io",        "full",   "cancelled", "internal"};
  return {error.message, error.help, std::string(codes[static_cast<int>(error.code)]), {}};
}

wire::Reply refusal(const wire::Request& request, const Error& error) {
  auto about_job = [&](const std::string& id) { return wire::JobError{id, error.text()}; };
  if (auto* r = std::get_if<wire::Generate>(&request)) return about_job(r->id);
  if (auto* r = std::get_if<wire::Cancel>(&request)) return about_job(r->job_id);
  if (auto* r = std::get_if<wire::SubmitJob>(&request)) return about_job(r->id);
  return error_reply(error);
}

wire::Reply Desk::settle(const wire::Asked& asked, bool created, const std::vector<Result<engine::Reply>>& replies) {
  std::vector<std::string> notes;
  engine::Reply last;
  for (auto& reply : replies) {
    if (!reply) return refusal(asked.body, reply.error());
    notes.insert(notes.end(), reply->notes.begin(), reply->notes.end());
    last = *reply;
  }
  if (std::holds_alternative<wire::StartRun>(asked.body))
    return wire::RunStarted{last.run, !created || last.existing, std::move(notes), ledger_.newest()};
  bool job = std::holds_alternative<wire::Generate>(asked.body) || std::holds_alternative<wire::SubmitJob>(asked.body);
  if (job) {
    auto* accepted = state_.job(last.job_id);
    auto seconds = accepted ? engine::estimated_seconds(state_, accepted->spec) : std::nullopt;
    return wire::JobAccepted{last.job_id, seconds.value_or(0)};
  }
  if (auto* r = std::get_if<wire::Cancel>(&asked.body)) return wire::JobCancelled{r->job_id};
  return wire::Done{std::move(notes), ledger_.newest()};
}

wire::Reply Desk::prune(const wire::Prune& request, Time now) {
  std::vector<engine::RunId> runs;
  uint32_t ended = 0;
  for (auto it = state_.runs.rbegin(); it != state_.runs.rend(); ++it) {
    auto standing = engine::standing(it->second);
    bool over = standing == engine::Standing::completed || standing == engine::Standing::cancelled;
    bool named = std::ranges::find(request.runs, it->first) != request.runs.end();
    if (request.runs.empty() ? over && ended++ >= request.keep : named) runs.push_back(it->first);
  }
  for (auto id : request.runs)
    if (auto run = ledger_.run(id); !run) return error_reply(run.error());
  auto files = ledger_.archive(runs, now);
  if (!files) return error_reply(files.error());
  return wire::Pruned{std::move(runs), std::move(*files)};
}

}  // namespace sparky::conductor
