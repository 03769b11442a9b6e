#include "tui/keys.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace sparky::tui {
namespace {

std::string names(const std::vector<Key>& keys) {
  std::string out;
  for (auto& k : keys) out += (out.empty() ? "" : " ") + k.name;
  return out;
}
std::string typed(std::string_view bytes) {
  KeyReader reader;
  auto keys = reader.feed(bytes);
  for (auto& key : reader.flush()) keys.push_back(key);
  return names(keys);
}

TEST(Keys, TextAndNamedKeys) {
  EXPECT_EQ(typed("a?ß 界"), "a ? ß space 界");
  EXPECT_EQ(typed("\r\t\x7f\x03\x1a"), "enter tab backspace ctrl-c ctrl-z");
  EXPECT_EQ(typed("\x1b[A\x1bOB\x1b[1;5C\x1b[3~\x1b[Z\x1b[6~\x1bOP"), "up down right delete shift-tab pagedown f1");
}

TEST(Keys, EscAloneNeedsAPause) {
  KeyReader reader;
  EXPECT_EQ(names(reader.feed("\x1b")), "");
  EXPECT_TRUE(reader.waits());
  EXPECT_EQ(names(reader.flush()), "esc");
  EXPECT_EQ(names(reader.feed("\x1b")), "");
  EXPECT_EQ(names(reader.feed("[A")), "up");
  EXPECT_EQ(typed("\x1bq"), "esc q");
}

TEST(Keys, ASequenceInPiecesWithPausesIsNotTyped) {
  KeyReader reader;
  EXPECT_EQ(names(reader.feed("\x1b[?6")), "");
  EXPECT_FALSE(reader.waits()) << "it can be nothing else any more";
  EXPECT_EQ(names(reader.flush()), "");
  EXPECT_EQ(names(reader.feed("2;4cx")), "answer x");
}

TEST(Keys, MouseAndPaste) {
  KeyReader reader;
  auto keys = reader.feed("\x1b[<0;12;5M\x1b[<0;12;5m\x1b[<65;1;1M\x1b[200~two\nlines \x1b[A\x1b[201~x");
  ASSERT_EQ(names(keys), "click wheel-down paste x");
  EXPECT_EQ(keys[0].x, 11);
  EXPECT_EQ(keys[0].y, 4);
  EXPECT_EQ(keys[2].text, "two\nlines \x1b[A");
}

TEST(Keys, AnswersOfTheTerminalAreNoKeys) {
  EXPECT_EQ(typed("\x1b]11;rgb:0000/0000/0000\x1b\\a\x1bP>|kitty\x1b\\b\x1b_Gi=31;OK\x1b\\c\x1b[?62;4c"),
            "a b c answer");
}

TEST(Keys, BrokenUtf8VanishesAndControlCharactersAreNoText) {
  EXPECT_EQ(typed("\xff\xc3"
                  "a"),
            "");  // C3 swallows the a: no character
  EXPECT_EQ(typed("\xc2\x9b"
                  "31m"),
            "3 1 m")
      << "C1 CSI must not get into a prompt";
}

RC_GTEST_PROP(Keys, PiecesDoNotMatter, (std::string bytes, size_t at)) {
  KeyReader whole, pieces;
  auto keys = whole.feed(bytes);
  at = bytes.empty() ? 0 : at % bytes.size();
  auto got = pieces.feed(std::string_view(bytes).substr(0, at));
  for (auto& key : pieces.feed(std::string_view(bytes).substr(at))) got.push_back(key);
  RC_ASSERT(names(got) == names(keys));
}

}  // namespace
}  // namespace sparky::tui
