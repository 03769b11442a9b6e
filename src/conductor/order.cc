// Requests that act: into inputs for the engine, and its replies into answers.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ranges>

#include "base/diagnostic.h"
#include "base/hash.h"
#include "conductor/desk.h"
#include "conductor/proposal.h"
#include "conductor/spawn.h"
#include "engine/view.h"
#include "plan/check.h"
#include "plan/plan_json.h"
#include "plan/toml.h"

namespace sparky::conductor {
namespace fs = std::filesystem;
using engine::Input;

namespace {

Result<std::shared_ptr<const plan::Plan>> load(const std::string& file, const fs::path& project) {
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
  return std::make_shared<const plan::Plan>(with_merges(std::move(parsed.plan), project));
}

Ordered just(Input input) { return {{std::move(input)}, {}}; }

constexpr size_t id_max = 200, prompt_max = 20'000, request_max = 1 << 20, after_max = 1000, queue_max = 1'000'000,
                 client_jobs_max = 200'000;

std::string digest_of(const wire::Request& request) {
  return sha256_hex(wire::encode(request, {}, wire::Encoding::json));
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
  Status limits(std::initializer_list<std::pair<std::string_view, std::string_view>> names,
                const wire::Document& request) const {
    for (auto& [field, text] : names)
      if (text.size() > id_max)
        return fail(Errc::invalid, fmt::format("field '{}' has more than {} bytes", field, id_max));
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
    for (auto& [field, text] :
         {std::pair("prompt", &r.prompt), std::pair("negative", r.negative ? &*r.negative : nullptr)})
      if (text && text->size() > prompt_max)
        return fail(Errc::invalid, fmt::format("field '{}' has more than {} bytes", field, prompt_max));
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

  Result<Ordered> operator()(const wire::StartRun& r) {
    SPARKY_ASSIGN(auto plan, load(r.plan, ledger.project()));
    engine::RunOptions options{.jobs = r.jobs ? r.jobs : uint32_t(std::max(0, plan->jobs)),
                               .until = r.until,
                               .only = r.only,
                               .facts = desk.around_.facts};
    options.facts.insert(options.facts.end(), r.facts.begin(), r.facts.end());
    const engine::Run* earlier = nullptr;
    for (auto& [id, run] : state.runs)
      if (!run.plan->files.empty() && run.plan->files[0] == plan->files[0]) earlier = &run;
    Ordered ordered;
    // Who asks for more at once than there are cores knows why: agents wait for others most of the time.
    if (options.jobs > state.slots)
      ordered.inputs.push_back(engine::SetSlots{options.jobs, std::max(state.ahead, options.jobs)});
    if (!earlier || r.fresh) {
      ordered.inputs.push_back(engine::CreateRun{plan, options});
      return ordered;
    }
    if (!earlier->plan->spawned.empty()) {
      SPARKY_ASSIGN(auto whole, spawn_again(*plan, *earlier->plan));
      plan = std::make_shared<const plan::Plan>(with_merges(std::move(whole), ledger.project()));
    }
    if (plan::to_json(*earlier->plan) != plan::to_json(*plan))
      ordered.inputs.push_back(engine::UpdatePlan{earlier->id, plan, who});
    ordered.inputs.push_back(engine::SetOptions{earlier->id, options});
    ordered.inputs.push_back(engine::Resume{earlier->id, who});  // also says what stays failed
    return ordered;
  }
  Result<Ordered> operator()(const wire::PauseRun& r) {
    SPARKY_ASSIGN(auto id, run(r.run));
    return just(engine::Pause{id, who});
  }
  Result<Ordered> operator()(const wire::ResumeRun& r) {
    SPARKY_ASSIGN(auto id, run(r.run));
    return just(engine::Resume{id, who});
  }
  Result<Ordered> operator()(const wire::CancelRun& r) {
    SPARKY_ASSIGN(auto id, run(r.run));
    return just(engine::CancelRun{id, who});
  }
  Result<Ordered> operator()(const wire::RetryNode& r) {
    SPARKY_ASSIGN(auto id, run(r.run));
    return just(engine::Retry{id, r.id, r.with_dependents, who});
  }
  Result<Ordered> operator()(const wire::SkipNode& r) {
    SPARKY_ASSIGN(auto id, run(r.run));
    return just(engine::Skip{id, r.id, who, r.note});
  }
  Result<Ordered> operator()(const wire::CancelNode& r) {
    SPARKY_ASSIGN(auto id, run(r.run));
    return just(engine::CancelNode{id, r.id, who, r.note});
  }
  Result<Ordered> operator()(const wire::Decide& r) {
    using engine::Answer;
    SPARKY_ASSIGN(auto answer, word(r.answer, {Answer::approve, Answer::reject, Answer::waive}, "answer"));
    SPARKY_ASSIGN(auto id, run(r.run));
    engine::Decide decide{id, r.target, answer, who, r.note};
    return answer == Answer::approve ? carried_out(ledger, decide) : just(decide);
  }
  Result<Ordered> operator()(const wire::CloseEscalation& r) {
    return just(engine::CloseEscalation{r.escalation, who});
  }
  template <class Request>
  Result<Ordered> spawned(const Request& r) {
    SPARKY_ASSIGN(auto* run, ledger.run(r.run));
    SPARKY_ASSIGN(auto spawned, spawn(*run->plan, r));
    auto plan = std::make_shared<const plan::Plan>(with_merges(std::move(spawned.plan), ledger.project()));
    return Ordered{{engine::UpdatePlan{run->id, std::move(plan), who}}, std::move(spawned.notes)};
  }
  Result<Ordered> operator()(const wire::SpawnOrchestrator& r) { return spawned(r); }
  Result<Ordered> operator()(const wire::SpawnAgent& r) { return spawned(r); }
  Result<Ordered> operator()(const wire::SubmitJob& r) {
    using engine::JobPriority;
    engine::JobSpec spec{.id = r.id, .kind = r.kind, .model = r.model};
    spec.request = json_text(r.request ? *r.request : Json::object());
    SPARKY_ASSIGN(spec.priority,
                  word(r.priority.empty() ? "normal" : r.priority,
                       {JobPriority::urgent, JobPriority::high, JobPriority::normal, JobPriority::low}, "priority"));
    if (r.kind.empty()) return fail(Errc::invalid, "field 'kind' is empty");
    SPARKY_TRY(limits({{"id", r.id}, {"kind", r.kind}, {"model", r.model}, {"worker", r.worker}}, r.request));
    if (r.after.size() > after_max)
      return fail(Errc::invalid, fmt::format("field 'after' names more than {} jobs", after_max));
    if (!(r.timeout_s >= 0 && r.timeout_s < 1e9)) return fail(Errc::invalid, "field 'timeout_s' is out of range");
    spec.after = r.after;
    spec.retries = r.retries;
    spec.timeout = Duration(int64_t(r.timeout_s * 1000));
    spec.memory = r.memory_bytes;
    spec.worker = r.worker;
    spec.client = who;
    if (!state.job(r.id)) SPARKY_TRY(desk.can_be_done(spec));
    return just(engine::SubmitJob{std::move(spec)});
  }
  Result<Ordered> operator()(const wire::Generate& r) {
    engine::JobSpec spec{.id = r.id, .kind = "generate", .model = r.model};
    SPARKY_TRY(limits({{"id", r.id}, {"model", r.model}, {"lora", r.lora.value_or("")}}, nullptr));
    SPARKY_TRY(sizes(r));
    // The request as it came, so that nothing of it is dropped on the way to the worker.
    spec.request = wire::encode(wire::Request(r), {}, wire::Encoding::json);
    spec.client = who;
    if (!state.job(r.id)) SPARKY_TRY(desk.can_be_done(spec));  // a repeated one gets its reply, whoever is there now
    return just(engine::SubmitJob{std::move(spec)});
  }
  Result<Ordered> operator()(const wire::Cancel& r) { return just(engine::CancelJob{r.job_id, who}); }
  Result<Ordered> operator()(const wire::RetryJob& r) { return just(engine::RetryJob{r.id}); }
  Result<Ordered> operator()(const wire::ClearJobs& r) { return just(engine::ClearJobs{r.ids}); }
  Result<Ordered> operator()(const wire::MoveJob& r) {
    if (!r.before.empty() && r.last)
      return fail(Errc::invalid, "'before' and 'last' exclude each other", "give one of them, or none for the front");
    return just(engine::MoveJob{r.id, r.before, r.last, who});
  }
  Result<Ordered> operator()(const wire::PauseQueue& r) { return just(engine::PauseQueue{r.paused, who}); }
  // Who asks copies their records first: Ledger::copy_records().
  Result<Ordered> operator()(const wire::Prune& r) {
    for (auto id : r.runs) SPARKY_TRY(run(id));
    Ordered ordered;
    uint32_t ended = 0;
    for (auto& [id, run] : std::views::reverse(state.runs)) {
      auto standing = engine::standing(run);
      bool over = standing == engine::Standing::completed || standing == engine::Standing::cancelled;
      bool named = std::ranges::find(r.runs, id) != r.runs.end();
      if (named && standing == engine::Standing::running)
        return fail(Errc::busy, fmt::format("run {} is live", id), "pause or cancel it, and wait until it has stopped");
      if (r.runs.empty() ? over && ended++ >= r.keep : named)
        ordered.inputs.push_back(engine::ArchiveRun{id, run.changed});
    }
    return ordered;
  }
  template <class Other>
  Result<Ordered> operator()(const Other& other) {
    return fail(Errc::internal, fmt::format("'{}' does not act on the engine", other.type));
  }
};

Result<Ordered> Desk::order(const wire::Asked& asked) { return std::visit(Order{*this, asked.envelope}, asked.body); }

std::optional<wire::Reply> Desk::answered(const wire::Asked& asked) const {
  auto* kept = asked.envelope.key.empty() ? nullptr : state_.kept_reply(asked.envelope.key);
  if (!kept || kept->digest.empty()) return std::nullopt;
  if (kept->digest != digest_of(asked.body))
    return refusal(asked.body,
                   {Errc::exists, fmt::format("the key '{}' belongs to another request", asked.envelope.key),
                    "take a new key for each request, and the same one only to repeat it"});
  if (kept->reply.empty())
    return refusal(asked.body, {Errc::unavailable,
                                fmt::format("whether the request with the key '{}' was done is not known: "
                                            "Sparky ended while it was under way",
                                            asked.envelope.key),
                                "look; if it was not done, ask again with a new key"});
  auto json = parse_json(kept->reply);
  auto reply = json ? wire::decode_reply(*json) : std::unexpected(json.error());
  return reply ? std::move(*reply) : error_reply(reply.error());
}

std::optional<engine::Input> Desk::keep(const wire::Asked& asked, const wire::Reply& reply) const {
  if (asked.envelope.key.empty()) return std::nullopt;
  if (std::holds_alternative<wire::ErrorReply>(reply) || std::holds_alternative<wire::JobError>(reply))
    return std::nullopt;  // nothing was done, so it may be tried again
  return engine::KeepReply{asked.envelope.key, digest_of(asked.body), wire::encode(reply, {}, wire::Encoding::json)};
}

std::optional<engine::Input> Desk::begun(const wire::Asked& asked) const {
  if (asked.envelope.key.empty()) return std::nullopt;
  return engine::KeepReply{asked.envelope.key, digest_of(asked.body), {}};
}

std::optional<engine::Input> Desk::not_done(const wire::Asked& asked) const {
  if (asked.envelope.key.empty()) return std::nullopt;
  return engine::KeepReply{asked.envelope.key, {}, {}};
}

wire::Reply refusal(const wire::Request& request, const Error& error) {
  auto about_job = [&](const std::string& id) { return wire::JobError{id, error.text()}; };
  if (auto* r = std::get_if<wire::Generate>(&request)) return about_job(r->id);
  if (auto* r = std::get_if<wire::Cancel>(&request)) return about_job(r->job_id);
  if (auto* r = std::get_if<wire::SubmitJob>(&request)) return about_job(r->id);
  return error_reply(error);
}

wire::Reply Desk::settle(const wire::Asked& asked, const Ordered& ordered,
                         const std::vector<Result<engine::Reply>>& replies) {
  auto notes = ordered.notes;
  engine::Reply last;
  for (auto& reply : replies) {
    if (!reply) return refusal(asked.body, reply.error());
    notes.insert(notes.end(), reply->notes.begin(), reply->notes.end());
    last = *reply;
  }
  if (std::holds_alternative<wire::StartRun>(asked.body)) {
    bool created = std::ranges::any_of(ordered.inputs,
                                       [](auto& input) { return std::holds_alternative<engine::CreateRun>(input); });
    return wire::RunStarted{last.run, !created, std::move(notes), ledger_.newest()};
  }
  if (std::holds_alternative<wire::Prune>(asked.body)) return wire::Pruned{archived(ordered), std::move(notes)};
  bool job = std::holds_alternative<wire::Generate>(asked.body) || std::holds_alternative<wire::SubmitJob>(asked.body);
  if (job) {
    auto* accepted = state_.job(last.job_id);
    auto seconds = accepted ? engine::estimated_seconds(state_, accepted->spec) : std::nullopt;
    return wire::JobAccepted{last.job_id, seconds.value_or(0)};
  }
  if (auto* r = std::get_if<wire::Cancel>(&asked.body)) return wire::JobCancelled{r->job_id};
  return wire::Done{std::move(notes), ledger_.newest()};
}

std::vector<engine::RunId> archived(const Ordered& ordered) {
  std::vector<engine::RunId> runs;
  for (auto& input : ordered.inputs)
    if (auto* archive = std::get_if<engine::ArchiveRun>(&input)) runs.push_back(archive->run);
  return runs;
}

}  // namespace sparky::conductor
