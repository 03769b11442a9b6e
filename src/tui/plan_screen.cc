// The screen Plan: the run as a tree with live state, why something waits, the evidence, the log, a Gantt chart; and
// what a person decides.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "tui/screens.h"

namespace sparky::tui {
using namespace ftxui;

namespace {

const PlanRow* node(const Model& m) {
  int at = m.plan.list.current();
  return at < 0 ? nullptr : &m.plan.nodes[size_t(at)];
}
std::string no_plan(const Model& m) { return m.plan.any ? "" : "no plan runs; R runs one"; }
std::string no_node(const Model& m) {
  if (!m.plan.any) return no_plan(m);
  return node(m) && node(m)->kind != PlanRow::orchestrator ? "" : "choose a workstream or a gate";
}
// Why not, where a node stands at one of these stages; gates pass only by their criteria.
std::string not_at(const Model& m, bool gates, std::initializer_list<std::string_view> stages) {
  if (auto why = no_node(m); !why.empty()) return why;
  auto& n = *node(m);
  if (n.kind == PlanRow::gate && !gates) return n.id + " is a gate: waive its criterion with w, where one is open";
  return std::ranges::find(stages, n.stage) == stages.end() ? "" : fmt::format("{} is {}", n.id, n.stage);
}
std::string no_retry(const Model& m) { return not_at(m, true, {"waiting", "ready", "running", "checking"}); }
std::string no_skip(const Model& m) { return not_at(m, false, {"completed", "skipped", "running", "checking"}); }
std::string no_cancel(const Model& m) { return not_at(m, false, {"completed", "skipped", "failed", "cancelled"}); }
const DecisionRow* decision(const Model& m) {
  if (!node(m)) return nullptr;
  auto& id = node(m)->id;
  auto it = std::ranges::find_if(
      m.plan.decisions, [&](auto& d) { return d.target == id || std::ranges::find(d.also, id) != d.also.end(); });
  return it == m.plan.decisions.end() ? nullptr : &*it;
}
std::string no_decision(const Model& m) {
  if (!node(m)) return no_node(m);
  return decision(m) ? "" : fmt::format("nothing waits for a decision at {}; n shows what does", node(m)->id);
}

const EscalationRow* escalation(const Model& m) {
  if (!node(m)) return nullptr;
  auto it = std::ranges::find(m.plan.escalations, node(m)->id, &EscalationRow::target);
  return it == m.plan.escalations.end() ? nullptr : &*it;
}

void decide(Model& m, Effects&, const std::string& answer) {
  auto d = *decision(m);
  Prompt p{.title = fmt::format("{} {}:", answer, d.id),
           .hint = answer == "waive" ? "why (needed)" : "a note, or only enter"};
  p.done = [d, answer, run = m.plan.run](Model& model, Effects& e, const std::string& note) {
    if (answer == "waive" && trim(note).empty()) return model.say("waiving needs a reason", true);
    e.asks.push_back(tell(wire::Decide{run, d.id, answer, note}, fmt::format("{}: {}", d.id, answer)));
  };
  m.prompt = std::move(p);
}

void skip(Model& m, Effects&) {
  Prompt p{.title = "Skip " + node(m)->id + ":", .hint = "why"};
  p.done = [id = node(m)->id, run = m.plan.run](Model&, Effects& e, const std::string& note) {
    e.asks.push_back(tell(wire::SkipNode{run, id, note}, id + " is skipped"));
  };
  m.prompt = std::move(p);
}

void start_run(Model& m, Effects&) {
  Prompt p{.title = "Run plan", .hint = "a plan file or directory on the daemon's machine; only enter: the one here"};
  p.done = [](Model& model, Effects& e, const std::string& given) {
    auto path = std::string(trim(given));
    e.asks.push_back(run_of(path.starts_with('/') ? path : model.project + "/" + path));
  };
  m.prompt = std::move(p);
}

void view(Model& m, PlanScreen::View which) {
  m.plan.view = m.plan.view == which ? PlanScreen::why : which;
  m.plan.detail_due.stale = true;
  m.plan.detail_due.last = {};
}

}  // namespace

Ask run_of(const std::string& plan) {
  return {wire::StartRun{.plan = plan}, [](Model& m, const Result<wire::Reply>& reply) {
            if (auto error = error_of(reply); !error.empty()) return m.say(error, true);
            m.plan.due.stale = true;
            m.plan.due.last = {};
            m.say("the run is under way");
          }};
}

const std::vector<Action>& plan_actions() {
  auto deciding = [](const char* answer) { return [answer](Model& m, Effects& e) { decide(m, e, answer); }; };
  auto look = [](PlanScreen::View which) { return [which](Model& m, Effects&) { view(m, which); }; };
  static const std::vector<Action> all = {
      // What a person is asked for comes first: a narrow screen has room for a few.
      {"a", "approve", "approve what waits for a decision", no_decision, deciding("approve")},
      {"d", "reject", "reject what waits for a decision", no_decision, deciding("reject")},
      {"w", "waive", "waive it, with a reason", no_decision, deciding("waive")},
      {"r", "retry", "run a workstream again, check a gate again", no_retry,
       [](Model& m, Effects& e) {
         e.asks.push_back(tell(wire::RetryNode{m.plan.run, node(m)->id}, node(m)->id + " is tried again"));
       }},
      {"e", "put away", "put away what was noticed here: a stall, an overrun, a budget",
       [](const Model& m) {
         if (!node(m)) return no_node(m);
         return escalation(m) ? "" : "nothing was noticed at " + node(m)->id;
       },
       [](Model& m, Effects& e) { e.asks.push_back(tell(wire::CloseEscalation{escalation(m)->number}, "put away")); }},
      {"enter", "evidence", "each criterion with its evidence, or back", no_node, look(PlanScreen::evidence)},
      {"f", "log", "follow the log, or back", no_node, look(PlanScreen::log)},
      {"g", "gantt", "when everything ran, runs and is expected", no_plan, look(PlanScreen::gantt)},
      {"s", "skip", "leave a workstream out", no_skip, skip},
      {"c", "cancel", "cancel a workstream", no_cancel,
       [](Model& m, Effects& e) {
         e.asks.push_back(tell(wire::CancelNode{m.plan.run, node(m)->id, ""}, node(m)->id + " is cancelled"));
       }},
      {"p", "pause", "pause the run, or go on", no_plan,
       [](Model& m, Effects& e) {
         if (m.plan.paused)
           e.asks.push_back(tell(wire::ResumeRun{m.plan.run}, "the run goes on"));
         else
           e.asks.push_back(tell(wire::PauseRun{m.plan.run}, "the run is paused; what runs finishes"));
       }},
      {"n", "needs me", "show only what needs a person, or all", no_plan,
       [](Model& m, Effects&) {
         m.plan.only_person = !m.plan.only_person;
         filter(m);
         if (m.plan.only_person && m.plan.list.rows.empty()) m.say("nothing needs a person");
       }},
      {"R", "run", "start or resume a run of a plan", {}, start_run},
      {"E", "example", "write an example plan into the project, and run it",
       [](const Model& m) {
         return m.plan.any ? "there is a plan already; R runs another"
                : !m.local ? "the project is on another machine: `sparky init` makes one there"
                           : "";
       },
       [](Model&, Effects& e) { e.example = true; }},
  };
  return all;
}

namespace {

Element tree_line(const Model& m, const Stage& stage, const PlanRow& n, int width) {
  auto mark = mark_of(stage.theme, n.status);
  bool head = n.kind == PlanRow::orchestrator, gate = n.kind == PlanRow::gate;
  auto name = head ? n.name : gate && n.name != n.id && !n.name.empty() ? n.id + " " + n.name : n.id + " " + n.name;
  int room = std::clamp(width * (width >= 100 ? 40 : 50) / 100, 14, 44);
  Elements line{text(head || gate ? "" : "  "), text((gate ? "◆ " : "") + mark.text + " ") | color(mark.color)};
  auto title = text(padded(one_line(name), room - (head ? 0 : 2)) + " ");
  line.push_back(head || gate ? title | bold : title);
  int rest = width - room - 3;
  if (head) {
    line.push_back(bar(std::max(0.0, n.progress), std::clamp(rest / 2, 8, 20), mark.color));
    line.push_back(text(cut("  " + n.phase, std::max(0, rest / 2))) | dim);
    return hbox(std::move(line));
  }
  auto state = n.stage.empty() ? n.status : n.stage;
  if (n.progress >= 0 && n.status == "in_progress") state += fmt::format(" {:.0f} %", 100 * n.progress);
  int column = rest >= 56 ? 24 : 16;
  if (auto since = "  " + ago(m, n.started); n.status == "in_progress" && width_of(state + since) < column)
    state += since;
  line.push_back(text(padded(state, column)) | color(mark.color));
  std::string more = n.verdicts;
  if (!n.text.empty()) more += (more.empty() ? "" : "  ") + one_line(n.text);
  line.push_back(text(cut(more, std::max(0, rest - column))) | dim);
  return hbox(std::move(line));
}

// How the workstreams of an orchestrator stand: "3 completed, 1 running".
std::string tally(const PlanScreen& p, const PlanRow& head) {
  std::vector<std::pair<std::string, int>> counts;
  for (auto* n = &head + 1; n != p.nodes.data() + p.nodes.size() && n->kind == PlanRow::workstream; ++n) {
    auto& state = n->stage.empty() ? n->status : n->stage;
    auto known = std::ranges::find(counts, state, &std::pair<std::string, int>::first);
    if (known == counts.end()) known = counts.insert(known, {state, 0});
    ++known->second;
  }
  std::string out;
  for (auto& [state, count] : counts) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, state);
  return out;
}

Element detail(Model& m, Stage& stage, int width, int height) {
  auto& p = m.plan;
  auto* n = node(m);
  if (!n) return filler();
  Elements rows;
  auto add = [&](const std::string& line, bool quiet = false) {
    for (auto& part : wrapped(one_line(line), width))
      if (int(rows.size()) < height) rows.push_back(quiet ? text(part) | dim : text(part));
  };
  rows.push_back(text(cut(one_line(n->kind == PlanRow::orchestrator ? n->name : n->id + " " + n->name), width)) | bold);
  if (p.view == PlanScreen::log && n->kind != PlanRow::orchestrator) {
    auto& log = p.log_view;
    if (log.text.empty()) add(log.path.empty() ? "no log yet" : "it has printed nothing", true);
    if (!log.text.empty()) rows.push_back(tail_of(log.text, width, std::max(1, height - 1)));
    return vbox(std::move(rows));
  }
  if (auto* d = decision(m)) {
    rows.push_back(text(cut(one_line(fmt::format("? {} {}", d->id, d->text)), width)) | color(stage.theme.warn));
    if (!d->note.empty()) add("  " + d->note);
    if (!d->also.empty()) add("  the same answer settles " + join(d->also, ", "), true);
  }
  if (auto* e = escalation(m)) rows.push_back(text(cut("! " + one_line(e->text), width)) | color(stage.theme.warn));
  if (p.view == PlanScreen::evidence) {
    if (p.criteria.empty()) add("no criteria", true);
    for (auto& c : p.criteria) {
      if (int(rows.size()) >= height) break;
      auto mark = mark_of(stage.theme, c.verdict);
      rows.push_back(hbox({text(fmt::format("{} {} ", mark.text, c.verdict)) | color(mark.color),
                           text(cut(one_line(c.text), std::max(1, width - 13)))}));
      if (!c.check.empty()) add("    $ " + c.check, true);
      if (!c.note.empty()) add("    " + c.note, true);
      if (!c.who.empty()) add("    by " + c.who, true);
    }
  } else if (n->kind == PlanRow::orchestrator) {
    add(tally(p, *n));
    add("its workstreams: " + n->phase, true);
  } else {
    if (!n->verdicts.empty()) add(n->verdicts);
    if (!n->text.empty()) add(n->text);
    if (n->eta != Time{} && n->eta > m.now)
      add(fmt::format("expected in {}", human(std::chrono::floor<std::chrono::seconds>(n->eta - m.now))), true);
    for (auto& line : p.explanation) add(line, line.starts_with("    "));
  }
  return vbox(std::move(rows));
}

Element nothing_left(const PlanScreen& p) {
  return text(p.only_person ? "nothing needs a person; n shows all" : "nothing matches; esc shows all") | dim;
}

// From the run's beginning to its end: what ran, what runs, what is expected.
Element gantt(Model& m, Stage& stage, int width, int height) {
  auto& p = m.plan;
  bool ended = p.state == "completed" || p.state == "cancelled";
  Time end = ended ? p.created : std::max(m.now, p.eta), begin = p.created;
  for (auto& n : p.nodes) end = std::max({end, n.finished, n.eta});
  if (begin == Time{} || end <= begin) begin = end - std::chrono::seconds(1);
  int room = std::clamp(width / 4, 10, 24), chart = std::max(8, width - room - 1);
  auto column = [&](Time t) {
    return int(std::clamp<double>(double((t - begin).count()) / double((end - begin).count()), 0, 1) * (chart - 1));
  };
  bool known = std::ranges::any_of(p.nodes, &PlanRow::critical);
  auto span = human(std::chrono::floor<std::chrono::seconds>(end - begin));
  auto legend = known ? "; * critical path: a delay there delays the run" : "";
  Elements rows{
      text(padded(fmt::format("{} from {}{}", span, iso(std::chrono::floor<std::chrono::seconds>(begin)), legend),
                  width)) |
      dim};
  auto window = window_of(int(p.list.rows.size()), p.list.selected, height - 1, p.list.first);
  p.list.first = window.first;
  for (int i = window.first; i < window.first + window.count; ++i) {
    auto& n = p.nodes[size_t(p.list.rows[size_t(i)])];
    auto mark = mark_of(stage.theme, n.status);
    std::string before, ran, expected;
    bool over = n.finished != Time{} && n.status != "in_progress";
    Time from = n.started != Time{}          ? n.started
                : n.finished != Time{}       ? n.finished
                : n.expected_start != Time{} ? n.expected_start
                                             : n.eta;
    Time to = over ? n.finished : n.started != Time{} ? m.now : from;
    Time until = over || n.eta == Time{} ? to : std::max(to, n.eta);
    if (n.kind != PlanRow::orchestrator && from != Time{}) {
      int a = column(from), b = column(to), c = column(until);
      before = std::string(size_t(a), ' ');
      if (n.started != Time{} || over)
        for (int x = a; x <= b; ++x) ran += "█";
      for (int x = a + width_of(ran); x <= c; ++x) expected += n.critical ? "▒" : "░";
    }
    bool on_path = n.critical && n.kind != PlanRow::orchestrator;
    auto label = text(padded((n.kind == PlanRow::orchestrator ? ""
                              : on_path                       ? "* "
                                                              : "  ") +
                                 one_line(n.kind == PlanRow::orchestrator ? n.name : n.id),
                             room) +
                      " ");
    if (i == p.list.selected) label = label | inverted;
    if (n.kind != PlanRow::workstream) label = label | bold;
    if (on_path && i != p.list.selected) label = label | color(stage.theme.warn);
    rows.push_back(clickable(
        stage, hbox({std::move(label), text(before), text(ran) | color(mark.color), text(expected) | dim}), "row", i));
  }
  if (window.count == 0) rows.push_back(nothing_left(p));
  return vbox(std::move(rows));
}

}  // namespace

