// sparky dataset: captioned tiles out of folders of pictures.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "cli/cli.h"
#include "studio/dataset.h"

namespace sparky::cli {
namespace {

struct BuildOptions {
  std::vector<std::string> folders;
  std::string recipe, out = "dataset", licence;
  int characters = -1;
};

Status build(const BuildOptions& o, const Context& context) {
  studio::Recipe recipe;
  if (!o.recipe.empty()) {
    SPARKY_ASSIGN(recipe, studio::read_recipe(o.recipe, o.folders.at(0)));
  } else {
    for (const auto& f : o.folders) recipe.sources.push_back({f, "", {}});
  }
  if (!o.licence.empty()) recipe.licence = o.licence;
  if (o.characters >= 0) recipe.characters = size_t(o.characters);
  SPARKY_ASSIGN(auto built, studio::build_dataset(recipe));
  SPARKY_TRY(studio::write_dataset(o.out, recipe, built));
  std::map<std::string, size_t> kinds, reasons;
  size_t test = 0;
  for (const auto& s : built.dataset.samples) ++kinds[s.kind], test += s.test;
  for (const auto& d : built.dropped) ++reasons[d.reason.substr(0, d.reason.find_first_of(":0123456789"))];
  if (context.json) {
    std::cout << json_text(Json{{"dataset", o.out},
                                {"samples", built.dataset.samples.size()},
                                {"test", test},
                                {"kinds", kinds},
                                {"dropped", built.dropped.size()}})
              << "\n";
    return {};
  }
  fmt::print("{}: {} samples, {} of them held out for testing\n", o.out, built.dataset.samples.size(), test);
  for (const auto& [kind, n] : kinds) fmt::print("  {:<12} {:>6}\n", kind, n);
  fmt::print("dropped {} files (each with its reason in {}/dataset.json)\n", built.dropped.size(), o.out);
  for (const auto& [reason, n] : reasons) fmt::print("  {:>6}  {}\n", n, reason);
  fmt::print("look at {}/sheet-*.png before you train\n", o.out);
  return {};
}

}  // namespace

void add_dataset_commands(CLI::App& app, Context& context) {
  auto* dataset = app.add_subcommand("dataset", "make datasets to train on");
  dataset->require_subcommand(1);
  auto* cmd = dataset->add_subcommand("build", "folders of 32×32 PNGs become a captioned, cleaned, split dataset");
  auto o = std::make_shared<BuildOptions>();
  cmd->add_option("folder", o->folders, "folders with PNG files; with --recipe: where its paths start")->required();
  cmd->add_option("--recipe", o->recipe, "a TOML file: sources, exclusions, words, paper-doll layers");
  cmd->add_option("-o,--out", o->out, "the dataset's folder")->capture_default_str();
  cmd->add_option("--characters", o->characters,
                  "compositions to make from the paper-doll layers (default: the recipe's)");
  cmd->add_option("--licence", o->licence, "the tiles' licence (SPDX), kept in the manifest");
  cmd->footer(
      "Captions come from NAME.txt beside NAME.png, else from captions.csv (file,caption), else from path words.\n"
      "Example: sparky dataset build my-sprites/ -o .train/mine --licence CC0-1.0");
  cmd->callback([o, &context] {
    if (auto s = build(*o, context); !s) context.exit = report(s.error());
  });
}

}  // namespace sparky::cli
