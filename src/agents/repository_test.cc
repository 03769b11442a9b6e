#include "agents/repository.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/files.h"
#include "base/process.h"
#include "base/text.h"

namespace sparky::agents {
namespace {
namespace fs = std::filesystem;

class RepositoryTest : public testing::Test {
 protected:
  void SetUp() override {
    static int count = 0;
    work = fs::temp_directory_path() / fmt::format("sparky repo \xf0\x9f\x90\x89 {} {}", getpid(), count++);
    main_dir = work / "checkout";
    fs::create_directories(main_dir);
    git(main_dir, {"init", "-q", "-b", "main"});
    git(main_dir, {"config", "user.name", "T"});
    git(main_dir, {"config", "user.email", "t@example.org"});
    write(main_dir / "a.txt", "one\n");
    git(main_dir, {"add", "."});
    git(main_dir, {"commit", "-q", "-m", "one"});
    repo = std::make_unique<Repository>(*Repository::open(main_dir));
    tree = work / "trees" / "WS-05";
  }
  void TearDown() override { fs::remove_all(work); }

  std::string git(const fs::path& dir, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "git");
    auto out = run_checked(arguments, {.cwd = dir});
    EXPECT_TRUE(out) << out.error().text();
    return out ? std::string(trim(*out)) : "";
  }
  void write(const fs::path& path, std::string_view text) {
    ASSERT_TRUE(write_file_atomic(path, text, {.sync = false}));
  }
  void commit(const fs::path& dir, const std::string& file, std::string_view text) {
    write(dir / file, text);
    git(dir, {"add", "--", file});
    git(dir, {"-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-q", "-m", "change " + file});
  }

