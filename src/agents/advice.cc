#include "agents/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/prompt.h"
#include "agents/repository.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

constexpr size_t text_max = 20'000;

fs::path proposal_file(const Task& task) { return task.home() / "proposal.json"; }

Result<Proposal> from_json(const Json& json) {
  auto text = [&](const char* key) {
    auto it = json.find(key);
    return it != json.end() && it->is_string() ? std::string(trim(it->get<std::string>())) : std::string();
  };
  Proposal out{text("kind"), text("why"), text("advice"), text("change")};
  if (std::ranges::find(proposal_kinds, out.kind) == std::end(proposal_kinds))
    return fail(Errc::invalid, fmt::format("\"kind\" is '{}'", out.kind),
                fmt::format("it is one of {}", fmt::join(proposal_kinds, ", ")));
  if (out.why.empty())
    return fail(Errc::invalid, "\"why\" is missing", "one or two sentences for the person who decides");
  if (out.kind == "retry" && out.advice.empty())
    return fail(Errc::invalid, "\"advice\" is missing", "what the agent has to do differently");
  if (out.kind != "retry" && out.change.empty())
    return fail(Errc::invalid, "\"change\" is missing", "what is to stand in the plan, or the text of the record");
  for (auto* field : {&out.why, &out.advice, &out.change})
    if (field->size() > text_max) return fail(Errc::invalid, "the proposal is too long", "say it in fewer words");
  return out;
}

}  // namespace

std::string Proposal::text(const Task& task) const {
  return fmt::format("{} proposes for {}: {}: {}{}{}", task.advisor, task.workstream.id, kind, why,
                     advice.empty() ? "" : " Advice: " + advice, change.empty() ? "" : " Change: " + change);
}

std::string Proposal::for_agent() const {
  auto out = advice.empty() ? why : advice;
  if (!change.empty()) out += fmt::format("\n\nDecided ({}):\n\n```\n{}\n```", kind, change);
  return out;
}

Result<Proposal> read_proposal(std::string_view said) {
  // From the last closing brace back to the opening one with which it is an object.
  auto end = said.rfind('}');
  if (end == said.npos) return fail(Errc::invalid, "there is no JSON object in the answer");
  for (size_t begin = said.rfind('{', end), tried = 0; begin != said.npos && tried < 100; ++tried) {
    if (auto json = parse_json(said.substr(begin, end + 1 - begin)); json && json->is_object()) return from_json(*json);
    if (begin == 0) break;
    begin = said.rfind('{', begin - 1);
  }
  return fail(Errc::invalid, "the JSON object in the answer cannot be read");
}

std::string build_advice_prompt(const Task& task, const Profile& profile) {
  std::string out;
  if (!profile.preamble.empty()) out += profile.preamble + "\n\n";
  auto& w = task.workstream;
  if (task.gate)
    out += fmt::format(
        "# Gate {}: what now?\n\nYou lead a domain of the plan \"{}\" that this gate comes after. One of its checks "
        "has "
        "failed. The working directory is a checkout of what was checked; change nothing.\n\n",
        w.id, task.plan);
  else
    out += fmt::format(
        "# {} {}: what now?\n\nYou lead the domain \"{}\" of the plan \"{}\". This workstream has used up its {} "
        "tries. "
        "The working directory is a checkout of what it is based on; change nothing.\n\n",
        w.id, w.name, w.orchestrator, task.plan, w.retries.max + 1);
  out += "## What it has to reach\n\n";
  for (auto& d : w.deliverables) out += "- " + d + "\n";
  for (auto& c : w.criteria)
    out += fmt::format("- {}{}\n", c.text, c.check.empty() ? "" : fmt::format(" (`{}`)", c.check));
  auto section = [&](std::string_view title, const fs::path& file) {
    auto text = read_file(file, 4u << 20).value_or("");
    if (text.size() > text_max) text = "[…]\n" + text.substr(text.size() - text_max);
    if (!trim(text).empty() && !invalid_utf8(text)) out += fmt::format("\n## {}\n\n{}\n", title, trim(text));
  };
  if (!task.note.empty()) out += fmt::format("\n## How {} ended\n\n{}\n", task.gate ? "it" : "the last try", task.note);
  section("What was wrong", task.home() / "feedback.md");
  section("What its agent said last", task.home() / "summary.md");
  out +=
      "\n## Answer\n\nPropose one thing, as one JSON object at the end of your answer:\n\n"
      "{\"kind\": \"retry\", \"why\": \"for the person who decides\", \"advice\": \"what the agent has to do "
      "differently\"}\n\n"
      "The kinds: retry (once more, with your advice), split (into several workstreams), reorder (other dependencies), "
      "estimate (another duration), adr (a decision to be written down). All but retry have \"change\", a string. Of "
      "split, reorder and estimate it is TOML as in a plan, a [[workstream]] for each one that is new or changes, with "
      "its id and what changes:\n\n"
      "```toml\n[[workstream]]\nid = \"WS-05b\"\nname = \"The second half\"\ndeliverables = [\"src/b.c\"]\n"
      "depends_on = [\"WS-03\"]\nduration = \"2-3 days\"\ncriteria = [{ text = \"its tests pass\", check = \"make "
      "test\" }]\n```\n\n"
      "split adds workstreams beside this one, which keeps its criteria; reorder replaces depends_on of what has not "
      "begun; estimate replaces duration. Of adr it is the text of the record, with its title as a heading.\n";
  return out;
}

Status keep_proposal(const Task& task, const Proposal& p) {
  return write_file_atomic(
      proposal_file(task),
      json_text(Json{{"kind", p.kind}, {"why", p.why}, {"advice", p.advice}, {"change", p.change}}, 1) + "\n");
}

Result<Proposal> kept_proposal(const Task& task) {
  SPARKY_ASSIGN(auto text, read_file(proposal_file(task), 1u << 20));
  return read_proposal(text);
}

void forget_proposal(const Task& task) {
  std::error_code ec;
  fs::remove(proposal_file(task), ec);
}

Result<std::string> record_path(const fs::path& directory, std::string_view text) {
  std::error_code ec;
  int last = 0;
  for (auto& entry : fs::directory_iterator(directory, ec)) {
    if (read_file(entry.path(), 1u << 20).value_or("") == text) return fail(Errc::exists, entry.path().string());
    last = std::max(last, std::atoi(entry.path().filename().c_str()));
  }
  auto title = trim(split(trim(text), '\n')[0]);
  while (title.starts_with('#') || title.starts_with(' ')) title.remove_prefix(1);
  return fmt::format("{:04}-{}.md", last + 1, slug(title).empty() ? "decision" : slug(title));
}

bool wants_advice(const Task& task) { return !task.advisor.empty() && task.number > task.workstream.retries.max + 1; }

}  // namespace sparky::agents
