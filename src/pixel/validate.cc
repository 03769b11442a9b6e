#include "pixel/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <map>
#include <regex>
#include <set>

#include "base/text.h"
#include "pixel/palette.h"
#include "pixel/transform.h"

namespace sparky::pixel {
namespace {

class Findings {
 public:
  void add(const SpriteFile& sprite, std::string rule, std::string message, std::string help = {}) {
    found_.push_back({std::move(rule), {Severity::error, sprite.file, 0, 0, std::move(message), std::move(help)}});
  }
  std::vector<Finding> take() { return std::move(found_); }

 private:
  std::vector<Finding> found_;
};

void check_name(const SpriteFile& sprite, const Profile& profile, Findings& out) {
  if (profile.name_pattern.empty()) return;
  // A long name against a careless pattern could take for ever; file systems stop at 255 anyway.
  const bool fits = sprite.stem.size() <= 255 && std::regex_match(sprite.stem, std::regex(profile.name_pattern));
  if (fits) return;
  out.add(sprite, "name_pattern", fmt::format("the name '{}' does not match {}", sprite.stem, profile.name_pattern),
          "name it category_name[_variant][_frame], such as character_knight_walk_01");
}

void check_size(const SpriteFile& sprite, const Profile& profile, Findings& out) {
  const int width = sprite.picture.width, height = sprite.picture.height;
  const auto side = [&](const char* what, int size, int least, int most) {
    if (least > 0 && size < least) {
      out.add(sprite, fmt::format("{}_min", what), fmt::format("the {} is {}, {} is the least", what, size, least));
    }
    if (most > 0 && size > most) {
      out.add(sprite, fmt::format("{}_max", what), fmt::format("the {} is {}, {} is the most", what, size, most));
    }
  };
  side("width", width, profile.width_min, profile.width_max);
  side("height", height, profile.height_min, profile.height_max);
  const std::string size = fmt::format("{}x{}", width, height);
  if (profile.multiple_of > 0 && (width % profile.multiple_of != 0 || height % profile.multiple_of != 0)) {
    out.add(sprite, "multiple_of", fmt::format("{} is not a multiple of {} both ways", size, profile.multiple_of),
            "pad it: sparky pixel pad");
  }
  if (profile.power_of_two && !(std::has_single_bit(unsigned(width)) && std::has_single_bit(unsigned(height)))) {
    out.add(sprite, "power_of_two", fmt::format("{} has a side that is no power of two", size));
  }
  if (profile.square && width != height) out.add(sprite, "square", fmt::format("{} is not square", size));
  if (profile.file_bytes_max > 0 && sprite.file_bytes > profile.file_bytes_max) {
    out.add(sprite, "file_bytes_max",
            fmt::format("the file has {}, {} is the most", human_bytes(double(sprite.file_bytes)),
                        human_bytes(double(profile.file_bytes_max))));
  }
}

void check_colors(const SpriteFile& sprite, const Profile& profile, Findings& out) {
  const auto& pixels = sprite.picture.pixels;
  const auto half = std::ranges::count_if(pixels, [](Rgba p) { return p.a != 0 && p.a != 255; });
  const auto clear = std::ranges::count_if(pixels, [](Rgba p) { return p.a == 0; });
  if (profile.not_empty && clear == std::ptrdiff_t(pixels.size())) {
    out.add(sprite, "not_empty", "nothing is to be seen: every pixel is transparent");
  }
  if (profile.binary_alpha && half > 0) {
    out.add(sprite, "binary_alpha", fmt::format("{} pixels are half transparent", half), "sparky pixel alpha");
  }
  if (profile.opaque && half + clear > 0) {
    out.add(sprite, "opaque", fmt::format("{} pixels are not opaque", half + clear));
  }
  if (profile.colors_max > 0) {
    const size_t colors = count_colors(sprite.picture).size();
    if (colors > size_t(profile.colors_max)) {
      out.add(sprite, "colors_max", fmt::format("{} colours, {} are the most", colors, profile.colors_max),
              fmt::format("sparky pixel quantize -n {}", profile.colors_max));
    }
  }
  if (profile.seamless) {
    const Seams seams = measure_seams(sprite.picture);
    if (!seams.seamless_x()) out.add(sprite, "seamless", "the left and right borders do not fit as a tile");
    if (!seams.seamless_y()) out.add(sprite, "seamless", "the top and bottom borders do not fit as a tile");
  }
}

// The lowest row that shows anything, -1 if none does.
int baseline(const Picture& picture) {
  for (int y = picture.height - 1; y >= 0; --y) {
    for (int x = 0; x < picture.width; ++x) {
      if (picture.at(x, y).a != 0) return y;
    }
  }
  return -1;
}

std::set<Rgba> colors_of(const Picture& picture) {
  std::set<Rgba> out;
  for (const Rgba p : picture.pixels) {
    if (p.a != 0) out.insert(p);
  }
  return out;
}

// `frames` by their number; at least one.
void check_frames(const std::map<int, const SpriteFile*>& frames, const Profile& profile, Findings& out) {
  const SpriteFile& first = *frames.begin()->second;
  const int low = frames.begin()->first, high = frames.rbegin()->first;
  if (profile.frames_min > 0 && int(frames.size()) < profile.frames_min) {
    out.add(first, "frames_min", fmt::format("{} frames, {} are the least", frames.size(), profile.frames_min));
  }
  if (profile.frames_numbered && high - low + 1 != int(frames.size())) {
    int missing = low;
    while (frames.contains(missing)) ++missing;
    out.add(first, "frames_numbered", fmt::format("of frames {} to {}, frame {} is missing", low, high, missing));
  }
  const std::set<Rgba> palette = profile.palette_drift_max >= 0 ? colors_of(first.picture) : std::set<Rgba>{};
  for (const auto& [number, frame] : frames) {
    if (frame == &first) continue;
    const Picture& picture = frame->picture;
    if (profile.frames_same_size && (picture.width != first.picture.width || picture.height != first.picture.height)) {
      out.add(*frame, "frames_same_size",
              fmt::format("frame {} is {}x{}, frame {} is {}x{}", number, picture.width, picture.height, low,
                          first.picture.width, first.picture.height));
    }
    if (profile.palette_drift_max >= 0) {
      const auto strange = std::ranges::count_if(colors_of(picture), [&](Rgba c) { return !palette.contains(c); });
      if (strange > profile.palette_drift_max) {
        out.add(*frame, "palette_drift_max",
                fmt::format("frame {} has {} colours that frame {} has not, {} are the most", number, strange, low,
                            profile.palette_drift_max));
      }
    }
    if (profile.baseline_drift_max >= 0) {
      const int moved = std::abs(baseline(picture) - baseline(first.picture));
      if (moved > profile.baseline_drift_max) {
        out.add(*frame, "baseline_drift_max",
                fmt::format("frame {} stands {} pixels off frame {}'s baseline, {} are the most", number, moved, low,
                            profile.baseline_drift_max));
      }
    }
  }
}

}  // namespace

SpriteName parse_sprite_name(std::string_view stem) {
  std::vector<std::string_view> words = split(stem, '_');
  SpriteName out;
  const auto digits = [](std::string_view w) {
    return !w.empty() && w.size() <= 6 && std::ranges::all_of(w, [](char c) { return c >= '0' && c <= '9'; });
  };
  if (words.size() > 1 && digits(words.back())) {
    int frame = 0;
    std::from_chars(words.back().data(), words.back().data() + words.back().size(), frame);
    out.frame = frame;
    words.pop_back();
  }
  for (const std::string_view word : words) out.base += (out.base.empty() ? "" : "_") + std::string(word);
  if (words.size() > 1) out.category = words[0];
  for (size_t i = 2; i < words.size(); ++i) out.variant += (i > 2 ? "_" : "") + std::string(words[i]);
  return out;
}

std::vector<Finding> validate(std::span<const SpriteFile> sprites, const Profile& profile) {
  Findings out;
  std::map<std::string, std::map<int, const SpriteFile*>> animations;
  for (const SpriteFile& sprite : sprites) {
    check_name(sprite, profile, out);
    check_size(sprite, profile, out);
    check_colors(sprite, profile, out);
    const SpriteName name = parse_sprite_name(sprite.stem);
    if (!name.frame) continue;
    const auto [place, fresh] = animations[name.base].emplace(*name.frame, &sprite);
    if (!fresh) {
      out.add(sprite, "frames_numbered",
              fmt::format("frame {} is there twice, also as {}", *name.frame, place->second->file));
    }
  }
  for (const auto& [base, frames] : animations) check_frames(frames, profile, out);
  return out.take();
}

}  // namespace sparky::pixel
