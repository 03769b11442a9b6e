#include "conductor/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "engine/codec.h"
#include "engine/view.h"

namespace sparky::conductor {
namespace fs = std::filesystem;
using engine::Event;

namespace {

constexpr size_t recent_max = 8192;
constexpr std::string_view project_stream = "project";

}  // namespace

fs::path journal_file(const fs::path& project) { return project / ".sparky" / "journal.db"; }

Result<std::unique_ptr<Ledger>> Ledger::open(const fs::path& given) {
  std::error_code ec;
  auto project = fs::absolute(given, ec).lexically_normal();
  SPARKY_ASSIGN(auto lock, journal::ProjectLock::take(project / ".sparky"));
  std::unique_ptr<Ledger> ledger(new Ledger(std::move(lock), project));
  SPARKY_ASSIGN(ledger->journal_, journal::Journal::open(journal_file(project)));
  SPARKY_TRY(ledger->replay());
  return ledger;
}

Status Ledger::replay() {
  SPARKY_ASSIGN(auto reader, journal::Reader::open(journal_file(project_)));
  SPARKY_ASSIGN(auto snapshots, reader.snapshots());
  engine::State state;
  for (auto& s : snapshots) {
    if (s.stream != project_stream) continue;
    // A snapshot only saves time, unless runs were archived; then the journal alone no longer tells the whole story.
    SPARKY_ASSIGN(state, engine::decode_state(s.state));
    snapshot_at_ = newest_ = s.seq;
  }
  know_attempts(state);
  for (auto& [id, d] : state.decisions) decisions_[id] = {d.run, d.node, 0};
  for (auto& [id, e] : state.escalations) escalations_[id] = {e.run, e.node, 0};
  SPARKY_TRY(reader.replay(newest_, [&](const journal::Record& record) -> Status {
    SPARKY_ASSIGN(auto event, engine::decode_event(record.payload));
    about(event);
    engine::apply(state, event);
    if (std::holds_alternative<engine::PlanUpdated>(event.body)) know_attempts(state);
    newest_ = record.seq;
    return {};
  }));
  SPARKY_ASSIGN(auto head, reader.head());
  newest_ = head.seq;  // beyond the last record if that was archived
  engine_ = engine::Engine(std::move(state));
  return {};
}

// A changed plan numbers its nodes anew, so what is known of live attempts is taken from the state.
void Ledger::know_attempts(const engine::State& state) {
  for (auto& [id, about] : attempts_) about.node.reset();
  for (auto& [id, a] : state.attempts) {
    attempts_[id] = {a.run, {}, a.job};
    if (a.run) attempts_[id].node = a.node;
  }
}

About Ledger::about(const Event& event) {
  return std::visit(
      [&]<class E>(const E& e) -> About {
        About about;
        if constexpr (requires { e.run; }) about.run = e.run;
        if constexpr (requires { e.node; }) about.node = e.node;
        if constexpr (requires { e.job; }) about.job = e.job;
        if constexpr (requires { e.attempt; }) {
          if constexpr (std::same_as<E, engine::AttemptAssigned> || std::same_as<E, engine::LeaseGranted>) {
            attempts_[e.attempt] = about;
          } else if constexpr (!requires { e.run; }) {
            auto it = attempts_.find(e.attempt);
            if (it != attempts_.end()) about = it->second;
            // Jobs come without end; of runs the attempts are kept, as their logs are.
            if constexpr (std::same_as<E, engine::AttemptEnded>)
              if (it != attempts_.end() && about.run == 0) attempts_.erase(it);
          }
        } else if constexpr (requires { e.decision; }) {
          if constexpr (std::same_as<E, engine::DecisionOpened>)
            decisions_[e.decision] = about;
          else if (auto it = decisions_.find(e.decision); it != decisions_.end())
            about = it->second;
        }
        if constexpr (std::same_as<E, engine::EscalationOpened>) escalations_[e.escalation] = about;
        if constexpr (std::same_as<E, engine::EscalationClosed>)
          if (auto it = escalations_.find(e.escalation); it != escalations_.end()) about = it->second;
        return about;
      },
      event.body);
}

std::string Ledger::stream(const About& about) {
  if (about.run) return fmt::format("run-{}", about.run);
  return about.job ? "queue" : std::string(project_stream);
}

Fact Ledger::add(journal::Batch& batch, Event event) {
  Fact fact{journal_->next_seq() + batch.append.size(), std::move(event), {}};
  fact.about = about(fact.event);
  if (std::holds_alternative<engine::PlanUpdated>(fact.event.body)) know_attempts(state());
  // That a run was archived must be known after its own records are gone.
  bool archived = std::holds_alternative<engine::RunArchived>(fact.event.body);
  if (archived) batch.drop.push_back(stream(fact.about));
  batch.append.push_back({archived ? std::string(project_stream) : stream(fact.about), engine::encode(fact.event)});
  return fact;
}

void Ledger::committed(const std::vector<Fact>& facts) {
  for (auto& fact : facts) {
    newest_ = fact.seq;
    if (auto* archived = std::get_if<engine::RunArchived>(&fact.event.body)) put_logs_away(archived->run);
  }
}

std::vector<std::string> Ledger::frames(const std::vector<Fact>& facts) {
  std::vector<std::string> frames;
  for (auto& fact : facts) {
    frames.push_back(frame(fact));
    recent_.push_back({fact.seq, fact.about.run, frames.back()});
  }
  while (recent_.size() > recent_max) recent_.pop_front();
  return frames;
}

std::string Ledger::frame(const Fact& fact) const {
  wire::EventMessage m{.seq = fact.seq, .time = iso(fact.event.at), .run = fact.about.run};
  m.event = engine::event_name(fact.event.body.index());
  m.text = engine::sentence(state(), fact.event);
  auto* run = state().run(fact.about.run);
  bool of_node = run && fact.about.node && *fact.about.node < run->nodes.size();
  return wire::encode_event(m, engine::fields_msgpack(fact.event, of_node ? run->id_of(*fact.about.node) : ""));
}

Result<std::vector<wire::Document>> Ledger::read(uint64_t& after, size_t max, engine::RunId run) {
  std::vector<wire::Document> found;
  if (!recent_.empty() && after + 1 >= recent_.front().seq) {
    for (size_t i = size_t(after + 1 - recent_.front().seq); i < recent_.size() && found.size() < max; ++i) {
      after = recent_[i].seq;
      if (run && recent_[i].run != run) continue;
      SPARKY_ASSIGN(auto map, parse_msgpack(recent_[i].frame));
      found.push_back(wire::document(std::move(map)));
    }
    return found;
  }
  SPARKY_ASSIGN(auto reader, journal::Reader::open(journal_file(project_)));
  size_t looked_at = 0;
  auto each = [&](const journal::Record& record) -> Status {
    if (record.seq > newest_) return {};  // committed this very moment: it will be told
    after = record.seq;
    ++looked_at;
    SPARKY_ASSIGN(auto event, engine::decode_event(record.payload));
    Fact fact{record.seq, std::move(event), {}};
    fact.about = about(fact.event);
    if (run && fact.about.run != run) return {};
    SPARKY_ASSIGN(auto map, parse_msgpack(frame(fact)));
    found.push_back(wire::document(std::move(map)));
    return {};
  };
  SPARKY_TRY(reader.replay(after, each, max));
  if (looked_at < max) after = newest_;
  return found;
}

Result<const engine::Run*> Ledger::run(engine::RunId id) const {
  auto& runs = state().runs;
  if (runs.empty()) return fail(Errc::not_found, "this project has no run yet", "`sparky run PLAN` starts one");
  if (id == 0) return &runs.rbegin()->second;
  if (auto* run = state().run(id)) return run;
  return fail(Errc::not_found, fmt::format("there is no run {}", id), "`sparky runs` lists them");
}

void Ledger::add_snapshot(journal::Batch& batch, uint64_t seq, uint64_t least_events) {
  // A state of many nodes is long: writing it shall not cost more than writing the events did.
  size_t nodes = 0;
  for (auto& [id, run] : state().runs) nodes += run.nodes.size();
  bool due = seq >= snapshot_at_ + std::max<uint64_t>(least_events, 1) && seq >= snapshot_at_ + 2 * nodes;
  if (!due && batch.drop.empty()) return;
  snapshot_at_ = seq;
  batch.snapshots.push_back({std::string(project_stream), seq, engine::encode(state())});
}

Result<std::vector<std::string>> Ledger::copy_records(const fs::path& project, const std::vector<engine::RunId>& runs) {
  struct Copy {
    fs::path file;
    std::ofstream out;
  };
  std::map<std::string, Copy, std::less<>> copies;  // by stream
  auto directory = project / ".sparky" / "archive";
  SPARKY_TRY(make_directories(directory));
  std::vector<std::string> files;
  for (auto id : runs) {
    auto name = stream({id, {}, 0});
    auto& copy = copies[name];
    copy.file = directory / (name + ".jsonl");
    copy.out.open(copy.file.string() + ".part", std::ios::binary | std::ios::trunc);
    files.push_back(copy.file.string());
  }
  SPARKY_ASSIGN(auto reader, journal::Reader::open(journal_file(project)));
  SPARKY_TRY(reader.replay(0, [&](const journal::Record& record) -> Status {
    auto copy = copies.find(record.stream);
    if (copy == copies.end()) return {};
    SPARKY_ASSIGN(auto event, engine::decode_event(record.payload));
    Json line = engine::to_json(event);
    line["seq"] = record.seq;
    copy->second.out << json_text(line) << '\n';
    return {};
  }));
  for (auto& [name, copy] : copies) {
    copy.out.close();
    auto part = copy.file.string() + ".part";
    Fd fd(::open(part.c_str(), O_RDONLY | O_CLOEXEC));
    if (copy.out.fail() || !fd || ::fsync(fd.get()) != 0 || ::rename(part.c_str(), copy.file.c_str()) != 0)
      return fail_errno(errno, fmt::format("cannot write {}", copy.file.string()));
  }
  SPARKY_TRY(sync_directory(directory));
  return files;
}

// An archived run's logs stand beside its records; they are never read again by Sparky.
void Ledger::put_logs_away(engine::RunId run) const {
  auto name = stream({run, {}, 0});
  std::error_code ec;
  fs::rename(directory() / "logs" / name, directory() / "archive" / (name + "-logs"), ec);
}

}  // namespace sparky::conductor
