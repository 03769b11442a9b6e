#include "studio/file_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/files.h"
#include "base/text.h"
#include "pixel/files.h"
#include "pixel/palette.h"
#include "pixel/snap.h"

namespace sparky::studio {
namespace fs = std::filesystem;

// --- Pictures ---

// Degrees of transparency of one colour do not count as more.
static size_t colors_of(pixel::Picture picture) {
  for (pixel::Rgba& c : picture.pixels) c.a = c.a == 0 ? 0 : 255;
  return pixel::count_colors(picture).size();
}

Result<Json> convert_picture(const fs::path& input, const fs::path& output, bool indexed, const Operation& operation) {
  SPARKY_ASSIGN(const std::string bytes, read_file(input, pixel::Limits().bytes));
  SPARKY_ASSIGN(const pixel::Animation animation, pixel::decode_animation(bytes, input.string()));
  const pixel::Picture& picture = animation.frames.front().picture;
  pixel::PngOptions options;
  if (pixel::sniff(bytes) == pixel::Format::png) {
    if (auto text = pixel::decode_png_text(bytes)) options.text = std::move(*text);
  }
  Json facts = Json::object();
  auto result = operation(picture, facts);
  if (!result) return fail(result.error().code, input.string() + ": " + result.error().message, result.error().help);
  const size_t colors = colors_of(*result);
  if (indexed) {
    // An invisible pixel has no colour: what lies hidden under it must not use up the palette.
    for (auto& c : result->pixels) {
      if (c.a == 0) c = {};
    }
    const auto small = pixel::to_indexed(*result);
    if (!small) {
      if (colors > 256) {
        return fail(Errc::invalid, fmt::format("{}: {} colours do not fit an indexed PNG", input.string(), colors),
                    "reduce them first: sparky pixel quantize IN -n 64 -o OUT");
      }
      return fail(Errc::invalid,
                  fmt::format("{}: {} colours make {} with their degrees of transparency, and an indexed PNG holds 256",
                              input.string(), colors, pixel::count_colors(*result).size()),
                  "make each pixel opaque or transparent first: sparky pixel alpha IN -o OUT");
    }
    SPARKY_TRY(pixel::write_png(output, *small, options));
  } else {
    SPARKY_TRY(pixel::write_png(output, *result, options));
  }
  Json out{{"input", input.string()},
           {"output", output.string()},
           {"width", result->width},
           {"height", result->height},
           {"colors", colors}};
  out.update(facts);
  if (animation.frames.size() > 1) {
    out["frames_left_out"] = animation.frames.size() - 1;
    out["note"] = out.value("note", "") + fmt::format(", the first of {} frames", animation.frames.size());
  }
  return out;
}

Result<std::vector<fs::path>> outputs_in(const fs::path& directory, const std::vector<fs::path>& inputs) {
  std::vector<fs::path> out;
  std::set<fs::path> taken;
  for (const fs::path& input : inputs) {
    out.push_back(directory / input.filename().replace_extension(".png"));
    if (!taken.insert(out.back()).second) {
      return fail(Errc::invalid, fmt::format("two pictures would be written to {}", out.back().string()),
                  "rename one of them, or write to two directories");
    }
  }
  return out;
}

namespace {

double rounded(double v) { return std::round(v * 1000) / 1000; }

Json axis_facts(const pixel::GridAxis& axis) {
  return {{"cells", axis.cells()},
          {"cell", rounded(axis.cell)},
          {"first", rounded(axis.lines.front())},
          {"blur", rounded(axis.blur)}};
}

}  // namespace

Operation snap_operation(const pixel::GridOptions& options) {
  return [options](const pixel::Picture& picture, Json& facts) -> Result<pixel::Picture> {
    SPARKY_ASSIGN(pixel::Snapped snapped, pixel::snap(picture, options));
    const pixel::Grid& grid = snapped.grid;
    facts["grid"] = {{"x", axis_facts(grid.x)}, {"y", axis_facts(grid.y)}};
    facts["confidence"] = rounded(grid.confidence);
    facts["error"] = rounded(snapped.error);
    facts["tilt_degrees"] = rounded(snapped.tilt_degrees);
    facts["note"] = fmt::format(", cells of {:.2f}×{:.2f} pixels, confidence {:.0f} %, error {:.1f}/255", grid.x.cell,
                                grid.y.cell, 100 * grid.confidence, snapped.error);
    if (snapped.tilt_degrees != 0) {
      facts["note"] = facts.value("note", "") + fmt::format(", tilted by {:.1f}°", snapped.tilt_degrees);
    }
    return std::move(snapped.picture);
  };
}

// --- Sheets ---

namespace {

// "walk=0-3" or "walk=0-3:pingpong".
Result<pixel::Tag> parse_tag(const std::string& text) {
  auto wrong = [&] {
    return fail(Errc::invalid, fmt::format("\"{}\" is no tag", text),
                "NAME=FROM-TO[:forward|reverse|pingpong|pingpong_reverse]");
  };
  const auto equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) return wrong();
  pixel::Tag tag{text.substr(0, equals), 0, 0, pixel::Direction::forward};
  std::string_view rest = std::string_view(text).substr(equals + 1);
  auto take = [&](int& to) {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), to);
    rest.remove_prefix(size_t(end - rest.data()));
    return error == std::errc();
  };
  if (!take(tag.from) || !rest.starts_with('-')) return wrong();
  rest.remove_prefix(1);
  if (!take(tag.to)) return wrong();
  static constexpr std::string_view kNames[] = {":forward", ":reverse", ":pingpong", ":pingpong_reverse"};
  const auto direction = std::ranges::find(kNames, rest);
  if (!rest.empty() && direction == std::end(kNames)) return wrong();
  if (!rest.empty()) tag.direction = pixel::Direction(direction - kNames);
  return tag;
}

}  // namespace

