// A whole workstream in a real repository: session, checks, merge; by an agent that is a line of shell.
#include "agents/session.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "agents/merge.h"
#include "agents/prompt.h"
#include "agents/sandbox.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"

namespace sparky::agents {
namespace {
namespace fs = std::filesystem;

class Work : public testing::Test {
 protected:
  void SetUp() override {
    auto made = TemporaryDirectory::make();
    ASSERT_TRUE(made);
    directory_ = std::make_unique<TemporaryDirectory>(std::move(*made));
    ::setenv("HOME", directory_->path().c_str(), 1);
    for (auto who : {"GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"}) ::setenv(who, "Test", 1);
    for (auto who : {"GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"}) ::setenv(who, "test@localhost", 1);
    repo = directory_->path() / "repo";
    put(repo / "file.txt", "start\n");
    put(repo / "tests/check.sh", "grep -q start file.txt || exit 1\n");
    put(repo / ".gitignore", ".sparky/\n");
    git({"init", "-q", "-b", "main"});
    git({"add", "."});
    git({"commit", "-q", "-m", "Start"});
    git({"checkout", "-q", "-b", "elsewhere"});  // main is checked out nowhere
    put(repo / "sparky.toml", "[merge]\nbranch = \"main\"\n");
    task.project = task.root = task.plan_directory = repo;
    task.run = 1;
    task.plan = "Test";
    task.attempt = "1-a";
    task.workstream = {.id = "WS-01", .name = "Work", .agents = {"coder"}};
    task.workstream.criteria = {{.text = "there", .check = "test -f new.txt", .red_first = true},
                                {.text = "merged", .check = "sparky agent-merge"}};
  }
  static void put(const fs::path& file, std::string_view text) {
    ASSERT_TRUE(write_file_atomic(file, text, {.sync = false}));
  }
  std::string git(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "git");
    auto said = run_checked(arguments, {.cwd = repo});
    EXPECT_TRUE(said) << said.error().text();
    return said ? std::string(trim(*said)) : "";
  }
  // The agent is this line of shell; the prompt comes on its standard input.
  void agent(const std::string& script, const std::string& more = "") {
    put(repo / "agent.sh", script);
    task.agents_toml =
        "[agents.coder]\ncommand = [\"sh\", \"" + (repo / "agent.sh").string() + "\"]\nsandbox = \"off\"\n" + more;
  }
  int session() {
    auto code = run_session(task);
    EXPECT_TRUE(code) << code.error().text();
    return code.value_or(-1);
  }
  int check(int criterion = 0) {
    task.criterion = criterion;
    auto code = check_step(task);
    EXPECT_TRUE(code) << code.error().text();
    return code.value_or(-1);
  }
  int merge() {
    task.criterion = 1;
    auto code = merge_step(task);
    EXPECT_TRUE(code) << code.error().text();
    return code.value_or(-1);
  }
  std::string outcome() { return outcome_of(repo, 1, "WS-01", task.attempt); }
  std::string feedback() { return read_file(task.home() / "feedback.md").value_or(""); }

  std::unique_ptr<TemporaryDirectory> directory_;
  fs::path repo;
  Task task;
};

constexpr auto honest =
    "cat > /dev/null; echo hi > new.txt; git add new.txt; git commit -q -m 'Add new'; echo all done";

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
  EXPECT_NE(outcome().find("$3.00 of $2.00"), std::string::npos) << outcome();
  task.attempt = "2-b";
  EXPECT_EQ(session(), 75) << "a second try is no permission";
  task.attempt = "3-c";
  task.approved_by = "ada";
  agent("cat > /dev/null; echo done", "[agents.coder.limits]\nmoney = 2\n");
  EXPECT_EQ(session(), 0) << outcome();
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
