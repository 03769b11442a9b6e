// sparky generate, train, eval, image info: the sprite model from the command line. The work is done by sparky-sprite,
// the program beside this one that links libtorch.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/await_job.h"
#include "cli/cli.h"
#include "cli/door.h"
#include "pixel/files.h"
#include "studio/generate.h"
#include "studio/sprite_process.h"
#include "studio/sprite_request.h"
#include "studio/train_job.h"
#include "wire/client.h"
#include "wire/fields.h"

namespace sparky::cli {
namespace fs = std::filesystem;
namespace {

struct GenerateOptions {
  studio::SpriteRequest request;
  std::string model = "sprite-32", out, from;
  std::vector<std::string> loras;
  std::optional<uint64_t> seed;
  bool force = false, detach = false;
};

volatile std::sig_atomic_t interrupt_asked = 0;

// A LoRA's file, or what the models' folders hold under that name.
Result<std::string> lora_file(const std::string& text) {
  if (fs::exists(text)) return fs::absolute(text).string();
  SPARKY_ASSIGN(const fs::path file, studio::find_lora(text));
  return file.string();
}

// "file.safetensors" or "file.safetensors:0.8"
Result<studio::LoraChoice> parse_lora(const std::string& text) {
  studio::LoraChoice choice{text, 1};
  if (auto at = text.rfind(':'); at != std::string::npos && !fs::exists(text)) {
    choice.path = text.substr(0, at);
    char* end = nullptr;
    choice.weight = std::strtod(text.c_str() + at + 1, &end);
    if (end == text.c_str() + at + 1 || *end != '\0') {
      return fail(Errc::invalid, fmt::format("--lora {}: '{}' is no weight", text, text.substr(at + 1)),
                  "write FILE or FILE:WEIGHT, as in style.safetensors:0.8");
    }
  }
  SPARKY_ASSIGN(choice.path, lora_file(choice.path));
  return choice;
}

// Where picture `i` of `count` goes: FILE.png, or FILE-1.png, FILE-2.png …
fs::path output_path(const fs::path& out, int i, int count) {
  if (count == 1) return out;
  fs::path p = out;
  p.replace_filename(fmt::format("{}-{}{}", out.stem().string(), i + 1, out.extension().string()));
  return p;
}

Result<GenerateOptions> complete(GenerateOptions o) {
  auto& r = o.request;
  if (!o.from.empty()) {
    SPARKY_ASSIGN(std::string bytes, read_file(o.from));
    SPARKY_ASSIGN(auto text, pixel::decode_png_text(bytes, o.from));
    auto told = studio::request_of(text);
    if (!told) return fail(told.error().code, o.from + ": " + told.error().message, told.error().help);
    if (!r.prompt.empty()) told->prompt = r.prompt;
    for (auto& lora : told->loras) {
      SPARKY_ASSIGN(lora.path, lora_file(lora.path));
    }
    r = *told;
    o.model = r.model;
  }
  if (trim(r.prompt).empty()) {
    return fail(Errc::invalid, "a prompt is missing",
                "say what to draw: sparky generate \"a red dragon\" -o dragon.png");
  }
  if (o.seed) {
    r.seed = *o.seed;
  } else if (o.from.empty()) {
    r.seed = std::random_device{}();
  }
  for (const auto& l : o.loras) {
    SPARKY_ASSIGN(auto choice, parse_lora(l));
    r.loras.push_back(choice);
  }
  for (auto* path : {&r.init, &r.mask}) {
    if (!path->empty()) *path = fs::absolute(*path).string();
  }
  if (o.out.empty()) o.out = fmt::format("outputs/{}-{}.png", studio::slug(r.prompt), r.seed);
  if (lower(fs::path(o.out).extension().string()) != ".png") {
    return fail(Errc::invalid, fmt::format("-o {}: sprites are written as .png", o.out),
                "name a file that ends in .png");
  }
  SPARKY_TRY(studio::check(r));
  return o;
}

// The name of a model that is installed here or may be where the daemon's workers are; none if it is another folder.
std::optional<std::string> named_model(const std::string& model) {
  auto name = fs::path(model).filename().string();
  if (!fs::is_directory(model)) return name;
  auto installed = studio::find_model(name);
  std::error_code ec;
  return installed && fs::equivalent(*installed, model, ec) ? std::optional(name) : std::nullopt;
}

void show_warnings(const Json& warnings) {
  for (const auto& w : warnings) fmt::print(stderr, "sparky: warning: {}\n", printable(w.get<std::string>()));
}

// `told`: what made them, beside the pictures themselves.
void show_pictures(const Json& pictures, Json told, const Context& context) {
  if (!context.json) {
    for (auto& p : pictures) fmt::print("{} (seed {})\n", p["path"].get<std::string>(), p["seed"].get<uint64_t>());
    return;
  }
  told["pictures"] = pictures;
  std::cout << json_text(told) << "\n";
}

// As a job of the daemon: its worker has the model loaded already, and the job is done even if this process is not
// there any more.
Status generate_by_daemon(const GenerateOptions& o, const std::string& model, wire::Client& client,
                          const Context& context) {
  auto request = o.request;
  request.model = model;
  wire::SubmitJob job{.kind = "generate", .model = model, .request = wire::document(studio::to_json(request))};
  SPARKY_ASSIGN(auto id, submit_job(client, job));
  if (o.detach) {
    if (context.json)
      fmt::print("{}\n", json_text(Json{{"job", id}}));
    else
      fmt::print("{}\n", id);
    return {};
  }
  std::signal(SIGINT, [](int) { interrupt_asked = 1; });
  SPARKY_ASSIGN(auto done, await_job(client, id, isatty(2) && !context.json, [] { return interrupt_asked != 0; }));
  auto result = done.value("result", Json::object());
  show_warnings(result.value("warnings", Json::array()));
  auto paths = result.value("image_paths", Json::array({result.value("image_path", "")}));
  Json pictures = Json::array();
  for (int i = 0; i < request.count && size_t(i) < paths.size(); ++i) {
    SPARKY_ASSIGN(auto png, read_file(paths[size_t(i)].get<std::string>()));
    auto path = output_path(o.out, i, request.count);
    SPARKY_TRY(write_file_atomic(path, png, {.sync = false}));
    pictures.push_back({{"path", path.string()}, {"seed", result["seeds"].at(size_t(i))}});
  }
  Json told{{"job", id}};
  for (auto key : {"warnings", "model_hash", "device", "seconds"}) told[key] = result.value(key, Json());
  show_pictures(pictures, std::move(told), context);
  return {};
}

void show_progress(const Json& e) {
  fmt::print(stderr, "\r\033[Kpicture {} of {}, step {} of {}, {} to go", e.value("picture", 0) + 1,
             e.value("pictures", 1), e.value("step", 0), e.value("steps", 0),
             human(Duration(e.value("eta_ms", int64_t(0)))));
}

Status generate_here(GenerateOptions o, const Context& context) {
  auto& r = o.request;
  // A model in a folder that moved since the picture was made is looked for by its name.
  auto dir = studio::find_model(o.model);
  if (!dir && !o.from.empty()) dir = studio::find_model(fs::path(o.model).filename().string());
  if (!dir) return std::unexpected(dir.error());
  r.model = dir->string();
  SPARKY_ASSIGN(auto worker, studio::SpriteProcess::start());
  std::signal(SIGINT, [](int) { interrupt_asked = 1; });
  SPARKY_TRY(worker.send({{"op", "generate"}, {"id", 1}, {"request", studio::to_json(r)}}));
  bool live = isatty(2) && !context.json, asked = false;
  for (;;) {
    SPARKY_ASSIGN(Json event, worker.receive());
    auto kind = event.value("event", "");
    if (interrupt_asked && !asked) {
      asked = true;
      SPARKY_TRY(worker.send({{"op", "cancel"}, {"id", 1}}));
    }
    if (kind == "progress" && live) show_progress(event);
    if (kind != "progress" && live) fmt::print(stderr, "\r\033[K");
    if (kind == "error") return std::unexpected(studio::error_of(event));
    if (kind != "result") continue;
    show_warnings(event.value("warnings", Json::array()));
    Json pictures = Json::array();
    for (const auto& p : event.value("pictures", Json::array())) {
      SPARKY_ASSIGN(std::string png, wire::from_base64(p.value("png", "")));
      auto path = output_path(o.out, int(pictures.size()), r.count);
      SPARKY_TRY(write_file_atomic(path, png, {.sync = false}));
      pictures.push_back({{"path", path.string()}, {"seed", p.value("seed", uint64_t(0))}});
    }
    event.erase("event"), event.erase("id");
    show_pictures(pictures, std::move(event), context);
    return {};
  }
}

Status generate(const GenerateOptions& given, const Context& context) {
  SPARKY_ASSIGN(auto o, complete(given));
  if (o.detach && !given.out.empty())
    return fail(Errc::invalid, "-o goes with waiting; a detached job leaves its picture in outputs/jobs/ID/",
                "leave out one of the two; `sparky job show ID` names the file");
  for (int i = 0; i < o.request.count && !o.force && !o.detach; ++i) {
    auto path = output_path(o.out, i, o.request.count);
    if (fs::exists(path)) return fail(Errc::exists, path.string() + " is there already", "--force replaces it");
  }
  auto model = named_model(o.model);
  auto client = connect(context);
  if (model && client && can_do(*client, "generate")) return generate_by_daemon(o, *model, *client, context);
  if (o.detach)
    return fail(Errc::unavailable, "no daemon is running that can generate with this model",
                "`sparky serve --detach` starts one; it works with the models that `sparky models` lists");
  return generate_here(std::move(o), context);
}

void add_generate(CLI::App& app, Context& context) {
  auto o = std::make_shared<GenerateOptions>();
  auto& r = o->request;
  auto* cmd = app.add_subcommand("generate", "draw sprites from a prompt, with a model that Sparky trained");
  cmd->add_option("prompt", r.prompt, "what to draw: \"a red dragon\"");
  cmd->add_option("-o,--out", o->out,
                  "the PNG to write; with --count: NAME-1.png, … (default: outputs/PROMPT-SEED.png)");
  cmd->add_option("--negative", r.negative, "what to keep away from");
  cmd->add_option("--seed", o->seed, "the same seed, prompt and model give the same picture (default: random)");
  cmd->add_option("--steps", r.steps, "more are slower and a little finer")->capture_default_str();
  cmd->add_option("--cfg", r.cfg, "how strictly to follow the prompt")->capture_default_str();
  cmd->add_option("--sampler", r.sampler, "euler, or heun (two evaluations a step)")->capture_default_str();
  cmd->add_option("--count", r.count, "pictures, with seeds counting on")->capture_default_str();
  cmd->add_option("--size", r.size, "a multiple of 32 up to 1024: the native grid, exactly enlarged")
      ->capture_default_str();
  cmd->add_option("--colors", r.colors, "at most as many, 2 to 256")->capture_default_str();
  cmd->add_option("--init", r.init, "a picture to start from");
  cmd->add_option("--strength", r.strength, "how far to leave --init, above 0 to 1")->capture_default_str();
  cmd->add_option("--mask", r.mask, "a picture: --init is drawn anew only where this is white");
  cmd->add_option("--lora", o->loras, "a LoRA's file or name, or with :WEIGHT; may be given again")
      ->allow_extra_args(false);
  cmd->add_option("--model", o->model, "a model's name or folder")->capture_default_str();
  cmd->add_option("--from", o->from, "repeat what made this PNG (a prompt, --seed, -o go over it)");
  cmd->add_flag("--force", o->force, "replace files that are there");
  cmd->add_flag("--detach", o->detach, "leave it to the daemon and return at once; prints the job's id");
  cmd->footer(
      "While a daemon runs (sparky serve) it is a job of its queue; without one it is done here.\n"
      "Examples: sparky generate \"a red dragon\" -o dragon.png\n"
      "          sparky generate \"elf, green hood, bow\" --count 4 --seed 7 --size 256 -o elf.png\n"
      "          sparky generate --from dragon.png -o again.png");
  cmd->callback([o, &context] {
    if (auto s = generate(*o, context); !s) {
      context.exit = report(s.error());
      if (s.error().is(Errc::cancelled)) context.exit = interrupted;
    }
  });
}

Status image_info(const std::string& file, const Context& context) {
  SPARKY_ASSIGN(std::string bytes, read_file(file));
  SPARKY_ASSIGN(auto picture, pixel::decode_picture(bytes, file));
  SPARKY_ASSIGN(auto text, pixel::decode_png_text(bytes, file));
  if (context.json) {
    Json out{{"file", file}, {"width", picture.width}, {"height", picture.height}, {"text", text}};
    if (auto it = text.find("sparky"); it != text.end()) {
      if (auto story = parse_json(it->second, {.bytes = 1 << 20, .depth = 16})) out["sparky"] = *story;
    }
    std::cout << json_text(out, 1) << "\n";
    return {};
  }
  fmt::print("{}: {}×{} pixels\n", file, picture.width, picture.height);
  if (text.empty()) fmt::print("it carries no text\n");
  for (const auto& [key, value] : text) fmt::print("\n{}:\n{}\n", printable(key), printable(value));
  if (text.contains("sparky")) fmt::print("\nrepeat it: sparky generate --from {}\n", file);
  return {};
}

// Leaves a training to the daemon: `words` are those behind `sparky train`.
Status train_detached(const std::vector<std::string>& words, const Context& context) {
  SPARKY_ASSIGN(auto request, studio::train_request(words));
  auto client = connect(context);
  if (!client || !can_do(*client, "train"))
    return fail(Errc::unavailable, "no daemon is running that can train",
                "`sparky serve --detach` starts one; without --detach it is trained here");
  SPARKY_ASSIGN(auto id, submit_job(*client, {.kind = "train", .request = wire::document(std::move(request))}));
  fmt::print("{}\n", context.json ? json_text(Json{{"job", id}}) : id);
  return {};
}

// train and eval run as sparky-sprite itself: one definition of their options, signals and exit code as they are.
void add_handed_on(CLI::App& app, Context& context, const char* name, const char* help) {
  auto* cmd = app.add_subcommand(name, help);
  cmd->prefix_command();
  cmd->fallthrough(false);  // every option behind it is the worker's, --help too
  cmd->set_help_flag();
  cmd->callback([cmd, name, &context] {
    auto given = cmd->remaining();
    if (std::string_view(name) == "train" && std::erase(given, "--detach") > 0) {
      if (auto s = train_detached(given, context); !s) context.exit = report(s.error());
      return;
    }
    auto program = studio::find_sprite_program();
    if (!program) {
      context.exit = report(program.error());
      return;
    }
    std::vector<std::string> words = {program->string(), name};
    if (context.json && std::string_view(name) == "train") words.emplace_back("--json");
    for (auto& w : given) words.push_back(w);
    std::vector<char*> argv;
    for (auto& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    context.exit = report(fail_errno(errno, "cannot run " + words[0]).error());
  });
}

}  // namespace

void add_sprite_commands(CLI::App& app, Context& context) {
  add_generate(app, context);
  add_handed_on(app, context, "train", "train a sprite model, or a LoRA for one (sparky train --help)");
  add_handed_on(app, context, "eval", "measure a sprite model on held-out captions (sparky eval --help)");
  auto* image = app.add_subcommand("image", "what a picture says about itself");
  image->require_subcommand(1);
  auto file = std::make_shared<std::string>();
  auto* info = image->add_subcommand("info", "size and text chunks of a PNG: how it was made");
  info->add_option("file", *file)->required();
  info->footer("Example: sparky image info dragon.png");
  info->callback([file, &context] {
    if (auto s = image_info(*file, context); !s) context.exit = report(s.error());
  });
}

}  // namespace sparky::cli
