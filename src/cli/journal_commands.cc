// sparky journal, prune: is the record whole, what is in it, and what may leave it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/door.h"
#include "journal/journal.h"
#include "journal/lock.h"
#include "wire/client.h"

namespace sparky::cli {
namespace {

std::filesystem::path journal_file(const Context& context) {
  return find_project(context.project) / ".sparky" / "journal.db";
}

Result<int> verify(const Context& context) {
  SPARKY_ASSIGN(auto found, journal::verify(journal_file(context)));
  if (context.json)
    fmt::print("{}\n", json_text(Json{{"records", found.records},
                                      {"archived_gaps", found.stubs},
                                      {"newest", found.head.seq},
                                      {"digest", hex(found.head.digest)}}));
  else
    fmt::print("whole: {} records, newest {}, digest {}\n", found.records, found.head.seq, hex(found.head.digest));
  return done;
}

// One line of JSON for each event, as on the event socket.
Result<int> export_events(const Context& context) {
  SPARKY_ASSIGN(auto door, open_door(context));
  for (uint64_t after = 0;;) {
    SPARKY_ASSIGN(auto part, door->ask<wire::EventList>(wire::ReadEvents{.after = after, .max = 10'000}));
    for (auto& event : part.events) fmt::print("{}\n", json_text(*event));
    if (part.after >= part.newest) return done;
    after = part.after;
  }
}

Result<int> salvage(const Context& context) {
  SPARKY_ASSIGN(auto lock, journal::ProjectLock::take(journal_file(context).parent_path()));
  SPARKY_ASSIGN(auto saved, journal::salvage(journal_file(context)));
  fmt::print("{} records kept; the damaged file is {}\n", saved.records, printable(saved.damaged.string()));
  if (!saved.stopped_at.empty()) fmt::print("stopped at: {}\n", printable(saved.stopped_at));
  return done;
}

Result<int> prune(const Context& context, const wire::Prune& request) {
  SPARKY_ASSIGN(auto door, open_door(context));
  SPARKY_ASSIGN(auto reply, door->ask<wire::Pruned>(request, std::chrono::minutes(5)));
  if (context.json) {
    fmt::print("{}\n", json_text(Json{{"runs", reply.runs}, {"files", reply.files}}));
    return done;
  }
  for (size_t i = 0; i < reply.runs.size(); ++i)
    fmt::print("run {} is archived in {}\n", reply.runs[i], i < reply.files.size() ? printable(reply.files[i]) : "");
  if (reply.runs.empty()) fmt::print("nothing to archive: only finished runs leave the journal\n");
  return done;
}

void settle(Context& context, const Result<int>& code) { context.exit = code ? *code : report(code.error()); }

}  // namespace

void add_journal_commands(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("journal", "Check, export or save the record of all that happened");
  command->require_subcommand(1);
  command->fallthrough();
  command->add_subcommand("verify", "Check every record against the one before it, and the file itself")->callback([&] {
    settle(context, verify(context));
  });
  command->add_subcommand("export", "Print every event as a line of JSON")->callback([&] {
    settle(context, export_events(context));
  });
  command->add_subcommand("salvage", "Put a damaged journal aside and go on with its longest whole beginning")
      ->callback([&] { settle(context, salvage(context)); });

  static wire::Prune request;
  auto* prune_command =
      app.add_subcommand("prune", "Archive finished runs, so that the journal does not grow for ever");
  prune_command->add_option("--keep", request.keep, "the newest so many finished runs stay")->type_name("N");
  prune_command->add_option("--run", request.runs, "only this one (may be repeated)")->type_name("N");
  prune_command->footer("Example:\n  sparky prune --keep 5");
  prune_command->callback([&] { settle(context, prune(context, request)); });
}

}  // namespace sparky::cli
