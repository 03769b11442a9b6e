// Desk: what is asked of Sparky, between the wire's requests and the engine's inputs. A request either only looks, and
// is answered at once from the state, or it acts, and becomes inputs whose events must be on disk before the answer.
#pragma once
#include <fmt/format.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "conductor/conductor.h"
#include "conductor/ledger.h"
#include "engine/input.h"
#include "wire/messages.h"

namespace sparky::conductor {

// What the desk knows of the process around it.
struct Surroundings {
  std::vector<std::string> facts;                    // of this machine, for `requires`
  std::function<Json()> inspect;                     // the daemon's own figures; may be empty
  std::function<std::vector<wire::Model>()> models;  // what generate can ask for; may be empty
  // Models in a worker's memory, if it says so; may be empty.
  std::function<std::optional<std::vector<std::string>>(const std::string& worker)> loaded;
  wire::Document addresses;             // of its sockets
  std::vector<WorkerProgram> programs;  // that workers can be started of
  Time started{};
};

// What a request that acts is for the engine, and what is to be said with the answer.
struct Ordered {
  std::vector<engine::Input> inputs;
  std::vector<std::string> notes;
};

class Desk {
 public:
  Desk(Ledger& ledger, Surroundings surroundings)
      : ledger_(ledger), state_(ledger.state()), around_(std::move(surroundings)) {}

  Surroundings& around() { return around_; }

  // What a client must be allowed for a request.
  wire::Role role_of(const wire::Request& request) const;
  static bool acts(const wire::Request& request);
  // Whether the answer to one that looks depends on what may not be on disk yet.
  static bool needs_disk(const wire::Request& request);
  // The answer to a request that only looks.
  wire::Reply look(const wire::Request& request, Time now);
  // The answer to a request whose idempotency key is known already: nothing is to be done for it.
  std::optional<wire::Reply> answered(const wire::Asked& asked) const;
  // What remembers that answer: for a request with a key that was done.
  std::optional<engine::Input> keep(const wire::Asked& asked, const wire::Reply& reply) const;
  // For work that is not in the journal: that a request with a key begins, and that nothing came of it.
  std::optional<engine::Input> begun(const wire::Asked& asked) const;
  std::optional<engine::Input> not_done(const wire::Asked& asked) const;
  // The inputs of a request that acts, in order. An error is the answer.
  Result<Ordered> order(const wire::Asked& asked);
  // The answer to it, once what the engine said is on disk: one reply for each input, up to the first refusal.
  wire::Reply settle(const wire::Asked& asked, const Ordered& ordered,
                     const std::vector<Result<engine::Reply>>& replies);

 private:
  friend struct Look;
  friend struct Order;
  // What jobs can ask for: what is installed, and what the workers that are connected have.
  std::vector<wire::Model> models() const;
  // Whether a job can be done at all, here and now: somebody is there for it, or can be started, and does not refuse
  // it.
  Status can_be_done(const engine::JobSpec& spec) const;

  Ledger& ledger_;
  const engine::State& state_;
  Surroundings around_;
};

// One of the words of an enum, as in a request's field. Errc::invalid names those there are.
template <class Enum>
Result<Enum> word(std::string_view text, std::initializer_list<Enum> all, std::string_view field) {
  std::string names;
  for (auto value : all) {
    if (name(value) == text) return value;
    names += (names.empty() ? "" : ", ") + std::string(name(value));
  }
  return fail(Errc::invalid, fmt::format("field '{}' is '{}'; it must be one of {}", field, text, names));
}

// The runs that are to leave the journal.
std::vector<engine::RunId> archived(const Ordered& ordered);

using wire::error_reply;
// How a refusal reads to this kind of request: job_error for those about a job, else error.
wire::Reply refusal(const wire::Request& request, const Error& error);

}  // namespace sparky::conductor
