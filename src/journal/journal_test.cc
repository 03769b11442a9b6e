#include "journal/journal.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <rapidcheck/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <set>

#include "base/files.h"
#include "journal/lock.h"

namespace sparky::journal {
namespace {
namespace fs = std::filesystem;

struct Dir {
  static inline int count = 0;
  fs::path path = fs::temp_directory_path() / fmt::format("sparky-journal-{}-{}", ::getpid(), ++count);
  Dir() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Dir() { fs::remove_all(path); }
  fs::path file() const { return path / "journal.db"; }
};

using Rows = std::vector<std::tuple<uint64_t, std::string, std::string>>;

Result<Rows> read_all(const fs::path& file, uint64_t after = 0) {
  Rows rows;
  SPARKY_ASSIGN(auto reader, Reader::open(file));
  SPARKY_TRY(reader.replay(after, [&](const Record& r) -> Status {
    rows.emplace_back(r.seq, r.stream, r.payload);
    return {};
  }));
  return rows;
}

Batch batch(std::string stream, std::vector<std::string> payloads) {
  Batch b;
  for (auto& p : payloads) b.append.push_back({stream, std::move(p)});
  return b;
}

void spew(const fs::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc).write(bytes.data(), std::streamsize(bytes.size()));
}

TEST(Journal, KeepsWhatWasCommittedAcrossReopening) {
  Dir dir;
  {
    auto journal = Journal::open(dir.file());
    ASSERT_TRUE(journal) << journal.error().text();
    EXPECT_EQ((*journal)->next_seq(), 1u);
    ASSERT_TRUE((*journal)->commit(batch("run-1", {"a", std::string("\0b", 2), ""})));
    EXPECT_EQ((*journal)->next_seq(), 4u);
  }
  auto journal = Journal::open(dir.file());
  ASSERT_TRUE(journal);
  ASSERT_TRUE((*journal)->commit(batch("run-2", {"c"})));
  EXPECT_EQ(*read_all(dir.file()),
            (Rows{{1, "run-1", "a"}, {2, "run-1", std::string("\0b", 2)}, {3, "run-1", ""}, {4, "run-2", "c"}}));
  EXPECT_EQ(*read_all(dir.file(), 3), (Rows{{4, "run-2", "c"}}));
  EXPECT_EQ(read_all(dir.file(), 99)->size(), 0u);
  EXPECT_EQ(verify(dir.file())->records, 4u);
}

TEST(Journal, ReplayStopsAtLimitAndHandsErrorsOn) {
  Dir dir;
  auto journal = Journal::open(dir.file());
  ASSERT_TRUE((*journal)->commit(batch("s", {"a", "b", "c"})));
  auto reader = Reader::open(dir.file());
  int seen = 0;
  auto count = [&](const Record&) -> Status { return ++seen, Status{}; };
  ASSERT_TRUE(reader->replay(0, count, 2));
  EXPECT_EQ(seen, 2);
  auto refuse = [](const Record&) -> Status { return fail(Errc::cancelled, "enough"); };
  EXPECT_TRUE(reader->replay(0, refuse).error().is(Errc::cancelled));
  EXPECT_TRUE(reader->replay(1, count)) << "a reader can be used again after an error";
}

TEST(Journal, SubmitIsAsynchronousAndOneAtATime) {
  Dir dir;
  auto journal = Journal::open(dir.file());
  ASSERT_TRUE((*journal)->submit(batch("s", {"a"})));
  EXPECT_TRUE((*journal)->in_flight());
  EXPECT_FALSE((*journal)->submit(batch("s", {"b"})));
  pollfd p{(*journal)->completion_fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&p, 1, 10'000), 1);
  auto done = (*journal)->take_completion();
  ASSERT_TRUE(done && *done);
  EXPECT_FALSE((*journal)->take_completion());
  EXPECT_EQ(::poll(&p, 1, 0), 0);
  EXPECT_EQ(read_all(dir.file())->size(), 1u);
}

TEST(Journal, ABatchHandedOverIsWrittenBeforeTheJournalCloses) {
  Dir dir;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE((*Journal::open(dir.file()))->submit(batch("s", {"x"})));
  EXPECT_EQ(read_all(dir.file())->size(), 20u);
}

TEST(Journal, DroppedStreamsLeaveAChainThatStillVerifies) {
  Dir dir;
  auto journal = Journal::open(dir.file());
  for (int i = 0; i < 30; ++i) ASSERT_TRUE((*journal)->commit(batch(fmt::format("run-{}", i % 3), {"x", "y"})));
  Batch drop;
  drop.drop = {"run-0"};
  ASSERT_TRUE((*journal)->commit(drop));
  EXPECT_EQ(verify(dir.file())->records, 40u);
  EXPECT_EQ(verify(dir.file())->stubs, 10u);
  drop.drop = {"run-2"};
  ASSERT_TRUE((*journal)->commit(drop));
  EXPECT_EQ(verify(dir.file())->records, 20u);
  EXPECT_EQ(verify(dir.file())->stubs, 11u) << "neighbouring gaps become one; the first and the last lie apart";
  drop.drop = {"run-1"};
  ASSERT_TRUE((*journal)->commit(drop));
  EXPECT_EQ(verify(dir.file())->stubs, 1u);
  ASSERT_TRUE((*journal)->commit(batch("run-4", {"z"})));
  EXPECT_EQ(*read_all(dir.file()), (Rows{{61, "run-4", "z"}}));
  EXPECT_TRUE(verify(dir.file()));
}

TEST(Journal, SnapshotsAreCheckedAgainstTheChain) {
  Dir dir;
  {
    auto journal = Journal::open(dir.file());
    ASSERT_TRUE((*journal)->commit(batch("s", {"a", "b"})));
    Batch b;
    b.snapshots = {{"s", 2, "THE STATE"}};
    ASSERT_TRUE((*journal)->commit(b));
    auto found = Reader::open(dir.file())->snapshots();
    ASSERT_TRUE(found) << found.error().text();
    ASSERT_EQ(found->size(), 1u);
    EXPECT_EQ(found->front().state, "THE STATE");
  }
  auto bytes = *read_file(dir.file());
  auto at = bytes.find("THE STATE");
  ASSERT_NE(at, bytes.npos);
  bytes[at] ^= 1;
  spew(dir.file(), bytes);
  auto found = Reader::open(dir.file())->snapshots();
  ASSERT_FALSE(found);
  EXPECT_TRUE(found.error().is(Errc::corrupt));
}

TEST(Journal, RefusesWhatIsNotItsOwn) {
  Dir dir;
  EXPECT_TRUE(Reader::open(dir.file()).error().is(Errc::not_found));
  spew(dir.file(), std::string(5000, 'x'));
  EXPECT_TRUE(Journal::open(dir.file()).error().is(Errc::corrupt));
  EXPECT_TRUE(Reader::open(dir.file()).error().is(Errc::corrupt));
  fs::remove(dir.file());
  {
    ASSERT_TRUE(Journal::open(dir.file()));
  }
  auto bytes = *read_file(dir.file());
  bytes[63] = 9;  // SQLite's user version, big-endian at offset 60
  spew(dir.file(), bytes);
  auto newer = Journal::open(dir.file());
  ASSERT_FALSE(newer);
  EXPECT_TRUE(newer.error().is(Errc::unavailable)) << newer.error().text();
  EXPECT_FALSE(salvage(dir.file())) << "a newer journal is no damaged journal";
}

TEST(Lock, OneSparkyPerProject) {
  Dir dir;
  EXPECT_EQ(ProjectLock::holder(dir.path), "");
  auto lock = ProjectLock::take(dir.path);
  ASSERT_TRUE(lock);
  auto second = ProjectLock::take(dir.path);
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().is(Errc::busy));
  EXPECT_NE(second.error().message.find(fmt::format("pid {}", ::getpid())), std::string::npos);
  EXPECT_NE(ProjectLock::holder(dir.path), "");
  {
    auto gone = std::move(*lock);
  }
  EXPECT_TRUE(ProjectLock::take(dir.path));
}

// The journal that the damage tests work on: its bytes with everything in the one file, or with a full WAL beside it.
struct Sample {
  std::string db, wal;
  Rows rows;
};
Sample sample(bool with_wal) {
  Dir dir;
  Sample s;
  auto journal = Journal::open(dir.file());
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(
        (*journal)->commit(batch(i % 2 ? "run-1" : "queue", {fmt::format("event {} {}", i, std::string(i * 7, 'p'))})));
  }
  if (with_wal) {
    s.db = *read_file(dir.file());
    s.wal = *read_file(dir.path / "journal.db-wal");
  }
  s.rows = *read_all(dir.file());
  journal->reset();
  if (!with_wal) s.db = *read_file(dir.file());
  return s;
}

