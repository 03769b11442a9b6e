#include "conductor/proposal.h"

#include <fmt/format.h>

#include "agents/advice.h"
#include "agents/profile.h"
#include "conductor/spawn.h"
#include "engine/held.h"
#include "plan/by_agent.h"

namespace sparky::conductor {
using engine::Stage;

namespace {

struct Open {
  const engine::Run* run = nullptr;
  engine::NodeId node = 0;
  std::string advisor;
  agents::Proposal proposal;
};

// The proposal that a decision is about: the question's words are those of the proposal that is kept.
std::optional<Open> open_proposal(const Ledger& ledger, const engine::Decision& d) {
  auto* run = ledger.state().run(d.run);
  auto* workstream = run ? run->workstream(d.node) : nullptr;
  if (!workstream || d.kind != engine::DecisionKind::held || d.criterion != engine::no_criterion) return {};
  auto task = agents::make_task(ledger.project(), *run->plan, *workstream);
  task.run = run->id;
  auto note = run->notes.find(d.node);
  auto proposal = agents::kept_proposal(task);
  if (!proposal || note == run->notes.end() || note->second.note != proposal->text(task)) return {};
  return Open{run, d.node, task.advisor, std::move(*proposal)};
}

std::set<std::string> begun(const engine::Run& run) {
  std::set<std::string> out;
  for (engine::NodeId n = 0; n < run.nodes.size(); ++n) {
    auto& node = run.nodes[n];
    if (run.workstream(n) && ((node.stage != Stage::waiting && node.stage != Stage::ready) || node.tries > 0))
      out.insert(run.id_of(n));
  }
  return out;
}

}  // namespace

Result<Ordered> carried_out(const Ledger& ledger, const engine::Decide& yes) {
  Ordered only_the_answer{{yes}, {}};
  std::optional<Open> open;
  for (auto& [id, d] : ledger.state().decisions) {
    auto* run = ledger.state().run(d.run);
    bool meant = yes.target == fmt::format("D{}", id) || yes.target == fmt::format("d{}", id) ||
                 (d.run == yes.run && run->id_of(d.node) == yes.target);
    if (meant) open = open_proposal(ledger, d);
  }
  if (!open || !open->proposal.changes_plan()) return only_the_answer;
  auto& p = open->proposal;
  auto changed = propose(*open->run->plan, {p.kind, open->run->id_of(open->node), p.change}, begun(*open->run));
  if (!changed && changed.error().is(Errc::invalid)) {
    only_the_answer.notes.push_back(fmt::format(
        "the plan stays as it is, for the {} cannot be read: {}; its text is told", p.kind, changed.error().message));
    return only_the_answer;
  }
  if (!changed)
    return fail(
        Errc::invalid,
        fmt::format("the {} that {} proposes cannot be done: {}", p.kind, open->advisor, changed.error().message),
        fmt::format("reject it, or go on without it: sparky decide {} waive --note WHY", yes.target));
  auto plan = std::make_shared<const plan::Plan>(with_merges(std::move(changed->plan), ledger.project()));
  return Ordered{{engine::UpdatePlan{open->run->id, std::move(plan), yes.who}, yes}, std::move(changed->notes)};
}

std::vector<engine::Input> by_autonomy(const Ledger& ledger, engine::RunId run_id, engine::NodeId node) {
  auto* run = ledger.state().run(run_id);
  auto asked = run ? run->decisions_of(node) : std::vector<engine::DecisionId>();
  if (asked.size() != 1) return {};
  auto open = open_proposal(ledger, ledger.state().decisions.at(asked[0]));
  if (!open) return {};
  auto profile = agents::load_profiles(run->plan->agents_toml, ledger.project()).find(open->advisor);
  if (!profile || std::ranges::find(profile->autonomy, open->proposal.kind) == profile->autonomy.end()) return {};
  auto ordered = carried_out(ledger, {.run = run_id,
                                      .target = fmt::format("D{}", asked[0]),
                                      .answer = engine::Answer::approve,
                                      .who = open->advisor,
                                      .note = "it may do that by itself"});
  if (!ordered || ordered->inputs.size() < 2) return {};
  return std::move(ordered->inputs);
}

}  // namespace sparky::conductor
