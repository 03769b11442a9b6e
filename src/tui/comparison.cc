// The screen Comparison: one prompt and seed through several models, side by side, and the verdict.
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/text.h"
#include "pixel/files.h"
#include "tui/screens.h"

namespace sparky::tui {
using namespace ftxui;

namespace {

const studio::Comparison* comparison(const Model& m) {
  int at = m.comparison_list.current();
  return at < 0 ? nullptr : &m.comparisons[size_t(at)];
}

// With what its jobs have become.
studio::Comparison current(const Model& m, studio::Comparison c) {
  for (auto& entry : c.entries) {
    auto job = std::ranges::find(m.jobs, entry.job, &JobRow::id);
    if (job == m.jobs.end() || job->state != "completed" || job->image.empty()) continue;
    entry.image = job->image;
    if (job->started != Time{}) entry.generation_time_s = double((job->finished - job->started).count()) / 1000;
  }
  return c;
}

Ask save(const studio::Comparison& c, std::string said) {
  auto ask = tell(wire::SaveComparison{wire::document(studio::to_json(c))}, std::move(said));
  return {std::move(ask.request), [then = std::move(ask.then)](Model& m, const Result<wire::Reply>& reply) {
            then(m, reply);
            m.comparisons_due.last = {};
          }};
}

void judge(Model& m, Effects& e, const std::string& winner) {
  auto c = current(m, *comparison(m));
  if (auto ok = studio::judge(c, winner, "", iso(std::chrono::floor<std::chrono::seconds>(m.now))); !ok)
    return m.say(ok.error().message, true);
  e.asks.push_back(save(c, winner == "tie" ? "a tie" : c.entries[size_t(winner[0] - '1')].model + " wins"));
}

void start(Model& m, Effects& e, const std::string& text) {
  auto asked = request_of(m);
  if (!asked) return;
  studio::Comparison c{.id = fmt::format("cmp-{:x}", m.now.time_since_epoch().count()),
                       .created = iso(std::chrono::floor<std::chrono::seconds>(m.now))};
  c.prompt = asked->prompt;
  c.seed = asked->seed ? uint64_t(*asked->seed) : std::random_device{}();
  for (auto word : split(text, ' ')) {
    if (word.empty()) continue;
    auto plus = word.find('+');
    studio::ComparisonEntry entry{.job = fmt::format("{}-{}", c.id, c.entries.size() + 1),
                                  .model = std::string(word.substr(0, plus))};
    if (plus != word.npos) entry.lora = std::string(word.substr(plus + 1));
    c.entries.push_back(std::move(entry));
  }
  if (c.entries.size() < 2 || c.entries.size() > 4)
    return m.say("name two to four models, as MODEL or MODEL+LORA", true);
  e.asks.push_back(save(c, "drawing"));
  for (auto& entry : c.entries) {
    auto job = *asked;
    job.id = entry.job;
    job.model = entry.model;
    job.lora = entry.lora.empty() ? std::nullopt : std::optional(entry.lora);
    job.seed = int64_t(c.seed);
    job.batch_size.reset();
    e.asks.push_back({job, [](Model& model, const Result<wire::Reply>& reply) {
                        if (auto error = error_of(reply); !error.empty()) model.say(error, true);
                        model.jobs_due.stale = true;
                      }});
  }
  m.comparison_list.selected = 0;
  m.comparison_list.rows.clear();  // the new one comes first
}

// By the ending of the name: the pictures of this comparison, or all comparisons as a table or as JSON.
void write_file(Model& m, Effects& e, const std::string& given) {
  auto path = std::string(trim(given));
  auto ending = lower(path.substr(std::min(path.size(), path.find_last_of('.'))));
  std::vector<studio::Comparison> all;
  for (auto& c : m.comparisons) all.push_back(current(m, c));
  if (ending == ".csv") {
    e.write_bytes = studio::to_csv(all);
  } else if (ending == ".json") {
    Json out = Json::array();
    for (auto& c : all) out.push_back(studio::to_json(c));
    e.write_bytes = json_text(out, 1) + "\n";
  } else if (ending == ".png") {
    auto c = current(m, *comparison(m));
    std::vector<pixel::Picture> pictures;
    for (auto& entry : c.entries) {
      auto held = m.pictures.find(entry.image);
      if (held == m.pictures.end() || !held->second.picture)
        return m.say("there is no picture by " + entry.model + " yet", true);
      pictures.push_back(*held->second.picture);
    }
    std::optional<size_t> winner;
    if (c.winner.size() == 1) winner = size_t(c.winner[0] - '1');
    auto png = pixel::encode_png(studio::side_by_side(pictures, winner),
                                 {.text = {{"comparison", json_text(studio::to_json(c))}}});
    if (!png) return m.say(png.error().text(), true);
    e.write_bytes = std::move(*png);
  } else {
    return m.say("the name must end in .csv, .json or .png", true);
  }
  e.write_path = path;
}

void ask_file(Model& m, Effects&) {
  Prompt p{.title = "Write to", .hint = "FILE.csv or FILE.json: all comparisons; FILE.png: these pictures"};
  p.done = write_file;
  m.prompt = std::move(p);
}

}  // namespace

void new_comparison(Model& m) {
  Prompt p{.title = "Models", .hint = "two to four: MODEL or MODEL+LORA"};
  std::string known, base;
  for (auto& x : m.models) {
    if (x.type == "checkpoint" && base.empty()) base = x.name;
    known += (known.empty() ? "" : " ") + (x.type == "lora" ? base + "+" + x.name : x.name);
  }
  p.field.set(known);
  p.done = start;
  m.prompt = std::move(p);
}

namespace {

std::string none(const Model& m) { return comparison(m) ? "" : "there is no comparison yet; n makes one"; }

std::string no_entry(const Model& m, size_t number) {
  if (!comparison(m)) return none(m);
  return comparison(m)->entries.size() >= number
             ? ""
             : fmt::format("there are only {} pictures", comparison(m)->entries.size());
}

}  // namespace

const std::vector<Action>& comparison_actions() {
  static const std::vector<Action> all = [] {
    std::vector<Action> actions{{"n", "new", "draw the prompt of Generation with several models",
                                 [](const Model& m) {
                                   return trim(m.generation.fields[Generation::prompt].text).empty()
                                              ? "write a prompt first: 1 goes there"
                                              : "";
                                 },
                                 [](Model& m, Effects&) { new_comparison(m); }}};
    for (size_t i = 1; i <= 4; ++i) {
      std::string key(1, char('a' + i - 1));
      actions.push_back({key, "best", fmt::format("picture {} is the best", key),
                         [i](const Model& m) { return no_entry(m, i); },
                         [i](Model& m, Effects& e) { judge(m, e, std::to_string(i)); }});
    }
    actions.push_back({"t", "tie", "none is better", none, [](Model& m, Effects& e) { judge(m, e, "tie"); }});
    actions.push_back({"e", "export", "write all as CSV or JSON, or the pictures side by side as PNG", none, ask_file});
    actions.push_back({"y", "copy CSV", "copy all comparisons as CSV", none, [](Model& m, Effects& e) {
                         e.copy = studio::to_csv(m.comparisons);
                         m.say("copied as CSV; e writes a file");
                       }});
    return actions;
  }();
  return all;
}

Element draw_comparison(Model& m, Stage& stage, int width, int height) {
  auto* chosen = comparison(m);
  if (!chosen && !m.comparisons.empty())
    return empty_hint({count_of(m.comparison_list, m.comparisons.size(), "comparison")});
  if (!chosen) return empty_hint({"No comparisons yet.", "n draws the prompt of Generation with two to four models."});
  auto c = current(m, *chosen);
  Elements columns;
  int each = std::max(6, width / int(c.entries.size()) - 1);
  for (size_t i = 0; i < c.entries.size(); ++i) {
    auto& entry = c.entries[i];
    auto job = std::ranges::find(m.jobs, entry.job, &JobRow::id);
    bool wins = c.winner == std::to_string(i + 1);
    auto title = fmt::format("{} {}{}{}", char('a' + i), wins ? "★ " : "", one_line(entry.model),
                             entry.lora.empty() ? "" : " + " + one_line(entry.lora));
    auto picture = picture_of(m, stage, entry.image);
    auto state = job == m.jobs.end() ? std::string("no job") : job->state;
    auto below = entry.generation_time_s > 0 ? fmt::format("{:.1f}s", entry.generation_time_s) : state;
    auto body = picture ? picture_view(stage, picture) : empty_hint({state});
    auto head = text(cut(title, each));
    columns.push_back(vbox({wins ? head | bold | color(stage.theme.star) : head, std::move(body) | flex,
                            text(cut(below, each)) | dim}) |
                      size(WIDTH, EQUAL, each));
    if (i + 1 < c.entries.size()) columns.push_back(separator());
  }
  auto standings = studio::standings(m.comparisons);
  int lines = std::min<int>({int(standings.size()), 4, std::max(0, height - 10)});
  Elements below;
  for (int i = 0; i < lines; ++i) {
    auto& s = standings[size_t(i)];
    below.push_back(
        text(cut(fmt::format("{} wins {:3.0f} % of {}{}", padded(one_line(s.model), 24), 100 * s.win_rate(), s.judged,
                             s.mean_time_s > 0 ? fmt::format(", {:.1f}s each", s.mean_time_s) : ""),
                 width)) |
        dim);
  }
  auto title = fmt::format("{} of {}  \"{}\"  seed {}  {}", m.comparison_list.selected + 1,
                           m.comparison_list.rows.size(), one_line(c.prompt), c.seed,
                           c.winner.empty()    ? "which is best?"
                           : c.winner == "tie" ? "a tie"
                                               : "");
  return vbox({text(cut(title, width)) | bold, hbox(std::move(columns)) | flex, vbox(std::move(below))});
}

}  // namespace sparky::tui