  fs::path work, main_dir, tree;
  std::unique_ptr<Repository> repo;
};

TEST(BranchName, IsAlwaysAcceptable) {
  EXPECT_EQ(branch_name("WS-05", "SDXL Optimization"), "ws/WS-05-sdxl-optimization");
  EXPECT_EQ(branch_name("a b..c~\xf0\x9f\x90\x89", "  "), "ws/a-b--c-----");
}

TEST_F(RepositoryTest, AWorktreeIsMadeOnceAndTakenUpAgain) {
  ASSERT_TRUE(repo->add_worktree(tree, "ws/WS-05", "main"));
  EXPECT_TRUE(fs::exists(tree / "a.txt"));
  write(tree / "new.txt", "unsaved");
  auto again = repo->add_worktree(tree, "ws/WS-05", "main");
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_TRUE(fs::exists(tree / "new.txt"));
  EXPECT_TRUE(repo->add_worktree(work / "elsewhere", "ws/WS-05", "main").error().is(Errc::busy));
  EXPECT_TRUE(repo->add_worktree(work / "x", "ws/x", "no-such-base").error().is(Errc::not_found));
}

TEST_F(RepositoryTest, AWorktreeThatWasCutOffInMidRebaseIsTakenUpOnItsBranch) {
  ASSERT_TRUE(repo->add_worktree(tree, "ws/WS-05", "main"));
  write(tree / "a.txt", "theirs\n");
  git(tree, {"commit", "-q", "-a", "-m", "theirs"});
  auto head = git(tree, {"rev-parse", "HEAD"});
  write(main_dir / "a.txt", "ours\n");
  git(main_dir, {"commit", "-q", "-a", "-m", "ours"});
  EXPECT_FALSE(run_program({"git", "rebase", "-q", "main"}, {.cwd = tree})->ok()) << "a conflict";
  auto again = repo->add_worktree(tree, "ws/WS-05", "main");
  ASSERT_TRUE(again) << again.error().text();
  auto back = repo->back_on_branch(tree, "ws/WS-05");
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(git(tree, {"rev-parse", "ws/WS-05"}), head);
  EXPECT_EQ(git(tree, {"symbolic-ref", "--short", "HEAD"}), git(tree, {"name-rev", "--name-only", "HEAD"}));
  git(tree, {"checkout", "-q", "--detach"});
  commit(tree, "b.txt", "on no branch");
  ASSERT_TRUE(repo->back_on_branch(tree, "ws/WS-05"));
  EXPECT_EQ(git(tree, {"log", "-1", "--format=%s", "ws/WS-05"}), "change b.txt") << "it builds on the branch";
  git(tree, {"checkout", "-q", "-b", "elsewhere"});
  EXPECT_TRUE(repo->back_on_branch(tree, "ws/WS-05").error().is(Errc::busy)) << "somebody put it there";
}

TEST_F(RepositoryTest, LocksOfAKilledGitAreRemoved) {
  ASSERT_TRUE(repo->add_worktree(tree, "ws/WS-05", "main"));
  commit(tree, "a.txt", "theirs\n");
  auto head = git(tree, {"rev-parse", "HEAD"});
  commit(main_dir, "a.txt", "ours\n");
  EXPECT_FALSE(run_program({"git", "rebase", "-q", "main"}, {.cwd = tree})->ok()) << "a conflict";
  // Killed while the rebase ended; then its undoing fails half, and git says that it went well.
  auto shared = main_dir / ".git", own = shared / "worktrees" / "WS-05";
  write(shared / "refs" / "heads" / "ws" / "WS-05.lock", "");
  EXPECT_TRUE(run_program({"git", "rebase", "--abort"}, {.cwd = tree})->ok());
  for (auto path : {own / "index.lock", own / "HEAD.lock", shared / "index.lock", shared / "packed-refs.lock",
                    shared / "refs" / "heads" / "main.lock"})
    write(path, "");
  fs::last_write_time(shared / "packed-refs.lock", fs::file_time_type::clock::now() - std::chrono::minutes(1));

  ASSERT_TRUE(repo->remove_stale_locks(tree, "ws/WS-05"));
  EXPECT_FALSE(fs::exists(shared / "packed-refs.lock")) << "nobody holds it for a minute";
  EXPECT_TRUE(fs::exists(shared / "refs" / "heads" / "main.lock")) << "somebody may just be writing it";
  EXPECT_TRUE(fs::exists(shared / "index.lock")) << "a commit may wait for its message in the main checkout";
  auto back = repo->back_on_branch(tree, "ws/WS-05");
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(git(tree, {"branch", "--show-current"}), "ws/WS-05");
  EXPECT_EQ(git(tree, {"rev-parse", "HEAD"}), head);
  commit(tree, "b.txt", "it goes on");
}

TEST_F(RepositoryTest, KeepTakesEverythingAndChangesNothing) {
  ASSERT_TRUE(repo->add_worktree(tree, "ws/WS-05", "main"));
  write(tree / "a.txt", "changed\n");
  write(tree / "deep" / "untracked.txt", "precious\n");
  git(tree, {"add", "a.txt"});
  auto before = git(tree, {"status", "--porcelain"});
  auto kept = repo->keep(tree, "refs/sparky/attempts/WS-05/1", "attempt 1");
  ASSERT_TRUE(kept) << kept.error().text();
  EXPECT_EQ(git(tree, {"status", "--porcelain"}), before);
  EXPECT_EQ(git(main_dir, {"show", "refs/sparky/attempts/WS-05/1:deep/untracked.txt"}), "precious");
  EXPECT_EQ(git(main_dir, {"stash", "list"}), "");
}

TEST_F(RepositoryTest, NothingUnmergedAndUnkeptIsRemoved) {
  ASSERT_TRUE(repo->add_worktree(tree, "ws/WS-05", "main"));
  write(tree / "untracked.txt", "precious\n");
  EXPECT_TRUE(repo->remove_worktree(tree, "main").error().is(Errc::denied));
  commit(tree, "untracked.txt", "precious\n");
  EXPECT_TRUE(repo->remove_worktree(tree, "main").error().is(Errc::denied));
  ASSERT_TRUE(repo->keep(tree, "refs/sparky/kept/WS-05", "kept"));
  auto state = repo->state(tree, "main");
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->kept) << state->why();
  write(tree / "later.txt", "made after it was kept\n");
  EXPECT_TRUE(repo->remove_worktree(tree, "main").error().is(Errc::denied));
  EXPECT_TRUE(fs::exists(tree / "later.txt"));
  fs::remove(tree / "later.txt");
  EXPECT_TRUE(repo->remove_worktree(tree, "main"));
  EXPECT_FALSE(fs::exists(tree));
}

