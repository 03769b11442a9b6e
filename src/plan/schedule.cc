#include "plan/schedule.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <queue>
#include <unordered_map>

namespace sparky::plan {
namespace {

double length(std::span<const double> duration, NodeId n) { return n < duration.size() ? duration[n] : 0; }

// Units of something scarce: agents, a named limit, the jobs of one orchestrator. Who returned a unit is remembered:
// the next holder follows that workstream in the schedule.
class Pool {
 public:
  static constexpr NodeId nobody = ~NodeId{0};

  explicit Pool(int capacity) : capacity_(capacity), free_(capacity) { units_.push_back({capacity, nobody}); }
  int capacity() const { return capacity_; }
  int free() const { return free_; }
  template <class Follows>
  void take(int count, Follows follows) {
    free_ -= count;
    while (count > 0) {
      auto& [available, from] = units_.front();
      int taken = std::min(available, count);
      if (from != nobody) follows(from);
      count -= taken;
      if ((available -= taken) == 0) units_.pop_front();
    }
  }
  void give_back(int count, NodeId from) {
    free_ += count;
    units_.push_back({count, from});
  }
  std::vector<uint32_t> parked;  // classes of workstreams that wait for units

 private:
  int capacity_, free_;
  std::deque<std::pair<int, NodeId>> units_;  // the longest idle first
};

using Demands = std::vector<std::pair<uint32_t, int>>;  // pool, units

class ListScheduler {
 public:
  ListScheduler(const Plan& plan, const Graph& graph, std::span<const double> duration, int agents)
      : plan_(plan), graph_(graph), duration_(duration), count_(plan.workstreams.size()), agents_(agents) {
    make_pools();
  }

  bool unlimited() const { return agents_ == 0 && classes_.size() <= 1; }

  Schedule run() {
    measure();
    out_.start.assign(graph_.nodes.size(), 0);
    out_.finish.assign(graph_.nodes.size(), 0);
    unlimited() ? start_early() : simulate();
    out_.days = out_.finish.empty() ? 0 : *std::max_element(out_.finish.begin(), out_.finish.end());
    find_slack();
    // What no schedule can beat cannot be more than a schedule that exists; rounding must not claim so.
    out_.bound = unlimited() ? out_.days : std::min(bound(), out_.days);
    return std::move(out_);
  }

 private:
  // Workstreams with equal demands form a class: when the first of a class does not fit, none of it does.
  struct Class {
    Demands demands;
    std::vector<NodeId> ready;  // a heap, the most urgent on top
  };

  void make_pools() {
    std::map<std::string, uint32_t> limit_pool;
    std::unordered_map<std::string_view, uint32_t> jobs_pool;
    if (agents_ > 0) pools_.emplace_back(agents_);
    for (auto& [name, capacity] : plan_.limits) {
      limit_pool[name] = uint32_t(pools_.size());
      pools_.emplace_back(capacity);
    }
    for (auto& o : plan_.orchestrators) {
      if (o.jobs == 0) continue;
      jobs_pool[o.id] = uint32_t(pools_.size());
      pools_.emplace_back(o.jobs);
    }
    std::map<Demands, uint32_t> class_of{{{}, 0}};
    classes_.push_back({});
    class_.assign(count_, 0);
    if (limit_pool.empty() && jobs_pool.empty()) return;
    for (size_t i = 0; i < count_; ++i) {
      Demands demands;
      for (auto& [name, units] : plan_.workstreams[i].needs)
        if (auto it = limit_pool.find(name); it != limit_pool.end())
          demands.push_back({it->second, std::min(units, pools_[it->second].capacity())});
      if (auto it = jobs_pool.find(plan_.workstreams[i].orchestrator); it != jobs_pool.end())
        demands.push_back({it->second, 1});
      auto [it, fresh] = class_of.try_emplace(demands, uint32_t(classes_.size()));
      if (fresh) classes_.push_back({std::move(demands), {}});
      class_[i] = it->second;
    }
  }

