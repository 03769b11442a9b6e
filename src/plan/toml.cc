#include "plan/toml.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cmath>
#include <optional>
#include <sstream>

#include "base/text.h"
#include "plan/days.h"

namespace sparky::plan {
namespace {

Where where(const toml::source_region& at) { return {0, at.begin.line, at.begin.column}; }

std::string kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

struct Problems {
  std::string file;
  std::vector<Diagnostic> found;

  void add(const toml::source_region& at, std::string message, std::string help = {},
           Severity severity = Severity::error) {
    found.push_back({severity, file, int(at.begin.line), int(at.begin.column), std::move(message), std::move(help)});
  }
};

// One table: each known field is asked for once, by its type; finish() reports what nobody asked for.
class Fields {
 public:
  Fields(const toml::table& table, std::string what, Problems& problems)
      : table_(table), what_(std::move(what)), problems_(problems) {}

  void name(std::string what) { what_ = std::move(what); }  // what messages call this table
  const toml::table& table() const { return table_; }

  const toml::node* any(std::string_view key) {
    known_.push_back(key);
    return table_.get(key);
  }
  void wrong(const toml::node& node, std::string_view key, std::string_view wanted) {
    problems_.add(node.source(), fmt::format("{} of {} is {}, not {}", key, what_, kind_of(node), wanted));
  }
  void invalid(std::string_view key, std::string message, std::string help) {
    auto node = table_.get(key);
    problems_.add(node ? node->source() : table_.source(), std::move(message), std::move(help));
  }

  std::string text(std::string_view key) {
    auto node = any(key);
    if (!node) return {};
    if (auto value = node->as_string()) return checked(*node, key, value->get());
    return wrong(*node, key, "a string"), std::string{};
  }
  // A string, or an array of strings.
  std::vector<std::string> texts(std::string_view key) {
    std::vector<std::string> out;
    auto node = any(key);
    if (!node) return out;
    if (auto one = node->as_string()) {
      out.push_back(checked(*node, key, one->get()));
    } else if (auto list = node->as_array()) {
      out.reserve(list->size());
      for (auto& element : *list) {
        if (auto value = element.as_string())
          out.push_back(checked(element, key, value->get()));
        else
          wrong(element, fmt::format("an element of {}", key), "a string");
      }
    } else {
      wrong(*node, key, "a string or an array of strings");
    }
    return out;
  }
  std::optional<bool> flag(std::string_view key) {
    auto node = any(key);
    if (!node) return std::nullopt;
    if (auto value = node->as_boolean()) return value->get();
    wrong(*node, key, "true or false");
    return std::nullopt;
  }
  std::optional<double> number(std::string_view key, double min, double max) {
    auto node = any(key);
    if (!node) return std::nullopt;
    auto value = node->value<double>();
    if (!node->is_number() || !value) return wrong(*node, key, "a number"), std::nullopt;
    if (!(*value >= min && *value <= max)) {
      problems_.add(node->source(), fmt::format("{} of {} is {}", key, what_, *value),
                    fmt::format("write a number from {} to {}", min, max));
      return std::nullopt;
    }
    return value;
  }
  std::optional<int> count(std::string_view key, int min = 0) {
    auto node = any(key);
    return node ? as_count(*node, key, min) : std::nullopt;
  }
  std::optional<Duration> duration(std::string_view key) {
    auto node = any(key);
    if (!node) return std::nullopt;
    if (auto seconds = node->as_integer(); seconds && seconds->get() >= 0 && seconds->get() <= 1'000'000'000'000)
      return Duration(seconds->get() * 1000);
    auto value = node->as_string();
    if (!value) return wrong(*node, key, "a duration such as \"90s\" or \"2h\""), std::nullopt;
    auto parsed = parse_duration(value->get());
    if (parsed) return *parsed;
    problems_.add(node->source(), fmt::format("{} of {}: {}", key, what_, parsed.error().message), parsed.error().help);
    return std::nullopt;
  }
  // { name = count }, or ["name"] for one of each.
  std::map<std::string, int> counts(std::string_view key, bool list_allowed) {
    std::map<std::string, int> out;
    auto node = any(key);
    if (!node) return out;
    if (auto table = node->as_table()) {
      for (auto& [name, value] : *table)
        if (auto n = as_count(value, name.str(), 1)) out[std::string(name.str())] = *n;
    } else if (node->is_array() && list_allowed) {
      known_.pop_back();
      for (auto& name : texts(key)) out[name] += 1;
    } else {
      wrong(*node, key, "a table such as { gpu = 1 }");
    }
    return out;
  }
  std::map<std::string, std::string> texts_by_name(std::string_view key) {
    std::map<std::string, std::string> out;
    auto node = any(key);
    if (!node) return out;
    auto table = node->as_table();
    if (!table) return wrong(*node, key, "a table such as { NAME = \"value\" }"), out;
    for (auto& [name, value] : *table) {
      if (name.str().empty() || name.str().find_first_of(std::string_view("=\0", 2)) != std::string_view::npos)
        problems_.add(value.source(), fmt::format("'{}' cannot be the name of an environment variable", name.str()));
      else if (auto s = value.as_string())
        out[std::string(name.str())] = checked(value, name.str(), s->get());
      else if (auto i = value.as_integer())
        out[std::string(name.str())] = std::to_string(i->get());
      else
        wrong(value, name.str(), "a string");
    }
    return out;
  }
  std::string date(std::string_view key) {
    auto node = any(key);
    if (!node) return {};
    if (auto d = node->as_date())
      return fmt::format("{:04}-{:02}-{:02}", d->get().year, int(d->get().month), int(d->get().day));
    if (auto s = node->as_string()) return s->get();
    return wrong(*node, key, "a date"), std::string{};
  }

