#include "plan/check.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/text.h"
#include "plan/graph.h"
#include "plan/toml.h"

namespace sparky::plan {
namespace fs = std::filesystem;
namespace {

enum class Kind : uint8_t { workstream, orchestrator, gate };
constexpr std::string_view kinds[] = {"workstream", "orchestrator", "gate"};

// A misspelt id is compared with every id: dear in a large plan, so only the first few get a suggestion.
constexpr int max_suggestions = 20;
constexpr size_t min_workstreams = 3, max_workstreams = 6;

class Checker {
 public:
  Checker(const Plan& plan, const Source* source, CheckOptions options)
      : plan_(plan), source_(source), options_(options) {}

  std::vector<Diagnostic> check() {
    for (auto n : graph_.repeated) check_repeated(n);
    for (size_t i = 0; i < plan_.workstreams.size(); ++i) check_workstream(i);
    for (size_t i = 0; i < plan_.orchestrators.size(); ++i) check_orchestrator(i);
    for (size_t i = 0; i < plan_.gates.size(); ++i) check_gate(i);
    if (plan_.workstreams.empty()) add({}, "the plan has no workstreams", "add one: [[workstream]]");
    if (options_.files) check_root();
    if (!graph_.cycle.empty())
      for (auto& d : check_cycles(plan_, graph_)) found_.push_back(std::move(d));
    std::stable_sort(found_.begin(), found_.end(), [](auto& a, auto& b) {
      return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
    });
    return std::move(found_);
  }

 private:
  struct Owner {
    Kind kind;
    size_t index;
  };
  Owner owner_of(NodeId n) const {
    auto [kind, index] = graph_.nodes[n];
    return {kind == NodeKind::workstream ? Kind::workstream
            : kind == NodeKind::gate     ? Kind::gate
                                         : Kind::orchestrator,
            index};
  }

  Where entry(Kind kind, size_t index) const {
    if (kind == Kind::workstream) return plan_.workstreams[index].where;
    return kind == Kind::orchestrator ? plan_.orchestrators[index].where : plan_.gates[index].where;
  }
  // The place in the source, or the entry that it belongs to.
  Where at(Kind kind, size_t index, std::string_view field = {}, int element = -1, std::string_view part = {}) const {
    Where where;
    if (source_) where = source_->find({kinds[size_t(kind)], index, field, element, part});
    return where.line > 0 ? where : entry(kind, index);
  }
  void add(Where where, std::string message, std::string help = {}, Severity severity = Severity::error) {
    std::string file = where.file < plan_.files.size() ? plan_.files[where.file] : "";
    found_.push_back({severity, file, int(where.line), int(where.column), std::move(message), std::move(help)});
  }
  void warn(Where where, std::string message, std::string help = {}) {
    add(where, std::move(message), std::move(help), Severity::warning);
  }

  void check_repeated(NodeId n) {
    auto [kind, index] = owner_of(n);
    auto& id = kind == Kind::workstream     ? plan_.workstreams[index].id
               : kind == Kind::orchestrator ? plan_.orchestrators[index].id
                                            : plan_.gates[index].id;
    auto first = owner_of(graph_.find(id));
    auto line = entry(first.kind, first.index).line;
    auto where = line > 0 ? fmt::format(" (line {})", line) : std::string();
    if (kind == Kind::workstream && first.kind == Kind::workstream &&
        plan_.workstreams[index].orchestrator != plan_.workstreams[first.index].orchestrator)
      add(at(kind, index, "id"),
          fmt::format("workstream {} has two owners: {}{} and {}", id, plan_.workstreams[first.index].orchestrator,
                      where, plan_.workstreams[index].orchestrator),
          "a workstream has exactly one orchestrator");
    else
      add(at(kind, index, "id"),
          fmt::format("the id '{}' is taken by another {}{}", id, kinds[size_t(first.kind)], where),
          "workstreams, orchestrators and gates share one namespace");
  }

