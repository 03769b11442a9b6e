#include "agents/consult.h"

#include <fmt/format.h>

#include "agents/merge.h"
#include "agents/sandbox.h"

namespace sparky::agents {

Result<std::string> consult(const Asking& asking, const std::string& prompt, Monitor& monitor) {
  auto& task = asking.task;
  auto place = task.home() / "review";
  SPARKY_TRY(prepare_checkout(asking.repository, place, asking.commit, {}));
  Monitor watching(task, asking.profile, asking.budgets, {});
  watching.used(monitor.usage());  // one budget for all of this attempt
  auto confined = confine(asking.profile, task, place, {});
  auto agent = make_agent(task, asking.profile, {place, confined, environment(asking.profile, task), {}}, watching);
  auto said = agent->say(prompt, {});
  agent.reset();
  monitor.begin_turn();
  auto cost = watching.usage();
  cost.tokens -= monitor.usage().tokens, cost.money -= monitor.usage().money;
  monitor.used(cost);
  SPARKY_TRY(asking.repository.remove_checkout(place));
  if (!said) return std::unexpected(said.error());
  if (!said->stopped.empty()) return fail(Errc::io, fmt::format("{}: {}", asking.profile.name, said->stopped));
  return said->text;
}

Result<Proposal> ask_for_proposal(const Asking& asking, Monitor& monitor) {
  auto prompt = build_advice_prompt(asking.task, asking.profile);
  monitor.tell(0, asking.profile.name + " is asked what to do");
  SPARKY_ASSIGN(auto said, consult(asking, prompt, monitor));
  auto proposal = read_proposal(said);
  if (proposal) return proposal;
  SPARKY_ASSIGN(said,
                consult(asking, prompt + "\n\nYour answer before was not right: " + proposal.error().text(), monitor));
  return read_proposal(said);
}

std::optional<Proposal> advice_on_gate(const Repository& repository, const Task& task, const std::string& commit,
                                       const std::string& why) {
  // A person has answered what it said before; only a gate that is tried from the beginning asks again.
  if (task.advisor.empty() || !task.approved_by.empty()) return std::nullopt;
  auto proposal = [&]() -> Result<Proposal> {
    SPARKY_ASSIGN(auto profile, load_profiles(task.agents_toml, task.project).find(task.advisor));
    if (auto cannot = cannot_start(profile)) return std::unexpected(*cannot);
    auto confined = confine(profile, task, task.home(), {});
    bool allowed = profile.sandbox == Sandbox::off ||
                   (profile.sandbox == Sandbox::automatic && !allowed_without_sandbox(task.project).empty());
    if (!confined.sandboxed && !allowed) return fail(Errc::denied, confined.word);
    auto budgets = budgets_of(task.project, profile);
    if (auto used = spent(task, {}, budgets); used.share >= 1) return fail(Errc::denied, used.text);
    auto failed = task;
    failed.note = why;
    Monitor monitor(failed, profile, budgets, {});
    auto said = ask_for_proposal({repository, failed, profile, budgets, commit}, monitor);
    SPARKY_TRY(write_usage(task, monitor.usage()));
    if (said) SPARKY_TRY(keep_proposal(task, *said));
    return said;
  }();
  if (proposal) return *proposal;
  fmt::print("{} proposes nothing: {}\n", task.advisor, proposal.error().text());
  return std::nullopt;
}

}  // namespace sparky::agents