TEST_F(RepositoryTest, ASquashMergeCountsAsMerged) {
  ASSERT_TRUE(repo->add_worktree(tree, "ws/WS-05", "main"));
  commit(tree, "b.txt", "1\n");
  commit(tree, "b.txt", "2\n");
  EXPECT_FALSE(repo->state(tree, "main")->merged);
  git(main_dir, {"merge", "-q", "--squash", "ws/WS-05"});
  git(main_dir, {"commit", "-q", "-m", "squashed"});
  commit(main_dir, "c.txt", "goes on\n");
  auto state = repo->state(tree, "main");
  EXPECT_TRUE(state->merged) << state->why();
  EXPECT_TRUE(repo->remove_worktree(tree, "main"));
}

TEST_F(RepositoryTest, RebaseGivesANewHeadOrTheConflictAndMovesNothing) {
  ASSERT_TRUE(repo->add_worktree(tree, "ws/WS-05", "main"));
  commit(tree, "b.txt", "mine\n");
  commit(main_dir, "c.txt", "theirs\n");
  auto tip = *repo->resolve("ws/WS-05"), onto = *repo->resolve("main");
  auto good = repo->rebased(tip, onto, work / "scratch");
  ASSERT_TRUE(good) << good.error().text();
  EXPECT_FALSE(good->conflict);
  EXPECT_EQ(repo->ahead(onto, good->head).value(), 1);
  EXPECT_EQ(*repo->resolve("ws/WS-05"), tip);
  EXPECT_FALSE(fs::exists(work / "scratch"));

  commit(tree, "a.txt", "mine\n");
  commit(main_dir, "a.txt", "theirs\n");
  auto bad = repo->rebased(*repo->resolve("ws/WS-05"), *repo->resolve("main"), work / "scratch");
  ASSERT_TRUE(bad) << bad.error().text();
  ASSERT_TRUE(bad->conflict);
  EXPECT_EQ(bad->conflict->files, std::vector<std::string>{"a.txt"});
  EXPECT_NE(bad->conflict->ours.find("+mine"), std::string::npos);
  EXPECT_NE(bad->conflict->theirs.find("+theirs"), std::string::npos);
}

TEST_F(RepositoryTest, ABranchThatIsCheckedOutIsNeverMoved) {
  ASSERT_TRUE(repo->add_worktree(tree, "ws/WS-05", "main"));
  commit(tree, "b.txt", "1\n");
  auto tip = *repo->resolve("ws/WS-05"), main = *repo->resolve("main");
  EXPECT_TRUE(repo->advance("main", main, tip, "").error().is(Errc::busy));
  git(main_dir, {"switch", "-q", "-c", "mine"});
  EXPECT_TRUE(repo->advance("main", main, tip, ""));
  EXPECT_EQ(*repo->resolve("main"), tip);
  EXPECT_TRUE(repo->advance("main", main, tip, "").error().is(Errc::busy)) << "it has moved";
}

TEST_F(RepositoryTest, ALockedBranchHasNotMoved) {
  auto base = *repo->resolve("main");
  ASSERT_TRUE(repo->make_branch("target", base));
  ASSERT_TRUE(repo->add_worktree(work / "wt", "ws/X", "main"));
  commit(work / "wt", "x.txt", "x\n");
  auto head = *repo->resolve("ws/X");
  auto lock = *repo->git_directory() / "refs/heads/target.lock";
  write(lock, "");
  EXPECT_TRUE(repo->advance("target", base, head, "").error().is(Errc::io));
  fs::remove(lock);
  EXPECT_TRUE(repo->advance("target", base, head, ""));
  EXPECT_TRUE(repo->advance("target", base, head, "").error().is(Errc::busy)) << "it has moved";
}

