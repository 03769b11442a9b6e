// sparky run, status, watch: start or resume a plan and follow it; how it stands; what happens.
//
// `run` is a client like any other. With a daemon alive it asks that one; else it hosts the loop itself, in a thread,
// and talks to it over the same socket that others can attach to.
#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/door.h"
#include "cli/dry_run.h"
#include "cli/status_view.h"
#include "conductor/conductor.h"
#include "config/config.h"
#include "telemetry/hardware.h"
#include "wire/address.h"
#include "wire/client.h"

namespace sparky::cli {
namespace {
using std::chrono::milliseconds;

struct Options {
  std::filesystem::path plan;
  wire::StartRun start;
  uint32_t run = 0;
  bool dry_run = false;
  bool plain = false;
  bool events_only = false;
};

// The loop in a thread of this process, for a `run` without a daemon.
class Host {
 public:
  static Result<std::unique_ptr<Host>> start(const Context& context) {
    auto project = find_project(context.project);
    auto settings = config::load(project).config;
    conductor::Options options;
    options.project = project;
    options.slots = unsigned(settings.integer("run.jobs"));
    options.status_every = settings.duration("run.snapshot_every");
    options.notify = settings.text("run.notify");
    options.log_max_bytes = uint64_t(settings.integer("run.log_max_mb")) << 20;
    auto facts = telemetry::facts();
    options.facts.assign(facts.begin(), facts.end());
    options.studio = studio_answers(project);
    auto host = std::unique_ptr<Host>(new Host);
    options.log = [h = host.get()](std::string_view line) {
      std::lock_guard hold(h->mutex_);
      h->said_.emplace_back(line);
    };
    SPARKY_ASSIGN(host->conductor_, conductor::Conductor::open(std::move(options)));
    host->thread_ = std::thread([h = host.get()] { h->ended_ = h->conductor_->run(); });
    return host;
  }
  ~Host() { (void)stop(); }
  Status stop() {
    if (!thread_.joinable()) return {};
    conductor_->stop();
    thread_.join();
    return ended_;
  }
  std::vector<std::string> take_said() {
    std::lock_guard hold(mutex_);
    return std::exchange(said_, {});
  }

 private:
  Host() = default;
  std::unique_ptr<conductor::Conductor> conductor_;
  std::thread thread_;
  Status ended_;
  std::mutex mutex_;
  std::vector<std::string> said_;
};

volatile sig_atomic_t interrupts = 0;
void count_interrupt(int) { interrupts = interrupts + 1; }

// Shows a run until nothing will happen in it any more. In a terminal a picture that redraws in place; into a pipe a
// line for each event.
class Watcher {
 public:
  Watcher(wire::Client& client, Host* host, uint32_t run, bool plain, bool may_steer)
      : client_(client), host_(host), run_(run), redraw_(!plain && isatty(STDERR_FILENO)), may_steer_(may_steer) {}

  Result<Json> until_settled(wire::Follower& follower) {
    struct sigaction action{}, before{};
    action.sa_handler = count_interrupt;
    if (may_steer_) sigaction(SIGINT, &action, &before);
    auto settled = loop(follower);
    if (may_steer_) sigaction(SIGINT, &before, nullptr);
    return settled;
  }

 private:
  Result<Json> loop(wire::Follower& follower) {
    auto last = std::chrono::steady_clock::now() - std::chrono::hours(1);
    auto pace = milliseconds(250);
    bool changed = true;
    for (;;) {
      SPARKY_ASSIGN(auto event, follower.next(milliseconds(redraw_ && changed ? 50 : 200)));
      steer();
      if (host_)
        for (auto& line : host_->take_said()) say(line);
      if (event && event->run == run_) changed = true, tell(*event);
      bool settled = event && event->run == run_ && event->event == "run-settled";
      auto since = std::chrono::steady_clock::now() - last;
      // Asking for the whole state costs something on a large plan. A picture needs it at most four times a second, and
      // a small part of the time; lines for events only to know the end, should it have come before the first of them.
      auto at_rest = std::max(pace, redraw_ ? milliseconds(1000) : milliseconds(5000));
      bool quiet = redraw_ || !event;
      if (settled || (redraw_ && changed && since >= pace) || (quiet && since >= at_rest)) {
        auto asked = std::chrono::steady_clock::now();
        SPARKY_ASSIGN(auto state, client_.ask<wire::RunState>(wire::RunStatus{run_}));
        last = std::chrono::steady_clock::now();
        pace = std::max(milliseconds(250), 20 * std::chrono::duration_cast<milliseconds>(last - asked));
        changed = false;
        bool running = state.status->value("state", "") == "running";
        if (redraw_) draw(*state.status, !running);
        if (running) continue;
        SPARKY_TRY(tell_the_rest(follower, state.newest));
        return Json(*state.status);
      }
    }
  }

