#include "studio/sprite_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace sparky::studio {
namespace {

std::unexpected<Error> wrong(std::string_view field, std::string_view right) {
  return fail(Errc::invalid, fmt::format("field '{}' must be {}", field, right));
}

template <class T>
Status take(const Json& j, const char* field, T& into) {
  auto it = j.find(field);
  if (it == j.end()) return {};
  if constexpr (std::is_same_v<T, std::string>) {
    if (!it->is_string()) return wrong(field, "a string");
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!it->is_number()) return wrong(field, "a number");
  } else if constexpr (std::is_unsigned_v<T>) {
    if (!it->is_number_unsigned()) return wrong(field, "a whole number ≥ 0");
  } else {
    if (!it->is_number_integer() || *it < INT32_MIN || *it > INT32_MAX) return wrong(field, "a whole number");
  }
  into = it->get<T>();
  return {};
}

}  // namespace

Json to_json(const SpriteRequest& r) {
  Json j{{"model", r.model},     {"prompt", r.prompt}, {"seed", r.seed}, {"steps", r.steps},  {"cfg", r.cfg},
         {"sampler", r.sampler}, {"count", r.count},   {"size", r.size}, {"colors", r.colors}};
  if (!r.negative.empty()) j["negative"] = r.negative;
  if (!r.init.empty()) j["init"] = r.init, j["strength"] = r.strength;
  if (!r.mask.empty()) j["mask"] = r.mask;
  if (r.preview_every > 0) j["preview_every"] = r.preview_every;
  for (const auto& l : r.loras) j["loras"].push_back({{"path", l.path}, {"weight", l.weight}});
  return j;
}

Result<SpriteRequest> parse_request(const Json& j) {
  if (!j.is_object()) return fail(Errc::invalid, "a request must be an object");
  static constexpr std::string_view known[] = {"model", "prompt",   "negative", "seed",  "steps",
                                               "cfg",   "sampler",  "count",    "size",  "colors",
                                               "init",  "strength", "mask",     "loras", "preview_every"};
  for (const auto& [key, value] : j.items()) {
    if (std::ranges::find(known, key) == std::end(known)) {
      return fail(Errc::invalid, fmt::format("unknown field '{}'", key));
    }
  }
  SpriteRequest r;
  SPARKY_TRY(take(j, "model", r.model));
  SPARKY_TRY(take(j, "prompt", r.prompt));
  SPARKY_TRY(take(j, "negative", r.negative));
  SPARKY_TRY(take(j, "seed", r.seed));
  SPARKY_TRY(take(j, "steps", r.steps));
  SPARKY_TRY(take(j, "cfg", r.cfg));
  SPARKY_TRY(take(j, "sampler", r.sampler));
  SPARKY_TRY(take(j, "count", r.count));
  SPARKY_TRY(take(j, "size", r.size));
  SPARKY_TRY(take(j, "colors", r.colors));
  SPARKY_TRY(take(j, "init", r.init));
  SPARKY_TRY(take(j, "strength", r.strength));
  SPARKY_TRY(take(j, "mask", r.mask));
  SPARKY_TRY(take(j, "preview_every", r.preview_every));
  if (auto it = j.find("loras"); it != j.end()) {
    if (!it->is_array()) return wrong("loras", "a list of {path, weight}");
    for (const auto& l : *it) {
      LoraChoice choice;
      if (!l.is_object() || !l.contains("path")) return wrong("loras", "a list of {path, weight}");
      SPARKY_TRY(take(l, "path", choice.path));
      SPARKY_TRY(take(l, "weight", choice.weight));
      r.loras.push_back(choice);
    }
  }
  SPARKY_TRY(check(r));
  return r;
}

Status check(const SpriteRequest& r) {
  auto in = [](auto v, auto low, auto high) { return v >= low && v <= high; };  // false for what is no number
  if (r.prompt.size() > 4096) return wrong("prompt", "at most 4096 bytes");
  if (r.negative.size() > 4096) return wrong("negative", "at most 4096 bytes");
  if (!in(r.steps, 1, 1000)) return wrong("steps", "1 to 1000");
  if (!in(r.cfg, 0.0, 30.0)) return wrong("cfg", "0 to 30");
  if (r.sampler != "euler" && r.sampler != "heun") return wrong("sampler", "\"euler\" or \"heun\"");
  if (!in(r.count, 1, 256)) return wrong("count", "1 to 256");
  if (!in(r.size, 32, 1024) || r.size % 32 != 0) return wrong("size", "a multiple of 32 from 32 to 1024");
  if (!in(r.colors, 2, 256)) return wrong("colors", "2 to 256");
  if (!(r.strength > 0 && r.strength <= 1)) return wrong("strength", "above 0, at most 1");
  if (!r.mask.empty() && r.init.empty()) {
    return fail(Errc::invalid, "a mask needs a picture to change", "give the picture with --init");
  }
  if (r.preview_every < 0) return wrong("preview_every", "0 or more");
  for (const auto& l : r.loras) {
    if (!in(l.weight, -4.0, 4.0)) return wrong("loras.weight", "-4 to 4");
  }
  return {};
}

std::map<std::string, std::string> png_text(const SpriteRequest& r, uint64_t seed, std::string_view model_hash,
                                            std::string_view version) {
  std::string name = std::filesystem::path(r.model).filename().string();
  std::string p = r.prompt;
  for (const auto& l : r.loras) {
    p += fmt::format(" <lora:{}:{}>", std::filesystem::path(l.path).stem().string(), l.weight);
  }
  if (!r.negative.empty()) p += "\nNegative prompt: " + r.negative;
  p += fmt::format("\nSteps: {}, Sampler: {}, CFG scale: {}, Seed: {}, Size: {}x{}, Model hash: {}, Model: {}", r.steps,
                   r.sampler == "heun" ? "Heun" : "Euler", r.cfg, seed, r.size, r.size, model_hash.substr(0, 10), name);
  if (!r.init.empty()) p += fmt::format(", Denoising strength: {}", r.strength);
  p += fmt::format(", Version: sparky {}", version);
  SpriteRequest one = r;
  one.seed = seed;
  one.count = 1;
  one.preview_every = 0;
  Json story{{"request", to_json(one)}, {"model_hash", model_hash}, {"version", version}};
  return {{"parameters", p}, {"sparky", json_text(story)}, {"Software", fmt::format("sparky {}", version)}};
}

Result<SpriteRequest> request_of(const std::map<std::string, std::string>& text) {
  auto it = text.find("sparky");
  if (it == text.end()) {
    return fail(Errc::not_found, "the picture does not say how it was made",
                "only PNGs that sparky generate wrote can be repeated");
  }
  SPARKY_ASSIGN(Json j, parse_json(it->second, {.bytes = 1 << 20, .depth = 16}));
  if (!j.is_object() || !j.contains("request")) return fail(Errc::invalid, "its text 'sparky' holds no request");
  return parse_request(j["request"]);
}

}  // namespace sparky::studio
