// sparky report: the run as Markdown, with the evidence of each criterion. `completion` also writes a
// COMPLETION_SUMMARY.md for each workstream.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/door.h"
#include "wire/client.h"

namespace sparky::cli {
namespace {

struct Options {
  uint32_t run = 0;
  std::filesystem::path out;
};

// Text of others as inert Markdown: no headings, tables or HTML of its own.
std::string cell(std::string_view text) {
  std::string out;
  for (char c : printable(text)) {
    if (c == '\n')
      out += ' ';
    else if (c == '|' || c == '<' || c == '`' || c == '*' || c == '_')
      out += '\\', out += c;
    else
      out += c;
  }
  return out;
}

std::string date(const Json& from, const char* key) {
  auto t = from.value(key, "");
  return t.empty() ? "" : t.substr(0, 10) + " " + t.substr(11, 5);
}

class Report {
 public:
  Report(wire::Door& door, Json status) : door_(door), status_(std::move(status)) {}

  // One node with its criteria, as `show_node` gives it.
  Result<Json> node(const std::string& id) {
    SPARKY_ASSIGN(auto reply, door_.ask<wire::NodeReply>(wire::ShowNode{status_.value("run", 0u), id}));
    return Json(*reply.node);
  }

  // The end of a check's output: what it was judged by.
  std::string evidence(const std::string& id, uint64_t attempt) {
    auto logs = door_.ask<wire::LogList>(wire::ListLogs{status_.value("run", 0u), id});
    if (!logs) return "";
    for (auto& log : logs->logs) {
      if (log.attempt != attempt) continue;
      uint64_t from = log.size > 1500 ? log.size - 1500 : 0;
      auto part = door_.ask<wire::LogPart>(wire::ReadLog{log.path, from, 1500});
      if (!part || part->data.empty()) return "";
      auto text = printable(part->data.data);
      return (from ? "…\n" : "") + std::string(trim(text));
    }
    return "";
  }

  Result<std::string> summary(const Json& n) {
    auto id = n.value("id", "");
    std::string out = fmt::format("# {}: {}\n\n| | |\n|---|---|\n| state | {} |\n", cell(id), cell(n.value("name", "")),
                                  n.value("stage", ""));
    auto row = [&](std::string_view what, const std::string& value) {
      if (!value.empty()) out += fmt::format("| {} | {} |\n", what, value);
    };
    row("orchestrator", cell(n.value("orchestrator", "")));
    row("started", date(n, "started"));
    row("finished", date(n, "finished"));
    row("tries", n.contains("tries") ? std::to_string(n.value("tries", 0)) : "");
    row("worked", n.contains("worked_s") ? human(Duration(int64_t(1000 * n.value("worked_s", 0.0)))) : "");
    if (n.contains("estimate_days"))
      row("estimated", fmt::format("{:g}–{:g} working days", n["estimate_days"].value("min", 0.0),
                                   n["estimate_days"].value("max", 0.0)));
    row("cost", cost(n));
    row("note", cell(n.value("note", "")));
    out += "\n## Acceptance criteria\n\n";
    if (n.value("criteria", Json::array()).empty()) out += "None are stated.\n";
    for (auto& c : n.value("criteria", Json::array())) out += criterion(id, c);
    return out;
  }

  Result<std::string> completion(std::vector<std::pair<std::string, std::string>>& summaries) {
    std::string out = head("Completion report");
    std::string missing;
    for (auto& o : status_.at("orchestrators")) {
      out += fmt::format(
          "## {} — {}\n\n| workstream | state | criteria | worked | estimated | cost |\n|---|---|---|---|---|---|\n",
          cell(o.value("orchestrator", "")), o.value("status", ""));
      for (std::string id : o.at("order")) {
        SPARKY_ASSIGN(auto n, node(id));
        out += table_row(n);
        missing += not_shown(n);
        SPARKY_ASSIGN(auto text, summary(n));
        summaries.emplace_back(id, std::move(text));
      }
      out += "\n";
    }
    out += "## Gates\n\n";
    for (auto& g : status_.at("gates")) {
      out += fmt::format("### {} — {}\n\n", cell(g.value("name", "")), g.value("status", ""));
      for (auto& c : g.value("criteria", Json::array())) out += criterion(g.value("id", ""), c);
      missing += not_shown(g);
      out += "\n";
    }
    if (auto used = cost(status_); !used.empty()) out += fmt::format("Agents have used {} in all.\n\n", used);
    out += "## What was not shown\n\n";
    out += missing.empty() ? "Nothing: every criterion that was judged is verified.\n" : missing;
    return out + open_points();
  }