  // Longest path before and after each node, and the priority that it inherits from what waits for it.
  void measure() {
    size_t n = graph_.nodes.size();
    head_.assign(n, 0);
    tail_.assign(n, 0);
    priority_.assign(n, Priority::p3);
    for (NodeId node : graph_.order)
      for (auto& e : graph_.after(node)) head_[e.to] = std::max(head_[e.to], head_[node] + length(duration_, node));
    for (auto it = graph_.order.rbegin(); it != graph_.order.rend(); ++it) {
      double after = 0;
      auto priority = *it < count_ ? plan_.workstreams[*it].priority : Priority::p3;
      for (auto& e : graph_.after(*it)) {
        after = std::max(after, tail_[e.to]);
        priority = std::min(priority, priority_[e.to]);
      }
      tail_[*it] = after + length(duration_, *it);
      priority_[*it] = priority;
    }
  }

  void start_early() {
    for (NodeId n : graph_.order) {
      out_.start[n] = head_[n];
      out_.finish[n] = head_[n] + length(duration_, n);
    }
    sequence_ = graph_.order;
  }

  // True if a is less urgent than b.
  bool later(NodeId a, NodeId b) const {
    if (priority_[a] != priority_[b]) return priority_[a] > priority_[b];
    if (tail_[a] != tail_[b]) return tail_[a] < tail_[b];
    return a > b;
  }
  auto by_urgency() const {
    return [this](NodeId a, NodeId b) { return later(a, b); };
  }

  void simulate() {
    open_.resize(graph_.nodes.size());
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) open_[n] = uint32_t(graph_.before(n).size());
    for (NodeId n = 0; n < graph_.nodes.size(); ++n)
      if (graph_.before(n).empty()) make_ready(n, 0);
    double now = 0;
    dispatch(now);
    while (!running_.empty()) {
      now = running_.top().first;
      while (!running_.empty() && running_.top().first == now) {
        NodeId done = running_.top().second;
        running_.pop();
        return_units(done);
        finish(done, now);
      }
      dispatch(now);
    }
  }

  // Gates, begins, ends and barriers take no time: they pass at once, without recursion.
  void make_ready(NodeId first, double now) {
    std::vector<NodeId> pending{first};
    while (!pending.empty()) {
      NodeId n = pending.back();
      pending.pop_back();
      if (n < count_) {
        auto& ready = classes_[class_[n]].ready;
        ready.push_back(n);
        std::push_heap(ready.begin(), ready.end(), by_urgency());
        candidates_.push({ready.front(), class_[n]});
        continue;
      }
      out_.start[n] = out_.finish[n] = now;
      sequence_.push_back(n);
      for (auto& e : graph_.after(n))
        if (--open_[e.to] == 0) pending.push_back(e.to);
    }
  }

  void finish(NodeId done, double now) {
    for (auto& e : graph_.after(done))
      if (--open_[e.to] == 0) make_ready(e.to, now);
  }

  void dispatch(double now) {
    while (!candidates_.empty() && !(agents_ > 0 && pools_[0].free() == 0)) {
      auto [n, which] = candidates_.top();
      candidates_.pop();
      auto& ready = classes_[which].ready;
      if (ready.empty() || ready.front() != n) continue;  // an older entry of this class
      if (auto full = missing(classes_[which].demands)) {
        full->parked.push_back(which);
        continue;
      }
      std::pop_heap(ready.begin(), ready.end(), by_urgency());
      ready.pop_back();
      if (!ready.empty()) candidates_.push({ready.front(), which});
      begin(n, now);
    }
  }

  Pool* missing(const Demands& demands) {
    for (auto& [pool, units] : demands)
      if (pools_[pool].free() < units) return &pools_[pool];
    return nullptr;
  }

  void begin(NodeId n, double now) {
    auto follows = [&](NodeId from) { chain_.push_back({from, n}); };
    if (agents_ > 0) pools_[0].take(1, follows);
    for (auto& [pool, units] : classes_[class_[n]].demands) pools_[pool].take(units, follows);
    out_.start[n] = now;
    out_.finish[n] = now + duration_[n];
    sequence_.push_back(n);
    running_.push({out_.finish[n], n});
  }

  void return_units(NodeId n) {
    if (agents_ > 0) pools_[0].give_back(1, n);
    for (auto& [pool, units] : classes_[class_[n]].demands) {
      pools_[pool].give_back(units, n);
      for (auto waiting : pools_[pool].parked)
        if (!classes_[waiting].ready.empty()) candidates_.push({classes_[waiting].ready.front(), waiting});
      pools_[pool].parked.clear();
    }
  }

