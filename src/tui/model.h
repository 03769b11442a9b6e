// Model: all that the terminal studio knows and all that a person has typed and chosen. Keys and replies change it
// (handle(), and what a request is asked with); screens are drawn from it (screens.h). No terminal and no socket here:
// what is to be asked or done outside is returned as Effects.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "studio/comparison.h"
#include "tui/glide.h"
#include "tui/keys.h"
#include "tui/view.h"
#include "wire/messages.h"

namespace sparky::tui {

enum class Tab { generation = 1, comparison, queue, gallery, models, monitor, settings, help, plan };
inline constexpr int tab_count = 9;
std::string_view name(Tab tab);

struct Model;
struct Ask {
  wire::Request request;
  std::function<void(Model&, const Result<wire::Reply>&)> then;
  bool picture = false;  // the whole file of ReadPicture's path, part by part: then PicturePart holds all of it
  // For answers that are long: works on them away from the screen's thread; what it returns is called instead of
  // `then`.
  std::function<std::function<void(Model&)>(const Result<wire::Reply>&)> prepare;
};
struct Effects {
  std::vector<Ask> asks;
  bool quit = false, suspend = false, repaint = false;
  bool example = false;                 // an example plan into the project; then it is run
  std::string copy;                     // to the clipboard
  std::string open;                     // a folder, in the desktop's file manager
  std::string write_path, write_bytes;  // a file on this machine; a path that is not absolute: in the working directory
};

// When something was asked last, and whether it should be asked again.
struct Due {
  Time last{};
  bool pending = false, stale = true;
  bool ask(Time now, Duration at_most_every);
};

// A list with a filter; rows are what is left of it.
struct ListState {
  int selected = 0, first = 0;
  std::string filter;
  std::vector<int> rows;
  int current() const { return selected >= 0 && selected < int(rows.size()) ? rows[size_t(selected)] : -1; }
  void clamp();
};

struct JobRow {
  std::string id, kind, state, model, priority, note, doing, worker, image;
  Glide progress;
  double eta_s = -1;
  Time submitted{}, started{}, finished{};
  int tries = 0;
  int position = 0;  // in the line of those that wait, from 1
  bool ended() const { return state == "completed" || state == "failed" || state == "cancelled"; }
  int rank() const { return state == "running" ? 0 : state == "queued" ? 1 : 2; }
};
struct PictureRow {
  std::string path, prompt, model;
  std::optional<uint64_t> seed;
  int width = 0, height = 0;
  uint64_t size_bytes = 0;
  Time changed{};
  bool star = false;
  std::vector<std::string> tags;
};
struct ModelRow {
  std::string name, type, path, sha256, card;
  uint64_t size_bytes = 0;
  Time used{};
  std::vector<std::string> words;
};
struct SettingRow {
  std::string key, value, source, initial, environment, meaning;
};
struct WorkerRow {
  std::string name, device;
  std::vector<std::string> kinds, jobs, loaded;  // loaded: models in its memory
};
struct GpuRow {
  std::string model;
  double utilization = -1, memory = -1, temperature_c = -1, power_w = -1;  // shares 0 to 1; negative: it does not say
};
struct PlanRow {
  enum Kind { orchestrator, workstream, gate } kind = workstream;
  std::string id, name, status, stage, phase, text;  // text: what it does, waits for or failed with
  double progress = -1;
  Time started{}, finished{}, eta{}, expected_start{};
  std::string verdicts;
  bool needs_person = false, critical = false;  // critical: a delay here delays the run
};
struct DecisionRow {
  std::string id, target, text, note;
  std::vector<std::string> also;  // others that the same answer settles
};
struct EscalationRow {
  uint32_t number = 0;
  std::string target, text;
};
// What the daemon says of a run.
struct PlanStatus {
  uint32_t run = 0;
  std::string plan, state;
  double progress = 0;
  Time eta{}, created{};
  bool paused = false;
  std::vector<PlanRow> nodes;
  std::vector<DecisionRow> decisions;
  std::vector<EscalationRow> escalations;
  int persons = 0;  // how many nodes need one
};
struct CriterionRow {
  int number = 0;
  std::string text, verdict, check, note, who;
};

// The end of a log, followed while it is looked at.
struct LogView {
  std::string id, path, text;
  uint32_t run = 0;
  uint64_t offset = 0;
  Due due;
  void open(const std::string& of, uint32_t in_run);
};

struct Generation {
  enum Field { prompt, negative, model, lora, size, steps, cfg, colors, count, seed, field_count };
  TextField fields[field_count];
  int focus = prompt;  // -1: the picture
  std::vector<std::string> history;
  int history_at = -1;
  std::string draft;  // what was typed before the history was looked at
  std::string job, state, image, error;
  std::string doing;  // what its worker says: "loading models"
  Time since{};       // when it was asked for
  Glide progress;
  double eta_s = -1;
  uint64_t used_seed = 0;
};
struct GalleryScreen {
  std::vector<PictureRow> pictures;
  ListState list;
  std::string version;
  Due due;
  bool full = false;
  int zoom = 0;     // 0: as large as fits
  int columns = 1;  // of the grid, as it was drawn
  uint64_t deleted = 0;
};
struct PlanScreen : PlanStatus {
  bool any = false;
  ListState list;
  Due due, detail_due;
  bool only_person = false;
  enum View { why, evidence, log, gantt } view = why;
  std::string detail_of;
  std::vector<std::string> explanation;
  std::vector<CriterionRow> criteria;
  LogView log_view;
};
struct MonitorScreen {
  std::vector<double> cpu, memory, gpu, depth, latency_ms, rate, pictures_a_minute;
  Json daemon;
  std::vector<WorkerRow> workers;
  std::vector<GpuRow> gpus;
  Due due, workers_due;
  uint64_t events = 0, events_before = 0;
};

// A line that is asked for: a filter, a command, a tag, a note.
struct Prompt {
  std::string title, hint;
  TextField field;
  std::vector<std::string> choices;  // of the palette, filtered by what is typed
  int selected = 0;
  std::function<void(Model&, Effects&, const std::string&)> done, changed;
};

struct Model {
  Tab tab = Tab::generation;
  Time now{};
  int width = 80, height = 24;
  // the daemon
  bool connected = false;
  bool local = true;  // it is on this machine
  std::string connection = "connecting";
  std::string project, version;
  std::string notice;
  Time notice_at{};
  bool notice_bad = false;

