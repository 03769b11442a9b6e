// sparky pixel …: one picture in, one out (or many into a directory).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/picture_arguments.h"
#include "pixel/clean.h"
#include "pixel/files.h"
#include "pixel/palette.h"
#include "pixel/palette_files.h"
#include "pixel/transform.h"

namespace sparky::cli {
namespace {

using pixel::Picture;

// A command of one operation with options of type O: `declare` adds them, `apply` does the work.
template <class O>
CLI::App* add_operation(CLI::App* pixel, Context& context, const std::string& name, const std::string& help,
                        const std::string& examples, void (*declare)(CLI::App*, O&),
                        Result<Picture> (*apply)(const Picture&, const O&)) {
  struct State {
    Batch batch;
    O options;
  };
  auto state = std::make_shared<State>();
  auto* command = pixel->add_subcommand(name, help);
  add_batch(command, state->batch);
  declare(command, state->options);
  add_examples(command, examples);
  command->callback([state, apply, &context] {
    run_batch(state->batch, context, [&](const Picture& p) { return apply(p, state->options); });
  });
  return command;
}

void add_dither(CLI::App* command, pixel::RemapOptions& options) {
  using pixel::Dither;
  add_choice(command, "--dither", options.dither,
             {{"none", Dither::none},
              {"bayer2", Dither::bayer2},
              {"bayer4", Dither::bayer4},
              {"bayer8", Dither::bayer8},
              {"blue-noise", Dither::blue_noise},
              {"floyd-steinberg", Dither::floyd_steinberg}},
             "how colours between two of the palette are shown");
  command->add_option("--strength", options.strength, "of the dithering, 0 to 1")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
}

struct QuantizeOptions {
  int colors = 16;
  pixel::Method method = pixel::Method::kmeans;
  pixel::RemapOptions remap;
};

struct RemapOptions {
  std::string palette;
  pixel::RemapOptions remap;
};

void add_color_commands(CLI::App* pixel, Context& context) {
  add_operation<QuantizeOptions>(
      pixel, context, "quantize", "Reduce a picture to a few colours of its own",
      "  sparky pixel quantize knight.png -n 12 -o knight12.png\n"
      "  sparky pixel quantize sky.jpg -n 8 --dither bayer4 --strength 0.6 -o sky.png",
      [](CLI::App* c, QuantizeOptions& o) {
        c->add_option("-n,--colors", o.colors, "at most as many colours")
            ->check(CLI::Range(1, 256))
            ->capture_default_str();
        add_choice(c, "--method", o.method,
                   {{"kmeans", pixel::Method::kmeans}, {"median-cut", pixel::Method::median_cut}},
                   "how they are chosen");
        add_dither(c, o.remap);
      },
      [](const Picture& p, const QuantizeOptions& o) -> Result<Picture> {
        return pixel::reduce_colors(p, o.colors, o.method, o.remap);
      });
  add_operation<RemapOptions>(
      pixel, context, "remap", "Give every pixel the nearest colour of a palette",
      "  sparky pixel remap knight.png --palette db32 -o knight.png\n"
      "  sparky pixel remap scene.jpg --palette sunset.gpl --dither blue-noise -o scene.png",
      [](CLI::App* c, RemapOptions& o) {
        c->add_option("-p,--palette", o.palette,
                      "a built-in palette (sparky palette list), a palette file or a picture")
            ->type_name("PALETTE")
            ->required();
        add_dither(c, o.remap);
      },
      [](const Picture& p, const RemapOptions& o) -> Result<Picture> {
        SPARKY_ASSIGN(auto palette, pixel::find_palette(o.palette));
        return pixel::remap(p, palette, o.remap);
      });
}

struct AlphaOptions {
  int threshold = 128;
};

void add_clean_commands(CLI::App* pixel, Context& context) {
  add_operation<pixel::BackgroundOptions>(
      pixel, context, "background", "Make the background transparent, flooding in from the border",
      "  sparky pixel background render.jpg -o render.png\n"
      "  sparky pixel background ring.png --holes --tolerance 0.1 -o ring.png",
      [](CLI::App* c, pixel::BackgroundOptions& o) {
        c->add_option("--tolerance", o.tolerance, "how far a colour may differ from the border's (OKLab distance)")
            ->check(CLI::Range(0.0, 1.0))
            ->capture_default_str();
        c->add_flag("--holes", o.holes, "also what the sprite encloses, if it has the background's colours");
      },
      [](const Picture& p, const pixel::BackgroundOptions& o) -> Result<Picture> {
        return pixel::remove_background(p, o);
      });
  add_operation<AlphaOptions>(
      pixel, context, "alpha", "Make every pixel opaque or transparent",
      "  sparky pixel alpha soft.png --threshold 100 -o hard.png",
      [](CLI::App* c, AlphaOptions& o) {
        c->add_option("--threshold", o.threshold, "the least alpha that becomes opaque")
            ->check(CLI::Range(1, 255))
            ->capture_default_str();
      },
      [](const Picture& p, const AlphaOptions& o) -> Result<Picture> { return pixel::binary_alpha(p, o.threshold); });
  add_operation<pixel::OrphanOptions>(
      pixel, context, "orphans", "Remove stray pixels, but not those that stand out on purpose",
      "  sparky pixel orphans knight.png -o knight.png\n  sparky pixel orphans rough.png --size 3 --contrast 0.2 -o "
      "rough.png",
      [](CLI::App* c, pixel::OrphanOptions& o) {
        c->add_option("--size", o.size, "groups of up to as many pixels")
            ->check(CLI::Range(1, 64))
            ->capture_default_str();
        c->add_option("--contrast", o.contrast, "pixels that differ more from what is around stay (OKLab distance)")
            ->check(CLI::Range(0.0, 2.0))
            ->capture_default_str();
      },
      [](const Picture& p, const pixel::OrphanOptions& o) -> Result<Picture> { return pixel::remove_orphans(p, o); });
  struct None {};
  add_operation<None>(
      pixel, context, "jaggies", "Smooth the steps of lines one pixel wide",
      "  sparky pixel jaggies knight.png -o knight.png", [](CLI::App*, None&) {},
      [](const Picture& p, const None&) -> Result<Picture> { return pixel::remove_jaggies(p); });
  add_operation<pixel::OutlineOptions>(
      pixel, context, "outline", "Draw an outline, in one colour or in the sprite's own, darkened",
      "  sparky pixel outline coin.png --color 1a1c2c -o coin.png\n"
      "  sparky pixel outline slime.png --inner --darken 0.4 -o slime.png",
      [](CLI::App* c, pixel::OutlineOptions& o) {
        c->add_flag("--inner", o.inner, "on the sprite's own edge (default: around it)");
        c->add_flag("--diagonal", o.diagonal, "close the corners");
        add_color(c, "--color", o.color, "its colour (default: the one beside it, darkened)");
        c->add_option("--darken", o.darken, "how much darker, 0 to 1")
            ->check(CLI::Range(0.0, 1.0))
            ->capture_default_str();
      },
      [](const Picture& p, const pixel::OutlineOptions& o) -> Result<Picture> { return pixel::outline(p, o); });
}

struct PadOptions {
  int all = 0, left = 0, top = 0, right = 0, bottom = 0;
  Size to;
  std::optional<pixel::Rgba> fill;
};

Result<Picture> apply_pad(const Picture& p, const PadOptions& o) {
  return pixel::pad(p, {.left = o.all + o.left,
                        .top = o.all + o.top,
                        .right = o.all + o.right,
                        .bottom = o.all + o.bottom,
                        .to_width = o.to.width,
                        .to_height = o.to.height,
                        .fill = o.fill.value_or(pixel::Rgba{})});
}

struct AlignOptions {
  int margin = 0;
  bool center = false;
};
struct MirrorOptions {
  pixel::Axis axis = pixel::Axis::horizontal;
};
struct RotateOptions {
  double degrees = 90;
  pixel::Rotation method = pixel::Rotation::rotsprite;
  bool fit = false;
};
struct ScaleOptions {
  int up = 1, down = 1;
};

void add_transform_commands(CLI::App* pixel, Context& context) {
  struct None {};
  auto nothing = [](CLI::App*, None&) {};
  add_operation<None>(pixel, context, "convert", "Read any picture and write it as PNG",
                      "  sparky pixel convert photo.webp -o photo.png", nothing,
                      [](const Picture& p, const None&) -> Result<Picture> { return p; });
  add_operation<None>(pixel, context, "trim", "Cut off the transparent margin",
                      "  sparky pixel trim out/*.png -o trimmed/", nothing,
                      [](const Picture& p, const None&) -> Result<Picture> { return pixel::trim(p); });
  add_operation<None>(pixel, context, "center", "Move the sprite into the middle of its picture",
                      "  sparky pixel center coin.png -o coin.png", nothing,
                      [](const Picture& p, const None&) -> Result<Picture> { return pixel::center(p); });
  add_operation<PadOptions>(
      pixel, context, "pad", "Add a margin",
      "  sparky pixel pad coin.png --all 1 -o coin.png\n  sparky pixel pad trimmed/*.png --to 32x32 -o padded/",
      [](CLI::App* c, PadOptions& o) {
        auto side = CLI::Range(0, 16384);
        c->add_option("--all", o.all, "pixels on every side")->check(side);
        c->add_option("--left", o.left, "pixels on the left")->check(side);
        c->add_option("--top", o.top, "pixels above")->check(side);
        c->add_option("--right", o.right, "pixels on the right")->check(side);
        c->add_option("--bottom", o.bottom, "pixels below")->check(side);
        add_size(c, "--to", o.to, "the size of the result, with the picture in the middle");
        add_color(c, "--fill", o.fill, "the margin's colour (default: transparent)");
      },
      apply_pad);
  add_operation<AlignOptions>(
      pixel, context, "align", "Let the sprite stand on a baseline",
      "  sparky pixel align walk_*.png --margin 1 --center -o aligned/",
      [](CLI::App* c, AlignOptions& o) {
        c->add_option("--margin", o.margin, "rows below the sprite")
            ->check(CLI::Range(0, 16384))
            ->capture_default_str();
        c->add_flag("--center", o.center, "also move it to the middle from left to right");
      },
      [](const Picture& p, const AlignOptions& o) -> Result<Picture> {
        return pixel::align_baseline(p, o.margin, o.center);
      });
  add_operation<MirrorOptions>(
      pixel, context, "mirror", "Swap left and right, or top and bottom",
      "  sparky pixel mirror walk_right.png -o walk_left.png",
      [](CLI::App* c, MirrorOptions& o) {
        add_choice(c, "--axis", o.axis, {{"horizontal", pixel::Axis::horizontal}, {"vertical", pixel::Axis::vertical}},
                   "horizontal swaps left and right");
      },
      [](const Picture& p, const MirrorOptions& o) -> Result<Picture> { return pixel::mirror(p, o.axis); });
  add_operation<RotateOptions>(
      pixel, context, "rotate", "Turn by any angle with clean edges and no new colours; quarter turns are exact",
      "  sparky pixel rotate sword.png --by 30 --fit -o sword_30.png",
      [](CLI::App* c, RotateOptions& o) {
        c->add_option("--by", o.degrees, "degrees, clockwise")->capture_default_str();
        add_choice(c, "--method", o.method,
                   {{"rotsprite", pixel::Rotation::rotsprite}, {"nearest", pixel::Rotation::nearest}},
                   "how pixels between pixels are chosen");
        c->add_flag("--fit", o.fit, "let the picture grow so that nothing is cut off");
      },
      [](const Picture& p, const RotateOptions& o) { return pixel::rotate(p, o.degrees, o.method, o.fit); });
  add_operation<ScaleOptions>(
      pixel, context, "scale", "Make a picture larger by a whole factor, or exactly smaller again",
      "  sparky pixel scale coin.png --up 8 -o coin_x8.png\n  sparky pixel scale coin_x8.png --down 8 -o coin.png",
      [](CLI::App* c, ScaleOptions& o) {
        auto* up = c->add_option("--up", o.up, "times larger")->check(CLI::Range(1, 256));
        c->add_option("--down", o.down, "times smaller; every block must be of one colour")
            ->check(CLI::Range(1, 256))
            ->excludes(up);
      },
      [](const Picture& p, const ScaleOptions& o) {
        return o.down > 1 ? pixel::scale_down(p, o.down) : pixel::scale_up(p, o.up);
      });
}

struct TileOptions {
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output;
  Size repeat;
  bool check = false;
};

Result<Json> tile_report(const std::filesystem::path& input, const TileOptions& o) {
  SPARKY_ASSIGN(auto p, pixel::read_picture(input));
  if (!o.output.empty()) {
    auto view = o.repeat.width ? o.repeat : Size{};
    if (view.width && (int64_t(p.width) * view.width > 16384 || int64_t(p.height) * view.height > 16384))
      return fail(Errc::invalid, "the repeated picture would be larger than 16384 pixels a side");
    SPARKY_TRY(pixel::write_png(o.output, view.width ? pixel::repeat(p, view.width, view.height)
                                                     : pixel::offset(p, p.width / 2, p.height / 2)));
  }
  auto s = pixel::measure_seams(p);
  return Json{{"picture", input.string()},    {"seamless_x", s.seamless_x()},    {"seamless_y", s.seamless_y()},
              {"seam_x", s.horizontal},       {"inside_x", s.horizontal_inside}, {"seam_y", s.vertical},
              {"inside_y", s.vertical_inside}};
}

void add_tile_command(CLI::App* pixel, Context& context) {
  auto options = std::make_shared<TileOptions>();
  auto* command =
      pixel->add_subcommand("tile", "Check the seams of a tile, or look at them (exit status 1: a seam shows)");
  command->add_option("IN", options->inputs, "tiles")->required();
  command->add_option("-o,--output", options->output, "write the tile with its seams moved to the middle")
      ->type_name("OUT.png");
  add_size(command, "--repeat", options->repeat, "with -o: write it repeated so often instead");
  add_examples(command,
               "  sparky pixel tile grass.png\n  sparky pixel tile grass.png -o seams.png\n"
               "  sparky pixel tile grass.png --repeat 3x3 -o meadow.png");
  command->callback([options, &context] {
    if (!options->output.empty() && options->inputs.size() > 1) {
      context.exit = report({Errc::invalid, "-o takes one tile at a time", ""});
      return;
    }
    Json tiles = Json::array();
    for (auto& input : options->inputs) {
      auto found = tile_report(input, *options);
      if (!found) {
        context.exit = report(found.error());
        return;
      }
      auto& t = *found;
      auto word = [&](const char* axis) {
        return fmt::format("{} (seam {:.3f}, inside at most {:.3f})",
                           t[std::string("seamless_") + axis].get<bool>() ? "seamless" : "a seam shows",
                           t[std::string("seam_") + axis].get<double>(),
                           t[std::string("inside_") + axis].get<double>());
      };
      if (!t["seamless_x"].get<bool>() || !t["seamless_y"].get<bool>()) context.exit = failed;
      if (!context.json)
        fmt::print("{}: left to right {}; top to bottom {}\n", printable(input.string()), word("x"), word("y"));
      tiles.push_back(std::move(t));
    }
    if (context.json) print_json({{"tiles", std::move(tiles)}});
  });
}

Result<Json> describe(const std::filesystem::path& path) {
  SPARKY_ASSIGN(auto bytes, read_file(path, pixel::Limits().bytes));
  SPARKY_ASSIGN(auto animation, pixel::decode_animation(bytes, path.string()));
  auto& first = animation.frames.front().picture;
  size_t clear = 0, partial = 0;
  for (auto c : first.pixels) clear += c.a == 0, partial += c.a != 0 && c.a != 255;
  auto box = pixel::opaque_box(first);
  Json out{{"file", path.string()},
           {"format", pixel::format_name(*pixel::sniff(bytes))},
           {"bytes", bytes.size()},
           {"width", animation.width},
           {"height", animation.height},
           {"frames", animation.frames.size()},
           {"colors", pixel::count_colors(first).size()},
           {"transparent_pixels", clear},
           {"half_transparent_pixels", partial},
           {"opaque_box", {{"x", box.x}, {"y", box.y}, {"width", box.width}, {"height", box.height}}}};
  if (pixel::sniff(bytes) == pixel::Format::png)
    if (auto text = pixel::decode_png_text(bytes); text && !text->empty()) out["text"] = *text;
  return out;
}

void add_info_command(CLI::App* pixel, Context& context) {
  auto inputs = std::make_shared<std::vector<std::filesystem::path>>();
  auto* command = pixel->add_subcommand("info", "Say what a picture is: format, size, colours, alpha, frames, texts");
  command->add_option("IN", *inputs, "pictures")->required();
  add_examples(command,
               "  sparky pixel info knight.png\n  sparky pixel info out/*.png --json | jq '.pictures[].colors'");
  command->callback([inputs, &context] {
    Json pictures = Json::array();
    for (auto& input : *inputs) {
      auto found = describe(input);
      if (!found) {
        context.exit = report(found.error());
        return;
      }
      auto& d = *found;
      if (!context.json) {
        fmt::print("{}: {} {}×{}, {} frame{}, {} colour{}, {} transparent and {} half-transparent pixels\n",
                   printable(input.string()), d["format"].get<std::string>(), d["width"].get<int>(),
                   d["height"].get<int>(), d["frames"].get<size_t>(), d["frames"] == 1 ? "" : "s",
                   d["colors"].get<size_t>(), d["colors"] == 1 ? "" : "s", d["transparent_pixels"].get<size_t>(),
                   d["half_transparent_pixels"].get<size_t>());
        if (d.contains("text"))
          for (auto& [keyword, value] : d["text"].items())
            fmt::print("  {}: {}\n", printable(keyword), printable(value.get<std::string>()));
      }
      pictures.push_back(std::move(d));
    }
    if (context.json) print_json({{"pictures", std::move(pictures)}});
  });
}

}  // namespace

void add_pixel_commands(CLI::App& app, Context& context) {
  auto* pixel = app.add_subcommand("pixel", "Make pixel art of a picture: colours, cleaning, moving and turning");
  pixel->require_subcommand(1);
  add_info_command(pixel, context);
  add_color_commands(pixel, context);
  add_clean_commands(pixel, context);
  add_transform_commands(pixel, context);
  add_tile_command(pixel, context);
  add_snap_command(*pixel, context);
  add_validate_command(*pixel, context);
}

}  // namespace sparky::cli
