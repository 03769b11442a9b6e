// sparky config: every setting with its value, source and meaning; get, set, unset.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "config/config.h"

namespace sparky::cli {
namespace {

int list(const Context& context) {
  auto project = find_project(context.project);
  auto [values, found] = config::load(project);
  for (auto& d : found) fmt::print(stderr, "{}\n", printable(d.text()));
  if (context.json) {
    Json all = Json::array();
    for (auto& s : config::settings()) all.push_back(config::describe(s, values.value(s.key)));
    fmt::print("{}\n", json_text(Json{{"file", config::file_of(project).string()}, {"settings", all}}, 2));
  } else {
    fmt::print("# {}\n", printable(config::file_of(project).string()));
    for (auto& s : config::settings()) {
      auto& v = values.value(s.key);
      fmt::print("{:<30} {:<26} {:<12} {}\n", s.key, v.text.empty() ? "\"\"" : printable(v.text), name(v.source),
                 s.meaning);
    }
  }
  return has_errors(found) ? bad_usage : done;
}

int get(const Context& context, const std::string& key) {
  auto* setting = config::find_setting(key);
  if (!setting)
    return report(Error{Errc::invalid, fmt::format("unknown setting '{}'", key), "`sparky config` lists all"});
  auto loaded = config::load(find_project(context.project));
  auto& value = loaded.config.value(key);
  if (context.json)
    fmt::print("{}\n", json_text(config::describe(*setting, value), 2));
  else
    fmt::print("{}\n", value.text);
  return done;
}

int change(const Context& context, const std::string& key, std::optional<std::string_view> text) {
  auto changed = config::set(find_project(context.project), key, text);
  return changed ? done : report(changed.error());
}

}  // namespace

void add_config_commands(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("config", "Show and change the settings of this project");
  command->footer(
      "Examples:\n"
      "  sparky config                      every setting, its value and where it comes from\n"
      "  sparky config set run.jobs 4       writes sparky.toml; comments stay\n"
      "  SPARKY_RUN_JOBS=8 sparky config get run.jobs");
  command->require_subcommand(0, 1);
  command->fallthrough();
  static std::string key, text;
  auto* get_command = command->add_subcommand("get", "Print one value");
  get_command->add_option("KEY", key, "for example run.jobs")->required();
  get_command->callback([&] { context.exit = get(context, key); });
  auto* set_command = command->add_subcommand("set", "Write one value to sparky.toml");
  set_command->add_option("KEY", key, "for example run.jobs")->required();
  set_command->add_option("VALUE", text)->required();
  set_command->callback([&] { context.exit = change(context, key, text); });
  auto* unset_command = command->add_subcommand("unset", "Remove one value from sparky.toml: the default holds again");
  unset_command->add_option("KEY", key, "for example run.jobs")->required();
  unset_command->callback([&] { context.exit = change(context, key, std::nullopt); });
  command->callback([&context, command] {
    if (command->get_subcommands().empty()) context.exit = list(context);
  });
}

}  // namespace sparky::cli
