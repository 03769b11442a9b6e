// Why something does not go on: the chain from it to what has to happen first.
#include <fmt/format.h>

#include <algorithm>

#include "engine/transitions.h"
#include "engine/view.h"

namespace sparky::engine {
using plan::EdgeWhy;
using plan::NodeKind;
namespace {

std::string quoted(const std::string& text, size_t most = 80) {
  return fmt::format("\"{}{}\"", text.substr(0, most), text.size() > most ? "…" : "");
}

std::string since(Time t, Time now) { return human(std::max(now - t, Duration{0})); }

// The limit that holds back a ready node, and who uses it.
std::string held_by(const State& state, const Run& run, NodeId n) {
  auto* w = run.workstream(n);
  std::vector<std::string> users;
  auto of_run = [&](const Attempt& a) { return a.work != Work::job && a.node != no_node && a.run == run.id; };
  auto list = [&] {
    std::string out;
    for (auto& u : users) out += (out.empty() ? "" : ", ") + u;
    return out;
  };
  if (!state.pool.blocked_by(run.nodes[n].pool_class))
    return "all " + std::to_string(state.slots) + " slots of this machine are taken";
  uint32_t own = 0;
  for (auto& [id, a] : state.attempts) own += of_run(a);
  if (run.options.jobs > 0 && own >= run.options.jobs)
    return "this run may use " + std::to_string(run.options.jobs) + " at once (--jobs)";
  for (auto& o : run.plan->orchestrators) {
    if (!w || o.id != w->orchestrator || o.jobs == 0) continue;
    for (auto& [id, a] : state.attempts)
      if (auto* other = of_run(a) ? run.workstream(a.node) : nullptr; other && other->orchestrator == o.id)
        users.push_back(other->id);
    if (users.size() >= size_t(o.jobs))
      return "orchestrator " + o.id + " runs " + std::to_string(o.jobs) + " at once: " + list();
    users.clear();
  }
  for (auto& [name, amount] : w ? w->needs : std::map<std::string, int>{}) {
    int used = 0;
    for (auto& [id, a] : state.attempts) {
      auto* r = a.work == Work::job ? nullptr : state.run(a.run);
      auto* other = r ? r->workstream(a.node) : nullptr;
      auto it = other ? other->needs.find(name) : std::map<std::string, int>::const_iterator{};
      if (!other || it == other->needs.end()) continue;
      used += it->second;
      users.push_back(other->id);
    }
    auto limit = run.plan->limits.find(name);
    if (used + amount > (limit == run.plan->limits.end() ? 1 : limit->second))
      return "it needs " + name + ", which is used by " + list();
    users.clear();
  }
  return "a limit is used up";
}

// The last link: what the node itself waits for.
Link own_state(const State& state, const Run& run, NodeId n, Time now) {
  auto& node = run.nodes[n];
  auto& id = run.id_of(n);
  bool gate = run.gate(n) != nullptr;
  Link out{id, {}, {}};
  auto* a = state.attempt(node.attempt);
  auto note = run.notes.find(n);
  auto why = note == run.notes.end() || note->second.note.empty() ? "" : ": " + note->second.note;
  auto who = note == run.notes.end() || note->second.who.empty() ? "" : " by " + note->second.who;
  if (!node.selected && !is_final(node.stage) && !a) {
    out.text = id + " is left out by --until or --only";
    out.action = "sparky run PLAN without them";
    return out;
  }
  switch (node.stage) {
    case Stage::waiting:
      out.text = id + " waits";
      break;
    case Stage::ready:
      if (run.halt != Halt::none)
        out = {id, id + " is ready, but the run is " + std::string(name(run.halt)), "sparky resume"};
      else
        out.text = id + " is ready: " + held_by(state, run, n);
      break;
    case Stage::running:
      if (a && !a->started)
        out.text = id + " has been handed over and starts with the next free slot";
      else {
        out.text = id + " has been running for " + since(a ? a->started_at : node.since, now);
        if (a && a->fraction >= 0) out.text += " (" + std::to_string(int(a->fraction * 100)) + " %)";
        if (a && !a->text.empty()) out.text += ": " + a->text;
        out.action = "sparky logs " + id + " -f";
      }
      break;
    case Stage::checking: {
      auto criteria = run.criteria_of(n);
      uint16_t c = a ? a->criterion : 0;
      while (!a && c + 1u < criteria.size() && (criteria[c].manual || run.verdict(n, c).verdict != Verdict::open)) ++c;
      out.text = id + ": criterion " + std::to_string(c + 1) + " of " + std::to_string(criteria.size()) +
                 (a                        ? " is being checked"
                  : run.halt != Halt::none ? " is not checked while the run is halted"
                                           : " waits for a free slot to be checked");
      if (c < criteria.size()) out.text += ": " + quoted(criteria[c].text);
      break;
    }
    case Stage::deciding: {
      auto open = run.decisions_of(n);
      out.text = id + " waits for " + (open.size() == 1 ? "a decision" : std::to_string(open.size()) + " decisions");
      for (auto d : open)
        if (auto it = state.decisions.find(d); it != state.decisions.end()) {
          out.text += "; D" + std::to_string(d);
          if (it->second.kind == DecisionKind::criterion)
            out.text += ": " + quoted(run.criteria_of(n)[it->second.criterion].text);
          if (it->second.kind == DecisionKind::acceptance) out.text += ": nothing verified it; is it done?";
          if (it->second.kind == DecisionKind::lost) out.text += ": its attempt was lost; run it again?";
          if (it->second.kind == DecisionKind::held) out.text += why + "; may it go on?";
        }
      if (!open.empty()) out.action = "sparky decide D" + std::to_string(open[0]) + " approve | reject | waive";
      break;
    }
    case Stage::backoff:
      out.text = id + why + "; next try in " + human(std::max(node.due - now, Duration{0}));
      out.action = "sparky retry " + id + " (now)";
      break;
    case Stage::completed:
      out.text = id + (gate ? " is open" : " is completed");
      break;
    case Stage::skipped:
      out.text = id + " was skipped" + who + why;
      break;
    case Stage::failed:
      out.text = id + " failed" + who + why;
      out.action = gate ? "sparky retry " + id + ", or waive the criterion: sparky decide " + id + "#1 waive --note …"
                        : "sparky retry " + id + ", or sparky skip " + id;
      break;
    case Stage::cancelled:
      out.text = id + " was cancelled" + who + why;
      out.action = "sparky retry " + id + ", or sparky skip " + id;
      break;
  }
  return out;
}

// What stands still most has the most to say: smaller first.
int stuck(const NodeState& node) {
  if (node.stage == Stage::failed || node.stage == Stage::cancelled) return 0;
  if (node.stage == Stage::deciding) return 1;
  if (!node.selected) return 2;
  return node.stage == Stage::backoff ? 3 : node.stage == Stage::ready ? 5 : 4;
}

}  // namespace

std::vector<Link> explain(const State& state, const Run& run, NodeId start, Time now) {
  if (start >= run.nodes.size() || run.nodes[start].stage != Stage::waiting)
    return start >= run.nodes.size() ? std::vector<Link>{} : std::vector<Link>{own_state(state, run, start, now)};
  // Breadth first through what is not done yet; of the ends of all chains, the one that stands still most.
  struct From {
    NodeId next = no_node;
    EdgeWhy why = EdgeWhy::dependency;
  };
  std::unordered_map<NodeId, From> from{{start, {}}};
  std::vector<NodeId> todo{start};
  NodeId root = no_node;
  for (size_t i = 0; i < todo.size(); ++i) {
    NodeId n = todo[i];
    bool automatic = is_automatic(run.graph->nodes[n].kind);
    bool end = !automatic && (run.nodes[n].stage != Stage::waiting || run.nodes[n].open == 0 ||
                              (n != start && !run.nodes[n].selected));
    if (end && (root == no_node || stuck(run.nodes[n]) < stuck(run.nodes[root]))) root = n;
    if (end) continue;
    for (auto& e : run.graph->before(n))
      if (!satisfies(run.nodes[e.to].stage) && from.try_emplace(e.to, From{n, e.why}).second) todo.push_back(e.to);
  }
  if (root == no_node) return {own_state(state, run, start, now)};
  std::vector<NodeId> path;
  for (NodeId n = root; n != no_node; n = from.at(n).next) path.push_back(n);
  std::ranges::reverse(path);
  std::vector<Link> out;
  for (size_t i = 0; i + 1 < path.size();) {
    NodeId n = path[i];
    size_t next = i + 1;
    while (is_automatic(run.graph->nodes[path[next]].kind)) ++next;
    NodeId to = path[next];
    std::string text = run.id_of(n) + " waits for " + run.id_of(to);
    auto first = run.graph->nodes[path[i + 1]].kind;
    auto last_automatic = path[next - 1];
    EdgeWhy why = from.at(to).why;
    if (next > i + 1 && run.graph->nodes[last_automatic].kind == NodeKind::orchestrator_end)
      text = run.id_of(n) + " waits for all of orchestrator " + run.id_of(last_automatic) + ", of which " +
             run.id_of(to) + " is not done";
    else if (run.gate(to))
      text = run.id_of(n) + " is behind gate " + run.id_of(to);
    else if (next > i + 1 && first == NodeKind::orchestrator_begin)
      text = run.id_of(n) + ": its orchestrator " + run.id_of(path[i + 1]) + " waits for " + run.id_of(to);
    else if (why == EdgeWhy::phase || (next > i + 1 && first == NodeKind::phase_barrier))
      text = run.id_of(n) + " comes after " + run.id_of(to) + " in the order of its orchestrator";
    size_t others = 0;
    for (auto& e : run.graph->before(n)) others += !satisfies(run.nodes[e.to].stage);
    if (others > 1) text += " (and for " + std::to_string(others - 1) + " more)";
    out.push_back({run.id_of(n), text, {}});
    i = next;
  }
  out.push_back(own_state(state, run, root, now));
  return out;
}

std::vector<NodeId> downstream(const Run& run, NodeId node) {
  std::vector<NodeId> out;
  if (node >= run.nodes.size()) return out;
  std::vector<bool> seen(run.nodes.size(), false);
  std::vector<NodeId> todo{node};
  seen[node] = true;
  while (!todo.empty()) {
    NodeId n = todo.back();
    todo.pop_back();
    for (auto& e : run.graph->after(n)) {
      if (seen[e.to]) continue;
      seen[e.to] = true;
      todo.push_back(e.to);
      if (!is_automatic(run.graph->nodes[e.to].kind)) out.push_back(e.to);
    }
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace sparky::engine