  void finish() {
    for (auto& [key, node] : table_) {
      auto name = key.str();
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      std::vector<std::string> names(known_.begin(), known_.end());
      auto near = nearest(name, names);
      problems_.add(
          key.source(), fmt::format("{} has no field '{}'", what_, name),
          near ? fmt::format("did you mean '{}'?", *near) : fmt::format("known fields: {}", join(names, ", ")));
    }
  }

 private:
  // No string of a plan may hold a NUL: it would end a command, a path or a variable early.
  std::string checked(const toml::node& node, std::string_view key, const std::string& value) {
    if (value.find('\0') == value.npos) return value;
    problems_.add(node.source(), fmt::format("{} of {} contains the character U+0000", key, what_));
    return {};
  }
  std::optional<int> as_count(const toml::node& node, std::string_view key, int min) {
    auto value = node.as_integer();
    if (!value) return wrong(node, key, "an integer"), std::nullopt;
    if (value->get() >= min && value->get() <= 1'000'000'000) return int(value->get());
    problems_.add(node.source(), fmt::format("{} of {} is {}", key, what_, value->get()),
                  fmt::format("write an integer from {} to 1000000000", min));
    return std::nullopt;
  }

  const toml::table& table_;
  std::string what_;
  Problems& problems_;
  std::vector<std::string_view> known_;
};

class Parser {
 public:
  Parser(const std::string& file, Limits limits) : limits_(limits) {
    problems_.file = file;
    parsed_.plan.files = {file};
  }

  Parsed parse(const toml::table& root) {
    Fields fields(root, "the plan file", problems_);
    read_plan(fields);
    read_calendar(fields);
    parsed_.plan.limits = fields.counts("limits", false);
    if (auto agents = fields.any("agents")) {
      if (agents->is_table()) {
        std::ostringstream out;
        out << toml::toml_formatter{toml::table{{"agents", *agents->as_table()}}};
        parsed_.plan.agents_toml = out.str();
      } else {
        fields.wrong(*agents, "agents", "a table: [agents.NAME]");
      }
    }
    parsed_.readable = true;
    each(fields, "orchestrator", [&](Fields& f) { parsed_.plan.orchestrators.push_back(orchestrator(f)); });
    each(fields, "workstream", [&](Fields& f) { parsed_.plan.workstreams.push_back(workstream(f)); });
    each(fields, "gate", [&](Fields& f) { parsed_.plan.gates.push_back(gate(f)); });
    fields.finish();
    std::stable_sort(problems_.found.begin(), problems_.found.end(),
                     [](auto& a, auto& b) { return std::pair(a.line, a.column) < std::pair(b.line, b.column); });
    parsed_.problems = std::move(problems_.found);
    return std::move(parsed_);
  }

