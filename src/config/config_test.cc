#include "config/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.h"

namespace sparky::config {
namespace {

class ConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    project = std::filesystem::temp_directory_path() / ("sparky config " + std::to_string(getpid()));
    std::filesystem::create_directories(project);
  }
  void TearDown() override { std::filesystem::remove_all(project); }
  void write(std::string_view text) { ASSERT_TRUE(write_file_atomic(file_of(project), text)); }
  std::string file() { return *read_file(file_of(project)); }
  Loaded load_with(std::vector<const char*> environment) { return load(project, environment); }

  std::filesystem::path project;
};

TEST_F(ConfigTest, EverySettingHasAValidDefault) {
  for (auto& setting : settings()) EXPECT_EQ(invalid(setting, setting.initial), std::nullopt) << setting.key;
  auto loaded = load_with({});
  EXPECT_TRUE(loaded.found.empty());
  EXPECT_EQ(loaded.config.text("serve.req"), "tcp://127.0.0.1:5555");
  EXPECT_EQ(loaded.config.value("serve.req").source, Source::initial);
}

TEST_F(ConfigTest, EnvironmentGoesOverFile) {
  write("[run]\njobs = 3\nsnapshot_every = \"2h\"\n");
  auto loaded = load_with({"SPARKY_RUN_JOBS=7", "HOME=/nowhere"});
  EXPECT_TRUE(loaded.found.empty());
  EXPECT_EQ(loaded.config.integer("run.jobs"), 7);
  EXPECT_EQ(loaded.config.value("run.jobs").source, Source::environment);
  EXPECT_EQ(loaded.config.duration("run.snapshot_every"), std::chrono::hours(2));
  EXPECT_EQ(loaded.config.value("run.snapshot_every").source, Source::file);
}

TEST_F(ConfigTest, EveryMistakeIsNamedWithItsPlace) {
  write("[run]\njbos = 3\njobs = \"many\"\nsnapshot_every = \"soon\"\n");
  auto loaded = load_with({"SPARKY_RUN_LOG_MAX_MB=0"});
  ASSERT_EQ(loaded.found.size(), 4u);
  std::string all;
  for (auto& d : loaded.found) all += d.text() + "\n";
  EXPECT_NE(all.find("sparky.toml:2:1: error: unknown setting 'run.jbos'\n  help: did you mean 'run.jobs'?"), all.npos)
      << all;
  EXPECT_NE(all.find("sparky.toml:3:8: error: 'run.jobs' has a value of the wrong type"), all.npos) << all;
  EXPECT_NE(all.find("'soon' is not a duration"), all.npos) << all;
  EXPECT_NE(all.find("SPARKY_RUN_LOG_MAX_MB"), all.npos) << all;
  EXPECT_EQ(loaded.config.integer("run.jobs"), 0);
}

TEST_F(ConfigTest, SyntaxErrorNamesTheLine) {
  write("[run\n");
  auto loaded = load_with({});
  ASSERT_EQ(loaded.found.size(), 1u);
  EXPECT_EQ(loaded.found[0].line, 1);
}

TEST_F(ConfigTest, SetKeepsCommentsAndOrder) {
  write("# mine\n[run]  # how\njobs = 3 # \xc3\xa9 three\n\n[serve]\nreq = \"tcp://127.0.0.1:1\"\n");
  ASSERT_TRUE(set(project, "run.jobs", "12"));
  EXPECT_EQ(file(), "# mine\n[run]  # how\njobs = 12 # \xc3\xa9 three\n\n[serve]\nreq = \"tcp://127.0.0.1:1\"\n");
  ASSERT_TRUE(set(project, "run.notify", "say \"done\""));
  EXPECT_EQ(load_with({}).config.text("run.notify"), "say \"done\"");
  ASSERT_TRUE(set(project, "serve.workers", "/sockets \xf0\x9f\x90\x89"));
  EXPECT_EQ(load_with({}).config.text("serve.workers"), "/sockets \xf0\x9f\x90\x89");
  ASSERT_TRUE(set(project, "run.notify", std::nullopt));
  EXPECT_EQ(load_with({}).config.value("run.notify").source, Source::initial);
  EXPECT_NE(file().find("# mine\n[run]  # how\njobs = 12 # \xc3\xa9 three\n"), std::string::npos);
}

TEST_F(ConfigTest, SetRefusesWhatIsWrong) {
  EXPECT_TRUE(set(project, "run.jbos", "1").error().is(Errc::invalid));
  EXPECT_TRUE(set(project, "run.jobs", "1 ").error().is(Errc::invalid));
  EXPECT_FALSE(std::filesystem::exists(file_of(project)));
  write("[run\n");
  EXPECT_FALSE(set(project, "run.jobs", "1"));
  EXPECT_EQ(file(), "[run\n");
}

}  // namespace
}  // namespace sparky::config
