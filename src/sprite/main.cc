// sparky-sprite: the worker that trains, runs and measures the sprite model; the only program that links libtorch.
#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <torch/torch.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "pixel/files.h"
#include "sprite/bench.h"
#include "sprite/eval.h"
#include "sprite/generator.h"
#include "sprite/serve.h"
#include "sprite/trainer.h"
#include "sprite/weights.h"
#include "studio/dataset.h"
#include "studio/sprite_process.h"

namespace {

using namespace sparky;

volatile std::sig_atomic_t stop_asked = 0;

int report(const Status& status) {
  if (status) return 0;
  fmt::print(stderr, "sparky-sprite: error: {}\n", printable(status.error().message));
  if (!status.error().help.empty()) fmt::print(stderr, "  help: {}\n", printable(status.error().help));
  return status.error().is(Errc::invalid) ? 2 : 1;
}

std::string left(double seconds) { return human(Duration(int64_t(seconds) * 1000)); }

// What `train --json` prints (studio/sprite_process.h).
void tell(const char* kind, const sprite::TrainReport& r) {
  fmt::print("{}\n", json_text(Json{{"event", kind},
                                    {"step", r.step},
                                    {"samples", r.samples},
                                    {"loss", r.loss},
                                    {"samples_per_second", r.samples_per_second},
                                    {"seconds", r.seconds},
                                    {"seconds_left", r.seconds_left}}));
  std::fflush(stdout);
}

struct TrainCommand {
  sprite::TrainOptions options;
  std::string base = "sprite-32";
  bool lora = false, json = false, while_input = false;
};

bool input_closed() {
  pollfd p{STDIN_FILENO, 0, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

int train(TrainCommand c) {
  auto& o = c.options;
  sprite::TrainReport last;
  auto run = [&]() -> Status {
    if (c.lora) {
      SPARKY_ASSIGN(o.base, studio::find_model(c.base));
    }
    bool endless = o.minutes <= 0 && o.steps <= 0;
    if (endless && c.lora) o.steps = 300;
    if (endless && !c.lora) o.minutes = 60;
    if (c.lora) o.batch = std::min<int64_t>(o.batch, 16), o.ema = std::min(o.ema, 0.98);
    return sprite::train(
        o,
        [&](const sprite::TrainReport& r) {
          last = r;
          if (c.json) return tell("progress", r);
          fmt::print("step {:>6}  loss {:.4f}  {:.1f} samples/s  {} to go\n", r.step, r.loss, r.samples_per_second,
                     left(r.seconds_left));
          std::fflush(stdout);
        },
        [&] {
          if (c.while_input && input_closed()) stop_asked = 1;
          return stop_asked != 0;
        });
  };
  auto done = run();
  if (c.json && done) tell("result", last);
  if (c.json && !done) fmt::print("{}\n", json_text(sprite::error_event(done.error())));
  int code = report(done);
  if (code == 0 && stop_asked) fmt::print(stderr, "stopped; --resume goes on from here\n");
  return code == 0 && stop_asked ? 130 : code;
}

int evaluate(sprite::EvalOptions o, const std::string& model, const std::string& out) {
  auto run = [&]() -> Status {
    SPARKY_ASSIGN(o.model, studio::find_model(model));
    SPARKY_ASSIGN(Json figures, sprite::evaluate(o, [](const std::string& line) { fmt::print(stderr, "{}\n", line); }));
    std::string text = json_text(figures, 1) + "\n";
    if (!out.empty()) SPARKY_TRY(write_file_atomic(out, text));
    fmt::print("{}", text);
    return {};
  };
  return report(run());
}

// One picture per line of a file of prompts, to look at a model as a whole.
Status draw_sheet(const std::string& model, const std::string& prompts, const std::string& out) {
  studio::SpriteRequest r;
  SPARKY_ASSIGN(auto dir, studio::find_model(model));
  SPARKY_ASSIGN(auto generator, sprite::Generator::load(dir));
  SPARKY_ASSIGN(std::string text, read_file(prompts, 1 << 20));
  std::vector<pixel::Picture> tiles;
  for (auto line : split(text, '\n')) {
    if (trim(line).empty()) continue;
    r.prompt = trim(line);
    r.seed = tiles.size();
    SPARKY_ASSIGN(auto made, generator.generate(r, {}));
    tiles.push_back(std::move(made.pictures[0]));
  }
  return pixel::write_png(out, studio::contact_sheet(tiles, 8, 3));
}

}  // namespace

int main(int argc, char** argv) {
  // Tensors come and go in megabytes: keep that memory instead of asking the kernel for zeroed pages each time.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  at::globalContext().setFlushDenormal(true);
  CLI::App app{"The sprite model: trained, run and measured.", "sparky-sprite"};
  app.require_subcommand(1);
  int threads = 0;
  app.add_option("--threads", threads, "CPU threads (default: all)")->check(CLI::Range(1, 1024));
  app.fallthrough();

  auto* serve =
      app.add_subcommand("serve", "draw what JSON lines on standard input ask for (see studio/sprite_process.h)");

  TrainCommand tc;
  auto& t = tc.options;
  auto* train_cmd = app.add_subcommand("train", "train a model, or with --lora a small addition to one");
  train_cmd->add_option("--dataset", t.dataset, "what `sparky dataset build` made")->required();
  train_cmd->add_option("-o,--out", t.out, "the folder for model, checkpoints, loss.csv, loss.png and sheets")
      ->required();
  train_cmd->add_flag("--resume", t.resume, "go on from the checkpoint in --out");
  train_cmd->add_option("--minutes", t.minutes, "the budget of time, over all resumptions (default: 60)");
  train_cmd->add_option("--steps", t.steps, "the budget of steps (default with --lora: 300)");
  train_cmd->add_option("--batch", t.batch, "samples per step")->capture_default_str();
  train_cmd->add_option("--lr", t.learning_rate, "learning rate")->capture_default_str();
  train_cmd->add_option("--ema", t.ema, "decay of the averaged weights")->capture_default_str();
  train_cmd->add_option("--seed", t.seed)->capture_default_str();
  train_cmd->add_option("--channels", t.channels, "of the network at 16², 8² and 4²")->capture_default_str();
  train_cmd->add_option("--checkpoint-minutes", t.checkpoint_minutes)->capture_default_str();
  train_cmd->add_option("--sheet-minutes", t.sheet_minutes, "between contact sheets")->capture_default_str();
  train_cmd->add_flag("--lora", tc.lora, "train a LoRA on --base");
  train_cmd->add_option("--base", tc.base, "the model a LoRA adds to")->capture_default_str();
  train_cmd->add_option("--rank", t.rank, "of the LoRA")->capture_default_str();
  train_cmd->add_option("--alpha", t.alpha, "of the LoRA: its weight is alpha/rank")->capture_default_str();
  train_cmd->add_flag("--json", tc.json, "progress as JSON lines");
  train_cmd->add_flag("--while-input", tc.while_input, "stop when standard input closes")->group("");
  train_cmd->footer(
      "Ctrl-C stops after the step at hand, with a checkpoint.\n"
      "`sparky train --detach …` leaves it to the daemon, as a job of its queue, and prints the job's id.\n"
      "Example: sparky train --dataset .train/data -o .train/run --minutes 120\n"
      "         sparky train --lora --dataset .train/mine -o .train/style --steps 300");

  sprite::EvalOptions e;
  std::string model = "sprite-32", out;
  auto* eval_cmd = app.add_subcommand("eval", "measure a model on held-out captions, by judges that learn beside it");
  eval_cmd->add_option("model", model, "a model's name or folder")->capture_default_str();
  eval_cmd->add_option("--dataset", e.dataset, "what the model was trained on")->required();
  eval_cmd->add_option("--tiles", e.tiles, "held-out tiles to draw")->capture_default_str();
  eval_cmd->add_option("--characters", e.characters, "held-out characters to draw")->capture_default_str();
  eval_cmd->add_option("--steps", e.steps)->capture_default_str();
  eval_cmd->add_option("--cfg", e.cfg)->capture_default_str();
  eval_cmd->add_option("--seed", e.seed)->capture_default_str();
  eval_cmd->add_option("--sheet", e.sheet, "write what was judged as a contact sheet");
  eval_cmd->add_option("-o,--out", out, "write the figures (JSON) to a file too");
  eval_cmd->footer("Example: sparky eval sprite-32 --dataset .train/data -o eval.json");

  auto* bench_cmd = app.add_subcommand("bench", "load time, step time, sprites per second, peak memory");
  std::string bench_model = "sprite-32";
  bench_cmd->add_option("model", bench_model)->capture_default_str();

  auto* export_cmd = app.add_subcommand("export", "copy a model with its weights as 16-bit numbers");
  std::string from, to;
  export_cmd->add_option("from", from)->required();
  export_cmd->add_option("to", to)->required();

  auto* sheet_cmd = app.add_subcommand("sheet", "a contact sheet of the prompts in a file, one a line");
  std::string sheet_model, prompts, sheet_out;
  sheet_cmd->add_option("model", sheet_model)->required();
  sheet_cmd->add_option("prompts", prompts)->required();
  sheet_cmd->add_option("out", sheet_out)->required();
  CLI11_PARSE(app, argc, argv);
  if (threads > 0) torch::set_num_threads(threads);
  // Ctrl-C in a terminal reaches this process too; whoever started it decides what that means.
  if (serve->parsed()) return std::signal(SIGINT, SIG_IGN), sprite::serve(STDIN_FILENO, STDOUT_FILENO);
  std::signal(SIGINT, [](int) { stop_asked = 1; });
  std::signal(SIGTERM, [](int) { stop_asked = 1; });
  if (train_cmd->parsed()) return train(tc);
  if (eval_cmd->parsed()) return std::signal(SIGINT, SIG_DFL), evaluate(e, model, out);
  if (export_cmd->parsed()) return report(sprite::export_half(from, to));
  if (sheet_cmd->parsed()) return report(draw_sheet(sheet_model, prompts, sheet_out));
  return report(sprite::bench(bench_model));
}
