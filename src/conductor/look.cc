// Requests that only look.
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "conductor/agent_task.h"
#include "conductor/attempts.h"
#include "conductor/desk.h"
#include "conductor/local_workers.h"
#include "engine/view.h"

namespace sparky::conductor {
namespace fs = std::filesystem;
using engine::JobState;
using wire::Reply;

namespace {

template <class T>
Reply answer(Result<T> result) {
  if (!result) return error_reply(result.error());
  return std::move(*result);
}

Result<engine::NodeId> find_node(const engine::Run& run, const std::string& id) {
  if (auto node = run.graph->find(id); node != engine::no_node) return node;
  auto near = nearest(id, run.graph->names());
  return fail(Errc::not_found, fmt::format("run {} has no '{}'", run.id, id),
              near ? fmt::format("did you mean '{}'?", *near) : "`sparky status` lists what it has");
}

// Logs on disk, by the numbers in their names; what is live may have none yet.
Result<std::vector<wire::LogFile>> list_logs(const fs::path& directory, const engine::State& state) {
  std::vector<wire::LogFile> logs;
  std::error_code ec;
  for (auto& entry : fs::directory_iterator(directory, ec)) {
    auto name = entry.path().stem().string();
    auto number = attempt_number(name);
    if (number == 0 || entry.path().extension() != ".log") continue;
    auto what = name.substr(name.find('-') + 1);
    logs.push_back(
        {number, what, entry.path().string(), fs::file_size(entry.path(), ec), state.attempt(number) != nullptr});
  }
  std::ranges::sort(logs, {}, &wire::LogFile::attempt);
  return logs;
}

}  // namespace

struct Look {
  Desk& desk;
  Time now;
  Ledger& ledger = desk.ledger_;
  const engine::State& state = desk.state_;
  using Answer = Reply;

