// What the daemon says, into the model; and what is asked of it so that the screens stay current.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "pixel/files.h"
#include "tui/model.h"

namespace sparky::tui {
namespace {

using namespace std::chrono_literals;

std::string str(const Json& json, const char* field) {
  if (!json.is_object()) return "";
  auto it = json.find(field);
  return it == json.end() || !it->is_string() ? "" : printable(it->get<std::string>());
}
// As it came: for what is sent back to the daemon.
std::string raw(const Json& json, const char* field) {
  if (!json.is_object()) return "";
  auto it = json.find(field);
  return it == json.end() || !it->is_string() ? "" : it->get<std::string>();
}
double num(const Json& json, const char* field, double initial = 0) {
  if (!json.is_object()) return initial;
  auto it = json.find(field);
  return it == json.end() || !it->is_number() ? initial : it->get<double>();
}
bool flag(const Json& json, const char* field) {
  if (!json.is_object()) return false;
  auto it = json.find(field);
  return it != json.end() && it->is_boolean() && it->get<bool>();
}
Time time(const Json& json, const char* field) { return parse_iso(str(json, field)).value_or(Time{}); }
const Json& part(const Json& json, const char* field) {
  static const Json none = Json::array();
  if (!json.is_object()) return none;
  auto it = json.find(field);
  return it == json.end() ? none : *it;
}
std::vector<std::string> strings(const Json& json) {
  std::vector<std::string> out;
  if (json.is_array())
    for (auto& item : json)
      if (item.is_string()) out.push_back(printable(item.get<std::string>()));
  return out;
}

bool has_words(const std::string& text, const std::string& filter) {
  auto low = lower(text), wanted = lower(filter);
  for (auto word : split(wanted, ' '))
    if (low.find(word) == low.npos) return false;
  return true;
}

// The rows whose text has the filter's words; the selection stays on its row if that is still there.
template <class Row, class Text>
void filter_list(ListState& list, const std::vector<Row>& all, const Text& text) {
  int kept = list.current();
  list.rows.clear();
  for (int i = 0; i < int(all.size()); ++i)
    if (list.filter.empty() || has_words(text(all[size_t(i)]), list.filter)) {
      if (i == kept) list.selected = int(list.rows.size());
      list.rows.push_back(i);
    }
  list.clamp();
}

template <class Row, class Id>
void keep_selected(ListState& list, const std::vector<Row>& before, const std::vector<Row>& after, const Id& id) {
  int at = list.current();
  if (at < 0 || at >= int(before.size())) return;
  auto wanted = id(before[size_t(at)]);
  for (int i = 0; i < int(after.size()); ++i)
    if (id(after[size_t(i)]) == wanted) {
      list.rows.assign(1, i);  // what filter_list() takes the selection from
      list.selected = 0;
      return;
    }
}

int rank(const JobRow& job) { return job.state == "running" ? 0 : job.state == "queued" ? 1 : 2; }

std::string verdicts_of(const Json& node) {
  auto& criteria = part(node, "criteria");
  std::map<std::string, int> counts;
  if (criteria.is_object()) {
    for (auto& [verdict, count] : criteria.items())
      if (count.is_number_integer()) counts[printable(verdict)] = count.get<int>();
  } else {
    for (auto& c : criteria) ++counts[str(c, "verdict")];
  }
  std::string out;
  for (auto& [verdict, count] : counts)
    if (verdict != "open") out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, verdict);
  return out;
}

std::string trouble_of(const Json& node) {
  for (auto field : {"doing", "blocker", "note"})
    if (auto text = str(node, field); !text.empty()) return text;
  std::string waits;
  for (auto& id : strings(part(node, "waits_for"))) waits += (waits.empty() ? "waits for " : ", ") + id;
  return waits;
}

PlanRow plan_row(PlanRow::Kind kind, const std::string& id, const Json& node) {
  PlanRow row{.kind = kind, .id = printable(id), .name = str(node, "name"), .status = str(node, "status")};
  row.stage = str(node, "stage");
  row.text = trouble_of(node);
  row.progress = num(node, "progress", -1);
  row.started = time(node, node.contains("since") ? "since" : "started");
  row.finished = time(node, node.contains("completion_time") ? "completion_time" : "finished");
  row.eta = time(node, "eta");
  row.expected_start = time(node, "expected_start");
  row.critical = flag(node, "critical");
  row.verdicts = verdicts_of(node);
  row.needs_person = row.status == "decision_needed" || row.status == "failed" || row.status == "cancelled";
  return row;
}

}  // namespace

