// sparky gallery, models: what has been drawn, and what there is to draw with.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/await_job.h"
#include "cli/cli.h"
#include "cli/door.h"
#include "pixel/files.h"
#include "tui/graphics.h"
#include "wire/pictures.h"

namespace sparky::cli {
namespace {

struct GalleryOptions {
  wire::ListGallery query;
  std::vector<std::string> words, paths, tags, untags;
  std::string path, out;
};

std::string text_of(const Json& json, const char* field) {
  auto it = json.find(field);
  if (it == json.end()) return "";
  return it->is_string() ? printable(it->get<std::string>()) : it->dump();
}

int list(const Context& context, const GalleryOptions& o) {
  auto door = open_door(context);
  if (!door) return report(door.error());
  auto query = o.query;
  query.search = join(o.words, " ");
  auto reply = (*door)->ask<wire::GalleryList>(query, Duration(60'000));
  if (!reply) return report(reply.error());
  if (context.json) {
    fmt::print("{}\n", json_text(Json{{"total", reply->total}, {"pictures", *reply->pictures}}));
    return done;
  }
  for (auto& p : *reply->pictures) {
    auto tags = p.contains("tags") ? " #" + join(p["tags"].get<std::vector<std::string>>(), " #") : "";
    fmt::print("{} {:<40} {:>9}  {}{}\n", p.value("star", false) ? "*" : " ", text_of(p, "path"),
               fmt::format("{}x{}", p.value("width", 0), p.value("height", 0)), text_of(p, "prompt"), printable(tags));
  }
  if (reply->pictures->size() < reply->total)
    fmt::print(stderr, "{} of {} pictures; --max shows more\n", reply->pictures->size(), reply->total);
  if (reply->total == 0) fmt::print(stderr, "no picture matches\n");
  return done;
}

int show(const Context& context, const GalleryOptions& o) {
  auto door = open_door(context);
  if (!door) return report(door.error());
  auto reply = (*door)->ask<wire::PictureState>(wire::ShowPicture{o.path});
  if (!reply) return report(reply.error());
  if (!o.out.empty()) {
    auto bytes = wire::read_picture(**door, o.path);
    if (!bytes) return report(bytes.error());
    if (auto written = write_file_atomic(o.out, *bytes); !written) return report(written.error());
  }
  if (context.json) {
    fmt::print("{}\n", json_text(*reply->picture, 1));
    return done;
  }
  if (isatty(STDOUT_FILENO)) {
    auto bytes = wire::read_picture(**door, o.path);
    auto picture = bytes ? pixel::decode_picture(*bytes, o.path) : std::unexpected(bytes.error());
    if (!picture) return report(picture.error());
    auto terminal = tui::detect(STDIN_FILENO, STDOUT_FILENO, std::chrono::milliseconds(300));
    fmt::print("{}", tui::draw(*picture, terminal, terminal.columns, std::max(4, terminal.rows / 2)).bytes);
  }
  for (auto& [key, value] : reply->picture->items())
    if (key != "text" && key != "request") fmt::print("{:14} {}\n", key, text_of(*reply->picture, key.c_str()));
  if (reply->picture->contains("request"))
    fmt::print("\nrepeat it: sparky generate --from '{}'\n", text_of(*reply->picture, "absolute_path"));
  return done;
}

// A change; prints what it has to say.
int change(const Context& context, const wire::Request& request, const std::string& said) {
  auto door = open_door(context);
  if (!door) return report(door.error());
  auto reply = (*door)->ask<wire::Done>(request, Duration(60'000));
  if (!reply) return report(reply.error());
  auto notes = reply->notes.empty() ? std::vector<std::string>{said} : reply->notes;
  if (context.json)
    fmt::print("{}\n", json_text(Json{{"done", true}, {"notes", notes}}));
  else
    for (auto& note : notes) fmt::print("{}\n", printable(note));
  return done;
}

void add_gallery(CLI::App& app, Context& context) {
  auto o = std::make_shared<GalleryOptions>();
  auto* gallery = app.add_subcommand("gallery", "The pictures in outputs/: find, mark, delete, bring back");
  gallery->require_subcommand(0, 1);
  gallery->add_option("WORDS", o->words, "words that must all occur in prompt, name, model or tags");
  gallery->add_option("--model", o->query.model, "only pictures made by this model");
  gallery->add_option("--tag", o->query.tag, "only pictures with this tag");
  gallery->add_option("--seed", o->query.seed, "only pictures made with this seed");
  gallery->add_option("--since", o->query.since, "only pictures made since")->type_name("DATE");
  gallery->add_option("--until", o->query.until, "only pictures made before")->type_name("DATE");
  gallery->add_flag("--starred", o->query.starred, "only those with a star");
  gallery->add_option("--max", o->query.max, "at most so many (default: 1000)");
  gallery->footer(
      "Examples:\n"
      "  sparky gallery red dragon --since 2025-11-01\n"
      "  sparky gallery star jobs/j1/knight.png\n"
      "  sparky gallery delete jobs/j2/*.png && sparky gallery undo");
  gallery->callback([&context, o, gallery] {
    if (gallery->get_subcommands().empty()) context.exit = list(context, *o);
  });
  auto several = [&](const char* name, const char* help) {
    auto* command = gallery->add_subcommand(name, help);
    command->add_option("PICTURE", o->paths, "as `sparky gallery` prints them")->required();
    return command;
  };
  auto* shown = gallery->add_subcommand("show", "One picture with its story");
  shown->add_option("PICTURE", o->path, "as `sparky gallery` prints it")->required();
  shown->add_option("-o,--out", o->out, "also write its file here")->type_name("FILE");
  shown->callback([&context, o] { context.exit = show(context, *o); });
  several("star", "Give the star")->callback([&context, o] {
    context.exit = change(context, wire::MarkPictures{.paths = o->paths, .star = true}, "starred");
  });
  several("unstar", "Take the star away")->callback([&context, o] {
    context.exit = change(context, wire::MarkPictures{.paths = o->paths, .star = false}, "the star is gone");
  });
  auto* tag = several("tag", "Add and remove tags");
  tag->add_option("--add", o->tags, "tags to add")->allow_extra_args(false);
  tag->add_option("--remove", o->untags, "tags to remove")->allow_extra_args(false);
  tag->footer("Example:\n  sparky gallery tag jobs/j1/knight.png --add hero --remove draft");
  tag->callback([&context, o] {
    if (o->tags.empty() && o->untags.empty()) {
      context.exit = report({Errc::invalid, "no tag is given", "--add TAG or --remove TAG"});
      return;
    }
    context.exit =
        change(context, wire::MarkPictures{.paths = o->paths, .add_tags = o->tags, .remove_tags = o->untags}, "tagged");
  });
  several("delete", "Put pictures away, into outputs/.trash; `undo` brings them back")->callback([&context, o] {
    context.exit = change(context, wire::DeletePictures{o->paths}, "deleted");
  });
  auto* undo = gallery->add_subcommand("undo", "Bring back what was deleted last");
  undo->add_option("PICTURE", o->path, "only this one");
  undo->callback([&context, o] { context.exit = change(context, wire::RestorePictures{o->path}, "nothing to do"); });
}

int list_models(const Context& context) {
  auto door = open_door(context);
  if (!door) return report(door.error());
  auto reply = (*door)->ask<wire::ModelDescriptions>(wire::DescribeModels{}, Duration(120'000));
  if (!reply) return report(reply.error());
  if (context.json) {
    fmt::print("{}\n", json_text(Json{{"models", *reply->models}}, 1));
    return done;
  }
  if (reply->models->empty())
    fmt::print(stderr, "no models; `sparky train` makes one, $SPARKY_MODELS names the folder that holds them\n");
  for (auto& m : *reply->models)
    fmt::print("{:24} {:10} {:>10}  {}  {}\n", text_of(m, "name"), text_of(m, "type"),
               human_bytes(double(m.value("size_bytes", uint64_t(0)))), text_of(m, "sha256").substr(0, 12),
               m.contains("used") ? "last used " + text_of(m, "used") : "not used yet");
  return done;
}

// The workers that hold the model in memory. One that does not say what it holds: the model of its last job.
Result<std::vector<std::string>> holders(wire::Client& client, const std::string& model) {
  SPARKY_ASSIGN(auto connected, client.ask<wire::WorkerList>(wire::ListWorkers{}));
  std::vector<std::string> out;
  for (auto& worker : *connected.workers) {
    auto held = worker.value("loaded", Json::array());
    bool holds = std::ranges::find(held, Json(model)) != held.end() ||
                 (!worker.contains("loaded") && worker.value("loaded_model", "") == model);
    if (holds) out.push_back(worker.value("name", ""));
  }
  return out;
}

// Into a worker's memory, or out of that of all that hold it: jobs, which this waits for.
int hold_model(const Context& context, const std::string& kind, const std::string& model, const std::string& worker) {
  auto client = connect(context);
  if (!client) return report(client.error());
  std::vector<std::string> workers{worker};  // an empty name: whichever
  if (kind == "unload" && worker.empty()) {
    auto found = holders(*client, model);
    if (!found) return report(found.error());
    workers = std::move(*found);
  }
  std::vector<std::string> jobs;
  for (auto& name : workers) {
    auto id = submit_job(*client, {.kind = kind, .model = model, .worker = name});
    if (!id) return report(id.error());
    jobs.push_back(std::move(*id));
  }
  Json ends = Json::array();
  for (auto& id : jobs) {
    auto job = await_job(*client, id, ::isatty(STDERR_FILENO) && !context.json, [] { return false; });
    if (!job) return report(job.error());
    auto loaded = job->value("result", Json::object()).value("loaded", Json::array());
    ends.push_back({{"name", job->value("worker", "")}, {"loaded", std::move(loaded)}});
    if (!context.json)
      fmt::print("{} is {} by {}\n", model, kind == "load" ? "held in memory" : "let go of",
                 printable(job->value("worker", "the worker")));
  }
  if (context.json) fmt::print("{}\n", json_text(Json{{"model", model}, {"workers", std::move(ends)}}));
  if (!context.json && jobs.empty()) fmt::print("no worker holds {}\n", printable(model));
  return done;
}

}  // namespace

void add_gallery_commands(CLI::App& app, Context& context) {
  add_gallery(app, context);
  auto* models = app.add_subcommand("models", "Models and LoRAs: size, hash, last use; with --json their cards too");
  models->footer("Example:\n  SPARKY_MODELS=~/models sparky models\n  sparky models load sprite-32");
  models->require_subcommand(0, 1);
  models->callback([&context, models] {
    if (models->get_subcommands().empty()) context.exit = list_models(context);
  });
  auto hold = [&](const char* kind, const char* help) {
    auto name = std::make_shared<std::string>(), worker = std::make_shared<std::string>();
    auto* sub = models->add_subcommand(kind, help);
    sub->add_option("MODEL", *name, "its name, as `sparky models` lists it")->required();
    sub->add_option("--worker", *worker, "only this one, by the name that `sparky workers` gives")->type_name("NAME");
    sub->callback([&context, name, worker, kind] { context.exit = hold_model(context, kind, *name, *worker); });
  };
  hold("load", "Load a model into a worker's memory, so that the next picture does not wait for it");
  hold("unload",
       "Free the memory that a model takes in every worker that holds it; a worker without jobs frees it after "
       "serve.worker_idle");
}

}  // namespace sparky::cli
