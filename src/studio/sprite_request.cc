#include "studio/sprite_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "studio/request.h"

namespace sparky::studio {
namespace {

std::unexpected<Error> wrong(std::string_view field, std::string_view right) {
  return fail(Errc::invalid, fmt::format("field '{}' must be {}", field, right));
}

// The last name of a path: a picture that is handed on does not tell where its maker keeps things.
std::string name_of(const std::string& path) {
  const auto normal = std::filesystem::path(path).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).filename().string();
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
  SpriteRequest r;
  RequestFields fields(j);
  fields.take("model", r.model);
  fields.take("prompt", r.prompt);
  fields.take("negative", r.negative);
  fields.take("seed", r.seed);
  fields.take("steps", r.steps);
  fields.take("cfg", r.cfg);
  fields.take("sampler", r.sampler);
  fields.take("count", r.count);
  fields.take("size", r.size);
  fields.take("colors", r.colors);
  fields.take("init", r.init);
  fields.take("strength", r.strength);
  fields.take("mask", r.mask);
  fields.take("preview_every", r.preview_every);
  const Json* loras = fields.take_list("loras");
  SPARKY_TRY(fields.end());
  for (size_t i = 0; loras != nullptr && i < loras->size(); ++i) {
    RequestFields lora((*loras)[i], fmt::format("loras[{}].", i));
    LoraChoice choice;
    lora.need("path");
    lora.take("path", choice.path);
    lora.take("weight", choice.weight);
    SPARKY_TRY(lora.end());
    r.loras.push_back(choice);
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
  std::string p = r.prompt;
  for (const auto& l : r.loras) {
    p += fmt::format(" <lora:{}:{}>", std::filesystem::path(l.path).stem().string(), l.weight);
  }
  if (!r.negative.empty()) p += "\nNegative prompt: " + r.negative;
  p += fmt::format("\nSteps: {}, Sampler: {}, CFG scale: {}, Seed: {}, Size: {}x{}, Model hash: {}, Model: {}", r.steps,
                   r.sampler == "heun" ? "Heun" : "Euler", r.cfg, seed, r.size, r.size, model_hash.substr(0, 10),
                   name_of(r.model));
  if (!r.init.empty()) p += fmt::format(", Denoising strength: {}", r.strength);
  p += fmt::format(", Version: sparky {}", version);
  SpriteRequest one = r;
  one.seed = seed;
  one.count = 1;
  one.preview_every = 0;
  for (std::string* path : {&one.model, &one.init, &one.mask}) *path = name_of(*path);
  for (LoraChoice& l : one.loras) l.path = name_of(l.path);
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