// Whatever was done to the files: a prefix of the true rows, or an error that says what to do.
void expect_prefix_or_error(const Dir& dir, const Rows& truth, const std::string& what, bool salvage_too) {
  auto rows = read_all(dir.file());
  if (rows) {
    ASSERT_LE(rows->size(), truth.size()) << what;
    ASSERT_TRUE(std::equal(rows->begin(), rows->end(), truth.begin())) << what;
  } else {
    ASSERT_FALSE(rows.error().help.empty()) << what << ": " << rows.error().text();
    if (salvage_too && rows.error().is(Errc::corrupt)) {
      auto saved = salvage(dir.file());
      ASSERT_TRUE(saved) << what << ": " << saved.error().text();
      auto again = read_all(dir.file());
      ASSERT_TRUE(again) << what << ": " << again.error().text();
      ASSERT_EQ(again->size(), saved->records);
      ASSERT_TRUE(std::equal(again->begin(), again->end(), truth.begin())) << what;
      ASSERT_TRUE(fs::exists(saved->damaged));
    }
  }
}

void lay_out(const Dir& dir, std::string_view db, std::string_view wal) {
  for (auto& entry : fs::directory_iterator(dir.path)) fs::remove_all(entry);
  spew(dir.file(), db);
  if (!wal.empty()) spew(dir.path / "journal.db-wal", wal);
}

