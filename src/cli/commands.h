// The table of contents of the command line: each function adds one family of commands. Only who calls one includes
// this, so that a new family does not make all of them compile again.
#pragma once
#include <string>

namespace CLI {
class App;
}

namespace sparky::cli {
struct Context;

void add_config_commands(CLI::App& app, Context& context);
void add_docs_commands(CLI::App& app, Context& context);
void add_run_commands(CLI::App& app, Context& context);
void add_operate_commands(CLI::App& app, Context& context);
void add_log_commands(CLI::App& app, Context& context);
void add_report_commands(CLI::App& app, Context& context);
void add_journal_commands(CLI::App& app, Context& context);
void add_init_commands(CLI::App& app, Context& context);
void add_plan_commands(CLI::App& app, Context& context);

void add_all_commands(CLI::App& app, Context& context);
void add_hardware_commands(CLI::App& app, Context& context);
void add_palette_commands(CLI::App& app, Context& context);
void add_deploy_command(CLI::App& app, Context& context);
void add_validate_command(CLI::App& app, Context& context);  // on its own, and in the pixel family
void add_pixel_commands(CLI::App& app, Context& context);
void add_sheet_commands(CLI::App& app, Context& context);
void add_snap_command(CLI::App& pixel, Context& context);  // of the pixel family
void add_dataset_commands(CLI::App& app, Context& context);
void add_env_commands(CLI::App& app, Context& context);
void add_serve_commands(CLI::App& app, Context& context);
void add_queue_commands(CLI::App& app, Context& context);
void add_doctor_commands(CLI::App& app, Context& context);
void add_bench_commands(CLI::App& app, Context& context);
void add_sprite_commands(CLI::App& app, Context& context);
void add_gallery_commands(CLI::App& app, Context& context);
void add_tui_command(CLI::App& app, Context& context);
void add_compare_commands(CLI::App& app, Context& context);
void add_agents_commands(CLI::App& app, Context& context);  // agents, worktrees, gc
void add_review_commands(CLI::App& app, Context& context);  // review, shell

// The terminal studio at a daemon's address; empty: this project's, which is started if none runs. The exit code.
int open_studio(const Context& context, const std::string& address);

}  // namespace sparky::cli
