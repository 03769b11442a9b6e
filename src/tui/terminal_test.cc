#include "tui/terminal.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"

namespace sparky::tui {
namespace {

TEST(Terminal, KittyAnswers) {
  auto a = parse_answers(
      "\x1b_Gi=31;OK\x1b\\\x1bP>|kitty(0.35.2)\x1b\\\x1b[6;20;10t"
      "\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?62;c");
  EXPECT_TRUE(a.kitty);
  EXPECT_FALSE(a.sixel);
  EXPECT_TRUE(a.fence);
  EXPECT_EQ(a.version, "kitty(0.35.2)");
  EXPECT_EQ(a.cell, std::make_pair(10, 20));
  EXPECT_EQ(a.light, false);
}

TEST(Terminal, SixelIsAttributeFourOfDa1) {
  EXPECT_TRUE(parse_answers("\x1b[?62;4;22c").sixel);
  EXPECT_FALSE(parse_answers("\x1b[?64;22c").sixel);
  EXPECT_FALSE(parse_answers("\x1b[?62;4;22").fence);
}

TEST(Terminal, InTmuxTheTerminalInFrontOfItDecidesAboutSixels) {
  auto directory = std::move(*TemporaryDirectory::make());
  std::string path = std::getenv("PATH");
  ::setenv("PATH", (directory.path().string() + ":" + path).c_str(), 1);
  auto says = [&](const std::string& features) {
    auto program = directory.path() / "tmux";
    EXPECT_TRUE(write_file_atomic(program, "#!/bin/sh\necho '" + features + "'\n", {.sync = false}));
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    return tmux_shows_sixels();
  };
  EXPECT_TRUE(says("bpaste,sixel,title"));
  EXPECT_FALSE(says("bpaste,title"));
  EXPECT_FALSE(says("")) << "nobody is looking";
  EXPECT_FALSE(says("'; exit 1 #'"));
  ::setenv("PATH", path.c_str(), 1);
}

TEST(Terminal, ARefusalIsNoSupport) { EXPECT_FALSE(parse_answers("\x1b_Gi=31;ENOTSUPPORTED\x1b\\\x1b[?1;2c").kitty); }

TEST(Terminal, LightBackground) {
  EXPECT_EQ(parse_answers("\x1b]11;rgb:ffff/ffff/eeee\x07").light, true);
  EXPECT_EQ(parse_answers("\x1b]11;rgb:ff/zz/ee\x07").light, std::nullopt);
}

RC_GTEST_PROP(Terminal, AnyAnswersAreSurvived, (const std::string& bytes)) {
  auto a = parse_answers("\x1b" + bytes + "\x1b[" + bytes);
  if (a.cell) RC_ASSERT(a.cell->first > 0 && a.cell->second > 0);
}

TEST(Terminal, TheOverrideWins) {
  Answers kitty;
  kitty.kitty = true;
  EXPECT_EQ(conclude({.term = "xterm-kitty"}, kitty).graphics, Graphics::kitty);
  EXPECT_EQ(conclude({.term = "xterm-kitty", .graphics = "symbols"}, kitty).graphics, Graphics::symbols);
}

TEST(Terminal, ColoursByEnvironment) {
  EXPECT_EQ(conclude({.term = "xterm", .no_color = "1"}, {}).colors, Colors::none);
  EXPECT_EQ(conclude({.term = "xterm-256color"}, {}).colors, Colors::ansi256);
  EXPECT_EQ(conclude({.term = "xterm", .colorterm = "truecolor"}, {}).colors, Colors::truecolor);
  EXPECT_EQ(conclude({.term = "linux"}, {}).colors, Colors::ansi16);
  EXPECT_FALSE(conclude({.lang = "C"}, {}).unicode);
  EXPECT_TRUE(conclude({.lang = "C.UTF-8"}, {}).unicode);
}

TEST(Terminal, LightByTheEnvironmentWhereTheTerminalDoesNotSay) {
  EXPECT_EQ(conclude({.colorfgbg = "0;15"}, {}).light, true);
  EXPECT_EQ(conclude({.colorfgbg = "15;default;0"}, {}).light, false);
  EXPECT_EQ(conclude({.colorfgbg = "0;default"}, {}).light, std::nullopt);
  EXPECT_EQ(conclude({}, {}).light, std::nullopt);
  EXPECT_EQ(conclude({.colorfgbg = "0;15"}, {.light = false}).light, false);
}

TEST(Terminal, TmuxGetsTheGraphicsQuestionWrapped) {
  EXPECT_TRUE(questions(true).starts_with("\x1bPtmux;\x1b\x1b_G"));
  EXPECT_TRUE(questions(true).ends_with("\x1b[c"));
}

}  // namespace
}  // namespace sparky::tui
