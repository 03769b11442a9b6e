#include "studio/deploy.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "pixel/clean.h"
#include "pixel/files.h"
#include "pixel/palette.h"
#include "studio/game_tree.h"
#include "studio/sprite_request.h"

namespace sparky::studio {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAssets = "assets";
constexpr const char* kSprites = "assets/sprites";
constexpr const char* kBackups = "assets/.backup";
constexpr const char* kManifest = "assets/sprites_manifest.json";
constexpr const char* kLock = "assets/.sprites.lock";
constexpr const char* kRecord = "deployment.json";  // in a backup: what its deployment did

// A sprite ready to be written.
struct Ready {
  pixel::SpriteFile sprite;
  std::string source, path, bytes;
  pixel::Text text;  // of the source PNG: prompt, workflow, lora
  Action action = Action::created;
  std::string before;  // the bytes it replaces
};

Result<std::vector<fs::path>> sprite_files(const std::vector<fs::path>& given) {
  std::vector<fs::path> out;
  for (const fs::path& path : given) {
    std::error_code ec;
    if (!fs::is_directory(path, ec)) {
      out.push_back(path);
      continue;
    }
    std::vector<fs::path> inside;
    for (const auto& entry : fs::directory_iterator(path, ec)) {
      if (lower(entry.path().extension().string()) == ".png") inside.push_back(entry.path());
    }
    if (ec) return fail_errno(ec.value(), fmt::format("cannot list {}", path.string()));
    std::ranges::sort(inside);
    out.insert(out.end(), inside.begin(), inside.end());
  }
  if (out.empty()) return fail(Errc::invalid, "there is no sprite to deploy", "name PNG files, or a directory of them");
  return out;
}

// Lower case, words joined by '_', with the category before it unless it is there.
std::string deployed_stem(const fs::path& file, const std::string& category) {
  std::string stem = lower(file.stem().string());
  for (char& c : stem) {
    if (c == ' ' || c == '-' || c == '.') c = '_';
  }
  return category.empty() || stem.starts_with(category + "_") ? stem : category + "_" + stem;
}

Result<std::vector<Ready>> prepare(const DeployOptions& options) {
  SPARKY_ASSIGN(const std::vector<fs::path> files, sprite_files(options.sprites));
  std::vector<Ready> out;
  std::map<std::string, std::string> taken;
  for (const fs::path& file : files) {
    Ready ready;
    ready.source = file.string();
    SPARKY_ASSIGN(const std::string bytes, read_file(file, pixel::Limits().bytes));
    SPARKY_ASSIGN(const pixel::Picture picture, pixel::decode_picture(bytes, file.string()));
    if (pixel::sniff(bytes) == pixel::Format::png) {
      if (auto text = pixel::decode_png_text(bytes)) ready.text = std::move(*text);
    }
    ready.sprite = {file.string(), deployed_stem(file, options.category), process(picture, options.preset), 0};
    if (ready.sprite.stem.starts_with('_') || invalid_utf8(ready.sprite.stem)) {
      return fail(Errc::invalid, fmt::format("'{}' is no name for a sprite", printable(file.filename().string())),
                  "name it category_name[_variant][_frame].png");
    }
    SPARKY_ASSIGN(ready.bytes, pixel::encode_png(ready.sprite.picture, {.text = ready.text}));
    ready.sprite.file_bytes = int64_t(ready.bytes.size());
    ready.path = fmt::format("{}/{}.png", kSprites, ready.sprite.stem);
    const auto [other, fresh] = taken.emplace(ready.path, ready.source);
    if (!fresh) {
      return fail(Errc::invalid, fmt::format("{} and {} would both become {}", other->second, ready.source, ready.path),
                  "rename one of them");
    }
    out.push_back(std::move(ready));
  }
  return out;
}

Status compare_with_game(const GameTree& game, std::vector<Ready>& sprites) {
  for (Ready& ready : sprites) {
    SPARKY_ASSIGN(std::optional<std::string> there, game.read(ready.path));
    if (!there) continue;
    ready.action = sha256(*there) == sha256(ready.bytes) ? Action::unchanged : Action::replaced;
    if (ready.action == Action::replaced) ready.before = std::move(*there);
  }
  return {};
}

// --- The manifest ---

Result<Json> read_manifest(const std::optional<std::string>& bytes) {
  if (!bytes) return Json::object();
  auto manifest = parse_json(*bytes);
  const bool good =
      manifest && manifest->is_object() && (!manifest->contains("sprites") || (*manifest)["sprites"].is_array());
  if (good) return manifest;
  return fail(Errc::corrupt,
              fmt::format("{} is not a manifest{}", kManifest, manifest ? "" : ": " + manifest.error().message),
              "mend it, or move it away: the next deployment then begins a new one");
}

std::string text_of(const pixel::Text& text, const std::string& key) {
  for (const auto& [keyword, value] : text) {
    if (lower(keyword) == key) return value;
  }
  return {};
}

// What a sprite was made from, by the texts of its PNG: its own, or the story of one that Sparky drew.
struct Origin {
  std::string prompt, workflow, lora;
};
Origin origin_of(const pixel::Text& text) {
  Origin out{text_of(text, "prompt"), text_of(text, "workflow"), text_of(text, "lora")};
  const auto drawn = request_of(text);
  if (!drawn) return out;
  if (out.prompt.empty()) out.prompt = drawn->prompt;
  for (const LoraChoice& lora : out.lora.empty() ? drawn->loras : std::vector<LoraChoice>()) {
    out.lora += (out.lora.empty() ? "" : ", ") + fs::path(lora.path).stem().string();
  }
  return out;
}

struct Frame {
  int number = 0;
  std::string path, bytes;
};
using Frames = std::map<std::string, std::vector<Frame>>;  // by the sprite's name, in order of the numbers

// The files behind each entry to write: what is deployed now, and the animations' other frames that the game has.
Result<Frames> frames_of(const GameTree& game, const std::vector<Ready>& sprites) {
  Frames out;
  std::set<std::string> deployed;
  for (const Ready& ready : sprites) {
    const pixel::SpriteName name = pixel::parse_sprite_name(ready.sprite.stem);
    out[name.base].push_back({name.frame.value_or(-1), ready.path, ready.bytes});
    deployed.insert(ready.path);
  }
  SPARKY_ASSIGN(const std::vector<std::string> names, game.list(kSprites));
  for (const std::string& file : names) {
    const pixel::SpriteName name = pixel::parse_sprite_name(fs::path(file).stem().string());
    const std::string path = fmt::format("{}/{}", kSprites, file);
    const auto animation = out.find(name.base);
    if (!file.ends_with(".png") || !name.frame || animation == out.end() || deployed.contains(path)) continue;
    if (animation->second.front().number < 0) continue;  // a still sprite of that name is deployed
    SPARKY_ASSIGN(std::optional<std::string> bytes, game.read(path));
    if (bytes) animation->second.push_back({*name.frame, path, std::move(*bytes)});
  }
  for (auto& [base, frames] : out) std::ranges::sort(frames, {}, &Frame::number);
  return out;
}

// One entry for each sprite; the frames of an animation share one. `deployed`: one of them, for size and texts.
Json entry_of(const Ready& deployed, const std::vector<Frame>& frames, Time time) {
  const pixel::SpriteName name = pixel::parse_sprite_name(deployed.sprite.stem);
  const Origin origin = origin_of(deployed.text);
  const auto or_null = [](const std::string& s) { return s.empty() ? Json() : Json(s); };
  size_t bytes = 0;
  Json paths = Json::array(), hashes = Json::array();
  for (const Frame& frame : frames) {
    bytes += frame.bytes.size();
    paths.push_back(frame.path.substr(std::string_view(kAssets).size() + 1));  // loaders start at the assets
    hashes.push_back(sha256_hex(frame.bytes));
  }
  Json entry = {{"name", name.base},
                {"path", paths[0]},
                {"category", or_null(name.category)},
                {"variant", or_null(name.variant)},
                {"frames", frames.size()},
                {"resolution", {deployed.sprite.picture.width, deployed.sprite.picture.height}},
                {"generated_at", iso(time)},
                {"prompt", or_null(origin.prompt)},
                {"workflow", or_null(origin.workflow)},
                {"lora", or_null(origin.lora)},
                {"file_size_kb", std::round(double(bytes) / 1024 * 100) / 100},
                {"sha256", hashes}};
  if (name.frame) entry["frame_paths"] = paths;
  return entry;
}

// Puts the sprites' entries in the place of those of the same name; other entries and unknown fields stay.
Json updated_manifest(Json manifest, const std::vector<Ready>& sprites, const Frames& frames, Time time) {
  std::map<std::string, Json> entries;
  for (const Json& entry : manifest.value("sprites", Json::array())) {
    if (entry.is_object() && entry.contains("name") && entry["name"].is_string()) {
      entries[entry["name"].get<std::string>()] = entry;
    }
  }
  for (const Ready& ready : sprites) {
    const std::string base = pixel::parse_sprite_name(ready.sprite.stem).base;
    Json entry = entry_of(ready, frames.at(base), time);
    // What did not change keeps its time, so that deploying again changes no byte.
    const auto old = entries.find(base);
    if (old != entries.end() && old->second.value("sha256", Json()) == entry["sha256"]) {
      entry["generated_at"] = old->second.value("generated_at", entry["generated_at"]);
    }
    entries[base] = std::move(entry);
  }
  Json list = Json::array();
  for (auto& [name, entry] : entries) list.push_back(std::move(entry));
  const bool same = manifest.value("sprites", Json()) == list;
  if (!same || !manifest.contains("generated_at")) manifest["generated_at"] = iso(time);
  manifest["version"] = "1.0";
  manifest["assets_dir"] = kAssets;
  manifest["sprite_count"] = list.size();
  manifest["sprites"] = std::move(list);
  return manifest;
}

// --- Backups ---

std::string stamp(Time time, int again) {
  const std::string base = fmt::format("{:%Y%m%d_%H%M%S}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
  return again == 0 ? base : fmt::format("{}_{:02}", base, again + 1);
}

// Of this second's names the first that is free.
Result<std::string> free_backup(const GameTree& game, Time time) {
  SPARKY_ASSIGN(const std::vector<std::string> there, game.list(kBackups));
  for (int again = 0;; ++again) {
    const std::string name = stamp(time, again);
    const auto taken = [&](const std::string& other) { return other == name || other == name + ".undone"; };
    if (std::ranges::none_of(there, taken)) return fmt::format("{}/{}", kBackups, name);
  }
}

// Copies what will be replaced, then the record, before anything is touched.
Status back_up(const GameTree& game, const std::string& backup, const std::vector<Ready>& sprites,
               const std::optional<std::string>& old_manifest, const std::string& new_manifest) {
  // Godot imports whatever it finds; this file keeps it out.
  SPARKY_TRY(game.write(fmt::format("{}/.gdignore", kBackups), ""));
  Json files = Json::array();
  for (const Ready& ready : sprites) {
    if (ready.action == Action::unchanged) continue;
    const bool replaced = ready.action == Action::replaced;
    if (replaced) SPARKY_TRY(game.write(fmt::format("{}/sprites/{}.png", backup, ready.sprite.stem), ready.before));
    files.push_back({{"path", ready.path},
                     {"before", replaced ? Json(sha256_hex(ready.before)) : Json()},
                     {"after", sha256_hex(ready.bytes)}});
  }
  if (old_manifest) SPARKY_TRY(game.write(backup + "/sprites_manifest.json", *old_manifest));
  files.push_back({{"path", kManifest},
                   {"before", old_manifest ? Json(sha256_hex(*old_manifest)) : Json()},
                   {"after", sha256_hex(new_manifest)}});
  return game.write(fmt::format("{}/{}", backup, kRecord), json_text({{"version", 1}, {"files", files}}, 2) + "\n");
}

// Temporary files that a killed deployment left; nobody else writes while the lock is held.
Status sweep(const GameTree& game) {
  static const std::regex temporary(R"(\..*\.png\.[0-9]+\.[0-9]+\.tmp)");
  SPARKY_ASSIGN(const std::vector<std::string> names, game.list(kSprites));
  for (const std::string& name : names) {
    if (std::regex_match(name, temporary)) SPARKY_TRY(game.remove(fmt::format("{}/{}", kSprites, name)));
  }
  return {};
}

}  // namespace

Result<Preset> find_preset(std::string_view name) {
  static const std::map<std::string, Preset> presets = {{"minimal", Preset::minimal},
                                                        {"modern", Preset::modern},
                                                        {"pixel_art", Preset::pixel_art},
                                                        {"retro", Preset::retro}};
  const auto found = presets.find(std::string(name));
  if (found != presets.end()) return found->second;
  return fail(Errc::invalid, fmt::format("no preset '{}'", printable(name)),
              "give minimal, modern, pixel_art or retro");
}

std::string_view action_name(Action action) {
  static constexpr std::string_view names[] = {"created", "replaced", "unchanged"};
  return names[size_t(action)];
}

pixel::Picture process(const pixel::Picture& picture, Preset preset) {
  pixel::Picture out = picture;
  if (preset == Preset::minimal) return out;
  if (preset == Preset::pixel_art || preset == Preset::retro) {
    out = pixel::remove_orphans(pixel::binary_alpha(out));
  }
  if (preset == Preset::retro) out = pixel::reduce_colors(out, 16);
  for (pixel::Rgba& p : out.pixels) {
    if (p.a == 0) p = {};
  }
  return out;
}

Result<Deployment> deploy(const DeployOptions& options, Time time) {
  SPARKY_ASSIGN(std::vector<Ready> sprites, prepare(options));
  Deployment out;
  std::vector<pixel::SpriteFile> to_check;
  for (const Ready& ready : sprites) to_check.push_back(ready.sprite);
  out.findings = pixel::validate(to_check, options.profile);

  SPARKY_ASSIGN(GameTree game, GameTree::open(options.game));
  if (!options.dry_run && out.findings.empty()) {
    SPARKY_TRY(game.lock(kLock, options.patience));
    SPARKY_TRY(sweep(game));
  }
  SPARKY_TRY(compare_with_game(game, sprites));
  SPARKY_ASSIGN(const std::optional<std::string> old_manifest, game.read(kManifest));
  SPARKY_ASSIGN(const Json manifest, read_manifest(old_manifest));
  SPARKY_ASSIGN(const Frames frames, frames_of(game, sprites));
  const std::string new_manifest = json_text(updated_manifest(manifest, sprites, frames, time), 2) + "\n";
  out.manifest_changed = !old_manifest || *old_manifest != new_manifest;
  bool changed = out.manifest_changed;
  for (const Ready& ready : sprites) {
    out.files.push_back({ready.source, ready.path, ready.action});
    changed |= ready.action != Action::unchanged;
  }
  if (options.dry_run || !out.findings.empty() || !changed) return out;

  SPARKY_ASSIGN(out.backup, free_backup(game, time));
  SPARKY_TRY(back_up(game, out.backup, sprites, old_manifest, new_manifest));
  for (const Ready& ready : sprites) {
    if (ready.action != Action::unchanged) SPARKY_TRY(game.write(ready.path, ready.bytes));
  }
  if (out.manifest_changed) SPARKY_TRY(game.write(kManifest, new_manifest));
  return out;
}

Result<Rollback> roll_back(const fs::path& root, bool force, Duration patience) {
  SPARKY_ASSIGN(GameTree game, GameTree::open(root));
  SPARKY_TRY(game.lock(kLock, patience));
  SPARKY_TRY(sweep(game));
  SPARKY_ASSIGN(const std::vector<std::string> names, game.list(kBackups));
  Rollback out;
  Json record;
  for (auto name = names.rbegin(); name != names.rend() && out.backup.empty(); ++name) {
    if (name->starts_with('.') || name->ends_with(".undone")) continue;
    const std::string backup = fmt::format("{}/{}", kBackups, *name);
    SPARKY_ASSIGN(const std::optional<std::string> bytes, game.read(fmt::format("{}/{}", backup, kRecord)));
    if (!bytes) continue;  // killed before it had touched anything
    SPARKY_ASSIGN(record, parse_json(*bytes));
    out.backup = backup;
  }
  if (out.backup.empty()) return fail(Errc::not_found, fmt::format("{} has no deployment to undo", root.string()));

  struct Step {
    std::string path;
    std::optional<std::string> before;  // nothing: remove
  };
  std::vector<Step> steps;
  std::vector<std::string> edited;
  try {
    for (const Json& file : record.at("files")) {
      Step step{file.at("path").get<std::string>(), {}};
      const std::string kept = step.path == kManifest
                                   ? out.backup + "/sprites_manifest.json"
                                   : fmt::format("{}/sprites/{}", out.backup, fs::path(step.path).filename().string());
      if (!file.at("before").is_null()) {
        SPARKY_ASSIGN(step.before, game.read(kept));
        if (!step.before || sha256_hex(*step.before) != file["before"].get<std::string>()) {
          return fail(Errc::corrupt, fmt::format("the backup {} is damaged or gone", kept));
        }
      }
      SPARKY_ASSIGN(const std::optional<std::string> now, game.read(step.path));
      const bool ours = now && sha256_hex(*now) == file.at("after").get<std::string>();
      if (now == step.before) continue;  // never changed, or undone before this was killed
      if (now && !ours) edited.push_back(step.path);
      steps.push_back(std::move(step));
    }
  } catch (const Json::exception&) {
    return fail(Errc::corrupt, fmt::format("{}/{} is damaged", out.backup, kRecord));
  }
  if (!edited.empty() && !force) {
    return fail(Errc::exists, "changed since the deployment, so not undone: " + join(edited, ", "),
                "save them elsewhere, then repeat with --force");
  }
  // The manifest first, so that it never names a file that is gone.
  std::ranges::stable_partition(steps, [](const Step& s) { return s.path == kManifest; });
  for (const Step& step : steps) {
    SPARKY_TRY(step.before ? game.write(step.path, *step.before) : game.remove(step.path));
    (step.before ? out.restored : out.removed).push_back(step.path);
  }
  SPARKY_TRY(game.rename(out.backup, out.backup + ".undone"));
  return out;
}

}  // namespace sparky::studio
