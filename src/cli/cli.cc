#include "cli/cli.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "base/text.h"
#include "cli/commands.h"

namespace sparky::cli {

int report(const Error& error) {
  fmt::print(stderr, "sparky: error: {}\n", printable(error.message));
  if (!error.help.empty()) fmt::print(stderr, "  help: {}\n", printable(error.help));
  return error.is(Errc::invalid) ? bad_usage : failed;
}

bool color_wanted(int fd) {
  const char* term = std::getenv("TERM");
  return isatty(fd) && !std::getenv("NO_COLOR") && !(term && std::string_view(term) == "dumb");
}

void add_global_options(CLI::App& app, Context& context) {
  app.add_flag("--json", context.json, "print one JSON document on stdout");
  app.add_option("--project", context.project, "the project directory (default: the nearest one with a .sparky/)")
      ->type_name("DIR");
}

int run(int argc, char** argv) {
  CLI::App app{"Sparky runs plans of parallel work and makes pixel art. Work counts as done when it was checked.",
               "sparky"};
  Context context;
  app.set_version_flag("--version", "sparky " SPARKY_VERSION);
  app.require_subcommand(0, 1);
  app.fallthrough();  // global options may stand behind the command
  add_global_options(app, context);
  add_all_commands(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    app.exit(e);
    return bad_usage;
  }
  if (!app.get_subcommands().empty()) return context.exit;
  const char* term = std::getenv("TERM");
  bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && std::string_view(term) != "dumb";
  if (terminal && !context.json) return open_studio(context, "");
  fmt::print("{}", app.help());
  return context.exit;
}

}  // namespace sparky::cli