 private:
  void read_plan(Fields& root) {
    auto& plan = parsed_.plan;
    auto node = root.any("plan");
    if (!node)
      return problems_.add(root.table().source(), "the [plan] table is missing",
                           "begin the file with [plan] and a line name = \"…\"");
    if (!node->is_table()) return root.wrong(*node, "plan", "a table: [plan]");
    Fields f(*node->as_table(), "[plan]", problems_);
    plan.name = f.text("name");
    if (plan.name.empty()) f.invalid("name", "the plan has no name", "write name = \"…\" under [plan]");
    if (auto value = f.text("root"); !value.empty()) plan.root = value;
    auto untestable = f.text("untestable");
    plan.untestable_passes = untestable == "pass";
    if (!untestable.empty() && untestable != "pass" && untestable != "wait")
      f.invalid("untestable", fmt::format("untestable of [plan] is \"{}\"", untestable),
                "write \"wait\" (a person decides; the default) or \"pass\"");
    plan.notify = f.text("notify");
    plan.stall = f.duration("stall");
    plan.check_timeout = f.duration("check_timeout");
    plan.jobs = f.count("jobs").value_or(0);
    f.finish();
  }

  void read_calendar(Fields& root) {
    auto node = root.any("calendar");
    if (!node) return;
    if (!node->is_table()) return root.wrong(*node, "calendar", "a table: [calendar]");
    Fields f(*node->as_table(), "[calendar]", problems_);
    Calendar calendar;
    calendar.start = f.date("start");
    if (auto start = parse_iso(calendar.start); !start || calendar.start.size() != 10)
      f.invalid("start", fmt::format("start of [calendar] is '{}', not a date", calendar.start),
                "write start = 2026-01-05");
    if (auto days = f.number("days_per_week", 1, 7)) {
      if (*days == std::floor(*days))
        calendar.days_per_week = *days;
      else
        f.invalid("days_per_week", fmt::format("days_per_week of [calendar] is {}", *days),
                  "write a whole number from 1 to 7; the week begins on Monday");
    }
    if (auto hours = f.number("hours_per_day", 0.25, 24)) calendar.hours_per_day = *hours;
    f.finish();
    time_ = {calendar.days_per_week, calendar.hours_per_day};
    parsed_.plan.calendar = calendar;
  }

  // [[list]]: calls `read` for each table of it. The model keeps one entry per table, so that indices agree.
  template <class Read>
  void each(Fields& root, std::string_view list, Read read) {
    auto node = root.any(list);
    if (!node) return;
    auto array = node->as_array();
    if (!array || !array->is_homogeneous(toml::node_type::table)) {
      if (array && array->empty()) return;
      problems_.add(node->source(), fmt::format("{} is not an array of tables", list),
                    fmt::format("begin each one with a line [[{}]]", list));
      parsed_.readable = false;
      return;
    }
    if (list == "workstream" && array->size() > limits_.workstreams) {
      problems_.add(node->source(),
                    fmt::format("{} workstreams; a plan file may hold {}", array->size(), limits_.workstreams),
                    "split the plan into several");
      parsed_.readable = false;
      return;
    }
    for (auto& entry : *array) {
      Fields fields(*entry.as_table(), fmt::format("[[{}]]", list), problems_);
      read(fields);
      fields.finish();
    }
  }

  std::string id(Fields& f, std::string_view kind) {
    auto id = f.text("id");
    if (auto wrong = bad_id(id); id.empty())
      f.invalid("id", fmt::format("a {} without an id", kind), "write id = \"…\"");
    else if (!wrong.empty())
      f.invalid("id", fmt::format("'{}' cannot be an id: {}", id, wrong),
                "write letters, digits, '-', '_' and '.', beginning with a letter or a digit");
    else
      f.name(fmt::format("{} {}", kind, id));
    return id;
  }

