// Several changes that wait, merged in one go: rebased on each other, checked together, the target moved once.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "agents/merge.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "config/config.h"
#include "plan/by_agent.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

void say(std::string_view text) {
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

fs::path record_file(const fs::path& project) { return project / ".sparky" / "agents" / "batch.json"; }

std::string names(const std::vector<Candidate>& candidates) {
  std::vector<std::string> ids;
  for (auto& c : candidates) ids.push_back(c.task.workstream.id);
  return join(ids, ", ");
}

// Who waits beside `own`, in the order of their coming. A place that nobody holds was left by a killed step.
std::vector<Candidate> waiting(const Repository& repository, const Candidate& own, size_t most) {
  std::vector<std::pair<fs::file_time_type, fs::path>> places;
  std::error_code ec;
  for (auto& entry : fs::directory_iterator(queue_place(own.task).parent_path(), ec))
    if (entry.path() != queue_place(own.task) && !lock_file(entry.path(), false))
      places.emplace_back(entry.last_write_time(ec), entry.path());
  std::ranges::sort(places);
  std::vector<Candidate> out;
  for (auto& [time, place] : places) {
    if (out.size() == most) break;
    auto name = place.filename().string();  // run-3.WS-05
    auto dot = name.find('.');
    if (dot == name.npos) continue;
    auto task =
        read_task(own.task.project / ".sparky" / "agents" / name.substr(0, dot) / name.substr(dot + 1) / "task.json");
    auto candidate = task ? read_candidate(repository, *task) : std::unexpected(task.error());
    // Checked in one checkout: it must be made alike for all of them.
    if (candidate && candidate->prefix == own.prefix && candidate->profile.setup == own.profile.setup)
      out.push_back(std::move(*candidate));
  }
  return out;
}

// The changes on each other on top of the target; whoever conflicts stays out.
Result<std::vector<Candidate>> stacked(const Repository& repository, const std::vector<Candidate>& all,
                                       const std::string& target, const fs::path& scratch) {
  std::vector<Candidate> out;
  auto head = target;
  for (auto candidate : all) {
    SPARKY_TRY(discard_checkout(repository, scratch));
    SPARKY_ASSIGN(auto rebased, repository.rebased(candidate.commit, head, scratch));
    if (rebased.conflict) {
      say(fmt::format("{} conflicts with what is before it: it waits for its own turn", candidate.task.workstream.id));
      continue;
    }
    candidate.base = std::exchange(head, rebased.head);
    candidate.commit = rebased.head;
    out.push_back(std::move(candidate));
  }
  return out;
}

// First the record, then the act: killed in between, finish_batch() sees which of it was done.
Status write_record(const fs::path& project, const Target& target, const std::vector<Candidate>& batch) {
  Json refs = Json::object();
  for (auto& c : batch) {
    refs[c.task.ref("candidate")] = c.commit;
    refs[c.task.ref("base")] = c.base;
  }
  return write_file_atomic(
      record_file(project),
      json_text(Json{{"target", target.text()}, {"head", batch.back().commit}, {"refs", refs}}, 1) + "\n");
}

Status merge_together(const Repository& repository, const Candidate& own, const std::vector<Candidate>& all) {
  if (all.size() < 2) return {};  // alone: its own turn
  auto& project = own.task.project;
  SPARKY_ASSIGN(auto target, find_target(repository, project));
  SPARKY_ASSIGN(auto batch, stacked(repository, all, target.head, own.task.home() / "rebase"));
  if (batch.size() < 2) return {};
  say(fmt::format("checking together: {}", names(batch)));
  SPARKY_ASSIGN(auto unmet, check_together(repository, batch, batch.back().commit, own.task.home() / "batch"));
  if (unmet) {
    say(fmt::format("together they fail: {}: {}", unmet->workstream, unmet->criterion));
    auto middle = batch.begin() + std::ptrdiff_t(batch.size() / 2);
    SPARKY_TRY(merge_together(repository, own, {batch.begin(), middle}));
    return merge_together(repository, own, {middle, batch.end()});
  }
  for (auto& c : batch)
    SPARKY_TRY(write_file_atomic(c.task.home() / "batch.md",
                                 fmt::format("checked and merged together: {} (the checks stand in the log of {})\n",
                                             names(batch), own.task.workstream.id),
                                 {.sync = false}));
  SPARKY_TRY(write_record(project, target, batch));
  auto advanced = repository.advance(target.branch, target.head, batch.back().commit, target.remote);
  if (!advanced) say(advanced.error().message + ": each waits for its own turn");
  return finish_batch(repository, project);
}

}  // namespace

