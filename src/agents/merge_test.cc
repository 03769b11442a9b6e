// The merge queue with several changes in it, and pull requests through a stand-in for gh.
#include <nlohmann/json.hpp>

#include "agents/test_work.h"
#include "base/json.h"

namespace sparky::agents {
namespace {
namespace fs = std::filesystem;

class Queue : public Work {
 protected:
  void SetUp() override {
    Work::SetUp();
    put(repo / "sparky.toml", "[merge]\nbranch = \"main\"\nbatch = 4\n");
    log = directory_->path() / "checks";
  }
  // A change that is ready: it adds the file, and its check says so in the log.
  Task ready(const std::string& id, const std::string& file, const std::string& check) {
    Task one = task;
    one.workstream.id = id;
    one.workstream.criteria[0] = {.text = id + " is right", .check = check};
    agent("cat > /dev/null; echo hi > " + file + "; git add .; git commit -q -m 'Add " + file + "'");
    one.agents_toml = task.agents_toml;
    EXPECT_EQ(run_session(one).value_or(-1), 0);
    EXPECT_TRUE(write_file_atomic(task_file(repo, 1, id), encode(one)));
    return one;
  }
  // As its own step would have it while it waits.
  void waits(const Task& one) {
    auto place = lock_file(queue_place(one), true);
    ASSERT_TRUE(place);
    places.push_back(std::move(*place));
  }
  int merge(const Task& one) {
    auto code = merge_step(one);
    EXPECT_TRUE(code) << code.error().text();
    return code.value_or(-1);
  }
  std::string logged() { return read_file(log).value_or(""); }
  std::string merged() { return git({"log", "--format=%s", "main"}); }

