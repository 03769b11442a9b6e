#include "engine/codec.h"

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/transitions.h"
#include "plan/plan_json.h"

namespace sparky::engine {
namespace {

constexpr int event_format = 1, state_format = 1;

template <class T>
concept Fields = requires { T::field_names; };
template <class T>
concept Named = std::is_enum_v<T>;

// MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), the part that events and states need.
class Writer {
 public:
  std::string out;

  template <class... T>
  void operator()(const T&... values) {
    (put(values), ...);
  }
  void array(size_t size) { head(size, 0x90, 16, 0, 0xdc, 0xdd); }
  void map(size_t size) { head(size, 0x80, 16, 0, 0xde, 0xdf); }
  void raw(std::string_view bytes) { out += bytes; }

  void put(bool v) { out.push_back(char(v ? 0xc3 : 0xc2)); }
  template <std::integral T>
  void put(T v) {
    if constexpr (std::is_signed_v<T>)
      if (v < 0) return byte(0xd3), big(uint64_t(int64_t(v)), 8);
    auto u = uint64_t(v);
    if (u < 0x80) return byte(uint8_t(u));
    if (u <= 0xff) return byte(0xcc), byte(uint8_t(u));
    if (u <= 0xffff) return byte(0xcd), big(u, 2);
    if (u <= 0xffffffff) return byte(0xce), big(u, 4);
    byte(0xcf), big(u, 8);
  }
  void put(double v) { byte(0xcb), big(std::bit_cast<uint64_t>(v), 8); }
  void put(std::string_view v) {
    head(v.size(), 0xa0, 32, 0xd9, 0xda, 0xdb);
    out += v;
  }
  void put(const std::string& v) { put(std::string_view(v)); }
  template <Named E>
  void put(E v) {
    put(uint64_t(v));
  }
  void put(Duration v) { put(int64_t(v.count())); }
  void put(Time v) { put(v.time_since_epoch()); }
  template <class T>
  void put(const std::vector<T>& v) {
    array(v.size());
    for (auto& x : v) put(x);
  }
  template <class A, class B>
  void put(const std::pair<A, B>& v) {
    array(2), put(v.first), put(v.second);
  }
  template <class K, class V>
  void put(const std::map<K, V>& v) {
    array(v.size());
    for (auto& x : v) put(std::pair<const K&, const V&>(x));
  }
  template <class A, class B>
  void put(const std::pair<const A&, const B&>& v) {
    array(2), put(v.first), put(v.second);
  }
  void put(const std::shared_ptr<const plan::Plan>& v) { put(v ? to_msgpack(plan::to_json(*v)) : std::string{}); }
  template <Fields T>
  void put(const T& v) {
    v.visit([&](auto&... f) { array(sizeof...(f)), (put(f), ...); });
  }

 private:
  void byte(uint8_t v) { out.push_back(char(v)); }
  void big(uint64_t v, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) byte(uint8_t(v >> (8 * i)));
  }
  // One byte of head for small sizes, else 8, 16 or 32 bits of length.
  void head(size_t size, uint8_t small, size_t small_max, uint8_t b8, uint8_t b16, uint8_t b32) {
    if (size < small_max) return byte(uint8_t(small | size));
    if (b8 && size <= 0xff) return byte(b8), byte(uint8_t(size));
    if (size <= 0xffff) return byte(b16), big(size, 2);
    byte(b32), big(size, 4);
  }
};

// Reads what Writer wrote, out of the guarded decoder's Json. The first misfit is kept.
class Reader {
 public:
  std::string misfit;

