#include "plan/spec.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace sparky::plan {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }
bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Which field of the model a label means; empty: none that is read.
std::string_view meaning(std::string_view label) {
  static constexpr std::pair<std::string_view, std::string_view> names[] = {
      {"id", "id"},
      {"owner", "orchestrator"},
      {"orch", "orchestrator"},
      {"orchestrator", "orchestrator"},
      {"milestone", "milestone"},
      {"milestones", "milestone"},
      {"agent", "agent"},
      {"agents", "agent"},
      {"agent type", "agent"},
      {"agent types", "agent"},
      {"priority", "priority"},
      {"duration", "duration"},
      {"estimate", "duration"},
      {"estimated duration", "duration"},
      {"dependencies", "depends_on"},
      {"dependency", "depends_on"},
      {"depends on", "depends_on"},
      {"blocked by", "depends_on"},
      {"workstreams", "workstreams"},
      {"phase", "phase"},
      {"phase pattern", "phase"},
      {"name", "name"},
      {"title", "name"},
  };
  auto wanted = lower(trim(label));
  for (auto& [label_name, field] : names)
    if (label_name == wanted) return field;
  return {};
}

enum class Section { none, deliverables, criteria, other };

Section section_of(std::string_view title) {
  auto t = lower(title);
  if (t.find("deliverable") != t.npos) return Section::deliverables;
  if (t.find("acceptance criteria") != t.npos || t.find("success criteria") != t.npos) return Section::criteria;
  return Section::other;
}

// A word with a slash or an extension, and nothing that no path has.
bool looks_like_path(std::string_view word) {
  if (word.size() < 3 || word.size() > 200 || word.find("://") != word.npos) return false;
  if (word.find_first_of(" <>|\"'`(),;:=\\") != word.npos) return false;
  auto dot = word.rfind('.');
  bool extension = dot != word.npos && dot > 0 && dot + 1 < word.size() && letter(word[dot + 1]);
  return word.find('/') != word.npos || extension;
}

SaidItem item_of(const MarkdownLine& line) {
  SaidItem item;
  auto text = trim(line.plain);
  if (auto behind = behind_tick(text)) text = *behind;
  item.text = text;
  item.line = line.line;
  for (auto& span : line.spans)
    if (looks_like_path(trim(span))) item.paths.emplace_back(trim(span));
  if (item.paths.empty())
    for (auto word : split(text, ' ')) {
      while (!word.empty() && (word.back() == ',' || word.back() == ')' || word.back() == ':')) word.remove_suffix(1);
      while (!word.empty() && word.front() == '(') word.remove_prefix(1);
      if (looks_like_path(word)) {
        item.paths.emplace_back(word);
        break;
      }
    }
  return item;
}

// Reads the lines of one workstream: fields at any place outside the lists, deliverables and criteria in theirs.
class WorkstreamReader {
 public:
  explicit WorkstreamReader(WorkstreamSpec& out) : out_(out) {}

  void heading(const MarkdownLine& line) {
    // A deeper heading divides the section that it stands in ("Functional", "Performance").
    if (section_level_ > 0 && line.level > section_level_ && section_ != Section::other) return;
    section_ = section_of(line.plain);
    section_level_ = line.level;
  }

  void read(const MarkdownLine& line) {
    if (line.kind == MarkdownLine::code || line.kind == MarkdownLine::row) return;
    bool listed = section_ == Section::deliverables || section_ == Section::criteria;
    if (auto field = field_of(line); field && !(listed && is_entry(line))) {
      auto which = meaning(field->name);
      if (!which.empty()) {
        // Plain "Name: value" in running prose is no field; it must be short, or bold.
        if (line.strong.empty() && line.kind == MarkdownLine::text && field->value.size() > 120) return;
        out_.fields.try_emplace(std::string(which), Said{field->value, line.line});
        if (section_level_ == 0) section_ = Section::none;
        return;
      }
      auto section = section_of(field->name);
      if (section != Section::other) {
        section_ = section;
        section_level_ = 0;
        return;
      }
      // Another label ends a section that a label began; in a section with a heading it divides it.
      if (!line.strong.empty() && section_level_ == 0) section_ = Section::other;
      if (!line.strong.empty()) return;
    }
    if (section_ == Section::deliverables && line.kind == MarkdownLine::item && line.level == 1)
      out_.deliverables.push_back(item_of(line));
    if (section_ == Section::criteria && is_entry(line)) {
      entries_.push_back({item_of(line), line.kind == MarkdownLine::text && line.level == 0});
    }
  }

  // Where paragraphs with ticks are the criteria, the lists below them are details.
  void finish() {
    bool paragraphs = std::any_of(entries_.begin(), entries_.end(), [](auto& e) { return e.paragraph; });
    for (auto& e : entries_)
      if (e.paragraph == paragraphs && !e.item.text.empty()) out_.criteria.push_back(std::move(e.item));
  }

