// The command line: parses arguments, calls one command, returns its exit code. A command family per file
// (plan_commands.cc, …), listed in commands.cc.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace CLI {
class App;
}

namespace sparky::cli {

// Exit codes, the same for every command.
enum Exit : int { done = 0, failed = 1, bad_usage = 2, decisions_left = 3, interrupted = 130 };

// What every command sees: the global options, and where it leaves its exit code.
struct Context {
  std::filesystem::path project;  // --project DIR; empty: find_project() decides
  bool json = false;              // --json: one document on stdout, everything else on stderr
  int exit = done;
};

int run(int argc, char** argv);
void add_global_options(CLI::App& app, Context& context);  // --json, --project; on the app and on each command

// Prints "sparky: error: …" and the help line to stderr, and gives the exit code for the context: bad_usage for
// Errc::invalid, failed otherwise.
int report(const Error& error);
bool color_wanted(int fd);  // a terminal, and neither NO_COLOR nor TERM=dumb

}  // namespace sparky::cli
