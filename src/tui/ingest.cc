// What the daemon says, into the model.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "tui/fields.h"
#include "tui/model.h"

namespace sparky::tui {
namespace {

using namespace std::chrono_literals;

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
    int rank = a.rank();
    if (rank != b.rank()) return rank < b.rank();
    return rank == 1 ? a.position < b.position : rank == 2 && a.finished > b.finished;
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
  if (plan.run == status.run)
    keep_selected(plan.list, plan.nodes, status.nodes, [](auto& n) { return n.id; });
  else if (auto first = std::ranges::find(status.nodes, PlanRow::workstream, &PlanRow::kind);
           first != status.nodes.end())
    plan.list.selected = 0, plan.list.rows.assign(1, int(first - status.nodes.begin()));
  static_cast<PlanStatus&>(plan) = std::move(status);
  plan.any = true;
}

namespace {

// Bars go on from where they are. What was told meanwhile is newer than the list.
void keep_moving(const std::vector<JobRow>& before, std::vector<JobRow>& after, Time now) {
  for (auto& job : after) {
    if (job.state != "running") break;  // they come first
    auto old = std::ranges::find(before, job.id, &JobRow::id);
    if (old == before.end() || old->started != job.started) continue;
    auto told = std::exchange(job.progress, old->progress).told();
    if (told > job.progress.told()) job.progress.tell(told, now);
  }
}

}  // namespace

void take_jobs(Model& m, std::vector<JobRow> jobs, bool paused) {
  keep_selected(m.job_list, m.jobs, jobs, [](auto& j) { return j.id; });
  keep_moving(m.jobs, jobs, m.now);
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
    if (job.progress.told() > g.progress.told()) g.progress.tell(job.progress.told(), m.now);
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
      job->progress.tell(p->progress, m.now), job->eta_s = p->eta_s, job->doing = printable(p->stage);
    if (p->job_id == g.job) {
      g.progress.tell(p->progress, m.now), g.eta_s = p->eta_s, g.state = "running";
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

void take_criteria(PlanScreen& plan, const Json& node) {
  plan.criteria.clear();
  for (auto& c : part(node, "criteria"))
    plan.criteria.push_back(
        {int(num(c, "number")), str(c, "text"), str(c, "verdict"), str(c, "check"), str(c, "note"), str(c, "who")});
}

void take_models(Model& m, const Json& models) {
  m.models.clear();
  m.models_known = true;
  for (auto& x : models)
    m.models.push_back({str(x, "name"), str(x, "type"), str(x, "path"), str(x, "sha256"), str(x, "card"),
                        uint64_t(num(x, "size_bytes")), time(x, "used"), strings(part(x, "words"))});
  filter(m);
}

void take_comparisons(Model& m, const Json& comparisons) {
  std::vector<studio::Comparison> all;
  for (auto& item : comparisons)
    if (auto c = studio::parse_comparison(item)) all.push_back(std::move(*c));
  keep_selected(m.comparison_list, m.comparisons, all, [](auto& c) { return c.id; });
  m.comparisons = std::move(all);
  filter(m);
}

void take_settings(Model& m, const Json& settings, std::vector<std::string> problems) {
  m.settings.clear();
  for (auto& s : settings)
    m.settings.push_back({str(s, "key"), raw(s, "value"), str(s, "source"), str(s, "default"), str(s, "environment"),
                          str(s, "meaning")});
  m.setting_problems = std::move(problems);
  filter(m);
}

namespace {

void push(std::vector<double>& values, double value) {
  values.push_back(value);
  if (values.size() > 600) values.erase(values.begin(), values.begin() + 100);
}

}  // namespace

void take_inspection(Model& m, const Json& daemon, double latency_ms) {
  auto& mon = m.monitor;
  mon.daemon = daemon;
  auto& host = part(mon.daemon, "host");
  push(mon.latency_ms, latency_ms);
  push(mon.cpu, num(host, "cpu"));
  push(mon.memory, num(host, "memory"));
  mon.gpus.clear();
  for (auto& gpu : part(host, "gpus"))
    mon.gpus.push_back({str(gpu, "model"), num(gpu, "utilization", -1), num(gpu, "memory", -1),
                        num(gpu, "temperature_c", -1), num(gpu, "power_w", -1)});
  if (!mon.gpus.empty()) push(mon.gpu, std::max(0.0, mon.gpus[0].utilization));
  push(mon.rate, double(mon.events - std::exchange(mon.events_before, mon.events)));
  push(mon.depth, double(std::ranges::count_if(m.jobs, [](auto& job) { return !job.ended(); })));
  push(mon.pictures_a_minute, throughput(m).pictures_a_minute);
}

void take_workers(MonitorScreen& monitor, const Json& workers) {
  monitor.workers.clear();
  for (auto& w : workers) {
    auto loaded = strings(part(w, "loaded"));
    // A worker that does not say what it holds: the model of its last job.
    if (!w.contains("loaded") && w.contains("loaded_model")) loaded = {str(w, "loaded_model")};
    monitor.workers.push_back(
        {str(w, "name"), str(w, "device"), strings(part(w, "kinds")), strings(part(w, "jobs")), std::move(loaded)});
  }
}

}  // namespace sparky::tui
