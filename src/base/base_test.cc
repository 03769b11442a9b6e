#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "base/diagnostic.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "base/time.h"

namespace sparky {
namespace {

TEST(Time, IsoRoundTrips) {
  EXPECT_EQ(iso(Time{}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(iso(*parse_iso("2025-11-12T14:30:00Z")), "2025-11-12T14:30:00Z");
  EXPECT_EQ(iso(*parse_iso("2024-02-29")), "2024-02-29T00:00:00Z");
  for (auto bad : {"", "2025", "2025-02-30", "2025-11-12T25:00:00Z", "2025-11-12 14:30:00Z", "2025-11-12T14:30:00"})
    EXPECT_FALSE(parse_iso(bad)) << bad;
}

RC_GTEST_PROP(Time, IsoIsInverseOfParse, (uint32_t seconds, uint16_t ms)) {
  Time t{std::chrono::seconds(seconds) + std::chrono::milliseconds(ms % 1000)};
  RC_ASSERT(parse_iso(iso(t)).value() == t);
}

TEST(Time, Durations) {
  EXPECT_EQ(parse_duration("1h30m")->count(), 5'400'000);
  EXPECT_EQ(parse_duration("250ms")->count(), 250);
  EXPECT_EQ(parse_duration("1.5")->count(), 1500);
  for (auto bad : {"", "h", "-3s", "3 s", "1e400s", "3x", "nan", "inf"}) EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Json, ErrorsNameThePlace) {
  auto bad = parse_json("{\n  \"a\": }");
  ASSERT_FALSE(bad);
  EXPECT_TRUE(bad.error().message.starts_with("2:")) << bad.error().message;
  EXPECT_FALSE(parse_json("{\"a\":1,\"a\":2}"));
}

TEST(Json, HostileNestingIsRefused) {
  EXPECT_FALSE(parse_json(std::string(100'000, '[')));
  EXPECT_FALSE(parse_msgpack(std::string(100'000, '\x91')));
  EXPECT_FALSE(parse_msgpack(std::string("\xdd\xff\xff\xff\xff", 5)));
  EXPECT_FALSE(parse_msgpack(std::string("\xc6\xff\xff\xff\xff", 5)));
  EXPECT_FALSE(parse_msgpack(std::string("\x01\x02", 2)));
}

TEST(Json, KeysOfMsgpackMapsAreStrings) {
  auto why = [](std::string_view bytes) { return parse_msgpack(bytes).error().message; };
  EXPECT_EQ(why("\x81\x01\x02"), "MessagePack byte 2: the key of a map must be a string");
  EXPECT_EQ(why({"\x81\xa1k\x81\xc4\x00\x00", 7}), "MessagePack byte 5: the key of a map must be a string");
  EXPECT_TRUE(parse_msgpack("\x82\xa1k\x01\xd9\x01l\x93\x01\x02\x03"));
}

TEST(Json, MsgpackRoundTrips) {
  Json value = {{"type", "ping"}, {"n", {1, -5, 2.5, true, nullptr}}, {"long", std::string(70'000, 'x')}};
  EXPECT_EQ(*parse_msgpack(to_msgpack(value)), value);
}

RC_GTEST_PROP(Json, MsgpackDecoderSurvivesAnything, (const std::string& bytes)) {
  auto decoded = parse_msgpack(bytes);
  if (decoded) RC_ASSERT(parse_msgpack(to_msgpack(*decoded)).has_value());
}

TEST(Hash, KnownAnswer) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  std::string_view parts[] = {"a", "bc"};
  EXPECT_EQ(sha256(parts), sha256("abc"));
}

TEST(Text, PrintableStopsEscapes) {
  EXPECT_EQ(printable("ok \xc3\xa9\n"), "ok \xc3\xa9\n");
  EXPECT_EQ(printable("\x1b[2J"), "\\x1b[2J");
  EXPECT_EQ(printable("\xff"), "\\xff");
  EXPECT_EQ(printable("a\xe2\x80\xae"
                      "b"),
            "a\\u202eb");
}

TEST(Text, XmlIsInert) { EXPECT_EQ(escape_xml("<a b=\"c\">&\x01"), "&lt;a b=&quot;c&quot;&gt;&amp;\\x01"); }

TEST(Text, NearestSuggests) {
  std::vector<std::string> names{"foundation", "model", "interface"};
  EXPECT_EQ(nearest("fundation", names), "foundation");
  EXPECT_EQ(nearest("modle", names), "model");
  EXPECT_EQ(nearest("zebra", names), std::nullopt);
}

TEST(Files, AtomicWriteAndLimits) {
  auto dir = std::filesystem::temp_directory_path() / ("sparky files \xf0\x9f\x90\x89 " + std::to_string(getpid()));
  auto path = dir / "deep" / "file.txt";
  ASSERT_TRUE(write_file_atomic(path, "one"));
  EXPECT_EQ(*read_file(path), "one");
  EXPECT_TRUE(write_file_atomic(path, "two", {.overwrite = false}).error().is(Errc::exists));
  EXPECT_EQ(*read_file(path), "one");
  EXPECT_TRUE(read_file(path, 2).error().is(Errc::invalid));
  EXPECT_TRUE(read_file(dir).error().is(Errc::invalid));
  EXPECT_TRUE(read_file(dir / "none").error().is(Errc::not_found));
  EXPECT_TRUE(read_file("/proc/self/status").has_value());
  std::filesystem::remove_all(dir);
}

TEST(Diagnostic, ReadsLikeACompiler) {
  EXPECT_EQ((Diagnostic{Severity::error, "p.toml", 3, 7, "unknown id 'x'", "did you mean 'y'?"}.text()),
            "p.toml:3:7: error: unknown id 'x'\n  help: did you mean 'y'?");
}

}  // namespace
}  // namespace sparky
