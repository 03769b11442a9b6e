#include "plan/tree.h"

#include <fmt/format.h>

#include <unordered_map>

#include "base/text.h"
#include "plan/days.h"

namespace sparky::plan {
namespace {

std::string criteria_of(const std::vector<Criterion>& criteria) {
  size_t manual = 0;
  for (auto& c : criteria) manual += c.manual;
  if (criteria.empty()) return "no criteria";
  if (manual == criteria.size()) return fmt::format("{} manual", manual);
  return fmt::format("{} check{}{}", criteria.size() - manual, criteria.size() - manual == 1 ? "" : "s",
                     manual > 0 ? fmt::format(" + {} manual", manual) : "");
}

std::string line(const Workstream& w) {
  std::string out = fmt::format("{}  {}", w.id, w.name);
  auto say = [&](std::string_view part) {
    if (!part.empty()) out += fmt::format("  · {}", part);
  };
  say(name(w.priority));
  if (w.duration) say(text(*w.duration));
  say(w.milestone);
  say(join(w.agents, " + "));
  say(criteria_of(w.criteria));
  if (!w.depends_on.empty()) say("after " + join(w.depends_on, ", "));
  return out;
}

std::string line(const Orchestrator& o) {
  std::string out = fmt::format("{}  ({}", o.id, name(o.phase));
  if (!o.milestones.empty()) out += ", " + join(o.milestones, " ");
  if (o.jobs > 0) out += fmt::format(", {} at once", o.jobs);
  out += ")";
  if (!o.depends_on.empty()) out += "  after " + join(o.depends_on, ", ");
  return out;
}

}  // namespace

std::string tree(const Plan& plan) {
  std::unordered_map<std::string_view, std::vector<const Workstream*>> members;
  for (auto& w : plan.workstreams) members[w.orchestrator].push_back(&w);
  std::string out = plan.name + "\n";
  size_t left = plan.orchestrators.size() + plan.gates.size();
  auto branch = [&](std::string_view text) {
    --left;
    out += fmt::format("{} {}\n", left == 0 ? "└──" : "├──", text);
    return left == 0 ? "    " : "│   ";
  };
  auto leaves = [&](std::string_view indent, const std::vector<std::string>& lines) {
    for (size_t i = 0; i < lines.size(); ++i)
      out += fmt::format("{}{} {}\n", indent, i + 1 == lines.size() ? "└──" : "├──", lines[i]);
  };
  for (auto& o : plan.orchestrators) {
    auto indent = branch(line(o));
    std::vector<std::string> lines;
    for (auto* w : members[o.id]) lines.push_back(line(*w));
    leaves(indent, lines);
  }
  for (auto& g : plan.gates) {
    auto indent = branch(
        fmt::format("◆ {}{}{}", g.id, g.name.empty() ? "" : "  " + g.name, g.due.empty() ? "" : "  · due " + g.due));
    std::vector<std::string> lines{fmt::format("{} → {}", g.after.empty() ? "nothing" : join(g.after, ", "),
                                               g.before.empty() ? "nothing" : join(g.before, ", "))};
    for (auto& c : g.criteria) lines.push_back(fmt::format("{} {}", c.manual ? "☐ (manual)" : "☐", c.text));
    leaves(indent, lines);
  }
  return out;
}

}  // namespace sparky::plan