  Result<std::string> weekly(Time now) {
    std::string finished, running, waiting, costs;
    auto week_ago = now - std::chrono::days(7);
    for (auto& o : status_.at("orchestrators"))
      for (std::string id : o.at("order")) {
        auto& w = o.at("workstreams").at(id);
        SPARKY_ASSIGN(auto n, node(id));
        auto line = fmt::format("- **{}** {}", cell(id), cell(n.value("name", "")));
        if (auto used = cost(n); !used.empty()) costs += fmt::format("{}: {}\n", line, used);
        auto stage = n.value("stage", "");
        if (stage == "completed" || stage == "skipped") {
          auto t = parse_iso(n.value("finished", ""));
          if (t && *t >= week_ago) finished += fmt::format("{} ({}, {})\n", line, stage, date(n, "finished"));
        } else if (stage == "waiting") {
          waiting += fmt::format("{}: {}\n", line, cell(w.value("blocker", "")));
        } else {
          running += fmt::format("{}: {}{}\n", line, stage,
                                 w.contains("eta") ? ", expected " + date(w, "eta") : std::string());
        }
      }
    auto section = [](std::string_view title, const std::string& text) {
      return fmt::format("## {}\n\n{}\n", title, text.empty() ? "Nothing.\n" : text);
    };
    return head("Weekly report") + section("Done in the last seven days", finished) + section("Under way", running) +
           section("Waiting", waiting) + (costs.empty() ? costs : section("Cost: " + cost(status_), costs)) +
           open_points().substr(1);
  }

 private:
  std::string head(std::string_view title) {
    return fmt::format("# {}: {}\n\nRun {}, {}, {:.0f} % done; {}.\n\n", title, cell(status_.value("plan", "")),
                       status_.value("run", 0), status_.value("state", ""), 100 * status_.value("progress", 0.0),
                       date(status_, "changed"));
  }

  std::string table_row(const Json& n) {
    std::map<std::string, int> counts;
    for (auto& c : n.value("criteria", Json::array())) ++counts[c.value("verdict", "")];
    std::string verdicts;
    for (auto& [v, count] : counts) verdicts += fmt::format("{}{} {}", verdicts.empty() ? "" : ", ", count, v);
    std::string estimate;
    if (n.contains("estimate_days"))
      estimate = fmt::format("{:g}–{:g} d", n["estimate_days"].value("min", 0.0), n["estimate_days"].value("max", 0.0));
    return fmt::format("| {} {} | {} | {} | {} | {} | {} |\n", cell(n.value("id", "")), cell(n.value("name", "")),
                       n.value("stage", ""), verdicts, human(Duration(int64_t(1000 * n.value("worked_s", 0.0)))),
                       estimate, cost(n));
  }

  // What agents have used for it: "31k tokens, $0.41"; empty: no agent was at it.
  static std::string cost(const Json& from) {
    return from.contains("cost") ? cell(from["cost"].value("text", "")) : std::string();
  }

  std::string criterion(const std::string& id, const Json& c) {
    auto verdict = c.value("verdict", "");
    std::string out =
        fmt::format("- [{}] **{}** {}", verdict == "verified" ? "x" : " ", verdict, cell(c.value("text", "")));
    if (auto who = c.value("who", ""); !who.empty()) out += fmt::format(" — {}", cell(who));
    if (auto note = c.value("note", ""); !note.empty()) out += fmt::format(" ({})", cell(note));
    out += "\n";
    if (auto check = c.value("check", ""); !check.empty()) out += indented(printable(check), "$ ");
    if (auto attempt = c.value("evidence", uint64_t(0)))
      if (auto text = evidence(id, attempt); !text.empty()) out += indented(text, "");
    return out;
  }

  // A code block inside the list item, whatever the text holds.
  static std::string indented(const std::string& text, std::string_view prompt) {
    std::string out = "\n";
    for (auto line : split(text, '\n')) out += fmt::format("      {}{}\n", prompt, line);
    return out + "\n";
  }