Result<pixel::SpriteSet> read_sprite_set(const SheetWork& work) {
  SPARKY_ASSIGN(auto set, pixel::read_sprites(work.inputs, work.duration_ms));
  if (set.tags.empty() && work.tags.empty() && !work.no_tags) {
    std::vector<std::string> names;
    for (const auto& sprite : set.sprites) names.push_back(sprite.name);
    set.tags = pixel::tags_of_names(names);
  }
  for (const std::string& text : work.tags) {
    SPARKY_ASSIGN(auto tag, parse_tag(text));
    if (tag.from < 0 || tag.to < tag.from || tag.to >= int(set.sprites.size())) {
      return fail(Errc::invalid,
                  fmt::format("tag {}: frames {} to {} of {}", tag.name, tag.from, tag.to, set.sprites.size()),
                  fmt::format("frames count from 0 to {}", set.sprites.size() - 1));
    }
    set.tags.push_back(std::move(tag));
  }
  return set;
}

Json describe(const pixel::Sheet& sheet) {
  Json tags = Json::array();
  for (const auto& t : sheet.tags) tags.push_back({{"name", t.name}, {"from", t.from}, {"to", t.to}});
  return {{"image", sheet.image},
          {"width", sheet.width},
          {"height", sheet.height},
          {"frames", sheet.frames.size()},
          {"tags", std::move(tags)}};
}

std::string image_name(const fs::path& picture, const fs::path& data) {
  const auto relative = picture.lexically_relative(data.parent_path().empty() ? "." : data.parent_path());
  return relative.empty() ? picture.filename().string() : relative.generic_string();
}

Result<Json> pack_sheet(const SheetWork& work) {
  if (lower(work.output.extension().string()) != ".png") {
    return fail(Errc::invalid, fmt::format("{}: sheets are written as PNG", work.output.string()), "end it in .png");
  }
  SPARKY_ASSIGN(auto set, read_sprite_set(work));
  SPARKY_ASSIGN(auto packed, pixel::pack(set.sprites, work.pack));
  packed.sheet.tags = set.tags;
  packed.sheet.slices = set.slices;
  auto files = work.data;
  if (files.empty()) files.push_back(fs::path(work.output).replace_extension(".json"));
  SPARKY_TRY(pixel::write_png(work.output, packed.picture));
  Json written = Json::array({work.output.string()});
  for (const fs::path& file : files) {
    packed.sheet.image = image_name(work.output, file);
    const std::string texture = work.texture.empty() ? "res://" + work.output.filename().string() : work.texture;
    SPARKY_TRY(pixel::write_sheet_data(file, packed.sheet, work.form, texture));
    written.push_back(file.string());
  }
  double used = 0;
  for (const auto& f : packed.sheet.frames) used += double(f.place.width) * f.place.height;
  Json out = describe(packed.sheet);
  out["used"] = rounded(used / packed.sheet.width / packed.sheet.height);
  out["files"] = std::move(written);
  return out;
}

// --- Into a game ---

Result<std::vector<pixel::SpriteFile>> read_sprite_files(const std::vector<fs::path>& files) {
  std::vector<pixel::SpriteFile> out;
  for (const fs::path& file : files) {
    SPARKY_ASSIGN(const std::string bytes, read_file(file, pixel::Limits().bytes));
    SPARKY_ASSIGN(pixel::Picture picture, pixel::decode_picture(bytes, file.string()));
    out.push_back({file.string(), file.stem().string(), std::move(picture), int64_t(bytes.size())});
  }
  return out;
}

Json to_json(const std::vector<pixel::Finding>& findings) {
  Json out = Json::array();
  for (const pixel::Finding& f : findings) {
    out.push_back({{"file", f.diagnostic.file},
                   {"rule", f.rule},
                   {"message", f.diagnostic.message},
                   {"help", f.diagnostic.help}});
  }
  return out;
}

Json to_json(const Deployment& deployment) {
  Json files = Json::array();
  for (const DeployedFile& f : deployment.files) {
    files.push_back({{"source", f.source}, {"path", f.path}, {"action", action_name(f.action)}});
  }
  return {{"files", files},
          {"manifest_changed", deployment.manifest_changed},
          {"backup", deployment.backup.empty() ? Json() : Json(deployment.backup)},
          {"findings", to_json(deployment.findings)}};
}

Json to_json(const Rollback& rollback) {
  return {{"backup", rollback.backup}, {"restored", rollback.restored}, {"removed", rollback.removed}};
}

}  // namespace sparky::studio
