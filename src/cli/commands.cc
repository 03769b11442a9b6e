#include "cli/commands.h"

#include <CLI/CLI.hpp>

#include "cli/cli.h"

namespace sparky::cli {

void add_all_commands(CLI::App& app, Context& context) {
  (void)app;
  (void)context;
}

}  // namespace sparky::cli
