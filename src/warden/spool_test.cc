#include "warden/spool.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include "warden/protocol.h"

namespace sparky::warden {
namespace {

namespace fs = std::filesystem;

struct Directory {
  Directory() {
    std::string pattern = (fs::temp_directory_path() / "sparky spool.XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Directory() { fs::remove_all(path); }
  std::string bytes() const { return *read_file(path / "spool"); }
  fs::path path;
};

Exit exit_of(int code) {
  Exit exit{.code = code, .started = Time{Duration{1000}}, .ended = Time{Duration{2000}}, .note = "n\0te"};
  exit.duration = Duration{1000};
  return exit;
}

// a: ended; b: runs; c: accepted; d: forgotten.
void fill(Spool& spool) {
  ASSERT_TRUE(spool.rewrite());
  for (auto id : {"a", "b", "c", "d"}) spool.accept(id);
  for (auto id : {"a", "b", "d"}) {
    spool.start(id, Time{Duration{1000}});
    spool.pid(id, 77);
  }
  spool.exit("a", exit_of(3));
  spool.exit("d", exit_of(0));
  spool.forget("d");
  ASSERT_TRUE(spool.write());
}

TEST(Spool, KeepsWhatItWasTold) {
  Directory directory;
  Spool spool(directory.path);
  fill(spool);
  for (int round = 0; round < 2; ++round) {
    auto contents = parse_spool(directory.bytes());
    EXPECT_TRUE(contents.intact);
    EXPECT_EQ(contents.boot, boot_id());
    ASSERT_EQ(contents.entries.size(), 3u);
    EXPECT_EQ(contents.entries["a"].state, Entry::State::exited);
    EXPECT_EQ(contents.entries["a"].exit.code, 3);
    EXPECT_EQ(contents.entries["a"].exit.note, exit_of(3).note);
    EXPECT_EQ(contents.entries["b"].state, Entry::State::started);
    EXPECT_EQ(contents.entries["b"].pid, 77);
    EXPECT_EQ(contents.entries["c"].state, Entry::State::accepted);
    ASSERT_TRUE(spool.rewrite());  // and says the same afterwards
  }
  spool.forget("a");
  ASSERT_TRUE(spool.write());
  EXPECT_EQ(parse_spool(directory.bytes()).entries.size(), 2u) << "it goes on after a rewrite";
  EXPECT_TRUE(parse_spool(directory.bytes()).intact);
}

TEST(Spool, StaysSmallHoweverMuchGoesThrough) {
  Directory directory;
  Spool spool(directory.path);
  ASSERT_TRUE(spool.rewrite());
  for (int i = 0; i < 30'000; ++i) {
    auto id = std::to_string(i);
    spool.accept(id);
    spool.start(id, Time{});
    spool.exit(id, exit_of(0));
    spool.forget(id);
    ASSERT_TRUE(spool.write());
    if (spool.wants_rewrite()) {
      ASSERT_TRUE(spool.rewrite());
    }
  }
  EXPECT_LT(fs::file_size(directory.path / "spool"), 2u << 20);
  EXPECT_TRUE(parse_spool(directory.bytes()).entries.empty());
}

// Cut off anywhere, it holds a prefix of what was written; whoever then knows nothing of an attempt's start or end can
// only be mistaken about what was never synced.
TEST(Spool, TornAtEveryByteItHoldsAPrefix) {
  Directory directory;
  Spool spool(directory.path);
  fill(spool);
  auto bytes = directory.bytes();
  size_t before = 0;
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    auto contents = parse_spool(std::string_view(bytes).substr(0, cut));
    EXPECT_GE(contents.records, before);
    EXPECT_LE(contents.records, before + 1);
    before = contents.records;
    EXPECT_EQ(contents.intact, contents.records > 0) << cut;  // a tear is no damage
    // What follows the tear may be zeros, which the file system had reserved (and which may be what was torn off).
    auto zeros = parse_spool(std::string(bytes.substr(0, cut)) + std::string(100, '\0'));
    EXPECT_GE(zeros.records, contents.records);
    EXPECT_LE(zeros.records, contents.records + 1);
    EXPECT_EQ(zeros.intact, zeros.records > 0);
  }
  EXPECT_EQ(before, 1u + 4 + 6 + 2 + 1);
}

// Any flipped bit costs the record it is in and no other; if others follow, the spool knows that it does not know.
TEST(Spool, FlippedBitsAreNeverBelieved) {
  Directory directory;
  Spool spool(directory.path);
  fill(spool);
  auto good = directory.bytes();
  auto whole = parse_spool(good);
  std::string last_record;
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto bytes = good;
      bytes[i] = char(bytes[i] ^ (1 << bit));
      auto contents = parse_spool(bytes);
      EXPECT_EQ(contents.records, whole.records - 1) << i;
      bool in_last = good.size() - i <= 4 + 4 + 8 + 1 + 4 + 1;  // the forget record of one letter
      EXPECT_EQ(contents.intact, in_last) << i;
      for (auto& [id, entry] : contents.entries) {
        EXPECT_TRUE(id == "d" || whole.entries.contains(id));
        EXPECT_TRUE(entry.state != Entry::State::exited || entry.exit.code == (id == "a" ? 3 : 0));
      }
    }
  }
}

RC_GTEST_PROP(Spool, AnyBytesAreReadWithoutHarm, (const std::string& bytes)) { parse_spool(bytes); }

TEST(Spool, AfterAFailureOnlyARewriteHelps) {
  Directory directory;
  Spool spool(directory.path);
  ASSERT_TRUE(spool.rewrite());
  spool.accept("a");
  spool.distrust();
  EXPECT_FALSE(spool.write());
  spool.accept("b");
  EXPECT_FALSE(spool.write());
  ASSERT_TRUE(spool.rewrite());
  EXPECT_TRUE(spool.write());
  EXPECT_EQ(parse_spool(directory.bytes()).entries.size(), 2u);
}

}  // namespace
}  // namespace sparky::warden