 private:
  struct Entry {
    SaidItem item;
    bool paragraph;
  };

  static bool is_entry(const MarkdownLine& line) {
    // A ticked line right below a list is part of its last item to Markdown, but not to a reader.
    return (line.kind == MarkdownLine::item && line.level == 1) ||
           (line.kind == MarkdownLine::text && line.level <= 1 && behind_tick(line.plain));
  }

  WorkstreamSpec& out_;
  std::vector<Entry> entries_;
  Section section_ = Section::none;
  int section_level_ = 0;  // 0: begun by a label
};

// "WS-01: Hardware Baselines", "WS-01 - Name", "WS-01 Name".
bool read_title(std::string_view title, WorkstreamSpec& out, int line) {
  if (auto behind = behind_tick(title)) title = *behind;
  auto id = workstream_id(title);
  if (id.empty()) return false;
  out.id = id;
  out.line = line;
  size_t at = 0;
  while (at < title.size() && (letter(title[at]) || digit(title[at]) || title[at] == '-' || title[at] == '_')) ++at;
  auto name = trim(title.substr(at));
  for (std::string_view mark : {":", "-", "–", "—"})
    if (name.starts_with(mark)) {
      name = trim(name.substr(mark.size()));
      break;
    }
  if (!name.empty()) out.fields["name"] = {std::string(name), line};
  return true;
}

}  // namespace

std::string workstream_id(std::string_view text) {
  text = trim(text);
  size_t at = 0;
  while (at < text.size() && letter(text[at])) ++at;
  if (at == 0 || at > 8) return {};
  auto prefix = text.substr(0, at);
  bool dash = at < text.size() && (text[at] == '-' || text[at] == '_');
  size_t number = at + dash;
  size_t end = number;
  while (end < text.size() && digit(text[end])) ++end;
  if (end == number || end - number > 6) return {};
  if (end < text.size() && (letter(text[end]) || text[end] == '.')) return {};
  if (lower(prefix) != "ws") return {};
  auto digits = std::string(text.substr(number, end - number));
  if (digits.size() == 1) digits = "0" + digits;
  return "WS-" + digits;
}

