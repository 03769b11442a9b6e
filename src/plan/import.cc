#include "plan/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "base/text.h"
#include "plan/days.h"
#include "plan/spec.h"

namespace sparky::plan {
namespace {

// What one document says about a workstream; `rank` orders the documents, the first is followed.
struct Claim {
  int rank;
  uint32_t file;
  WorkstreamSpec spec;
};

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The text outside and inside of parentheses.
struct Parted {
  std::string outside, inside;
};
Parted part(std::string_view text) {
  Parted out;
  int depth = 0;
  for (char c : text) {
    if (c == '(')
      ++depth;
    else if (c == ')' && depth > 0)
      --depth;
    else
      (depth > 0 ? out.inside : out.outside) += c;
  }
  return out;
}

// Parts of an enumeration: at commas and the like, but not inside parentheses.
std::vector<std::string> enumerated(std::string_view text, std::string_view separators) {
  std::vector<std::string> out(1);
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '(' ? 1 : text[i] == ')' && depth > 0 ? -1 : 0;
    bool word = depth == 0 && text.substr(i).starts_with(" and ");
    if (depth == 0 && (separators.find(text[i]) != separators.npos || word)) {
      out.emplace_back();
      i += word ? 4 : 0;
    } else {
      out.back() += text[i];
    }
  }
  return out;
}

bool says_nothing(std::string_view text) {
  auto t = lower(trim(text));
  return t.empty() || t == "-" || t == "—" || t == "n/a" || t == "tbd" || t == "?";
}
bool says_none(std::string_view text) {
  auto t = lower(trim(text));
  return t == "none" || t.starts_with("none ") || t.starts_with("none,") || t == "nothing" || t == "-" || t == "—" ||
         t == "n/a";
}

class Importer {
 public:
  Importer(const std::vector<Document>& documents, const std::string& directory)
      : documents_(documents), directory_(directory) {
    out_.plan.files = {directory + "/plan.toml"};
  }

  Imported run() {
    for (auto& document : documents_) read(document);
    order_workstreams();
    for (auto& spec : orchestrator_docs_) add_orchestrator(spec);
    for (auto& id : ids_) add_workstream(id);
    order_orchestrators();
    read_orchestrator_rules();
    for (auto& [gate, file] : gates_) add_gate(gate, file);
    std::stable_sort(out_.report.begin(), out_.report.end(),
                     [](auto& a, auto& b) { return std::tie(a.file, a.line) < std::tie(b.file, b.line); });
    return std::move(out_);
  }

  ImportedSpec run_one(const std::string& id, const Plan& plan) {
    out_.plan.orchestrators = plan.orchestrators;
    for (auto& w : plan.workstreams) ids_.push_back(w.id);
    auto file = take(documents_[0]);
    auto spec = read_workstream(read_markdown(documents_[0].text));
    if (!spec.id.empty() && spec.id != workstream_id(id) && spec.id != id)
      note(file, spec.line, fmt::format("the title says {}; the workstream is {}", spec.id, id));
    spec.id = id;
    claim(0, file, std::move(spec));
    add_workstream(id);
    ImportedSpec out{std::move(out_.plan.workstreams[0]), {}, std::move(out_.report)};
    if (out_.plan.orchestrators.size() > plan.orchestrators.size()) out.owner = out_.plan.orchestrators.back();
    return out;
  }

 private:
  struct OrchestratorDoc {
    OrchestratorSpec spec;
    std::string id;
    uint32_t file;
  };

  // ---- reporting ---------------------------------------------------------------------------------------------------

  const std::string& file_name(uint32_t file) const { return out_.plan.files[file]; }
  void say(Severity severity, uint32_t file, int line, std::string message, std::string help = {}) {
    out_.report.push_back({severity, file_name(file), line, 0, std::move(message), std::move(help)});
  }
  void warn(uint32_t file, int line, std::string message, std::string help = {}) {
    say(Severity::warning, file, line, std::move(message), std::move(help));
  }
  void note(uint32_t file, int line, std::string message) { say(Severity::note, file, line, std::move(message)); }

  // ---- gathering ---------------------------------------------------------------------------------------------------

  // Its number among the files of the report.
  uint32_t take(const Document& document) {
    auto file = uint32_t(out_.plan.files.size());
    out_.plan.files.push_back(directory_.empty() ? document.path : directory_ + "/" + document.path);
    if (auto byte = invalid_utf8(document.text)) {
      auto before = std::string_view(document.text).substr(0, *byte);
      warn(file, 1 + int(std::count(before.begin(), before.end(), '\n')), "not UTF-8; the broken bytes are replaced");
    }
    return file;
  }

