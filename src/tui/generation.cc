// The screen Generation: a prompt and its settings, and the picture as it comes into being.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>

#include "base/text.h"
#include "studio/generate.h"
#include "tui/screens.h"

namespace sparky::tui {
using namespace ftxui;

namespace {

constexpr const char* labels[Generation::field_count] = {"Prompt", "Negative", "Model",   "LoRA",  "Size",
                                                         "Steps",  "Guidance", "Colours", "Count", "Seed"};
constexpr const char* field_hints[Generation::field_count] = {
    "a red dragon", "what to keep away from", "the default", "none", "32", "20", "3", "16", "1", "random"};

std::string default_model(const Model& m) {
  for (auto& x : m.models)
    if (x.type == "checkpoint") return x.name;
  return "";
}

std::string value(const Model& m, int field) { return std::string(trim(m.generation.fields[field].text)); }

bool is_choice(int field) { return field == Generation::model || field == Generation::lora; }

void cycle(Model& m, int field, int step) {
  std::vector<std::string> names{""};
  for (auto& x : m.models)
    if (x.type == (field == Generation::lora ? "lora" : "checkpoint")) names.push_back(x.name);
  if (names.size() == 1) return m.say(field == Generation::lora ? "there are no LoRAs" : "there are no other models");
  auto at = std::ranges::find(names, value(m, field));
  auto index = at == names.end() ? 0 : at - names.begin();
  auto count = std::ptrdiff_t(names.size());
  m.generation.fields[field].set(names[size_t((index + step + count) % count)]);
}

template <class T>
std::optional<T> number(const std::string& text) {
  T value{};
  auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (err != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// What is wrong with a field, or nothing.
std::string wrong(const Model& m, int field) {
  auto text = value(m, field);
  if (text.empty()) return "";
  auto between = [&](int64_t low, int64_t high) {
    auto v = number<int64_t>(text);
    return v && *v >= low && *v <= high ? "" : fmt::format("{} to {}", low, high);
  };
  switch (field) {
    case Generation::size: {
      auto v = number<int64_t>(text);
      return v && *v >= 32 && *v <= 1024 && *v % 32 == 0 ? "" : "a multiple of 32 up to 1024";
    }
    case Generation::steps:
      return between(1, 200);
    case Generation::colors:
      return between(2, 256);
    case Generation::count:
      return between(1, 256);
    case Generation::cfg: {
      auto v = number<double>(text);
      return v && *v >= 0 && *v <= 30 ? "" : "0 to 30";
    }
    case Generation::seed:
      return number<uint64_t>(text) && *number<uint64_t>(text) <= INT64_MAX ? "" : "a whole number; empty: random";
    default:
      return "";
  }
}

// The word that the last one typed may become: from the model's words, and from earlier prompts.
void suggest(Model& m) {
  auto& field = m.generation.fields[Generation::prompt];
  field.suggestion.clear();
  auto start = field.text.find_last_of(" ,");
  auto last = lower(field.text.substr(start == std::string::npos ? 0 : start + 1));
  if (last.size() < 2) return;
  for (auto& x : m.models)
    if (std::ranges::find(x.words, last) != x.words.end()) return;  // it is whole
  auto consider = [&](const std::string& word) {
    bool shorter = field.suggestion.empty() || word.size() < last.size() + field.suggestion.size();
    if (shorter && word.size() > last.size() && word.starts_with(last)) field.suggestion = word.substr(last.size());
  };
  for (auto& prompt : m.generation.history) {
    auto low = lower(prompt);
    for (auto word : split(low, ' ')) consider(std::string(word));
  }
  if (!field.suggestion.empty()) return;  // words of one's own go first
  for (auto& x : m.models)
    for (auto& word : x.words) consider(word);
}

void look_back(Model& m, int step) {
  auto& g = m.generation;
  if (g.history.empty()) return m.say("there is no earlier prompt yet");
  if (g.history_at < 0) g.draft = g.fields[Generation::prompt].text;
  g.history_at = std::clamp(g.history_at + step, -1, int(g.history.size()) - 1);
  g.fields[Generation::prompt].set(g.history_at < 0 ? g.draft : g.history[g.history.size() - 1 - size_t(g.history_at)]);
}

std::string no_picture(const Model& m) { return m.generation.image.empty() ? "there is no picture yet" : ""; }

std::string no_snap(const Model& m) {
  constexpr int own_grid_max = 64;  // the grid of larger pixels in so small a picture is not to be found
  auto held = m.pictures.find(m.generation.image);
  if (held == m.pictures.end() || !held->second.picture) return "there is no picture yet";
  auto& p = *held->second.picture;
  if (p.width > own_grid_max || p.height > own_grid_max) return "";
  return fmt::format("at {}x{} each pixel is a cell of its grid already", p.width, p.height);
}

// A job of the studio on the picture that is shown. What comes of `snap` is shown instead of it.
void studio_job(Model& m, Effects& e, const std::string& kind, Json request) {
  request["inputs"] = Json::array({m.generation.image});
  wire::SubmitJob job{.kind = kind};
  job.request = wire::document(std::move(request));
  e.asks.push_back({job, [kind](Model& model, const Result<wire::Reply>& reply) {
                      if (auto error = error_of(reply); !error.empty()) return model.say(error, true);
                      model.jobs_due.stale = true;
                      auto* r = std::get_if<wire::JobAccepted>(&*reply);
                      if (!r) return;
                      auto id = one_line(r->job_id);
                      model.awaited[id] = kind;
                      model.say(fmt::format("{} is job {}; 3 shows it", kind, id));
                      if (kind != "snap") return;
                      model.generation.job = id;
                      model.generation.state = "queued";
                      model.generation.since = model.now;
                      model.generation.progress = {};
                      model.generation.eta_s = -1;
                    }});
}

void deploy(Model& m, Effects&) {
  Prompt p{.title = "Deploy into", .hint = "the game's directory on the daemon's machine"};
  p.done = [](Model& model, Effects& effects, const std::string& to) {
    if (trim(to).empty()) return model.say("no game was named", true);
    studio_job(model, effects, "deploy", {{"to", to}});
  };
  m.prompt = std::move(p);
}

}  // namespace

std::optional<wire::Generate> request_of(Model& m) {
  auto refuse = [&](std::string why) { return m.say(std::move(why), true), std::nullopt; };
  auto prompt = value(m, Generation::prompt);
  if (prompt.empty()) return refuse("say what to draw: a red dragon");
  for (int i = 0; i < Generation::field_count; ++i)
    if (auto why = wrong(m, i); !why.empty()) return refuse(fmt::format("{}: {}", labels[i], why));
  if (!m.connected) return refuse("the daemon is away; the prompt stays here");
  wire::Generate job{.prompt = prompt, .model = value(m, Generation::model)};
  if (job.model.empty()) job.model = default_model(m);
  if (job.model.empty()) return refuse("there is no model: set SPARKY_MODELS to the folder that holds one");
  auto integer = [&](int field) { return number<int64_t>(value(m, field)); };
  if (auto size = integer(Generation::size)) job.size = {*size, *size};
  job.steps = integer(Generation::steps).value_or(0);
  job.cfg_scale = number<double>(value(m, Generation::cfg)).value_or(0);
  job.colors = integer(Generation::colors);
  if (auto n = integer(Generation::count); n && *n > 1) job.batch_size = n;
  if (auto text = value(m, Generation::negative); !text.empty()) job.negative = text;
  if (auto text = value(m, Generation::lora); !text.empty()) job.lora = text;
  if (auto locked = number<uint64_t>(value(m, Generation::seed))) job.seed = int64_t(*locked);
  return job;
}

void generate(Model& m, Effects& e, bool next_seed) {
  auto& g = m.generation;
  auto asked = request_of(m);
  if (!asked) return;
  auto& job = *asked;
  auto& prompt = job.prompt;
  static uint64_t counter = 0;
  job.id = fmt::format("{}-{:x}-{}", studio::slug(prompt).substr(0, 24), m.now.time_since_epoch().count(), ++counter);
  g.used_seed = next_seed ? g.used_seed + 1 : job.seed ? uint64_t(*job.seed) : std::random_device{}();
  job.seed = int64_t(g.used_seed);
  std::erase(g.history, prompt);
  g.history.push_back(prompt);
  if (g.history.size() > 500) g.history.erase(g.history.begin());
  g.history_at = -1;
  g.job = job.id;
  g.state = "sent";
  g.error.clear();
  g.doing.clear();
  g.since = m.now;
  g.progress = {};
  g.eta_s = -1;
  e.asks.push_back({job, [](Model& model, const Result<wire::Reply>& reply) {
                      auto& gen = model.generation;
                      if (auto error = error_of(reply); !error.empty()) {
                        gen.state = "refused";
                        gen.error = error;
                        return model.say(error, true);
                      }
                      if (gen.state == "sent") gen.state = "queued";
                      if (auto* r = std::get_if<wire::JobAccepted>(&*reply); r && r->estimated_time_s > 0)
                        gen.eta_s = r->estimated_time_s;
                      model.jobs_due.stale = true;
                    }});
}

void use_request(Model& m, const Json& request) {
  auto& g = m.generation;
  auto text = [&](const char* field) {
    auto it = request.find(field);
    if (it == request.end()) return std::string();
    return it->is_string() ? one_line(it->get<std::string>()) : it->dump();
  };
  g.fields[Generation::prompt].set(text("prompt"));
  g.fields[Generation::negative].set(text("negative"));
  auto model = text("model");
  g.fields[Generation::model].set(model.substr(model.find_last_of('/') + 1));
  g.fields[Generation::size].set(text("size"));
  g.fields[Generation::steps].set(text("steps"));
  g.fields[Generation::cfg].set(text("cfg"));
  g.fields[Generation::colors].set(text("colors"));
  g.fields[Generation::seed].set(text("seed"));
  g.fields[Generation::count].set("");
  g.fields[Generation::lora].set("");
  m.tab = Tab::generation;
  g.focus = -1;
}

bool key_of_generation(Model& m, const Key& key, Effects& e) {
  auto& g = m.generation;
  if (g.focus < 0) {
    if (key.name == "tab" || key.name == "enter" || key.name == "i") return g.focus = Generation::prompt, true;
    return false;
  }
  auto& field = g.fields[g.focus];
  if (key.name == "esc") return g.focus = -1, m.notice.clear(), true;
  if (key.name == "enter") return generate(m, e, false), true;
  bool in_prompt = g.focus == Generation::prompt;
  if (key.name == "tab" || (key.name == "down" && !in_prompt))
    return g.focus = (g.focus + 1) % Generation::field_count, true;
  if (key.name == "shift-tab" || (key.name == "up" && !in_prompt))
    return g.focus = (g.focus + Generation::field_count - 1) % Generation::field_count, true;
  if (in_prompt && (key.name == "up" || key.name == "down")) return look_back(m, key.name == "up" ? 1 : -1), true;
  if (is_choice(g.focus) && (key.name == "left" || key.name == "right"))
    return cycle(m, g.focus, key.name == "left" ? -1 : 1), true;
  if (field.take(key.name, key.text)) {
    g.history_at = -1;
    if (in_prompt) suggest(m);
    return true;
  }
  if (key.name == "click" || key.name.starts_with("wheel")) return true;
  m.say(fmt::format("{} does nothing in a text field; esc leaves it", key.name));
  return true;
}

const std::vector<Action>& generation_actions() {
  auto no_job = [](const Model& m) {
    bool live = m.generation.state == "queued" || m.generation.state == "running";
    return std::string(live ? "" : "no picture is being drawn");
  };
  static const std::vector<Action> all = {
      {"i", "edit", "edit the prompt (enter and tab do too)", {}, [](Model& m, Effects&) { m.generation.focus = 0; }},
      {"a", "again", "generate again with the same settings",
       [](const Model& m) { return value(m, Generation::prompt).empty() ? "there is no prompt yet" : ""; },
       [](Model& m, Effects& e) { generate(m, e, false); }},
      {"v", "vary", "the same with the next seed", no_picture, [](Model& m, Effects& e) { generate(m, e, true); }},
      {"l", "lock seed", "keep the seed of this picture, or let it be random again",
       [](const Model& m) {
         return m.generation.job.empty() && value(m, Generation::seed).empty() ? "no seed was used yet" : "";
       },
       [](Model& m, Effects&) {
         auto& seed = m.generation.fields[Generation::seed];
         seed.set(seed.text.empty() ? fmt::format("{}", m.generation.used_seed) : "");
       }},
      {"x", "cancel", "cancel the picture that is being drawn", no_job,
       [](Model& m, Effects& e) { e.asks.push_back(tell(wire::Cancel{m.generation.job}, "cancelled")); }},
      {"c", "compare", "send the prompt to the comparison",
       [](const Model& m) { return value(m, Generation::prompt).empty() ? "there is no prompt yet" : ""; },
       [](Model& m, Effects&) {
         m.tab = Tab::comparison;
         new_comparison(m);
       }},
      {"s", "snap", "snap the picture to its pixel grid", no_snap,
       [](Model& m, Effects& e) { studio_job(m, e, "snap", Json::object()); }},
      {"d", "deploy", "copy the picture into a game", no_picture, deploy},
  };
  return all;
}

namespace {

Element form(Model& m, Stage& stage, int width) {
  auto& g = m.generation;
  Elements rows;
  int room = std::max(8, width - 12);
  for (int i = 0; i < Generation::field_count; ++i) {
    bool focused = g.focus == i && !m.prompt;
    auto why = wrong(m, i);
    auto hint = std::string(field_hints[i]);
    if (i == Generation::model && !default_model(m).empty()) hint = default_model(m);
    if (i == Generation::model && m.models_known && default_model(m).empty()) hint = "there is none yet";
    int columns = why.empty() ? room : std::max(6, room - width_of(why) - 2);
    Elements row{text(padded(labels[i], 9)) | (focused ? bold : dim),
                 text(focused ? "▸ " : "  ") | color(stage.theme.accent),
                 text_field(g.fields[i], focused, columns, hint)};
    if (!why.empty()) row.push_back(text("  " + why) | color(stage.theme.bad));
    rows.push_back(clickable(stage, hbox(std::move(row)), "field", i));
  }
  return vbox(std::move(rows));
}

Element state_line(Model& m, Stage& stage, int width) {
  auto& g = m.generation;
  if (!g.error.empty()) return text(cut(one_line(g.error), width)) | color(stage.theme.bad);
  if (g.job.empty()) return text(cut("enter draws it", width)) | dim;
  auto mark = mark_of(stage.theme, g.state);
  Elements line{text(mark.text + " " + g.state + " ") | color(mark.color)};
  if (g.state == "running" && g.progress.told() <= 0 && !g.doing.empty()) {
    line.push_back(text(cut(fmt::format("{}  {}", g.doing, ago(m, g.since)), std::max(0, width - 12))) | dim);
    return hbox(std::move(line));
  }
  if (g.progress.told() >= 0 && g.state == "running")
    line.push_back(bar(stage, g.progress, m.now, std::clamp(width - 27, 12, 40), stage.theme.accent));
  if (g.eta_s >= 0 && (g.state == "running" || g.state == "queued"))
    line.push_back(text(fmt::format("  {} to go", human(Duration(int64_t(g.eta_s) * 1000)))) | dim);
  if (g.state == "completed") line.push_back(text(cut(fmt::format("seed {}", g.used_seed), width - 14)) | dim);
  return hbox(std::move(line));
}

Element easel(Model& m, Stage& stage, int width) {
  auto picture = picture_of(m, stage, m.generation.image);
  if (!picture) return empty_hint({"", "the picture appears here"}) | size(WIDTH, EQUAL, width);
  return picture_view(stage, picture) | flex;
}

}  // namespace

Element draw_generation(Model& m, Stage& stage, int width, int height) {
  bool beside = width >= 70, roomy = height >= 12;
  if (!roomy && !beside) {  // a tiny window: the prompt, the picture, how it stands
    auto& g = m.generation;
    int shown = std::max(0, g.focus);
    Elements line{text(padded(labels[shown], 9)) | bold,
                  text_field(g.fields[shown], g.focus >= 0 && !m.prompt, width - 10)};
    return vbox(
        {clickable(stage, hbox(std::move(line)), "field", shown), easel(m, stage, width), state_line(m, stage, width)});
  }
  if (!beside) return vbox({form(m, stage, width), state_line(m, stage, width), easel(m, stage, width)});
  int left = std::clamp(width * 45 / 100, 38, 70), right = width - left - 1;
  return hbox({vbox({form(m, stage, left), filler(), state_line(m, stage, left)}) | size(WIDTH, EQUAL, left),
               separator(), easel(m, stage, right)});
}

}  // namespace sparky::tui