std::vector<JobRow> parse_jobs(const Json& jobs) {
  std::vector<JobRow> out;
  if (!jobs.is_array()) return out;
  for (auto& j : jobs) {
    JobRow row{.id = str(j, "id"), .kind = str(j, "kind"), .state = str(j, "state"), .model = str(j, "model")};
    row.priority = str(j, "priority");
    row.note = str(j, j.contains("error") ? "error" : "note");
    row.doing = str(j, "doing");
    row.worker = str(j, "worker");
    row.image = raw(part(j, "result"), "image_path");
    row.progress = num(j, "progress", -1);
    row.eta_s = num(j, "eta_s", -1);
    row.submitted = time(j, "submitted");
    row.started = time(j, "started");
    row.finished = time(j, "finished");
    row.tries = int(num(j, "tries"));
    row.position = int(num(j, "position"));
    out.push_back(std::move(row));
  }
  std::ranges::stable_sort(out, [](auto& a, auto& b) {
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    return rank(a) == 1 ? a.position < b.position : rank(a) == 2 && a.finished > b.finished;
  });
  return out;
}

std::vector<PictureRow> parse_pictures(const Json& pictures) {
  std::vector<PictureRow> out;
  if (!pictures.is_array()) return out;
  for (auto& p : pictures) {
    PictureRow row{.path = raw(p, "path"), .prompt = str(p, "prompt"), .model = str(p, "model")};
    auto seed = part(p, "seed");
    if (seed.is_number_unsigned()) row.seed = seed.get<uint64_t>();
    row.width = int(num(p, "width"));
    row.height = int(num(p, "height"));
    row.size_bytes = uint64_t(num(p, "size_bytes"));
    row.changed = time(p, "changed");
    row.star = flag(p, "star");
    row.tags = strings(part(p, "tags"));
    out.push_back(std::move(row));
  }
  return out;
}

PlanStatus parse_status(const Json& status) {
  PlanStatus plan;
  plan.run = uint32_t(num(status, "run"));
  plan.plan = str(status, "plan");
  plan.state = str(status, "state");
  plan.paused = str(status, "halt") == "paused";
  plan.progress = num(status, "progress");
  plan.eta = time(status, "eta");
  plan.created = time(status, "created");
  for (auto& o : part(status, "orchestrators")) {
    auto head = plan_row(PlanRow::orchestrator, raw(o, "id"), o);
    head.name = str(o, "orchestrator");
    head.phase = str(o, "phase");
    head.needs_person = false;
    plan.nodes.push_back(std::move(head));
    auto& workstreams = part(o, "workstreams");
    if (!workstreams.is_object()) continue;
    for (auto& id : part(o, "order"))  // as the plan has them
      if (auto w = id.is_string() ? workstreams.find(id.get<std::string>()) : workstreams.end(); w != workstreams.end())
        plan.nodes.push_back(plan_row(PlanRow::workstream, w.key(), *w));
  }
  for (auto& g : part(status, "gates")) plan.nodes.push_back(plan_row(PlanRow::gate, raw(g, "id"), g));
  std::set<std::string> persons;
  for (auto& d : part(status, "decisions")) {
    plan.decisions.push_back(
        {str(d, "id"), str(d, "target"), str(d, "text"), str(d, "note"), strings(part(d, "also"))});
    persons.insert(plan.decisions.back().target);
    persons.insert(plan.decisions.back().also.begin(), plan.decisions.back().also.end());
  }
  for (auto& e : part(status, "escalations")) {
    auto id = str(e, "id");  // "E7"
    uint32_t number = 0;
    if (id.size() > 1) std::from_chars(id.data() + 1, id.data() + id.size(), number);
    plan.escalations.push_back({number, str(e, "target"), str(e, "text")});
    persons.insert(plan.escalations.back().target);
  }
  for (auto& node : plan.nodes) {
    node.needs_person |= node.kind != PlanRow::orchestrator && persons.contains(node.id);
    plan.persons += node.needs_person;
  }
  return plan;
}

