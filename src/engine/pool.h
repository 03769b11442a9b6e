// Pool: who starts next. Ready work of one kind (same limits) forms a class with an ordered queue; the pool knows the
// best entry of all classes whose limits admit one more. Push, erase and pick cost O(log n); a class that a limit holds
// back is set aside until that limit has room again, so that it costs nothing while it waits.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "engine/types.h"

namespace sparky::engine {

// The order of ready work: checks before new work (they finish what was begun), then priority, then the longest
// remaining path, then age (run) and plan order.
struct Rank {
  uint8_t lane = 1;  // 0: a check, 1: new work
  uint8_t priority = 0;
  float path = 0;  // estimated days from its start to the end of the run, along the longest chain that waits for it
  RunId run = 0;
  NodeId node = 0;
  friend bool operator<(const Rank& a, const Rank& b) {
    return std::tuple(a.lane, a.priority, -a.path, a.run, a.node) <
           std::tuple(b.lane, b.priority, -b.path, b.run, b.node);
  }
};

using ClassId = uint32_t;
using LimitId = uint32_t;

class Pool {
 public:
  // One unit of the class takes `amount` of the limit, and may start only while use + amount <= capacity. The capacity
  // belongs to the class: two runs may share a limit by name and each declare their own.
  struct Need {
    LimitId limit = 0;
    uint32_t amount = 1, capacity = 1;
  };

  LimitId add_limit();
  LimitId named_limit(const std::string& name);  // the same name, the same limit
  ClassId add_class(std::vector<Need> needs);
  void remove_class(ClassId id);     // with all that is queued in it
  void hold(ClassId id, bool held);  // a held class is never picked

  void push(ClassId id, Rank rank);
  void erase(ClassId id, Rank rank);
  // One unit starts (or is given back): its limits are used, whether or not they admit it.
  void take(ClassId id);
  void give_back(ClassId id);

  struct Pick {
    ClassId id;
    Rank rank;
  };
  // The best entry that its limits admit. Stays queued until erased.
  std::optional<Pick> best();
  // The limit that holds this class back now, if any.
  std::optional<LimitId> blocked_by(ClassId id) const;
  bool plain(ClassId id) const { return classes_[id].needs.empty(); }
  size_t queued() const { return queued_; }
  uint32_t used(LimitId limit) const { return limits_[limit].used; }

 private:
  struct Class {
    std::vector<Need> needs;
    std::set<Rank> queue;
    std::optional<LimitId> parked_on;
    bool held = false;
  };
  struct Limit {
    uint32_t used = 0;
    std::set<ClassId> parked;
  };
  using Head = std::pair<Rank, ClassId>;

  void activate(ClassId id);    // into active_, if it has an entry
  void deactivate(ClassId id);  // out of active_ or off its limit
  void wake(LimitId limit);

  std::vector<Class> classes_;
  std::vector<ClassId> free_classes_;
  std::vector<Limit> limits_;
  std::unordered_map<std::string, LimitId> named_;
  std::set<Head> active_;  // heads of classes that may fit; best() sets aside those that do not
  size_t queued_ = 0;
};

}  // namespace sparky::engine
