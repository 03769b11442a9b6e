#include "journal/journal.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/files.h"
#include "journal/sqlite.h"

namespace sparky::journal {
namespace fs = std::filesystem;

namespace {

constexpr int64_t application_id = 0x53504b59;  // "SPKY"
constexpr const char* schema[] = {
    "CREATE TABLE records(seq INTEGER PRIMARY KEY, stream TEXT NOT NULL, payload BLOB, digest BLOB NOT NULL)",
    "CREATE TABLE head(seq INTEGER NOT NULL, digest BLOB NOT NULL)",
    "CREATE TABLE snapshots(stream TEXT PRIMARY KEY, seq INTEGER NOT NULL, state BLOB NOT NULL, digest BLOB NOT NULL)",
};
constexpr const char* way_out = "`sparky journal salvage` keeps the longest valid part and puts the damaged file aside";

std::string_view view(const Digest& d) { return {reinterpret_cast<const char*>(d.data()), d.size()}; }

std::unexpected<Error> corrupt(std::string what) {
  return fail(Errc::corrupt, "the journal is damaged: " + std::move(what), way_out);
}

// Adds the file and the way out to an error that came from SQLite.
std::unexpected<Error> explain(Error error, const fs::path& file) {
  error.message = fmt::format("{}: {}", file.string(), error.message);
  if (error.is(Errc::corrupt)) error.help = way_out;
  if (error.is(Errc::full)) error.help = "free some space and start again; nothing that was acknowledged is lost";
  return std::unexpected(std::move(error));
}

Result<Digest> digest_of(std::string_view bytes) {
  Digest d{};
  if (bytes.size() != d.size()) return corrupt("a checksum has the wrong length");
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(d.data()));
  return d;
}

Digest chain(const Digest& before, uint64_t seq, std::string_view stream, std::string_view payload) {
  // Lengths are part of what is hashed, so that bytes cannot move between stream and payload.
  auto numbers = fmt::format("{} {} {} ", seq, stream.size(), payload.size());
  std::string_view parts[] = {view(before), numbers, stream, payload};
  return sha256(parts);
}

Digest snapshot_sum(const Snapshot& s, const Digest& record_digest) {
  return chain(record_digest, s.seq, s.stream, s.state);
}

Status check_format(Database& db) {
  SPARKY_ASSIGN(auto id, db.integer("PRAGMA application_id"));
  SPARKY_ASSIGN(auto version, db.integer("PRAGMA user_version"));
  if (id != application_id) return corrupt("this is not a Sparky journal");
  if (version > format_version)
    return fail(Errc::unavailable,
                fmt::format("the journal has format version {}; this Sparky knows {}", version, format_version),
                "use the newer Sparky that wrote it, or set another project directory with --project");
  if (version != format_version) return corrupt(fmt::format("format version {} was never used", version));
  SPARKY_ASSIGN(auto tables, db.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"));
  for (auto* expected : schema) {
    SPARKY_ASSIGN(bool row, tables.step());
    if (!row || tables.blob(0) != expected) return corrupt("its tables are not those of this format");
  }
  SPARKY_ASSIGN(bool more, tables.step());
  if (more) return corrupt("it has tables that do not belong to it");
  return {};
}

Result<Head> read_head(Database& db) {
  SPARKY_ASSIGN(auto s, db.prepare("SELECT seq, digest FROM head"));
  SPARKY_ASSIGN(bool row, s.step());
  if (!row) return corrupt("it has no head");
  Head head;
  head.seq = uint64_t(s.integer(0));
  SPARKY_ASSIGN(head.digest, digest_of(s.blob(1)));
  return head;
}

// A stub keeps the first sequence number of its gap in the column `stream`.
Result<uint64_t> stub_first(std::string_view text) {
  uint64_t first = 0;
  auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), first);
  if (err != std::errc{} || end != text.data() + text.size()) return corrupt("a stub names no first record");
  return first;
}

Result<std::optional<Digest>> digest_at(Database& db, uint64_t seq) {
  SPARKY_ASSIGN(auto s, db.prepare("SELECT digest FROM records WHERE seq = ?"));
  SPARKY_ASSIGN(bool row, s.bind(1, int64_t(seq)).step());
  if (!row) return std::nullopt;
  SPARKY_ASSIGN(auto digest, digest_of(s.blob(0)));
  return digest;
}

}  // namespace

// ---- Reader -------------------------------------------------------------------------------------------------------

struct Reader::Impl {
  fs::path file;
  Database db;