  fs::path log;
  std::vector<Fd> places;
};

TEST_F(Queue, WhoWaitsIsCheckedAndMergedTogether) {
  auto check = "echo checked >> " + log.string();
  auto a = ready("A", "a.txt", check), b = ready("B", "b.txt", check), c = ready("C", "c.txt", check);
  waits(b), waits(c);
  EXPECT_EQ(merge(a), 0);
  EXPECT_EQ(merged(), "Add c.txt\nAdd b.txt\nAdd a.txt\nStart");
  EXPECT_EQ(logged(), "checked\n") << "the same check, once for all three";
  places.clear();
  EXPECT_EQ(merge(b), 0);
  EXPECT_EQ(merge(c), 0);
  EXPECT_EQ(merged(), "Add c.txt\nAdd b.txt\nAdd a.txt\nStart") << "each is merged once";
  EXPECT_EQ(logged(), "checked\n");
  EXPECT_EQ(git({"worktree", "list", "--porcelain"}).find(".sparky"), std::string::npos);
}

TEST_F(Queue, OnlyTheGuiltyOneGoesBack) {
  auto fine = "echo fine >> " + log.string();
  auto a = ready("A", "a.txt", fine), b = ready("B", "b.txt", fine), c = ready("C", "c.txt", fine);
  auto d = ready("D", "d.txt", "! test -f a.txt");  // right alone, wrong together
  waits(b), waits(c), waits(d);
  EXPECT_EQ(merge(a), 0);
  EXPECT_EQ(merged(), "Add b.txt\nAdd a.txt\nStart") << "one half is right";
  places.clear();
  EXPECT_EQ(merge(d), 1);
  EXPECT_NE(read_file(d.home() / "feedback.md").value_or("").find("D is right"), std::string::npos);
  EXPECT_EQ(merge(c), 0);
  EXPECT_EQ(merge(b), 0);
  EXPECT_EQ(merged(), "Add c.txt\nAdd b.txt\nAdd a.txt\nStart");
}

TEST_F(Queue, WhoConflictsWaitsForItsOwnTurn) {
  auto a = ready("A", "same.txt", "true"), c = ready("C", "c.txt", "true");
  auto b = ready("B", "same.txt; echo other > same.txt", "true");
  waits(b), waits(c);
  EXPECT_EQ(merge(a), 0);
  EXPECT_EQ(merged(), "Add c.txt\nAdd same.txt\nStart");
  places.clear();
  EXPECT_EQ(merge(b), 1);
  EXPECT_NE(read_file(b.home() / "feedback.md").value_or("").find("conflicts"), std::string::npos);
}

TEST_F(Queue, APlaceThatNobodyHoldsIsNoOne) {
  auto a = ready("A", "a.txt", "true"), b = ready("B", "b.txt", "true");
  waits(b);
  places.clear();  // killed
  EXPECT_EQ(merge(a), 0);
  EXPECT_EQ(merged(), "Add a.txt\nStart");
}

// Killed after the target was moved, before those who wait were told.
TEST_F(Queue, ABatchThatWasCutOffIsFinished) {
  auto a = ready("A", "a.txt", "true"), b = ready("B", "b.txt", "true");
  auto repository = Repository::open(repo);
  auto commit = git({"rev-parse", b.ref("candidate")});
  ASSERT_EQ(merge(a), 0);
  auto rebased = repository->rebased(commit, git({"rev-parse", "main"}), b.home() / "rebase");
  ASSERT_TRUE(rebased);
  Json record{{"target", "main"}, {"head", rebased->head}, {"refs", {{b.ref("candidate"), rebased->head}}}};
  put(repo / ".sparky/agents/batch.json", json_text(record));
  git({"update-ref", "refs/heads/main", rebased->head});
  EXPECT_EQ(merge(b), 0);
  EXPECT_EQ(merged(), "Add b.txt\nAdd a.txt\nStart");
  EXPECT_EQ(git({"rev-parse", b.ref("merged")}), rebased->head);
  EXPECT_FALSE(fs::exists(repo / ".sparky/agents/batch.json"));
}

TEST_F(Queue, WhatThisMachineCannotTestIsNotRunAgain) {
  auto a = ready("A", "a.txt", "true"), b = ready("B", "b.txt", "echo b >> " + log.string());
  b.workstream.criteria[0].needs_facts = {"gpu"};
  ASSERT_EQ(merge(a), 0);
  auto c = b;
  EXPECT_EQ(merge(b), 0);  // rebased: main has moved
  EXPECT_EQ(logged(), "") << "there is no GPU";
  c = ready("C", "c.txt", "echo c >> " + log.string());
  c.workstream.criteria[0].needs_facts = {"gpu"};
  c.facts = {"gpu"};
  git({"branch", "-f", "keep", "main"});
  ASSERT_EQ(merge(ready("D", "d.txt", "true")), 0);
  EXPECT_EQ(merge(c), 0);
  EXPECT_EQ(logged(), "c\n") << "there is one";
}

// --- GitHub

class GitHub : public Work {
 protected:
  void SetUp() override {
    Work::SetUp();
    put(repo / "sparky.toml",
        "[merge]\nbranch = \"main\"\nmode = \"github\"\nreviewers = \"ada,bob\"\npoll = \"50ms\"\nwait = \"10m\"\n");
    remote = directory_->path() / "remote.git";
    git({"init", "-q", "--bare", "-b", "main", remote.string()});
    git({"remote", "add", "origin", remote.string()});
    git({"push", "-q", "origin", "main"});
    state = directory_->path() / "gh";
    ::setenv("GH_STATE", state.c_str(), 1);
    ::setenv("GH_REMOTE", remote.c_str(), 1);
    path_ = std::getenv("PATH");
    ::setenv("PATH", (SPARKY_SOURCE_DIR "/tests/support:" + path_).c_str(), 1);
    rules({{"auto", true}});
    agent(honest);
    ASSERT_EQ(session(), 0) << outcome();
  }
  void TearDown() override { ::setenv("PATH", path_.c_str(), 1); }
  void rules(const Json& json) { put(state / "rules.json", json_text(json)); }
  std::string calls() { return read_file(state / "calls").value_or(""); }
  std::string merged() { return git({"--git-dir", remote.string(), "log", "--format=%s", "main"}); }
  void somebody_pushes(const std::string& branch) {
    auto clone = directory_->path() / "clone";
    git({"clone", "-q", remote.string(), clone.string()});
    git({"-C", clone.string(), "checkout", "-q", branch});
    put(clone / "theirs.txt", "x\n");
    git({"-C", clone.string(), "add", "."});
    git({"-C", clone.string(), "commit", "-q", "-m", "Theirs"});
    git({"-C", clone.string(), "push", "-q", "origin", branch});
  }