  Generation generation;
  std::vector<JobRow> jobs;  // those that run, then the line of those that wait, then those that have ended
  ListState job_list;
  bool queue_paused = false, job_details = false;
  Due jobs_due;
  LogView job_log;
  GalleryScreen gallery;
  std::vector<ModelRow> models;
  bool models_known = false;  // by the daemon's answer
  ListState model_list;
  Due models_due;
  std::vector<studio::Comparison> comparisons;
  ListState comparison_list;
  Due comparisons_due;
  std::vector<SettingRow> settings;
  std::vector<std::string> setting_problems;
  ListState setting_list;
  Due settings_due;
  PlanScreen plan;
  MonitorScreen monitor;
  std::map<std::string, std::string> awaited;  // jobs whose end is told, and what they do
  int help_scroll = 0;                         // negative: to what is said of help_from
  Tab help_from = Tab::generation;             // where help was asked for
  std::optional<Prompt> prompt;

  struct Held {
    PicturePtr picture;
    bool pending = false, stale = false, broken = false;
    uint64_t used = 0;
    void renew() { stale = true, broken = false; }  // there is something new to read
  };
  std::map<std::string, Held> pictures;  // by path; the least used go
  uint64_t picture_clock = 0;

  void say(std::string text, bool bad = false);
  bool typing() const;  // a text field takes every key
};

// What a key can do on a screen: one table for dispatch, hints, help and the palette.
struct Action {
  std::string key, name, help;
  std::function<std::string(const Model&)> why_not;  // empty text: it can be done
  std::function<void(Model&, Effects&)> act;
};
const std::vector<Action>& actions(Tab tab);  // of the screen alone
const std::vector<Action>& global_actions();
ListState* list_of(Model& model);  // what a filter and the arrows are for on this screen; may be nothing

Effects handle(Model& model, const Key& key);
Effects handle(Model& model, const Spot& clicked);
// What came without being asked for.
void handle(Model& model, const wire::Update& update);
void handle_events(Model& model, uint64_t count);  // something happened; the lists are asked for again
// Asks for what the screens show and is not known or not current. Called every turn.
void refresh(Model& model, const std::vector<std::string>& missing_pictures, Effects& effects);
bool refresh_soon(const Model& model);  // something is not current, and was asked for too lately to ask again at once

// Of replies; each tolerates fields that are missing.
std::vector<JobRow> parse_jobs(const Json& jobs);
std::vector<PictureRow> parse_pictures(const Json& pictures);
PlanStatus parse_status(const Json& status);
void take_status(PlanScreen& plan, PlanStatus status);
void take_jobs(Model& model, std::vector<JobRow> jobs, bool paused);
void take_pictures(Model& model, std::vector<PictureRow> pictures);
void take_criteria(PlanScreen& plan, const Json& node);
void take_models(Model& model, const Json& models);
void take_comparisons(Model& model, const Json& comparisons);
void take_settings(Model& model, const Json& settings, std::vector<std::string> problems);
void take_inspection(Model& model, const Json& daemon, double latency_ms);
void take_workers(MonitorScreen& monitor, const Json& workers);
void filter(Model& model);                                                     // the rows of every list anew
void take_picture(Model& model, const std::string& path, PicturePtr picture);  // nothing: it cannot be read
// How the studio's jobs went lately.
struct Throughput {
  int jobs_a_minute = 0, pictures_a_minute = 0;  // completed in the last minute
  double wait_s = -1, work_s = -1;               // medians of the last 20 that were completed; negative: none yet
};
Throughput throughput(const Model& model);

// An ask whose only outcome is a line of notice.
Ask tell(wire::Request request, std::string said);
std::string error_of(const Result<wire::Reply>& reply);  // empty: none

}  // namespace sparky::tui