  // One read transaction, so that head and records are of the same state.
  template <class F>
  auto transaction(F&& body) -> decltype(body()) {
    if (auto begun = db.exec("BEGIN"); !begun) return explain(begun.error(), file);
    auto result = body();
    (void)db.exec("COMMIT");
    return result;
  }

  Status replay(uint64_t after, const RecordFn& fn, std::optional<size_t> limit);
};

Reader::Reader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

Result<Reader> Reader::open(const fs::path& file) {
  std::error_code ec;
  if (!fs::exists(file, ec))
    return fail(Errc::not_found, fmt::format("there is no journal at {}", file.string()),
                "`sparky run PLAN` starts one");
  auto db = Database::open(file, Database::Mode::read);
  if (!db) return explain(db.error(), file);
  auto impl = std::make_unique<Impl>(Impl{file, std::move(*db)});
  if (auto ok = check_format(impl->db); !ok) return explain(ok.error(), file);
  return Reader(std::move(impl));
}

Result<Head> Reader::head() {
  auto head = read_head(impl_->db);
  if (!head) return explain(head.error(), impl_->file);
  return head;
}

Status Reader::Impl::replay(uint64_t after, const RecordFn& fn, std::optional<size_t> limit) {
  SPARKY_ASSIGN(auto head, read_head(db));
  Head at;
  SPARKY_ASSIGN(auto first, digest_at(db, after));
  bool known = after == 0 || first;  // whether at.digest is that of record at.seq
  at.seq = after;
  if (first) at.digest = *first;
  SPARKY_ASSIGN(auto rows, db.prepare("SELECT seq, stream, payload, digest FROM records WHERE seq > ? ORDER BY seq"));
  rows.bind(1, int64_t(after));
  for (size_t count = 0; !limit || count < *limit;) {
    SPARKY_ASSIGN(bool row, rows.step());
    if (!row) {
      bool nothing = head.seq <= after;  // asked for what is not written yet
      if (!nothing && (at.seq != head.seq || at.digest != head.digest))
        return corrupt(fmt::format("the records after {} are missing (the last should be {})", at.seq, head.seq));
      return {};
    }
    auto seq = uint64_t(rows.integer(0));
    SPARKY_ASSIGN(auto digest, digest_of(rows.blob(3)));
    if (rows.null(2)) {  // a stub: from its first record to here, all was archived
      SPARKY_ASSIGN(auto first_archived, stub_first(rows.blob(1)));
      if (known && first_archived > at.seq + 1) return corrupt(fmt::format("record {} is missing", at.seq + 1));
    } else {
      if (known && seq != at.seq + 1) return corrupt(fmt::format("record {} is missing", at.seq + 1));
      if (known && chain(at.digest, seq, rows.blob(1), rows.blob(2)) != digest)
        return corrupt(fmt::format("record {} does not match its checksum", seq));
      SPARKY_TRY(fn(Record{seq, rows.blob(1), rows.blob(2), digest}));
      ++count;
    }
    at = {seq, digest};
    known = true;
  }
  return {};
}

Status Reader::replay(uint64_t after, const RecordFn& fn, std::optional<size_t> limit) {
  auto ok = impl_->transaction([&] { return impl_->replay(after, fn, limit); });
  if (!ok) return explain(ok.error(), impl_->file);
  return {};
}

Result<std::vector<Snapshot>> Reader::snapshots() {
  auto read = [&]() -> Result<std::vector<Snapshot>> {
    std::vector<Snapshot> found;
    SPARKY_ASSIGN(auto rows, impl_->db.prepare("SELECT stream, seq, state, digest FROM snapshots ORDER BY stream"));
    for (;;) {
      SPARKY_ASSIGN(bool row, rows.step());
      if (!row) return found;
      Snapshot s{std::string(rows.blob(0)), uint64_t(rows.integer(1)), std::string(rows.blob(2))};
      SPARKY_ASSIGN(auto sum, digest_of(rows.blob(3)));
      SPARKY_ASSIGN(auto record, digest_at(impl_->db, s.seq));
      if (!record || snapshot_sum(s, *record) != sum)
        return corrupt(fmt::format("the snapshot of '{}' does not match its checksum", s.stream));
      found.push_back(std::move(s));
    }
  };
  auto found = impl_->transaction(read);
  if (!found) return explain(found.error(), impl_->file);
  return found;
}

// ---- Writer -------------------------------------------------------------------------------------------------------