  void read(const Document& document) {
    auto file = take(document);
    auto lines = read_markdown(document.text);
    if (document.path.starts_with("workstreams/")) return read_spec(document, lines, file);
    for (auto& spec : read_workstream_sections(lines))
      claim(document.path.starts_with("orchestrators/") ? 3 : 1, file, spec);
    for (auto& spec : read_matrix(lines)) {
      if (spec.id.empty())
        warn(file, spec.line, fmt::format("'{}' in the table is not a workstream's id", spec.fields["id"].value),
             "ids are written WS-01");
      else
        matrix_order_.push_back(spec.id), claim(2, file, spec);
    }
    for (auto& gate : read_gates(lines)) gates_.push_back({std::move(gate), file});
    for (auto& spawn : read_spawn_lines(lines)) spawns_.push_back({std::move(spawn), file});
    if (document.path.starts_with("orchestrators/")) {
      auto stem = std::filesystem::path(document.path).stem().string();
      orchestrator_docs_.push_back({read_orchestrator(lines), slug(stem), file});
    }
  }

  void read_spec(const Document& document, const std::vector<MarkdownLine>& lines, uint32_t file) {
    auto spec = read_workstream(lines);
    auto folder = split(std::string_view(document.path).substr(std::string_view("workstreams/").size()), '/')[0];
    auto by_folder = workstream_id(folder);
    if (spec.id.empty()) {
      spec.id = by_folder;
      warn(file, 1, "the title does not begin with the workstream's id", fmt::format("write # {}: …", by_folder));
    } else if (!by_folder.empty() && spec.id != by_folder) {
      note(file, spec.line, fmt::format("the title says {}, the folder {}: the title is followed", spec.id, by_folder));
    }
    if (spec.id.empty()) return;
    if (auto [it, fresh] = specs_.try_emplace(spec.id, document.path); !fresh)
      warn(file, 1, fmt::format("{} has a spec already: {}", spec.id, it->second), "this one is left out");
    else
      claim(0, file, std::move(spec));
  }

  void claim(int rank, uint32_t file, WorkstreamSpec spec) {
    auto& claims = claims_[spec.id];
    claims.push_back({rank, file, std::move(spec)});
  }

  // Plan order: the matrix's, then by id.
  void order_workstreams() {
    for (auto& [spawn, file] : spawns_) claim_spawn(spawn, file);
    for (auto& doc : orchestrator_docs_) claim_members(doc);
    for (auto& id : matrix_order_)
      if (std::find(ids_.begin(), ids_.end(), id) == ids_.end()) ids_.push_back(id);
    for (auto& [id, claims] : claims_) {
      // Being mentioned in a list of workstreams is not enough to be one.
      bool described = std::any_of(claims.begin(), claims.end(), [](auto& c) { return c.rank < 4; });
      if (!described) warn(claims[0].file, claims[0].spec.line, fmt::format("{} is named, but described nowhere", id));
      if (described && std::find(ids_.begin(), ids_.end(), id) == ids_.end()) ids_.push_back(id);
    }
    for (auto& [id, claims] : claims_)
      std::stable_sort(claims.begin(), claims.end(), [](auto& a, auto& b) { return a.rank < b.rank; });
  }

  void claim_spawn(const SpawnLine& spawn, uint32_t file) {
    auto option = [&](const char* name) { return spawn.options.find(name); };
    if (spawn.agent) {
      auto it = option("workstream");
      if (it == spawn.options.end()) return;
      WorkstreamSpec spec;
      spec.id = workstream_id(it->second.value);
      if (spec.id.empty())
        return warn(file, it->second.line, fmt::format("'{}' is not a workstream's id", it->second.value));
      spec.line = spawn.line;
      spec.fields["agent"] = {spawn.name, spawn.line};
      if (auto o = option("priority"); o != spawn.options.end()) spec.fields["priority"] = o->second;
      if (auto o = option("depends"); o != spawn.options.end()) spec.fields["depends_on"] = o->second;
      return claim(4, file, std::move(spec));
    }
    if (auto it = option("workstreams"); it != spawn.options.end())
      for (auto& name : enumerated(it->second.value, ","))
        if (auto id = workstream_id(name); !id.empty()) {
          WorkstreamSpec spec{.id = id, .line = it->second.line};
          spec.fields["orchestrator"] = {spawn.name, it->second.line};
          claim(5, file, std::move(spec));
        }
  }

