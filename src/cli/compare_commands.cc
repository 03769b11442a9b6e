// sparky compare: one prompt and seed through two to four models, the verdict, statistics, export.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/document.h"
#include "cli/door.h"
#include "pixel/files.h"
#include "studio/comparison.h"
#include "wire/pictures.h"

namespace sparky::cli {
namespace {

struct CompareOptions {
  std::string prompt, id, winner, notes, csv, json, picture;
  std::vector<std::string> models;  // NAME or NAME+LORA
  std::optional<uint64_t> seed;
  bool detach = false;
};

Result<std::vector<studio::Comparison>> all_comparisons(wire::Door& door) {
  SPARKY_ASSIGN(auto reply, door.ask<wire::ComparisonList>(wire::ListComparisons{}));
  std::vector<studio::Comparison> all;
  for (auto& item : *reply.comparisons) {
    SPARKY_ASSIGN(auto comparison, studio::parse_comparison(item));
    all.push_back(std::move(comparison));
  }
  return all;
}

// By its id; without one the newest.
Result<studio::Comparison> find_comparison(wire::Door& door, const std::string& id) {
  SPARKY_ASSIGN(auto all, all_comparisons(door));
  if (all.empty()) return fail(Errc::not_found, "there are no comparisons", "sparky compare run \"a red dragon\" …");
  if (id.empty()) return all.front();
  auto it = std::ranges::find(all, id, &studio::Comparison::id);
  if (it == all.end())
    return fail(Errc::not_found, fmt::format("there is no comparison '{}'", id), "`sparky compare list` shows them");
  return *it;
}

Status save(wire::Door& door, const studio::Comparison& comparison) {
  SPARKY_TRY(door.ask<wire::Done>(wire::SaveComparison{wire::document(studio::to_json(comparison))}));
  return {};
}

// Takes over what its jobs have become. True: none of them is under way any more.
bool refresh(wire::Door& door, studio::Comparison& comparison) {
  bool ended = true;
  for (auto& entry : comparison.entries) {
    if (!entry.image.empty()) continue;
    auto reply = door.ask<wire::JobReply>(wire::ShowJob{entry.job});
    if (!reply) continue;  // cleared from the queue
    auto state = reply->job->value("state", "");
    ended = ended && state != "queued" && state != "running";
    studio::take_job(comparison, *reply->job);
  }
  return ended;
}

std::string entry_name(const studio::ComparisonEntry& e) { return e.lora.empty() ? e.model : e.model + "+" + e.lora; }

void print(const Context& context, const studio::Comparison& c) {
  if (context.json) {
    fmt::print("{}\n", json_text(studio::to_json(c), 1));
    return;
  }
  fmt::print("{}  \"{}\"  seed {}\n", c.id, printable(c.prompt), c.seed);
  for (size_t i = 0; i < c.entries.size(); ++i) {
    auto& e = c.entries[i];
    fmt::print("  {} {} {:24} {:>8}  {}\n", i + 1, c.winner == std::to_string(i + 1) ? "*" : " ",
               printable(entry_name(e)), e.generation_time_s > 0 ? fmt::format("{:.1f}s", e.generation_time_s) : "",
               e.image.empty() ? "not drawn" : printable(e.image));
  }
  if (c.winner.empty()) fmt::print("  your verdict: sparky compare judge 1|2|tie {}\n", c.id);
}

Status run(const Context& context, const CompareOptions& o) {
  if (o.models.size() < 2 || o.models.size() > 4)
    return fail(Errc::invalid, "a comparison needs two to four models", "--model sprite-32 --model sprite-32+armor");
  SPARKY_ASSIGN(auto client, connect(context));
  studio::Comparison c{.id = fmt::format("cmp-{:x}", now().time_since_epoch().count()), .created = iso(now())};
  c.prompt = o.prompt;
  c.seed = o.seed ? *o.seed : std::random_device{}();
  for (auto& model : o.models) {
    auto plus = model.find('+');
    studio::ComparisonEntry entry{.job = fmt::format("{}-{}", c.id, c.entries.size() + 1),
                                  .model = model.substr(0, plus)};
    if (plus != model.npos) entry.lora = model.substr(plus + 1);
    c.entries.push_back(std::move(entry));
  }
  SPARKY_TRY(save(client, c));
  for (auto& entry : c.entries) {
    wire::Generate job{.id = entry.job, .prompt = c.prompt, .model = entry.model};
    if (!entry.lora.empty()) job.lora = entry.lora;
    job.seed = int64_t(c.seed);
    SPARKY_ASSIGN(auto reply, client.ask(job, Duration(10'000)));
    if (auto* refused = std::get_if<wire::JobError>(&reply)) return fail(Errc::unavailable, refused->error);
    if (auto* error = std::get_if<wire::ErrorReply>(&reply))
      return fail(Errc::unavailable, error->message, error->help);
  }
  while (!o.detach && !refresh(client, c)) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  SPARKY_TRY(save(client, c));
  print(context, c);
  return {};
}

Status judge(const Context& context, const CompareOptions& o) {
  SPARKY_ASSIGN(auto door, open_door(context));
  SPARKY_ASSIGN(auto c, find_comparison(*door, o.id));
  refresh(*door, c);
  SPARKY_TRY(studio::judge(c, o.winner, o.notes, iso(now())));
  SPARKY_TRY(save(*door, c));
  print(context, c);
  return {};
}

Status list(const Context& context) {
  SPARKY_ASSIGN(auto door, open_door(context));
  SPARKY_ASSIGN(auto all, all_comparisons(*door));
  for (auto& c : all) refresh(*door, c);
  auto standings = studio::standings(all);
  if (context.json) {
    Json out{{"comparisons", Json::array()}, {"standings", Json::array()}};
    for (auto& c : all) out["comparisons"].push_back(studio::to_json(c));
    for (auto& s : standings)
      out["standings"].push_back({{"model", s.model},
                                  {"judged", s.judged},
                                  {"wins", s.wins},
                                  {"ties", s.ties},
                                  {"win_rate", s.win_rate()},
                                  {"mean_time_s", s.mean_time_s}});
    fmt::print("{}\n", json_text(out, 1));
    return {};
  }
  if (all.empty()) fmt::print(stderr, "no comparisons yet\n");
  for (auto& c : all) print(context, c);
  for (auto& s : standings)
    fmt::print("{:32} wins {:>3.0f} % of {}  ({} ties, {:.1f}s on average)\n", printable(s.model), 100 * s.win_rate(),
               s.judged, s.ties, s.mean_time_s);
  return {};
}

Status export_all(const Context& context, const CompareOptions& o) {
  SPARKY_ASSIGN(auto door, open_door(context));
  SPARKY_ASSIGN(auto all, all_comparisons(*door));
  for (auto& c : all) refresh(*door, c);
  if (!o.csv.empty()) SPARKY_TRY(write_text(o.csv, studio::to_csv(all)));
  if (!o.json.empty()) {
    Json out = Json::array();
    for (auto& c : all) out.push_back(studio::to_json(c));
    SPARKY_TRY(write_text(o.json, json_text(out, 1) + "\n"));
  }
  if (o.picture.empty()) return {};
  SPARKY_ASSIGN(auto c, find_comparison(*door, o.id));
  refresh(*door, c);
  std::vector<pixel::Picture> pictures;
  for (auto& entry : c.entries) {
    if (entry.image.empty())
      return fail(Errc::not_found, fmt::format("{} has no picture by {} yet", c.id, entry_name(entry)),
                  "wait for its job");
    SPARKY_ASSIGN(auto bytes, wire::read_picture(*door, entry.image));
    SPARKY_ASSIGN(auto picture, pixel::decode_picture(bytes, entry.image));
    pictures.push_back(std::move(picture));
  }
  std::optional<size_t> winner;
  if (c.winner.size() == 1) winner = size_t(c.winner[0] - '1');
  return pixel::write_png(o.picture, studio::side_by_side(pictures, winner),
                          {.text = {{"comparison", json_text(studio::to_json(c))}}});
}

}  // namespace

void add_compare_commands(CLI::App& app, Context& context) {
  auto o = std::make_shared<CompareOptions>();
  auto* compare = app.add_subcommand("compare", "The same prompt and seed through several models; who wins");
  compare->require_subcommand(1);
  compare->footer(
      "Example:\n"
      "  sparky compare run \"a red dragon\" --model sprite-32 --model sprite-32+armor --seed 7\n"
      "  sparky compare judge 2 --notes \"better outline\"\n"
      "  sparky compare export --csv comparisons.csv --picture last.png");
  auto end = [&context](const Status& status) { context.exit = status ? int(done) : report(status.error()); };
  auto* run_command = compare->add_subcommand("run", "Draw a prompt with two to four models");
  run_command->add_option("PROMPT", o->prompt, "what to draw")->required();
  run_command->add_option("--model", o->models, "a model, or MODEL+LORA; two to four times")
      ->allow_extra_args(false)
      ->required();
  run_command->add_option("--seed", o->seed, "the same for all (default: random)");
  run_command->add_flag("--detach", o->detach, "do not wait for the pictures");
  run_command->callback([&context, o, end] { end(run(context, *o)); });
  auto* judge_command = compare->add_subcommand("judge", "Say which one is best");
  judge_command->add_option("WINNER", o->winner, "its number, or tie")->required();
  judge_command->add_option("ID", o->id, "of the comparison (default: the newest)");
  judge_command->add_option("--notes", o->notes, "why");
  judge_command->callback([&context, o, end] { end(judge(context, *o)); });
  compare->add_subcommand("list", "All comparisons, and how often each model wins")->callback([&context, end] {
    end(list(context));
  });
  auto* out = compare->add_subcommand("export", "Write comparisons to files");
  out->add_option("ID", o->id, "of the comparison for --picture (default: the newest)");
  auto* csv = out->add_option("--csv", o->csv, "all, one line for each picture")->type_name("FILE");
  auto* json = out->add_option("--json-file", o->json, "all, as JSON")->type_name("FILE");
  auto* picture = out->add_option("--picture", o->picture, "one comparison side by side, as PNG")->type_name("FILE");
  out->callback([&context, o, end, csv, json, picture] {
    if (csv->count() + json->count() + picture->count() == 0)
      return end(fail(Errc::invalid, "nothing to export", "name --csv, --json-file or --picture"));
    end(export_all(context, *o));
  });
}

}  // namespace sparky::cli
