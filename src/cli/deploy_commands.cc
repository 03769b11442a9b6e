// sparky validate, sparky deploy: sprites into a game.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/picture_arguments.h"
#include "pixel/validate.h"
#include "studio/deploy.h"
#include "studio/file_work.h"

namespace sparky::cli {
namespace {

namespace fs = std::filesystem;

void print_findings(const std::vector<pixel::Finding>& findings) {
  for (const pixel::Finding& f : findings) fmt::print(stderr, "{} [{}]\n", printable(f.diagnostic.text()), f.rule);
}

struct ValidateArguments {
  std::vector<fs::path> sprites;
  std::string profile = "plain";
  bool show = false;
};

Status run_validate(const ValidateArguments& arguments, Context& context) {
  SPARKY_ASSIGN(const pixel::Profile profile, pixel::find_profile(arguments.profile));
  if (arguments.show) {
    fmt::print("{}", pixel::to_toml(profile));
    return {};
  }
  if (arguments.sprites.empty()) return fail(Errc::invalid, "there is no sprite to validate", "name PNG files");
  SPARKY_ASSIGN(const auto sprites, studio::read_sprite_files(arguments.sprites));
  const std::vector<pixel::Finding> findings = pixel::validate(sprites, profile);
  if (context.json) {
    print_json({{"profile", profile.name},
                {"sprites", sprites.size()},
                {"valid", findings.empty()},
                {"findings", studio::to_json(findings)}});
  } else {
    print_findings(findings);
    fmt::print(
        stderr, "{} sprite{} checked against '{}': {}\n", sprites.size(), sprites.size() == 1 ? "" : "s",
        printable(profile.name),
        findings.empty() ? "all good" : fmt::format("{} finding{}", findings.size(), findings.size() == 1 ? "" : "s"));
  }
  if (!findings.empty()) context.exit = failed;
  return {};
}

struct DeployArguments {
  std::vector<fs::path> sprites;
  fs::path game;
  std::string profile = "bevy", preset = "minimal", category;
  bool dry_run = false, rollback = false, force = false;
};

void print_deployment(const studio::Deployment& done, const DeployArguments& arguments, Context& context) {
  if (context.json) {
    Json document = studio::to_json(done);
    document["deployed"] = done.findings.empty() && !arguments.dry_run;
    document["dry_run"] = arguments.dry_run;
    print_json(document);
    return;
  }
  print_findings(done.findings);
  int counts[3] = {};
  for (const auto& f : done.files) {
    counts[size_t(f.action)] += 1;
    if (done.findings.empty() && f.action != studio::Action::unchanged) {
      fmt::print(stderr, "{}{}: {}\n", arguments.dry_run ? "would be " : "", studio::action_name(f.action),
                 printable(f.path));
    }
  }
  if (!done.findings.empty()) {
    fmt::print(stderr, "nothing was deployed: mend {} finding{} first, or choose another --profile\n",
               done.findings.size(), done.findings.size() == 1 ? "" : "s");
    return;
  }
  fmt::print(stderr, "{}{} created, {} replaced, {} unchanged{}\n", arguments.dry_run ? "dry run: " : "", counts[0],
             counts[1], counts[2], done.backup.empty() ? "" : "; undo with --rollback (backup in " + done.backup + ")");
}

Status run_rollback(const DeployArguments& arguments, Context& context) {
  SPARKY_ASSIGN(const studio::Rollback undone,
                studio::roll_back(arguments.game, arguments.force, std::chrono::seconds(30)));
  if (context.json) {
    print_json(studio::to_json(undone));
    return {};
  }
  for (const std::string& path : undone.restored) fmt::print(stderr, "restored: {}\n", printable(path));
  for (const std::string& path : undone.removed) fmt::print(stderr, "removed: {}\n", printable(path));
  fmt::print(stderr, "undone: {}\n", undone.backup);
  return {};
}

Status run_deploy(const DeployArguments& arguments, Context& context) {
  if (arguments.rollback) return run_rollback(arguments, context);
  studio::DeployOptions options;
  options.game = arguments.game;
  options.sprites = arguments.sprites;
  SPARKY_ASSIGN(options.profile, pixel::find_profile(arguments.profile));
  SPARKY_ASSIGN(options.preset, studio::find_preset(arguments.preset));
  options.category = arguments.category;
  options.dry_run = arguments.dry_run;
  SPARKY_ASSIGN(const studio::Deployment done, studio::deploy(options, now()));
  print_deployment(done, arguments, context);
  if (!done.findings.empty()) context.exit = failed;
  return {};
}

}  // namespace

void add_validate_command(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<ValidateArguments>();
  auto* command = app.add_subcommand("validate", "Check sprites: names, sizes, colours, alpha, frames, tile seams");
  command->add_option("SPRITES", arguments->sprites, "pictures; frames of an animation together");
  command->add_option("--profile", arguments->profile, "bevy, godot, tiled, plain, or a TOML file")
      ->capture_default_str();
  command->add_flag("--show", arguments->show, "print the profile as TOML, to start one of your own");
  add_examples(command,
               "  sparky validate sprites/*.png --profile bevy\n"
               "  sparky validate --show --profile bevy > game.toml\n"
               "  sparky validate sprites/*.png --profile game.toml --json | jq '.findings'\n"
               "Exit status 1 if anything is found.");
  command->callback([arguments, &context] {
    if (const Status status = run_validate(*arguments, context); !status) context.exit = report(status.error());
  });
}

void add_deploy_command(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<DeployArguments>();
  auto* command = app.add_subcommand("deploy", "Put sprites into a game: validated, backed up, in its manifest");
  command->add_option("SPRITES", arguments->sprites, "PNG files, or directories of them");
  command->add_option("--to", arguments->game, "the game's directory")->type_name("GAME_DIR")->required();
  command
      ->add_option("--profile", arguments->profile,
                   "what sprites must fulfil: bevy, godot, tiled, plain, or a TOML file")
      ->capture_default_str();
  command->add_option("--preset", arguments->preset, "what is done to them: minimal, modern, pixel_art, retro")
      ->capture_default_str();
  command->add_option("--category", arguments->category,
                      "put before names that do not begin with it: knight → character_knight");
  auto* dry = command->add_flag("--dry-run", arguments->dry_run, "say what would be done, and do nothing");
  auto* rollback = command->add_flag("--rollback", arguments->rollback, "undo the last deployment");
  rollback->excludes(dry);
  command->add_flag("--force", arguments->force, "with --rollback: also over files changed since")->needs(rollback);
  add_examples(
      command,
      "  sparky deploy out/*.png --to ~/games/dungeon --category monster --dry-run\n"
      "  sparky deploy out/*.png --to ~/games/dungeon --category monster --preset pixel_art\n"
      "  sparky deploy --rollback --to ~/games/dungeon\n"
      "Sprites go to assets/sprites/, the list of them to assets/sprites_manifest.json, what was there before\n"
      "to assets/.backup/.");
  command->callback([arguments, &context] {
    if (const Status status = run_deploy(*arguments, context); !status) context.exit = report(status.error());
  });
}

}  // namespace sparky::cli
