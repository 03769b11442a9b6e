// The checker: what must always hold, worked out anew from the events and the plan, not with the engine's counters.
#pragma once
#include <map>
#include <set>
#include <string>
#include <utility>

#include "engine/codec.h"
#include "engine/engine.h"
#include "engine/sim/agents.h"

namespace sparky::engine::sim {

class Checker {
 public:
  explicit Checker(Agents& agents) : agents_(agents) {}
  // An event that has been committed, as its bytes. Throws Violation.
  void observe(const std::string& bytes);
  // After each input: the engine's state against the replayed one, and against what the rules ask. Throws Violation.
  void check(const State& live) const;
  const State& replayed() const { return shadow_; }
  // Everything has come to its end, after the faults stopped.
  bool finished() const;

 private:
  using Key = std::pair<RunId, std::string>;  // a workstream or gate by name: numbers change with the plan
  struct Known {
    bool exited_well = false;  // its exit 0 is recorded, and nothing since then asks for another run
    bool accepted = false;     // a person said that it is done
    bool held = false;         // its agent asked a person, and nobody has answered
    bool merged = false;       // its merge is verified, and nobody has asked for more since
    std::map<uint16_t, std::pair<Verdict, bool>> verdicts;  // and whether a person said so
  };

  void answered(const Decision& d, Answer answer);
  void judged(const CriterionJudged& e);
  void assigned(const AttemptAssigned& e);
  void ended(const AttemptEnded& e);
  void staged(const NodeStaged& e);
  void leased(const LeaseGranted& e) const;
  void job_staged(const JobStaged& e);
  std::vector<bool> done(const Run& run) const;  // by node, from the stages that events gave
  void check_run(const State& live, const Run& run) const;
  bool limits_admit(const State& state, const Run& run, NodeId node, bool already_counted) const;
  Key key(RunId run, NodeId node) const;

  Agents& agents_;
  State shadow_;
  std::map<Key, Known> known_;
  std::map<JobId, JobState> job_ends_;
  std::set<DecisionId> answered_too_;  // by the answer to another one that asked the same
};

}  // namespace sparky::engine::sim
