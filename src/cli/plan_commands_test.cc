// sparky plan as a user calls it.
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/process.h"
#include "plan/check.h"
#include "plan/toml.h"

namespace sparky {
namespace {

constexpr std::string_view workstream =
    "# WS-01: A\n**Orchestrator**: O\n**Duration**: 1d\n## Acceptance Criteria\n- [ ] it is there\n";

TEST(PlanImport, GoesToStandardOutput) {
  auto directory = TemporaryDirectory::make();
  ASSERT_TRUE(directory);
  ASSERT_TRUE(write_file_atomic(directory->path() / "docs/workstreams/ws01-a/README.md", workstream));
  auto import = [&](std::vector<std::string> more) {
    std::vector<std::string> argv{SPARKY_BIN_DIR "/sparky", "plan", "import", "docs", "-o", "-"};
    argv.insert(argv.end(), more.begin(), more.end());
    return run_program(argv, {.cwd = directory->path()});
  };
  auto done = import({});
  ASSERT_TRUE(done) << done.error().text();
  auto parsed = plan::parse_plan(done->out, "docs/plan.toml");
  ASSERT_TRUE(parsed.readable) << done->out;
  ASSERT_EQ(parsed.plan.workstreams.size(), 1u);
  EXPECT_EQ(parsed.plan.workstreams[0].id, "WS-01");
  EXPECT_EQ(parsed.plan.workstreams[0].spec, "workstreams/ws01-a/README.md");
  EXPECT_FALSE(std::filesystem::exists(directory->path() / "-"));
  EXPECT_FALSE(std::filesystem::exists(directory->path() / "docs/plan.toml"));
  EXPECT_NE(import({"--json"})->code, 0) << "both want standard output";
}

}  // namespace
}  // namespace sparky