  void get(const Json& j, bool& v) { j.is_boolean() ? void(v = j.get<bool>()) : expect("a boolean", j); }
  template <std::integral T>
  void get(const Json& j, T& v) {
    if (!j.is_number_integer()) return expect("an integer", j);
    bool fits = j.is_number_unsigned() ? std::in_range<T>(j.get<uint64_t>()) : std::in_range<T>(j.get<int64_t>());
    if (!fits) return expect("a smaller number", j);
    v = j.get<T>();
  }
  void get(const Json& j, double& v) {
    if (!j.is_number()) return expect("a number", j);
    v = j.get<double>();
  }
  void get(const Json& j, std::string& v) {
    if (!j.is_string()) return expect("a string", j);
    v = j.get_ref<const std::string&>();
  }
  template <Named E>
  void get(const Json& j, E& v) {
    uint8_t number = 0;
    get(j, number);
    if (misfit.empty() && name(E(number)) == "?") return expect("a known value", j);
    v = E(number);
  }
  void get(const Json& j, Duration& v) {
    int64_t ms = 0;
    get(j, ms);
    constexpr int64_t limit_ms = int64_t{1} << 60;  // far beyond any date, far below overflow in sums
    if (ms > limit_ms || ms < -limit_ms) return expect("a time", j);
    v = Duration{ms};
  }
  void get(const Json& j, Time& v) {
    Duration since{};
    get(j, since);
    v = Time{since};
  }
  template <class T>
  void get(const Json& j, std::vector<T>& v) {
    if (!j.is_array()) return expect("an array", j);
    v.resize(j.size());
    for (size_t i = 0; i < v.size(); ++i) get(j[i], v[i]);
  }
  template <class A, class B>
  void get(const Json& j, std::pair<A, B>& v) {
    if (!j.is_array() || j.size() != 2) return expect("a pair", j);
    get(j[0], v.first), get(j[1], v.second);
  }
  template <class K, class V>
  void get(const Json& j, std::map<K, V>& v) {
    std::vector<std::pair<K, V>> entries;
    get(j, entries);
    for (auto& [key, value] : entries) v.emplace(std::move(key), std::move(value));
  }
  void get(const Json& j, std::shared_ptr<const plan::Plan>& v) {
    std::string bytes;
    get(j, bytes);
    if (!misfit.empty()) return;
    auto json = parse_msgpack(bytes, {.bytes = size_t{4} << 30, .values = size_t{1} << 30});
    auto plan = json ? plan::plan_from_json(*json) : std::unexpected(json.error());
    if (!plan) return misfit = "plan: " + plan.error().message, void();
    v = std::make_shared<const plan::Plan>(std::move(*plan));
  }
  template <Fields T>
  void get(const Json& j, T& v) {
    if (!j.is_array()) return expect("an array", j);
    v.visit([&](auto&... f) { fields(j, 0, f...); });
  }
  // What is missing at the end keeps its default; what is too much is from a later version.
  template <class... T>
  void fields(const Json& j, size_t from, T&... f) {
    size_t i = from;
    ((i < j.size() ? get(j[i], f) : void(), ++i), ...);
  }

