// sparky-sprite: the worker that trains and runs the sprite model.
#include <fmt/format.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "sprite/trainer.h"

namespace {
volatile std::sig_atomic_t stop_asked = 0;
}

int main(int argc, char** argv) {
  // Tensors come and go in megabytes: keep that memory instead of asking the kernel for zeroed pages each time.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  CLI::App app{"The sprite model's worker.", "sparky-sprite"};
  app.require_subcommand(1);
  sparky::sprite::TrainOptions t;
  auto* train = app.add_subcommand("train", "train a model");
  train->add_option("--dataset", t.dataset)->required();
  train->add_option("--out", t.out)->required();
  train->add_flag("--resume", t.resume);
  train->add_option("--minutes", t.minutes);
  train->add_option("--steps", t.steps);
  train->add_option("--batch", t.batch);
  train->add_option("--lr", t.learning_rate);
  train->add_option("--ema", t.ema);
  train->add_option("--seed", t.seed);
  train->add_option("--channels", t.channels);
  train->add_option("--checkpoint-minutes", t.checkpoint_minutes);
  train->add_option("--sheet-minutes", t.sheet_minutes);
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGINT, [](int) { stop_asked = 1; });
  std::signal(SIGTERM, [](int) { stop_asked = 1; });
  auto status = sparky::sprite::train(
      t,
      [](const sparky::sprite::TrainReport& r) {
        fmt::print("step {} samples {} loss {:.4f} lr {:.5f} norm {:.2f} {:.1f}/s left {:.0f} min\n", r.step, r.samples,
                   r.loss, r.learning_rate, r.gradient_norm, r.samples_per_second, r.seconds_left / 60);
        std::fflush(stdout);
      },
      [] { return stop_asked != 0; });
  if (!status) fmt::print(stderr, "sparky-sprite: error: {}\n", status.error().text());
  return status ? 0 : 1;
}
