// Generate: jobs of kind `generate`, as a worker carries them out with the model that ships with Sparky. A request is
// what the original clients send ({"type": "generate", "prompt", "model", "size", …}) or a SpriteRequest as JSON, which
// can say more.
#pragma once
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "studio/jobs.h"
#include "studio/sprite_process.h"
#include "studio/sprite_request.h"

namespace sparky::studio {

struct GenerateJob {
  SpriteRequest request;
  int columns = 0, rows = 0;  // of a tile set: so many pictures, and one sheet of them all; 0: none
};

// Errc::invalid names the field and says what the model can do. A request without a seed gets one from the job's id, so
// that another attempt of the same job draws the same picture.
Result<GenerateJob> parse_generate(const Json& request, std::string_view job);

// "a red dragon" → "a-red-dragon": a file name's part.
std::string slug(std::string_view prompt);

// Holds a sparky-sprite with its models loaded from one job to the next; started when it is first needed, and again
// when it dies. One job at a time; further callers wait.
class SpriteStudio {
 public:
  using Preview = std::function<void(int picture, int step, std::string png)>;

  // Puts the pictures into `output` and returns {"files": […], "seeds", "model", "model_hash", "device", "seconds",
  // "warnings", "request"}; of a tile set the sheet comes first.
  Result<Json> generate(const Json& request, std::string_view job, const std::filesystem::path& output,
                        const JobProgress& progress, const Preview& preview, const JobCancelled& cancelled);
  // A model by name into memory, before a picture asks for it, or out of it: {"model", "loaded": [names]}.
  // Errc::not_found: there is no such model.
  Result<Json> load(const std::string& model, const JobProgress& progress, const JobCancelled& cancelled);
  Result<Json> unload(const std::string& model, const JobCancelled& cancelled);
  std::vector<std::string> loaded() const;  // names; at any time, from any thread

 private:
  // Until the other callers are done: one at a time speaks with the process.
  Result<std::unique_lock<std::timed_mutex>> take_turn(const JobCancelled& cancelled);
  Status ensure_process();
  Result<Json> answer(uint64_t id, const JobCancelled& cancelled);
  void note_loaded(const Json& event);
  void end_process();
  Result<Json> draw(const SpriteRequest& request, const JobProgress& progress, const Preview& preview,
                    const JobCancelled& cancelled);

  std::timed_mutex busy_;
  mutable std::mutex loaded_mutex_;
  std::vector<std::string> loaded_;
  std::optional<SpriteProcess> process_;
  uint64_t next_id_ = 1;
};

}  // namespace sparky::studio
