// The frame around every screen, and what all screens share.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "tui/screens.h"

namespace sparky::tui {
using namespace ftxui;

PicturePtr picture_of(Model& m, Stage& stage, const std::string& path) {
  if (path.empty()) return nullptr;
  auto& held = m.pictures[path];
  held.used = ++m.picture_clock;
  if ((!held.picture || held.stale) && !held.pending && !held.broken) stage.missing.push_back(path);
  return held.picture;
}

Mark mark_of(const Theme& t, std::string_view state) {
  if (state == "completed" || state == "complete" || state == "open" || state == "verified") return {"✓", t.good};
  if (state == "running" || state == "in_progress" || state == "active") return {"●", t.accent};
  if (state == "failed" || state == "cancelled") return {"✗", t.bad};
  if (state == "decision_needed") return {"?", t.warn};
  if (state == "skipped" || state == "waived" || state == "untestable") return {"»", t.warn};
  if (state == "queued") return {"○", t.accent};
  return {"·", t.quiet};
}

std::string ago(const Model& m, Time time) {
  if (time == Time{}) return "";
  return human(std::max(Duration{0}, Duration(std::chrono::floor<std::chrono::seconds>(m.now - time))));
}

Element tail_of(const std::string& value, int width, int height) {
  std::vector<std::string> lines;
  for (auto line : split(value, '\n')) lines.push_back(cut(one_line(std::string(line)), width));
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  Elements shown;
  for (size_t i = lines.size() > size_t(height) ? lines.size() - size_t(height) : 0; i < lines.size(); ++i)
    shown.push_back(text(lines[i]));
  return vbox(std::move(shown));
}

Element empty_hint(const std::vector<std::string>& lines) {
  Elements shown;
  for (auto& line : lines) shown.push_back(paragraphAlignCenter(line) | dim);
  return vbox({filler(), vbox(std::move(shown)), filler()}) | flex;
}

std::string count_of(const ListState& list, size_t all, const std::string& one) {
  auto what = one + (all == 1 ? "" : "s");
  if (list.filter.empty()) return fmt::format("{} {}", all, what);
  return fmt::format("{} of {} {} with \"{}\"{}", list.rows.size(), all, what, one_line(list.filter),
                     list.rows.empty() ? "; esc shows all" : "");
}

namespace {

Element tabs(Model& m, Stage& stage) {
  Elements out;
  bool wide = m.width >= 100, middle = m.width >= 62;
  int left = m.width;
  for (int i = 1; i <= tab_count; ++i) {
    bool here = Tab(i) == m.tab;
    auto full = std::string(name(Tab(i)));
    auto shown = here || wide ? full : middle ? full.substr(0, 4) : "";
    int persons = Tab(i) == Tab::plan && m.plan.any ? m.plan.persons : 0;
    if (persons > 0) shown += fmt::format("?{}", persons);
    auto words = shown.empty() ? fmt::format("{} ", i) : fmt::format(" {} {} ", i, shown);
    left -= width_of(words);
    auto label = text(words);
    if (persons > 0) label = label | color(stage.theme.warn);
    if (here) label = label | bold | inverted;
    out.push_back(clickable(stage, std::move(label), "tab", i));
  }
  out.push_back(filler());
  auto state =
      left < 10 ? text("") : text(" " + cut(m.connected ? m.project : m.connection, std::min(40, left - 2)) + " ");
  state = m.connected ? state | dim : state | color(stage.theme.warn) | bold;
  out.push_back(std::move(state));
  return hbox(std::move(out));
}

Element hints(Model& m, Stage& stage) {
  Elements out;
  int used = 0, kept = 0;  // columns that are kept for what always stands there
  auto columns = [](const std::string& key, const std::string& what) { return width_of(key) + width_of(what) + 3; };
  auto add = [&](const std::string& key, const std::string& what) {
    int w = columns(key, what);
    if (used + w + kept > m.width) return;
    used += w;
    out.push_back(clickable(stage, hbox({text(" " + key) | bold, text(" " + what + " ") | dim}), "key", 0, key));
  };
  if (m.prompt) {
    add("enter", "take");
    add("esc", "leave");
    if (!m.prompt->choices.empty()) add("up", "down choose");
  } else if (m.tab == Tab::generation && m.generation.focus >= 0) {
    add("enter", "generate");
    add("tab", "next field");
    add("esc", m.width >= 60 ? "then 1-9 other screens" : "commands");
  } else {
    auto can = [&](const Action& a) { return !a.why_not || a.why_not(m).empty(); };
    std::vector<Action> general;
    for (auto key : {"/", ":", "?", "q"})
      for (auto& a : global_actions())
        if (a.key == key && can(a)) general.push_back(a);
    if (m.width >= 60)
      for (auto& a : general) kept += columns(a.key, a.name);
    for (auto& a : actions(m.tab))
      if (can(a)) add(a.key, a.name);
    kept = 0;
    for (auto& a : general) add(a.key, a.name);
  }
  return hbox(std::move(out));
}

Element notice(Model& m, Stage& stage) {
  if (!m.connected)
    return text(cut(fmt::format("{}; all comes back by itself{}", m.connection,
                                m.local ? " (`sparky serve` starts it)" : " when it is there"),
                    m.width)) |
           color(stage.theme.warn);
  if (m.notice.empty()) return text("");
  auto line = text(cut(m.notice, m.width));
  return m.notice_bad ? line | color(stage.theme.bad) : line;
}

Element prompt_line(Model& m) {
  auto& p = *m.prompt;
  int title = width_of(p.title) + 1;
  return hbox({text(p.title + " ") | bold, text_field(p.field, true, std::max(1, m.width - title), p.hint)});
}

Element palette(Model& m, int height) {
  auto& p = *m.prompt;
  Elements rows;
  auto window = window_of(int(p.choices.size()), p.selected, height, 0);
  for (int i = window.first; i < window.first + window.count; ++i) {
    auto row = text(padded(" " + one_line(p.choices[size_t(i)]), m.width));
    rows.push_back(i == p.selected ? row | inverted : row);
  }
  return vbox(std::move(rows)) | flex;
}

Element body(Model& m, Stage& stage, int height) {
  switch (m.tab) {
    case Tab::generation:
      return draw_generation(m, stage, m.width, height);
    case Tab::comparison:
      return draw_comparison(m, stage, m.width, height);
    case Tab::queue:
      return draw_queue(m, stage, m.width, height);
    case Tab::gallery:
      return draw_gallery(m, stage, m.width, height);
    case Tab::models:
      return draw_models(m, stage, m.width, height);
    case Tab::monitor:
      return draw_monitor(m, stage, m.width, height);
    case Tab::settings:
      return draw_settings(m, stage, m.width, height);
    case Tab::help:
      return draw_help(m, stage, m.width, height);
    case Tab::plan:
      return draw_plan(m, stage, m.width, height);
  }
  return filler();
}

}  // namespace

Element draw(Model& m, Stage& stage) {
  if (m.width < 30 || m.height < 6)
    return vbox({text(cut("Sparky needs 30x6 cells", m.width)), text(cut("q quits", m.width)) | dim});
  int height = m.height - 3;
  auto middle = m.prompt && !m.prompt->choices.empty() ? palette(m, height) : body(m, stage, height);
  auto last = m.prompt ? prompt_line(m) : notice(m, stage);
  return vbox(
      {tabs(m, stage), std::move(middle) | size(HEIGHT, EQUAL, height) | flex, std::move(last), hints(m, stage)});
}

bool back(Model& m) {
  if (m.tab == Tab::gallery && m.gallery.full) return m.gallery.full = false, true;
  if (m.tab == Tab::queue && m.job_details) return m.job_details = false, true;
  if (auto* list = list_of(m); list && !list->filter.empty()) {
    list->filter.clear();
    filter(m);
    return true;
  }
  if (m.tab == Tab::plan && m.plan.only_person) {
    m.plan.only_person = false;
    filter(m);
    return true;
  }
  if (m.tab != Tab::generation) {
    m.tab = m.tab == Tab::help ? m.help_from : Tab::generation;
    return true;
  }
  return false;
}

Element draw_help(Model& m, Stage& stage, int width, int height) {
  Elements lines;
  auto heading = [&](const std::string& title) { lines.push_back(text(title) | bold | color(stage.theme.accent)); };
  auto row = [&](const Action& a) {
    lines.push_back(hbox({text("  " + padded(a.key, 12)) | bold, text(cut(a.help, width - 15))}));
  };
  heading("Everywhere");
  for (auto& a : global_actions()) row(a);
  for (auto& [key, what] : std::initializer_list<std::pair<const char*, const char*>>{
           {"j k ↑ ↓", "move in a list; page up and down, home, end; the mouse too"},
           {"tab", "next screen; in a form the next field"},
           {"esc", "one step back; in a text field: to the commands"},
           {"enter", "open what is selected"}})
    row({key, "", what, {}, {}});
  int form = int(lines.size()), here = 0;
  heading("1 Generation, while a field is edited: every key is text, and");
  for (auto& [key, what] : std::initializer_list<std::pair<const char*, const char*>>{
           {"enter", "generate"},
           {"↑ ↓", "in the prompt: earlier prompts; elsewhere: the next field"},
           {"→", "at the end: take the word that is suggested"},
           {"← →", "on model and LoRA: choose"},
           {"esc", "leave the field; then these keys:"}})
    row({key, "", what, {}, {}});
  for (int i = 1; i <= tab_count; ++i) {
    if (Tab(i) == Tab::help) continue;
    if (Tab(i) == m.help_from) here = i == 1 ? form : int(lines.size());
    if (i > 1) heading(fmt::format("{} {}", i, name(Tab(i))));
    if (actions(Tab(i)).empty()) row({"", "", "it only shows; no keys of its own", {}, {}});
    for (auto& a : actions(Tab(i))) row(a);
  }
  if (m.help_scroll < 0) m.help_scroll = here;
  m.help_scroll = std::clamp(m.help_scroll, 0, std::max({0, int(lines.size()) - height, here}));
  Elements shown(lines.begin() + m.help_scroll,
                 lines.begin() + std::min<std::ptrdiff_t>(m.help_scroll + height, std::ptrdiff_t(lines.size())));
  return vbox(std::move(shown));
}

}  // namespace sparky::tui