void take_status(PlanScreen& plan, PlanStatus status) {
  keep_selected(plan.list, plan.nodes, status.nodes, [](auto& n) { return n.id; });
  static_cast<PlanStatus&>(plan) = std::move(status);
  plan.any = true;
}

void take_jobs(Model& m, std::vector<JobRow> jobs, bool paused) {
  keep_selected(m.job_list, m.jobs, jobs, [](auto& j) { return j.id; });
  m.jobs = std::move(jobs);
  m.queue_paused = paused;
  auto& g = m.generation;
  for (auto& job : m.jobs) {
    if (auto awaited = m.awaited.find(job.id); awaited != m.awaited.end() && job.ended()) {
      m.say(fmt::format("{}: {}{}{}", awaited->second, job.state, job.note.empty() ? "" : ": ", job.note),
            job.state != "completed");
      m.awaited.erase(awaited);
      m.monitor.workers_due.last = {};  // it may hold another model now
    }
    if (job.id != g.job || g.job.empty()) continue;
    g.state = job.state;
    if (job.progress >= 0) g.progress = job.progress;
    g.eta_s = job.eta_s;
    g.error = job.state == "failed" ? job.note : "";
    if (job.state == "completed" && !job.image.empty()) g.image = job.image;
  }
  filter(m);
}

void take_pictures(Model& m, std::vector<PictureRow> pictures) {
  keep_selected(m.gallery.list, m.gallery.pictures, pictures, [](auto& p) { return p.path; });
  std::map<std::string_view, Time> shown;
  for (auto& old : m.gallery.pictures)
    if (m.pictures.contains(old.path)) shown[old.path] = old.changed;
  for (auto& p : pictures)  // a file that was written anew is read anew
    if (auto old = shown.find(p.path); old != shown.end() && old->second != p.changed) m.pictures[p.path].renew();
  m.gallery.pictures = std::move(pictures);
  filter(m);
}

void filter(Model& m) {
  filter_list(m.job_list, m.jobs, [](auto& j) { return fmt::format("{} {} {} {}", j.id, j.kind, j.state, j.model); });
  filter_list(m.gallery.list, m.gallery.pictures, [](auto& p) {
    return fmt::format("{} {} {} {} #{} {}", p.prompt, p.path, p.model, p.seed ? fmt::format("{}", *p.seed) : "",
                       join(p.tags, " #"), p.star ? "*" : "") +
           iso(p.changed);
  });
  filter_list(m.model_list, m.models, [](auto& x) { return x.name + " " + x.type; });
  filter_list(m.comparison_list, m.comparisons, [](auto& c) { return c.id + " " + c.prompt; });
  filter_list(m.setting_list, m.settings, [](auto& s) { return s.key + " " + s.meaning; });
  filter_list(m.plan.list, m.plan.nodes, [](auto& n) { return fmt::format("{} {} {}", n.id, n.name, n.status); });
  if (m.plan.only_person) {
    std::erase_if(m.plan.list.rows, [&](int i) { return !m.plan.nodes[size_t(i)].needs_person; });
    m.plan.list.clamp();
  }
}

void take_picture(Model& m, const std::string& path, PicturePtr picture) {
  auto& held = m.pictures[path];
  held.pending = false;
  if (picture) held.picture = std::move(picture);
  held.broken = !held.picture;
}