TEST(Damage, TruncatedAnywhere) {
  Dir dir;
  auto whole = sample(false);
  for (size_t size = 1; size < whole.db.size(); size += size < 200 ? 1 : 97) {
    lay_out(dir, std::string_view(whole.db).substr(0, size), "");
    expect_prefix_or_error(dir, whole.rows, fmt::format("db cut at {}", size), size % 5 == 0);
  }
  auto split = sample(true);
  for (size_t size = 0; size <= split.wal.size(); size += size < 200 ? 1 : 331) {
    lay_out(dir, split.db, std::string_view(split.wal).substr(0, size));
    expect_prefix_or_error(dir, split.rows, fmt::format("wal cut at {}", size), false);
  }
}

TEST(Damage, FlippedBits) {
  Dir dir;
  std::mt19937 random(20251112);
  int noticed = 0;
  for (bool with_wal : {false, true}) {
    auto whole = sample(with_wal);
    for (int i = 0; i < 1200; ++i) {
      auto db = whole.db, wal = whole.wal;
      auto& bytes = with_wal ? wal : db;
      auto bit = random() % (bytes.size() * 8);
      bytes[bit / 8] = char(bytes[bit / 8] ^ (1 << bit % 8));
      lay_out(dir, db, wal);
      auto rows = read_all(dir.file());
      noticed += !rows || rows->size() < whole.rows.size();
      expect_prefix_or_error(dir, whole.rows, fmt::format("bit {} wal {}", bit, with_wal), i % 10 == 0);
    }
  }
  EXPECT_GT(noticed, 200);
}

TEST(Damage, ARecordThatWasChangedIsNamed) {
  Dir dir;
  auto whole = sample(false);
  auto at = whole.db.find("event 20 ");
  ASSERT_NE(at, std::string::npos);
  whole.db[at] = 'E';
  lay_out(dir, whole.db, "");
  auto rows = read_all(dir.file());
  ASSERT_FALSE(rows);
  EXPECT_NE(rows.error().message.find("record 21 "), std::string::npos) << rows.error().text();
  auto saved = salvage(dir.file());
  ASSERT_TRUE(saved);
  EXPECT_EQ(saved->records, 20u);
  auto journal = Journal::open(dir.file());
  ASSERT_TRUE(journal);
  EXPECT_EQ((*journal)->next_seq(), 21u);
  EXPECT_TRUE((*journal)->commit(batch("s", {"goes on"})));
  EXPECT_TRUE(verify(dir.file()));
}

// Forks; the child runs f and ends without destructors.
template <class F>
pid_t child(F&& f) {
  pid_t pid = ::fork();
  if (pid == 0) {
    f();
    ::_exit(0);
  }
  return pid;
}

TEST(Crash, WhatWasAcknowledgedSurvivesKill) {
  Dir dir;
  std::mt19937 random(7);
  uint64_t acknowledged = 0;
  for (int round = 0; round < 12; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    pid_t pid = child([&] {
      auto journal = Journal::open(dir.file());
      if (!journal) ::_exit(1);
      for (;;) {
        auto first = (*journal)->next_seq();
        if (!(*journal)->commit(batch("s", {fmt::format("{}", first), fmt::format("{}", first + 1)}))) ::_exit(1);
        uint64_t last = first + 1;
        (void)!::write(ends[1], &last, sizeof last);
      }
    });
    ::close(ends[1]);
    uint64_t last = 0;
    for (unsigned i = 0, n = 1 + random() % 40; i < n; ++i) ASSERT_EQ(::read(ends[0], &last, sizeof last), 8);
    ::kill(pid, SIGKILL);
    while (::read(ends[0], &last, sizeof last) == 8) {
    }
    ::close(ends[0]);
    ::waitpid(pid, nullptr, 0);
    acknowledged = last;
    auto rows = read_all(dir.file());
    ASSERT_TRUE(rows) << rows.error().text();
    ASSERT_GE(rows->size(), acknowledged);
    ASSERT_EQ(rows->size() % 2, 0u) << "a batch is there whole or not at all";
    for (auto& [seq, stream, payload] : *rows) ASSERT_EQ(payload, fmt::format("{}", seq));
  }
  EXPECT_TRUE(verify(dir.file()));
}

