// Mutation of evidence: the Foundation milestone of plans/dgx-pixels is carried out in a copy, its checks must pass;
// then each deliverable is broken in every way that is here, and some check of its workstream must fail.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "plan/toml.h"
#include "telemetry/hardware.h"

namespace sparky {
namespace {
namespace fs = std::filesystem;

struct Mutation {
  const char* name;
  std::function<void(const fs::path&)> apply;
};

void put(const fs::path& file, std::string_view text) { ASSERT_TRUE(write_file_atomic(file, text, {.sync = false})); }
std::string get(const fs::path& file) { return read_file(file).value_or(""); }

// Of any file.
std::vector<Mutation> mutations_of_all() {
  return {{"deleted", [](const fs::path& file) { fs::remove(file); }},
          {"emptied", [](const fs::path& file) { put(file, ""); }},
          {"cut in half",
           [](const fs::path& file) {
             auto t = get(file);
             put(file, t.substr(0, t.size() / 2));
           }},
          {"replaced by nonsense", [](const fs::path& file) { put(file, "{}\n"); }}};
}

std::vector<Mutation> mutations_of_scripts() {
  auto out = mutations_of_all();
  out.push_back({"does nothing, successfully", [](const fs::path& file) { put(file, "#!/bin/sh\nexit 0\n"); }});
  out.push_back({"always fails", [](const fs::path& file) { put(file, "#!/bin/sh\nexit 1\n"); }});
  return out;
}

// A digit or letter at that part of the file becomes another one.
Mutation one_character(const char* name, double part) {
  return {name, [part](const fs::path& file) {
            auto text = get(file);
            size_t at = size_t(double(text.size()) * part);
            while (at < text.size() && !std::isalnum(static_cast<unsigned char>(text[at]))) ++at;
            ASSERT_LT(at, text.size());
            text[at] = text[at] == '7' ? '8' : '7';
            put(file, text);
          }};
}

std::vector<Mutation> mutations_of_documents() {
  auto out = mutations_of_all();
  for (auto [name, part] :
       {std::pair{"changed at the start", 0.05}, {"changed in the middle", 0.5}, {"changed near the end", 0.9}})
    out.push_back(one_character(name, part));
  return out;
}

// Each value of a JSON file in turn, up to a number: numbers grow, texts get a letter more, lists lose their last.
void change_value(Json& value) {
  if (value.is_number_integer())
    value = value.get<int64_t>() + 1;
  else if (value.is_number())
    value = value.get<double>() * 1.01;
  else if (value.is_string())
    value = value.get<std::string>() + "x";
  else if (value.is_boolean())
    value = !value.get<bool>();
  else
    value = "x";
}

class Foundation : public testing::Test {
 protected:
  void SetUp() override {
    auto made = TemporaryDirectory::make();
    ASSERT_TRUE(made);
    directory_ = std::make_unique<TemporaryDirectory>(std::move(*made));
    root = directory_->path() / "dgx-pixels";
    fs::copy(SPARKY_SOURCE_DIR "/plans/dgx-pixels", root, fs::copy_options::recursive);
    for (auto made_by_runs : {"bench/baselines", "repro/environment.json", "repro/result.json", "docs/hardware.md",
                              "docs/topology.svg", "docs/benchmarks.md", ".sparky"})
      fs::remove_all(root / made_by_runs);
    parsed = plan::load_plan(root);
    ASSERT_TRUE(parsed.readable);
    ::setenv("PATH", (std::string(SPARKY_BIN_DIR ":") + std::getenv("PATH")).c_str(), 1);
  }

  // The exit status of a command in the plan's root, as a running plan would have it.
  int shell(const std::string& command) {
    auto done = run_program({"sh", "-c", command}, {.cwd = root, .timeout = Duration{0}});
    return done ? done->code : -1;
  }

  bool testable(const plan::Criterion& criterion) {
    for (const auto& fact : criterion.needs_facts)
      if (!facts.contains(fact)) return false;
    return !criterion.manual;
  }

  // The text of the first criterion that fails; empty if all pass.
  std::string first_failure(const std::vector<plan::Criterion>& criteria) {
    for (const auto& criterion : criteria)
      if (testable(criterion) && shell(criterion.check) != 0) return criterion.text;
    return {};
  }

  std::unique_ptr<TemporaryDirectory> directory_;
  fs::path root;
  plan::Parsed parsed;
  std::set<std::string> facts = telemetry::facts();
};

TEST_F(Foundation, EveryBrokenDeliverableFailsItsCheck) {
  int deliverables = 0, mutations = 0;
  for (const auto& workstream : parsed.plan.workstreams) {
    if (workstream.milestone != "M0") continue;
    EXPECT_NE(first_failure(workstream.criteria), "") << workstream.id << " passes before it ran";
    ASSERT_EQ(shell(workstream.run + (workstream.id == "WS-03" ? " --quick" : "")), 0) << workstream.id;
    ASSERT_EQ(first_failure(workstream.criteria), "") << workstream.id;
    for (const auto& deliverable : workstream.deliverables) {
      ++deliverables;
      auto file = root / deliverable;
      auto original = get(file);
      ASSERT_NE(original, "") << deliverable;
      for (const auto& mutation : deliverable.ends_with(".sh") ? mutations_of_scripts() : mutations_of_documents()) {
        ++mutations;
        mutation.apply(file);
        EXPECT_NE(first_failure(workstream.criteria), "")
            << deliverable << " " << mutation.name << ", and no check fails";
        put(file, original);
      }
    }
    EXPECT_EQ(first_failure(workstream.criteria), "") << workstream.id;
  }
  EXPECT_EQ(deliverables, 10);
  EXPECT_GE(mutations, 64);

  for (const auto& gate : parsed.plan.gates)
    if (gate.id == "gate-1") EXPECT_EQ(first_failure(gate.criteria), "");
}

// Every single value of the recorded documents is guarded, not only the ones that somebody thought of.
TEST_F(Foundation, EveryChangedValueOfADocumentIsNoticed) {
  ASSERT_EQ(shell("sh repro/hardware_verification.sh"), 0);
  auto file = root / "bench/baselines/hardware_baseline.json";
  const Json original = *parse_json(get(file));
  const Json leaves = original.flatten();
  int changed = 0;
  for (const auto& [pointer, value] : leaves.items()) {
    if (++changed > 60 && changed % 10) continue;  // the flags of the CPU are many and alike
    Json copy = original;
    change_value(copy[Json::json_pointer(pointer)]);
    put(file, json_text(copy, 2));
    EXPECT_NE(shell("sparky hardware --verify bench/baselines/hardware_baseline.json"), 0) << pointer;
  }
  put(file, json_text(original));
  EXPECT_EQ(shell("sparky hardware --verify bench/baselines/hardware_baseline.json"), 0)
      << "another layout is no change";
}

}  // namespace
}  // namespace sparky