Element draw_plan(Model& m, Stage& stage, int width, int height) {
  auto& p = m.plan;
  if (!p.any)
    return empty_hint(
        {"No plan runs.", "R runs one; so does `sparky run PLAN`.", "E writes an example here and runs it."});
  auto head = fmt::format("{}  run {}  {}{}", one_line(p.plan), p.run, p.state, p.paused ? "  PAUSED" : "");
  if (p.eta > m.now && p.state == "running")
    head += fmt::format("  {} to go", human(std::chrono::floor<std::chrono::seconds>(p.eta - m.now)));
  if (p.persons > 0) head += fmt::format("  {} need{} a person: n", p.persons, p.persons == 1 ? "s" : "");
  auto top = hbox({bar(p.progress, width >= 80 ? 26 : 14, stage.theme.accent), text("  "),
                   text(cut(head, std::max(1, width - (width >= 80 ? 29 : 17)))) | bold});
  if (p.view == PlanScreen::gantt) return vbox({std::move(top), gantt(m, stage, width, height - 1)});
  bool beside = width >= 130;
  int below = beside ? 0 : std::clamp(height * 2 / 5, 2, 14);
  int tree_w = beside ? width * 55 / 100 : width, tree_h = std::max(1, height - 1 - (below ? below + 1 : 0));
  auto window = window_of(int(p.list.rows.size()), p.list.selected, tree_h, p.list.first);
  p.list.first = window.first;
  Elements rows;
  for (int i = window.first; i < window.first + window.count; ++i) {
    auto line = tree_line(m, stage, p.nodes[size_t(p.list.rows[size_t(i)])], tree_w) | size(WIDTH, EQUAL, tree_w);
    rows.push_back(clickable(stage, i == p.list.selected ? selected_row(line) : line, "row", i));
  }
  if (rows.empty()) rows.push_back(nothing_left(p));
  auto tree = vbox(std::move(rows));
  if (beside)
    return vbox({std::move(top),
                 hbox({std::move(tree), separator(), detail(m, stage, width - tree_w - 1, height - 1)}) | flex});
  return vbox({std::move(top), std::move(tree) | size(HEIGHT, EQUAL, tree_h), separator(),
               detail(m, stage, width, below) | size(HEIGHT, EQUAL, below)});
}

}  // namespace sparky::tui
