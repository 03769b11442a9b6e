// Ledger: what is known and what is on disk. Holds the project's lock, its journal, and the engine whose state is what
// the journal replays to. Used by the loop (conductor.h) and, when no Sparky is alive, by a single command (offline.h).
#pragma once
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"
#include "journal/journal.h"
#include "journal/lock.h"
#include "wire/messages.h"

namespace sparky::conductor {

// What an event is about, as far as it concerns one run, node or job.
struct About {
  engine::RunId run = 0;
  std::optional<engine::NodeId> node;
  engine::JobId job = 0;
};

// An event with its place in the journal.
struct Fact {
  uint64_t seq = 0;
  engine::Event event;
  About about;
};

class Ledger {
 public:
  // Takes the lock, opens the journal (made if missing) and replays it. Errors: Errc::busy (in use), corrupt,
  // unavailable (newer), full, denied, io; each says what to do.
  static Result<std::unique_ptr<Ledger>> open(const std::filesystem::path& project);

  const std::filesystem::path& project() const { return project_; }
  std::filesystem::path directory() const { return project_ / ".sparky"; }
  engine::Engine& engine() { return engine_; }
  const engine::State& state() const { return engine_.state(); }
  journal::Journal& journal() { return *journal_; }

  // Puts an event that the engine has decided into a batch.
  Fact add(journal::Batch& batch, engine::Event event);
  // A batch is on disk.
  void committed(const std::vector<Fact>& facts);
  // Each of its events as the event socket tells it; from then on read() knows them without the disk. Once, in order.
  std::vector<std::string> frames(const std::vector<Fact>& facts);
  uint64_t newest() const { return newest_; }  // sequence number of the newest event on disk

  // Events after a number, for those who missed them. `after` becomes the last that was looked at.
  Result<std::vector<wire::Document>> read(uint64_t& after, size_t max, engine::RunId run);
  std::string frame(const Fact& fact) const;  // as the event socket tells it

  // The latest run, or the given one. Errc::not_found says how to find them.
  Result<const engine::Run*> run(engine::RunId id) const;

  // Adds a snapshot of the state as it is now to a batch, or rather after its last event `seq`; does nothing if too
  // little has happened since the last one, unless the batch drops records: it then carries what they said.
  void add_snapshot(journal::Batch& batch, uint64_t seq, uint64_t least_events);
  // Copies the records of runs that are to leave the journal to one file each under .sparky/archive. From any thread:
  // it reads the whole journal, and takes as long.
  static Result<std::vector<std::string>> copy_records(const std::filesystem::path& project,
                                                       const std::vector<engine::RunId>& runs);

 private:
  Ledger(journal::ProjectLock lock, std::filesystem::path project)
      : lock_(std::move(lock)), project_(std::move(project)) {}
  Status replay();
  About about(const engine::Event& event);
  void know_attempts(const engine::State& state);
  static std::string stream(const About& about);
  void put_logs_away(engine::RunId run) const;

  journal::ProjectLock lock_;
  std::filesystem::path project_;
  std::unique_ptr<journal::Journal> journal_;
  engine::Engine engine_;
  uint64_t newest_ = 0, snapshot_at_ = 0;
  // Later events name only the attempt, decision or escalation.
  std::unordered_map<engine::AttemptId, About> attempts_;
  std::unordered_map<uint32_t, About> decisions_, escalations_;
  struct Told {
    uint64_t seq;
    engine::RunId run;
    std::string frame;
  };
  std::deque<Told> recent_;  // without a gap, up to newest_
};

std::filesystem::path journal_file(const std::filesystem::path& project);

}  // namespace sparky::conductor
