#include "plan/plan_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "plan/days.h"

namespace sparky::plan {
namespace {

// ---- writing: a field that has its default is left out -------------------------------------------------------------

void put(Json& j, const char* key, const std::string& value) {
  if (!value.empty()) j[key] = value;
}
void put(Json& j, const char* key, const std::vector<std::string>& value) {
  if (!value.empty()) j[key] = value;
}
template <class V>
void put(Json& j, const char* key, const std::map<std::string, V>& value) {
  if (!value.empty()) j[key] = value;
}
void put(Json& j, const char* key, const std::optional<Duration>& value) {
  if (value) j[key] = value->count();
}
void put(Json& j, const char* key, int value) {
  if (value != 0) j[key] = value;
}
void put(Json& j, const char* key, bool value) {
  if (value) j[key] = true;
}

Json to_json(const Criterion& c) {
  Json j = Json::object();
  put(j, "text", c.text);
  put(j, "check", c.check);
  put(j, "manual", c.manual);
  put(j, "red_first", c.red_first);
  put(j, "requires", c.needs_facts);
  put(j, "timeout_ms", c.timeout);
  return j;
}

template <class T>
void put_list(Json& j, const char* key, const std::vector<T>& list) {
  if (list.empty()) return;
  auto& out = j[key] = Json::array();
  for (auto& item : list) out.push_back(to_json(item));
}

// ---- reading -------------------------------------------------------------------------------------------------------

// One object: each known field is taken once. The first error of the whole document is kept, with its path.
class Reader {
 public:
  Reader(const Json& json, std::string path, std::string& error) : json_(json), path_(std::move(path)), error_(error) {
    if (!json.is_object()) fail("", "is not an object");
  }

