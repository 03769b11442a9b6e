#include "plan/check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "plan/graph.h"
#include "plan/sample.h"
#include "plan/toml.h"

namespace sparky::plan {
namespace {
namespace fs = std::filesystem;

// What check says about the text, behind a valid head; lines count from 1 in `body`.
std::string said(const std::string& body, bool files = false) {
  auto parsed = parse_plan(body, "p");
  std::string out;
  for (auto& d : parsed.problems) out += d.text() + "\n";
  if (parsed.readable)
    for (auto& d : check(parsed.plan, parsed.source.get(), {.files = files})) out += d.text() + "\n";
  return out;
}

std::string workstream(const std::string& id, const std::string& rest = "", const std::string& owner = "a") {
  return "[[workstream]]\nid='" + id + "'\nname='n'\norchestrator='" + owner + "'\nrun='true'\naccept='exit-status'\n" +
         rest + "\n";
}
const std::string head = "[plan]\nname='x'\n[[orchestrator]]\nid='a'\n";  // 4 lines

#define EXPECT_SAYS(body, wanted)                                                  \
  do {                                                                             \
    auto text = said(body);                                                        \
    EXPECT_NE(text.find(wanted), std::string::npos) << wanted << "\nin\n" << text; \
  } while (0)

TEST(Check, AcceptsAGoodPlan) {
  EXPECT_EQ(said(head + workstream("x") + workstream("y", "depends_on=['x']") + workstream("z")), "");
}

TEST(Check, UnknownIdsGetTheNearestName) {
  EXPECT_SAYS(head + workstream("WS-01") + workstream("WS-02", "depends_on=['WS-1']"),
              "p:18:13: error: depends_on of workstream WS-02 names 'WS-1', which the plan does not have\n"
              "  help: did you mean 'WS-01'?");
  EXPECT_SAYS(head + workstream("x", "", "b"), "workstream x belongs to 'b'");
  EXPECT_SAYS(head + workstream("x") + workstream("y", "", "x"), "which is a workstream");
  EXPECT_SAYS(head + workstream("x") + "[[gate]]\nid='g'\nafter=['a']\nbefore=['q']\n", "before of gate g names 'q'");
}

TEST(Check, IdsAreUnique) {
  EXPECT_SAYS(head + workstream("x") + workstream("x"), "the id 'x' is taken by another workstream (line 5)");
  EXPECT_SAYS(head + workstream("a"), "the id 'a' is taken by another orchestrator");
  EXPECT_SAYS(head + "[[orchestrator]]\nid='b'\n" + workstream("x") + workstream("x", "", "b"),
              "workstream x has two owners: a (line 7) and b");
  EXPECT_SAYS(head + "[[workstream]]\nid='x'\norchestrator=['a','b']\n", "has several owners");
}

TEST(Check, NamesTheWholeCycle) {
  auto text = said(head + workstream("x", "depends_on=['z']") + workstream("y", "depends_on=['x']") +
                   workstream("z", "depends_on=['y']") + workstream("u", "depends_on=['u']"));
  EXPECT_NE(text.find("a cycle: x waits for z, which waits for y, which waits for x"), std::string::npos) << text;
  EXPECT_NE(text.find("a cycle: u waits for u"), std::string::npos) << text;
}

TEST(Check, SequentialOrderAgainstDependencies) {
  EXPECT_SAYS("[plan]\nname='x'\n[[orchestrator]]\nid='a'\nphase='sequential'\n" + workstream("x", "depends_on=['y']") +
                  workstream("y"),
              "x stands before y in the sequential part of a, but waits for it");
}

TEST(Check, AGateThatCannotOpen) {
  EXPECT_SAYS(head + workstream("x") +
                  "[[gate]]\nid='g'\nafter=['x']\nbefore=['a']\n[[gate.criteria]]\ntext='t'\nmanual=true\n",
              "gate g can never open");
}

TEST(Check, WhatNobodyCarriesOutOrDecides) {
  auto bare = head + "[[workstream]]\nid='x'\nname='n'\norchestrator='a'\n";
  EXPECT_SAYS(bare, "nothing carries out workstream x");
  EXPECT_SAYS(bare + "run='true'\n", "workstream x has no criteria");
  EXPECT_SAYS(bare + "run='true'\n[[workstream.criteria]]\ntext='t'\n", "has no check and nobody can decide it");
  EXPECT_SAYS(bare + "run='true'\n[[workstream.criteria]]\ntext='t'\ncheck='x'\nmanual=true\n", "has both a check and");
  EXPECT_SAYS(bare + "run='true'\n[[workstream.criteria]]\ncheck='x'\n", "has no text");
  EXPECT_SAYS("[plan]\nname='x'\n", "the plan has no workstreams");
  EXPECT_SAYS(head + "[[workstream]]\nid='x'\nrun='true'\n", "workstream x has no orchestrator");
}

TEST(Check, NeedsAgainstLimits) {
  EXPECT_SAYS("[limits]\ngpu=1\n" + head + workstream("x", "needs={gpu=2}"), "it can never start");
  EXPECT_SAYS("[limits]\ngpu=1\n" + head + workstream("x", "needs={gpus=1}"), "did you mean 'gpu'?");
}

TEST(Check, DeliverablesStayInTheTree) {
  for (std::string path : {"../x", "/etc/passwd", "a/../../x", ""})
    EXPECT_SAYS(head + workstream("x", "deliverables=['" + path + "']"), "lies outside the plan's tree");
  EXPECT_EQ(
      said(head + workstream("x", "deliverables=['a/../b', './c/*.png', '..d']") + workstream("y") + workstream("z")),
      "");
}

TEST(Check, GroupsOfAnUnwieldySizeAreAWarning) {
  EXPECT_SAYS(head + workstream("x"), "p:3:1: warning: orchestrator a owns 1 workstream; 3 to 6 are a good size");
  std::string seven = head;
  for (char c = 'p'; c < 'w'; ++c) seven += workstream(std::string(1, c));
  EXPECT_SAYS(seven, "warning: orchestrator a owns 7 workstreams");
}

TEST(Check, LooksAtTheDisk) {
  auto dir = fs::temp_directory_path() / ("sparky-check-" + std::to_string(getpid()));
  fs::remove_all(dir);
  ASSERT_TRUE(make_directories(dir / "sub"));
  ASSERT_TRUE(write_file_atomic(dir / "good.md", "x", {.sync = false}));
  fs::create_symlink("loop.md", dir / "loop.md");
  auto specs = [&](const std::string& spec) {
    auto file = dir / "plan.toml";
    EXPECT_TRUE(write_file_atomic(
        file, head + workstream("x", "spec='" + spec + "'") + workstream("y") + workstream("z"), {.sync = false}));
    auto parsed = load_plan(dir);  // a directory: its plan.toml
    std::string out;
    for (auto& d : check(parsed.plan, parsed.source.get())) out += d.text();
    return out;
  };
  EXPECT_EQ(specs("good.md"), "");
  EXPECT_NE(specs("loop.md").find("Too many levels of symbolic links"), std::string::npos);
  EXPECT_NE(specs("gone.md").find("No such file"), std::string::npos);
  EXPECT_NE(specs("sub").find("it is a directory"), std::string::npos);
  auto empty = load_plan(dir / "sub");
  EXPECT_FALSE(empty.readable);
  EXPECT_NE(empty.problems.at(0).text().find("no plan.toml"), std::string::npos);
  EXPECT_FALSE(load_plan(dir / "absent.toml").readable);
  fs::remove_all(dir);
}

TEST(Check, SampledPlansAreSound) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    auto plan = sample_plan(seed, {.workstreams = seed % 60 + 1, .rich = seed % 2 == 0});
    auto found = check(plan, nullptr, {.files = false});
    for (auto& d : found) EXPECT_NE(d.severity, Severity::error) << d.text() << " seed " << seed;
  }
}

}  // namespace
}  // namespace sparky::plan