  void claim_members(const OrchestratorDoc& doc) {
    auto it = doc.spec.fields.find("workstreams");
    if (it == doc.spec.fields.end()) return;
    for (auto& id : ids_in(it->second.value)) {
      WorkstreamSpec spec{.id = id, .line = it->second.line};
      spec.fields["orchestrator"] = {doc.id, it->second.line};
      claim(5, doc.file, std::move(spec));
    }
  }

  // ---- reading values ----------------------------------------------------------------------------------------------

  // Every id in the text, ranges ("WS-01 through WS-04") included.
  std::vector<std::string> ids_in(std::string_view text) {
    std::vector<std::string> out;
    size_t range_from = std::string::npos;
    for (size_t at = 0; at < text.size();) {
      bool at_word = letter(text[at]) && (at == 0 || !letter(text[at - 1]));
      auto id = at_word ? workstream_id(text.substr(at)) : std::string();
      if (id.empty()) {
        ++at;
        continue;
      }
      if (range_from != std::string::npos) {
        auto between = lower(trim(text.substr(range_from, at - range_from)));
        if (between == "through" || between == "to" || between == "–" || between == "-" || between == "…")
          fill_range(out, id);
      }
      out.push_back(id);
      while (at < text.size() && text[at] != ' ' && text[at] != ',' && text[at] != ')' && text[at] != ';') ++at;
      range_from = at;
    }
    return out;
  }
  void fill_range(std::vector<std::string>& out, const std::string& last) {
    int from = std::stoi(out.back().substr(3)), to = std::stoi(last.substr(3));
    for (int n = from + 1; n < to && to - from < 1000; ++n) out.push_back(fmt::format("WS-{:02}", n));
  }

  std::optional<std::string> orchestrator_id(std::string_view name) const {
    auto key = orchestrator_key(name);
    for (auto& o : out_.plan.orchestrators)
      if (orchestrator_key(o.id) == key || orchestrator_key(o.name) == key) return o.id;
    return std::nullopt;
  }

  bool known(const std::string& id) const { return std::find(ids_.begin(), ids_.end(), id) != ids_.end(); }

  // "WS-04, WS-09", "None (blocks all)", "WS-01 (needs baseline)", "All screens (WS-09 through WS-16)", "Foundation".
  std::vector<std::string> dependencies(std::string_view text, uint32_t file, int line) {
    std::vector<std::string> out;
    auto add = [&](const std::string& id) {
      if (std::find(out.begin(), out.end(), id) == out.end()) out.push_back(id);
    };
    for (auto& entry : enumerated(text, ",;+&")) {
      auto [outside, inside] = part(entry);
      if (says_none(outside) || trim(entry).empty()) continue;
      auto found = ids_in(outside);
      if (found.empty())
        if (auto group = orchestrator_id(outside)) {
          add(*group);
          continue;
        }
      if (found.empty() && !(found = ids_in(inside)).empty())
        note(file, line, fmt::format("'{}' is read as {}", trim(entry), join(found, ", ")));
      if (found.empty())
        warn(file, line, fmt::format("cannot read the dependency '{}'; it is left out", trim(entry)),
             "write ids such as WS-04, names of orchestrators, or None");
      for (auto& id : found)
        if (known(id))
          add(id);
        else
          warn(file, line, fmt::format("the dependency {} is no workstream of this plan; it is left out", id));
    }
    return out;
  }

  std::optional<Days> estimate(std::string_view text, uint32_t file, int line) {
    auto [outside, inside] = part(text);
    if (auto at = lower(inside).find("estimate"); at != std::string::npos) {
      auto behind = inside.substr(std::min(inside.size(), inside.find_first_of("0123456789", at)));
      if (auto days = parse_days(behind)) {
        note(file, line, fmt::format("'{}': the estimate {} is taken", text, sparky::plan::text(*days)));
        return *days;
      }
    }
    auto days = parse_days(outside);
    if (days) return *days;
    warn(file, line, days.error().message, days.error().help);
    return std::nullopt;
  }

  // ---- choosing ----------------------------------------------------------------------------------------------------

  using Canonical = std::function<std::optional<std::string>(const Said&, uint32_t file)>;

