// Looking into a run: runs, explain, logs.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/door.h"
#include "wire/client.h"

namespace sparky::cli {
namespace {

struct Options {
  uint32_t run = 0;
  std::string id;
  bool follow = false;
  bool list = false;
  uint64_t attempt = 0;
};

int runs(const Context& context) {
  auto door = open_door(context);
  if (!door) return report(door.error());
  auto reply = (*door)->ask<wire::RunList>(wire::ListRuns{});
  if (!reply) return report(reply.error());
  if (context.json) {
    fmt::print("{}\n", json_text(*reply->runs, 2));
    return done;
  }
  if (reply->runs->empty()) fmt::print("no run yet; `sparky run PLAN` starts one\n");
  for (auto& r : *reply->runs)
    fmt::print("{:>4}  {:<18} {:>4.0f} %  {:>5}/{:<5} {}  {}\n", r.value("run", 0), r.value("state", ""),
               100 * r.value("progress", 0.0), r.value("done", 0), r.value("total", 0), r.value("created", ""),
               printable(r.value("plan", "")));
  return done;
}

int explain(const Context& context, const Options& o) {
  auto door = open_door(context);
  if (!door) return report(door.error());
  auto reply = (*door)->ask<wire::Explanation>(wire::Explain{o.run, o.id});
  if (!reply) return report(reply.error());
  if (context.json) {
    Json links = Json::array();
    for (auto& l : reply->links) links.push_back({{"target", l.target}, {"text", l.text}, {"action", l.action}});
    fmt::print("{}\n", json_text(Json{{"id", o.id}, {"chain", links}}, 2));
    return done;
  }
  int depth = 0;
  for (auto& l : reply->links) {
    auto line = l.text.starts_with(l.target) ? l.text : l.target + " " + l.text;
    fmt::print("{}{}\n", std::string(size_t(2 * depth), ' '), printable(line));
    if (!l.action.empty()) fmt::print("{}  → {}\n", std::string(size_t(2 * depth), ' '), printable(l.action));
    ++depth;
  }
  return done;
}

// A log goes out byte for byte into a pipe or file; for a terminal, what could steer it is made visible.
void print_log(std::string_view bytes, bool terminal) {
  std::string text = terminal ? printable(bytes) : std::string(bytes);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

Result<wire::LogFile> pick(wire::Door& door, const Options& o) {
  SPARKY_ASSIGN(auto list, door.ask<wire::LogList>(wire::ListLogs{o.run, o.id}));
  if (list.logs.empty())
    return fail(Errc::not_found, fmt::format("{} has no log yet", o.id),
                fmt::format("`sparky explain {}` says why", o.id));
  if (o.attempt == 0) return list.logs.back();
  for (auto& log : list.logs)
    if (log.attempt == o.attempt) return log;
  return fail(Errc::not_found, fmt::format("{} has no attempt {}", o.id, o.attempt), "`--list` shows its attempts");
}

int list_logs(const Context& context, const Options& o) {
  auto door = open_door(context);
  if (!door) return report(door.error());
  auto reply = (*door)->ask<wire::LogList>(wire::ListLogs{o.run, o.id});
  if (!reply) return report(reply.error());
  Json all = Json::array();
  for (auto& l : reply->logs) {
    all.push_back({{"attempt", l.attempt}, {"what", l.what}, {"path", l.path}, {"size", l.size}, {"live", l.live}});
    if (!context.json)
      fmt::print("{:>6}  {:<10} {:>10}  {}{}\n", l.attempt, l.what, human_bytes(double(l.size)), printable(l.path),
                 l.live ? "  (running)" : "");
  }
  if (context.json) fmt::print("{}\n", json_text(all, 2));
  return done;
}

// How far a log has been printed.
struct Position {
  uint64_t attempt = 0, offset = 0;
};

// Prints what is new; true: it still runs.
Result<bool> print_more(wire::Door& door, const Options& o, Position& position) {
  bool terminal = isatty(STDOUT_FILENO);
  SPARKY_ASSIGN(auto log, pick(door, o));
  if (log.attempt != position.attempt) {
    if (position.attempt != 0) fmt::print(stderr, "--- attempt {} ({})\n", log.attempt, log.what);
    position = {log.attempt, 0};
  }
  for (bool more = true; more;) {
    auto part = door.ask<wire::LogPart>(wire::ReadLog{log.path, position.offset, 1 << 18});
    // A command that has printed nothing has no log file.
    if (!part && part.error().is(Errc::not_found)) break;
    if (!part) return std::unexpected(part.error());
    print_log(part->data.data, terminal);
    position.offset = part->offset + part->data.data.size();
    more = !part->data.empty();
  }
  return log.live;
}

int logs(const Context& context, const Options& o) {
  if (o.list) return list_logs(context, o);
  auto door = open_door(context);
  if (!door) return report(door.error());
  Position position;
  for (bool reopened = false;;) {
    auto live = print_more(**door, o, position);
    // A Sparky that was followed may end with its run; the rest of the log is there without it.
    if (!live && live.error().is(Errc::unavailable) && !std::exchange(reopened, true)) {
      door = open_door(context);
      if (!door) return report(door.error());
      continue;
    }
    if (!live) return report(live.error());
    if (!o.follow || !*live) return done;
    if (reopened) {
      fmt::print(stderr, "no Sparky follows {} any more; `sparky run` takes it up again\n", printable(o.id));
      return done;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

}  // namespace

void add_log_commands(CLI::App& app, Context& context) {
  static Options o;
  auto* runs_command = app.add_subcommand("runs", "List the project's runs, newest first");
  runs_command->callback([&] { context.exit = runs(context); });

  auto* explain_command = app.add_subcommand("explain", "Why a workstream or gate waits: the exact chain");
  explain_command->add_option("WS", o.id, "workstream or gate")->required();
  explain_command->add_option("--run", o.run, "number of the run (default: the latest)")->type_name("N");
  explain_command->callback([&] { context.exit = explain(context, o); });

  auto* logs_command = app.add_subcommand("logs", "Print the output of a workstream, gate or job");
  logs_command->add_option("WS", o.id, "workstream, gate or job")->required();
  logs_command->add_flag("-f,--follow", o.follow, "go on while it runs");
  logs_command->add_flag("-l,--list", o.list, "list its attempts and their logs");
  logs_command->add_option("--attempt", o.attempt, "of this attempt (default: the newest)")->type_name("N");
  logs_command->add_option("--run", o.run, "number of the run (default: the latest)")->type_name("N");
  logs_command->footer("Examples:\n  sparky logs WS-05 -f\n  sparky logs gate-1 --list");
  logs_command->callback([&] { context.exit = logs(context, o); });
}

}  // namespace sparky::cli
