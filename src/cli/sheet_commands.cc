// sparky sheet …: many sprites on one picture, and back.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/files.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/picture_arguments.h"
#include "pixel/aseprite.h"
#include "pixel/files.h"
#include "pixel/sheet_export.h"
#include "pixel/sheet_files.h"
#include "studio/file_work.h"

namespace sparky::cli {
namespace {

namespace fs = std::filesystem;
using pixel::Sheet;

struct State {
  studio::SheetWork work;
  pixel::PreviewOptions preview;
  pixel::TilesetOptions tileset;
  Size grid, tile;
  int margin = 0, spacing = 0;
  bool autotile = false;
};

void wrote(Context& context, const fs::path& path, const std::string& what) {
  if (!context.json) fmt::print(stderr, "{}: {}\n", printable(path.string()), what);
}

std::string counted(size_t n, std::string_view noun) { return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s"); }

Status pack(const State& s, Context& context) {
  SPARKY_ASSIGN(const Json done, studio::pack_sheet(s.work));
  wrote(context, s.work.output,
        fmt::format("{} on {}×{} pixels, {:.0f} % of them used", counted(done["frames"].get<size_t>(), "frame"),
                    done["width"].get<int>(), done["height"].get<int>(), 100 * done["used"].get<double>()));
  for (size_t i = 1; i < done["files"].size(); ++i) {
    wrote(context, done["files"][i].get<std::string>(),
          fmt::format("{}, {}", counted(done["frames"].get<size_t>(), "frame"),
                      counted(done["tags"].size(), "animation")));
  }
  if (context.json) print_json(done);
  return {};
}

Status unpack(const State& s, Context& context) {
  std::vector<pixel::Sprite> sprites;
  if (s.grid.width) {
    SPARKY_ASSIGN(auto picture, pixel::read_picture(s.work.inputs.front()));
    SPARKY_ASSIGN(auto sheet, pixel::grid_sheet(picture, s.work.inputs.front().stem().string(), s.grid.width,
                                                s.grid.height, s.margin, s.spacing));
    SPARKY_ASSIGN(sprites, pixel::unpack(picture, sheet));
  } else {
    SPARKY_ASSIGN(auto set, studio::read_sprite_set(s.work));
    sprites = std::move(set.sprites);
  }
  std::set<std::string> names;
  Json written = Json::array();
  for (auto& sprite : sprites)
    if (!names.insert(pixel::file_name_of(sprite.name)).second)
      return fail(Errc::invalid, fmt::format("two frames would be written to {}.png", pixel::file_name_of(sprite.name)),
                  "rename one of them in the sheet");
  for (auto& sprite : sprites) {
    auto path = s.work.output / (pixel::file_name_of(sprite.name) + ".png");
    SPARKY_TRY(pixel::write_png(path, sprite.picture));
    written.push_back(path.string());
  }
  wrote(context, s.work.output, fmt::format("{} pictures", sprites.size()));
  if (context.json) print_json({{"files", std::move(written)}});
  return {};
}

Status convert(const State& s, Context& context) {
  SPARKY_ASSIGN(auto sheet, pixel::read_sheet(s.work.inputs.front()));
  sheet.sheet.image = studio::image_name(sheet.picture_path, s.work.output);
  std::string texture = s.work.texture.empty() ? "res://" + sheet.picture_path.filename().string() : s.work.texture;
  SPARKY_TRY(pixel::write_sheet_data(s.work.output, sheet.sheet, s.work.form, texture));
  wrote(context, s.work.output,
        fmt::format("{}, {}", counted(sheet.sheet.frames.size(), "frame"),
                    counted(sheet.sheet.tags.size(), "animation")));
  if (context.json) print_json(studio::describe(sheet.sheet));
  return {};
}

Status aseprite(const State& s, Context& context) {
  SPARKY_ASSIGN(auto set, studio::read_sprite_set(s.work));
  SPARKY_ASSIGN(auto sprite, pixel::make_aseprite(set.sprites, set.tags, set.slices));
  SPARKY_ASSIGN(auto bytes, pixel::encode_aseprite(sprite));
  SPARKY_TRY(write_file_atomic(s.work.output, bytes));
  wrote(context, s.work.output,
        fmt::format("{}×{}, {} frames, {} tags, {} colours in its palette", sprite.width, sprite.height,
                    sprite.frames.size(), sprite.tags.size(), sprite.palette.size()));
  if (context.json)
    print_json({{"file", s.work.output.string()},
                {"width", sprite.width},
                {"height", sprite.height},
                {"frames", sprite.frames.size()}});
  return {};
}

Status preview(const State& s, Context& context) {
  SPARKY_ASSIGN(auto set, studio::read_sprite_set(s.work));
  SPARKY_ASSIGN(auto animation, pixel::make_preview(set, s.preview));
  int total_ms = 0;
  for (auto& f : animation.frames) total_ms += f.duration_ms;
  bool reduced = false;
  size_t frames = animation.frames.size();
  int width = animation.width, height = animation.height;
  SPARKY_TRY(pixel::write_animation(s.work.output, std::move(animation), &reduced));
  wrote(context, s.work.output,
        fmt::format("{} frames of {}×{}, {} ms{}", frames, width, height, total_ms,
                    reduced ? "; colours or alpha were reduced for GIF" : ""));
  if (context.json)
    print_json({{"file", s.work.output.string()},
                {"frames", frames},
                {"width", width},
                {"height", height},
                {"duration_ms", total_ms},
                {"reduced", reduced}});
  return {};
}

Status tileset(const State& s, Context& context) {
  auto options = s.tileset;
  options.name = s.work.output.stem().string();
  if (lower(s.work.output.extension().string()) != ".tsx")
    return fail(Errc::invalid, fmt::format("{}: Tiled's tilesets end in .tsx", s.work.output.string()));
  Sheet sheet;
  bool one_picture = s.tile.width != 0 && !s.autotile;
  auto picture_path = one_picture ? s.work.inputs.front() : fs::path(s.work.output).replace_extension(".png");
  if (one_picture) {
    if (s.work.inputs.size() > 1)
      return fail(Errc::invalid, "--tile divides one picture", "leave it out to make a tileset of several");
    SPARKY_ASSIGN(auto picture, pixel::read_picture(picture_path));
    SPARKY_ASSIGN(sheet, pixel::grid_sheet(picture, "tile", s.tile.width, s.tile.height, s.margin, s.spacing));
    options.margin = s.margin;
    options.spacing = s.spacing;
  } else {
    SPARKY_ASSIGN(auto set, studio::read_sprite_set(s.work));
    if (s.autotile) {
      if (set.sprites.size() != 1) return fail(Errc::invalid, "--autotile takes one picture of 2×3 tiles");
      SPARKY_ASSIGN(set.sprites, pixel::blob_from_autotile(set.sprites.front().picture));
      set.tags.clear();
      options.wang = pixel::WangSet::blob47;
    }
    SPARKY_ASSIGN(auto packed, pixel::pack(set.sprites, {.columns = s.work.pack.columns ? s.work.pack.columns : 8}));
    sheet = std::move(packed.sheet);
    sheet.tags = set.tags;
    SPARKY_TRY(pixel::write_png(picture_path, packed.picture));
    wrote(context, picture_path, fmt::format("{}×{}", sheet.width, sheet.height));
  }
  options.tile_width = sheet.frames.front().width;
  options.tile_height = sheet.frames.front().height;
  sheet.image = studio::image_name(picture_path, s.work.output);
  SPARKY_ASSIGN(auto text, pixel::tiled_tileset(sheet, options));
  SPARKY_TRY(write_file_atomic(s.work.output, text));
  wrote(context, s.work.output,
        fmt::format("{} tiles of {}×{}", sheet.frames.size(), options.tile_width, options.tile_height));
  if (context.json) {
    auto document = studio::describe(sheet);
    document["files"] = {picture_path.string(), s.work.output.string()};
    print_json(document);
  }
  return {};
}

void add_frame_inputs(CLI::App* c, State& s) {
  c->add_option("IN", s.work.inputs,
                "frames in order: pictures, animations (GIF, APNG, WebP), .aseprite files, sheets (their .json)")
      ->required();
  c->add_option("--duration", s.work.duration_ms, "milliseconds that a still picture is shown")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  auto* tag = c->add_option("--tag", s.work.tags,
                            "name frames: NAME=FROM-TO[:forward|reverse|pingpong|pingpong_reverse], from 0")
                  ->type_name("TAG");
  tag->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  c->add_flag("--no-tags", s.work.no_tags, "do not name animations after numbered files (walk_0 walk_1 → walk)");
}

void add_form(CLI::App* c, State& s) {
  add_choice(c, "--form", s.work.form,
             {{"aseprite-hash", pixel::SheetJson::aseprite_hash},
              {"aseprite-array", pixel::SheetJson::aseprite_array},
              {"texturepacker-hash", pixel::SheetJson::texturepacker_hash},
              {"texturepacker-array", pixel::SheetJson::texturepacker_array}},
             "of the JSON");
  c->add_option("--texture", s.work.texture, "the picture's path in the Godot project (default: res://FILE.png)")
      ->type_name("RES");
}

void declare_pack(CLI::App* c, State& s) {
  add_frame_inputs(c, s);
  c->add_option("-o,--output", s.work.output, "the sheet")->type_name("OUT.png")->required();
  c->add_option("--data", s.work.data,
                "where to write what lies where (default: OUT.json): .json, .tres (Godot), .ron (Bevy), .tsx (Tiled)")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_form(c, s);
  add_choice(c, "--layout", s.work.pack.layout,
             {{"grid", pixel::Layout::grid}, {"rows", pixel::Layout::rows}, {"maxrects", pixel::Layout::maxrects}},
             "equal cells; one after another; as tight as can be");
  c->add_option("--columns", s.work.pack.columns, "cells in a row of the grid")->check(CLI::Range(1, 4096));
  c->add_option("--padding", s.work.pack.padding, "pixels between sprites")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  c->add_option("--margin", s.work.pack.margin, "pixels around all of them")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  c->add_option("--extrude", s.work.pack.extrude, "repeat each sprite's edge as far")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  c->add_flag("--trim", s.work.pack.trim, "leave out transparent margins (the data remembers them)");
  c->add_flag("--dedupe", s.work.pack.dedupe, "store equal sprites once");
  c->add_flag("--power-of-two", s.work.pack.power_of_two, "let both sides be powers of two");
  c->add_option("--max-side", s.work.pack.max_side, "the largest side")
      ->check(CLI::Range(1, 16384))
      ->capture_default_str();
}

void declare_tileset(CLI::App* c, State& s) {
  add_frame_inputs(c, s);
  c->add_option("-o,--output", s.work.output, "the tileset")->type_name("OUT.tsx")->required();
  add_size(c, "--tile", s.tile, "IN is one picture of tiles of this size, used as it is");
  c->add_option("--margin", s.margin, "with --tile: pixels around the tiles")->check(CLI::Range(0, 256));
  c->add_option("--spacing", s.spacing, "with --tile: pixels between the tiles")->check(CLI::Range(0, 256));
  c->add_option("--columns", s.work.pack.columns, "tiles in a row (default: 8)")->check(CLI::Range(1, 4096));
  add_choice(c, "--wang", s.tileset.wang,
             {{"none", pixel::WangSet::none},
              {"corner16", pixel::WangSet::corner16},
              {"edge16", pixel::WangSet::edge16},
              {"blob47", pixel::WangSet::blob47}},
             "the terrain set that the first tiles are");
  c->add_flag("--autotile", s.autotile, "make the 47 tiles of a blob set from one picture of 2×3 tiles");
  c->add_option("--terrain", s.tileset.terrain, "the terrain's name")->capture_default_str();
}

}  // namespace

void add_sheet_commands(CLI::App& app, Context& context) {
  auto* family =
      app.add_subcommand("sheet", "Sprite sheets: pack, unpack, convert, preview; tilesets and Aseprite files");
  family->require_subcommand(1);
  auto add = [&](const char* name, const char* help, const char* examples, Status (*run)(const State&, Context&)) {
    auto state = std::make_shared<State>();
    auto* command = family->add_subcommand(name, help);
    add_examples(command, examples);
    command->callback([state, run, &context] {
      if (auto status = run(*state, context); !status) context.exit = report(status.error());
    });
    return std::pair(command, state.get());
  };
  {
    auto [c, s] =
        add("pack", "Put sprites on one picture, and write where each lies",
            "  sparky sheet pack walk_*.png idle_*.png -o hero.png\n"
            "  sparky sheet pack items/*.png --layout maxrects --trim --padding 1 --power-of-two -o items.png\n"
            "  sparky sheet pack hero.aseprite -o hero.png --data hero.json --data hero.tres --data hero.ron",
            pack);
    declare_pack(c, *s);
  }
  {
    auto [c, s] = add(
        "unpack", "Write each sprite of a sheet to a file of its own",
        "  sparky sheet unpack hero.json -o frames/\n  sparky sheet unpack tiles.png --grid 16x16 -o tiles/", unpack);
    c->add_option("IN", s->work.inputs, "a sheet's .json, an .aseprite file, an animation; a picture with --grid")
        ->required()
        ->expected(1);
    c->add_option("-o,--output", s->work.output, "the directory")->type_name("DIR")->required();
    add_size(c, "--grid", s->grid, "the size of a cell");
    c->add_option("--margin", s->margin, "pixels around the cells")->check(CLI::Range(0, 256));
    c->add_option("--spacing", s->spacing, "pixels between the cells")->check(CLI::Range(0, 256));
  }
  {
    auto [c, s] = add("convert", "Write a sheet's data in another form",
                      "  sparky sheet convert hero.json -o hero.tres --texture res://art/hero.png", convert);
    c->add_option("IN", s->work.inputs, "a sheet's .json (Aseprite or TexturePacker)")->required()->expected(1);
    c->add_option("-o,--output", s->work.output, ".json, .tres (Godot), .ron (Bevy) or .tsx (Tiled)")
        ->type_name("OUT")
        ->required();
    add_form(c, *s);
  }
  {
    auto [c, s] = add("preview", "Write frames as an animated GIF or PNG",
                      "  sparky sheet preview walk_*.png -o walk.gif --scale 4\n  sparky sheet preview hero.aseprite "
                      "--play walk -o walk.png",
                      preview);
    add_frame_inputs(c, *s);
    c->add_option("-o,--output", s->work.output, "the animation: .gif, or .png for APNG")->type_name("OUT")->required();
    c->add_option("--play", s->preview.tag, "only the animation of this name")->type_name("NAME");
    c->add_option("--scale", s->preview.scale, "times larger")->check(CLI::Range(1, 64))->capture_default_str();
    c->add_option("--every", s->preview.duration_ms, "milliseconds for every frame (default: its own)")
        ->check(CLI::Range(1, 65535));
  }
  {
    auto [c, s] =
        add("aseprite", "Put frames into an Aseprite file, to go on by hand",
            "  sparky sheet aseprite walk_*.png -o walk.aseprite\n  sparky sheet aseprite hero.json -o hero.aseprite",
            aseprite);
    add_frame_inputs(c, *s);
    c->add_option("-o,--output", s->work.output, "the file")->type_name("OUT.aseprite")->required();
  }
  {
    auto [c, s] = add("tileset", "Make a Tiled tileset, with a terrain set of 16 or 47 tiles",
                      "  sparky sheet tileset grass_*.png --wang corner16 --terrain grass -o grass.tsx\n"
                      "  sparky sheet tileset tiles.png --tile 16x16 --wang blob47 -o tiles.tsx\n"
                      "  sparky sheet tileset water.png --autotile --terrain water -o water.tsx",
                      tileset);
    declare_tileset(c, *s);
  }
}

}  // namespace sparky::cli