 private:
  void expect(const char* what, const Json& j) {
    if (misfit.empty()) misfit = std::string("expected ") + what + ", found " + j.type_name();
  }
};

std::unexpected<Error> corrupt(std::string what) { return fail(Errc::corrupt, std::move(what)); }

template <size_t i>
bool read_body(size_t type, const Json& j, Reader& reader, EventBody& body) {
  if (type != i) return false;
  auto& fields = body.emplace<i>();
  fields.visit([&](auto&... f) { reader.fields(j, 3, f...); });
  return true;
}

// Parts of a state that decode on their own but do not fit together would make apply() meet the impossible.
Status check(const State& s) {
  auto has_node = [&](RunId id, NodeId n) {
    auto* run = s.run(id);
    return run && n < run->nodes.size() && !is_automatic(run->graph->nodes[n].kind);
  };
  for (auto& [id, d] : s.decisions)
    if (id != d.id || !has_node(d.run, d.node) ||
        (d.kind == DecisionKind::criterion && d.criterion >= s.run(d.run)->criteria_of(d.node).size()))
      return corrupt("decision " + std::to_string(id) + " is about nothing");
  for (auto& [id, e] : s.escalations)
    if (id != e.id || !has_node(e.run, e.node))
      return corrupt("escalation " + std::to_string(id) + " is about nothing");
  for (auto& [id, a] : s.attempts) {
    bool fits = a.work == Work::job ? s.workers.contains(a.worker)
                                    : s.run(a.run) && (a.node == no_node || has_node(a.run, a.node));
    if (id != a.id || !fits) return corrupt("attempt " + std::to_string(id) + " is about nothing");
  }
  for (auto& [id, run] : s.runs)
    for (auto& node : run.nodes)
      if (auto* a = s.attempt(node.attempt);
          node.attempt != 0 && (!a || a->run != id || a->node != NodeId(&node - run.nodes.data())))
        return corrupt("run " + std::to_string(id) + " waits for an attempt that is not its own");
  std::set<std::string> ids;
  for (auto& [id, job] : s.jobs) {
    auto* a = s.attempt(job.attempt);
    if (id != job.id || !ids.insert(job.spec.id).second || (job.attempt != 0 && (!a || a->job != id)))
      return corrupt("job " + std::to_string(id) + " does not fit");
  }
  return {};
}

void put_run(Writer& w, const Run& run, bool with_plan) {
  std::string formerly_key;  // of the request that made the run; State::kept knows those of all requests now
  w.array(15);
  w(run.id, with_plan ? run.plan : nullptr, run.options, formerly_key, run.halt, run.settled, run.created, run.changed);
  w(run.nodes, run.criteria, run.judgements, run.notes, run.live, run.decisions.size(), run.escalations.size());
}

Status get_run(Reader& reader, const Json& j, Run& run) {
  if (!j.is_array() || j.size() < 15) return corrupt("a run is too short");
  std::string formerly_key;
  reader.fields(j, 0, run.id, run.plan, run.options, formerly_key, run.halt, run.settled, run.created, run.changed,
                run.nodes, run.criteria, run.judgements, run.notes);
  if (!reader.misfit.empty()) return corrupt(reader.misfit);
  if (!run.plan) return corrupt("a run without a plan");
  run.graph = std::make_shared<plan::Graph>(plan::build_graph(*run.plan));
  if (!run.graph->cycle.empty() || run.nodes.size() != run.graph->nodes.size())
    return corrupt("a run's nodes do not fit its plan");
  run.criteria_start.assign(run.nodes.size() + 1, 0);
  for (NodeId n = 0; n < run.nodes.size(); ++n)
    run.criteria_start[n + 1] = run.criteria_start[n] + uint32_t(run.criteria_of(n).size());
  if (run.criteria.size() != run.criteria_start.back()) return corrupt("a run's verdicts do not fit its plan");
  return {};
}

std::string write(const State& s, bool with_plans) {
  Writer w;
  w.array(19);
  w(state_format, s.clock, s.slots, s.ahead, s.next_run, s.next_attempt, s.next_job, s.next_worker, s.next_decision,
    s.next_escalation);
  w.array(s.runs.size());
  for (auto& [id, run] : s.runs) put_run(w, run, with_plans);
  w(s.attempts, s.decisions, s.escalations, s.jobs, s.workers, s.measured, s.queue_paused, s.kept);
  return std::move(w.out);
}

}  // namespace

std::string encode(const Event& event) {
  Writer w;
  std::visit(
      [&](auto& body) {
        body.visit([&](auto&... f) {
          w.array(3 + sizeof...(f));
          w(event_format, event.body.index(), event.at, f...);
        });
      },
      event.body);
  return std::move(w.out);
}

Result<Event> decode_event(std::string_view bytes) {
  SPARKY_ASSIGN(Json j, parse_msgpack(bytes, {.bytes = size_t{4} << 30, .values = size_t{1} << 30}));
  if (!j.is_array() || j.size() < 3) return corrupt("an event is an array of at least three values");
  Reader reader;
  int format = 0;
  size_t type = 0;
  Event event;
  reader.fields(j, 0, format, type, event.at);
  if (!reader.misfit.empty()) return corrupt("event: " + reader.misfit);
  if (format != event_format || type >= std::variant_size_v<EventBody>)
    return fail(Errc::unavailable,
                "an event of format " + std::to_string(format) + ", type " + std::to_string(type) +
                    " is unknown to this version of Sparky",
                "it was written by a newer version: use that one");
  [&]<size_t... i>(std::index_sequence<i...>) {
    (read_body<i>(type, j, reader, event.body) || ...);
  }(std::make_index_sequence<std::variant_size_v<EventBody>>{});
  if (!reader.misfit.empty()) return corrupt(std::string(event_name(type)) + ": " + reader.misfit);
  return event;
}

