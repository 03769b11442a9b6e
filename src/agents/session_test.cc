// A whole workstream in a real repository: session, checks, merge; by an agent that is a line of shell.
#include "agents/advice.h"
#include "agents/sandbox.h"
#include "agents/test_work.h"
#include "agents/usage.h"

namespace sparky::agents {
namespace {
namespace fs = std::filesystem;

TEST_F(Work, IsDoneCheckedAndMergedOnce) {
  agent(honest);
  ASSERT_EQ(session(), 0) << outcome();
  EXPECT_NE(outcome().find("1 commit"), std::string::npos);
  EXPECT_EQ(read_file(task.home() / "summary.md").value_or(""), "all done\n");
  ASSERT_EQ(check(), 0) << feedback();
  EXPECT_EQ(git({"log", "--format=%s", "main"}), "Start") << "nothing is merged before";
  ASSERT_EQ(merge(), 0) << outcome();
  EXPECT_EQ(git({"log", "--format=%s", "main"}), "Add new\nStart");
  EXPECT_FALSE(fs::exists(task.worktree()));
  EXPECT_FALSE(fs::exists(task.checkout()));
  EXPECT_EQ(git({"branch", "--list", "ws/*"}), "");
  EXPECT_EQ(merge(), 0) << "killed before its end was recorded, it is run again";
  EXPECT_EQ(git({"log", "--format=%s", "main"}), "Add new\nStart");
}

// Killed after its worktree's files were removed, before git knew of it.
TEST_F(Work, WhatAKilledMergeLeftIsTidiedByTheNext) {
  agent(honest);
  ASSERT_EQ(session(), 0) << outcome();
  git({"update-ref", "refs/heads/main", task.ref("candidate")});
  fs::remove_all(task.worktree());
  ASSERT_EQ(merge(), 0) << outcome();
  EXPECT_EQ(git({"worktree", "list", "--porcelain"}).find(".sparky"), std::string::npos);
  EXPECT_EQ(git({"branch", "--list", "ws/*"}), "");
}

TEST_F(Work, WhatIsNotCommittedIsNotDelivered) {
  agent("cat > prompt.seen; echo half > half.txt; echo all done");
  EXPECT_EQ(session(), 1);
  EXPECT_NE(outcome().find("uncommitted"), std::string::npos) << outcome();
  EXPECT_NE(feedback().find("uncommitted"), std::string::npos);
  // Nothing of it is lost: it stands under a ref, and in the worktree.
  EXPECT_EQ(git({"show", task.ref("attempt-1-a") + ":half.txt"}), "half");
  EXPECT_EQ(read_file(task.worktree() / "half.txt").value_or(""), "half\n");
  EXPECT_NE(read_file(task.worktree() / "prompt.seen").value_or("").find("uncommitted"), std::string::npos)
      << "it was told";
  task.attempt = "2-b";
  ASSERT_EQ(session(), 1);
  EXPECT_NE(read_file(task.home() / "prompt.md").value_or("").find("another try"), std::string::npos);
}

TEST_F(Work, WordsForAPersonHoldIt) {
  agent("cat > /dev/null; echo 'DECISION: red or blue?'");
  EXPECT_EQ(session(), 75);
  EXPECT_EQ(outcome(), "DECISION: red or blue?");
}

TEST_F(Work, TheBudgetHoldsItUntilAPersonSaysSo) {
  agent(std::string(honest) + "; echo '{\"type\":\"result\",\"total_cost_usd\":3,\"usage\":{\"input_tokens\":9}}'",
        "[agents.coder.limits]\nmoney = 2\n");
  EXPECT_EQ(session(), 75);
  EXPECT_NE(outcome().find("WS-01 has used up its $2.00"), std::string::npos) << outcome();
  task.attempt = "2-b";
  EXPECT_EQ(session(), 75) << "a second try is no permission";
  task.attempt = "3-c";
  task.approved_by = "ada";
  agent("cat > /dev/null; echo done", "[agents.coder.limits]\nmoney = 2\n");
  EXPECT_EQ(session(), 0) << outcome();
}

TEST_F(Work, ABudgetOfTheRunHoldsAllWithOneQuestion) {
  put(repo / "sparky.toml", "[merge]\nbranch = \"main\"\n[budget]\nmoney = 3\n");
  agent(std::string(honest) + "; echo '{\"type\":\"result\",\"total_cost_usd\":3.5,\"usage\":{\"input_tokens\":9}}'");
  EXPECT_EQ(session(), 76);
  auto question = outcome();
  EXPECT_NE(question.find("the run has used up its $3.00"), std::string::npos) << question;
  auto other = task;
  task.workstream.id = "WS-02";
  EXPECT_EQ(session(), 76);
  EXPECT_EQ(outcome_of(repo, 1, "WS-02", task.attempt), question) << "the same words: one answer is for both";
  task.approved_by = other.approved_by = "ada";
  agent("cat > /dev/null; echo > other.txt; git add .; git commit -q -m Other");
  other.attempt = task.attempt = "2-b";
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_EQ(read_grants(repo, 1), (std::map<std::string, int>{{"run", 1}}));
  task = other;
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_EQ(read_grants(repo, 1), (std::map<std::string, int>{{"run", 1}})) << "one yes is one budget more";
}

constexpr auto costs_three = "; echo '{\"type\":\"result\",\"total_cost_usd\":3,\"usage\":{\"input_tokens\":9}}'";

TEST_F(Work, WhatEndedWithItsBudgetIsLookedAtBeforeAnythingIsSpentAgain) {
  agent("echo started >> " + (directory_->path() / "starts").string() + ";" + honest + costs_three,
        "[agents.coder.limits]\nmoney = 2\n");
  ASSERT_EQ(session(), 75);
  task.attempt = "2-b";
  task.approved_by = "ada";
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_EQ(read_file(directory_->path() / "starts").value_or(""), "started\n");
}

TEST_F(Work, AReviewThatEndsTheBudgetGoesOnWhereItWas) {
  auto starts = directory_->path() / "starts";
  agent("echo started >> " + starts.string() + "; " + honest + costs_three, "[agents.coder.limits]\nmoney = 4\n");
  put(repo / "critic.sh", "cat > /dev/null; echo VERDICT: approve" + std::string(costs_three));
  task.agents_toml +=
      "[agents.critic]\ncommand = [\"sh\", \"" + (repo / "critic.sh").string() + "\"]\nsandbox = \"off\"\n";
  task.workstream.agents.push_back("critic");
  EXPECT_EQ(session(), 75) << outcome();
  EXPECT_NE(outcome().find("WS-01 has used up its $4.00"), std::string::npos) << outcome();
  put(repo / "critic.sh", "cat > /dev/null; echo VERDICT: approve");
  task.attempt = "2-b";
  task.approved_by = "ada";
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_EQ(read_file(starts).value_or(""), "started\n") << "the work is done, only its review was not";
}

TEST_F(Work, AnAttemptsBudgetIsNobodyElses) {
  agent(std::string(honest) + costs_three, "[agents.coder.limits]\nattempt_money = 2\n");
  EXPECT_EQ(session(), 75);
  EXPECT_NE(outcome().find("this attempt of WS-01 has used up its $2.00"), std::string::npos) << outcome();
  task.attempt = "2-b";
  task.approved_by = "ada";
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_TRUE(read_grants(repo, 1).empty()) << "the next attempt has a budget of its own";
}

TEST_F(Work, AWorkstreamThatIsCalledRunIsNotTheRun) {
  task.workstream.id = "run";
  agent(std::string(honest) + costs_three, "[agents.coder.limits]\nmoney = 2\n");
  EXPECT_EQ(session(), 75) << "not for all";
  EXPECT_NE(outcome_of(repo, 1, "run", task.attempt).find(": run has used up its $2.00"), std::string::npos);
}

// A bubblewrap that fails, as where namespaces are forbidden, for as long as it lives.
class WithoutSandbox {
 public:
  explicit WithoutSandbox(const fs::path& bin) : path_(std::getenv("PATH")) {
    EXPECT_TRUE(write_file_atomic(bin / "bwrap", "#!/bin/sh\necho no namespaces >&2\nexit 1\n", {.sync = false}));
    fs::permissions(bin / "bwrap", fs::perms::owner_all);
    ::setenv("PATH", (bin.string() + ":" + path_).c_str(), 1);
  }
  ~WithoutSandbox() { ::setenv("PATH", path_.c_str(), 1); }

