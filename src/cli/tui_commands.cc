// sparky tui: the terminal studio.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <mutex>

#include "base/files.h"
#include "base/process.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/door.h"
#include "journal/lock.h"
#include "plan/templates.h"
#include "tui/app.h"
#include "wire/address.h"

namespace sparky::cli {

namespace {

// A daemon of its own, if none has the project; it leaves when nobody asks and nothing runs.
Status ensure_daemon(const std::filesystem::path& project) {
  if (!journal::ProjectLock::holder(project / ".sparky").empty()) return {};
  std::error_code ec;
  auto self = std::filesystem::read_symlink("/proc/self/exe", ec).string();
  auto started = run_program({self, "serve", "--detach", "--idle-exit", "2m", "--project", project.string()});
  if (!started) return std::unexpected(started.error());
  if (started->ok()) return {};
  // Its usual ports may belong to another project's daemon: the project's own sockets serve the studio.
  started = run_program({self, "serve", "--detach", "--idle-exit", "2m", "--project", project.string(), "--req", "none",
                         "--http", "none", "--pub", "none", "--events", "none", "--workers", "none"});
  if (!started) return std::unexpected(started.error());
  if (started->ok()) return {};
  return fail(Errc::unavailable, "no daemon runs here and none could be started: " + started->err,
              "`sparky serve` says why");
}

// A connection to the project's daemon, from any thread. The first time one is started if none has the project; one
// that leaves later is waited for: whoever ended it had a reason.
class Starter {
 public:
  explicit Starter(std::filesystem::path project) : project_(std::move(project)) {}
  Result<wire::Client> connect() {
    {
      std::lock_guard lock(mutex_);
      if (!std::exchange(tried_, true)) started_ = ensure_daemon(project_);
    }
    auto client = wire::Client::connect(wire::project_address(project_, "sock"), Duration(1500));
    if (!client && !started_) return std::unexpected(started_.error());
    return client;
  }

 private:
  std::filesystem::path project_;
  std::mutex mutex_;
  bool tried_ = false;
  Status started_;
};

// The plan to watch, into a project that may have files of its own.
Status write_tour(const std::filesystem::path& project) {
  auto there = [&](const plan::TemplateFile& file) { return std::filesystem::exists(project / file.path); };
  auto tour = *std::ranges::find(plan::templates(), "tour", &plan::Template::name);
  std::vector<plan::TemplateFile> files(tour.files.begin(), tour.files.end());
  if (there(*std::ranges::find(files, "plan.toml", &plan::TemplateFile::path)))
    return fail(Errc::exists, "there is a plan.toml here already", "R, then enter, runs it");
  std::erase_if(files, there);
  tour.files = files;
  return plan::write_template(tour, project);
}

}  // namespace

int open_studio(const Context& context, const std::string& address) {
  auto project = find_project(context.project);
  tui::AppOptions options;
  if (address.empty()) {
    options.memory = project / ".sparky" / "studio.json";
    options.connect = [starter = std::make_shared<Starter>(project)] { return starter->connect(); };
    options.write_example = [project] { return write_tour(project); };
  } else {
    options.connect = [address] { return wire::Client::connect(address, Duration(1500)); };
  }
  options.local = address.empty();
  auto ended = tui::run_app(options);
  return ended ? done : report(ended.error());
}

void add_tui_command(CLI::App& app, Context& context) {
  auto address = std::make_shared<std::string>();
  auto* tui =
      app.add_subcommand("tui", "The terminal studio: pictures, queue, gallery, plans; `sparky` alone opens it");
  tui->add_option("--connect", *address, "a daemon elsewhere (default: this project's, started if none runs)")
      ->type_name("ADDR");
  tui->footer(
      "Example:\n  sparky tui\n  sparky tui --connect tcp://127.0.0.1:5555\n"
      "SPARKY_GRAPHICS=kitty|iterm2|sixel|symbols overrides what the terminal was found to show.");
  tui->callback([&context, address] { context.exit = open_studio(context, *address); });
}

}  // namespace sparky::cli
