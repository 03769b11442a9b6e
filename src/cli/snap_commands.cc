// sparky pixel snap: a picture that only looks like pixel art in, true pixel art out.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/cli.h"
#include "cli/picture_arguments.h"

namespace sparky::cli {
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
    run_telling_batch(state->batch, context, studio::snap_operation(state->options));
  });
}

}  // namespace sparky::cli