std::string slug(std::string_view text) {
  std::string out;
  for (char c : lower(trim(text)))
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')
      out += c;
    else if (!out.empty() && out.back() != '-')
      out += '-';
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

std::string orchestrator_key(std::string_view name) {
  auto out = slug(name);
  for (std::string_view suffix : {"-complete", "-orchestrator"})
    if (out.ends_with(suffix)) out.erase(out.size() - suffix.size());
  if (out.size() > 3 && out.ends_with('s')) out.pop_back();
  return out;
}

WorkstreamSpec read_workstream(const std::vector<MarkdownLine>& lines) {
  WorkstreamSpec out;
  WorkstreamReader reader(out);
  bool titled = false;
  for (auto& line : lines) {
    if (line.kind == MarkdownLine::heading) {
      if (!titled && line.level == 1) {
        titled = true;
        read_title(line.plain, out, line.line);
        continue;
      }
      reader.heading(line);
    } else {
      reader.read(line);
    }
  }
  reader.finish();
  if (auto it = out.fields.find("id"); it != out.fields.end() && out.id.empty())
    out.id = workstream_id(it->second.value);
  return out;
}

std::vector<WorkstreamSpec> read_workstream_sections(const std::vector<MarkdownLine>& lines) {
  std::vector<WorkstreamSpec> out;
  for (size_t i = 0; i < lines.size(); ++i) {
    WorkstreamSpec spec;
    if (lines[i].kind != MarkdownLine::heading || lines[i].level < 2 ||
        !read_title(lines[i].plain, spec, lines[i].line))
      continue;
    WorkstreamReader reader(spec);
    size_t j = i + 1;
    for (; j < lines.size(); ++j) {
      if (lines[j].kind == MarkdownLine::heading) {
        if (lines[j].level <= lines[i].level) break;
        reader.heading(lines[j]);
      } else {
        reader.read(lines[j]);
      }
    }
    reader.finish();
    // A heading that only mentions a workstream says nothing about it.
    if (spec.fields.size() > 1 || !spec.criteria.empty() || !spec.deliverables.empty()) out.push_back(std::move(spec));
    i = j - 1;
  }
  return out;
}

std::vector<WorkstreamSpec> read_matrix(const std::vector<MarkdownLine>& lines) {
  std::vector<WorkstreamSpec> out;
  std::vector<std::string> columns;
  for (auto& line : lines) {
    if (line.kind != MarkdownLine::row) continue;
    if (line.header) {
      columns.clear();
      for (auto& cell : line.cells) columns.emplace_back(meaning(cell));
      // The matrix is the table that has an id and says something of use about it.
      auto has = [&](std::string_view name) {
        return std::find(columns.begin(), columns.end(), name) != columns.end();
      };
      if (!has("id") || !(has("duration") || has("depends_on") || has("orchestrator"))) columns.clear();
      continue;
    }
    if (columns.empty()) continue;
    WorkstreamSpec spec;
    spec.line = line.line;
    for (size_t c = 0; c < columns.size() && c < line.cells.size(); ++c)
      if (!columns[c].empty()) spec.fields.try_emplace(columns[c], Said{line.cells[c], line.line});
    spec.id = workstream_id(spec.fields["id"].value);
    out.push_back(std::move(spec));
  }
  return out;
}

OrchestratorSpec read_orchestrator(const std::vector<MarkdownLine>& lines) {
  OrchestratorSpec out;
  int level = 0;
  for (auto& line : lines) {
    if (line.kind == MarkdownLine::heading) {
      if (out.name.empty()) out.name = std::string(trim(line.plain)), out.line = line.line;
      ++level;
    }
    if (level > 1) break;  // the fields stand below the title
    if (line.kind == MarkdownLine::code || line.kind == MarkdownLine::row) continue;
    if (auto field = field_of(line))
      if (auto which = meaning(field->name); !which.empty())
        out.fields.try_emplace(std::string(which), Said{field->value, line.line});
  }
  return out;
}

std::vector<GateSpec> read_gates(const std::vector<MarkdownLine>& lines) {
  std::vector<GateSpec> out;
  bool open = false;
  for (auto& line : lines) {
    auto text = trim(line.plain);
    size_t number = 5, end = 5;
    while (end < text.size() && digit(text[end])) ++end;
    auto colon = text.substr(std::min(end, text.size()));
    if (text.starts_with("Gate ") && end > number && end - number < 5 && colon.starts_with(":")) {
      auto title = trim(colon.substr(1));
      GateSpec gate;
      gate.line = line.line;
      gate.number = std::stoi(std::string(text.substr(number, end - number)));
      if (auto paren = title.rfind('('); paren != title.npos && title.ends_with(')')) {
        gate.when = trim(title.substr(paren + 1, title.size() - paren - 2));
        title = trim(title.substr(0, paren));
      }
      for (std::string_view arrow : {"→", "->", "⟶"})
        if (auto at = title.find(arrow); at != title.npos && gate.to.empty()) {
          gate.from = trim(title.substr(0, at));
          gate.to = trim(title.substr(at + arrow.size()));
        }
      gate.name = fmt::format("Gate {}: {}", gate.number, title);
      out.push_back(std::move(gate));
      open = true;
    } else if (line.kind == MarkdownLine::heading) {
      open = false;
    } else if (open && (behind_tick(text) || (line.kind == MarkdownLine::item && line.level == 1))) {
      auto item = item_of(line);
      if (!item.text.empty()) out.back().criteria.push_back(std::move(item));
    } else if (open && !text.empty() && !out.back().criteria.empty()) {
      open = false;  // running text ends the list
    }
  }
  return out;
}

std::vector<SpawnLine> read_spawn_lines(const std::vector<MarkdownLine>& lines) {
  std::vector<SpawnLine> out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].kind != MarkdownLine::code) continue;
    // A command goes on behind each backslash; options remember the line that they stand on.
    std::vector<Said> words;
    size_t j = i;
    for (bool more = true; more && j < lines.size() && lines[j].kind == MarkdownLine::code; ++j) {
      auto text = trim(lines[j].plain);
      more = text.ends_with('\\');
      if (more) text = trim(text.substr(0, text.size() - 1));
      std::string word;
      char quote = 0;
      auto flush = [&] {
        if (!word.empty()) words.push_back({word, lines[j].line});
        word.clear();
      };
      for (char c : text) {
        if (quote ? c == quote : (c == '"' || c == '\'')) {
          quote = quote ? 0 : c;
        } else if (!quote && (c == ' ' || c == '\t')) {
          flush();
        } else if (!quote && c == '#' && word.empty()) {
          break;  // a comment
        } else {
          word += c;
        }
      }
      flush();
    }
    size_t spawn = 0;
    while (spawn + 2 < words.size() && words[spawn].value != "spawn") ++spawn;
    if (spawn + 2 >= words.size()) continue;
    auto& kind = words[spawn + 1].value;
    if (kind != "orchestrator" && kind != "agent") continue;
    SpawnLine line{.agent = kind == "agent", .name = words[spawn + 2].value, .options = {}, .line = words[spawn].line};
    for (size_t w = spawn + 3; w + 1 < words.size(); ++w)
      if (words[w].value.starts_with("--")) line.options.try_emplace(words[w].value.substr(2), words[w + 1]);
    out.push_back(std::move(line));
    i = j - 1;
  }
  return out;
}

}  // namespace sparky::plan
