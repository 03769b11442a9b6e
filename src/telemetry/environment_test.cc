#include "telemetry/environment.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/process.h"
#include "telemetry/changes.h"
#include "telemetry/result.h"
#include "telemetry/schema.h"

namespace sparky::telemetry {
namespace {
namespace fs = std::filesystem;
using namespace std::chrono_literals;

TEST(Environment, ThisOneIsValidSteadyAndKeepsNoSecret) {
  ::setenv("CFLAGS", "-O2 -DSPARKY_TEST", 1);
  ::setenv("CMAKE_TOKEN", "hunter2-token", 1);
  ::setenv("SPARKY_TEST_ANY", "hunter2-any", 1);
  ::setenv("TORCH_INDEX", "https://me:hunter2-url@example.org/simple", 1);
  Json doc = read_environment(SPARKY_SOURCE_DIR, "1.2.3");
  for (const auto& finding : check_schema(doc, "environment")) ADD_FAILURE() << finding.text();
  EXPECT_EQ(doc["variables"]["CFLAGS"], "-O2 -DSPARKY_TEST");
  EXPECT_EQ(doc["variables"]["TORCH_INDEX"], "https://example.org/simple");
  EXPECT_EQ(json_text(doc).find("hunter2"), std::string::npos);
  EXPECT_EQ(doc["sparky"], "1.2.3");
  EXPECT_EQ(doc["fingerprint"], environment_fingerprint(doc));
  EXPECT_NE(environment_text(doc).find("Linux"), std::string::npos);

  // What does not decide a result is not in the fingerprint; what does, is.
  Json other = doc;
  other["captured_at"] = "2001-01-01T00:00:00Z";
  other["hostname"] = "elsewhere";
  other["git"] = nullptr;
  EXPECT_EQ(doc["fingerprint"], environment_fingerprint(other));
  for (auto pointer :
       {"/kernel/release", "/os/version", "/locale/timezone", "/toolchain/0/version", "/variables/CFLAGS"}) {
    other = doc;
    other[Json::json_pointer(pointer)] = "0.0.1";
    EXPECT_NE(doc["fingerprint"], environment_fingerprint(other)) << pointer;
    auto changes = compare(environment_properties(doc), environment_properties(other));
    ASSERT_EQ(changes.size(), 1u) << pointer;
    EXPECT_EQ(changes[0].now, "0.0.1");
  }
  for (auto name : {"CFLAGS", "CMAKE_TOKEN", "SPARKY_TEST_ANY", "TORCH_INDEX"}) ::unsetenv(name);
}

TEST(Environment, TheStateOfTheSourceIsRead) {
  auto dir = TemporaryDirectory::make();
  auto git = [&](std::vector<std::string> arguments) {
    std::vector<std::string> argv = {"git", "-c", "user.name=t", "-c", "user.email=t@example.org"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    auto done = run_program(argv, {.cwd = dir->path()});
    ASSERT_TRUE(done && done->code == 0) << arguments[0];
  };
  auto state = [&] { return read_environment(dir->path(), "1"); };
  Json none = state();
  EXPECT_EQ(none["git"], nullptr);
  git({"init", "-q"});
  ASSERT_TRUE(write_file_atomic(dir->path() / "a", "1\n"));
  git({"add", "a"});
  git({"commit", "-q", "-m", "one"});
  git({"remote", "add", "origin", "https://user:hunter2@example.org/x.git"});
  Json clean = state();
  EXPECT_EQ(clean["git"]["dirty"], false);
  EXPECT_EQ(clean["git"]["remote"], "https://example.org/x.git");
  EXPECT_EQ(clean["git"]["diff_sha256"], nullptr);
  EXPECT_EQ(source_difference(clean, clean), "");
  ASSERT_TRUE(write_file_atomic(dir->path() / "a", "2\n"));
  Json dirty = state();
  EXPECT_EQ(dirty["git"]["dirty"], true);
  EXPECT_EQ(dirty["git"]["changed_files"], 1);
  EXPECT_NE(source_difference(clean, dirty).find("with changes"), std::string::npos);
  EXPECT_EQ(clean["fingerprint"], dirty["fingerprint"]);
  for (const auto& finding : check_schema(dirty, "environment")) ADD_FAILURE() << finding.text();
}

TEST(Environment, NamesThatSpeakOfSecretsAreRefused) {
  for (auto name : {"CC", "CFLAGS", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"}) EXPECT_TRUE(recordable_variable(name));
  for (auto name : {"HOME", "AWS_SECRET_ACCESS_KEY", "TORCH_TOKEN", "CMAKE_PASSWORD", "OMP_AUTH", "GITHUB_TOKEN", ""})
    EXPECT_FALSE(recordable_variable(name)) << name;
}

TEST(Environment, UrlsLoseTheirCredentials) {
  EXPECT_EQ(without_credentials("https://u:p@h/x"), "https://h/x");
  EXPECT_EQ(without_credentials("https://h/x@y"), "https://h/x@y");
  EXPECT_EQ(without_credentials("a https://t@h b ssh://git@g/r"), "a https://h b ssh://g/r");
  EXPECT_EQ(without_credentials("https://u:p@x@h/"), "https://h/");
  EXPECT_EQ(without_credentials("plain"), "plain");
}

TEST(Changes, OlderGoneAndSmallerAreWorse) {
  Json was = {{"packages.a:x", "1.10"}, {"packages.b:x", "2"}, {"cpu.cores", 4}, {"os.id", "one"}, {"memory.x", 1000}};
  Json now = {{"packages.a:x", "1.9"}, {"cpu.cores", 8}, {"os.id", "two"}, {"memory.x", 985}, {"toolchain.c", "1"}};
  auto found = compare(was, now);
  ASSERT_EQ(found.size(), 5u);
  std::map<std::string, bool> worse;
  for (const auto& change : found) worse[change.what] = change.worse;
  EXPECT_EQ(worse, (std::map<std::string, bool>{{"cpu.cores", false},
                                                {"os.id", false},
                                                {"packages.a:x", true},
                                                {"packages.b:x", true},
                                                {"toolchain.c", false}}));
}

RC_GTEST_PROP(Changes, NothingChangesAgainstItself, (std::map<std::string, std::string> properties)) {
  Json map = properties;
  RC_ASSERT(compare(map, map).empty());
  RC_ASSERT(compare(Json::object(), map).size() == properties.size());
}

class Result_ : public testing::Test {
 protected:
  void SetUp() override {
    auto made = TemporaryDirectory::make();
    ASSERT_TRUE(made);
    dir = std::make_unique<TemporaryDirectory>(std::move(*made));
    put("input", "some text\n");
    request = {
        .command = {"sh", "-c", "sort input > $OUT/sorted; mkdir $OUT/d; wc -c < input > $OUT/d/size; echo done"},
        .inputs = {"input"},
        .directory = dir->path()};
  }
  void put(const char* name, std::string_view text) {
    ASSERT_TRUE(write_file_atomic(dir->path() / name, text, {.sync = false}));
  }
  std::unique_ptr<TemporaryDirectory> dir;
  RecordRequest request;
  Json environment = read_environment(".", "1");
};

TEST_F(Result_, ARecordedResultIsReproduced) {
  auto record = record_result(request, environment);
  ASSERT_TRUE(record) << record.error().text();
  for (const auto& finding : check_schema(*record, "result")) ADD_FAILURE() << finding.text();
  ASSERT_EQ((*record)["outputs"].size(), 2u);
  EXPECT_EQ((*record)["outputs"][0]["path"], "d/size");
  EXPECT_TRUE(replay_result(*record, dir->path()));
}

TEST_F(Result_, EveryBreakageIsNoticed) {
  const Json record = *record_result(request, environment);
  auto broken = [&](std::string_view what, auto change) {
    Json copy = record;
    change(copy);
    auto status = replay_result(copy, dir->path());
    ASSERT_FALSE(status) << what;
    EXPECT_NE(status.error().message.find(what), std::string::npos) << status.error().message;
  };
  broken("file sorted: was", [](Json& r) { r["outputs"][1]["sha256"] = std::string(64, '0'); });
  broken("file other: is missing", [](Json& r) { r["outputs"][1]["path"] = "other"; });
  broken("file sorted: is new", [](Json& r) { r["outputs"].erase(1); });
  broken("stdout: was", [](Json& r) { r["stdout_sha256"] = std::string(64, '0'); });
  broken("is not the file that was recorded", [](Json& r) { r["inputs"][0]["sha256"] = std::string(64, '0'); });
  broken("ended with status 3", [](Json& r) { r["command"] = {"sh", "-c", "exit 3"}; });
  put("input", "another text\n");
  broken("is not the file that was recorded", [](Json&) {});
}

TEST_F(Result_, WhatVariesCannotBeRecorded) {
  request.command = {"sh", "-c", "date +%N > $OUT/now"};
  auto record = record_result(request, environment);
  ASSERT_FALSE(record);
  EXPECT_NE(record.error().message.find("file now"), std::string::npos);
  request.command = {};
  EXPECT_TRUE(record_result(request, environment).error().is(Errc::invalid));
  request.command = {"true"};
  request.inputs = {"no-such-input"};
  EXPECT_TRUE(record_result(request, environment).error().is(Errc::not_found));
}

}  // namespace
}  // namespace sparky::telemetry
