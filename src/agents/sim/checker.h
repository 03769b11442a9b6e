// The checker: what must hold after every step of agents' work, wherever it was stopped. It looks at the repository,
// the target and the books from outside, and knows what the agents have made and spent from the agents themselves.
#pragma once
#include "agents/sim/place.h"
#include "engine/engine.h"

namespace sparky::agents::sim {

class Checker {
 public:
  Checker(const Place& place, std::vector<std::string> ids);

  // After each step. `waiting`: who stood in the merge queue beside `own`, in the order of their coming. Throws
  // Violation.
  void after_step(const std::string& own, const std::vector<std::string>& waiting);
  // The person has changed something: that is how it has to stay now.
  void person_worked();
  // `id` is complete: what its agent made last is in the target.
  void completed(const std::string& id) const;
  // A person let a budget go on ("run", "orchestrator all", "workstream A").
  void granted(const std::string& scope) { ++grants_[scope]; }
  // Everything has ended well: nothing is left over.
  void at_the_end() const;

  size_t merged() const { return landed_.size(); }

 private:
  void history(const std::string& own, const std::vector<std::string>& waiting);
  void nothing_lost();
  void books() const;

  const Place& place_;
  std::vector<std::string> ids_;
  std::string target_, person_;
  std::set<std::string> landed_;  // subjects of commits
  std::set<std::string> made_;    // heads of agents' branches when a step of theirs ended
  std::map<std::string, int> grants_;
};

}  // namespace sparky::agents::sim
