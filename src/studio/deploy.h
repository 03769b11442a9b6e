// Deploy: puts validated sprites into a game's tree, safely and repeatably.
//
//   GAME/assets/sprites/NAME.png          the sprites, each written whole or not at all
//   GAME/assets/sprites_manifest.json     what is there, in the form that existing loaders read; written last
//   GAME/assets/.backup/YYYYmmdd_HHMMSS/  what a deployment replaced, and its record, for rollback
//   GAME/assets/.sprites.lock             held (flock) by the one deployment that may write
//
// Killed at any moment, a deployment leaves whole files and a manifest that fits what was there before or after;
// running it again completes it. No path is followed through a symbolic link, so nothing outside the game is touched.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "pixel/picture.h"
#include "pixel/validate.h"

namespace sparky::studio {

// What happens to a sprite's pixels on its way:
//   minimal    nothing
//   modern     transparent pixels lose their hidden colour
//   pixel_art  alpha becomes 0 or 255, stray pixels go
//   retro      as pixel_art, and at most 16 colours
enum class Preset { minimal, modern, pixel_art, retro };
Result<Preset> find_preset(std::string_view name);
pixel::Picture process(const pixel::Picture& picture, Preset preset);

struct DeployOptions {
  std::filesystem::path game;                  // must exist
  std::vector<std::filesystem::path> sprites;  // files, or directories whose *.png are taken
  pixel::Profile profile;                      // what sprites must fulfil
  Preset preset = Preset::minimal;
  std::string category;  // put before names that do not begin with it
  bool dry_run = false;
  Duration patience = std::chrono::seconds(30);  // how long to wait for another deployment to end
};

enum class Action { created, replaced, unchanged };
std::string_view action_name(Action action);  // "created", …
struct DeployedFile {
  std::string source, path;  // path: in the game, "assets/sprites/NAME.png"
  Action action = Action::created;
};
struct Deployment {
  std::vector<DeployedFile> files;
  std::vector<pixel::Finding> findings;  // errors: nothing was written
  std::string backup;                    // "assets/.backup/…"; empty if nothing changed
  bool manifest_changed = false;
};
// Errc::busy if another deployment holds the lock, Errc::denied for a path that leads through a link. `time` stamps the
// backup and the manifest.
Result<Deployment> deploy(const DeployOptions& options, Time time);

struct Rollback {
  std::string backup;                          // the one undone
  std::vector<std::string> restored, removed;  // paths in the game
};
// Undoes the newest deployment that is not undone yet. Errc::exists, naming them, if files were changed by hand since
// (force: they are overwritten all the same).
Result<Rollback> roll_back(const std::filesystem::path& game, bool force, Duration patience);

}  // namespace sparky::studio
