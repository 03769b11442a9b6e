// Profiles, prompts, usage, health, findings: what can be said without a process.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "agents/health.h"
#include "agents/prompt.h"
#include "agents/task.h"
#include "agents/usage.h"
#include "agents/verify.h"
#include "base/files.h"

namespace sparky::agents {
namespace {
namespace fs = std::filesystem;

class InDirectory : public testing::Test {
 protected:
  void SetUp() override {
    auto made = TemporaryDirectory::make();
    ASSERT_TRUE(made);
    directory_ = std::make_unique<TemporaryDirectory>(std::move(*made));
    dir = directory_->path();
  }
  void put(const fs::path& file, std::string_view text) {
    ASSERT_TRUE(write_file_atomic(dir / file, text, {.sync = false}));
  }
  Task task() {
    Task t;
    t.project = t.root = t.plan_directory = dir;
    t.run = 1;
    t.plan = "Demo";
    t.attempt = "7-abc";
    t.workstream.id = "WS-05";
    t.workstream.name = "Fast tiles";
    t.workstream.orchestrator = "model";
    t.workstream.agents = {"coder"};
    return t;
  }
  std::unique_ptr<TemporaryDirectory> directory_;
  fs::path dir;
};

using ProfilesTest = InDirectory;
TEST_F(ProfilesTest, TheBuiltInOnesAreThereAndWhole) {
  auto p = load_profiles("", dir);
  EXPECT_TRUE(p.problems.empty()) << p.problems[0].text();
  for (auto name : {"rust-pro", "devops-automator", "ai-engineer", "python-pro", "backend-architect"}) {
    auto one = p.find(name);
    ASSERT_TRUE(one) << name;
    EXPECT_EQ(one->command.at(0), "claude") << "what it is like is taken up";
    EXPECT_FALSE(one->preamble.empty());
    EXPECT_FALSE(one->secrets.empty());
  }
}

TEST_F(ProfilesTest, TheMachineGoesOverThePlanAndThePlanOverTheBuiltIn) {
  put("sparky.toml", "[agents.rust-pro]\nmodel = \"mine\"\n[agents.rust-pro.limits]\nmoney = 3\n");
  auto p = load_profiles("[agents.rust-pro]\nmodel = \"plans\"\nsetup = \"make deps\"\n", dir);
  ASSERT_TRUE(p.problems.empty()) << p.problems[0].text();
  auto one = *p.find("rust-pro");
  EXPECT_EQ(one.model, "mine");
  EXPECT_EQ(one.setup, "make deps");
  EXPECT_EQ(one.budget.money, 3);
  EXPECT_EQ(one.sources.size(), 3u);
}

TEST_F(ProfilesTest, MistakesAreNamedWithLineAndRemedy) {
  put("sparky.toml",
      "[agents.x]\ncomand = [\"a\"]\nprotocol = \"http\"\n[agents.x.permissions]\nfly = \"allow\"\nread = 3\n");
  auto p = load_profiles("[agents.y]\nlike = \"nobody\"\n", dir);
  ASSERT_EQ(p.problems.size(), 5u);
  std::string all;
  for (auto& d : p.problems) all += d.text();
  EXPECT_NE(all.find("sparky.toml:3:"), all.npos) << all;
  EXPECT_NE(all.find("did you mean 'command'"), all.npos) << all;
  EXPECT_NE(all.find("nobody"), all.npos) << all;
  EXPECT_NE(all.find("fly"), all.npos) << all;
  auto near = p.find("rustpro");
  ASSERT_FALSE(near);
  EXPECT_NE(near.error().help.find("rust-pro"), std::string::npos);
}

TEST(Profiles, WordsAreFilledInAndOtherBracesStay) {
  EXPECT_EQ(fill_in({"a {prompt} {x} {", "{workdir}/{prompt}"}, {{"prompt", "p{workdir}"}, {"workdir", "/w"}}),
            (std::vector<std::string>{"a p{workdir} {x} {", "/w/p{workdir}"}));
}

TEST(Profiles, PermissionsFallBackToTheUsual) {
  Profile p;
  p.permissions["execute"] = Permission::ask;
  p.usual = Permission::deny;
  EXPECT_EQ(p.permission("execute"), Permission::ask);
  EXPECT_EQ(p.permission("fetch"), Permission::deny);
}

using TaskTest = InDirectory;
TEST_F(TaskTest, ComesBackAsItWasWritten) {
  auto t = task();
  t.workstream.criteria = {{.text = "holds", .check = "true", .red_first = true},
                           {.text = "merged", .check = "sparky agent-merge"}};
  t.depends = {{"WS-01", "First"}};
  t.note = "again \"so\"";
  t.approved_by = "ada";
  t.criterion = 1;
  auto back = decode_task(encode(t));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(encode(*back), encode(t));
  EXPECT_EQ(back->workstream.criteria[1].check, "sparky agent-merge");
  EXPECT_FALSE(decode_task("{}"));
  EXPECT_FALSE(decode_task("[1]"));
}

TEST_F(TaskTest, AnOutcomeBelongsToItsAttemptAlone) {
  auto t = task();
  ASSERT_TRUE(write_outcome(t, "2 commits"));
  EXPECT_EQ(outcome_of(dir, 1, "WS-05", "7-abc"), "2 commits");
  EXPECT_EQ(outcome_of(dir, 1, "WS-05", "8-abc"), "");
}

using PromptTest = InDirectory;
TEST_F(PromptTest, HoldsAllThatAnAgentNeeds) {
  auto t = task();
  t.workstream.spec = "spec.md";
  t.workstream.deliverables = {"src/tiles.py"};
  t.workstream.criteria = {{.text = "Tiles are fast", .check = "pytest tests", .red_first = true},
                           {.text = "It looks right", .manual = true},
                           {.text = "Merged", .check = "sparky agent-merge"}};
  t.depends = {{"WS-01", "Baseline"}};
  put("spec.md", "# The spec\nDo it well.\n");
  put("AGENTS.md", "Tabs, not spaces.\n");
  put(".sparky/agents/run-1/WS-01/summary.md", "The baseline is 40 ms.\n");
  Profile p;
  p.preamble = "You are careful.";
  auto first = build_prompt(t, p, dir, "main");
  for (auto part :
       {"You are careful.", "WS-05 Fast tiles", "Do it well.", "src/tiles.py", "`pytest tests`", "must fail before",
        "(a person decides)", "The baseline is 40 ms.", "Tabs, not spaces.", "::progress", "BLOCKED:"})
    EXPECT_NE(first.find(part), first.npos) << part;
  EXPECT_EQ(first.find("agent-merge"), first.npos) << "merging is not its business";
  EXPECT_EQ(first.find("another try"), first.npos);
  ASSERT_TRUE(add_feedback(t, "Criterion \"Tiles are fast\" is not met: 90 ms"));
  t.note = "rejected: too slow";
  auto second = build_prompt(t, p, dir, "main");
  for (auto part : {"another try", "90 ms", "rejected: too slow"}) EXPECT_NE(second.find(part), second.npos) << part;
}

TEST(Prompt, WordsThatMeanSomething) {
  EXPECT_EQ(asks_for_person("done\n  BLOCKED: no key \nbye"), "BLOCKED: no key");
  EXPECT_FALSE(asks_for_person("I was never BLOCKED: by it\nBLOCKED:"));
  EXPECT_EQ(verdict_of("…\n**VERDICT: approve**"), true);
  EXPECT_EQ(verdict_of("VERDICT: approve\nVERDICT: changes"), false);
  EXPECT_FALSE(verdict_of("approve"));
  EXPECT_EQ(progress_of(" ::progress 0.5 halfway")->text, "halfway");
  EXPECT_FALSE(progress_of("::progress 7 much"));
}

TEST(Usage, IsReadFromWhatTheProgramsPrint) {
  UsageReader claude;
  claude.feed("{\"type\":\"system\"}\n{\"type\":\"result\",\"result\":\"All done\",\"total_cost_usd\":0.41,\"usage\":");
  EXPECT_FALSE(claude.total().known);
  claude.feed("{\"input_tokens\":10,\"output_tokens\":5,\"cache_read_input_tokens\":100}}\n");
  EXPECT_EQ(claude.total().tokens, 115);
  EXPECT_DOUBLE_EQ(claude.total().money, 0.41);
  EXPECT_EQ(claude.last_text(), "All done");
  UsageReader codex;
  codex.feed(
      "{\"type\":\"item.completed\",\"item\":{\"text\":\"hello\"}}\n"
      "{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":7,\"cached_input_tokens\":3,\"output_tokens\":2}}\n");
  EXPECT_EQ(codex.total().tokens, 9);
  EXPECT_EQ(codex.last_text(), "hello");
  UsageReader gemini;
  gemini.feed("{\n \"response\": \"hi\",\n \"stats\": {\"models\": {\"g\": {\"tokens\": {\"total\": 12}}}}\n}\n");
  EXPECT_EQ(gemini.total().tokens, 12);
  EXPECT_EQ(gemini.last_text(), "hi");
  UsageReader other;
  other.feed("no figures\n{broken\n");
  EXPECT_FALSE(other.total().known);
}

using UsageTest = InDirectory;
TEST_F(UsageTest, AddsUpByAttemptWorkstreamOrchestratorAndRun) {
  auto a = task(), b = task();
  b.workstream.id = "WS-06";
  ASSERT_TRUE(write_usage(a, {1000, 1.0, true}));
  ASSERT_TRUE(write_usage(a, {1500, 1.5, true}));  // the same attempt: replaced, not added
  a.attempt = "9-def";
  ASSERT_TRUE(write_usage(a, {500, 0.5, true}));
  ASSERT_TRUE(write_usage(b, {100, 3.0, true}));
  EXPECT_EQ(read_ledger(dir, 1, "WS-05").total().tokens, 2000);
  EXPECT_EQ(read_ledgers(dir, 1).size(), 2u);
  Budgets budgets{.run = {0, 10}, .orchestrator = {0, 6}, .workstream = {0, 4}};
  a.attempt = "10-x";
  auto s = spent(a, {0, 1.0, true}, budgets);  // WS-05: 3 of 4; model: 6 of 6; run: 6 of 10
  EXPECT_DOUBLE_EQ(s.share, 1);
  EXPECT_EQ(s.text, "the orchestrator model has used up its $6.00") << "whoever meets this end says the same";
  EXPECT_TRUE(s.for_all());
  EXPECT_EQ(spent(a, {0, 1e6, true}, {}).share, 0) << "no budget, no end";
  for (int both : {1, 2}) ASSERT_TRUE(grant(b, s.scope, 1)) << both << ": two asked for the same, and are answered";
  s = spent(a, {0, 1.0, true}, budgets);
  EXPECT_DOUBLE_EQ(s.share, 0.75) << "the orchestrator may have twice as much now; " << s.text;
  EXPECT_EQ(s.text, "WS-05 has used $3.00 of $4.00");
  EXPECT_FALSE(s.for_all());
}

TEST_F(UsageTest, TimeAndRetriesHaveTheirBudgetsToo) {
  auto a = task(), b = task();
  b.workstream.id = "WS-06";
  b.number = 3;
  ASSERT_TRUE(write_usage(b, {.time = Duration(60'000)}));
  auto s = spent(a, {.time = Duration(30'000)}, {.run = {.time = Duration(100'000)}});
  EXPECT_DOUBLE_EQ(s.share, 0.9);
  EXPECT_EQ(s.text, "the run has used 1m 30s of 1m 40s");
  EXPECT_EQ(spent(a, {}, {.run = {.retries = 2}}).share, 0) << "it may have both, and has had both";
  a.number = 2;
  EXPECT_EQ(spent(a, {}, {.run = {.retries = 2}}).text, "the run has used up its 2 retries");
  EXPECT_EQ(spent(a, {100, 0, true}, {.attempt = {.tokens = 100}}).text,
            "this attempt of WS-05 has used up its 100 tokens");
}

TEST(HealthTest, SilentButBusyIsWorking) {
  Profile p;
  p.silence = Duration(60'000);
  auto health = [&](Signals s) { return diagnose(s, p).health; };
  EXPECT_EQ(health({.word_age = 3'600'000, .cpu_age = 1000}), Health::working);
  EXPECT_EQ(health({.word_age = 1000, .cpu_age = 3'600'000}), Health::working);
  EXPECT_EQ(health({.word_age = 60'000, .cpu_age = 60'000}), Health::stuck);
  EXPECT_EQ(health({.word_age = 60'000, .cpu_age = 60'000, .files_age = 500}), Health::working);
  EXPECT_EQ(health({.repeats = p.repeats}), Health::looping);
  EXPECT_EQ(health({.asks = true, .word_age = 1 << 30, .cpu_age = 1 << 30}), Health::waiting);
  EXPECT_EQ(health({.alive = false}), Health::gone);
  EXPECT_NE(diagnose({.word_age = 60'000, .cpu_age = 60'000}, p).evidence.find("1m"), std::string::npos);
}

TEST(Verify, FindsWhatIsLoosened) {
  plan::Workstream w;
  w.deliverables = {"src/", "docs/*.md"};
  w.criteria = {{.text = "tests pass", .check = "sh ./check.sh && python3 -m pytest tests/test_calc.py"}};
  std::vector<FileChange> changes{{'D', "tests/test_old.py", ""}, {'M', "tests/test_calc.py", ""},
                                  {'M', "check.sh", ""},          {'A', "src/new.py", ""},
                                  {'A', "docs/a.md", ""},         {'M', "Makefile", ""}};
  std::string diff =
      "diff --git a/tests/test_calc.py b/tests/test_calc.py\n--- a/tests/test_calc.py\n+++ b/tests/test_calc.py\n@@ "
      "-1,3 +1,2 @@\n"
      "-    assert add(1, 2) == 3\n-    assert add(0, 0) == 0\n+    assert True\n+@pytest.mark.skip\n";
  auto found = findings_in(changes, diff, w, "");
  std::string serious, notes;
  for (auto& f : found) (f.serious ? serious : notes) += f.path + ": " + f.text + "\n";
  EXPECT_NE(serious.find("tests/test_old.py: a test is deleted"), serious.npos) << serious;
  EXPECT_NE(serious.find("1 assertions fewer"), serious.npos) << serious;
  EXPECT_NE(serious.find("switched off"), serious.npos) << serious;
  EXPECT_NE(serious.find("check.sh: the check"), serious.npos) << serious;
  EXPECT_NE(notes.find("Makefile"), notes.npos) << notes;
  EXPECT_EQ((serious + notes).find("src/new.py"), std::string::npos);
  EXPECT_EQ((serious + notes).find("docs/a.md"), std::string::npos);
  EXPECT_TRUE(findings_in({{'A', "src/new.py", ""}}, "", w, "").empty());
}

TEST(Verify, ADeclaredFileThatACheckRunsMayChange) {
  plan::Workstream w;
  w.deliverables = {"calc.py"};
  w.criteria = {{.text = "adds", .check = "python3 calc.py"}};
  EXPECT_TRUE(findings_in({{'M', "calc.py", ""}}, "", w, "").empty());
  EXPECT_TRUE(findings_in({{'M', "game/calc.py", ""}}, "", w, "game/").empty()) << "relative to the plan's root";
}

TEST(Verify, DeliverablesAreFilesDirectoriesOrGlobs) {
  EXPECT_TRUE(matches("src/", "src/a/b.c"));
  EXPECT_TRUE(matches("./src", "src/a"));
  EXPECT_TRUE(matches("src/*.c", "src/a.c"));
  EXPECT_FALSE(matches("src", "srcs/a"));
  EXPECT_FALSE(matches("src/a.c", "src/a.cc"));
}

}  // namespace
}  // namespace sparky::agents