// Writes until a commit fails, makes room again, and checks that the journal refuses to go on all the same.
// Returns how many records were acknowledged, or nothing if it went on.
std::optional<size_t> fill(const fs::path& file, const std::set<Errc>& expected,
                           const std::function<void()>& make_room) {
  auto journal = Journal::open(file);
  if (!journal) return std::nullopt;
  for (size_t i = 0; i < 1000; ++i) {
    auto ok = (*journal)->commit(batch("s", {std::string(2000, 'x')}));
    if (ok) continue;
    fmt::print(stderr, "fails as it should: {}\n", ok.error().text());
    if (!expected.contains(ok.error().code)) return std::nullopt;
    make_room();
    auto after = (*journal)->commit(batch("s", {"y"}));
    bool latched = !after && after.error().message.find("refuses to go on") != std::string::npos;
    return latched ? std::optional(i) : std::nullopt;
  }
  return std::nullopt;
}

// After a restart all that was acknowledged is there, and it goes on.
bool goes_on(const fs::path& file, size_t acknowledged) {
  auto rows = read_all(file);
  if (!rows || rows->size() != acknowledged) return false;
  auto again = Journal::open(file);
  return again && (*again)->commit(batch("s", {"z"})) && verify(file);
}

int exit_of(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Full, AFullDiskLatchesAndLosesNothing) {
  Dir dir;
  int code = exit_of(child([&] {
    bool mounted = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                   ::mount("tmpfs", dir.path.c_str(), "tmpfs", 0, "size=300k") == 0;
    if (!mounted) ::_exit(77);
    spew(dir.path / "ballast", std::string(60'000, 'b'));
    auto count = fill(dir.file(), {Errc::full}, [&] { fs::remove(dir.path / "ballast"); });
    ::_exit(count && *count > 0 && goes_on(dir.file(), *count) ? 0 : 1);
  }));
  if (code == 77) GTEST_SKIP() << "a tmpfs of its own needs root";
  EXPECT_EQ(code, 0);
}

TEST(Full, AFailedWriteLatchesAndLosesNothing) {
  Dir dir;
  int code = exit_of(child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit small{128 << 10, RLIM_INFINITY}, wide{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &small);
    // An older SQLite does not say that the file may not grow.
    auto count = fill(dir.file(), {Errc::io, Errc::full}, [&] { ::setrlimit(RLIMIT_FSIZE, &wide); });
    ::_exit(count && *count > 0 && goes_on(dir.file(), *count) ? 0 : 1);
  }));
  EXPECT_EQ(code, 0);
}

RC_GTEST_PROP(Journal, ReplayGivesWhatWasAppended, ()) {
  Dir dir;
  Rows truth;
  uint64_t seq = 0;
  auto batches = *rc::gen::container<std::vector<std::vector<std::pair<std::string, std::string>>>>(
      rc::gen::container<std::vector<std::pair<std::string, std::string>>>(
          rc::gen::pair(rc::gen::element<std::string>("a", "b", "c"), rc::gen::arbitrary<std::string>())));
  auto dropped = *rc::gen::element<std::string>("", "a", "b");
  {
    auto journal = Journal::open(dir.file());
    RC_ASSERT(journal.has_value());
    for (auto& records : batches) {
      Batch b;
      for (auto& [stream, payload] : records) {
        b.append.push_back({stream, payload});
        truth.emplace_back(++seq, stream, payload);
      }
      RC_ASSERT((*journal)->commit(b).has_value());
    }
    Batch drop;
    drop.drop.push_back(dropped);
    RC_ASSERT((*journal)->commit(drop).has_value());
  }
  std::erase_if(truth, [&](auto& row) { return std::get<1>(row) == dropped; });
  RC_ASSERT(*read_all(dir.file()) == truth);
  RC_ASSERT(verify(dir.file())->records == truth.size());
}

}  // namespace
}  // namespace sparky::journal