  // The first document's value in canonical form; the others are compared with it.
  std::optional<std::string> choose(const std::string& id, std::string_view field, const Canonical& canonical) {
    std::optional<std::string> chosen;
    const Claim* by = nullptr;
    int by_line = 0;
    for (auto& c : claims_[id]) {
      auto it = c.spec.fields.find(field);
      if (it == c.spec.fields.end() || (says_nothing(it->second.value) && !says_none(it->second.value))) continue;
      auto value = canonical(it->second, c.file);
      if (!value) continue;
      if (!by) {
        chosen = value, by = &c, by_line = it->second.line;
      } else if (*value != *chosen) {
        auto shown = [](const std::string& v) { return v.empty() ? std::string("none") : v; };
        note(c.file, it->second.line,
             fmt::format("{} of {} is {} here, but {} in {}:{}, which is followed", field, id, shown(*value),
                         shown(*chosen), file_name(by->file), by_line));
      }
    }
    return chosen;
  }

  std::optional<std::string> plain(const std::string& id, std::string_view field) {
    return choose(id, field, [](const Said& said, uint32_t) -> std::optional<std::string> {
      auto text = part(said.value).outside;
      return std::string(trim(text));
    });
  }

  // ---- the plan ----------------------------------------------------------------------------------------------------

  void add_orchestrator(const OrchestratorDoc& doc) {
    Orchestrator o;
    o.id = doc.id;
    o.name = doc.spec.name;
    o.where = {doc.file, uint32_t(doc.spec.line), 0};
    if (auto it = doc.spec.fields.find("milestone"); it != doc.spec.fields.end())
      for (auto& m : enumerated(part(it->second.value).outside, ",+&"))
        if (!trim(m).empty()) o.milestones.emplace_back(trim(m));
    if (auto wrong = bad_id(o.id); !wrong.empty())
      return warn(doc.file, 1, fmt::format("'{}' cannot be an orchestrator's id: {}", o.id, wrong), "rename the file");
    out_.plan.orchestrators.push_back(std::move(o));
  }

  std::string owner(const std::string& name, uint32_t file, int line) {
    if (auto known_id = orchestrator_id(name)) return *known_id;
    auto key = slug(name);
    if (key.ends_with("-orchestrator")) key.erase(key.size() - std::string_view("-orchestrator").size());
    if (!bad_id(key).empty()) return {};
    Orchestrator o;
    o.id = key;
    o.name = name;
    o.where = {file, uint32_t(line), 0};
    note(file, line, fmt::format("orchestrator {} has no document of its own", key));
    out_.plan.orchestrators.push_back(std::move(o));
    return key;
  }

  void add_workstream(const std::string& id) {
    auto& claims = claims_[id];
    auto& first = claims[0];
    Workstream w;
    w.id = id;
    w.where = {first.file, uint32_t(first.spec.line), 0};
    w.name = plain(id, "name").value_or(id);
    w.milestone = plain(id, "milestone").value_or("");
    w.orchestrator = choose(id, "orchestrator", [&](const Said& said, uint32_t file) -> std::optional<std::string> {
                       return owner(part(said.value).outside, file, said.line);
                     }).value_or("");
    if (w.orchestrator.empty())
      warn(first.file, first.spec.line, fmt::format("no document says which orchestrator owns {}", id));
    read_estimate_and_priority(w);
    auto depends = choose(id, "depends_on", [&](const Said& said, uint32_t file) -> std::optional<std::string> {
      auto list = dependencies(said.value, file, said.line);
      std::sort(list.begin(), list.end());
      return join(list, ", ");
    });
    if (depends)
      for (auto& on : enumerated(*depends, ","))
        if (!trim(on).empty()) w.depends_on.emplace_back(trim(on));
    if (auto agents = choose(id, "agent", [](const Said& said, uint32_t) -> std::optional<std::string> {
          std::string out;
          for (auto& a : enumerated(part(said.value).outside, ",+/&"))
            if (auto s = slug(a); !s.empty()) out += (out.empty() ? "" : ", ") + s;
          return out;
        }))
      for (auto& a : enumerated(*agents, ","))
        if (!trim(a).empty()) w.agents.emplace_back(trim(a));
    read_lists(w);
    out_.plan.workstreams.push_back(std::move(w));
  }

