#include "plan/templates.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "plan/check.h"
#include "plan/graph.h"
#include "plan/toml.h"

namespace sparky::plan {
namespace {
namespace fs = std::filesystem;

struct Written {
  explicit Written(const Template& which)
      : dir(fs::temp_directory_path() /
            ("sparky-template-" + std::to_string(getpid()) + "-" + std::string(which.name))) {
    fs::remove_all(dir);
    status = write_template(which, dir);
  }
  ~Written() { fs::remove_all(dir); }
  fs::path dir;
  Status status;
};

const Template* find(std::string_view name) {
  for (auto& t : templates())
    if (t.name == name) return &t;
  return nullptr;
}

TEST(Templates, EachIsAPlanWithoutErrors) {
  for (auto name : {"dgx-pixels", "pipeline", "minimal", "tour"}) ASSERT_TRUE(find(name)) << name;
  for (auto& t : templates()) {
    EXPECT_FALSE(t.about.empty());
    Written written(t);
    ASSERT_TRUE(written.status) << written.status.error().text();
    auto parsed = load_plan(written.dir);
    for (auto& d : parsed.problems) ADD_FAILURE() << t.name << ": " << d.text();
    for (auto& d : check(parsed.plan, parsed.source.get())) ADD_FAILURE() << t.name << ": " << d.text();
    EXPECT_EQ(parsed.plan.name.find("{{"), std::string::npos);
    EXPECT_FALSE(write_template(t, written.dir));  // never overwrites by itself
    EXPECT_TRUE(write_template(t, written.dir, true));
  }
}

int sh(const fs::path& dir, const std::string& command) {
  auto quoted = dir.string();
  std::string script = "cd '" + quoted + "' && exec >/dev/null 2>&1 && " + command;
  return std::system(script.c_str());
}

// The templates that need nothing but a shell run as they are: every command in the plan's order, then its checks; and
// each deliverable counts: where it is emptied, a check of its workstream fails.
TEST(Templates, ThoseOfPlainShellRunAsTheyAre) {
  for (auto name : {"pipeline", "minimal"}) {
    Written written(*find(name));
    auto plan = load_plan(written.dir).plan;
    auto graph = build_graph(plan);
    auto checks = [&](const std::vector<Criterion>& criteria) {
      for (auto& c : criteria)
        if (sh(written.dir, c.check) != 0) return false;
      return true;
    };
    for (NodeId n : graph.order) {
      auto [kind, i] = graph.nodes[n];
      if (kind == NodeKind::gate) {
        EXPECT_TRUE(checks(plan.gates[i].criteria)) << plan.gates[i].id;
      }
      if (kind != NodeKind::workstream) continue;
      auto& w = plan.workstreams[i];
      EXPECT_FALSE(checks(w.criteria)) << w.id << " passes before it ran";
      EXPECT_EQ(sh(written.dir, w.run), 0) << w.id;
      EXPECT_TRUE(checks(w.criteria)) << w.id;
      for (auto& path : w.deliverables) EXPECT_TRUE(fs::exists(written.dir / path)) << path;
    }
  }
}

}  // namespace
}  // namespace sparky::plan
