#include "agents/prompt.h"

#include <fmt/format.h>

#include <charconv>

#include "base/files.h"
#include "base/text.h"
#include "plan/by_agent.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

constexpr size_t spec_max = 100'000, rules_max = 30'000, summary_max = 8'000, diff_max = 200'000;

std::string shortened(std::string text, size_t max, std::string_view where) {
  if (text.size() <= max) return text;
  text.resize(max);
  while (!text.empty() && invalid_utf8(text)) text.pop_back();
  return text + fmt::format("\n\n[… shortened; the whole is in {}]\n", where);
}

std::string read_first(std::initializer_list<fs::path> candidates, size_t max) {
  for (auto& file : candidates)
    if (auto text = read_file(file, 16u << 20); text && !invalid_utf8(*text))
      return shortened(std::move(*text), max, file.filename().string());
  return {};
}

std::string specification(const Task& task, const fs::path& root) {
  auto& w = task.workstream;
  if (w.spec.empty()) return {};
  std::error_code ec;
  // The spec is relative to the plan file, which may lie in the repository: then the worktree's own copy counts.
  auto within = fs::relative(task.plan_directory / w.spec, task.root, ec);
  auto text = read_first({root / within, task.plan_directory / w.spec}, spec_max);
  return text.empty() ? text : fmt::format("## Specification ({})\n\n{}\n\n", w.spec, trim(text));
}

std::string rules(const fs::path& tree) {
  std::string out;
  for (auto name : {"AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md"})
    if (auto text = read_first({tree / name}, rules_max); !text.empty())
      out += fmt::format("## The repository's rules: {}\n\n{}\n\n", name, trim(text));
  return out;
}

std::string what_was_done(const Task& task) {
  std::string out;
  for (auto& [id, name] : task.depends) {
    auto file = task_file(task.project, task.run, id).parent_path() / "summary.md";
    auto text = read_first({file}, summary_max);
    out += fmt::format("### {} {}\n\n{}\n\n", id, name, text.empty() ? "Done; it left no summary." : trim(text));
  }
  return out.empty() ? out : "## What this stands on\n\n" + out;
}

std::string criteria(const Task& task) {
  std::string out;
  for (auto& c : task.workstream.criteria) {
    if (plan::merges(c)) continue;
    out += "- " + c.text;
    if (c.manual) out += " (a person decides)";
    if (!c.check.empty()) out += fmt::format("\n  checked by: `{}`", c.check);
    if (c.red_first) out += "\n  it must fail before your change and pass after it: write the test first";
    out += "\n";
  }
  return out.empty() ? out : "## Acceptance criteria\n\n" + out + "\n";
}

std::string again(const Task& task) {
  auto feedback = read_first({task.home() / "feedback.md"}, spec_max);
  std::string out;
  if (!task.note.empty())
    out += fmt::format("{}{}\n\n", task.approved_by.empty() ? "" : task.approved_by + ": ", task.note);
  if (!feedback.empty()) out += std::string(trim(feedback)) + "\n\n";
  if (out.empty()) return out;
  return "## This is another try\n\nYour earlier work is still in the worktree. What was wrong, or what you were "
         "told:\n\n" +
         out;
}

}  // namespace

std::string build_prompt(const Task& task, const Profile& profile, const fs::path& tree, const std::string& target) {
  auto& w = task.workstream;
  std::error_code ec;
  std::string out;
  if (!profile.preamble.empty()) out += profile.preamble + "\n\n";
  out += fmt::format(
      "# {} {}\n\nYou carry out this workstream of the plan \"{}\", alone, in a git worktree of your own "
      "(the working directory, branch {}, to be merged into {}).\n\n",
      w.id, w.name, task.plan, task.branch(), target);
  out += again(task);
  out += specification(task, tree);
  if (!w.deliverables.empty()) {
    out += "## Deliverables\n\n";
    for (auto& d : w.deliverables) out += "- " + d + "\n";
    out += "\n";
  }
  out += criteria(task);
  out += what_was_done(task);
  out += rules(tree);
  out +=
      "## How to work\n\n"
      "- Stay in the working directory. Commit what you want to keep, on the branch you are on, in small commits that "
      "say why. What is not committed is not delivered. Do not push, do not switch branches, do not use git stash.\n"
      "- Sparky checks the criteria itself, on a clean checkout of your branch, and merges it. Do not weaken or delete "
      "a test or a check to make it pass: that is noticed, and a person is asked.\n"
      "- Tell how far you are with a line of its own: `::progress 0.4 what you are doing` (0 to 1).\n"
      "- If only a person can help or decide, commit what you have and end with a line of its own: `BLOCKED: why` or "
      "`DECISION: the question, the choices, what you would do`.\n"
      "- End with a short summary: what was done, what is weaker than asked, what the next one should know.\n";
  return out;
}

std::string build_review_prompt(const Task& task, const Profile& profile, const std::string& diff) {
  std::string out;
  if (!profile.preamble.empty()) out += profile.preamble + "\n\n";
  out += fmt::format(
      "# Review of {} {}\n\nSomebody else has carried out this workstream. The working directory is a "
      "checkout of it; change nothing. Look for what is wrong or missing, not for taste.\n\n",
      task.workstream.id, task.workstream.name);
  out += criteria(task);
  out += "## The change\n\n```diff\n" + shortened(diff, diff_max, "the checkout") + "\n```\n\n";
  out +=
      "Say what has to change, each point with file and line. End with a line of its own: `VERDICT: approve` or "
      "`VERDICT: changes`.\n";
  return out;
}

std::optional<std::string> asks_for_person(std::string_view said) {
  std::optional<std::string> found;
  for (auto line : split(said, '\n')) {
    line = trim(line);
    for (std::string_view word : {"BLOCKED:", "DECISION:"})
      if (line.starts_with(word) && line.size() > word.size()) found = std::string(line);
  }
  return found;
}

std::optional<bool> verdict_of(std::string_view said) {
  std::optional<bool> found;
  for (auto line : split(said, '\n')) {
    auto text = lower(trim(line));
    while (!text.empty() && (text.front() == '*' || text.front() == '`')) text.erase(0, 1);
    if (!text.starts_with("verdict:")) continue;
    auto word = trim(std::string_view(text).substr(8));
    if (word.starts_with("approve")) found = true;
    if (word.starts_with("changes")) found = false;
  }
  return found;
}

std::optional<Progress> progress_of(std::string_view line) {
  constexpr std::string_view marker = "::progress ";
  line = trim(line);
  if (!line.starts_with(marker)) return std::nullopt;
  line.remove_prefix(marker.size());
  Progress out;
  auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), out.fraction);
  if (error != std::errc() || !(out.fraction >= 0 && out.fraction <= 1)) return std::nullopt;
  out.text = trim(line.substr(size_t(end - line.data())));
  return out;
}

Status add_feedback(const Task& task, const std::string& text) {
  auto file = task.home() / "feedback.md";
  auto before = read_file(file, 16u << 20).value_or("");
  return write_file_atomic(file, before + text + (text.ends_with('\n') ? "\n" : "\n\n"), {.sync = false});
}

}  // namespace sparky::agents
