#include "conductor/spawn.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "agents/profile.h"
#include "base/diagnostic.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "plan/by_agent.h"
#include "plan/check.h"
#include "plan/import.h"
#include "plan/spec.h"
#include "plan/toml.h"

namespace sparky::conductor {
namespace fs = std::filesystem;

namespace {

constexpr size_t spec_max_bytes = 4u << 20;

template <class Things>
auto* find(Things& things, const std::string& id) {
  auto it = std::ranges::find_if(things, [&](auto& thing) { return thing.id == id; });
  return it == things.end() ? nullptr : &*it;
}

bool has(const std::vector<std::string>& list, const std::string& id) {
  return std::ranges::find(list, id) != list.end();
}
void add(std::vector<std::string>& list, const std::string& id) {
  if (!has(list, id)) list.push_back(id);
}

// The id that a name means: itself, or that of an orchestrator which is only written differently.
std::string meant(const plan::Plan& plan, const std::string& name) {
  if (find(plan.orchestrators, name) || find(plan.workstreams, name) || find(plan.gates, name)) return name;
  auto key = plan::orchestrator_key(name);
  for (auto& o : plan.orchestrators)
    if (plan::orchestrator_key(o.id) == key || plan::orchestrator_key(o.name) == key) return o.id;
  return name;
}

Result<std::vector<std::string>> meant(const plan::Plan& plan, const std::vector<std::string>& names,
                                       std::string_view option) {
  std::vector<std::string> out, all;
  for (auto& o : plan.orchestrators) all.push_back(o.id);
  for (auto& w : plan.workstreams) all.push_back(w.id);
  for (auto& g : plan.gates) all.push_back(g.id);
  for (auto& name : names) {
    auto id = meant(plan, name);
    if (!has(all, id)) {
      auto near = nearest(id, all);
      return fail(Errc::not_found, fmt::format("{}: the plan has no '{}'", option, id),
                  near ? fmt::format("did you mean '{}'?", *near) : "`sparky plan show` lists what it has");
    }
    add(out, id);
  }
  return out;
}

Status usable(std::string_view id, std::string_view what) {
  auto wrong = plan::bad_id(id);
  if (wrong.empty()) return {};
  return fail(Errc::invalid, fmt::format("'{}' cannot be the id of {}: {}", id, what, wrong));
}

// Whatever waits for `from`, or is held back with it, is so for `to` as well, which has workstreams of it.
void hand_over(plan::Plan& plan, const std::string& from, const std::string& to) {
  bool emptied = std::ranges::none_of(plan.workstreams, [&](auto& w) { return w.orchestrator == from; });
  auto follow = [&](std::vector<std::string>& list, bool of_its_own) {
    if (!of_its_own && has(list, from)) add(list, to);
    if (emptied) std::erase(list, from);
  };
  for (auto& g : plan.gates) follow(g.after, false), follow(g.before, false);
  for (auto& w : plan.workstreams) follow(w.depends_on, w.orchestrator == to);
  for (auto& o : plan.orchestrators) follow(o.depends_on, o.id == to);
  if (emptied) std::erase_if(plan.orchestrators, [&](auto& o) { return o.id == from; });
}

// A plan that would not be accepted from a file is not accepted so either.
Status sound(const plan::Plan& plan) {
  for (auto& finding : plan::check(plan, nullptr, {.files = false}))
    if (finding.severity == Severity::error)
      return fail(Errc::invalid, "the plan would not be sound: " + finding.message, finding.help);
  return {};
}

template <class Request>
Result<Spawned> remembered(Spawned spawned, Request request) {
  SPARKY_TRY(sound(spawned.plan));
  request.run = 0;
  add(spawned.plan.spawned, wire::encode(wire::Request(std::move(request)), {}, wire::Encoding::json));
  return spawned;
}

// The spec, relative to the plan file, wherever the name was meant to begin; empty: there is no such file.
std::string find_spec(const plan::Plan& plan, const std::string& name) {
  std::error_code ec;
  for (auto& base : {plan::directory(plan), plan::root(plan)})
    if (auto path = (base / name).lexically_normal(); fs::is_regular_file(path, ec))
      return path.lexically_relative(plan::directory(plan)).string();
  return {};
}

// A new workstream as its spec has it; without a spec it is a name, and a person says when it is done.
Result<plan::Workstream> made_from_spec(Spawned& into, const wire::SpawnAgent& request) {
  plan::Workstream made;
  if (request.spec.empty()) {
    made.name = request.workstream;
    made.criteria.push_back({.text = fmt::format("{} is done", request.workstream), .manual = true});
  } else {
    SPARKY_ASSIGN(auto text, read_file(plan::directory(into.plan) / request.spec, spec_max_bytes));
    auto read = plan::import_spec(text, request.spec, request.workstream, into.plan);
    for (auto& finding : read.report) into.notes.push_back(finding.text());
    made = std::move(read.workstream);
    made.where = {};
    for (auto& criterion : made.criteria) criterion.where = {};
    if (read.owner) into.plan.orchestrators.push_back({.id = read.owner->id, .name = read.owner->name});
  }
  made.id = request.workstream;
  if (!made.orchestrator.empty()) return made;
  auto& orchestrators = into.plan.orchestrators;
  if (orchestrators.size() != 1 && !find(orchestrators, "spawned"))
    orchestrators.push_back({.id = "spawned", .name = "Spawned"});
  made.orchestrator = orchestrators.size() == 1 ? orchestrators[0].id : "spawned";
  return made;
}

}  // namespace

Result<Spawned> spawn(plan::Plan plan, wire::SpawnOrchestrator request) {
  if (request.id.empty()) return fail(Errc::invalid, "the orchestrator has no name", "spawn orchestrator NAME …");
  auto id = meant(plan, request.id);
  if (find(plan.workstreams, id) || find(plan.gates, id))
    return fail(Errc::exists, fmt::format("'{}' is a workstream or gate of the plan", id), "take another name");
  auto phase = plan::parse_phase(request.phase.empty() ? "mixed" : request.phase);
  if (!phase)
    return fail(Errc::invalid, fmt::format("--phase is '{}'", request.phase),
                "write sequential, parallel, sequential-then-parallel or mixed");
  if (!find(plan.orchestrators, id)) {
    SPARKY_TRY(usable(id, "an orchestrator"));
    plan.orchestrators.push_back({.id = id, .name = id});
  }
  auto& orchestrator = *find(plan.orchestrators, id);
  if (!request.phase.empty()) orchestrator.phase = *phase;
  if (!request.depends_on.empty()) {
    SPARKY_ASSIGN(orchestrator.depends_on, meant(plan, request.depends_on, "--depends-on"));
  }
  std::set<std::string> former;
  for (auto& ws : request.workstreams) {
    auto* workstream = find(plan.workstreams, ws);
    if (!workstream)
      return fail(Errc::not_found, fmt::format("--workstreams: the plan has no '{}'", ws),
                  fmt::format("add it first: sparky spawn agent TYPE --workstream {} --spec FILE", ws));
    if (workstream->orchestrator != id) former.insert(std::exchange(workstream->orchestrator, id));
  }
  for (auto& from : former) hand_over(plan, from, id);
  return remembered({std::move(plan), {}}, std::move(request));
}

namespace {

// The workstreams that a proposal names, as far as it says something of them.
Result<std::vector<plan::Workstream>> read_change(const Change& change) {
  auto text = std::string(trim(change.change));
  if (text.starts_with("```")) {  // as agents write it
    text.erase(0, text.find('\n') + 1);
    text.erase(std::min(text.size(), text.rfind("```")));
  }
  auto parsed = plan::parse_plan("[plan]\nname = \"proposal\"\n" + text, "the proposal");
  for (auto& problem : parsed.problems)
    if (problem.severity == Severity::error) return fail(Errc::invalid, problem.message, problem.help);
  if (!parsed.readable || parsed.plan.workstreams.empty())
    return fail(Errc::invalid, "there is no [[workstream]] in it");
  return std::move(parsed.plan.workstreams);
}

Status split_off(plan::Plan& plan, const plan::Workstream& from, plan::Workstream made,
                 const std::set<std::string>& begun) {
  if (auto wrong = usable(made.id, "a workstream"); !wrong) return wrong;
  if (meant(plan, made.id) != made.id || find(plan.workstreams, made.id) || find(plan.orchestrators, made.id) ||
      find(plan.gates, made.id))
    return fail(Errc::denied, fmt::format("the plan has '{}' already", made.id));
  if (made.name.empty()) made.name = made.id;
  if (made.orchestrator.empty()) made.orchestrator = from.orchestrator;
  if (made.agents.empty() && made.run.empty()) made.agents = from.agents;
  if (made.criteria.empty()) made.criteria.push_back({.text = fmt::format("{} is done", made.name), .manual = true});
  made.where = {};
  for (auto& criterion : made.criteria) criterion.where = {};
  for (auto& w : plan.workstreams)
    if (has(w.depends_on, from.id) && !begun.contains(w.id) && !has(made.depends_on, w.id)) add(w.depends_on, made.id);
  for (auto& g : plan.gates)
    if (has(g.after, from.id)) add(g.after, made.id);
  plan.workstreams.push_back(std::move(made));
  return {};
}

}  // namespace

Result<Spawned> propose(plan::Plan plan, const Change& change, const std::set<std::string>& begun) {
  SPARKY_ASSIGN(auto named, read_change(change));
  auto* subject = find(plan.workstreams, change.workstream);
  if (!subject) return fail(Errc::denied, fmt::format("the plan has no '{}' any more", change.workstream));
  auto from = *subject;
  for (auto& said : named) {
    if (change.kind == "split") {
      SPARKY_TRY(split_off(plan, from, std::move(said), begun));
      continue;
    }
    auto* workstream = find(plan.workstreams, said.id);
    if (!workstream) return fail(Errc::denied, fmt::format("the plan has no '{}'", said.id));
    if (change.kind == "estimate") {
      if (!said.duration) return fail(Errc::invalid, fmt::format("it says no duration of {}", said.id));
      workstream->duration = said.duration;
    } else {
      if (begun.contains(said.id))
        return fail(Errc::denied, fmt::format("{} has begun: what it waits for cannot be changed", said.id));
      SPARKY_ASSIGN(workstream->depends_on, meant(plan, said.depends_on, "depends_on"));
    }
  }
  if (auto fine = sound(plan); !fine) return fail(Errc::denied, fine.error().message, fine.error().help);
  add(plan.spawned,
      json_text(Json{
          {"type", "proposal"}, {"kind", change.kind}, {"workstream", change.workstream}, {"change", change.change}}));
  return Spawned{std::move(plan), {}};
}

plan::Plan with_merges(plan::Plan plan, const fs::path& project) {
  constexpr Duration merge_timeout{4 * 3'600'000};  // it waits its turn, and may have to check again
  auto by_agent = [&](const plan::Workstream& w) { return plan::done_by_agent(plan, w); };
  if (std::ranges::none_of(plan.workstreams, by_agent)) return plan;
  auto profiles = agents::load_profiles(plan.agents_toml, project);
  for (auto& w : plan.workstreams) {
    std::erase_if(w.criteria, plan::merges);
    if (!by_agent(w)) continue;
    w.criteria.push_back({.text = "Merged, with every check passed on what is merged",
                          .check = std::string(plan::merge_check),
                          .timeout = merge_timeout});
    if (auto profile = profiles.find(w.agents[0]); profile && w.retries.max == 0) w.retries.max = profile->retries;
  }
  return plan;
}

Result<Spawned> spawn(plan::Plan plan, wire::SpawnAgent request) {
  if (request.workstream.empty()) return fail(Errc::invalid, "--workstream is missing", "--workstream WS-19");
  if (request.agent.empty()) return fail(Errc::invalid, "the agent's type is missing", "spawn agent TYPE …");
  SPARKY_TRY(usable(request.workstream, "a workstream"));
  auto priority = plan::parse_priority(request.priority.empty() ? "P2" : request.priority);
  if (!priority)
    return fail(Errc::invalid, fmt::format("--priority is '{}'", request.priority), "write P0, P1, P2 or P3");
  SPARKY_ASSIGN(auto depends_on, meant(plan, request.depends_on, "--depends"));
  Spawned out{std::move(plan), {}};
  bool fresh = !find(out.plan.workstreams, request.workstream);
  if (!request.spec.empty()) {
    auto spec = find_spec(out.plan, request.spec);
    if (spec.empty() && fresh)
      return fail(Errc::not_found, fmt::format("--spec: there is no file {}", request.spec),
                  fmt::format("a path is taken from where you are, from {}, or from the plan's root",
                              plan::directory(out.plan).string()));
    if (spec.empty())
      out.notes.push_back(
          fmt::format("there is no file {}: {} keeps the spec that the plan has", request.spec, request.workstream));
    request.spec = spec;
  }
  if (fresh) {
    SPARKY_ASSIGN(auto made, made_from_spec(out, request));
    out.plan.workstreams.push_back(std::move(made));
  }
  auto& workstream = *find(out.plan.workstreams, request.workstream);
  workstream.agents = {request.agent};
  if (!request.spec.empty()) workstream.spec = request.spec;
  if (!request.priority.empty()) workstream.priority = *priority;
  for (auto& id : depends_on) add(workstream.depends_on, id);
  if (!request.output.empty()) add(workstream.deliverables, request.output);
  return remembered(std::move(out), std::move(request));
}

Result<plan::Plan> spawn_again(plan::Plan plan, const plan::Plan& earlier) {
  auto again = [&](auto request) -> Status {
    SPARKY_ASSIGN(auto spawned, spawn(std::move(plan), std::move(request)));
    plan = std::move(spawned.plan);
    return {};
  };
  for (auto& text : earlier.spawned) {
    SPARKY_ASSIGN(auto map, parse_json(text));
    if (map.is_object() && map.value("type", "") == "proposal") {
      auto again = propose(plan, {map.value("kind", ""), map.value("workstream", ""), map.value("change", "")}, {});
      if (!again)
        return fail(again.error().code, "what was decided in the run no longer fits its plan: " + again.error().message,
                    "`sparky run --new` starts without it");
      plan = std::move(again->plan);
      continue;
    }
    SPARKY_ASSIGN(auto asked, wire::decode_request(map));
    Status done;
    if (auto* r = std::get_if<wire::SpawnOrchestrator>(&asked.body)) done = again(*r);
    if (auto* r = std::get_if<wire::SpawnAgent>(&asked.body)) done = again(*r);
    if (!done)
      return fail(done.error().code, "what was spawned into the run no longer fits its plan: " + done.error().message,
                  done.error().help.empty() ? "`sparky run --new` starts without it" : done.error().help);
  }
  return plan;
}

}  // namespace sparky::conductor