  static std::string not_shown(const Json& n) {
    std::string out;
    for (auto& c : n.value("criteria", Json::array()))
      if (auto v = c.value("verdict", ""); v == "untestable" || v == "waived" || v == "failed")
        out += fmt::format("- {} **{}**: {}{}\n", cell(n.value("id", "")), v, cell(c.value("text", "")),
                           c.value("note", "").empty() ? "" : " (" + cell(c.value("note", "")) + ")");
    return out;
  }

  std::string open_points() {
    std::string out = "\n## Needs a person\n\n";
    if (status_.at("decisions").empty()) out += "Nothing.\n";
    for (auto& d : status_.at("decisions"))
      out += fmt::format("- {} {}: {}\n", d.value("id", ""), cell(d.value("target", "")), cell(d.value("text", "")));
    out += "\n## Noticed\n\n";
    if (status_.at("escalations").empty()) out += "Nothing.\n";
    for (auto& e : status_.at("escalations"))
      out += fmt::format("- {} ({}) {}: {}\n", e.value("type", ""), e.value("severity", ""),
                         cell(e.value("target", "")), cell(e.value("text", "")));
    return out;
  }

  wire::Door& door_;
  Json status_;
};

Result<int> completion(const Context& context, const Options& o) {
  SPARKY_ASSIGN(auto door, open_door(context));
  SPARKY_ASSIGN(auto state, door->ask<wire::RunState>(wire::RunStatus{o.run}));
  Report report(*door, *state.status);
  std::vector<std::pair<std::string, std::string>> summaries;
  SPARKY_ASSIGN(auto text, report.completion(summaries));
  auto dir =
      o.out.empty() ? find_project(context.project) / ".sparky" / "reports" / fmt::format("run-{}", state.run) : o.out;
  SPARKY_TRY(write_file_atomic(dir / "COMPLETION_REPORT.md", text, {.sync = false}));
  for (auto& [id, summary] : summaries) {
    std::string safe = id;  // an id may hold anything; a directory's name may not
    for (auto& c : safe)
      if (c == '/' || c == '\0') c = '_';
    if (safe == "." || safe == "..") safe = "_";
    SPARKY_TRY(write_file_atomic(dir / safe / "COMPLETION_SUMMARY.md", summary, {.sync = false}));
  }
  auto file = dir / "COMPLETION_REPORT.md";
  if (context.json)
    fmt::print("{}\n", json_text(Json{{"report", file.string()}, {"summaries", summaries.size()}}));
  else
    fmt::print("{}\n", printable(file.string()));
  return done;
}

Result<int> weekly(const Context& context, const Options& o) {
  SPARKY_ASSIGN(auto door, open_door(context));
  SPARKY_ASSIGN(auto state, door->ask<wire::RunState>(wire::RunStatus{o.run}));
  Report report(*door, *state.status);
  SPARKY_ASSIGN(auto text, report.weekly(now()));
  if (o.out.empty())
    fmt::print("{}", text);
  else
    SPARKY_TRY(write_file_atomic(o.out, text, {.sync = false}));
  return done;
}

}  // namespace

void add_report_commands(CLI::App& app, Context& context) {
  static Options o;
  auto* report_command = app.add_subcommand("report", "Write what was done, with the evidence of each criterion");
  report_command->require_subcommand(1);
  report_command->fallthrough();
  auto* full =
      report_command->add_subcommand("completion", "The whole run, and a COMPLETION_SUMMARY.md per workstream");
  full->add_option("-o,--output", o.out, "directory (default: .sparky/reports/run-N)")->type_name("DIR");
  full->add_option("--run", o.run, "number of the run (default: the latest)")->type_name("N");
  full->callback([&] {
    auto code = completion(context, o);
    context.exit = code ? *code : report(code.error());
  });
  auto* week = report_command->add_subcommand("weekly", "What was done in the last seven days, and what is open");
  week->add_option("-o,--output", o.out, "file (default: standard output)")->type_name("FILE");
  week->add_option("--run", o.run, "number of the run (default: the latest)")->type_name("N");
  week->callback([&] {
    auto code = weekly(context, o);
    context.exit = code ? *code : report(code.error());
  });
}

}  // namespace sparky::cli