 private:
  std::string path_;
};

TEST_F(Work, WithoutASandboxTheProjectIsAskedOnce) {
  WithoutSandbox none(directory_->path() / "bin");
  agent(honest);
  auto& toml = task.agents_toml;
  toml.replace(toml.find("\"off\""), 5, "\"auto\"");
  EXPECT_EQ(session(), 76);
  EXPECT_NE(outcome().find("without a sandbox: bubblewrap cannot work here: no namespaces"), std::string::npos)
      << outcome();
  task.attempt = "2-b";
  EXPECT_EQ(session(), 76) << "a second try is no permission";
  task.attempt = "3-c";
  task.approved_by = "ada";
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_EQ(allowed_without_sandbox(repo), "ada");
  task.approved_by.clear();
  task.workstream.id = "WS-02";
  EXPECT_EQ(session(), 0) << "nobody is asked again; " << outcome();
}

TEST_F(Work, RunsOnNoMoreCoresThanItMay) {
  agent("cat > /dev/null; nproc", "[agents.coder.limits]\ncores = 1\n");
  EXPECT_EQ(session(), 1);
  EXPECT_EQ(read_file(task.home() / "summary.md").value_or(""), "1\n");
}

TEST_F(Work, StuckAgentsAreStopped) {
  agent("cat > /dev/null; sleep 60", "[agents.coder.limits]\nsilence = \"1s\"\n");
  EXPECT_EQ(session(), 1);
  EXPECT_NE(outcome().find("stuck"), std::string::npos) << outcome();
}

TEST_F(Work, AFailedCheckIsToldToTheNextTry) {
  task.workstream.criteria[0].check = "echo the reason; test -f other.txt";
  agent(honest);
  ASSERT_EQ(session(), 0);
  EXPECT_NE(check(), 0);
  EXPECT_NE(feedback().find("the reason"), std::string::npos) << feedback();
}

TEST_F(Work, WhatCameBackHasToChange) {
  agent("cat >> ../told; test -f new.txt || { echo hi > new.txt; git add .; git commit -q -m 'Add new'; }; echo done");
  ASSERT_EQ(session(), 0);
  task.attempt = "2-b";
  task.number = 2;
  task.note = "rejected: say hello";
  ASSERT_EQ(session(), 0);
  auto told = read_file(task.worktree().parent_path() / "told").value_or("");
  EXPECT_NE(told.find("Nothing has changed since your work came back"), std::string::npos) << told;
}

TEST_F(Work, WhatOnlyAPersonCanMendIsAskedAtOnce) {
  agent(honest);
  auto& toml = task.agents_toml;
  toml.replace(toml.find("\"sh\""), 4, "\"no-such-agent\"");
  EXPECT_EQ(session(), 76);
  EXPECT_NE(outcome().find("no-such-agent is not installed here"), std::string::npos) << outcome();
}

TEST_F(Work, ASetupThatFailedIsDoneAgain) {
  agent(honest);
  auto setup = [&](const std::string& command) {
    auto& toml = task.agents_toml;
    if (auto old = toml.find("setup"); old != toml.npos) toml.resize(old);
    toml += "setup = \"" + command + "\"\n";
  };
  setup("false");
  EXPECT_EQ(session(), 76);
  setup("echo x >> ../setup-log");
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_EQ(read_file(task.worktree().parent_path() / "setup-log").value_or(""), "x\n") << "once";
}

TEST_F(Work, ARemoteThatRefusesIsNotTheAgentsFault) {
  auto remote = directory_->path() / "remote.git";
  git({"init", "-q", "--bare", "-b", "main", remote.string()});
  git({"remote", "add", "origin", remote.string()});
  git({"push", "-q", "origin", "main"});
  auto hook = remote / "hooks/pre-receive";
  put(hook, "#!/bin/sh\necho signed commits only >&2\nexit 1\n");
  fs::permissions(hook, fs::perms::owner_all);
  agent(honest);
  ASSERT_EQ(session(), 0) << outcome();
  EXPECT_EQ(merge(), 75);
  EXPECT_NE(outcome().find("signed commits only"), std::string::npos) << outcome();
  EXPECT_EQ(feedback(), "");
  fs::remove(hook);
  EXPECT_EQ(merge(), 0) << outcome();
}

// The tries are used up: the orchestrator's agent proposes, a person says yes, its advice is told.
class Advised : public Work {
 protected:
  void lead(const std::string& answer, const std::string& more = "") {
    put(repo / "lead.sh", "cat > /dev/null; echo asked >> '" + (repo / "asked").string() + "'\n" + answer);
    agent("cat > '" + (repo / "told").string() +
              "'; test -f new.txt || { echo hi > new.txt; git add .; git commit -q -m Add; }",
          "[agents.lead]\ncommand = [\"sh\", \"" + (repo / "lead.sh").string() + "\"]\nsandbox = \"off\"\n" + more);
    task.advisor = "lead";
    task.workstream.retries.max = 1;
    task.number = 3;
    task.note = "criterion failed: there";
  }
  std::string told() { return read_file(repo / "told").value_or(""); }
  std::string asked() { return read_file(repo / "asked").value_or(""); }
};
constexpr auto retry =
    "echo 'I think:' '{\"kind\": \"retry\", \"why\": \"it misread it\", \"advice\": \"read the spec {twice}\"}'";

TEST_F(Advised, WhatItProposesIsADecision) {
  lead(retry);
  ASSERT_EQ(session(), 75);
  EXPECT_EQ(outcome(), "lead proposes for WS-01: retry: it misread it Advice: read the spec {twice}");
  EXPECT_EQ(told(), "") << "nothing is spent before the answer";
  task.attempt = "2-b";
  task.approved_by = "ada";
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_NE(told().find("read the spec {twice}"), std::string::npos) << told();
  EXPECT_EQ(asked(), "asked\n") << "once";
}

TEST_F(Advised, TurnedDownItIsOver) {
  lead(retry);
  ASSERT_EQ(session(), 75);
  task.attempt = "2-b";
  EXPECT_EQ(session(), 1);
  EXPECT_EQ(told(), "");
  task.number = 1;  // a person has it tried again from the beginning
  EXPECT_EQ(session(), 0);
  task.number = 3;
  EXPECT_EQ(session(), 75) << "then it may propose again";
}

TEST_F(Advised, WithAutonomyItGoesOn) {
  lead(retry, "autonomy = [\"retry\"]\n");
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_NE(told().find("read the spec {twice}"), std::string::npos) << told();
}

TEST_F(Advised, WhatCannotBeReadIsAskedOnceMore) {
  lead("echo '{\"kind\": \"pray\"}'");
  EXPECT_EQ(session(), 1);
  EXPECT_NE(outcome().find("it is one of retry, split"), std::string::npos) << outcome();
  EXPECT_EQ(asked(), "asked\nasked\n");
}

TEST_F(Advised, WhatWasDecidedIsToldInFull) {
  lead("echo '{\"kind\": \"adr\", \"why\": \"two ways\", \"change\": \"We use TOML.\"}'");
  ASSERT_EQ(session(), 75);
  EXPECT_EQ(outcome(), "lead proposes for WS-01: adr: two ways Change: We use TOML.");
  task.attempt = "2-b";
  task.approved_by = "ada";
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_NE(told().find("Decided (adr):\n\n```\nWe use TOML.\n```"), std::string::npos) << told();
  EXPECT_EQ(git({"show", task.ref("candidate") + ":docs/adr/0001-we-use-toml.md"}), "We use TOML.");
  EXPECT_EQ(read_file(repo / "docs/adr/0001-we-use-toml.md").value_or("none"), "none")
      << "not in the person's checkout";
  task.attempt = "3-c";  // as when the one before was lost
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_EQ(git({"ls-tree", "--name-only", task.ref("candidate") + ":docs/adr"}), "0001-we-use-toml.md") << "once";
}

TEST_F(Advised, AutonomyOutlivesALostAttempt) {
  lead(retry, "autonomy = [\"retry\"]\n");
  agent("kill -9 $$", task.agents_toml.substr(task.agents_toml.find("[agents.lead]")));
  EXPECT_EQ(session(), 1) << "it is gone";
  lead(retry, "autonomy = [\"retry\"]\n");
  task.attempt = "2-b";
  EXPECT_EQ(session(), 0) << outcome();
  EXPECT_EQ(asked(), "asked\n") << "once";
}

TEST_F(Advised, WhatChangesThePlanIsAnsweredByWhoeverHoldsThePlan) {
  lead("echo '{\"kind\": \"estimate\", \"why\": \"long\", \"change\": \"x\"}'", "autonomy = [\"estimate\"]\n");
  EXPECT_EQ(session(), 75);
}

// It is asked at a gate too, in a checkout of what the gate looks at; its answer is a decision.
class AdvisedAtAGate : public Advised {
 protected:
  void SetUp() override {
    Advised::SetUp();
    lead("test -f file.txt && echo '{\"kind\": \"retry\", \"why\": \"WS-01 forgot it\", \"advice\": \"see to it\"}'");
    task.gate = true;
    task.workstream = {.id = "gate-1"};
    task.workstream.criteria = {{.text = "all there", .check = "echo nothing; test -f never.txt"}};
  }
  std::string outcome() { return outcome_of(repo, 1, "gate-1", task.attempt); }
};

TEST_F(AdvisedAtAGate, WhatItMakesOfItIsADecision) {
  EXPECT_EQ(check(), 75);
  EXPECT_EQ(outcome(), "all there: lead proposes for gate-1: retry: WS-01 forgot it Advice: see to it");
  EXPECT_EQ(read_ledger(repo, 1, "gate-1").attempts.size(), 1u) << "what it cost is known";
  task.attempt = "2-b";
  task.approved_by = "ada";  // it is looked at again; when it still fails, it has failed
  EXPECT_EQ(check(), 1);
  EXPECT_EQ(asked(), "asked\n") << "once";
  task.approved_by.clear();  // a person has the gate tried again from the beginning
  EXPECT_EQ(check(), 75);
}

TEST_F(AdvisedAtAGate, OneThatPassesCostsNothing) {
  task.workstream.criteria[0].check = "test -f file.txt";
  EXPECT_EQ(check(), 0);
  EXPECT_EQ(asked(), "");
}

TEST_F(AdvisedAtAGate, WithoutASandboxItIsAskedOnlyWhereAPersonAllowedThat) {
  WithoutSandbox none(directory_->path() / "bin");
  auto& toml = task.agents_toml;
  toml.replace(toml.rfind("\"off\""), 5, "\"auto\"");
  EXPECT_EQ(check(), 1);
  EXPECT_EQ(asked(), "");
  ASSERT_TRUE(allow_without_sandbox(repo, "ada"));
  EXPECT_EQ(check(), 75);
}

TEST_F(Advised, IsNotAskedBefore) {
  lead(retry);
  task.number = 2;
  EXPECT_EQ(session(), 0);
  EXPECT_EQ(asked(), "");
}

TEST(Proposal, IsValidated) {
  EXPECT_EQ(read_proposal("x {\"kind\":\"split\",\"why\":\"too big\",\"change\":\"[[workstream]]\"} y"),
            (Proposal{"split", "too big", "", "[[workstream]]"}));
  for (auto bad : {"", "}", "{", "{}", "[1]", "{\"kind\":\"retry\",\"why\":\"x\"}",
                   "{\"kind\":\"split\",\"why\":\"x\"}", "{\"kind\":\"retry\",\"advice\":\"x\"}", "{\"kind\":7}"})
    EXPECT_TRUE(read_proposal(bad).error().is(Errc::invalid)) << bad;
}

TEST_F(Work, RedFirstMustFailOnTheBase) {
  task.workstream.criteria[0].check = "test -f file.txt";  // was always so
  agent(honest);
  ASSERT_EQ(session(), 0);
  EXPECT_NE(check(), 0);
  EXPECT_NE(feedback().find("passes before the change too"), std::string::npos) << feedback();
}

TEST_F(Work, ALoosenedTestIsShownToAPerson) {
  agent("cat > /dev/null; echo 'exit 0' > tests/check.sh; echo hi > new.txt; git add .; git commit -q -m 'Add new'");
  ASSERT_EQ(session(), 0) << outcome();
  EXPECT_EQ(merge(), 75);
  EXPECT_NE(outcome().find("tests/check.sh"), std::string::npos) << outcome();
  EXPECT_EQ(git({"log", "--format=%s", "main"}), "Start");
  task.approved_by = "ada";
  EXPECT_EQ(merge(), 0);
}

TEST_F(Work, WhatOthersMergedMeanwhileIsUnderItAndCheckedAgain) {
  agent(honest);
  task.workstream.criteria.insert(task.workstream.criteria.begin() + 1,
                                  {.text = "no two", .check = "! test -f other.txt || ! test -f new.txt"});
  ASSERT_EQ(session(), 0) << outcome();
  ASSERT_EQ(check(), 0);
  // Somebody else's merge, which does not conflict in text but does in sense.
  git({"checkout", "-q", "main"});
  put(repo / "other.txt", "x\n");
  git({"add", "other.txt"});
  git({"commit", "-q", "-m", "Other"});
  git({"checkout", "-q", "elsewhere"});
  EXPECT_EQ(merge(), 1);
  EXPECT_NE(feedback().find("no two"), std::string::npos) << feedback();
  EXPECT_EQ(git({"log", "-1", "--format=%s", "main"}), "Other");
  task.workstream.criteria.erase(task.workstream.criteria.begin() + 1);
  EXPECT_EQ(merge(), 0) << outcome();
  EXPECT_EQ(git({"log", "--format=%s", "main"}), "Add new\nOther\nStart");
}

TEST_F(Work, AConflictIsToldWithBothSides) {
  agent("cat > /dev/null; echo mine > file.txt; echo > new.txt; git add .; git commit -q -m Mine");
  ASSERT_EQ(session(), 0) << outcome();
  git({"checkout", "-q", "main"});
  put(repo / "file.txt", "theirs\n");
  git({"commit", "-q", "-am", "Theirs"});
  git({"checkout", "-q", "elsewhere"});
  EXPECT_EQ(merge(), 1);
  EXPECT_NE(feedback().find("+mine"), std::string::npos) << feedback();
  EXPECT_NE(feedback().find("+theirs"), std::string::npos);
  EXPECT_EQ(git({"log", "-1", "--format=%s", "main"}), "Theirs");
}

TEST_F(Work, ABranchThatIsCheckedOutIsNotMoved) {
  git({"checkout", "-q", "main"});
  agent(honest);
  ASSERT_EQ(session(), 0) << outcome();
  ASSERT_EQ(merge(), 0) << outcome();
  EXPECT_EQ(git({"log", "--format=%s", "main"}), "Start");
  EXPECT_EQ(git({"log", "--format=%s", "sparky/main"}), "Add new\nStart");
  EXPECT_EQ(git({"status", "--porcelain", "--untracked-files=no"}), "");
}

TEST_F(Work, TheSandboxHidesAndFences) {
  if (auto why = no_sandbox_here(); !why.empty()) GTEST_SKIP() << why;
  put(directory_->path() / ".ssh/id", "secret");
  agent("cat > /dev/null; cat ~/.ssh/id; ls '" + (repo / ".sparky/agents").string() + "'; echo bad > '" +
        (repo / "file.txt").string() + "'; echo bad > '" + (repo / ".git/hooks/post-commit").string() + "'; " + honest);
  auto& toml = task.agents_toml;
  toml.replace(toml.find("\"off\""), 5, "\"required\"");
  ASSERT_EQ(session(), 0) << outcome();
  auto transcript = read_file(task.home() / "transcript-1-a.jsonl").value_or("");
  EXPECT_EQ(transcript.find("secret"), transcript.npos) << transcript;
  EXPECT_EQ(transcript.find("run-1"), transcript.npos) << transcript;
  EXPECT_EQ(read_file(repo / "file.txt").value_or(""), "start\n");
  EXPECT_FALSE(fs::exists(repo / ".git/hooks/post-commit"));
  EXPECT_EQ(check(), 0) << feedback();
}

}  // namespace
}  // namespace sparky::agents
