#include "plan/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "plan/days.h"

namespace sparky::plan {
namespace {

// Measuring a rule walks the whole graph. A plan with more rules than people would read is not measured rule by rule.
constexpr size_t rules_max = 100;

std::vector<double> durations(const Plan& plan, double Days::* which) {
  std::vector<double> out(plan.workstreams.size(), 0);
  for (size_t i = 0; i < out.size(); ++i)
    if (auto& d = plan.workstreams[i].duration) out[i] = (*d).*which;
  return out;
}

// Which rule an edge of the graph comes from. Dependencies of workstreams, membership and what a gate waits for are
// no rules: they only say what is meant.
class Rules {
 public:
  static constexpr uint32_t none = ~0u;

  Rules(const Plan& plan, const Graph& graph) : plan_(plan), graph_(graph) {
    for (NodeId n = 0; n < graph.nodes.size(); ++n)
      for (auto& e : graph.after(n))
        if (auto rule = of(n, e); rule != none) used_.push_back(rule);
    std::sort(used_.begin(), used_.end());
    used_.erase(std::unique(used_.begin(), used_.end()), used_.end());
  }

  uint32_t of(NodeId from, const Edge& e) const {
    auto gates = uint32_t(plan_.gates.size()), groups = uint32_t(plan_.orchestrators.size());
    auto [kind, index] = graph_.nodes[from];
    auto [to_kind, to_index] = graph_.nodes[e.to];
    if (e.why == EdgeWhy::gate && kind == NodeKind::gate && to_kind != NodeKind::gate) return index;
    if (e.why == EdgeWhy::phase) return gates + (to_kind == NodeKind::workstream ? graph_.owner[to_index] : to_index);
    if (e.why == EdgeWhy::orchestrator && to_kind == NodeKind::orchestrator_begin) return gates + groups + to_index;
    return none;
  }
  const std::vector<uint32_t>& used() const { return used_; }

  std::string name(uint32_t rule) const {
    auto gates = plan_.gates.size(), groups = plan_.orchestrators.size();
    if (rule < gates) return "gate " + plan_.gates[rule].id;
    if (rule < gates + groups) {
      auto& o = plan_.orchestrators[rule - gates];
      return fmt::format("phase of {} ({})", o.id, sparky::plan::name(o.phase));
    }
    return "dependencies of " + plan_.orchestrators[rule - gates - groups].id;
  }

