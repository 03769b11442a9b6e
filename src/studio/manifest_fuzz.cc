// What lies in a game and was written by anybody: its manifest (first byte even) or a backup's record (odd). Deploying
// and rolling back do their work or refuse with a reason, and leave what is outside the game alone.
#include <cstdlib>

#include "base/files.h"
#include "pixel/files.h"
#include "studio/deploy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sparky;
  namespace fs = std::filesystem;
  if (size == 0) return 0;
  static const TemporaryDirectory directory = std::move(*TemporaryDirectory::make());
  const fs::path game = directory.path() / "game", sprite = directory.path() / "item_coin.png";
  std::error_code ignored;
  fs::remove_all(game, ignored);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const fs::path file =
      data[0] % 2 == 0 ? "assets/sprites_manifest.json" : "assets/.backup/20260101_000000/deployment.json";
  if (!write_file_atomic(game / file, text, {.sync = false})) std::abort();
  if (!fs::exists(sprite) && !pixel::write_png(sprite, pixel::Picture(2, 2, {9, 9, 9, 255}))) std::abort();

  Status status;
  if (data[0] % 2 == 0) {
    const auto done = studio::deploy({.game = game, .sprites = {sprite}, .dry_run = data[0] % 4 == 0}, Time{});
    if (!done) status = std::unexpected(done.error());
  } else {
    const auto done = studio::roll_back(game, data[0] % 4 == 1, Duration{0});
    if (!done) status = std::unexpected(done.error());
  }
  if (!status && (status.error().message.empty() || status.error().is(Errc::internal))) std::abort();
  for (const auto& entry : fs::directory_iterator(directory.path())) {
    if (entry.path() != game && entry.path() != sprite) std::abort();
  }
  return 0;
}