namespace {

class Writer {
 public:
  static Result<Writer> open(const fs::path& file) {
    std::error_code ec;
    bool fresh = !fs::exists(file, ec) || fs::file_size(file, ec) == 0;
    SPARKY_ASSIGN(auto db, Database::open(file, Database::Mode::create));
    Writer w(std::move(db));
    if (fresh) SPARKY_TRY(w.create());
    SPARKY_TRY(check_format(w.db_));
    // FULL: a commit returns after its fsync. One process writes, so the WAL stays small and is checkpointed here.
    SPARKY_TRY(w.db_.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=16777216"));
    SPARKY_TRY(sync_directory(file.parent_path()));
    SPARKY_ASSIGN(w.head_, read_head(w.db_));
    SPARKY_ASSIGN(auto last, w.db_.integer("SELECT coalesce(max(seq), 0) FROM records"));
    if (uint64_t(last) != w.head_.seq)
      return corrupt(fmt::format("the last record is {}, but should be {}", last, w.head_.seq));
    SPARKY_ASSIGN(w.begin_, w.db_.prepare("BEGIN IMMEDIATE"));
    SPARKY_ASSIGN(w.commit_, w.db_.prepare("COMMIT"));
    SPARKY_ASSIGN(w.insert_, w.db_.prepare("INSERT INTO records VALUES(?, ?, ?, ?)"));
    SPARKY_ASSIGN(w.set_head_, w.db_.prepare("UPDATE head SET seq = ?, digest = ?"));
    return w;
  }

  const Head& head() const { return head_; }

  // For salvage: puts a row of another journal here as it is.
  struct Row {
    Head at;
    std::string stream, payload;
    bool stub = false;
  };
  Status restore(const std::vector<Row>& rows) {
    SPARKY_TRY(db_.exec("BEGIN"));
    SPARKY_ASSIGN(auto stub, db_.prepare("INSERT INTO records VALUES(?, ?, NULL, ?)"));
    for (auto& row : rows) {
      auto& insert = row.stub ? stub : insert_;
      insert.bind(1, int64_t(row.at.seq)).bind_text(2, row.stream);
      if (!row.stub) insert.bind(3, row.payload);
      SPARKY_TRY(insert.bind(row.stub ? 3 : 4, view(row.at.digest)).step());
      head_ = row.at;
    }
    SPARKY_TRY(set_head_.bind(1, int64_t(head_.seq)).bind(2, view(head_.digest)).step());
    return db_.exec("COMMIT");
  }

  Status commit(const Batch& batch) {
    SPARKY_TRY(begin_.step());
    auto done = write(batch);
    if (!done) {
      (void)db_.exec("ROLLBACK");
      return done;
    }
    if (!batch.drop.empty()) (void)db_.exec("PRAGMA incremental_vacuum");
    return {};
  }

 private:
  explicit Writer(Database db) : db_(std::move(db)) {}

  Status create() {
    SPARKY_TRY(db_.exec("PRAGMA auto_vacuum=INCREMENTAL"));
    SPARKY_TRY(db_.exec("BEGIN"));
    SPARKY_TRY(db_.exec(
        fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", application_id, format_version).c_str()));
    for (auto* table : schema) SPARKY_TRY(db_.exec(table));
    SPARKY_ASSIGN(auto first, db_.prepare("INSERT INTO head VALUES(0, ?)"));
    SPARKY_TRY(first.bind(1, view(Digest{})).step());
    return db_.exec("COMMIT");
  }

  Status write(const Batch& batch) {
    Head head = head_;
    for (auto& a : batch.append) {
      head.digest = chain(head.digest, ++head.seq, a.stream, a.payload);
      insert_.bind(1, int64_t(head.seq)).bind_text(2, a.stream).bind(3, a.payload).bind(4, view(head.digest));
      SPARKY_TRY(insert_.step());
    }
    if (!batch.append.empty()) SPARKY_TRY(set_head_.bind(1, int64_t(head.seq)).bind(2, view(head.digest)).step());
    for (auto& stream : batch.drop) SPARKY_TRY(drop(stream));
    if (!batch.drop.empty()) SPARKY_TRY(merge_stubs());
    for (auto& s : batch.snapshots) {
      SPARKY_ASSIGN(auto record, digest_at(db_, s.seq));
      if (!record) return fail(Errc::internal, fmt::format("a snapshot names record {}, which is not there", s.seq));
      auto sum = snapshot_sum(s, *record);
      SPARKY_ASSIGN(auto put, db_.prepare("INSERT OR REPLACE INTO snapshots VALUES(?, ?, ?, ?)"));
      SPARKY_TRY(put.bind_text(1, s.stream).bind(2, int64_t(s.seq)).bind(3, s.state).bind(4, view(sum)).step());
    }
    SPARKY_TRY(commit_.step());
    head_ = head;
    return {};
  }

  Status drop(const std::string& stream) {
    SPARKY_ASSIGN(auto empty, db_.prepare("UPDATE records SET payload = NULL, stream = seq"
                                          " WHERE stream = ? AND payload IS NOT NULL"));
    SPARKY_TRY(empty.bind_text(1, stream).step());
    SPARKY_ASSIGN(auto forget, db_.prepare("DELETE FROM snapshots WHERE stream = ?"));
    SPARKY_TRY(forget.bind_text(1, stream).step());
    return {};
  }
  // Of several stubs in a row only the last is needed, with the first's beginning.
  Status merge_stubs() {
    SPARKY_ASSIGN(auto stubs, db_.prepare("SELECT seq, stream FROM records WHERE payload IS NULL ORDER BY seq"));
    std::vector<std::pair<uint64_t, uint64_t>> gaps;  // first, last
    std::vector<uint64_t> unneeded;
    for (;;) {
      SPARKY_ASSIGN(bool row, stubs.step());
      if (!row) break;
      auto last = uint64_t(stubs.integer(0));
      SPARKY_ASSIGN(auto first, stub_first(stubs.blob(1)));
      if (!gaps.empty() && gaps.back().second + 1 == first) {
        unneeded.push_back(std::exchange(gaps.back().second, last));
      } else {
        gaps.emplace_back(first, last);
      }
    }
    SPARKY_ASSIGN(auto remove, db_.prepare("DELETE FROM records WHERE seq = ?"));
    for (auto seq : unneeded) SPARKY_TRY(remove.bind(1, int64_t(seq)).step());
    SPARKY_ASSIGN(auto widen, db_.prepare("UPDATE records SET stream = ? WHERE seq = ?"));
    for (auto [first, last] : gaps) {
      auto text = fmt::to_string(first);
      SPARKY_TRY(widen.bind_text(1, text).bind(2, int64_t(last)).step());
    }
    return {};
  }

  Database db_;
  Statement begin_, commit_, insert_, set_head_;
  Head head_;
};

class ThreadedJournal final : public Journal {
 public:
  ThreadedJournal(fs::path file, Writer writer, Fd event)
      : file_(std::move(file)),
        writer_(std::move(writer)),
        event_(std::move(event)),
        next_seq_(writer_.head().seq + 1),
        thread_([this] { work(); }) {}

  ~ThreadedJournal() override {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  uint64_t next_seq() const override { return next_seq_; }
  bool in_flight() const override { return in_flight_; }
  int completion_fd() const override { return event_.get(); }

  bool submit(Batch batch) override {
    if (in_flight_) return false;
    in_flight_ = true;
    next_seq_ += batch.append.size();
    {
      std::lock_guard lock(mutex_);
      todo_ = std::move(batch);
    }
    wake_.notify_one();
    return true;
  }

  std::optional<Status> take_completion() override {
    if (!in_flight_) return std::nullopt;
    std::lock_guard lock(mutex_);
    if (!done_) return std::nullopt;
    uint64_t ignored;
    (void)!::read(event_.get(), &ignored, sizeof ignored);
    in_flight_ = false;
    auto status = std::move(*done_);
    done_.reset();
    return status;
  }

  Status commit(Batch batch) override {
    if (!submit(std::move(batch))) return fail(Errc::internal, "a batch is still in flight");
    {
      std::unique_lock lock(mutex_);
      finished_.wait(lock, [&] { return done_.has_value(); });
    }
    return *take_completion();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stop_ || todo_; });
      if (!todo_) return;  // a batch that was handed over is still written before we stop
      auto batch = std::move(*todo_);
      todo_.reset();
      lock.unlock();
      auto status = commit_or_latch(batch);
      lock.lock();
      done_ = std::move(status);
      finished_.notify_all();
      uint64_t one = 1;
      (void)!::write(event_.get(), &one, sizeof one);
    }
  }

  Status commit_or_latch(const Batch& batch) {
    if (failed_)
      return fail(failed_->code, "the journal refuses to go on after a failed write: " + failed_->message,
                  failed_->help);
    auto status = writer_.commit(batch);
    if (status) return {};
    auto explained = explain(status.error(), file_);
    failed_ = explained.error();
    return explained;
  }

  const fs::path file_;
  Writer writer_;                // the thread's alone
  std::optional<Error> failed_;  // the thread's alone
  Fd event_;
  uint64_t next_seq_;       // the caller's alone
  bool in_flight_ = false;  // the caller's alone

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_, finished_;
  std::optional<Batch> todo_;
  std::optional<Status> done_;
  bool stop_ = false;

  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(const fs::path& file) {
  SPARKY_TRY(make_directories(file.parent_path(), 0700));
  auto writer = Writer::open(file);
  if (!writer) return explain(writer.error(), file);
  Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return fail_errno(errno, "cannot make an eventfd");
  return std::make_unique<ThreadedJournal>(file, std::move(*writer), std::move(event));
}

// ---- Verify and salvage -------------------------------------------------------------------------------------------

Result<Verified> verify(const fs::path& file) {
  SPARKY_ASSIGN(auto reader, Reader::open(file));
  auto db = Database::open(file, Database::Mode::read);
  if (!db) return explain(db.error(), file);
  auto structure = [&]() -> Status {
    SPARKY_ASSIGN(auto check, db->prepare("PRAGMA integrity_check(1)"));
    SPARKY_ASSIGN(bool row, check.step());
    if (!row || check.blob(0) != "ok") return corrupt(row ? std::string(check.blob(0)) : "no structure");
    return {};
  };
  if (auto ok = structure(); !ok) return explain(ok.error(), file);
  Verified v;
  SPARKY_TRY(reader.replay(0, [&](const Record& r) -> Status {
    ++v.records;
    v.head = {r.seq, r.digest};
    return {};
  }));
  SPARKY_TRY(reader.snapshots());
  SPARKY_ASSIGN(v.head, reader.head());
  SPARKY_ASSIGN(auto stubs, db->integer("SELECT count(*) FROM records WHERE payload IS NULL"));
  v.stubs = uint64_t(stubs);
  return v;
}

namespace {

// Reads rows as far as they are sound; `why` says what stopped it.
std::vector<Writer::Row> sound_rows(const fs::path& file, std::string& why) {
  std::vector<Writer::Row> rows;
  auto read = [&]() -> Status {
    SPARKY_ASSIGN(auto db, Database::open(file, Database::Mode::read));
    SPARKY_ASSIGN(auto s, db.prepare("SELECT seq, stream, payload, digest FROM records ORDER BY seq"));
    Head at;
    for (;;) {
      SPARKY_ASSIGN(bool more, s.step());
      if (!more) return {};
      Writer::Row row{{uint64_t(s.integer(0)), {}}, std::string(s.blob(1)), std::string(s.blob(2)), s.null(2)};
      SPARKY_ASSIGN(row.at.digest, digest_of(s.blob(3)));
      uint64_t first = row.at.seq;
      if (row.stub) {
        SPARKY_ASSIGN(first, stub_first(row.stream));
      } else if (chain(at.digest, row.at.seq, row.stream, row.payload) != row.at.digest) {
        return corrupt(fmt::format("record {} does not match its checksum", row.at.seq));
      }
      if (first != at.seq + 1) return corrupt(fmt::format("record {} is missing", at.seq + 1));
      at = row.at;
      rows.push_back(std::move(row));
    }
  };
  if (auto ok = read(); !ok) why = ok.error().message;
  return rows;
}

}  // namespace

Result<Salvaged> salvage(const fs::path& file) {
  if (auto reader = Reader::open(file); !reader && !reader.error().is(Errc::corrupt))
    return std::unexpected(reader.error());
  Salvaged result;
  auto rows = sound_rows(file, result.stopped_at);
  auto fresh = fs::path(file.string() + ".salvaged");
  std::error_code ec;
  for (auto* suffix : {"", "-wal", "-shm"}) fs::remove(fresh.string() + suffix, ec);
  {
    auto writer = Writer::open(fresh);
    if (!writer) return explain(writer.error(), fresh);
    if (auto ok = writer->restore(rows); !ok) return explain(ok.error(), fresh);
  }  // closing it moves all into the one file
  for (auto& row : rows) result.records += !row.stub;
  for (int n = 1;; ++n) {
    result.damaged = fmt::format("{}.damaged-{}", file.string(), n);
    if (!fs::exists(result.damaged, ec)) break;
  }
  for (auto* suffix : {"", "-wal", "-shm"}) {
    ec.clear();
    fs::rename(file.string() + suffix, result.damaged.string() + suffix, ec);
    if (ec && ec != std::errc::no_such_file_or_directory) return fail_errno(ec.value(), "cannot move " + file.string());
  }
  ec.clear();
  fs::rename(fresh, file, ec);
  if (ec) return fail_errno(ec.value(), "cannot rename " + fresh.string());
  SPARKY_TRY(sync_directory(file.parent_path()));
  return result;
}

}  // namespace sparky::journal