TEST_F(RepositoryTest, ARemoteIsAdvancedOnlyFromWhereItWasChecked) {
  git(work, {"init", "-q", "--bare", "remote.git"});
  git(main_dir, {"remote", "add", "origin", (work / "remote.git").string()});
  git(main_dir, {"push", "-q", "origin", "main"});
  ASSERT_TRUE(repo->add_worktree(tree, "ws/WS-05", "main"));
  commit(tree, "b.txt", "1\n");
  auto main = *repo->resolve("main"), tip = *repo->resolve("ws/WS-05");
  auto squashed = repo->squashed(tip, main, "WS-05: b");
  ASSERT_TRUE(squashed) << squashed.error().text();
  auto pushed = repo->advance("main", main, *squashed, "origin");
  ASSERT_TRUE(pushed) << pushed.error().text();
  EXPECT_EQ(git(work / "remote.git", {"rev-parse", "main"}), *squashed);
  auto late = repo->advance("main", main, tip, "origin");
  EXPECT_TRUE(late.error().is(Errc::busy)) << late.error().text();
  EXPECT_EQ(git(work / "remote.git", {"rev-parse", "main"}), *squashed);
}

TEST_F(RepositoryTest, SubmodulesAreThereAndWhatIsInThemIsNotLost) {
  auto lib = work / "lib";
  fs::create_directories(lib);
  git(lib, {"init", "-q", "-b", "main"});
  commit(lib, "lib.txt", "lib\n");
  git(main_dir, {"-c", "protocol.file.allow=always", "submodule", "--quiet", "add", lib.string(), "vendor/my lib"});
  git(main_dir, {"commit", "-q", "-m", "vendor"});
  fs::rename(lib, work / "away");  // its server cannot be reached: the person's own copy serves
  auto made = repo->add_worktree(tree, "ws/WS-05", "main");
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(read_file(tree / "vendor/my lib/lib.txt").value_or(""), "lib\n");
  auto checkout = work / "check";
  ASSERT_TRUE(repo->add_checkout(checkout, "main"));
  write(checkout / "vendor/my lib/built.o", "x");
  ASSERT_TRUE(repo->reset_checkout(checkout));
  EXPECT_FALSE(fs::exists(checkout / "vendor/my lib/built.o"));
  ASSERT_TRUE(repo->remove_checkout(checkout));
  commit(tree / "vendor/my lib", "new.txt", "precious\n");
  git(tree, {"commit", "-qam", "newer"});
  ASSERT_TRUE(repo->keep(tree, "refs/sparky/run-1/WS-05/attempt-1", "kept"));
  EXPECT_TRUE(repo->remove_worktree(tree, "main").error().is(Errc::denied)) << "no ref here keeps that commit";
  EXPECT_TRUE(fs::exists(tree / "vendor/my lib/new.txt"));
}

// As when git is killed while it makes one, or removes it.
TEST_F(RepositoryTest, ACheckoutThatGitStillKnowsIsMadeAnew) {
  auto checkout = work / "check";
  for (bool locked : {false, true}) {
    ASSERT_TRUE(repo->add_checkout(checkout, "main"));
    if (locked) git(repo->top(), {"worktree", "lock", "--reason", "initializing", checkout.string()});
    fs::remove_all(checkout);
    auto again = repo->add_checkout(checkout, "main");
    ASSERT_TRUE(again) << again.error().text();
    ASSERT_TRUE(repo->remove_checkout(checkout));
  }
}

TEST_F(RepositoryTest, ChangesNameEveryFile) {
  ASSERT_TRUE(repo->add_worktree(tree, "ws/WS-05", "main"));
  commit(tree, "sp ace \xc3\xa9.txt", "1\n");
  git(tree, {"mv", "a.txt", "moved.txt"});
  git(tree, {"-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-q", "-m", "move"});
  auto changes = repo->changes("main", "ws/WS-05");
  ASSERT_TRUE(changes);
  ASSERT_EQ(changes->size(), 2u);
  EXPECT_EQ((*changes)[0].status, 'R');
  EXPECT_EQ((*changes)[0].old_path, "a.txt");
  EXPECT_EQ((*changes)[1].path, "sp ace \xc3\xa9.txt");
}

TEST(Repository, OutsideARepositoryItSaysSo) {
  auto opened = Repository::open("/");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().help.find("git init"), std::string::npos);
}

}  // namespace
}  // namespace sparky::agents
