#include "warden/protocol.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace sparky::warden {
namespace {

RC_GTEST_PROP(Protocol, FieldsComeOutAsTheyWentIn,
              (uint64_t a, uint32_t b, const std::string& c, const std::vector<std::string>& d)) {
  std::string bytes;
  Writer(bytes).u64(a).u32(b).text(c).list(d);
  Reader in(bytes);
  RC_ASSERT(in.u64() == a);
  RC_ASSERT(in.u32() == b);
  RC_ASSERT(in.text() == c);
  RC_ASSERT(in.list() == d);
  RC_ASSERT(in.done());
}

RC_GTEST_PROP(Protocol, AnAttemptSurvivesTheWay, (const std::string& command, const std::vector<std::string>& argv)) {
  AttemptSpec spec{.id = "a", .argv = argv, .command = command, .cwd = "/x", .env = argv, .log = "/l"};
  spec.timeout = Duration{command.size()};
  spec.stdio = Stdio::talk;
  spec.output = "/o";
  spec.beyond_slots = true;
  std::string bytes;
  Writer out(bytes);
  put(out, spec);
  Reader in(bytes);
  auto got = take_spec(in);
  RC_ASSERT(in.done());
  RC_ASSERT(got.argv == argv && got.command == command && got.env == argv && got.cwd == "/x" && got.log == "/l");
  RC_ASSERT(got.timeout == spec.timeout && got.grace == spec.grace && got.stdio == Stdio::talk && got.output == "/o");
  RC_ASSERT(got.log_max_bytes == spec.log_max_bytes && got.beyond_slots);
}

TEST(Protocol, EveryCutOfAMessageIsNoticed) {
  std::string bytes;
  Writer out(bytes);
  put(out, AttemptSpec{.id = "id", .argv = {"a", "b"}, .cwd = "/", .log = "/l"});
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    Reader in(std::string_view(bytes).substr(0, cut));
    take_spec(in);
    EXPECT_FALSE(in.done()) << cut;
  }
}

TEST(Protocol, AListThatLiesAboutItsLengthReservesNothing) {
  Reader in(std::string_view("\xff\xff\xff\xff\0\0\0\0", 8));
  EXPECT_TRUE(in.list().empty());
  EXPECT_FALSE(in.ok());
}

RC_GTEST_PROP(Protocol, FramesComeOutHoweverTheyAreCut, (const std::vector<std::string>& texts, uint8_t step)) {
  std::string bytes;
  for (auto& t : texts) Frame(bytes, Type::recall)->text(t);
  FrameReader reader;
  std::vector<std::string> got;
  for (size_t at = 0; at < bytes.size(); at += size_t(step) + 1) {
    reader.append(std::string_view(bytes).substr(at, size_t(step) + 1));
    while (auto item = reader.next()) {
      RC_ASSERT(item->type == Type::recall);
      got.push_back(Reader(item->fields).text());
    }
  }
  RC_ASSERT(got == texts);
  RC_ASSERT(!reader.broken());
}

TEST(Protocol, ImpossibleLengthsBreakTheStream) {
  for (std::string bytes : {std::string(4, '\0'), std::string("\xff\xff\xff\xff")}) {
    FrameReader reader;
    reader.append(bytes);
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(reader.broken());
  }
}

TEST(Protocol, ImpossibleAttemptsAreRefused) {
  AttemptSpec good{.id = "a", .command = "true", .cwd = "/", .log = "/l"};
  EXPECT_EQ(complaint(good), "");
  auto bad = [&](auto change) {
    auto spec = good;
    change(spec);
    return !complaint(spec).empty();
  };
  EXPECT_TRUE(bad([](auto& s) { s.id = ""; }));
  EXPECT_TRUE(bad([](auto& s) { s.id = "a\nb"; }));
  EXPECT_TRUE(bad([](auto& s) { s.id = std::string("a\0b", 3); }));
  EXPECT_TRUE(bad([](auto& s) { s.id = std::string(201, 'x'); }));
  EXPECT_TRUE(bad([](auto& s) { s.command = ""; }));
  EXPECT_TRUE(bad([](auto& s) { s.cwd = "here"; }));
  EXPECT_TRUE(bad([](auto& s) { s.log = "log"; }));
  EXPECT_TRUE(bad([](auto& s) { s.env = {"=x"}; }));
  EXPECT_TRUE(bad([](auto& s) { s.command = std::string("a\0b", 3); }));
  EXPECT_TRUE(bad([](auto& s) { s.stdio = Stdio::talk; }));
  EXPECT_TRUE(bad([](auto& s) { s.timeout = Duration{-1}; }));
}

}  // namespace
}  // namespace sparky::warden
