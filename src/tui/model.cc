#include "tui/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "pixel/files.h"
#include "tui/screens.h"

namespace sparky::tui {

std::string_view name(Tab tab) {
  static constexpr std::string_view names[] = {"Generation", "Comparison", "Queue", "Gallery", "Models",
                                               "Monitor",    "Settings",   "Help",  "Plan"};
  return names[size_t(tab) - 1];
}

bool Due::ask(Time now, Duration at_most_every) {
  if (pending || now - last < at_most_every) return false;
  last = now;
  pending = true;
  stale = false;
  return true;
}

void ListState::clamp() { selected = std::clamp(selected, 0, std::max(0, int(rows.size()) - 1)); }

void LogView::open(const std::string& of, uint32_t in_run) {
  if (id == of && run == in_run) return;
  *this = {};
  id = of;
  run = in_run;
}

void Model::say(std::string text, bool bad) {
  notice = one_line(text);
  notice_at = now;
  notice_bad = bad;
}

bool Model::typing() const { return prompt.has_value() || (tab == Tab::generation && generation.focus >= 0); }

std::string error_of(const Result<wire::Reply>& reply) {
  if (!reply) return reply.error().text();
  if (auto* e = std::get_if<wire::ErrorReply>(&*reply))
    return e->help.empty() ? e->message : e->message + "; " + e->help;
  if (auto* e = std::get_if<wire::JobError>(&*reply)) return e->error;
  return "";
}

Ask tell(wire::Request request, std::string said) {
  return {std::move(request), [said = std::move(said)](Model& model, const Result<wire::Reply>& reply) {
            if (auto error = error_of(reply); !error.empty()) return model.say(error, true);
            auto* done = std::get_if<wire::Done>(&*reply);
            model.say(done && !done->notes.empty() ? done->notes[0] : said);
            model.jobs_due.stale = model.plan.due.stale = model.gallery.due.stale = model.settings_due.stale = true;
            model.jobs_due.last = model.plan.due.last = model.gallery.due.last = model.settings_due.last = {};
            model.plan.detail_due.last = {};
          }};
}

// ---- keys -----------------------------------------------------------------------------------------------------------

ListState* list_of(Model& m) {
  switch (m.tab) {
    case Tab::queue:
      return &m.job_list;
    case Tab::gallery:
      return &m.gallery.list;
    case Tab::models:
      return &m.model_list;
    case Tab::comparison:
      return &m.comparison_list;
    case Tab::settings:
      return &m.setting_list;
    case Tab::plan:
      return &m.plan.list;
    default:
      return nullptr;
  }
}

namespace {

void choose_tab(Model& m, Tab tab) {
  if (tab == Tab::help && m.tab != Tab::help) m.help_from = m.tab, m.help_scroll = 0;
  m.tab = tab;
  m.notice.clear();
  if (tab == Tab::generation && m.generation.focus < 0) m.generation.focus = Generation::prompt;
}

// Moves the selection; false if the key does not.
bool move(Model& m, const std::string& key) {
  auto* list = list_of(m);
  if (m.tab == Tab::help) {
    int step = key == "j" || key == "down" || key == "wheel-down" ? 1
               : key == "k" || key == "up" || key == "wheel-up"   ? -1
               : key == "pagedown"                                ? m.height / 2
               : key == "pageup"                                  ? -m.height / 2
                                                                  : 0;
    m.help_scroll = std::max(0, m.help_scroll + step);
    return step != 0;
  }
  if (!list) return false;
  bool grid = m.tab == Tab::gallery && !m.gallery.full;
  int row = grid ? std::max(1, m.gallery.columns) : 1, page = std::max(1, m.height - 6) * (grid ? 1 : 1);
  int before = list->selected;
  if (key == "j" || key == "down" || key == "wheel-down")
    list->selected += row;
  else if (key == "k" || key == "up" || key == "wheel-up")
    list->selected -= row;
  else if (key == "right" && m.tab == Tab::gallery)
    list->selected += 1;
  else if (key == "left" && m.tab == Tab::gallery)
    list->selected -= 1;
  else if (key == "pagedown")
    list->selected += page;
  else if (key == "pageup")
    list->selected -= page;
  else if (key == "home")
    list->selected = 0;
  else if (key == "end" || key == "G")
    list->selected = int(list->rows.size()) - 1;
  else
    return false;
  if (grid && list->selected >= int(list->rows.size()) && key != "end" && before + 1 < int(list->rows.size()) &&
      key != "right" && key != "pagedown")
    list->selected = int(list->rows.size()) - 1;
  list->clamp();
  return true;
}

void open_filter(Model& m) {
  Prompt p{.title = "Filter", .hint = "words that must occur; empty: all"};
  p.field.set(list_of(m)->filter);
  p.changed = p.done = [](Model& model, Effects&, const std::string& text) {
    if (auto* list = list_of(model)) list->filter = text, list->selected = 0;
    filter(model);
  };
  m.prompt = std::move(p);
}

struct Command {
  std::string name;
  std::function<void(Model&, Effects&)> act;
};
std::vector<Command> commands(const Model& m) {
  std::vector<Command> all;
  for (auto& a : actions(m.tab)) {
    auto why = a.why_not ? a.why_not(m) : "";
    all.push_back({fmt::format("{} ({})", a.help, a.key), [a, why](Model& model, Effects& e) {
                     if (why.empty()) return a.act(model, e);
                     model.say(why, true);
                   }});
  }
  for (int i = 1; i <= tab_count; ++i)
    all.push_back(
        {fmt::format("go to {} ({})", name(Tab(i)), i), [i](Model& model, Effects&) { choose_tab(model, Tab(i)); }});
  all.push_back({"quit (q)", [](Model&, Effects& e) { e.quit = true; }});
  return all;
}
std::vector<Command> matching(const Model& m, const std::string& typed) {
  auto all = commands(m);
  std::erase_if(all, [&](auto& c) {
    auto low = lower(c.name), wanted = lower(typed);
    for (auto word : split(wanted, ' '))
      if (low.find(word) == low.npos) return true;
    return false;
  });
  return all;
}

void open_palette(Model& m) {
  Prompt p{.title = ":", .hint = "a command"};
  p.changed = [](Model& model, Effects&, const std::string& text) {
    model.prompt->choices.clear();
    for (auto& c : matching(model, text)) model.prompt->choices.push_back(c.name);
    model.prompt->selected = std::clamp(model.prompt->selected, 0, std::max(0, int(model.prompt->choices.size()) - 1));
  };
  p.done = [](Model& model, Effects& e, const std::string& text) {
    auto found = matching(model, text);
    auto at = size_t(model.prompt->selected);
    model.prompt.reset();
    if (at < found.size()) return found[at].act(model, e);
    model.say("there is no such command", true);
  };
  m.prompt = std::move(p);
  Effects none;
  m.prompt->changed(m, none, "");
}

void key_of_prompt(Model& m, const Key& key, Effects& e) {
  auto& p = *m.prompt;
  if (key.name == "esc") return m.prompt.reset();
  if (key.name == "enter") {
    auto text = p.field.text;
    auto done = p.done;
    if (p.choices.empty()) m.prompt.reset();
    done(m, e, text);
    return;
  }
  if (!p.choices.empty() && (key.name == "up" || key.name == "down" || key.name == "tab")) {
    p.selected = std::clamp(p.selected + (key.name == "up" ? -1 : 1), 0, int(p.choices.size()) - 1);
    return;
  }
  if (!p.field.take(key.name, key.text)) return;
  if (auto changed = p.changed) changed(m, e, p.field.text);
}

void act(Model& m, const Action& action, Effects& e) {
  if (auto why = action.why_not ? action.why_not(m) : ""; !why.empty())
    return m.say(fmt::format("{}: {}", action.key, why), true);
  action.act(m, e);
}

}  // namespace

const std::vector<Action>& global_actions() {
  static const std::vector<Action> all = {
      {"1-9", "screens", "choose a screen", {}, {}},
      {"?",
       "help",
       "what can be done here; again or esc: back",
       {},
       [](Model& m, Effects&) {
         bool there = m.tab == Tab::help;
         choose_tab(m, there ? m.help_from : Tab::help);
         if (!there) m.help_scroll = -1;
       }},
      {"/", "filter", "filter the list",
       [](const Model& m) {
         auto* list = list_of(const_cast<Model&>(m));
         return !list                                        ? "there is no list to filter here"
                : list->rows.empty() && list->filter.empty() ? "the list is empty"
                                                             : "";
       },
       [](Model& m, Effects&) { open_filter(m); }},
      {":", "commands", "find a command by its name", {}, [](Model& m, Effects&) { open_palette(m); }},
      {"q", "quit", "leave; what runs goes on", {}, [](Model&, Effects& e) { e.quit = true; }},
      {"ctrl-z", "stop", "back to the shell; fg returns", {}, [](Model&, Effects& e) { e.suspend = true; }},
      {"ctrl-l", "repaint", "paint the screen anew", {}, [](Model&, Effects& e) { e.repaint = true; }},
  };
  return all;
}

const std::vector<Action>& actions(Tab tab) {
  switch (tab) {
    case Tab::generation:
      return generation_actions();
    case Tab::comparison:
      return comparison_actions();
    case Tab::queue:
      return queue_actions();
    case Tab::gallery:
      return gallery_actions();
    case Tab::models:
      return model_actions();
    case Tab::settings:
      return setting_actions();
    case Tab::plan:
      return plan_actions();
    case Tab::monitor:
    case Tab::help:
      break;
  }
  static const std::vector<Action> none;
  return none;
}

Effects handle(Model& m, const Key& key) {
  Effects e;
  constexpr Duration read_within{2000};  // what was said is gone with the next key, but not before it can be read
  if (m.now - m.notice_at > read_within) m.notice.clear();
  if (key.name == "ctrl-c") return e.quit = true, e;
  if (key.name == "ctrl-z") return e.suspend = true, e;
  if (key.name == "ctrl-l") return e.repaint = true, e;
  if (m.prompt) return key_of_prompt(m, key, e), e;
  if (m.tab == Tab::generation && key_of_generation(m, key, e)) return e;
  for (auto& action : actions(m.tab))
    if (action.key == key.name) return act(m, action, e), e;
  if (key.name == "esc") {
    if (!back(m)) m.say("nothing to go back from; q leaves");
    return e;
  }
  if (key.name.size() == 1 && key.name[0] >= '1' && key.name[0] <= '9') return choose_tab(m, Tab(key.name[0] - '0')), e;
  for (auto& action : global_actions())
    if (action.key == key.name) return act(m, action, e), e;
  if (key.name == "tab" || key.name == "shift-tab") {
    int step = key.name == "tab" ? 1 : tab_count - 1;
    return choose_tab(m, Tab((int(m.tab) - 1 + step) % tab_count + 1)), e;
  }
  if (move(m, key.name)) return e;
  if (key.name == "click" || key.name.starts_with("wheel")) return e;
  m.say(fmt::format("{} does nothing here; ? lists what does", key.name == "paste" ? "a paste" : key.name));
  return e;
}

Effects handle(Model& m, const Spot& spot) {
  Effects e;
  if (spot.what == "tab") {
    m.prompt.reset();
    choose_tab(m, Tab(spot.index));
  } else if (spot.what == "row") {
    if (auto* list = list_of(m)) {
      bool again = list->selected == spot.index;
      list->selected = spot.index;
      list->clamp();
      if (again) return handle(m, Key{"enter", "", 0, 0});
    }
  } else if (spot.what == "field") {
    m.generation.focus = spot.index;
  } else if (spot.what == "key") {
    return handle(m, Key{spot.key, "", 0, 0});
  }
  return e;
}

}  // namespace sparky::tui