  void get(const char* key, std::string& out) {
    if (auto v = find(key))
      v->is_string() ? out = v->get_ref<const std::string&>(), void() : fail(key, "is not a string");
  }
  void get(const char* key, std::vector<std::string>& out) {
    auto v = find(key);
    if (!v) return;
    if (!v->is_array()) return fail(key, "is not an array");
    for (auto& element : *v) {
      if (!element.is_string()) return fail(key, "holds what is not a string");
      out.push_back(element.get_ref<const std::string&>());
    }
  }
  void get(const char* key, std::map<std::string, std::string>& out) {
    auto v = find(key);
    if (!v) return;
    if (!v->is_object()) return fail(key, "is not an object");
    for (auto& [name, value] : v->items()) {
      if (!value.is_string()) return fail(key, "holds what is not a string");
      out[name] = value.get_ref<const std::string&>();
    }
  }
  void get(const char* key, std::map<std::string, int>& out) {
    auto v = find(key);
    if (!v) return;
    if (!v->is_object()) return fail(key, "is not an object");
    for (auto& [name, value] : v->items())
      if (auto n = integer(key, value, 1, 1'000'000'000)) out[name] = int(*n);
  }
  void get(const char* key, std::optional<Duration>& out) {
    auto v = find(key);
    if (!v) return;
    if (auto ms = integer(key, *v, 0, int64_t(1e15))) out = Duration(*ms);
  }
  void get(const char* key, Duration& out) {
    std::optional<Duration> value;
    get(key, value);
    out = value.value_or(out);
  }
  void get(const char* key, int& out) {
    auto v = find(key);
    if (!v) return;
    if (auto n = integer(key, *v, 0, 1'000'000'000)) out = int(*n);
  }
  void get(const char* key, double& out, double min, double max) {
    auto v = find(key);
    if (!v) return;
    if (!v->is_number()) return fail(key, "is not a number");
    double value = v->get<double>();
    if (!(value >= min && value <= max)) return fail(key, fmt::format("is not from {} to {}", min, max));
    out = value;
  }
  void get(const char* key, bool& out) {
    if (auto v = find(key)) v->is_boolean() ? out = v->get<bool>(), void() : fail(key, "is not true or false");
  }
  template <class E>
  void get(const char* key, E& out, std::optional<E> (*parse)(std::string_view)) {
    std::string text;
    get(key, text);
    if (text.empty()) return;
    if (auto value = parse(text))
      out = *value;
    else
      fail(key, fmt::format("is '{}', which is unknown", text));
  }
  // Calls read(Reader&) for the object under `key`, if there is one.
  template <class Read>
  void object(const char* key, Read read) {
    auto v = find(key);
    if (!v) return;
    Reader inner(*v, path_ + key + ".", error_);
    read(inner);
  }
  template <class T, class Read>
  void list(const char* key, std::vector<T>& out, Read read) {
    auto v = find(key);
    if (!v) return;
    if (!v->is_array()) return fail(key, "is not an array");
    out.reserve(v->size());
    for (size_t i = 0; i < v->size(); ++i) {
      Reader inner((*v)[i], fmt::format("{}{}[{}].", path_, key, i), error_);
      out.push_back(read(inner));
    }
  }
  bool has(const char* key) { return find(key) != nullptr; }

 private:
  const Json* find(const char* key) {
    if (!json_.is_object()) return nullptr;
    auto it = json_.find(key);
    return it == json_.end() ? nullptr : &*it;
  }
  std::optional<int64_t> integer(const char* key, const Json& v, int64_t min, int64_t max) {
    bool fits = v.is_number_unsigned() ? v.get<uint64_t>() <= uint64_t(max) : v.is_number_integer();
    if (!fits || v.get<int64_t>() < min || v.get<int64_t>() > max)
      return fail(key, fmt::format("is not an integer from {} to {}", min, max)), std::nullopt;
    return v.get<int64_t>();
  }
  void fail(std::string_view key, std::string_view what) {
    if (error_.empty()) error_ = fmt::format("{}{}: {}", path_, key, what);
  }

  const Json& json_;
  std::string path_;
  std::string& error_;
};

Criterion read_criterion(Reader& r) {
  Criterion c;
  r.get("text", c.text);
  r.get("check", c.check);
  r.get("manual", c.manual);
  r.get("red_first", c.red_first);
  r.get("requires", c.needs_facts);
  r.get("timeout_ms", c.timeout);
  return c;
}

Workstream read_workstream(Reader& r) {
  Workstream w;
  r.get("id", w.id);
  r.get("name", w.name);
  r.get("orchestrator", w.orchestrator);
  r.get("milestone", w.milestone);
  r.get("agents", w.agents);
  r.get("priority", w.priority, &parse_priority);
  r.object("duration", [&](Reader& d) {
    Days days;
    d.get("min", days.min, 0, max_days);
    d.get("max", days.max, 0, max_days);
    w.duration = days;
  });
  r.get("depends_on", w.depends_on);
  r.get("spec", w.spec);
  r.get("deliverables", w.deliverables);
  r.list("criteria", w.criteria, read_criterion);
  r.get("run", w.run);
  r.get("accept_exit_status", w.accept_exit_status);
  r.get("env", w.env);
  r.get("timeout_ms", w.timeout);
  r.object("retries", [&](Reader& retries) {
    retries.get("max", w.retries.max);
    retries.get("backoff_ms", w.retries.backoff);
    retries.get("factor", w.retries.factor, 1, 100);
    retries.get("backoff_max_ms", w.retries.backoff_max);
  });
  bool ask = false;
  r.get("ask_when_lost", ask);
  w.on_lost = ask ? OnLost::ask : OnLost::retry;
  r.get("needs", w.needs);
  return w;
}

Orchestrator read_orchestrator(Reader& r) {
  Orchestrator o;
  r.get("id", o.id);
  r.get("name", o.name);
  r.get("phase", o.phase, &parse_phase);
  r.get("milestones", o.milestones);
  r.get("depends_on", o.depends_on);
  r.get("jobs", o.jobs);
  r.get("agent", o.agent);
  return o;
}

Gate read_gate(Reader& r) {
  Gate g;
  r.get("id", g.id);
  r.get("name", g.name);
  r.get("after", g.after);
  r.get("before", g.before);
  r.list("criteria", g.criteria, read_criterion);
  r.get("due", g.due);
  return g;
}

}  // namespace

Json to_json(const Workstream& w) {
  Json j = Json::object();
  put(j, "id", w.id);
  put(j, "name", w.name);
  put(j, "orchestrator", w.orchestrator);
  put(j, "milestone", w.milestone);
  put(j, "agents", w.agents);
  j["priority"] = name(w.priority);
  if (w.duration) j["duration"] = {{"min", w.duration->min}, {"max", w.duration->max}};
  put(j, "depends_on", w.depends_on);
  put(j, "spec", w.spec);
  put(j, "deliverables", w.deliverables);
  put_list(j, "criteria", w.criteria);
  put(j, "run", w.run);
  put(j, "accept_exit_status", w.accept_exit_status);
  put(j, "env", w.env);
  put(j, "timeout_ms", w.timeout);
  if (Retries usual; w.retries.max != 0 || w.retries.backoff != usual.backoff || w.retries.factor != usual.factor ||
                     w.retries.backoff_max != usual.backoff_max)
    j["retries"] = {{"max", w.retries.max},
                    {"backoff_ms", w.retries.backoff.count()},
                    {"factor", w.retries.factor},
                    {"backoff_max_ms", w.retries.backoff_max.count()}};
  put(j, "ask_when_lost", w.on_lost == OnLost::ask);
  put(j, "needs", w.needs);
  return j;
}

Json to_json(const Orchestrator& o) {
  Json j = Json::object();
  put(j, "id", o.id);
  put(j, "name", o.name);
  j["phase"] = name(o.phase);
  put(j, "milestones", o.milestones);
  put(j, "depends_on", o.depends_on);
  put(j, "jobs", o.jobs);
  put(j, "agent", o.agent);
  return j;
}

Json to_json(const Gate& g) {
  Json j = Json::object();
  put(j, "id", g.id);
  put(j, "name", g.name);
  put(j, "after", g.after);
  put(j, "before", g.before);
  put_list(j, "criteria", g.criteria);
  put(j, "due", g.due);
  return j;
}

Json to_json(const Plan& plan) {
  Json j = Json::object();
  put(j, "name", plan.name);
  put(j, "root", plan.root);
  put(j, "untestable_passes", plan.untestable_passes);
  put(j, "notify", plan.notify);
  put(j, "stall_ms", plan.stall);
  put(j, "check_timeout_ms", plan.check_timeout);
  put(j, "jobs", plan.jobs);
  put(j, "limits", plan.limits);
  if (plan.calendar)
    j["calendar"] = {{"start", plan.calendar->start},
                     {"days_per_week", plan.calendar->days_per_week},
                     {"hours_per_day", plan.calendar->hours_per_day}};
  put_list(j, "orchestrators", plan.orchestrators);
  put_list(j, "workstreams", plan.workstreams);
  put_list(j, "gates", plan.gates);
  put(j, "agents_toml", plan.agents_toml);
  put(j, "spawned", plan.spawned);
  put(j, "files", plan.files);
  return j;
}

Result<Plan> plan_from_json(const Json& json) {
  std::string error;
  Plan plan;
  Reader r(json, "", error);
  r.get("name", plan.name);
  r.get("root", plan.root);
  r.get("untestable_passes", plan.untestable_passes);
  r.get("notify", plan.notify);
  r.get("stall_ms", plan.stall);
  r.get("check_timeout_ms", plan.check_timeout);
  r.get("jobs", plan.jobs);
  r.get("limits", plan.limits);
  r.object("calendar", [&](Reader& c) {
    plan.calendar.emplace();
    c.get("start", plan.calendar->start);
    c.get("days_per_week", plan.calendar->days_per_week, 1, 7);
    c.get("hours_per_day", plan.calendar->hours_per_day, 0.25, 24);
  });
  r.list("orchestrators", plan.orchestrators, read_orchestrator);
  r.list("workstreams", plan.workstreams, read_workstream);
  r.list("gates", plan.gates, read_gate);
  r.get("agents_toml", plan.agents_toml);
  r.get("spawned", plan.spawned);
  r.get("files", plan.files);
  if (!error.empty()) return fail(Errc::invalid, "plan: " + error);
  return plan;
}

}  // namespace sparky::plan