  std::string suggestion(std::string_view id, std::optional<Kind> wanted) {
    if (suggestions_++ >= max_suggestions) return {};
    std::vector<std::string> names;
    for (auto& name : graph_.names())
      if (!wanted || owner_of(graph_.find(name)).kind == *wanted) names.push_back(name);
    auto near = nearest(id, names);
    return near ? fmt::format("did you mean '{}'?", *near) : std::string();
  }

  void check_references(Kind kind, size_t index, std::string_view id, std::string_view field,
                        const std::vector<std::string>& refs) {
    if (graph_.unknown == 0) return;
    for (size_t j = 0; j < refs.size(); ++j)
      if (graph_.find(refs[j]) == no_node)
        add(at(kind, index, field, int(j)),
            fmt::format("{} of {} {} names '{}', which the plan does not have", field, kinds[size_t(kind)], id,
                        refs[j]),
            suggestion(refs[j], std::nullopt));
  }

  void check_criteria(Kind kind, size_t index, std::string_view id, const std::vector<Criterion>& criteria) {
    for (size_t j = 0; j < criteria.size(); ++j) {
      auto& c = criteria[j];
      auto what = [&] { return fmt::format("criterion {} of {} {}", j + 1, kinds[size_t(kind)], id); };
      if (c.text.empty())
        add(at(kind, index, "criteria", int(j)), what() + " has no text", "write text = \"…\": what must hold");
      if (c.check.empty() && !c.manual)
        add(at(kind, index, "criteria", int(j)), what() + " has no check and nobody can decide it",
            "write check = \"COMMAND\" (must exit 0), or manual = true (a person decides)");
      if (!c.check.empty() && c.manual)
        add(at(kind, index, "criteria", int(j), "manual"), what() + " has both a check and manual = true",
            "keep one of the two");
    }
  }

  void check_workstream(size_t i) {
    auto& w = plan_.workstreams[i];
    if (w.name.empty())
      add(at(Kind::workstream, i), fmt::format("workstream {} has no name", w.id), "write name = \"…\"");
    check_owner(i);
    check_references(Kind::workstream, i, w.id, "depends_on", w.depends_on);
    check_criteria(Kind::workstream, i, w.id, w.criteria);
    bool manual = std::any_of(w.criteria.begin(), w.criteria.end(), [](auto& c) { return c.manual; });
    bool agent = !w.agents.empty() && !plan_.agents_toml.empty();
    if (w.run.empty() && !manual && !agent)
      add(at(Kind::workstream, i), fmt::format("nothing carries out workstream {}", w.id),
          "write run = \"COMMAND\", or a criterion with manual = true");
    else if (w.criteria.empty() && !w.accept_exit_status)
      add(at(Kind::workstream, i),
          fmt::format("workstream {} has no criteria, so nothing could show that it is done", w.id),
          "add [[workstream.criteria]], or accept = \"exit-status\"");
    for (auto& [name, count] : w.needs) check_need(i, name, count);
    for (size_t j = 0; j < w.deliverables.size(); ++j) check_deliverable(i, j);
    if (options_.files && !w.spec.empty()) check_spec(i);
  }

  void check_owner(size_t i) {
    auto& w = plan_.workstreams[i];
    if (w.orchestrator.empty()) {
      add(at(Kind::workstream, i), fmt::format("workstream {} has no orchestrator", w.id),
          "write orchestrator = \"ID\"");
      return;
    }
    if (graph_.owner[i] == no_node) {
      auto named = graph_.find(w.orchestrator);
      add(at(Kind::workstream, i, "orchestrator"),
          named == no_node
              ? fmt::format("workstream {} belongs to '{}', which the plan does not have", w.id, w.orchestrator)
              : fmt::format("workstream {} belongs to '{}', which is a {}", w.id, w.orchestrator,
                            kinds[size_t(owner_of(named).kind)]),
          suggestion(w.orchestrator, Kind::orchestrator));
      return;
    }
    ++members_[graph_.owner[i]];
    auto& owner = plan_.orchestrators[graph_.owner[i]];
    if (w.milestone.empty() || owner.milestones.empty()) return;
    if (std::find(owner.milestones.begin(), owner.milestones.end(), w.milestone) == owner.milestones.end())
      warn(at(Kind::workstream, i, "milestone"),
           fmt::format("milestone {} of workstream {} is not one of {}'s ({})", w.milestone, w.id, owner.id,
                       join(owner.milestones, ", ")));
  }

