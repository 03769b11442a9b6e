// sparky palette …: the colours of pictures and palette files.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/picture_arguments.h"
#include "pixel/color.h"
#include "pixel/files.h"
#include "pixel/palette.h"
#include "pixel/palette_files.h"

namespace sparky::cli {
namespace {

using pixel::Palette;

Json to_json(const Palette& palette) {
  Json colors = Json::array();
  for (auto c : palette.colors) colors.push_back(pixel::hex(c));
  return {{"name", palette.name}, {"author", palette.author}, {"colors", std::move(colors)}};
}

// A swatch on a terminal that shows colours.
std::string swatch(pixel::Rgba c) {
  return color_wanted(1) ? fmt::format("\x1b[48;2;{};{};{}m  \x1b[0m ", c.r, c.g, c.b) : std::string();
}

void finish(Context& context, Status status) {
  if (!status) context.exit = report(status.error());
}

struct State {
  std::string input;
  std::vector<std::string> inputs;
  std::filesystem::path output;
  int colors = 16, cell = 16, columns = 0;
  pixel::Method method = pixel::Method::kmeans;
  pixel::Order order = pixel::Order::lightness;
  bool reverse = false, all = false;
};

Status list(const State&, Context& context) {
  Json palettes = Json::array();
  for (auto& p : pixel::builtin_palettes()) {
    if (context.json)
      palettes.push_back(to_json(p));
    else
      fmt::print("{:<14} {:>3} colours{}\n", p.name, p.colors.size(), p.author.empty() ? "" : "  by " + p.author);
  }
  if (context.json) print_json({{"palettes", std::move(palettes)}});
  return {};
}

Status show(const State& s, Context& context) {
  SPARKY_ASSIGN(auto palette, pixel::find_palette(s.input));
  if (!s.output.empty()) SPARKY_TRY(pixel::write_png(s.output, pixel::show(palette, s.cell, s.columns)));
  if (context.json) {
    print_json(to_json(palette));
    return {};
  }
  for (size_t i = 0; i < palette.colors.size(); ++i)
    fmt::print("{}{}{}\n", swatch(palette.colors[i]), pixel::hex(palette.colors[i]),
               palette.color_names.empty() ? "" : "  " + printable(palette.color_names[i]));
  return {};
}

Status extract(const State& s, Context& context) {
  SPARKY_ASSIGN(auto picture, pixel::read_picture(s.input));
  Palette palette;
  if (s.all) {
    for (auto& c : pixel::count_colors(picture)) palette.colors.push_back(c.color);
    if (palette.colors.size() > pixel::kMaxPaletteColors)
      return fail(Errc::invalid, fmt::format("{}: {} colours are no palette", s.input, palette.colors.size()),
                  "leave out --all");
  } else {
    palette = pixel::quantize(picture, s.colors, s.method);
  }
  if (palette.colors.empty()) return fail(Errc::invalid, fmt::format("{}: the picture is wholly transparent", s.input));
  palette.name = std::filesystem::path(s.input).stem().string();
  if (!s.output.empty()) SPARKY_TRY(pixel::write_palette(s.output, palette));
  if (context.json)
    print_json(to_json(palette));
  else if (s.output.empty())
    for (auto c : palette.colors) fmt::print("{}{}\n", swatch(c), pixel::hex(c));
  else
    fmt::print(stderr, "{}: {} colours\n", printable(s.output.string()), palette.colors.size());
  return {};
}

Status count(const State& s, Context& context) {
  Json pictures = Json::array();
  for (auto& input : s.inputs) {
    SPARKY_ASSIGN(auto picture, pixel::read_picture(input));
    auto counts = pixel::count_colors(picture);
    if (!context.json) {
      fmt::print("{}: {} colours\n", printable(input), counts.size());
      for (size_t i = 0; i < counts.size() && (s.all || i < 16); ++i)
        fmt::print("  {}{:<8} {:>8} pixels\n", swatch(counts[i].color), pixel::hex(counts[i].color), counts[i].pixels);
      if (!s.all && counts.size() > 16) fmt::print("  … and {} more (--all)\n", counts.size() - 16);
      continue;
    }
    Json colors = Json::array();
    for (auto& c : counts) colors.push_back({{"color", pixel::hex(c.color)}, {"pixels", c.pixels}});
    pictures.push_back({{"picture", input}, {"count", counts.size()}, {"colors", std::move(colors)}});
  }
  if (context.json) print_json({{"pictures", std::move(pictures)}});
  return {};
}

Status write(const State& s, Context& context, const Palette& palette) {
  SPARKY_TRY(pixel::write_palette(s.output, palette));
  if (context.json)
    print_json(to_json(palette));
  else
    fmt::print(stderr, "{}: {} colours\n", printable(s.output.string()), palette.colors.size());
  return {};
}

Status convert(const State& s, Context& context) {
  SPARKY_ASSIGN(auto palette, pixel::find_palette(s.input));
  return write(s, context, palette);
}

Status sort(const State& s, Context& context) {
  SPARKY_ASSIGN(auto palette, pixel::find_palette(s.input));
  pixel::sort(palette, s.order);
  if (s.reverse) {
    std::reverse(palette.colors.begin(), palette.colors.end());
    std::reverse(palette.color_names.begin(), palette.color_names.end());
  }
  return write(s, context, palette);
}

}  // namespace

void add_palette_commands(CLI::App& app, Context& context) {
  auto* family = app.add_subcommand("palette", "Colours: extract, count, convert between palette files, sort, show");
  family->require_subcommand(1);
  auto add = [&](const char* name, const char* help, const char* examples, Status (*run)(const State&, Context&)) {
    auto state = std::make_shared<State>();
    auto* command = family->add_subcommand(name, help);
    add_examples(command, examples);
    command->callback([state, run, &context] { finish(context, run(*state, context)); });
    return std::pair(command, state);
  };
  const char* source = "a built-in palette, a palette file or a picture";
  const char* target = "the file; its suffix says the format: .gpl .hex .pal .act .ase .json .png";

  add("list", "Name the palettes that come with Sparky", "  sparky palette list", list);
  {
    auto [c, s] = add("show", "Print the colours, and with -o draw them",
                      "  sparky palette show db32\n  sparky palette show sunset.gpl -o sunset.png", show);
    c->add_option("PALETTE", s->input, source)->required();
    c->add_option("-o,--output", s->output, "draw the swatches into this PNG")->type_name("OUT.png");
    c->add_option("--cell", s->cell, "pixels of a swatch's side")->check(CLI::Range(1, 256))->capture_default_str();
    c->add_option("--columns", s->columns, "swatches in a row (default: up to 16)")->check(CLI::Range(1, 1024));
  }
  {
    auto [c, s] = add(
        "extract", "Find the few colours that stand for a picture's",
        "  sparky palette extract knight.png -n 12 -o knight.gpl\n  sparky palette extract sprite.png --all", extract);
    c->add_option("PICTURE", s->input, "PNG, JPEG, WebP or GIF")->required();
    auto* n =
        c->add_option("-n,--colors", s->colors, "at most as many")->check(CLI::Range(1, 256))->capture_default_str();
    add_choice(c, "--method", s->method, {{"kmeans", pixel::Method::kmeans}, {"median-cut", pixel::Method::median_cut}},
               "how they are chosen");
    c->add_flag("--all", s->all, "every colour, the most frequent first")->excludes(n);
    c->add_option("-o,--output", s->output, target)->type_name("OUT");
  }
  {
    auto [c, s] = add(
        "count", "Count the colours of pictures",
        "  sparky palette count sprites/*.png\n  sparky palette count a.png --json | jq '.pictures[0].count'", count);
    c->add_option("PICTURE", s->inputs, "PNG, JPEG, WebP or GIF")->required();
    c->add_flag("--all", s->all, "list every colour, not the first 16");
  }
  {
    auto [c, s] =
        add("convert", "Write a palette in another format",
            "  sparky palette convert pico-8 -o pico-8.gpl\n  sparky palette convert swatches.ase -o swatches.hex",
            convert);
    c->add_option("PALETTE", s->input, source)->required();
    c->add_option("-o,--output", s->output, target)->type_name("OUT")->required();
  }
  {
    auto [c, s] =
        add("sort", "Put a palette in order", "  sparky palette sort knight.gpl --by hue -o knight.gpl", sort);
    c->add_option("PALETTE", s->input, source)->required();
    add_choice(c, "--by", s->order,
               {{"lightness", pixel::Order::lightness},
                {"hue", pixel::Order::hue},
                {"chroma", pixel::Order::chroma},
                {"rgb", pixel::Order::rgb}},
               "hue: greys first, then families of hue, each from dark to light");
    c->add_flag("--reverse", s->reverse, "the other way round");
    c->add_option("-o,--output", s->output, target)->type_name("OUT")->required();
  }
}

}  // namespace sparky::cli
