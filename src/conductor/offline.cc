// The door to a project that no Sparky has: this process takes the lock and appends.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "conductor/aside.h"
#include "conductor/conductor.h"
#include "conductor/desk.h"
#include "conductor/ledger.h"
#include "wire/address.h"

namespace sparky::conductor {

namespace {

class Offline final : public wire::Door {
 public:
  Offline(std::unique_ptr<Ledger> ledger, Surroundings around, StudioAnswers studio)
      : ledger_(std::move(ledger)),
        desk_(*ledger_, std::move(around)),
        studio_(std::move(studio)),
        person_(wire::this_person()) {}

  Result<wire::Reply> ask(const wire::Request& request, Duration) override {
    auto t = now();
    wire::Asked asked{request, {.who = person_}};
    if (wire::is_of_studio(request)) return answer_aside(ledger_->project(), studio_, request);
    if (!Desk::acts(request)) return desk_.look(request, t);
    auto ordered = desk_.order(asked);
    if (!ordered) return refusal(request, ordered.error());
    if (std::holds_alternative<wire::Prune>(request)) {
      SPARKY_ASSIGN(ordered->notes, Ledger::copy_records(ledger_->project(), archived(*ordered)));
    }
    journal::Batch batch;
    std::vector<Fact> facts;
    std::vector<Result<engine::Reply>> replies;
    for (auto& input : ordered->inputs) {
      auto decided = ledger_->engine().decide(input, t);
      for (auto& event : decided.events) facts.push_back(ledger_->add(batch, std::move(event)));
      replies.push_back(std::move(decided.reply));
      if (!replies.back()) break;
    }
    // Effects wait: the next Sparky finds them outstanding.
    if (!batch.drop.empty()) ledger_->add_snapshot(batch, facts.back().seq, 0);
    if (!batch.empty()) SPARKY_TRY(ledger_->journal().commit(std::move(batch)));
    ledger_->committed(facts);
    return desk_.settle(asked, *ordered, replies);
  }

 private:
  std::unique_ptr<Ledger> ledger_;
  Desk desk_;
  StudioAnswers studio_;
  std::string person_;
};

}  // namespace

Result<std::unique_ptr<wire::Door>> open_door(const std::filesystem::path& project, std::vector<std::string> facts,
                                              StudioAnswers studio) {
  // A Sparky that is just starting or ending has the lock without answering, or lets go of it: so both are tried again.
  Error last;
  for (int tries = 0; tries < 3; ++tries) {
    if (!journal::ProjectLock::holder(project / ".sparky").empty()) {
      auto client = wire::Client::connect(wire::project_address(project, "sock"), Duration(3000));
      if (client) return std::make_unique<wire::Client>(std::move(*client));
      last = client.error();
      continue;
    }
    auto ledger = Ledger::open(project);
    if (ledger)
      return std::make_unique<Offline>(std::move(*ledger), Surroundings{.facts = facts, .started = now()},
                                       std::move(studio));
    last = ledger.error();
    if (!last.is(Errc::busy)) break;
  }
  return std::unexpected(last);
}

}  // namespace sparky::conductor
