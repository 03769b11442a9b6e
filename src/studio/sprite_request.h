// SpriteRequest: what is asked of the sprite model, as `sparky generate` and the daemon's jobs say it, and the story
// that a generated PNG carries in its text chunks.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace sparky::studio {

struct LoraChoice {
  std::string path;
  double weight = 1;
};

struct SpriteRequest {
  std::string model;  // the model's folder
  std::string prompt, negative;
  uint64_t seed = 0;  // of the first picture; the others count on from it
  int steps = 20;
  double cfg = 3.0;
  std::string sampler = "euler";  // or "heun": two evaluations a step
  int count = 1;
  int size = 32;          // a multiple of 32 up to 1024; the native grid, exactly enlarged
  int colors = 16;        // at most, 2 to 256
  std::string init;       // a picture to start from; empty: noise
  double strength = 0.6;  // how far to leave `init`, above 0 to 1
  std::string mask;       // a picture: only where it is white (and opaque) is `init` drawn anew
  std::vector<LoraChoice> loras;
  int preview_every = 0;  // steps between previews; 0: none
};

Json to_json(const SpriteRequest& request);
// Errc::invalid names the field, and what it may hold. Unknown fields are refused.
Result<SpriteRequest> parse_request(const Json& json);
Status check(const SpriteRequest& request);

// What a generated PNG carries: `parameters`, in the form that other tools write and read, and `sparky`, the request
// as JSON with the facts that repeat it (one picture, its own seed; files by their names alone).
std::map<std::string, std::string> png_text(const SpriteRequest& request, uint64_t seed, std::string_view model_hash,
                                            std::string_view version);
// The request that made a PNG, from its text chunks. Errc::not_found if it tells no story.
Result<SpriteRequest> request_of(const std::map<std::string, std::string>& text);

}  // namespace sparky::studio