 private:
  const Plan& plan_;
  const Graph& graph_;
  std::vector<uint32_t> used_;
};

// The longest path over the edges that `keep(rule)` keeps.
template <class Keep>
double length_with(const Graph& graph, const Rules& rules, const std::vector<double>& duration,
                   std::vector<double>& start, Keep keep) {
  std::fill(start.begin(), start.end(), 0);
  double best = 0;
  for (NodeId n : graph.order) {
    double end = start[n] + (n < duration.size() ? duration[n] : 0);
    best = std::max(best, end);
    for (auto& e : graph.after(n))
      if (end > start[e.to] && keep(rules.of(n, e))) start[e.to] = end;
  }
  return best;
}

void measure_rules(Timeline& out, const Plan& plan, const Graph& graph, const std::vector<double>& min,
                   const std::vector<double>& max) {
  Rules rules(plan, graph);
  std::vector<double> start(graph.nodes.size());
  // Rules are compared without limits on agents: what they cost lies in the order that they impose.
  auto measure = [&](auto keep) {
    return Days{length_with(graph, rules, min, start, keep), length_with(graph, rules, max, start, keep)};
  };
  auto minus = [](Days a, Days b) { return Days{a.min - b.min, a.max - b.max}; };
  auto whole = measure([](uint32_t) { return true; });
  auto bare = measure([](uint32_t rule) { return rule == Rules::none; });
  out.rules_together = minus(whole, bare);
  if (rules.used().size() > rules_max) {
    out.costs_left_off = rules.used().size();
    return;
  }
  for (uint32_t rule : rules.used()) {
    auto alone = measure([&](uint32_t r) { return r == Rules::none || r == rule; });
    auto without = measure([&](uint32_t r) { return r != rule; });
    out.costs.push_back({rules.name(rule), minus(alone, bare), minus(whole, without)});
  }
}

void judge_dues(Timeline& out, const Plan& plan) {
  for (size_t i = 0; i < plan.gates.size(); ++i) {
    auto due = parse_due(plan.gates[i].due);
    if (!due) continue;
    DueDate d;
    d.gate = NodeId(plan.workstreams.size() + i);
    d.due = plan.gates[i].due;
    d.opens = {out.min.finish[d.gate], out.max.finish[d.gate]};
    double per_week = plan.calendar ? plan.calendar->days_per_week : 5;
    auto late = [&](double opens) {
      if (due->date) return out.calendar && out.calendar->finish_of(opens) > *due->date;
      return opens > due->week * per_week + 1e-9;
    };
    d.verdict = late(d.opens.min) ? DueDate::missed : late(d.opens.max) ? DueDate::at_risk : DueDate::met;
    if (due->date)
      d.date = due->date;
    else if (out.calendar)
      d.date = out.calendar->finish_of(due->week * per_week);
    out.dues.push_back(d);
  }
}

std::string id_of(const Plan& plan, const Graph& graph, NodeId n) {
  auto [kind, i] = graph.nodes[n];
  return kind == NodeKind::workstream ? plan.workstreams[i].id : kind == NodeKind::gate ? plan.gates[i].id : "";
}

double rounded(double days) { return std::round(days * 1e6) / 1e6; }

Json range(double min, double max) { return {{"min", rounded(min)}, {"max", rounded(max)}}; }
Json range(Days d) { return range(d.min, d.max); }

std::string costs_table(const Timeline& t) {
  constexpr size_t rows_max = 40;
  size_t rows = std::min(t.costs.size(), rows_max), width = 30;
  for (size_t i = 0; i < rows; ++i) width = std::max(width, t.costs[i].rule.size());
  auto cell = [](Days d) { return d == Days{0, 0} ? std::string("0") : fmt::format("{:.4g} … {:.4g}", d.min, d.max); };
  auto row = [&](std::string_view rule, std::string_view alone, std::string_view on_top) {
    return fmt::format("  {:<{}}{:>16}{:>16}\n", rule, width, alone, on_top);
  };
  auto out = "\n" + row("what the rules cost, in days", "alone", "on top");
  for (size_t i = 0; i < rows; ++i) out += row(t.costs[i].rule, cell(t.costs[i].alone), cell(t.costs[i].on_top));
  if (auto left = t.costs.size() - rows + t.costs_left_off) out += fmt::format("  … and {} more\n", left);
  out += row("all together", cell(t.rules_together), "");
  return out +
         "  alone: added to the declared dependencies; on top: saved if only this rule went, 0 when another\n"
         "  demands the same.\n";
}

constexpr const char* verdicts[] = {"met", "at risk", "missed"};

}  // namespace

Timeline make_timeline(const Plan& plan, const Graph& graph, int agents) {
  Timeline out;
  out.agents = agents;
  if (plan.calendar) out.calendar.emplace(*plan.calendar);
  auto min = durations(plan, &Days::min), max = durations(plan, &Days::max);
  for (size_t i = 0; i < min.size(); ++i) {
    out.sequential.min += min[i];
    out.sequential.max += max[i];
    out.without_estimate += !plan.workstreams[i].duration;
  }
  {
    auto declared = build_declared_graph(plan, graph);
    out.critical_path = {longest_path(declared, min), longest_path(declared, max, &out.critical)};
  }
  out.min = make_schedule(plan, graph, min, agents);
  out.max = make_schedule(plan, graph, max, agents);
  out.planned = {out.min.days, out.max.days};
  out.bound = {out.min.bound, out.max.bound};
  measure_rules(out, plan, graph, min, max);
  judge_dues(out, plan);
  return out;
}

Json to_json(const Timeline& t, const Plan& plan, const Graph& graph) {
  Json j;
  j["plan"] = plan.name;
  j["sequential_days"] = range(t.sequential);
  j["planned_days"] = range(t.planned);
  j["critical_path_days"] = range(t.critical_path);
  j["bound_days"] = range(t.bound);
  j["agents"] = t.agents == 0 ? Json(nullptr) : Json(t.agents);
  auto& path = j["critical_path"] = Json::array();
  for (NodeId n : t.critical) path.push_back(id_of(plan, graph, n));
  auto& slack = j["slack_days"] = Json::object();
  auto& schedule = j["schedule"] = Json::object();
  for (NodeId n = 0; n < plan.workstreams.size() + plan.gates.size(); ++n) {
    auto id = id_of(plan, graph, n);
    if (n < plan.workstreams.size()) slack[id] = range(t.min.slack[n], t.max.slack[n]);
    auto& entry = schedule[id] = {{"start_days", range(t.min.start[n], t.max.start[n])},
                                  {"finish_days", range(t.min.finish[n], t.max.finish[n])}};
    if (!t.calendar) continue;
    entry["start"] = {{"min", iso_date(t.calendar->start_of(t.min.start[n]))},
                      {"max", iso_date(t.calendar->start_of(t.max.start[n]))}};
    entry["finish"] = {{"min", iso_date(t.calendar->finish_of(t.min.finish[n]))},
                       {"max", iso_date(t.calendar->finish_of(t.max.finish[n]))}};
  }
  auto& costs = j["costs"] = Json::array();
  for (auto& c : t.costs)
    costs.push_back({{"rule", c.rule}, {"alone_days", range(c.alone)}, {"on_top_days", range(c.on_top)}});
  j["rules_together_days"] = range(t.rules_together);
  j["costs_left_off"] = t.costs_left_off;
  auto& dues = j["dues"] = Json::array();
  for (auto& d : t.dues) {
    Json due{{"gate", id_of(plan, graph, d.gate)},
             {"due", d.due},
             {"opens_days", range(d.opens)},
             {"verdict", verdicts[d.verdict]}};
    if (d.date) due["date"] = iso_date(*d.date);
    dues.push_back(std::move(due));
  }
  j["without_estimate"] = t.without_estimate;
  return j;
}

std::string summary(const Timeline& t, const Plan& plan, const Graph& graph) {
  std::string out = fmt::format("{}: {} workstreams, {} orchestrators, {} gates\n\n", plan.name,
                                plan.workstreams.size(), plan.orchestrators.size(), plan.gates.size());
  auto line = [&](std::string_view label, std::string_view value) { out += fmt::format("{:<38}{}\n", label, value); };
  line("sequential, one after the other", human(t.sequential));
  auto as_planned = t.agents == 0 ? std::string("as planned, unlimited agents")
                                  : fmt::format("as planned, {} agent{}", t.agents, t.agents == 1 ? "" : "s");
  line(as_planned, human(t.planned));
  if (t.calendar)
    line("",
         fmt::format("{} to {}–{}", iso_date(t.calendar->start_of(0)), iso_date(t.calendar->finish_of(t.planned.min)),
                     iso_date(t.calendar->finish_of(t.planned.max))));
  if (!(t.bound == t.planned)) {
    auto over = [](double days, double bound) { return bound > 0 ? 100 * (days / bound - 1) : 0; };
    line("no schedule can be shorter than",
         fmt::format("{} (this one is {:.0f}–{:.0f} % longer at most)", human(t.bound),
                     std::min(over(t.planned.min, t.bound.min), over(t.planned.max, t.bound.max)),
                     std::max(over(t.planned.min, t.bound.min), over(t.planned.max, t.bound.max))));
  }
  line("critical path, by dependencies alone", human(t.critical_path));
  std::vector<std::string> ids;
  for (size_t i = 0; i < t.critical.size() && i < 30; ++i) ids.push_back(id_of(plan, graph, t.critical[i]));
  out += fmt::format("  {}{}\n", fmt::join(ids, " → "),
                     t.critical.size() > ids.size() ? fmt::format(" → … ({} in all)", t.critical.size()) : "");
  if (t.without_estimate > 0)
    out += fmt::format("\n{} of {} workstreams have no estimate and count as 0 days.\n", t.without_estimate,
                       plan.workstreams.size());
  if (!t.costs.empty() || t.costs_left_off > 0) {
    out += costs_table(t);
  }
  if (!t.dues.empty()) out += "\n";
  for (auto& d : t.dues) {
    static constexpr const char* says[] = {"can be met", "is at risk", "cannot be met"};
    out += fmt::format("{}: due {}{} {}: opens after {}", id_of(plan, graph, d.gate), d.due,
                       d.date && d.due.starts_with("week") ? " (" + iso_date(*d.date) + ")" : "", says[d.verdict],
                       human(d.opens));
    if (t.calendar)
      out += fmt::format(" ({}–{})", iso_date(t.calendar->finish_of(d.opens.min)),
                         iso_date(t.calendar->finish_of(d.opens.max)));
    out += "\n";
  }
  return out;
}

}  // namespace sparky::plan
