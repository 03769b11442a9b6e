// What is asked of the daemon, and when, so that the screens stay current.
#include <algorithm>

#include "base/text.h"
#include "pixel/files.h"
#include "tui/model.h"

namespace sparky::tui {
using namespace std::chrono_literals;

namespace {

template <class Reply>
Ask ask(wire::Request request, Due Model::* due, std::function<void(Model&, const Reply&)> take) {
  return {std::move(request), [due, take = std::move(take)](Model& m, const Result<wire::Reply>& reply) {
            (m.*due).pending = false;
            if (auto* r = reply ? std::get_if<Reply>(&*reply) : nullptr) take(m, *r);
          }};
}

bool jobs_matter(const Model& m) {
  bool drawing = m.generation.state == "sent" || m.generation.state == "queued" || m.generation.state == "running";
  return drawing || !m.awaited.empty() || m.tab == Tab::queue || m.tab == Tab::comparison || m.tab == Tab::monitor;
}

void refresh_jobs(Model& m, Effects& e) {
  if (!jobs_matter(m) && m.jobs_due.last != Time{}) return;
  // The monitor's graphs move once a second; elsewhere a list that is long waits longer.
  Duration every = m.jobs.size() > 500 || m.tab == Tab::monitor ? 1000ms : 150ms;
  bool goes_on = !m.jobs.empty() && m.jobs[0].state == "running";  // they come first
  if (!m.jobs_due.stale && (!goes_on || m.now - m.jobs_due.last < 5s)) return;
  if (!m.jobs_due.ask(m.now, every)) return;
  Ask jobs{wire::ListJobs{}, {}};
  jobs.prepare = [](const Result<wire::Reply>& reply) -> std::function<void(Model&)> {
    auto* r = reply ? std::get_if<wire::JobList>(&*reply) : nullptr;
    if (!r) return [](Model& model) { model.jobs_due.pending = false; };
    auto rows = std::make_shared<std::vector<JobRow>>(parse_jobs(*r->jobs));
    return [rows, paused = r->paused](Model& model) {
      model.jobs_due.pending = false;
      take_jobs(model, std::move(*rows), paused);
    };
  };
  e.asks.push_back(std::move(jobs));
}

void refresh_plan(Model& m, Effects& e) {
  auto& p = m.plan;
  // Elsewhere only now and then: the screens' names tell whether a person is needed.
  bool here = m.tab == Tab::plan;
  Duration every = !here ? 5s : p.nodes.size() > 500 ? 1000ms : p.nodes.size() > 50 ? 500ms : 250ms;
  if ((p.due.stale || (here && m.now - p.due.last > 5s)) && p.due.ask(m.now, every)) {
    Ask status{wire::RunStatus{}, {}};
    status.prepare = [](const Result<wire::Reply>& reply) -> std::function<void(Model&)> {
      auto* state = reply ? std::get_if<wire::RunState>(&*reply) : nullptr;
      auto parsed = std::make_shared<PlanStatus>(state ? parse_status(*state->status) : PlanStatus());
      return [parsed, any = state != nullptr](Model& model) {
        model.plan.due.pending = false;
        if (!any) return void(model.plan.any = false);
        take_status(model.plan, std::move(*parsed));
        filter(model);
      };
    };
    e.asks.push_back(std::move(status));
  }
  int at = p.list.current();
  if (m.tab != Tab::plan || at < 0 || p.nodes[size_t(at)].kind == PlanRow::orchestrator) return;
  auto id = p.nodes[size_t(at)].id;
  if (id != p.detail_of) {
    p.detail_of = id;
    p.explanation.clear();
    p.criteria.clear();
    p.detail_due = {};
  }
  if (p.view == PlanScreen::log) p.log_view.open(id, p.run);
  if (p.view == PlanScreen::log || p.view == PlanScreen::gantt) return;
  if (!p.detail_due.stale || !p.detail_due.ask(m.now, 300ms)) return;
  auto still = [id](Model& model) { return model.plan.detail_of == id; };
  e.asks.push_back({wire::Explain{p.run, id}, [still](Model& model, const Result<wire::Reply>& reply) {
                      model.plan.detail_due.pending = false;
                      auto* r = reply ? std::get_if<wire::Explanation>(&*reply) : nullptr;
                      if (!r || !still(model)) return;
                      model.plan.explanation.clear();
                      for (auto& link : r->links) {
                        model.plan.explanation.push_back(printable(link.text));
                        if (!link.action.empty()) model.plan.explanation.push_back("    " + printable(link.action));
                      }
                    }});
  e.asks.push_back({wire::ShowNode{p.run, id}, [still](Model& model, const Result<wire::Reply>& reply) {
                      auto* r = reply ? std::get_if<wire::NodeReply>(&*reply) : nullptr;
                      if (!r || !still(model)) return;
                      take_criteria(model.plan, *r->node);
                    }});
}

LogView* log_of(Model& m, const std::string& id) {
  if (m.job_log.id == id) return &m.job_log;
  return m.plan.log_view.id == id ? &m.plan.log_view : nullptr;
}

void refresh_log(Model& m, LogView& log, Effects& e) {
  if (log.id.empty() || !log.due.ask(m.now, 400ms)) return;
  auto id = log.id;
  if (log.path.empty()) {
    e.asks.push_back({wire::ListLogs{log.run, id}, [id](Model& model, const Result<wire::Reply>& reply) {
                        auto* view = log_of(model, id);
                        auto* r = reply ? std::get_if<wire::LogList>(&*reply) : nullptr;
                        if (!view) return;
                        view->due.pending = false;
                        if (!r || r->logs.empty()) return;
                        view->path = r->logs.back().path;
                        view->offset = r->logs.back().size > 16384 ? r->logs.back().size - 16384 : 0;
                        view->due.last = {};
                      }});
    return;
  }
  e.asks.push_back(
      {wire::ReadLog{.path = log.path, .offset = log.offset}, [id](Model& model, const Result<wire::Reply>& reply) {
         auto* view = log_of(model, id);
         auto* r = reply ? std::get_if<wire::LogPart>(&*reply) : nullptr;
         if (!view) return;
         view->due.pending = false;
         if (!r) return;
         view->text += printable(r->data.data);
         view->offset = r->offset + r->data.data.size();
         if (view->text.size() > 65536) view->text.erase(0, view->text.size() - 65536);
         if (view->offset < r->size) view->due.last = {};
       }});
}

void refresh_gallery(Model& m, Effects& e) {
  auto& g = m.gallery;
  bool shown = m.tab == Tab::gallery;
  if (!(shown && m.now - g.due.last > 1s) && !(g.due.stale && (shown || m.tab == Tab::generation))) return;
  if (!g.due.ask(m.now, 100ms)) return;
  Ask list{wire::ListGallery{.known = g.version, .max = 20'000}, {}};
  list.prepare = [](const Result<wire::Reply>& reply) -> std::function<void(Model&)> {
    auto* r = reply ? std::get_if<wire::GalleryList>(&*reply) : nullptr;
    if (!r || r->unchanged) return [](Model& model) { model.gallery.due.pending = false; };
    auto rows = std::make_shared<std::vector<PictureRow>>(parse_pictures(*r->pictures));
    return [rows, version = r->version](Model& model) {
      model.gallery.due.pending = false;
      model.gallery.version = version;
      take_pictures(model, std::move(*rows));
    };
  };
  e.asks.push_back(std::move(list));
}

void refresh_lists(Model& m, Effects& e) {
  if ((m.models_due.stale || (m.tab == Tab::models && m.now - m.models_due.last > 10s)) && m.models_due.ask(m.now, 1s))
    e.asks.push_back(ask<wire::ModelDescriptions>(
        wire::DescribeModels{}, &Model::models_due,
        [](Model& model, const wire::ModelDescriptions& r) { take_models(model, *r.models); }));
  if (m.tab == Tab::comparison && (m.comparisons_due.stale || m.now - m.comparisons_due.last > 2s) &&
      m.comparisons_due.ask(m.now, 200ms))
    e.asks.push_back(ask<wire::ComparisonList>(
        wire::ListComparisons{}, &Model::comparisons_due,
        [](Model& model, const wire::ComparisonList& r) { take_comparisons(model, *r.comparisons); }));
  if (m.tab == Tab::settings && (m.settings_due.stale || m.now - m.settings_due.last > 2s) &&
      m.settings_due.ask(m.now, 200ms))
    e.asks.push_back(ask<wire::SettingList>(
        wire::ListSettings{}, &Model::settings_due,
        [](Model& model, const wire::SettingList& r) { take_settings(model, *r.settings, r.problems); }));
}

// Once a second on the monitor, every 10 s elsewhere: a daemon that was started for us sees that we are here.
void refresh_monitor(Model& m, Effects& e) {
  bool shown = m.tab == Tab::monitor;
  if (!m.monitor.due.ask(m.now, shown ? 1000ms : 10'000ms)) return;
  auto asked = std::chrono::steady_clock::now();
  e.asks.push_back({wire::Inspect{}, [asked](Model& model, const Result<wire::Reply>& reply) {
                      model.monitor.due.pending = false;
                      auto* r = reply ? std::get_if<wire::Inspection>(&*reply) : nullptr;
                      if (!r) return;
                      auto took = std::chrono::steady_clock::now() - asked;
                      take_inspection(model, *r->daemon, std::chrono::duration<double, std::milli>(took).count());
                    }});
}

// Who works, and which models are in memory there.
void refresh_workers(Model& m, Effects& e) {
  if ((m.tab != Tab::monitor && m.tab != Tab::models) || !m.monitor.workers_due.ask(m.now, 1000ms)) return;
  e.asks.push_back({wire::ListWorkers{}, [](Model& model, const Result<wire::Reply>& reply) {
                      model.monitor.workers_due.pending = false;
                      auto* r = reply ? std::get_if<wire::WorkerList>(&*reply) : nullptr;
                      if (r) take_workers(model.monitor, *r->workers);
                    }});
}

void refresh_pictures(Model& m, const std::vector<std::string>& missing, Effects& e) {
  constexpr size_t most = 600;
  for (auto& path : missing) {
    auto& held = m.pictures[path];
    if (held.pending || held.broken) continue;
    held.pending = true;
    held.stale = false;
    Ask read{wire::ReadPicture{.path = path}, {}, true};
    read.prepare = [path](const Result<wire::Reply>& reply) -> std::function<void(Model&)> {
      PicturePtr picture;
      if (auto* r = reply ? std::get_if<wire::PicturePart>(&*reply) : nullptr)
        if (auto decoded = pixel::decode_picture(r->data.data, "picture", {.side = 8192, .pixels = 1u << 24}))
          picture = std::make_shared<const pixel::Picture>(std::move(*decoded));
      return [path, picture](Model& model) { take_picture(model, path, picture); };
    };
    e.asks.push_back(std::move(read));
  }
  while (m.pictures.size() > most) {
    auto oldest = std::ranges::min_element(m.pictures, {}, [](auto& entry) { return entry.second.used; });
    if (oldest->second.pending) break;
    m.pictures.erase(oldest);
  }
}

}  // namespace

bool refresh_soon(const Model& m) {
  bool gallery = m.tab == Tab::gallery || m.tab == Tab::generation;
  return m.connected && ((m.jobs_due.stale && jobs_matter(m)) || (m.gallery.due.stale && gallery) ||
                         (m.tab == Tab::plan && (m.plan.due.stale || m.plan.detail_due.stale)));
}

void refresh(Model& m, const std::vector<std::string>& missing, Effects& e) {
  if (!m.connected) return;
  refresh_jobs(m, e);
  refresh_plan(m, e);
  if (m.tab == Tab::plan && m.plan.view == PlanScreen::log) refresh_log(m, m.plan.log_view, e);
  if (m.tab == Tab::queue && m.job_details) refresh_log(m, m.job_log, e);
  refresh_gallery(m, e);
  refresh_lists(m, e);
  refresh_monitor(m, e);
  refresh_workers(m, e);
  refresh_pictures(m, missing, e);
}

}  // namespace sparky::tui