  Orchestrator orchestrator(Fields& f) {
    Orchestrator o;
    o.where = where(f.table().source());
    o.id = id(f, "orchestrator");
    o.name = f.text("name");
    if (auto phase = f.text("phase"); !phase.empty()) {
      if (auto known = parse_phase(phase))
        o.phase = *known;
      else
        f.invalid("phase", fmt::format("'{}' is not a phase pattern", phase),
                  "write sequential, parallel, sequential-then-parallel or mixed");
    }
    o.milestones = f.texts("milestones");
    o.depends_on = f.texts("depends_on");
    o.jobs = f.count("jobs").value_or(0);
    o.agent = f.text("agent");
    return o;
  }

  Workstream workstream(Fields& f) {
    Workstream w;
    w.where = where(f.table().source());
    w.id = id(f, "workstream");
    w.name = f.text("name");
    if (auto owner = f.any("orchestrator"); owner && owner->is_array())
      f.invalid("orchestrator", fmt::format("workstream {} has several owners", w.id),
                "a workstream has exactly one orchestrator");
    else
      w.orchestrator = f.text("orchestrator");
    w.milestone = f.text("milestone");
    w.agents = f.texts("agent");
    if (auto priority = f.text("priority"); !priority.empty()) {
      if (auto known = parse_priority(priority))
        w.priority = *known;
      else
        f.invalid("priority", fmt::format("'{}' is not a priority", priority), "write P0, P1, P2 or P3");
    }
    w.duration = estimate(f);
    w.depends_on = f.texts("depends_on");
    w.spec = f.text("spec");
    w.deliverables = f.texts("deliverables");
    w.criteria = criteria(f);
    w.run = f.text("run");
    if (auto accept = f.text("accept"); !accept.empty()) {
      w.accept_exit_status = accept == "exit-status";
      if (!w.accept_exit_status)
        f.invalid("accept", fmt::format("accept of workstream {} is '{}'", w.id, accept),
                  "the only value is \"exit-status\": done without criteria when `run` exits 0");
    }
    w.env = f.texts_by_name("env");
    w.timeout = f.duration("timeout");
    w.retries = retries(f);
    if (auto on_lost = f.text("on_lost"); !on_lost.empty()) {
      w.on_lost = on_lost == "ask" ? OnLost::ask : OnLost::retry;
      if (on_lost != "ask" && on_lost != "retry")
        f.invalid("on_lost", fmt::format("on_lost of workstream {} is '{}'", w.id, on_lost),
                  "write \"retry\" or \"ask\"");
    }
    w.needs = f.counts("needs", true);
    return w;
  }

  std::optional<Days> estimate(Fields& f) {
    auto node = f.any("duration");
    if (!node) return std::nullopt;
    if (node->is_number()) {
      double days = *node->value<double>();
      if (days >= 0 && days <= max_days) return Days{days, days};
      f.invalid("duration", fmt::format("an estimate of {} days", days),
                fmt::format("write working days from 0 to {}", max_days));
      return std::nullopt;
    }
    if (!node->is_string()) return f.wrong(*node, "duration", "an estimate such as \"3-4d\""), std::nullopt;
    auto days = parse_days(node->as_string()->get(), time_);
    if (days) return *days;
    f.invalid("duration", days.error().message, days.error().help);
    return std::nullopt;
  }

  // A number of further attempts, or { max, backoff, factor, backoff_max }.
  Retries retries(Fields& f) {
    Retries out;
    auto node = f.any("retries");
    if (!node) return out;
    if (node->is_integer()) return out.max = f.count("retries").value_or(0), out;
    if (!node->is_table())
      return f.wrong(*node, "retries", "a number, or a table such as { max = 2, backoff = \"10s\" }"), out;
    Fields r(*node->as_table(), "retries", problems_);
    out.max = r.count("max").value_or(1);
    out.backoff = r.duration("backoff").value_or(out.backoff);
    out.factor = r.number("factor", 1, 100).value_or(out.factor);
    out.backoff_max = r.duration("backoff_max").value_or(out.backoff_max);
    r.finish();
    return out;
  }

