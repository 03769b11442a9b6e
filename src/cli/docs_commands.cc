// sparky docs: writes the reference that is generated from the program itself: docs/cli.md, docs/config.md, man pages.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/files.h"
#include "base/text.h"
#include "cli/cli.h"
#include "config/config.h"

namespace sparky::cli {
namespace {

std::string path_of(const CLI::App& command) {
  return command.get_parent() ? path_of(*command.get_parent()) + " " + command.get_name() : command.get_name();
}

bool shown(const CLI::App& command) { return !command.get_group().empty() && !command.get_name().empty(); }

std::string usage(const CLI::App& command) {
  std::string out = path_of(command);
  for (auto* o : command.get_options())
    if (o->get_positional()) {
      auto name = o->get_name(true) + (o->get_expected_max() > 1 ? "…" : "");
      out += o->get_required() ? " " + name : " [" + name + "]";
    }
  for (auto* sub : command.get_subcommands({}))
    if (shown(*sub)) return out + " COMMAND";
  return out;
}

// "--seed N" as it is typed.
std::string spelled(const CLI::Option& option) {
  std::string names = option.get_positional() ? option.get_name(true) : option.get_name(false, true);
  auto type = option.get_type_size() == 0 || option.get_positional() ? "" : option.get_type_name();
  return type.empty() ? names : names + " " + type;
}

// A command's examples; CLI11 lets subcommands inherit them, which would repeat them under each.
std::string examples(const CLI::App& command) {
  auto footer = command.get_footer();
  return command.get_parent() && command.get_parent()->get_footer() == footer ? "" : footer;
}

void markdown(const CLI::App& command, std::string& out, int depth) {
  out += fmt::format("{} `{}`\n\n{}\n\n", std::string(size_t(std::min(depth, 6)), '#'), usage(command),
                     command.get_description());
  bool table = false;
  for (auto* o : command.get_options()) {
    if (o->get_group().empty() || o->get_name() == "--help") continue;
    if (!table) out += "| option | meaning |\n| --- | --- |\n";
    table = true;
    std::string meaning = o->get_description();
    for (size_t at = 0; (at = meaning.find('|', at)) != meaning.npos; at += 2) meaning.insert(at, "\\");
    out += fmt::format("| `{}` | {} |\n", spelled(*o), meaning);
  }
  if (table) out += "\n";
  if (auto footer = examples(command); !footer.empty()) out += fmt::format("```\n{}\n```\n\n", footer);
  for (auto* sub : command.get_subcommands({}))
    if (shown(*sub)) markdown(*sub, out, depth + 1);
}

std::string roff(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '-') out += '\\';
    if (out.empty() || out.back() == '\n')
      if (c == '.' || c == '\'') out += "\\&";
    out += c;
  }
  return out;
}

void man_section(const CLI::App& command, std::string& out) {
  out += fmt::format(".SS {}\n{}\n", roff(usage(command)), roff(command.get_description()));
  for (auto* o : command.get_options())
    if (!o->get_group().empty() && o->get_name() != "--help")
      out += fmt::format(".TP\n.B {}\n{}\n", roff(spelled(*o)), roff(o->get_description()));
  if (auto footer = examples(command); !footer.empty()) out += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(footer));
  for (auto* sub : command.get_subcommands({}))
    if (shown(*sub)) man_section(*sub, out);
}

// One page per command, and sparky(1) as the table of contents.
std::string man_page(const CLI::App& command, std::string_view name) {
  std::string out = fmt::format(".TH {} 1 \"\" \"sparky " SPARKY_VERSION "\" \"Sparky\"\n.SH NAME\n{} \\- {}\n",
                                roff(name), roff(name), roff(command.get_description()));
  out += ".SH COMMANDS AND OPTIONS\n";
  man_section(command, out);
  out +=
      ".SH EXIT STATUS\n0 done, 1 something failed, 2 bad usage or plan, 3 only decisions are left, 130 interrupted.\n";
  return out;
}

std::string config_reference() {
  std::string out =
      "# Settings\n\nIn `sparky.toml` beside `.sparky/`, or in the environment, which goes over the file. `sparky "
      "config` "
      "shows each\nvalue and where it comes from.\n\n| key | default | environment | meaning |\n| --- | --- | --- | "
      "--- |\n";
  for (auto& s : config::settings())
    out += fmt::format("| `{}` | `{}` | `{}` | {} |\n", s.key, s.initial.empty() ? "\"\"" : s.initial, s.environment(),
                       s.meaning);
  return out;
}

Status write_all(const CLI::App& app, const std::filesystem::path& dir) {
  std::string cli =
      "# The command line\n\nMade from the program by `./dev docs`; `sparky COMMAND --help` says the same.\n\n";
  markdown(app, cli, 2);
  SPARKY_TRY(write_file_atomic(dir / "cli.md", cli, {.sync = false}));
  SPARKY_TRY(write_file_atomic(dir / "config.md", config_reference(), {.sync = false}));
  std::string overview = man_page(app, "sparky");
  SPARKY_TRY(write_file_atomic(dir / "man" / "sparky.1", overview, {.sync = false}));
  for (auto* sub : app.get_subcommands({}))
    if (auto name = "sparky-" + sub->get_name(); shown(*sub))
      SPARKY_TRY(write_file_atomic(dir / "man" / (name + ".1"), man_page(*sub, name), {.sync = false}));
  return {};
}

}  // namespace

void add_docs_commands(CLI::App& app, Context& context) {
  static std::filesystem::path dir = "docs";
  auto* command = app.add_subcommand("docs", "Write the generated reference: cli.md, config.md and man pages");
  command->add_option("DIR", dir, "where to (default: docs)");
  command->callback([&] {
    auto written = write_all(app, dir);
    context.exit = written ? done : report(written.error());
  });
}

}  // namespace sparky::cli
