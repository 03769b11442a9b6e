// The families of commands about agents: agents, worktrees, gc; review, shell.
#pragma once

namespace CLI {
class App;
}

namespace sparky::cli {
struct Context;

void add_agents_commands(CLI::App& app, Context& context);
void add_review_commands(CLI::App& app, Context& context);

}  // namespace sparky::cli