  Gate gate(Fields& f) {
    Gate g;
    g.where = where(f.table().source());
    g.id = id(f, "gate");
    g.name = f.text("name");
    g.after = f.texts("after");
    g.before = f.texts("before");
    g.criteria = criteria(f);
    g.due = f.date("due");
    if (!g.due.empty() && !parse_due(g.due))
      f.invalid("due", fmt::format("'{}' is not a due date", g.due), "write due = 2026-03-31 or due = \"week 6\"");
    return g;
  }

  std::vector<Criterion> criteria(Fields& f) {
    std::vector<Criterion> out;
    auto node = f.any("criteria");
    if (!node) return out;
    auto array = node->as_array();
    if (!array) return f.wrong(*node, "criteria", "an array of tables"), out;
    out.reserve(array->size());
    for (auto& entry : *array) {
      Criterion c;
      c.where = where(entry.source());
      if (auto table = entry.as_table()) {
        Fields cf(*table, "a criterion", problems_);
        c.text = cf.text("text");
        c.check = cf.text("check");
        c.manual = cf.flag("manual").value_or(false);
        c.red_first = cf.flag("red_first").value_or(false);
        c.needs_facts = cf.texts("requires");
        c.timeout = cf.duration("timeout");
        cf.finish();
      } else {
        f.wrong(entry, "an element of criteria", "a table with text and check");
      }
      out.push_back(std::move(c));
    }
    return out;
  }

  Limits limits_;
  WorkingTime time_;
  Problems problems_;
  Parsed parsed_;
};

class TomlSource : public Source {
 public:
  explicit TomlSource(toml::table root) : root_(std::move(root)) {}

  Where find(const Place& place) const override {
    const toml::node* node = &root_;
    if (!place.list.empty()) {
      auto list = root_[place.list].as_array();
      node = list ? list->get(place.index) : nullptr;
    }
    for (auto key : {place.field, place.part}) {
      if (key.empty() || !node) break;
      // A field that is left out is reported where its table stands.
      if (auto inner = node->is_table() ? node->as_table()->get(key) : nullptr)
        node = inner;
      else
        break;
      if (key == place.field && place.element >= 0 && node->is_array()) node = node->as_array()->get(place.element);
    }
    return node ? where(node->source()) : Where{};
  }

 private:
  toml::table root_;
};

Diagnostic at_byte(std::string_view text, size_t byte, const std::string& file, std::string message, std::string help) {
  auto before = text.substr(0, byte);
  auto line_start = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
  int line = 1 + int(std::count(before.begin(), before.end(), '\n'));
  int column = 1 + int(std::count_if(before.begin() + long(line_start), before.end(),
                                     [](char c) { return (c & 0xc0) != 0x80; }));
  return {Severity::error, file, line, column, std::move(message), std::move(help)};
}

}  // namespace

Parsed parse_plan(std::string_view text, const std::string& file, Limits limits) {
  Parsed failed;
  failed.plan.files = {file};
  if (text.size() > limits.bytes) {
    failed.problems.push_back({Severity::error, file, 0, 0,
                               fmt::format("{}; a plan file may have {}", human_bytes(double(text.size())),
                                           human_bytes(double(limits.bytes))),
                               "split the plan into several"});
    return failed;
  }
  if (auto byte = invalid_utf8(text)) {
    failed.problems.push_back(at_byte(
        text, *byte, file, fmt::format("byte 0x{:02x} is not UTF-8", uint8_t(text[*byte])), "save the file as UTF-8"));
    return failed;
  }
  if (trim(text).empty()) {
    failed.problems.push_back(
        {Severity::error, file, 0, 0, "the plan is empty", "`sparky init` writes a plan that runs as it is"});
    return failed;
  }
  try {
    auto root = toml::parse(text);
    auto parsed = Parser(file, limits).parse(root);
    if (parsed.readable) parsed.source = std::make_shared<TomlSource>(std::move(root));
    return parsed;
  } catch (const toml::parse_error& e) {
    failed.problems.push_back({Severity::error, file, int(e.source().begin.line), int(e.source().begin.column),
                               std::string(e.description()), "this is where the TOML stops making sense"});
    return failed;
  }
}

}  // namespace sparky::plan
