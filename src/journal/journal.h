// Journal: the append-only record of what happened. It stores bytes and knows nothing of their meaning.
//
// A record belongs to a stream (a run, the queue) and has a sequence number, counted over all streams without gaps.
// Its digest is SHA-256(previous digest, seq, stream, payload): a record that was changed, lost or moved is noticed.
// When a finished stream is archived, its records leave; in each gap stays one stub with the gap's first number and
// last digest, so that the chain can still be checked. The last sequence number and digest are kept apart, so that a
// lost tail is noticed too.
//
// On disk: `journal.db` (SQLite, WAL, synchronous=FULL; application id "SPKY", user version = format version).
//   records(seq, stream, payload or NULL for a stub, digest) · head(seq, digest) · snapshots(stream, seq, state,
//   digest)
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/hash.h"

namespace sparky::journal {

inline constexpr int format_version = 1;

struct Record {
  uint64_t seq = 0;  // from 1
  std::string_view stream;
  std::string_view payload;
  const Digest& digest;
};

// The state of a stream after record `seq`, which is one of its own; what replaying up to there gives.
struct Snapshot {
  std::string stream;
  uint64_t seq = 0;
  std::string state;
};

// What is committed together, or not at all.
struct Batch {
  struct Append {
    std::string stream;
    std::string payload;
  };
  std::vector<Append> append;
  std::vector<Snapshot> snapshots;  // each replaces the stream's older one
  std::vector<std::string> drop;    // archived streams, whose records and snapshots leave
  bool empty() const { return append.empty() && snapshots.empty() && drop.empty(); }
};

struct Head {
  uint64_t seq = 0;  // of the newest record; 0: none yet
  Digest digest{};
};

using RecordFn = std::function<Status(const Record&)>;  // an error stops the replay and is handed on

// Reads a journal, also one that another process is writing. Each call sees one committed state.
class Reader {
 public:
  // Errc::not_found: no journal; corrupt: damaged; unavailable: written by a newer Sparky.
  static Result<Reader> open(const std::filesystem::path& file);
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  Result<Head> head();
  // Calls fn for each record with seq > after, oldest first, and checks the chain on the way; with `limit` stops
  // there. Without a limit the newest record must be the one that the head names. Errc::corrupt names the record.
  Status replay(uint64_t after, const RecordFn& fn, std::optional<size_t> limit = {});
  Result<std::vector<Snapshot>> snapshots();  // each checked against the chain

 private:
  struct Impl;
  explicit Reader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The writer. A thread of its own owns the connection; one batch is in flight at a time.
// After a failed commit every later one is refused: what the caller has in memory may no longer be what is on disk,
// so the process has to end.
class Journal {
 public:
  // Opens or creates `file`. The caller holds the ProjectLock. Errors as Reader::open, and Errc::full, denied, io.
  static Result<std::unique_ptr<Journal>> open(const std::filesystem::path& file);
  virtual ~Journal() = default;

  // The number that the next appended record will have.
  virtual uint64_t next_seq() const = 0;
  // Hands over a batch; false if one is still in flight.
  virtual bool submit(Batch batch) = 0;
  virtual bool in_flight() const = 0;
  // Readable (poll for POLLIN) once the batch in flight is durable or has failed.
  virtual int completion_fd() const = 0;
  // The outcome of the batch in flight, once there is one.
  virtual std::optional<Status> take_completion() = 0;
  // submit and wait.
  virtual Status commit(Batch batch) = 0;
};

struct Verified {
  uint64_t records = 0;
  uint64_t stubs = 0;  // gaps that archived streams left
  Head head;
};
// Checks the whole chain and SQLite's own structures.
Result<Verified> verify(const std::filesystem::path& file);

struct Salvaged {
  uint64_t records = 0;           // kept: the longest valid prefix
  std::filesystem::path damaged;  // where the damaged file was put
  std::string stopped_at;         // what is wrong with the first record that was not kept; empty: nothing
};
// The way out of a damaged journal: moves it aside and writes a new one with the longest valid prefix.
// The caller holds the ProjectLock.
Result<Salvaged> salvage(const std::filesystem::path& file);

}  // namespace sparky::journal
