// sparky init: a new project from a template.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "plan/templates.h"

namespace sparky::cli {
namespace {

struct InitArguments {
  std::string directory = ".", which = "minimal";
  bool force = false;
};

int init(const InitArguments& arguments, const Context& context) {
  const plan::Template* chosen = nullptr;
  std::vector<std::string> names;
  for (auto& t : plan::templates()) {
    names.emplace_back(t.name);
    if (t.name == arguments.which) chosen = &t;
  }
  if (!chosen)
    return report(Error{Errc::invalid, fmt::format("there is no template '{}'", arguments.which),
                        "choose one of " + join(names, ", ")});
  auto written = plan::write_template(*chosen, arguments.directory, arguments.force);
  if (!written) return report(written.error());
  if (context.json) {
    Json files = Json::array();
    for (auto& file : chosen->files) files.push_back(std::string(file.path));
    Json document{{"template", std::string(chosen->name)}, {"directory", arguments.directory}, {"files", files}};
    fmt::print("{}\n", json_text(document, 2));
    return done;
  }
  auto where = arguments.directory == "." ? std::string(".") : arguments.directory;
  fmt::print("wrote {} files of the template {} to {}\nnext: sparky run {}\n", chosen->files.size(), chosen->name,
             printable(where), printable(where));
  return done;
}

}  // namespace

void add_init_commands(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<InitArguments>();
  auto* command = app.add_subcommand("init", "write a new plan that runs as it is");
  std::string footer = "Templates:\n";
  for (auto& t : plan::templates()) footer += fmt::format("  {:<12} {}\n", t.name, t.about);
  command->footer(footer + "\nExample: sparky init game --template pipeline && sparky run game");
  command->add_option("DIR", arguments->directory, "where; made if it is missing")->capture_default_str();
  command->add_option("--template", arguments->which, "which tree")->type_name("NAME")->capture_default_str();
  command->add_flag("--force", arguments->force, "overwrite files that are there");
  command->callback([&context, arguments] { context.exit = init(*arguments, context); });
}

}  // namespace sparky::cli