  void find_slack() {
    std::vector<double> latest(graph_.nodes.size(), out_.days);
    // chain_ is in the order of its second members' starts, as sequence_ is: walk both backwards together.
    size_t links = chain_.size();
    for (auto it = sequence_.rbegin(); it != sequence_.rend(); ++it) {
      NodeId n = *it;
      for (auto& e : graph_.after(n)) latest[n] = std::min(latest[n], latest[e.to] - length(duration_, e.to));
      for (; links > 0 && chain_[links - 1].second == n; --links) {
        NodeId from = chain_[links - 1].first;
        latest[from] = std::min(latest[from], latest[n] - length(duration_, n));
      }
    }
    out_.slack.resize(latest.size());
    for (size_t i = 0; i < latest.size(); ++i) {
      double slack = latest[i] - out_.finish[i];
      out_.slack[i] = slack < 1e-9 ? 0 : slack;
    }
  }

  // The greatest of: the longest path; for each pool its work divided by its capacity; for the agents also, over every
  // set of workstreams that cannot start before h or be followed by less than q: h + work / agents + q.
  double bound() const {
    double best = 0;
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) best = std::max(best, head_[n] + tail_[n]);
    std::vector<double> work(pools_.size(), 0);
    for (NodeId n = 0; n < count_; ++n)
      for (auto& [pool, units] : classes_[class_[n]].demands) work[pool] += units * duration_[n];
    for (size_t p = 0; p < pools_.size(); ++p) best = std::max(best, work[p] / pools_[p].capacity());
    if (agents_ == 0) return best;
    auto after = [&](NodeId n) { return tail_[n] - duration_[n]; };
    auto sweep = [&](auto key, auto other) {
      std::vector<NodeId> order(count_);
      for (NodeId n = 0; n < count_; ++n) order[n] = n;
      std::sort(order.begin(), order.end(), [&](NodeId a, NodeId b) { return key(a) > key(b); });
      double total = 0, least = std::numeric_limits<double>::infinity();
      for (NodeId n : order) {
        total += duration_[n];
        least = std::min(least, other(n));
        best = std::max(best, key(n) + total / agents_ + least);
      }
    };
    auto before = [&](NodeId n) { return head_[n]; };
    sweep(before, after);
    sweep(after, before);
    return best;
  }

  const Plan& plan_;
  const Graph& graph_;
  std::span<const double> duration_;
  size_t count_;
  int agents_;
  Schedule out_;
  std::vector<Pool> pools_;  // agents first, if they are limited
  std::vector<Class> classes_;
  std::vector<uint32_t> class_;  // by workstream
  std::vector<double> head_, tail_;
  std::vector<Priority> priority_;
  std::vector<uint32_t> open_;
  std::vector<NodeId> sequence_;                  // in the order of starting
  std::vector<std::pair<NodeId, NodeId>> chain_;  // who follows whom with the same agent or unit
  struct LessUrgent {
    const ListScheduler* self;
    bool operator()(const std::pair<NodeId, uint32_t>& a, const std::pair<NodeId, uint32_t>& b) const {
      return self->later(a.first, b.first);
    }
  };
  std::priority_queue<std::pair<NodeId, uint32_t>, std::vector<std::pair<NodeId, uint32_t>>, LessUrgent> candidates_{
      LessUrgent{this}};
  std::priority_queue<std::pair<double, NodeId>, std::vector<std::pair<double, NodeId>>, std::greater<>> running_;
};

}  // namespace

Schedule make_schedule(const Plan& plan, const Graph& graph, std::span<const double> duration, int agents) {
  return ListScheduler(plan, graph, duration, agents).run();
}

double longest_path(const Graph& graph, std::span<const double> duration, std::vector<NodeId>* path) {
  constexpr NodeId none = ~NodeId{0};
  std::vector<double> start(graph.nodes.size(), 0);
  std::vector<NodeId> from(path ? graph.nodes.size() : 0, none);
  double best = 0;
  NodeId last = none;
  for (NodeId n : graph.order) {
    double end = start[n] + length(duration, n);
    if (end > best || last == none) best = end, last = n;
    for (auto& e : graph.after(n))
      if (end > start[e.to] || (path && from[e.to] == none)) {
        start[e.to] = end;
        if (path) from[e.to] = n;
      }
  }
  if (path) {
    path->clear();
    for (NodeId n = last; n != none; n = from[n])
      if (graph.nodes[n].kind == NodeKind::workstream) path->push_back(n);
    std::reverse(path->begin(), path->end());
  }
  return best;
}

}  // namespace sparky::plan
