// For tests: a repository, and workstreams that an agent carries out which is a line of shell.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>

#include "agents/merge.h"
#include "agents/prompt.h"
#include "agents/session.h"
#include "base/files.h"
#include "base/process.h"
#include "base/text.h"

namespace sparky::agents {

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
  static void put(const std::filesystem::path& file, std::string_view text) {
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
  std::filesystem::path repo;
  Task task;
};

inline constexpr auto honest =
    "cat > /dev/null; echo hi > new.txt; git add new.txt; git commit -q -m 'Add new'; echo all done";

}  // namespace sparky::agents
