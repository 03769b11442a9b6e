#include "studio/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/text.h"
#include "pixel/files.h"
#include "studio/models.h"
#include "wire/fields.h"
#include "wire/messages.h"

namespace sparky::studio {
namespace fs = std::filesystem;
using namespace std::chrono_literals;
namespace {

constexpr int kDeathsMax = 3;        // of sparky-sprite under one job
constexpr auto kObeyWithin = 800ms;  // a cancelled picture is given up within a step, or with the process
constexpr int kPicturesMax = 256;

// A LoRA by the name that list_models gives it, as NAME or NAME:WEIGHT.
Result<LoraChoice> named_lora(const std::string& text) {
  LoraChoice choice{text, 1};
  if (auto at = text.rfind(':'); at != std::string::npos) {
    char* end = nullptr;
    choice.weight = std::strtod(text.c_str() + at + 1, &end);
    if (end == text.c_str() + at + 1 || *end != '\0')
      return fail(Errc::invalid, fmt::format("field 'lora' is '{}': after the colon comes a weight", text));
    choice.path = text.substr(0, at);
  }
  SPARKY_ASSIGN(const fs::path file, find_lora(choice.path));
  choice.path = file.string();
  return choice;
}

Result<GenerateJob> from_wire(const Json& json) {
  SPARKY_ASSIGN(auto asked, wire::decode_request(json));
  auto& g = std::get<wire::Generate>(asked.body);
  GenerateJob job;
  auto& r = job.request;
  r.model = g.model, r.prompt = g.prompt;
  if (g.steps > 0) r.steps = int(std::min<int64_t>(g.steps, INT32_MAX));
  if (g.cfg_scale > 0) r.cfg = g.cfg_scale;
  if (g.size.size() == 2) {
    if (g.size[0] != g.size[1])
      return fail(Errc::invalid,
                  fmt::format("field 'size' is [{}, {}]: this model draws squares", g.size[0], g.size[1]),
                  "a multiple of 32 from 32 to 1024, twice");
    r.size = int(std::clamp<int64_t>(g.size[0], 0, INT32_MAX));
  }
  if (g.animation_frames.value_or(1) > 1)
    return fail(Errc::invalid, "field 'animation_frames': this model draws single pictures, no animations",
                "leave it out; batch_size asks for several pictures");
  r.count = int(std::clamp<int64_t>(g.batch_size.value_or(1), 0, INT32_MAX));
  if (g.tileset_grid && g.tileset_grid->size() == 2) {
    if (r.count > 1)
      return fail(Errc::invalid, "field 'batch_size': a tile set is one batch already", "leave out one of the two");
    job.columns = int(std::clamp<int64_t>((*g.tileset_grid)[0], 0, kPicturesMax));
    job.rows = int(std::clamp<int64_t>((*g.tileset_grid)[1], 0, kPicturesMax));
    if (job.columns * job.rows < 1 || job.columns * job.rows > kPicturesMax)
      return fail(Errc::invalid, fmt::format("field 'tileset_grid' must hold 1 to {} tiles", kPicturesMax));
    r.count = job.columns * job.rows;
  }
  if (g.lora && !g.lora->empty()) {
    SPARKY_ASSIGN(auto lora, named_lora(*g.lora));
    r.loras.push_back(std::move(lora));
  }
  r.preview_every = std::max(1, r.steps / 10);  // as often as somebody who watches wants it; each costs little
  r.negative = g.negative.value_or("");
  if (g.colors) r.colors = int(std::clamp<int64_t>(*g.colors, 0, INT32_MAX));
  if (g.seed && *g.seed < 0) return fail(Errc::invalid, "field 'seed' must be 0 or more");
  if (g.seed) r.seed = uint64_t(*g.seed);
  SPARKY_TRY(check(r));
  return job;
}

Result<pixel::Picture> sheet_of(const std::vector<std::string>& tiles, int columns, int rows) {
  pixel::Picture sheet;
  for (size_t i = 0; i < tiles.size(); ++i) {
    SPARKY_ASSIGN(auto tile, pixel::decode_picture(tiles[i], "tile"));
    if (i == 0) sheet = pixel::Picture(tile.width * columns, tile.height * rows);
    int left = int(i) % columns * tile.width, top = int(i) / columns * tile.height;
    for (int y = 0; y < tile.height; ++y)
      for (int x = 0; x < tile.width; ++x) sheet.at(left + x, top + y) = tile.at(x, y);
  }
  return sheet;
}

}  // namespace

Result<GenerateJob> parse_generate(const Json& request, std::string_view job) {
  if (!request.is_object()) return fail(Errc::invalid, "a request must be an object");
  GenerateJob parsed;
  if (request.contains("type")) {
    if (request["type"] != "generate") return fail(Errc::invalid, "field 'type' must be \"generate\"");
    SPARKY_ASSIGN(parsed, from_wire(request));
  } else {
    SPARKY_ASSIGN(parsed.request, parse_request(request));
  }
  if (trim(parsed.request.prompt).empty()) return fail(Errc::invalid, "field 'prompt' is empty", "say what to draw");
  if (!request.contains("seed")) {
    auto digest = sha256(job);
    uint64_t seed = 0;
    for (int i = 0; i < 4; ++i) seed = seed << 8 | uint8_t(digest[size_t(i)]);
    parsed.request.seed = seed;
  }
  return parsed;
}

std::string slug(std::string_view prompt) {
  std::string out;
  for (char c : lower(prompt)) {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
    if (out.size() >= 40) break;
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "sprite" : out;
}

// One request and its answer: the result event.
Result<Json> SpriteStudio::draw(const SpriteRequest& request, const JobProgress& progress, const Preview& preview,
                                const JobCancelled& cancelled) {
  uint64_t id = next_id_++;
  SPARKY_TRY(process_->send({{"op", "generate"}, {"id", id}, {"request", to_json(request)}}));
  std::optional<std::chrono::steady_clock::time_point> asked_to_stop;
  int64_t total = int64_t(request.count) * request.steps, step = 0;
  for (;;) {
    SPARKY_ASSIGN(auto event, process_->receive(Duration(100)));
    if (cancelled() && !asked_to_stop) {
      asked_to_stop = std::chrono::steady_clock::now();
      SPARKY_TRY(process_->send({{"op", "cancel"}, {"id", id}}));
    }
    if (asked_to_stop && std::chrono::steady_clock::now() - *asked_to_stop > kObeyWithin) process_->kill();
    if (!event || event->value("id", Json()) != id) continue;
    auto kind = event->value("event", "");
    if (kind == "progress") {
      step = event->value("picture", int64_t(0)) * request.steps + event->value("step", int64_t(0));
      progress("sampling", step, total);
    } else if (kind == "preview") {
      SPARKY_ASSIGN(auto png, wire::from_base64(event->value("png", "")));
      preview(event->value("picture", 0), int(step), std::move(png));
    } else if (kind == "error") {
      return std::unexpected(error_of(*event));
    } else if (kind == "result") {
      note_loaded(*event);
      return std::move(*event);
    }
  }
}

Result<std::unique_lock<std::timed_mutex>> SpriteStudio::take_turn(const JobCancelled& cancelled) {
  std::unique_lock turn(busy_, std::defer_lock);
  while (!turn.try_lock_for(100ms))
    if (cancelled()) return fail(Errc::cancelled, "cancelled");
  return turn;
}

Status SpriteStudio::ensure_process() {
  if (process_) return {};
  SPARKY_ASSIGN(auto started, SpriteProcess::start());
  process_.emplace(std::move(started));
  return {};
}

void SpriteStudio::end_process() {
  process_.reset();
  std::lock_guard lock(loaded_mutex_);
  loaded_.clear();
}

void SpriteStudio::note_loaded(const Json& event) {
  std::vector<std::string> names;
  for (auto& folder : event.value("loaded", Json::array()))
    if (folder.is_string()) names.push_back(fs::path(folder.get<std::string>()).filename().string());
  std::lock_guard lock(loaded_mutex_);
  loaded_ = std::move(names);
}

std::vector<std::string> SpriteStudio::loaded() const {
  std::lock_guard lock(loaded_mutex_);
  return loaded_;
}

// The end of what was asked under this id. A cancelled one is not waited for: the process goes.
Result<Json> SpriteStudio::answer(uint64_t id, const JobCancelled& cancelled) {
  for (;;) {
    auto event = process_->receive(Duration(100));
    if (!event || cancelled()) {
      end_process();
      return event ? fail(Errc::cancelled, "cancelled") : std::unexpected(event.error());
    }
    if (!*event || (*event)->value("id", Json()) != id) continue;
    if ((*event)->value("event", "") == "error") return std::unexpected(error_of(**event));
    if ((*event)->value("event", "") != "result") continue;
    note_loaded(**event);
    return std::move(**event);
  }
}

Result<Json> SpriteStudio::load(const std::string& model, const JobProgress& progress, const JobCancelled& cancelled) {
  SPARKY_ASSIGN(auto folder, find_model(model));
  SPARKY_ASSIGN(auto turn, take_turn(cancelled));
  progress("loading_models", 0, 1);
  SPARKY_TRY(ensure_process());
  uint64_t id = next_id_++;
  SPARKY_TRY(process_->send({{"op", "load"}, {"id", id}, {"model", folder.string()}}));
  SPARKY_ASSIGN(auto done, answer(id, cancelled));
  return Json{{"model", model}, {"loaded", loaded()}};
}

Result<Json> SpriteStudio::unload(const std::string& model, const JobCancelled& cancelled) {
  SPARKY_ASSIGN(auto folder, find_model(model));
  SPARKY_ASSIGN(auto turn, take_turn(cancelled));
  if (process_) {
    uint64_t id = next_id_++;
    SPARKY_TRY(process_->send({{"op", "unload"}, {"id", id}, {"model", folder.string()}}));
    SPARKY_ASSIGN(auto done, answer(id, cancelled));
    if (loaded().empty()) end_process();  // the allocator gives back all of it only so
  }
  return Json{{"model", model}, {"loaded", loaded()}};
}

Result<Json> SpriteStudio::generate(const Json& asked, std::string_view job, const fs::path& output,
                                    const JobProgress& progress, const Preview& preview,
                                    const JobCancelled& cancelled) {
  SPARKY_ASSIGN(auto parsed, parse_generate(asked, job));
  auto& request = parsed.request;
  auto model = request.model;
  SPARKY_ASSIGN(auto folder, find_model(model));
  request.model = folder.string();
  SPARKY_ASSIGN(auto turn, take_turn(cancelled));
  Result<Json> drawn = Json();
  for (int deaths = 0;;) {
    progress(process_ ? "initializing" : "loading_models", 0, int64_t(request.count) * request.steps);
    SPARKY_TRY(ensure_process());
    drawn = draw(request, progress, preview, cancelled);
    if (drawn || !drawn.error().is(Errc::unavailable)) break;
    end_process();  // it died
    if (cancelled()) return fail(Errc::cancelled, "cancelled");
    if (++deaths == kDeathsMax)
      return fail(Errc::unavailable, fmt::format("{}, {} times", drawn.error().message, kDeathsMax));
  }
  if (!drawn) return std::unexpected(drawn.error());
  progress("post_processing", 1, 1);
  std::vector<std::string> pngs;
  Json files = Json::array(), seeds = Json::array();
  for (auto& picture : drawn->value("pictures", Json::array())) {
    SPARKY_ASSIGN(auto png, wire::from_base64(picture.value("png", "")));
    auto name = fmt::format("{}-{}.png", slug(request.prompt), picture.value("seed", uint64_t(0)));
    SPARKY_TRY(write_file_atomic(output / name, png, {.sync = false}));
    files.push_back(name);
    seeds.push_back(picture.value("seed", uint64_t(0)));
    pngs.push_back(std::move(png));
  }
  if (parsed.columns > 0 && !pngs.empty()) {
    SPARKY_ASSIGN(auto sheet, sheet_of(pngs, parsed.columns, parsed.rows));
    SPARKY_ASSIGN(auto png, pixel::encode_png(sheet));
    auto name = fmt::format("{}-{}x{}.png", slug(request.prompt), parsed.columns, parsed.rows);
    SPARKY_TRY(write_file_atomic(output / name, png, {.sync = false}));
    files.insert(files.begin(), name);
  }
  request.model = model;
  return Json{{"files", files},
              {"seeds", seeds},
              {"model", model},
              {"model_hash", drawn->value("model_hash", "")},
              {"device", drawn->value("device", "")},
              {"seconds", drawn->value("seconds", 0.0)},
              {"warnings", drawn->value("warnings", Json::array())},
              {"request", to_json(request)}};
}

}  // namespace sparky::studio
