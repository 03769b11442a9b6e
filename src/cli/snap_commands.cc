// sparky pixel snap: a picture that only looks like pixel art in, true pixel art out.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/picture_arguments.h"
#include "pixel/snap.h"

namespace sparky::cli {
namespace {

double rounded(double v) { return std::round(v * 1000) / 1000; }

Json axis_facts(const pixel::GridAxis& axis) {
  return {{"cells", axis.cells()},
          {"cell", rounded(axis.cell)},
          {"first", rounded(axis.lines.front())},
          {"blur", rounded(axis.blur)}};
}

}  // namespace

void add_snap_command(CLI::App& pixel, Context& context) {
  struct State {
    Batch batch;
    Size size;
    pixel::GridOptions options;
  };
  auto state = std::make_shared<State>();
  auto* command = pixel.add_subcommand(
      "snap", "Find the pixel grid of an enlarged, blurred or JPEG-ed picture and give each cell one colour");
  add_batch(command, state->batch);
  auto* size = add_size(command, "--size", state->size, "the true size, if you know it; the grid is then not doubted");
  command
      ->add_option("--hint", state->options.hint,
                   "about how many pixels wide a cell is; only grids within a quarter of it are tried")
      ->check(CLI::Range(2.0, 4096.0))
      ->excludes(size);
  add_examples(command,
               "  sparky pixel snap render.png -o knight.png\n"
               "  sparky pixel snap renders/*.jpg -o sprites/ --json | jq '.pictures[] | {input, confidence}'\n"
               "  sparky pixel snap render.png --size 32x32 -o knight.png\n"
               "Then, for few colours: sparky pixel quantize knight.png -n 16 -o knight.png\n"
               "A picture without a grid (a photograph, a gradient) is refused with the reason.");
  command->callback([state, &context] {
    state->options.columns = state->size.width, state->options.rows = state->size.height;
    run_telling_batch(state->batch, context, [&](const pixel::Picture& picture, Json& facts) -> Result<pixel::Picture> {
      SPARKY_ASSIGN(pixel::Snapped snapped, pixel::snap(picture, state->options));
      const pixel::Grid& grid = snapped.grid;
      facts["grid"] = {{"x", axis_facts(grid.x)}, {"y", axis_facts(grid.y)}};
      facts["confidence"] = rounded(grid.confidence);
      facts["error"] = rounded(snapped.error);
      facts["note"] = fmt::format(", cells of {:.2f}×{:.2f} pixels, confidence {:.0f} %, error {:.1f}/255", grid.x.cell,
                                  grid.y.cell, 100 * grid.confidence, snapped.error);
      return std::move(snapped.picture);
    });
  });
}

}  // namespace sparky::cli