  // The first Ctrl-C starts nothing new, the second cancels what runs, the third leaves at once.
  void steer() {
    if (!may_steer_ || interrupts == handled_) return;
    handled_ = interrupts;
    if (handled_ == 1) {
      say("no new work is started; what runs finishes (Ctrl-C again cancels it). The same command goes on later.");
      (void)client_.ask<wire::Done>(wire::PauseRun{run_});
    } else if (handled_ == 2) {
      say("cancelling what runs. The same command runs it again.");
      (void)client_.ask<wire::Done>(wire::CancelRun{run_});
    } else {
      _exit(interrupted);  // attempts stay with the warden, and the journal has all that was acknowledged
    }
  }

  // The state may be ahead of the events that were told.
  Status tell_the_rest(wire::Follower& follower, uint64_t newest) {
    while (!redraw_ && follower.position() < newest) {
      SPARKY_ASSIGN(auto event, follower.next(milliseconds(1000)));
      if (!event) break;
      if (event->run == run_) tell(*event);
    }
    return {};
  }

  void tell(const wire::EventMessage& event) {
    if (redraw_ || event.text.empty()) return;
    auto clock = event.time.size() >= 19 ? event.time.substr(11, 8) : event.time;
    fmt::print(stderr, "{} {}\n", clock, printable(event.text));
  }

  void say(std::string_view line) {
    erase();
    fmt::print(stderr, "{}\n", printable(line));
  }

  void erase() {
    if (drawn_ > 0) fmt::print(stderr, "\x1b[{}A\x1b[J", drawn_);
    drawn_ = 0;
  }

  void draw(const Json& status, bool whole) {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) size = {24, 80, 0, 0};
    ViewStyle style{.color = color_wanted(STDERR_FILENO), .width = size.ws_col, .rows = whole ? 0 : size.ws_row - 1};
    auto text = status_view(status, now(), style);
    // Synchronized update (DEC 2026): the terminal shows the new picture at once, without flicker.
    fmt::print(stderr, "\x1b[?2026h");
    erase();
    fmt::print(stderr, "{}\x1b[?2026l", text);
    drawn_ = int(std::count(text.begin(), text.end(), '\n'));
    if (whole) drawn_ = 0;
  }