  void check_need(size_t i, const std::string& name, int count) {
    auto& w = plan_.workstreams[i];
    auto limit = plan_.limits.find(name);
    if (limit == plan_.limits.end()) {
      std::vector<std::string> names;
      for (auto& [known, n] : plan_.limits) names.push_back(known);
      auto near = nearest(name, names);
      add(at(Kind::workstream, i, "needs"),
          fmt::format("workstream {} needs '{}', which [limits] does not name", w.id, name),
          near ? fmt::format("did you mean '{}'?", *near) : fmt::format("write [limits] and {} = {}", name, count));
    } else if (count > limit->second) {
      add(at(Kind::workstream, i, "needs"),
          fmt::format("workstream {} needs {} of {}, but the limit is {}: it can never start", w.id, count, name,
                      limit->second),
          "raise the limit or lower the need");
    }
  }

  void check_deliverable(size_t i, size_t j) {
    auto& w = plan_.workstreams[i];
    auto path = fs::path(w.deliverables[j]).lexically_normal();
    bool outside = path.empty() || path.is_absolute() || *path.begin() == "..";
    if (outside)
      add(at(Kind::workstream, i, "deliverables", int(j)),
          fmt::format("deliverable '{}' of workstream {} lies outside the plan's tree", w.deliverables[j], w.id),
          "write a path below the plan's root, without a leading / or ..");
  }

  void check_spec(size_t i) {
    auto& w = plan_.workstreams[i];
    auto path = directory(plan_) / w.spec;
    struct stat st{};
    std::string why;
    if (::stat(path.c_str(), &st) != 0)
      why = std::strerror(errno);
    else if (!S_ISREG(st.st_mode))
      why = S_ISDIR(st.st_mode) ? "it is a directory" : "it is not a regular file";
    if (!why.empty())
      add(at(Kind::workstream, i, "spec"),
          fmt::format("cannot read the spec '{}' of workstream {}: {}", w.spec, w.id, why),
          "spec is a Markdown file, relative to the plan file");
  }

  void check_root() {
    std::error_code ec;
    if (plan_.files.empty() || fs::is_directory(root(plan_), ec)) return;
    Where where;
    if (source_) where = source_->find({{}, 0, "plan", -1, "root"});
    add(where, fmt::format("the plan's root '{}' is not a directory", plan_.root), "it is relative to the plan file");
  }

  void check_orchestrator(size_t i) {
    auto& o = plan_.orchestrators[i];
    check_references(Kind::orchestrator, i, o.id, "depends_on", o.depends_on);
    auto count = members_[i];
    if (count < min_workstreams || count > max_workstreams)
      warn(at(Kind::orchestrator, i),
           fmt::format("orchestrator {} owns {} workstream{}; {} to {} are a good size", o.id, count,
                       count == 1 ? "" : "s", min_workstreams, max_workstreams));
  }

  void check_gate(size_t i) {
    auto& g = plan_.gates[i];
    check_references(Kind::gate, i, g.id, "after", g.after);
    check_references(Kind::gate, i, g.id, "before", g.before);
    check_criteria(Kind::gate, i, g.id, g.criteria);
    if (g.after.empty())
      warn(at(Kind::gate, i), fmt::format("gate {} waits for nothing", g.id), "write after = [\"…\"]");
  }

  const Plan& plan_;
  const Source* source_;
  CheckOptions options_;
  std::vector<Diagnostic> found_;
  Graph graph_ = build_graph(plan_);
  std::vector<size_t> members_ = std::vector<size_t>(plan_.orchestrators.size());
  int suggestions_ = 0;
};

}  // namespace

std::vector<Diagnostic> check(const Plan& plan, const Source* source, CheckOptions options) {
  return Checker(plan, source, options).check();
}

fs::path directory(const Plan& plan) { return plan.files.empty() ? fs::path() : fs::path(plan.files[0]).parent_path(); }
fs::path root(const Plan& plan) { return (directory(plan) / plan.root).lexically_normal(); }

}  // namespace sparky::plan
