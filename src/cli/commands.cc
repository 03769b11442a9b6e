#include "cli/commands.h"

namespace sparky::cli {

void add_all_commands(CLI::App& app, Context& context) {
  add_init_commands(app, context);
  add_run_commands(app, context);
  add_operate_commands(app, context);
  add_log_commands(app, context);
  add_report_commands(app, context);
  add_journal_commands(app, context);
  add_plan_commands(app, context);
  add_config_commands(app, context);
  add_docs_commands(app, context);
  add_hardware_commands(app, context);
  add_pixel_commands(app, context);
  add_validate_command(app, context);
  add_deploy_command(app, context);
  add_palette_commands(app, context);
  add_sheet_commands(app, context);
  add_dataset_commands(app, context);
  add_env_commands(app, context);
  add_serve_commands(app, context);
  add_queue_commands(app, context);
  add_doctor_commands(app, context);
  add_bench_commands(app, context);
  add_sprite_commands(app, context);
  add_gallery_commands(app, context);
  add_compare_commands(app, context);
  add_tui_command(app, context);
  add_agents_commands(app, context);
  add_review_commands(app, context);
}

}  // namespace sparky::cli