  fs::path remote, state;
  std::string path_;
};

TEST_F(GitHub, IsMergedAsAPullRequest) {
  ASSERT_EQ(merge(), 0) << outcome();
  EXPECT_EQ(merged(), "WS-01: Work (#1)\nStart");
  EXPECT_EQ(git({"--git-dir", remote.string(), "show", "main:new.txt"}), "hi");
  EXPECT_NE(calls().find("--reviewer ada,bob"), std::string::npos) << calls();
  EXPECT_NE(calls().find("--squash --match-head-commit"), std::string::npos) << calls();
  EXPECT_NE(read_file(state / "body").value_or("").find("all done"), std::string::npos) << "the completion summary";
  EXPECT_FALSE(fs::exists(task.worktree()));
  EXPECT_EQ(merge(), 0) << "killed before its end was recorded, it is run again";
  EXPECT_EQ(merged(), "WS-01: Work (#1)\nStart");
}

TEST_F(GitHub, WaitsForAReviewAsADecision) {
  rules({{"auto", true}, {"review", "REVIEW_REQUIRED"}});
  ASSERT_EQ(merge(), 75);
  EXPECT_NE(outcome().find("/pull/1 waits for a review"), std::string::npos) << outcome();
  rules({{"auto", true}, {"review", "APPROVED"}});
  task.approved_by = "ada";
  EXPECT_EQ(merge(), 0) << outcome();
  EXPECT_EQ(merged(), "WS-01: Work (#1)\nStart");
}

TEST_F(GitHub, AFailedStatusCheckGoesBackToTheAgent) {
  rules({{"auto", true}, {"checks", {{{"name", "build"}, {"conclusion", "FAILURE"}}}}});
  EXPECT_EQ(merge(), 1);
  EXPECT_NE(feedback().find("build (failure)"), std::string::npos) << feedback();
  EXPECT_EQ(merged(), "Start");
}

TEST_F(GitHub, AReviewersWordsGoBackToTheAgent) {
  rules({{"auto", true}, {"review", "CHANGES_REQUESTED"}, {"body", "say hello, not hi"}});
  EXPECT_EQ(merge(), 1);
  EXPECT_NE(feedback().find("say hello, not hi"), std::string::npos) << feedback();
}

TEST_F(GitHub, WithoutAutoMergeItIsMergedWhenItsChecksHavePassed) {
  rules({{"auto", false}, {"pending", 3}});
  EXPECT_EQ(merge(), 0) << outcome();
  EXPECT_EQ(merged(), "WS-01: Work (#1)\nStart");
}

TEST_F(GitHub, IsRebasedCheckedAndPushedAgainWhenTheTargetMoved) {
  rules({{"auto", true}, {"strict", true}});
  task.workstream.criteria[0].check = "test -f new.txt";
  somebody_pushes("main");
  ASSERT_EQ(merge(), 0) << outcome();
  EXPECT_EQ(merged(), "WS-01: Work (#1)\nTheirs\nStart");
}

TEST_F(GitHub, WhatSomebodyElsePushedIsNotOverwritten) {
  rules({{"auto", true}, {"review", "REVIEW_REQUIRED"}});
  ASSERT_EQ(merge(), 75);
  somebody_pushes(task.branch());
  ASSERT_EQ(merge(), 75);
  EXPECT_NE(outcome().find("somebody else has pushed"), std::string::npos) << outcome();
  EXPECT_EQ(git({"--git-dir", remote.string(), "log", "-1", "--format=%s", task.branch()}), "Theirs");
}

}  // namespace
}  // namespace sparky::agents