  Answer operator()(const wire::Ping&) { return wire::Pong{}; }
  Answer operator()(const wire::ListModels&) { return wire::ModelList{desk.models()}; }
  Answer operator()(const wire::StatusRequest&) {
    wire::StatusInfo info{.version = std::string(wire::protocol_version)};
    for (auto& [id, job] : state.jobs) {
      info.queue_size += job.state == engine::JobState::queued;
      info.active_jobs += job.state == engine::JobState::running;
    }
    info.uptime_s = double((now - desk.around_.started).count()) / 1000;
    return info;
  }
  Answer operator()(const wire::GetStatus& r) {
    auto* job = state.job(r.job_id);
    if (!job) return wire::JobError{r.job_id, fmt::format("there is no job '{}'", r.job_id)};
    if (job->state != engine::JobState::completed) return wire::JobStatus{r.job_id, std::string(name(job->state))};
    auto result = parse_json(job->result.empty() ? "{}" : job->result).value_or(Json::object());
    return wire::JobResult{result.is_object() ? result.value("image_path", "") : "", wire::document(result)};
  }
  Answer operator()(const wire::Hello&) {
    char host[256] = {};
    (void)::gethostname(host, sizeof host - 1);
    return wire::Welcome{SPARKY_VERSION,
                         std::string(wire::protocol_version),
                         ledger.project().string(),
                         host,
                         ::getpid(),
                         ledger.newest(),
                         desk.around_.addresses};
  }
  Answer operator()(const wire::ListRuns&) {
    Json runs = Json::array();
    for (auto it = state.runs.rbegin(); it != state.runs.rend(); ++it) {
      auto& run = it->second;
      uint32_t total = 0, done = 0;
      for (int s = 0; s < engine::stage_count; ++s) {
        total += run.counts[size_t(s)];
        if (satisfies(engine::Stage(s))) done += run.counts[size_t(s)];
      }
      runs.push_back({{"run", run.id},
                      {"plan", run.plan->name},
                      {"file", run.plan->files.empty() ? "" : run.plan->files[0]},
                      {"state", name(engine::standing(run))},
                      {"created", iso(run.created)},
                      {"changed", iso(run.changed)},
                      {"progress", engine::progress(state, run)},
                      {"done", done},
                      {"total", total}});
    }
    return wire::RunList{wire::document(std::move(runs))};
  }
  Answer operator()(const wire::RunStatus& r) {
    auto run = ledger.run(r.run);
    if (!run) return error_reply(run.error());
    auto status = engine::status(state, **run, now);
    add_costs(status, ledger.project());
    return wire::RunState{(*run)->id, wire::document(std::move(status)), ledger.newest()};
  }
  Answer operator()(const wire::ShowNode& r) {
    auto show = [&]() -> Result<wire::NodeReply> {
      SPARKY_ASSIGN(auto* run, ledger.run(r.run));
      SPARKY_ASSIGN(auto node, find_node(*run, r.id));
      auto described = engine::describe(state, *run, node, now);
      add_cost(described, ledger.project(), run->id);
      return wire::NodeReply{wire::document(std::move(described)), ledger.newest()};
    };
    return answer(show());
  }
  Answer operator()(const wire::Explain& r) {
    auto explain = [&]() -> Result<wire::Explanation> {
      SPARKY_ASSIGN(auto* run, ledger.run(r.run));
      SPARKY_ASSIGN(auto node, find_node(*run, r.id));
      wire::Explanation explanation;
      for (auto& link : engine::explain(state, *run, node, now))
        explanation.links.push_back({link.target, link.text, link.action});
      return explanation;
    };
    return answer(explain());
  }
  Answer operator()(const wire::ListLogs& r) {
    auto list = [&]() -> Result<wire::LogList> {
      if (auto* job = r.run ? nullptr : state.job(r.id)) {
        SPARKY_ASSIGN(auto logs, list_logs(log_directory(ledger.project(), *job), state));
        return wire::LogList{std::move(logs)};
      }
      SPARKY_ASSIGN(auto* run, ledger.run(r.run));
      SPARKY_ASSIGN(auto node, find_node(*run, r.id));
      SPARKY_ASSIGN(auto logs, list_logs(log_directory(ledger.project(), *run, node), state));
      return wire::LogList{std::move(logs)};
    };
    return answer(list());
  }
  Answer operator()(const wire::ReadLog& r) {
    auto read = [&]() -> Result<wire::LogPart> {
      auto path = fs::path(r.path).lexically_normal();
      auto logs = (ledger.directory() / "logs" / "").lexically_normal();
      if (!path.native().starts_with(logs.native()))
        return fail(Errc::denied, fmt::format("{} is not a log of this project", r.path), "ask list_logs for paths");
      std::ifstream in(path, std::ios::binary | std::ios::ate);
      if (!in) return fail(Errc::not_found, fmt::format("there is no log {}", r.path));
      wire::LogPart part{.offset = r.offset, .size = uint64_t(in.tellg())};
      uint64_t max = std::min<uint64_t>(r.max ? r.max : 65536, 1 << 20);
      part.data.data.resize(size_t(r.offset < part.size ? std::min(max, part.size - r.offset) : 0));
      in.seekg(std::streamoff(std::min(r.offset, part.size)));
      in.read(part.data.data.data(), std::streamsize(part.data.data.size()));
      part.data.data.resize(size_t(in.gcount()));
      return part;
    };
    return answer(read());
  }
  Answer operator()(const wire::ReadEvents& r) {
    // Else who followed another journal would wait for these numbers, and miss what comes before them.
    if (r.after > ledger.newest())
      return error_reply({Errc::invalid,
                          fmt::format("field 'after' is {}, but the newest event is {}: you followed another journal",
                                      r.after, ledger.newest()),
                          "begin anew: a snapshot (run_status), or after 0"});
    uint64_t after = r.after;
    auto events = ledger.read(after, std::min<uint64_t>(r.max ? r.max : 1000, 10'000), r.run);
    if (!events) return error_reply(events.error());
    return wire::EventList{std::move(*events), after, ledger.newest()};
  }
  Answer operator()(const wire::ListJobs& r) {
    if (!r.state.empty()) {
      auto known = word(
          r.state, {JobState::queued, JobState::running, JobState::completed, JobState::failed, JobState::cancelled},
          "state");
      if (!known) return error_reply(known.error());
    }
    constexpr size_t jobs_max = 20'000;  // so that describing them does not hold the loop
    auto max = r.max ? std::min<uint64_t>(r.max, jobs_max) : jobs_max;
    Json jobs = Json::array();
    auto line = engine::line(state);
    uint64_t last = 0, next = 0;
    for (auto it = state.jobs.upper_bound(r.after); it != state.jobs.end(); ++it) {
      if (!r.state.empty() && r.state != name(it->second.state)) continue;
      if (jobs.size() == max) {
        next = last;
        break;
      }
      jobs.push_back(describe(it->second, line));
      last = it->first;
    }
    return wire::JobList{wire::document(std::move(jobs)), state.queue_paused, next};
  }
  Answer operator()(const wire::ShowJob& r) {
    auto* job = state.job(r.id);
    if (!job)
      return error_reply({Errc::not_found, fmt::format("there is no job '{}'", r.id), "`sparky jobs` lists them"});
    return wire::JobReply{wire::document(describe(*job, engine::line(state)))};
  }
  Answer operator()(const wire::ListWorkers&) {
    Json workers = Json::array();
    for (auto& [id, worker] : state.workers) {
      workers.push_back(engine::describe(state, worker));
      auto loaded = desk.around_.loaded ? desk.around_.loaded(worker.spec.name) : std::nullopt;
      if (loaded) workers.back()["loaded"] = *loaded;
    }
    return wire::WorkerList{wire::document(std::move(workers))};
  }
  Answer operator()(const wire::Inspect&) {
    Json daemon = desk.around_.inspect ? desk.around_.inspect() : Json::object();
    daemon["version"] = SPARKY_VERSION;
    daemon["pid"] = ::getpid();
    daemon["project"] = ledger.project().string();
    daemon["addresses"] = desk.around_.addresses ? *desk.around_.addresses : Json::object();
    daemon["newest"] = ledger.newest();
    daemon["uptime_s"] = double((now - desk.around_.started).count()) / 1000;
    return wire::Inspection{wire::document(std::move(daemon))};
  }
  Json describe(const engine::Job& job, const engine::Line& line) const {
    auto out = engine::describe(state, job, now);
    auto place = line.find(job.id);
    if (place == line.end()) return out;
    out["position"] = place->second.position;
    if (place->second.eta_s) out["eta_s"] = *place->second.eta_s;
    return out;
  }
  template <class Other>
  Answer operator()(const Other& other) {
    return error_reply({Errc::internal, fmt::format("'{}' does not only look", other.type), ""});
  }
};

Reply Desk::look(const wire::Request& request, Time now) { return std::visit(Look{*this, now}, request); }

wire::Role Desk::role_of(const wire::Request& request) const {
  auto* retry = std::get_if<wire::RetryJob>(&request);
  auto* job = retry ? state_.job(retry->id) : nullptr;
  return job ? wire::role_of_kind(job->spec.kind) : wire::role_of(request);
}

bool Desk::acts(const wire::Request& request) {
  using namespace wire;
  return std::visit(
      []<class R>(const R&) {
        constexpr auto among = []<class... All>(std::variant<All...>*) { return (std::same_as<R, All> || ...); };
        using Looking = std::variant<Ping, GetStatus, ListModels, StatusRequest, Hello, ListRuns, RunStatus, ShowNode,
                                     Explain, ListLogs, ReadLog, ReadEvents, ListJobs, ShowJob, ListWorkers, Inspect>;
        return !among(static_cast<Looking*>(nullptr));
      },
      request);
}

bool Desk::needs_disk(const wire::Request& request) {
  return std::visit(
      []<class R>(const R&) {
        return !std::same_as<R, wire::Ping> && !std::same_as<R, wire::ListModels> && !std::same_as<R, wire::Hello> &&
               !std::same_as<R, wire::ReadEvents> && !std::same_as<R, wire::ReadLog> && !std::same_as<R, wire::Inspect>;
      },
      request);
}

std::vector<wire::Model> Desk::models() const {
  auto all = around_.models ? around_.models() : std::vector<wire::Model>{};
  for (auto& [id, worker] : state_.workers)
    for (auto& model : worker.spec.models)
      if (std::ranges::none_of(all, [&](auto& m) { return m.name == model; }))
        all.push_back({model, "", "checkpoint", 0});
  return all;
}

Status Desk::can_be_done(const engine::JobSpec& spec) const {
  auto has = [](const std::vector<std::string>& all, const std::string& one) {
    return std::ranges::find(all, one) != all.end();
  };
  if (!spec.worker.empty()) {
    auto named = [&](auto& entry) { return entry.second.spec.name == spec.worker; };
    auto worker = std::ranges::find_if(state_.workers, named);
    if (worker == state_.workers.end())
      return fail(Errc::not_found, fmt::format("there is no worker '{}' now", spec.worker),
                  "`sparky workers` lists those that are connected");
    auto& w = worker->second.spec;
    bool model = spec.model.empty() || w.models.empty() || has(w.models, spec.model);
    if (has(w.kinds, spec.kind) && model && w.memory >= spec.memory) return {};
    return fail(Errc::invalid,
                fmt::format("worker '{}' does not do '{}'{}{}", spec.worker, spec.kind,
                            spec.model.empty() ? "" : " with ", spec.model),
                "`sparky workers` says what each does");
  }
  bool kind = false;
  for (auto& [id, worker] : state_.workers) {
    auto& w = worker.spec;
    kind = kind || has(w.kinds, spec.kind);
    bool model = spec.model.empty() || w.models.empty() || has(w.models, spec.model);
    // Not if it is one of ours, which is asked below.
    bool ours = std::ranges::any_of(around_.programs, [&](auto& p) { return local_worker_name(p) == w.name; });
    if (!ours && model && has(w.kinds, spec.kind) && w.memory >= spec.memory) return {};
  }
  for (auto& program : around_.programs) {
    if (!has(program.kinds, spec.kind)) continue;
    kind = true;
    if (!spec.model.empty() && program.models && !has(program.models(), spec.model)) continue;
    if (!program.check) return {};
    SPARKY_ASSIGN(auto request, parse_json(spec.request));
    return program.check(spec.kind, request);
  }
  if (kind && !spec.model.empty())
    return fail(Errc::not_found, fmt::format("nobody here has the model '{}'", spec.model),
                "`sparky models` and list_models name those there are");
  return fail(Errc::unavailable, fmt::format("no worker is connected that can do '{}'", spec.kind),
              fmt::format("start one: sparky worker --kind {}", spec.kind));
}

}  // namespace sparky::conductor
