// The screens that are lists: Queue, Models, Settings.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "tui/screens.h"

namespace sparky::tui {
using namespace ftxui;

namespace {

const JobRow* job(const Model& m) {
  int at = m.job_list.current();
  return at < 0 ? nullptr : &m.jobs[size_t(at)];
}

std::string no_job(const Model& m) { return job(m) ? "" : "there is no job"; }

// The jobs that wait, in their order.
auto line(const Model& m) { return std::ranges::equal_range(m.jobs, 1, {}, &JobRow::rank); }

// Why the job cannot go a step ahead (-1) or back (1).
std::string no_place(const Model& m, int step) {
  if (!job(m)) return "there is no job";
  if (job(m)->state != "queued") return "only a job that waits has a place in the line; this one is " + job(m)->state;
  auto all = line(m);
  return job(m) != &(step < 0 ? all.front() : all.back()) ? "" : step < 0 ? "it is the next already" : "it is the last";
}

void move_job(Model& m, Effects& e, int step) {
  auto* at = job(m);
  wire::MoveJob move{.id = at->id};
  if (step < 0)
    move.before = at[-1].id;
  else if (&line(m).back() - at > 1)
    move.before = at[2].id;
  else
    move.last = true;
  e.asks.push_back(tell(move, job(m)->id + (step < 0 ? " goes earlier" : " goes later")));
}

// Rows of a list in its window; `row` draws one at a width.
template <class Row>
Element rows_of(Model& m, Stage& stage, ListState& list, int width, int height, const Row& row) {
  auto window = window_of(int(list.rows.size()), list.selected, height, list.first);
  list.first = window.first;
  Elements out;
  for (int i = window.first; i < window.first + window.count; ++i) {
    auto line = row(list.rows[size_t(i)], width) | size(WIDTH, EQUAL, width);
    out.push_back(clickable(stage, i == list.selected ? selected_row(line) : line, "row", i));
  }
  (void)m;
  return vbox(std::move(out));
}

Element heading(const ListState& list, size_t all, const std::string& one, const std::string& extra) {
  auto shown = count_of(list, all, one);
  return hbox({text(shown) | bold, text(extra)});
}

std::string tail_text(const JobRow& j) {
  if (j.state == "failed") return j.note;
  if (j.state == "running") return j.doing;
  return j.note;
}

Element job_line(const Model& m, Stage& stage, const JobRow& j, int width) {
  auto mark = mark_of(stage.theme, j.state);
  int id = std::clamp(width / 4, 10, 28), kind = width >= 60 ? 9 : 0, model = width >= 90 ? 14 : 0;
  Elements line{text(mark.text + " ") | color(mark.color), text(padded(j.id, id) + " ")};
  if (kind) line.push_back(text(padded(j.kind, kind) + " ") | dim);
  if (model) line.push_back(text(padded(j.model, model) + " ") | dim);
  int rest = width - id - kind - model - 6;
  if (j.state == "running") {
    line.push_back(bar(stage, j.progress, m.now, std::clamp(rest / 2, 10, 30), stage.theme.accent));
    if (j.eta_s >= 0) line.push_back(text(fmt::format("  {} to go", human(Duration(int64_t(j.eta_s) * 1000)))));
  } else {
    line.push_back(text(padded(j.state, 10)));
    if (j.state == "queued" && j.position > 0) line.push_back(text(fmt::format("#{} ", j.position)) | dim);
    if (j.state == "queued" && j.eta_s >= 0)
      line.push_back(text(fmt::format("about {} ", human(Duration(int64_t(j.eta_s) * 1000)))) | dim);
    if (j.state == "queued" && j.priority != "normal") line.push_back(text(j.priority + " ") | color(stage.theme.warn));
    if (j.ended() && rest > 30) line.push_back(text(padded(ago(m, j.finished) + " ago", 12)) | dim);
    line.push_back(text(cut(one_line(tail_text(j)), std::max(0, rest - 24))) | dim);
  }
  return hbox(std::move(line));
}

Element job_page(Model& m, Stage& stage, const JobRow& j, int whole_width, int height) {
  auto picture = whole_width >= 80 ? picture_of(m, stage, j.image) : nullptr;
  int width = picture ? whole_width / 2 : whole_width;
  Elements rows;
  auto fact = [&](const std::string& label, const std::string& value) {
    if (!value.empty()) rows.push_back(hbox({text(padded(label, 11)) | dim, text(cut(one_line(value), width - 12))}));
  };
  fact("job", j.id);
  fact("kind", j.model.empty() ? j.kind : j.kind + " with " + j.model);
  auto mark = mark_of(stage.theme, j.state);
  rows.push_back(hbox({text(padded("state", 11)) | dim, text(mark.text + " " + j.state) | color(mark.color)}));
  if (j.state == "running") rows.push_back(bar(stage, j.progress, m.now, std::min(60, width), stage.theme.accent));
  if (j.position > 0) fact("in line", fmt::format("{}", j.position));
  fact("submitted", j.submitted == Time{} ? "" : ago(m, j.submitted) + " ago");
  if (j.ended() && j.started != Time{}) fact("took", human(j.finished - j.started));
  fact("worker", j.worker);
  fact("tries", j.tries > 1 ? std::to_string(j.tries) : "");
  fact("says", tail_text(j));
  fact("picture", j.image);
  int used = int(rows.size()) + 1;
  auto left = vbox(std::move(rows));
  auto log = m.job_log.text.empty() ? text("no log: what a worker runs itself writes none") | dim
                                    : tail_of(m.job_log.text, width, std::max(1, height - used));
  if (picture)
    return hbox({vbox({std::move(left), separator(), std::move(log)}) | size(WIDTH, EQUAL, width), separator(),
                 picture_view(stage, picture) | flex});
  return vbox({std::move(left), separator(), std::move(log)});
}

}  // namespace

const std::vector<Action>& queue_actions() {
  static const std::vector<Action> all = {
      {"enter", "details", "details of the job, its log and its picture", no_job,
       [](Model& m, Effects&) {
         m.job_details = !m.job_details;
         m.job_log.open(job(m)->id, 0);
       }},
      {"c", "cancel", "cancel the job",
       [](const Model& m) { return !job(m)           ? "there is no job"
                                   : job(m)->ended() ? "the job has ended already"
                                                     : ""; },
       [](Model& m, Effects& e) { e.asks.push_back(tell(wire::Cancel{job(m)->id}, job(m)->id + " is cancelled")); }},
      {"r", "retry", "queue the job again",
       [](const Model& m) -> std::string {
         if (!job(m)) return "there is no job";
         bool can = job(m)->state == "failed" || job(m)->state == "cancelled";
         return can ? "" : "only a failed or cancelled job can be retried; this one is " + job(m)->state;
       },
       [](Model& m, Effects& e) {
         e.asks.push_back(tell(wire::RetryJob{job(m)->id}, job(m)->id + " is queued again"));
       }},
      {"K", "earlier", "one place ahead in the line", [](const Model& m) { return no_place(m, -1); },
       [](Model& m, Effects& e) { move_job(m, e, -1); }},
      {"J", "later", "one place back in the line", [](const Model& m) { return no_place(m, 1); },
       [](Model& m, Effects& e) { move_job(m, e, 1); }},
      {"F", "first", "to the front of the line", [](const Model& m) { return no_place(m, -1); },
       [](Model& m, Effects& e) {
         e.asks.push_back(tell(wire::MoveJob{.id = job(m)->id}, job(m)->id + " is the next"));
       }},
      {"p",
       "pause",
       "hold the queue back, or let it go on",
       {},
       [](Model& m, Effects& e) {
         e.asks.push_back(tell(wire::PauseQueue{!m.queue_paused},
                               m.queue_paused ? "the queue goes on" : "the queue is paused; running jobs finish"));
       }},
      {"X", "clear", "forget all jobs that have ended; their pictures stay",
       [](const Model& m) { return !m.jobs.empty() && m.jobs.back().ended() ? "" : "no job has ended"; },
       [](Model&, Effects& e) { e.asks.push_back(tell(wire::ClearJobs{}, "cleared")); }},
  };
  return all;
}

Element draw_queue(Model& m, Stage& stage, int width, int height) {
  if (m.jobs.empty())
    return empty_hint({"No jobs.", "1 asks for a picture; so do `sparky generate` and every client."});
  if (m.job_details && job(m)) {
    m.job_log.open(job(m)->id, 0);
    return job_page(m, stage, *job(m), width, height);
  }
  auto waiting = line(m);
  auto extra = fmt::format("  {} running, {} waiting{}", waiting.begin() - m.jobs.begin(), waiting.size(),
                           m.queue_paused ? ", PAUSED" : "");
  return vbox({heading(m.job_list, m.jobs.size(), "job", extra),
               rows_of(m, stage, m.job_list, width, height - 1,
                       [&](int i, int w) { return job_line(m, stage, m.jobs[size_t(i)], w); })});
}

// ---- models ---------------------------------------------------------------------------------------------------------

namespace {

const ModelRow* model_row(const Model& m) {
  int at = m.model_list.current();
  return at < 0 ? nullptr : &m.models[size_t(at)];
}

// The workers that have it in memory.
std::vector<std::string> holders(const Model& m, const ModelRow& row) {
  std::vector<std::string> out;
  for (auto& w : m.monitor.workers)
    if (std::ranges::find(w.loaded, row.name) != w.loaded.end()) out.push_back(w.name);
  return out;
}
std::string loaded(const Model& m, const ModelRow& row) { return join(holders(m, row), ", "); }

std::string no_load(const Model& m) {
  auto* row = model_row(m);
  if (!row) return "there is no model";
  if (row->type == "lora") return "a LoRA is loaded with the picture that asks for it";
  return loaded(m, *row).empty() ? "" : "it is loaded by " + loaded(m, *row);
}

std::string no_unload(const Model& m) {
  if (!model_row(m)) return "there is no model";
  return loaded(m, *model_row(m)).empty() ? "it is not loaded" : "";
}

// By this worker; an empty name: by whichever.
void hold(Model& m, Effects& e, const std::string& kind, const std::string& worker) {
  auto name = model_row(m)->name;
  auto what = kind + " " + name + (worker.empty() ? "" : " by " + worker);
  e.asks.push_back({wire::SubmitJob{.kind = kind, .model = name, .worker = worker},
                    [kind, name, what](Model& model, const Result<wire::Reply>& reply) {
                      if (auto error = error_of(reply); !error.empty()) return model.say(error, true);
                      if (auto* r = std::get_if<wire::JobAccepted>(&*reply)) model.awaited[one_line(r->job_id)] = what;
                      model.jobs_due.stale = true;
                      model.say(kind == "load" ? name + " is being loaded" : name + " is being unloaded");
                    }});
}

void unload(Model& m, Effects& e) {
  for (auto& worker : holders(m, *model_row(m))) hold(m, e, "unload", worker);
}

}  // namespace

const std::vector<Action>& model_actions() {
  static const std::vector<Action> all = {
      {"enter", "use", "draw with this model (or add this LoRA)",
       [](const Model& m) { return model_row(m) ? "" : "there is no model"; },
       [](Model& m, Effects&) {
         auto field = model_row(m)->type == "lora" ? Generation::lora : Generation::model;
         m.generation.fields[field].set(model_row(m)->name);
         m.tab = Tab::generation;
         m.generation.focus = Generation::prompt;
       }},
      {"l", "load", "into a worker's memory, so that the next picture does not wait for it", no_load,
       [](Model& m, Effects& e) { hold(m, e, "load", ""); }},
      {"u", "unload", "free the memory that it takes, in every worker that holds it", no_unload, unload},
      {"y", "copy hash", "copy its SHA-256", [](const Model& m) { return model_row(m) ? "" : "there is no model"; },
       [](Model& m, Effects& e) {
         e.copy = model_row(m)->sha256;
         m.say("copied " + model_row(m)->sha256);
       }},
  };
  return all;
}

Element draw_models(Model& m, Stage& stage, int width, int height) {
  if (m.models.empty())
    return empty_hint({"No models.", "SPARKY_MODELS names the folder that holds them; `sparky train` makes one."});
  int list_height = std::clamp(int(m.model_list.rows.size()), 1, std::max(1, height / 2 - 1));
  auto line = [&](int i, int w) {
    auto& x = m.models[size_t(i)];
    auto used = !loaded(m, x).empty() ? std::string("loaded")
                : x.used == Time{}    ? std::string("not used yet")
                                      : "used " + ago(m, x.used) + " ago";
    return text(padded(fmt::format("{} {} {:>10}  {}", padded(x.name, std::clamp(w / 3, 10, 30)), padded(x.type, 10),
                                   human_bytes(double(x.size_bytes)), used),
                       w));
  };
  Elements rows{heading(m.model_list, m.models.size(), "model", ""),
                rows_of(m, stage, m.model_list, width, list_height, line), separator()};
  if (auto* x = model_row(m)) {
    rows.push_back(hbox({text("sha256  ") | dim, text(cut(x->sha256, width - 8))}));
    rows.push_back(hbox({text("path    ") | dim, text(cut(x->path, width - 8))}));
    if (auto where = loaded(m, *x); !where.empty()) rows.push_back(hbox({text("loaded  ") | dim, text(where)}));
    int room = height - list_height - int(rows.size());
    Elements card;
    for (auto part : split(x->card, '\n'))
      for (auto& line : wrapped(one_line(std::string(part)), width))
        if (int(card.size()) < room) card.push_back(text(line));
    rows.push_back(vbox(std::move(card)));
  }
  return vbox(std::move(rows));
}

// ---- settings -------------------------------------------------------------------------------------------------------

namespace {

const SettingRow* setting(const Model& m) {
  int at = m.setting_list.current();
  return at < 0 ? nullptr : &m.settings[size_t(at)];
}

void edit_setting(Model& m, Effects&) {
  auto row = *setting(m);
  Prompt p{.title = row.key, .hint = row.initial.empty() ? "empty" : row.initial};
  p.field.set(row.value);
  p.done = [key = row.key](Model&, Effects& e, const std::string& value) {
    e.asks.push_back(tell(wire::ChangeSetting{key, value}, key + " is written; what runs takes it at its next start"));
  };
  m.prompt = std::move(p);
}

}  // namespace

const std::vector<Action>& setting_actions() {
  static const std::vector<Action> all = {
      {"enter", "edit", "change the value; written to sparky.toml",
       [](const Model& m) -> std::string {
         if (!setting(m)) return "there is no setting";
         return setting(m)->source == "environment" ? setting(m)->environment + " in the environment goes over the file"
                                                    : "";
       },
       edit_setting},
      {"u", "unset", "take it out of sparky.toml: the default again",
       [](const Model& m) -> std::string {
         if (!setting(m)) return "there is no setting";
         return setting(m)->source == "file" ? "" : "it does not stand in sparky.toml";
       },
       [](Model& m, Effects& e) {
         e.asks.push_back(
             tell(wire::ChangeSetting{setting(m)->key, std::nullopt}, setting(m)->key + " has its default"));
       }},
  };
  return all;
}

Element draw_settings(Model& m, Stage& stage, int width, int height) {
  if (m.settings.empty()) return empty_hint({"The settings come from the daemon."});
  int key = std::clamp(width / 3, 12, 28), value = std::clamp(width / 3, 10, 40);
  auto line = [&](int i, int w) {
    auto& s = m.settings[size_t(i)];
    auto shown = s.value.empty() ? std::string("\"\"") : one_line(s.value);
    auto source = text(padded(s.source, 12));
    return hbox({text(padded(s.key, key) + " "), text(padded(shown, value) + " "),
                 s.source == "default" ? source | dim : source | color(stage.theme.accent)}) |
           size(WIDTH, EQUAL, w);
  };
  Elements below{separator()};
  if (auto* s = setting(m)) {
    below.push_back(paragraph(one_line(s->meaning)));
    below.push_back(
        text(cut(fmt::format("default {}   {}", s->initial.empty() ? "\"\"" : s->initial, s->environment), width)) |
        dim);
  }
  for (auto& problem : m.setting_problems)
    below.push_back(text(cut(one_line(problem), width)) | color(stage.theme.bad));
  int room = std::max(1, height - 5 - int(m.setting_problems.size()));
  return vbox({heading(m.setting_list, m.settings.size(), "setting", ""),
               rows_of(m, stage, m.setting_list, width, room, line), vbox(std::move(below))});
}

}  // namespace sparky::tui
