// SpriteProcess: a conversation with sparky-sprite, the only program that links libtorch. One JSON object a line. With
// `sparky-sprite serve`:
//   to it    {"op": "generate", "id": 1, "request": {…}}   {"op": "cancel", "id": 1}
//            {"op": "load", "id": 1, "model": FOLDER}     {"op": "unload", "id": 1, "model": FOLDER}
//   from it  {"event": "ready", "device": "cpu"}
//            {"event": "progress", "id", "picture", "pictures", "step", "steps", "eta_ms"}
//            {"event": "preview", "id", "picture", "png"}            png: base64
//            {"event": "result", "id", "pictures": [{"seed", "png"}], "warnings": […], "model_hash", "seconds",
//             "loaded": [FOLDER]}                            of load and unload: `loaded` alone
//            {"event": "error", "id", "code", "message", "help"}
// With `sparky-sprite train --json --while-input`, which is told nothing:
//   from it  {"event": "progress", "step", "samples", "loss", "samples_per_second", "seconds", "seconds_left"}
//            {"event": "result", the same fields}   {"event": "error", "code", "message", "help"}
// Either ends when its input closes, so it never outlives who started it; a training with a checkpoint.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/time.h"

namespace sparky::studio {

// Beside this program, else in PATH. Errc::unavailable says what to install or build.
Result<std::filesystem::path> find_sprite_program();

// A model by its folder, or by its name in $SPARKY_MODELS, beside the program (../share/sparky/models) or in the source
// tree that the program was built in.
Result<std::filesystem::path> find_model(const std::string& name);
// The file of the LoRA that the models' folders know by this name, with or without .safetensors.
Result<std::filesystem::path> find_lora(const std::string& name);

// Where models are looked for by name: $SPARKY_MODELS, beside the program, in the source tree; the first wins.
std::vector<std::filesystem::path> model_folders();

// What an error event says.
Error error_of(const Json& event);

class SpriteProcess {
 public:
  static Result<SpriteProcess> start(const std::vector<std::string>& arguments = {"serve"});
  SpriteProcess(SpriteProcess&& other) noexcept;
  SpriteProcess& operator=(SpriteProcess&&) = delete;
  ~SpriteProcess();  // closes its input, waits; kills what does not end within seconds

  Status send(const Json& message);
  // Waits for the next event. Errc::unavailable with the exit status when the program ended.
  Result<Json> receive();
  // The same, but nothing if none comes in time.
  Result<std::optional<Json>> receive(Duration timeout);
  void close_input() { in_.reset(); }
  void kill();  // for one that does not listen; receive() then says how it ended

 private:
  SpriteProcess(pid_t pid, Fd in, Fd out) : pid_(pid), in_(std::move(in)), out_(std::move(out)) {}
  std::string describe_end();

  pid_t pid_ = -1;
  Fd in_, out_;
  std::string buffer_;
};

}  // namespace sparky::studio
