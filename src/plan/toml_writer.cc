// Writes a plan as TOML, in the form that people write it: only what differs from the default, criteria below.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "plan/days.h"
#include "plan/toml.h"

namespace sparky::plan {
namespace {

std::string toml_string(std::string_view text) {
  // Scripts keep their lines; everything else stands on one.
  bool lines = text.find('\n') != text.npos;
  std::string out = lines ? "\"\"\"\n" : "\"";
  for (char c : text) {
    auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += '\\', out += c;
    else if (c == '\t' || (c == '\n' && lines))
      out += c;
    else if (u < 0x20 || u == 0x7f)
      out += fmt::format("\\u{:04x}", u);
    else
      out += c;
  }
  return out + (lines ? "\"\"\"" : "\"");
}

std::string key(std::string_view name) {
  auto bare = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), bare) ? std::string(name) : toml_string(name);
}

std::string text_of(const Duration& d) {
  return d.count() % 1000 == 0 ? fmt::format("\"{}s\"", d.count() / 1000) : fmt::format("\"{}ms\"", d.count());
}

// Collects `name = value` lines, and leaves out what is empty.
struct Writer {
  std::string out;

  void raw(std::string_view name, std::string_view value) { out += fmt::format("{} = {}\n", name, value); }
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) raw(name, toml_string(value));
  }
  void texts(std::string_view name, const std::vector<std::string>& values) {
    if (values.empty()) return;
    std::vector<std::string> parts;
    size_t width = 0;
    for (auto& v : values) width += parts.emplace_back(toml_string(v)).size() + 2;
    raw(name, width <= 100 ? "[" + join(parts, ", ") + "]" : "[\n  " + join(parts, ",\n  ") + ",\n]");
  }
  void duration(std::string_view name, const std::optional<Duration>& value) {
    if (value) raw(name, text_of(*value));
  }
  void count(std::string_view name, int value) {
    if (value != 0) raw(name, std::to_string(value));
  }
  template <class Map, class Show>
  void table(std::string_view name, const Map& values, Show show) {
    if (values.empty()) return;
    std::vector<std::string> parts;
    for (auto& [k, v] : values) parts.push_back(fmt::format("{} = {}", key(k), show(v)));
    raw(name, "{ " + join(parts, ", ") + " }");
  }
  void criteria(std::string_view owner, const std::vector<Criterion>& criteria) {
    for (auto& c : criteria) {
      out += fmt::format("[[{}.criteria]]\n", owner);
      text("text", c.text);
      text("check", c.check);
      if (c.manual) raw("manual", "true");
      if (c.red_first) raw("red_first", "true");
      texts("requires", c.needs_facts);
      duration("timeout", c.timeout);
    }
  }
};

void write_head(Writer& w, const Plan& plan) {
  w.out += "[plan]\n";
  w.text("name", plan.name);
  if (plan.root != ".") w.text("root", plan.root);
  if (plan.untestable_passes) w.text("untestable", "pass");
  w.text("notify", plan.notify);
  w.duration("stall", plan.stall);
  w.duration("check_timeout", plan.check_timeout);
  w.count("jobs", plan.jobs);
  if (!plan.limits.empty()) w.out += "\n[limits]\n";
  for (auto& [name, count] : plan.limits) w.raw(key(name), std::to_string(count));
  if (plan.calendar) {
    w.out += "\n[calendar]\n";
    w.raw("start", plan.calendar->start);
    w.raw("days_per_week", fmt::format("{}", plan.calendar->days_per_week));
    w.raw("hours_per_day", fmt::format("{}", plan.calendar->hours_per_day));
  }
}

void write_retries(Writer& w, const Retries& r) {
  Retries usual;
  if (r.max == 0 && r.backoff == usual.backoff && r.factor == usual.factor && r.backoff_max == usual.backoff_max)
    return;
  w.raw("retries", fmt::format("{{ max = {}, backoff = {}, factor = {}, backoff_max = {} }}", r.max, text_of(r.backoff),
                               r.factor, text_of(r.backoff_max)));
}

void write(Writer& w, const Orchestrator& o) {
  w.out += "\n[[orchestrator]]\n";
  w.text("id", o.id);
  w.text("name", o.name);
  if (o.phase != Phase::mixed) w.text("phase", name(o.phase));
  w.texts("milestones", o.milestones);
  w.texts("depends_on", o.depends_on);
  w.count("jobs", o.jobs);
  w.text("agent", o.agent);
}

void write(Writer& w, const Workstream& s) {
  w.out += "\n[[workstream]]\n";
  w.text("id", s.id);
  w.text("name", s.name);
  w.text("orchestrator", s.orchestrator);
  w.text("milestone", s.milestone);
  if (s.agents.size() == 1)
    w.text("agent", s.agents[0]);
  else
    w.texts("agent", s.agents);
  w.text("priority", name(s.priority));
  if (s.duration) w.text("duration", text(*s.duration));
  w.texts("depends_on", s.depends_on);
  w.text("spec", s.spec);
  w.texts("deliverables", s.deliverables);
  w.text("run", s.run);
  if (s.accept_exit_status) w.text("accept", "exit-status");
  w.table("env", s.env, [](auto& v) { return toml_string(v); });
  w.duration("timeout", s.timeout);
  write_retries(w, s.retries);
  if (s.on_lost == OnLost::ask) w.text("on_lost", "ask");
  w.table("needs", s.needs, [](int n) { return std::to_string(n); });
  w.criteria("workstream", s.criteria);
}

void write(Writer& w, const Gate& g) {
  w.out += "\n[[gate]]\n";
  w.text("id", g.id);
  w.text("name", g.name);
  w.texts("after", g.after);
  w.texts("before", g.before);
  w.text("due", g.due);
  w.criteria("gate", g.criteria);
}

}  // namespace

std::string to_toml(const Plan& plan) {
  Writer w;
  write_head(w, plan);
  for (auto& o : plan.orchestrators) write(w, o);
  for (auto& s : plan.workstreams) write(w, s);
  for (auto& g : plan.gates) write(w, g);
  if (!plan.agents_toml.empty()) w.out += "\n" + plan.agents_toml + "\n";
  return w.out;
}

}  // namespace sparky::plan
