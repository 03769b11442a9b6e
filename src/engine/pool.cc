#include "engine/pool.h"

namespace sparky::engine {

LimitId Pool::add_limit() {
  limits_.emplace_back();
  return LimitId(limits_.size() - 1);
}

LimitId Pool::named_limit(const std::string& name) {
  auto [it, fresh] = named_.try_emplace(name, 0);
  if (fresh) it->second = add_limit();
  return it->second;
}

ClassId Pool::add_class(std::vector<Need> needs) {
  ClassId id;
  if (free_classes_.empty()) {
    id = ClassId(classes_.size());
    classes_.emplace_back();
  } else {
    id = free_classes_.back();
    free_classes_.pop_back();
  }
  classes_[id].needs = std::move(needs);
  return id;
}

void Pool::remove_class(ClassId id) {
  deactivate(id);
  queued_ -= classes_[id].queue.size();
  classes_[id] = {};
  free_classes_.push_back(id);
}

void Pool::hold(ClassId id, bool held) {
  if (classes_[id].held == held) return;
  deactivate(id);
  classes_[id].held = held;
  activate(id);
}

void Pool::activate(ClassId id) {
  auto& c = classes_[id];
  if (!c.held && !c.parked_on && !c.queue.empty()) active_.emplace(*c.queue.begin(), id);
}

void Pool::deactivate(ClassId id) {
  auto& c = classes_[id];
  if (c.parked_on) {
    limits_[*c.parked_on].parked.erase(id);
    c.parked_on.reset();
  } else if (!c.queue.empty()) {
    active_.erase({*c.queue.begin(), id});
  }
}

void Pool::push(ClassId id, Rank rank) {
  auto& c = classes_[id];
  bool new_head = c.queue.empty() || rank < *c.queue.begin();
  bool listed = !c.held && !c.parked_on;
  if (listed && new_head && !c.queue.empty()) active_.erase({*c.queue.begin(), id});
  if (c.queue.insert(rank).second) ++queued_;
  if (listed && new_head) active_.emplace(rank, id);
}

void Pool::erase(ClassId id, Rank rank) {
  auto& c = classes_[id];
  auto it = c.queue.find(rank);
  if (it == c.queue.end()) return;
  bool head = it == c.queue.begin();
  bool listed = !c.held && !c.parked_on;
  if (head && listed) active_.erase({rank, id});
  c.queue.erase(it);
  --queued_;
  if (head && listed) activate(id);
}

void Pool::take(ClassId id) {
  for (auto& need : classes_[id].needs) limits_[need.limit].used += need.amount;
}

void Pool::give_back(ClassId id) {
  for (auto& need : classes_[id].needs) {
    limits_[need.limit].used -= need.amount;
    wake(need.limit);
  }
}

void Pool::wake(LimitId limit) {
  auto parked = std::move(limits_[limit].parked);
  limits_[limit].parked.clear();
  for (auto id : parked) {
    classes_[id].parked_on.reset();
    activate(id);
  }
}

std::optional<LimitId> Pool::blocked_by(ClassId id) const {
  for (auto& need : classes_[id].needs)
    if (limits_[need.limit].used + need.amount > need.capacity) return need.limit;
  return {};
}

std::optional<Pool::Pick> Pool::best() {
  while (!active_.empty()) {
    auto [rank, id] = *active_.begin();
    auto limit = blocked_by(id);
    if (!limit) return Pick{id, rank};
    active_.erase(active_.begin());
    classes_[id].parked_on = *limit;
    limits_[*limit].parked.insert(id);
  }
  return {};
}

}  // namespace sparky::engine