Throughput throughput(const Model& m) {
  Throughput out;
  std::vector<double> waits, works;
  for (auto& job : m.jobs) {  // those that ended: the latest first
    if (job.state != "completed" || job.started == Time{}) continue;
    bool lately = m.now - job.finished < 60s;
    out.jobs_a_minute += lately;
    out.pictures_a_minute += lately && job.kind == "generate";
    if (works.size() >= 20) {
      if (!lately) break;
      continue;
    }
    if (job.submitted != Time{}) waits.push_back(double((job.started - job.submitted).count()) / 1000);
    works.push_back(double((job.finished - job.started).count()) / 1000);
  }
  auto median = [](std::vector<double>& v) {
    if (v.empty()) return -1.0;
    std::ranges::nth_element(v, v.begin() + std::ptrdiff_t(v.size() / 2));
    return std::max(0.0, v[v.size() / 2]);
  };
  out.wait_s = median(waits);
  out.work_s = median(works);
  return out;
}

void handle(Model& m, const wire::Update& update) {
  auto job_of = [&](const std::string& id) {
    auto it = std::ranges::find(m.jobs, id, &JobRow::id);
    return it == m.jobs.end() ? nullptr : &*it;
  };
  auto& g = m.generation;
  if (auto* p = std::get_if<wire::Progress>(&update)) {
    if (auto* job = job_of(p->job_id))
      job->progress = p->progress, job->eta_s = p->eta_s, job->doing = printable(p->stage);
    if (p->job_id == g.job) {
      g.progress = p->progress, g.eta_s = p->eta_s, g.state = "running";
      g.doing = one_line(p->stage);
      std::ranges::replace(g.doing, '_', ' ');
    }
  } else if (auto* preview = std::get_if<wire::Preview>(&update)) {
    if (preview->job_id != g.job) return;
    g.image = preview->image_path;
    m.pictures[g.image].renew();
  } else if (auto* complete = std::get_if<wire::JobComplete>(&update)) {
    m.gallery.due.stale = true;
    m.gallery.due.last = {};
    if (complete->job_id == g.job && !complete->image_path.empty()) {
      g.image = complete->image_path;
      g.state = "completed";
      g.progress = 1;
      m.pictures[g.image].renew();
    }
  }
}

void handle_events(Model& m, uint64_t count) {
  m.monitor.events += count;
  m.jobs_due.stale = m.plan.due.stale = m.plan.detail_due.stale = true;
}

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
  Duration every = m.jobs.size() > 500 ? 1000ms : 150ms;
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
  Duration every = !here ? 5s : p.nodes.size() > 500 ? 1000ms : 250ms;
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
                      model.plan.criteria.clear();
                      for (auto& c : part(*r->node, "criteria"))
                        model.plan.criteria.push_back({int(num(c, "number")), str(c, "text"), str(c, "verdict"),
                                                       str(c, "check"), str(c, "note"), str(c, "who")});
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
        wire::DescribeModels{}, &Model::models_due, [](Model& model, const wire::ModelDescriptions& r) {
          model.models.clear();
          model.models_known = true;
          for (auto& x : *r.models)
            model.models.push_back({str(x, "name"), str(x, "type"), str(x, "path"), str(x, "sha256"), str(x, "card"),
                                    uint64_t(num(x, "size_bytes")), time(x, "used"), strings(part(x, "words"))});
          filter(model);
        }));
  if (m.tab == Tab::comparison && (m.comparisons_due.stale || m.now - m.comparisons_due.last > 2s) &&
      m.comparisons_due.ask(m.now, 200ms))
    e.asks.push_back(ask<wire::ComparisonList>(
        wire::ListComparisons{}, &Model::comparisons_due, [](Model& model, const wire::ComparisonList& r) {
          std::vector<studio::Comparison> all;
          for (auto& item : *r.comparisons)
            if (auto c = studio::parse_comparison(item)) all.push_back(std::move(*c));
          keep_selected(model.comparison_list, model.comparisons, all, [](auto& c) { return c.id; });
          model.comparisons = std::move(all);
          filter(model);
        }));
  if (m.tab == Tab::settings && (m.settings_due.stale || m.now - m.settings_due.last > 2s) &&
      m.settings_due.ask(m.now, 200ms))
    e.asks.push_back(ask<wire::SettingList>(
        wire::ListSettings{}, &Model::settings_due, [](Model& model, const wire::SettingList& r) {
          model.settings.clear();
          for (auto& s : *r.settings)
            model.settings.push_back({str(s, "key"), raw(s, "value"), str(s, "source"), str(s, "default"),
                                      str(s, "environment"), str(s, "meaning")});
          model.setting_problems = r.problems;
          filter(model);
        }));
}