std::string encode(const State& state) { return write(state, true); }

Result<State> decode_state(std::string_view bytes) {
  SPARKY_ASSIGN(Json j, parse_msgpack(bytes, {.bytes = size_t{4} << 30, .values = size_t{1} << 30}));
  if (!j.is_array() || j.size() < 18) return corrupt("a state is an array of at least 18 values");
  Reader reader;
  State s;
  int format = 0;
  reader.fields(j, 0, format, s.clock, s.slots, s.ahead, s.next_run, s.next_attempt, s.next_job, s.next_worker,
                s.next_decision, s.next_escalation);
  if (!reader.misfit.empty()) return corrupt("state: " + reader.misfit);
  if (format != state_format)
    return fail(Errc::unavailable,
                "a state of format " + std::to_string(format) + " is unknown to this version of Sparky",
                "it was written by a newer version: use that one");
  if (!j[10].is_array()) return corrupt("state: runs are no array");
  for (auto& entry : j[10]) {
    Run run;
    SPARKY_TRY(get_run(reader, entry, run));
    RunId id = run.id;
    s.runs.emplace(id, std::move(run));
  }
  reader.fields(j, 11, s.attempts, s.decisions, s.escalations, s.jobs, s.workers, s.measured, s.queue_paused, s.kept);
  if (!reader.misfit.empty()) return corrupt("state: " + reader.misfit);
  SPARKY_TRY(check(s));
  rebuild(s);
  return s;
}

Digest state_hash(const State& state) { return sha256(write(state, false)); }

namespace {

// The names of SPARKY_FIELDS, one after the other.
class Names {
 public:
  explicit Names(std::string_view all) : rest_(all) {}
  std::string_view next() {
    auto end = rest_.find(", ");
    auto word = rest_.substr(0, end);
    rest_ = end == rest_.npos ? "" : rest_.substr(end + 2);
    return word;
  }

 private:
  std::string_view rest_;
};

template <class T>
Json value(const T& v) {
  if constexpr (Named<T>)
    return std::string(name(v));
  else if constexpr (std::same_as<T, Time>)
    return iso(v);
  else if constexpr (std::same_as<T, Duration>)
    return v.count();
  else if constexpr (std::same_as<T, std::shared_ptr<const plan::Plan>>)
    return v ? Json(v->name) : Json();
  else if constexpr (Fields<T>) {
    Json out = Json::object();
    v.visit([&](auto&... f) {
      Names names(T::field_names);
      ((out[std::string(names.next())] = value(f)), ...);
    });
    return out;
  } else
    return v;
}

// The same as MessagePack. What stands in most events is written as it is, the rest by way of its Json.
template <class T>
void put_named(Writer& w, const T& v) {
  if constexpr (Named<T>)
    w(name(v));
  else if constexpr (std::same_as<T, Time>)
    w(iso(v));
  else if constexpr (std::is_arithmetic_v<T> || std::same_as<T, std::string> || std::same_as<T, Duration>)
    w(v);
  else
    w.raw(to_msgpack(value(v)));
}

}  // namespace

std::string fields_msgpack(const Event& event, std::string_view id) {
  return std::visit(
      [&](auto& body) {
        Writer w;
        body.visit([&](auto&... f) {
          w.map(sizeof...(f) + !id.empty());
          Names names(body.field_names);
          ((w(names.next()), put_named(w, f)), ...);
        });
        if (!id.empty()) w(std::string_view("id"), id);
        return std::move(w.out);
      },
      event.body);
}

Json fields_json(const Event& event) {
  return std::visit([](auto& body) { return value(body); }, event.body);
}

Json to_json(const Event& event) {
  Json out = fields_json(event);
  out["type"] = std::string(event_name(event.body.index()));
  out["at"] = iso(event.at);
  return out;
}

}  // namespace sparky::engine