  wire::Client& client_;
  Host* host_;
  uint32_t run_;
  bool redraw_, may_steer_;
  int drawn_ = 0;
  sig_atomic_t handled_ = 0;
};

Result<int> finish(const Context& context, const Json& status, bool shown) {
  if (context.json)
    fmt::print("{}\n", json_text(status, 2));
  else if (!shown)
    fmt::print("{}", status_view(status, now(), {.color = color_wanted(STDOUT_FILENO), .width = 1000}));
  auto state = status.value("state", "");
  int code = status.value("exit_code", int(failed));
  if (!context.json) {
    if (code == interrupted) fmt::print(stderr, "{}; the same command goes on where it was\n", state);
    if (code == decisions_left) fmt::print(stderr, "only decisions are left; `sparky decide` answers them\n");
    if (code == failed)
      fmt::print(
          stderr,
          "something failed; `sparky logs ID` and `sparky explain ID` say more, `sparky retry ID` tries again\n");
    fmt::print(stderr, "`sparky report completion` writes the report\n");
  }
  return code;
}

// Why following ended early. A loop of our own says it itself (its disk is full, …); one of another process may have
// ended together with the run, and then the journal has the rest.
Result<Json> last_word(const Context& context, Host* host, uint32_t run, const Error& error) {
  if (host) {
    SPARKY_TRY(host->stop());
    return std::unexpected(error);
  }
  SPARKY_ASSIGN(auto door, open_door(context));
  SPARKY_ASSIGN(auto state, door->ask<wire::RunState>(wire::RunStatus{run}));
  if (state.status->value("state", "") != "running") return Json(*state.status);
  return fail(Errc::unavailable, fmt::format("the Sparky that carried out run {} has ended", run),
              "`sparky run` goes on where it was");
}

Result<wire::Client> reach(const Context& context, std::unique_ptr<Host>& host) {
  auto client = connect(context);
  if (client || !client.error().is(Errc::unavailable)) return client;
  SPARKY_ASSIGN(host, Host::start(context));
  return connect(context);
}

Result<int> start_run(const Context& context, Options& o) {
  std::error_code ec;
  o.start.plan = std::filesystem::absolute(o.plan, ec).lexically_normal().string();
  if (o.dry_run) return dry_run(context, o.start);
  std::unique_ptr<Host> host;
  SPARKY_ASSIGN(auto client, reach(context, host));
  auto asked = client.ask<wire::RunStarted>(o.start, std::chrono::seconds(60));
  if (!asked && host) SPARKY_TRY(host->stop());  // its reason to end, if it has ended
  if (!asked) return std::unexpected(asked.error());
  auto& started = *asked;
  for (auto& note : started.notes) fmt::print(stderr, "{}\n", printable(note));
  SPARKY_ASSIGN(auto follower, wire::Follower::start(client, started.newest));
  Watcher watcher(client, host.get(), started.run, o.plain || context.json, true);
  auto status = watcher.until_settled(follower);
  if (!status) status = last_word(context, host.get(), started.run, status.error());
  if (!status) return std::unexpected(status.error());
  if (host) SPARKY_TRY(host->stop());
  return finish(context, *status, !o.plain && !context.json && isatty(STDERR_FILENO));
}

Result<int> show_status(const Context& context, const Options& o) {
  SPARKY_ASSIGN(auto door, open_door(context));
  SPARKY_ASSIGN(auto state, door->ask<wire::RunState>(wire::RunStatus{o.run}));
  if (context.json) {
    fmt::print("{}\n", json_text(*state.status, 2));
    return done;
  }
  winsize size{};
  bool terminal = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  fmt::print("{}", status_view(*state.status, now(),
                               {.color = color_wanted(STDOUT_FILENO), .width = terminal ? size.ws_col : 1000}));
  return done;
}

Result<int> watch(const Context& context, const Options& o) {
  auto connected = connect(context);
  if (!connected)
    return fail(Errc::unavailable, "no Sparky is running here: there is nothing to watch",
                "`sparky status` shows how the latest run stands; `sparky run` goes on with it");
  auto& client = *connected;
  SPARKY_ASSIGN(auto state, client.ask<wire::RunState>(wire::RunStatus{o.run}));
  SPARKY_ASSIGN(auto follower, wire::Follower::start(client, state.newest));
  if (context.json) {  // each event a line, until the daemon goes
    for (;;) {
      SPARKY_ASSIGN(auto event, follower.next(std::chrono::seconds(1)));
      if (!event || (o.run && event->run != o.run)) continue;
      fmt::print("{}\n", wire::encode(wire::Stream{*event}, wire::Encoding::json));
      std::fflush(stdout);
    }
  }
  Watcher watcher(client, nullptr, state.run, o.plain, false);
  auto status = watcher.until_settled(follower);
  if (!status) status = last_word(context, nullptr, state.run, status.error());
  if (!status) return std::unexpected(status.error());
  return finish(context, *status, !o.plain && isatty(STDERR_FILENO));
}

void settle(Context& context, const Result<int>& code) { context.exit = code ? *code : report(code.error()); }

}  // namespace

void add_run_commands(CLI::App& app, Context& context) {
  static Options o;
  auto* run = app.add_subcommand("run", "Start a plan, or resume it where it was, and show it until it is done");
  o.plan = ".";
  run->add_option("PLAN", o.plan, "a plan file, or a directory with a plan.toml (default: this directory)");
  run->add_option("-j,--jobs", o.start.jobs, "at most so many attempts at once")
      ->type_name("N")
      ->check(CLI::Range(1, 4096));
  run->add_option("--until", o.start.until, "run only what this gate or workstream needs; done when it is reached")
      ->type_name("ID");
  run->add_option("--only", o.start.only, "run only these, separated by commas")->delimiter(',')->type_name("ID,…");
  run->add_flag("--new", o.start.fresh, "a new run from the beginning, not the earlier one");
  run->add_flag("--dry-run", o.dry_run, "show what would run, in order, and run nothing");
  run->add_flag("--plain", o.plain, "a line for each event instead of a picture that redraws");
  run->footer(
      "Killed at any moment, the same command goes on where it was. Ctrl-C once lets running work finish, twice "
      "cancels it.\n\n"
      "Examples:\n"
      "  sparky run plans/dgx-pixels --until gate-1\n"
      "  sparky run plan.toml --jobs 4 --json > result.json\n\n"
      "Exit status: 0 done, 1 something failed, 2 bad usage or plan, 3 only decisions are left, 130 interrupted.");
  run->callback([&] { settle(context, start_run(context, o)); });

  auto* status = app.add_subcommand("status", "How a run stands: workstreams, gates, what needs a person");
  status->add_option("--run", o.run, "number of the run (default: the latest)")->type_name("N");
  status->callback([&] { settle(context, show_status(context, o)); });

  auto* watch_command = app.add_subcommand("watch", "Follow a run that another Sparky carries out");
  watch_command->add_option("--run", o.run, "number of the run (default: the latest)")->type_name("N");
  watch_command->add_flag("--plain", o.plain, "a line for each event instead of a picture that redraws");
  watch_command->footer("With --json: each event as one line of JSON.");
  watch_command->callback([&] { settle(context, watch(context, o)); });
}

}  // namespace sparky::cli