void push(std::vector<double>& values, double value) {
  values.push_back(value);
  if (values.size() > 600) values.erase(values.begin(), values.begin() + 100);
}

// Once a second on the monitor, every 10 s elsewhere: a daemon that was started for us sees that we are here.
void refresh_monitor(Model& m, Effects& e) {
  bool shown = m.tab == Tab::monitor;
  if (!m.monitor.due.ask(m.now, shown ? 1000ms : 10'000ms)) return;
  auto asked = std::chrono::steady_clock::now();
  e.asks.push_back({wire::Inspect{}, [asked](Model& model, const Result<wire::Reply>& reply) {
                      auto& mon = model.monitor;
                      mon.due.pending = false;
                      auto* r = reply ? std::get_if<wire::Inspection>(&*reply) : nullptr;
                      if (!r) return;
                      mon.daemon = *r->daemon;
                      auto took = std::chrono::steady_clock::now() - asked;
                      push(mon.latency_ms, std::chrono::duration<double, std::milli>(took).count());
                      push(mon.cpu, num(part(mon.daemon, "host"), "cpu", 0));
                      push(mon.memory, num(part(mon.daemon, "host"), "memory", 0));
                      mon.gpus.clear();
                      for (auto& gpu : part(part(mon.daemon, "host"), "gpus"))
                        mon.gpus.push_back({str(gpu, "model"), num(gpu, "utilization", -1), num(gpu, "memory", -1),
                                            num(gpu, "temperature_c", -1), num(gpu, "power_w", -1)});
                      if (!mon.gpus.empty()) push(mon.gpu, std::max(0.0, mon.gpus[0].utilization));
                      push(mon.rate, double(mon.events - std::exchange(mon.events_before, mon.events)));
                      double waiting = 0;
                      for (auto& job : model.jobs) waiting += job.state == "queued" || job.state == "running";
                      push(mon.depth, waiting);
                      push(mon.pictures_a_minute, throughput(model).pictures_a_minute);
                    }});
}

// Who works, and which models are in memory there.
void refresh_workers(Model& m, Effects& e) {
  if ((m.tab != Tab::monitor && m.tab != Tab::models) || !m.monitor.workers_due.ask(m.now, 1000ms)) return;
  e.asks.push_back({wire::ListWorkers{}, [](Model& model, const Result<wire::Reply>& reply) {
                      model.monitor.workers_due.pending = false;
                      auto* r = reply ? std::get_if<wire::WorkerList>(&*reply) : nullptr;
                      if (!r) return;
                      model.monitor.workers.clear();
                      for (auto& w : *r->workers) {
                        auto loaded = strings(part(w, "loaded"));
                        // A worker that does not say what it holds: the model of its last job.
                        if (!w.contains("loaded") && w.contains("loaded_model")) loaded = {str(w, "loaded_model")};
                        model.monitor.workers.push_back({str(w, "name"), str(w, "device"), strings(part(w, "kinds")),
                                                         strings(part(w, "jobs")), std::move(loaded)});
                      }
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