  void read_estimate_and_priority(Workstream& w) {
    auto days = choose(w.id, "duration", [&](const Said& said, uint32_t file) -> std::optional<std::string> {
      auto d = estimate(said.value, file, said.line);
      return d ? std::optional(text(*d)) : std::nullopt;
    });
    if (days)
      w.duration = *parse_days(*days);
    else
      warn(claims_[w.id][0].file, claims_[w.id][0].spec.line,
           fmt::format("no document gives an estimate for {}", w.id));
    auto priority = choose(w.id, "priority", [&](const Said& said, uint32_t file) -> std::optional<std::string> {
      auto value = std::string(trim(said.value)).substr(0, 2);
      if (parse_priority(value)) return value;
      warn(file, said.line, fmt::format("'{}' is not a priority", said.value), "write P0, P1, P2 or P3");
      return std::nullopt;
    });
    if (priority) w.priority = *parse_priority(*priority);
  }

  // Deliverables and criteria come from one document: the first that has any. It is the spec.
  void read_lists(Workstream& w) {
    auto& claims = claims_[w.id];
    auto with = [&](auto list) -> const Claim* {
      for (auto& c : claims)
        if (!(c.spec.*list).empty()) return &c;
      return nullptr;
    };
    if (auto c = with(&WorkstreamSpec::deliverables))
      for (auto& item : c->spec.deliverables) add_deliverable(w, item, c->file);
    auto criteria = with(&WorkstreamSpec::criteria);
    auto& spec_claim = criteria && claims[0].rank > 0 ? *criteria : claims[0];
    if (spec_claim.rank <= 1 || &spec_claim == criteria) w.spec = documents_[spec_claim.file - 1].path;
    if (criteria) {
      for (auto& item : criteria->spec.criteria)
        w.criteria.push_back({.text = item.text, .manual = true, .where = {criteria->file, uint32_t(item.line), 0}});
      return;
    }
    warn(spec_claim.file, spec_claim.spec.line, fmt::format("{} has no acceptance criteria", w.id),
         "one is added that a person decides: \"Done as its spec says\"");
    w.criteria.push_back({.text = "Done as its spec says", .manual = true, .where = w.where});
  }

  void add_deliverable(Workstream& w, const SaidItem& item, uint32_t file) {
    if (item.paths.empty())
      return note(file, item.line,
                  fmt::format("deliverable of {} without a path, left to the spec: {}", w.id, item.text));
    for (auto& path : item.paths) {
      auto normal = std::filesystem::path(path).lexically_normal();
      if (normal.is_absolute() || *normal.begin() == "..")
        note(file, item.line, fmt::format("deliverable '{}' of {} lies outside the tree; it is left out", path, w.id));
      else if (std::find(w.deliverables.begin(), w.deliverables.end(), path) == w.deliverables.end())
        w.deliverables.push_back(path);
    }
  }

  // In the order of the first workstream that each owns.
  void order_orchestrators() {
    auto& all = out_.plan.orchestrators;
    auto first = [&](const Orchestrator& o) {
      for (size_t i = 0; i < out_.plan.workstreams.size(); ++i)
        if (out_.plan.workstreams[i].orchestrator == o.id) return i;
      return out_.plan.workstreams.size();
    };
    std::stable_sort(all.begin(), all.end(), [&](auto& a, auto& b) { return first(a) < first(b); });
    for (auto& o : all) {
      if (!o.milestones.empty()) continue;
      for (auto& w : out_.plan.workstreams)
        if (w.orchestrator == o.id && !w.milestone.empty() &&
            std::find(o.milestones.begin(), o.milestones.end(), w.milestone) == o.milestones.end())
          o.milestones.push_back(w.milestone);
    }
  }

