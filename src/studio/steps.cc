#include "studio/steps.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/text.h"
#include "pixel/clean.h"
#include "pixel/color.h"
#include "pixel/palette.h"
#include "pixel/palette_files.h"
#include "pixel/transform.h"
#include "studio/request.h"

namespace sparky::studio {
namespace {

using pixel::Picture;
// Reads the options of one kind of step; the operation captures them.
using Parse = Result<Operation> (*)(RequestFields&);

constexpr int kSideMax = 16384;

// An operation that has nothing to tell.
template <class F>
Operation quiet(F apply) {
  return [apply = std::move(apply)](const Picture& p, Json&) -> Result<Picture> { return apply(p); };
}

void take_color(RequestFields& fields, std::string_view name, std::optional<pixel::Rgba>& into) {
  std::string given;
  fields.take(name, given);
  if (given.empty()) return;
  into = pixel::parse_color(given);
  if (!into) fields.refuse(name, "a colour: rrggbb, rrggbbaa or transparent");
}

pixel::RemapOptions take_dither(RequestFields& fields) {
  using pixel::Dither;
  pixel::RemapOptions out;
  fields.choose("dither", out.dither,
                {{"none", Dither::none},
                 {"bayer2", Dither::bayer2},
                 {"bayer4", Dither::bayer4},
                 {"bayer8", Dither::bayer8},
                 {"blue-noise", Dither::blue_noise},
                 {"floyd-steinberg", Dither::floyd_steinberg}});
  fields.take("strength", out.strength, 0, 1);
  return out;
}

Result<Operation> parse_snap(RequestFields& fields) {
  pixel::GridOptions options;
  fields.take_size("size", options.columns, options.rows);
  fields.take("hint", options.hint, 2, 4096);
  return snap_operation(options);
}

Result<Operation> parse_background(RequestFields& fields) {
  pixel::BackgroundOptions o;
  fields.take("tolerance", o.tolerance, 0, 1);
  fields.take("holes", o.holes);
  return quiet([o](const Picture& p) { return pixel::remove_background(p, o); });
}

Result<Operation> parse_alpha(RequestFields& fields) {
  int threshold = 128;
  fields.take("threshold", threshold, 1, 255);
  return quiet([threshold](const Picture& p) { return pixel::binary_alpha(p, threshold); });
}

Result<Operation> parse_orphans(RequestFields& fields) {
  pixel::OrphanOptions o;
  fields.take("size", o.size, 1, 64);
  fields.take("contrast", o.contrast, 0, 2);
  return quiet([o](const Picture& p) { return pixel::remove_orphans(p, o); });
}

Result<Operation> parse_outline(RequestFields& fields) {
  pixel::OutlineOptions o;
  fields.take("inner", o.inner);
  fields.take("diagonal", o.diagonal);
  take_color(fields, "color", o.color);
  fields.take("darken", o.darken, 0, 1);
  return quiet([o](const Picture& p) { return pixel::outline(p, o); });
}

Result<Operation> parse_pad(RequestFields& fields) {
  int all = 0, left = 0, top = 0, right = 0, bottom = 0;
  pixel::Padding pad;
  std::optional<pixel::Rgba> fill;
  fields.take("all", all, 0, kSideMax);
  fields.take("left", left, 0, kSideMax);
  fields.take("top", top, 0, kSideMax);
  fields.take("right", right, 0, kSideMax);
  fields.take("bottom", bottom, 0, kSideMax);
  fields.take_size("to", pad.to_width, pad.to_height);
  take_color(fields, "fill", fill);
  pad.left = all + left, pad.top = all + top, pad.right = all + right, pad.bottom = all + bottom;
  pad.fill = fill.value_or(pixel::Rgba{});
  return quiet([pad](const Picture& p) { return pixel::pad(p, pad); });
}

Result<Operation> parse_align(RequestFields& fields) {
  int margin = 0;
  bool center = false;
  fields.take("margin", margin, 0, kSideMax);
  fields.take("center", center);
  return quiet([=](const Picture& p) { return pixel::align_baseline(p, margin, center); });
}

Result<Operation> parse_mirror(RequestFields& fields) {
  pixel::Axis axis = pixel::Axis::horizontal;
  fields.choose("axis", axis, {{"horizontal", pixel::Axis::horizontal}, {"vertical", pixel::Axis::vertical}});
  return quiet([axis](const Picture& p) { return pixel::mirror(p, axis); });
}

Result<Operation> parse_rotate(RequestFields& fields) {
  double degrees = 90;
  bool fit = false;
  pixel::Rotation method = pixel::Rotation::rotsprite;
  fields.take("by", degrees, -360, 360);
  fields.take("fit", fit);
  fields.choose("method", method, {{"rotsprite", pixel::Rotation::rotsprite}, {"nearest", pixel::Rotation::nearest}});
  return quiet([=](const Picture& p) { return pixel::rotate(p, degrees, method, fit); });
}

Result<Operation> parse_scale(RequestFields& fields) {
  int up = 1, down = 1;
  fields.take("up", up, 1, 256);
  fields.take("down", down, 1, 256);
  if (up > 1 && down > 1) fields.refuse("down", "left out where 'up' is given");
  return quiet([=](const Picture& p) { return down > 1 ? pixel::scale_down(p, down) : pixel::scale_up(p, up); });
}

Result<Operation> parse_quantize(RequestFields& fields) {
  int colors = 16;
  pixel::Method method = pixel::Method::kmeans;
  fields.take("colors", colors, 1, 256);
  fields.choose("method", method, {{"kmeans", pixel::Method::kmeans}, {"median-cut", pixel::Method::median_cut}});
  const pixel::RemapOptions remap = take_dither(fields);
  return quiet([=](const Picture& p) { return pixel::reduce_colors(p, colors, method, remap); });
}

Result<Operation> parse_remap(RequestFields& fields) {
  std::string name;
  fields.need("palette");
  fields.take("palette", name);
  const pixel::RemapOptions remap = take_dither(fields);
  if (name.empty()) return Operation();  // the fields have the error
  // A file is read when the first picture is there: another job may make it, and to look at steps touches no disk.
  auto palette = std::make_shared<std::optional<pixel::Palette>>();
  if (name.find_first_of("./") == name.npos) {
    SPARKY_ASSIGN(*palette, pixel::find_palette(name));
  }
  return [=](const Picture& p, Json&) -> Result<Picture> {
    if (!*palette) {
      SPARKY_ASSIGN(*palette, pixel::find_palette(name));
    }
    return pixel::remap(p, **palette, remap);
  };
}

template <Picture (*apply)(const Picture&)>
Result<Operation> without_options(RequestFields&) {
  return quiet(apply);
}

const std::map<std::string, Parse, std::less<>>& parsers() {
  static const std::map<std::string, Parse, std::less<>> all = {{"snap", parse_snap},
                                                                {"background", parse_background},
                                                                {"alpha", parse_alpha},
                                                                {"orphans", parse_orphans},
                                                                {"jaggies", without_options<pixel::remove_jaggies>},
                                                                {"outline", parse_outline},
                                                                {"trim", without_options<pixel::trim>},
                                                                {"pad", parse_pad},
                                                                {"center", without_options<pixel::center>},
                                                                {"align", parse_align},
                                                                {"mirror", parse_mirror},
                                                                {"rotate", parse_rotate},
                                                                {"scale", parse_scale},
                                                                {"quantize", parse_quantize},
                                                                {"remap", parse_remap}};
  return all;
}

Result<Operation> parse_step(const Json& step, const std::string& where) {
  RequestFields fields(step, where);
  std::string name;
  fields.need("do");
  fields.take("do", name);
  const auto parser = parsers().find(name);
  if (parser == parsers().end()) {
    std::string names;
    for (const auto& [known, parse] : parsers()) names += (names.empty() ? "" : ", ") + known;
    fields.refuse("do", "one of " + names);
    SPARKY_TRY(fields.end());
  }
  SPARKY_ASSIGN(Operation operation, parser->second(fields));
  SPARKY_TRY(fields.end());
  return operation;
}

}  // namespace

Result<Operation> parse_steps(const Json& steps) {
  if (!steps.is_array() || steps.empty() || steps.size() > 64) {
    return fail(Errc::invalid, "field 'steps' must be a list of 1 to 64 steps", R"([{"do": "trim"}])");
  }
  std::vector<Operation> operations;
  for (size_t i = 0; i < steps.size(); ++i) {
    SPARKY_ASSIGN(Operation operation, parse_step(steps[i], fmt::format("steps[{}].", i)));
    operations.push_back(std::move(operation));
  }
  return [operations](const Picture& picture, Json& facts) -> Result<Picture> {
    Picture out = picture;
    for (const Operation& operation : operations) {
      SPARKY_ASSIGN(out, operation(out, facts));
    }
    return out;
  };
}

}  // namespace sparky::studio