fs::path queue_place(const Task& task) {
  return task.project / ".sparky" / "agents" / "queue" / fmt::format("run-{}.{}", task.run, task.workstream.id);
}

Result<Candidate> read_candidate(const Repository& repository, const Task& task) {
  Candidate out{.task = task, .profile = {}, .prefix = {}, .commit = {}, .base = {}};
  auto profiles = load_profiles(task.agents_toml, task.project);
  if (!task.workstream.agents.empty()) out.profile = profiles.find(task.workstream.agents[0]).value_or(Profile{});
  SPARKY_ASSIGN(out.prefix, prefix_of(repository, task));
  SPARKY_ASSIGN(out.commit, repository.resolve(task.ref("candidate")));
  SPARKY_ASSIGN(out.base, repository.resolve(task.ref("base")));
  return out;
}

Result<std::optional<Unmet>> check_together(const Repository& repository, const std::vector<Candidate>& candidates,
                                            const std::string& commit, const fs::path& checkout) {
  SPARKY_TRY(prepare_checkout(repository, checkout, commit, candidates[0].profile.setup));
  std::set<std::pair<std::string, std::string>> done;  // command, and who runs it
  for (auto& c : candidates)
    for (auto& criterion : c.task.workstream.criteria) {
      if (plan::merges(criterion) || criterion.check.empty()) continue;
      std::string lacks;
      for (auto& fact : criterion.needs_facts)
        if (std::ranges::find(c.task.facts, fact) == c.task.facts.end()) lacks += " " + fact;
      if (!lacks.empty()) {
        say(fmt::format("untestable: {}: this machine lacks{}", criterion.text, lacks));
        continue;
      }
      if (c.task.workstream.env.empty() && !done.emplace(criterion.check, c.profile.name).second) continue;
      say(fmt::format("checking again on what is merged: {}: {}", c.task.workstream.id, criterion.text));
      SPARKY_ASSIGN(auto checked, run_check_command(c.task, c.profile, criterion, checkout, c.prefix));
      if (checked.code != 0)
        return std::optional(Unmet{c.task.workstream.id, criterion.text, criterion.check, std::move(checked)});
      SPARKY_TRY(repository.reset_checkout(checkout));
    }
  return std::optional<Unmet>();
}

Status merge_batch(const Repository& repository, const Candidate& own) {
  auto most = config::load(own.task.project).config.integer("merge.batch");
  if (most < 2) return {};
  auto all = waiting(repository, own, size_t(most - 1));
  all.insert(all.begin(), own);
  auto done = merge_together(repository, own, all);
  SPARKY_TRY(discard_checkout(repository, own.task.home() / "batch"));
  return done;
}

Status finish_batch(const Repository& repository, const fs::path& project) {
  auto text = read_file(record_file(project), 1u << 20);
  if (!text) return {};
  SPARKY_ASSIGN(auto json, parse_json(*text));
  if (!json.is_object() || !json.contains("refs"))
    return fail(Errc::invalid, record_file(project).string() + " is damaged",
                "remove it; the changes are rebased again");
  SPARKY_ASSIGN(auto target, find_target(repository, project));
  SPARKY_ASSIGN(bool merged, repository.contains(target.head, json.value("head", "")));
  if (merged)
    for (auto& [ref, commit] : json.at("refs").items()) SPARKY_TRY(repository.set_ref(ref, commit.get<std::string>()));
  std::error_code ec;
  fs::remove(record_file(project), ec);
  return {};
}

}  // namespace sparky::agents