  // Phase and dependencies: the spawning protocol is followed, then the orchestrator's document.
  void read_orchestrator_rules() {
    struct Rule {
      std::map<std::string, std::pair<std::string, std::pair<uint32_t, int>>> said;  // field → canonical, place
    };
    std::map<std::string, Rule> rules;
    auto add = [&](const std::string& id, const std::string& field, const Said& said, uint32_t file) {
      std::string value;
      if (field == "phase") {
        value = slug(part(said.value).outside);
        if (!parse_phase(value))
          return warn(file, said.line, fmt::format("'{}' is not a phase pattern", said.value),
                      "write sequential, parallel, sequential-then-parallel or mixed");
      } else {
        auto list = dependencies(said.value, file, said.line);
        // An orchestrator that waits for all workstreams of another waits for that one.
        value = join(list, ", ");
      }
      auto [it, fresh] = rules[id].said.try_emplace(field, value, std::pair(file, said.line));
      if (!fresh && it->second.first != value)
        note(file, said.line,
             fmt::format("{} of {} is {} here, but {} in {}:{}, which is followed", field, id,
                         value.empty() ? "none" : value, it->second.first.empty() ? "none" : it->second.first,
                         file_name(it->second.second.first), it->second.second.second));
    };
    for (auto& [spawn, file] : spawns_) {
      if (spawn.agent) continue;
      auto id = orchestrator_id(spawn.name);
      if (!id) {
        warn(file, spawn.line, fmt::format("the plan has no orchestrator '{}'", spawn.name));
        continue;
      }
      if (auto it = spawn.options.find("phase"); it != spawn.options.end()) add(*id, "phase", it->second, file);
      if (auto it = spawn.options.find("depends-on"); it != spawn.options.end())
        add(*id, "depends_on", it->second, file);
    }
    for (auto& doc : orchestrator_docs_)
      for (auto field : {"phase", "depends_on"})
        if (auto it = doc.spec.fields.find(field); it != doc.spec.fields.end())
          add(doc.id, field, it->second, doc.file);
    for (auto& o : out_.plan.orchestrators) {
      auto& said = rules[o.id].said;
      if (auto it = said.find("phase"); it != said.end())
        o.phase = *parse_phase(it->second.first);
      else
        note(o.where.file, int(o.where.line),
             fmt::format("no document gives the phase pattern of {}; it is mixed", o.id));
      if (auto it = said.find("depends_on"); it != said.end())
        for (auto& on : enumerated(it->second.first, ","))
          if (!trim(on).empty()) o.depends_on.emplace_back(trim(on));
    }
  }

  void add_gate(const GateSpec& spec, uint32_t file) {
    Gate g;
    g.id = fmt::format("gate-{}", spec.number);
    for (auto& known_gate : out_.plan.gates)
      if (known_gate.id == g.id)
        return note(file, spec.line,
                    fmt::format("{} was described before, in {}:{}, which is followed", g.id,
                                file_name(known_gate.where.file), known_gate.where.line));
    g.name = spec.name;
    g.where = {file, uint32_t(spec.line), 0};
    auto side = [&](std::string_view text, std::vector<std::string>& out) {
      for (auto& name : enumerated(text, "/,+&")) {
        auto outside = part(name).outside;
        auto ids = ids_in(outside);
        if (auto id = ids.empty() ? orchestrator_id(outside) : std::nullopt) ids = {*id};
        if (ids.empty() && !trim(outside).empty())
          warn(file, spec.line,
               fmt::format("'{}' at {} is neither an orchestrator nor a workstream; it is left out", trim(outside),
                           g.id));
        out.insert(out.end(), ids.begin(), ids.end());
      }
    };
    side(spec.from, g.after);
    side(spec.to, g.before);
    auto when = lower(spec.when);
    if (auto at = when.find("week "); at != when.npos) {
      auto due = when.substr(at);
      if (parse_due(due)) g.due = due;
    }
    if (g.due.empty() && !spec.when.empty())
      warn(file, spec.line, fmt::format("cannot read when {} is due: '{}'", g.id, spec.when), "write (End of Week 2)");
    for (auto& item : spec.criteria)
      g.criteria.push_back({.text = item.text, .manual = true, .where = {file, uint32_t(item.line), 0}});
    out_.plan.gates.push_back(std::move(g));
  }

  const std::vector<Document>& documents_;
  std::string directory_;
  Imported out_;
  std::map<std::string, std::vector<Claim>> claims_;  // by id
  std::map<std::string, std::string> specs_;          // by id: its own document
  std::vector<std::string> matrix_order_, ids_;
  std::vector<OrchestratorDoc> orchestrator_docs_;
  std::vector<std::pair<GateSpec, uint32_t>> gates_;
  std::vector<std::pair<SpawnLine, uint32_t>> spawns_;
};

}  // namespace

Imported import_documents(const std::vector<Document>& documents, const std::string& directory) {
  return Importer(documents, directory).run();
}

ImportedSpec import_spec(const std::string& text, const std::string& file, const std::string& id, const Plan& plan) {
  return Importer({{file, text}}, "").run_one(id, plan);
}

}  // namespace sparky::plan
