#include "agents/task.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "agents/repository.h"
#include "base/files.h"
#include "base/json.h"
#include "plan/by_agent.h"
#include "plan/check.h"
#include "plan/plan_json.h"

namespace sparky::agents {
namespace fs = std::filesystem;

namespace {

fs::path home_of(const fs::path& project, uint32_t run, std::string_view id) {
  return project / ".sparky" / "agents" / fmt::format("run-{}", run) / id;
}

}  // namespace

fs::path Task::home() const { return home_of(project, run, workstream.id); }
fs::path Task::worktree() const {
  return project / ".sparky" / "worktrees" / fmt::format("run-{}", run) / workstream.id;
}
fs::path Task::checkout() const { return home() / "checkout"; }
std::string Task::branch() const { return branch_name(workstream.id, workstream.name); }
std::string Task::ref(std::string_view what) const {
  // An id is letters, digits, - _ and dots; git refuses a dot at some places.
  std::string safe = workstream.id;
  std::ranges::replace(safe, '.', '_');
  return fmt::format("refs/sparky/run-{}/{}/{}", run, safe, what);
}

Task make_task(const fs::path& project, const plan::Plan& plan, const plan::Workstream& workstream) {
  Task task;
  task.project = project;
  task.plan = plan.name;
  task.workstream = workstream;
  task.root = fs::absolute(plan::root(plan)).lexically_normal();
  task.plan_directory = fs::absolute(plan::directory(plan)).lexically_normal();
  task.agents_toml = plan.agents_toml;
  task.check_timeout = plan.check_timeout.value_or(task.check_timeout);
  task.advisor = plan::advisor(plan, workstream);
  for (auto& id : workstream.depends_on)
    for (auto& w : plan.workstreams)
      if (w.id == id) task.depends.emplace_back(w.id, w.name);
  return task;
}

Result<Fd> lock_file(const fs::path& file, bool wait) {
  SPARKY_TRY(make_directories(file.parent_path()));
  Fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, "cannot open " + file.string());
  while (::flock(fd.get(), LOCK_EX | (wait ? 0 : LOCK_NB)) != 0) {
    if (errno == EWOULDBLOCK) return fail(Errc::busy, file.string() + " is held by another process");
    if (errno != EINTR) return fail_errno(errno, "cannot lock " + file.string());
  }
  return fd;
}

fs::path task_file(const fs::path& project, uint32_t run, std::string_view id) {
  return home_of(project, run, id) / "task.json";
}

// The workstream travels inside a plan of its own, whose reader already exists.
std::string encode(const Task& task) {
  plan::Plan carrier;
  carrier.name = task.plan;
  carrier.agents_toml = task.agents_toml;
  carrier.workstreams = {task.workstream};
  Json depends = Json::array();
  for (auto& [id, name] : task.depends) depends.push_back({id, name});
  return json_text(Json{{"project", task.project.string()},
                        {"run", task.run},
                        {"attempt", task.attempt},
                        {"try", task.number},
                        {"gate", task.gate},
                        {"criterion", task.criterion},
                        {"root", task.root.string()},
                        {"plan_directory", task.plan_directory.string()},
                        {"check_timeout_ms", task.check_timeout.count()},
                        {"depends", depends},
                        {"advisor", task.advisor},
                        {"facts", task.facts},
                        {"approved_by", task.approved_by},
                        {"note", task.note},
                        {"plan", plan::to_json(carrier)}},
                   1) +
         "\n";
}

Result<Task> decode_task(std::string_view text) {
  SPARKY_ASSIGN(auto json, parse_json(text));
  auto wrong = [](std::string_view what) { return fail(Errc::invalid, fmt::format("the task has no {}", what)); };
  if (!json.is_object() || !json.contains("plan")) return wrong("plan");
  SPARKY_ASSIGN(auto carrier, plan::plan_from_json(json["plan"]));
  if (carrier.workstreams.size() != 1) return wrong("workstream");
  Task task;
  task.workstream = std::move(carrier.workstreams[0]);
  task.plan = carrier.name;
  task.agents_toml = carrier.agents_toml;
  if (auto bad = plan::bad_id(task.workstream.id); !bad.empty()) return fail(Errc::invalid, "the task: " + bad);
  try {
    task.project = json.at("project").get<std::string>();
    task.run = json.at("run").get<uint32_t>();
    task.attempt = json.at("attempt").get<std::string>();
    task.number = json.at("try").get<int>();
    task.gate = json.at("gate").get<bool>();
    task.criterion = json.at("criterion").get<int>();
    task.root = json.at("root").get<std::string>();
    task.plan_directory = json.at("plan_directory").get<std::string>();
    task.check_timeout = Duration(json.at("check_timeout_ms").get<int64_t>());
    for (auto& one : json.at("depends"))
      task.depends.emplace_back(one.at(0).get<std::string>(), one.at(1).get<std::string>());
    task.advisor = json.at("advisor").get<std::string>();
    task.facts = json.at("facts").get<std::vector<std::string>>();
    task.approved_by = json.at("approved_by").get<std::string>();
    task.note = json.at("note").get<std::string>();
  } catch (const Json::exception& e) {
    return fail(Errc::invalid, fmt::format("the task: {}", e.what()));
  }
  return task;
}

Result<Task> read_task(const fs::path& file) {
  SPARKY_ASSIGN(auto text, read_file(file, 64u << 20));
  auto task = decode_task(text);
  if (!task) return fail(task.error().code, fmt::format("{}: {}", file.string(), task.error().message));
  return task;
}

Status write_outcome(const Task& task, const std::string& text) {
  return write_file_atomic(task.home() / "outcome.json",
                           json_text(Json{{"attempt", task.attempt}, {"text", text}}) + "\n");
}

std::string outcome_of(const fs::path& project, uint32_t run, std::string_view id, std::string_view attempt) {
  auto text = read_file(home_of(project, run, id) / "outcome.json", 1u << 20);
  if (!text) return {};
  auto json = parse_json(*text);
  if (!json || !json->is_object() || json->value("attempt", Json()) != attempt) return {};
  auto said = json->value("text", Json());
  return said.is_string() ? said.get<std::string>() : std::string();
}

}  // namespace sparky::agents
