#include "plan/import.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "plan/check.h"
#include "plan/graph.h"
#include "plan/spec.h"
#include "plan/timeline.h"
#include "plan/toml.h"

namespace sparky::plan {
namespace {
namespace fs = std::filesystem;

std::string shown(const std::vector<Diagnostic>& report) {
  std::string out;
  for (auto& d : report) out += d.text() + "\n";
  return out;
}

std::vector<std::string> texts(const std::vector<SaidItem>& items) {
  std::vector<std::string> out;
  for (auto& item : items) out.push_back(item.text);
  return out;
}

#define EXPECT_REPORTS(imported, wanted) \
  EXPECT_NE(shown((imported).report).find(wanted), std::string::npos) << wanted << "\nin\n" << shown((imported).report)

TEST(Spec, TheBlueprintsForm) {
  auto spec = read_workstream(read_markdown(R"(# WS-01: Hardware Baselines

Owner: Foundation Orchestrator
Agent Type: devops-automator
Duration: 3-4 days
Priority: P0 (critical path)

Objective: Document verified DGX-Spark GB10 hardware specs

Deliverables:
1. repro/hardware_verification.sh - Automated detection
2. bench/baselines/hardware_baseline.json - Recorded metrics
3. Updated docs/hardware.md with measurements
4. Topology diagrams

Acceptance Criteria:
✓ Script captures: GPU model, VRAM, CUDA, driver, CPU, RAM
✓ Baseline JSON recorded in bench/baselines/
✓ Docs match actual hardware (GB10, 128GB unified, ARM)
✓ Verification script exits 0 on success

Dependencies: None (blocks all other phases)
)"));
  EXPECT_EQ(spec.id, "WS-01");
  EXPECT_EQ(spec.fields["name"].value, "Hardware Baselines");
  EXPECT_EQ(spec.fields["orchestrator"].value, "Foundation Orchestrator");
  EXPECT_EQ(spec.fields["agent"].value, "devops-automator");
  EXPECT_EQ(spec.fields["duration"].value, "3-4 days");
  EXPECT_EQ(spec.fields["duration"].line, 5);
  EXPECT_EQ(spec.fields["priority"].value, "P0 (critical path)");
  EXPECT_EQ(spec.fields["depends_on"].value, "None (blocks all other phases)");
  ASSERT_EQ(spec.deliverables.size(), 4u);
  EXPECT_EQ(spec.deliverables[0].paths, std::vector<std::string>{"repro/hardware_verification.sh"});
  EXPECT_EQ(spec.deliverables[2].paths, std::vector<std::string>{"docs/hardware.md"});
  EXPECT_TRUE(spec.deliverables[3].paths.empty());
  EXPECT_EQ(texts(spec.criteria), (std::vector<std::string>{"Script captures: GPU model, VRAM, CUDA, driver, CPU, RAM",
                                                            "Baseline JSON recorded in bench/baselines/",
                                                            "Docs match actual hardware (GB10, 128GB unified, ARM)",
                                                            "Verification script exits 0 on success"}));
  EXPECT_EQ(spec.criteria[1].line, 18);
}

TEST(Spec, TheWildForm) {
  auto spec = read_workstream(read_markdown(R"(# WS-7 - Dataset *Tools*

**ID**: WS-07
**Orchestrator**: Model
- **Duration:** 5–6 d
**Depends on**: WS-05 (can run parallel with WS-06)
**Agent Type**: `ai-engineer` + `python-pro`

## Deliverables
1. **Captions** (`python/data/auto_caption.py`)
   - nested detail `not/this.py`
2. See `a.json`, `b/c.json` and run `make all`

## Acceptance Criteria

**Functional**:
- [ ] first
- [x] second
- ✅ third: with a colon
✅ right below
### Performance
- ✔️ fourth

## Technical Requirements
- no criterion
)"));
  EXPECT_EQ(spec.id, "WS-07");
  EXPECT_EQ(spec.fields["name"].value, "Dataset Tools");
  EXPECT_EQ(spec.fields["duration"].value, "5–6 d");
  EXPECT_EQ(spec.fields["depends_on"].value, "WS-05 (can run parallel with WS-06)");
  EXPECT_EQ(spec.fields["agent"].value, "ai-engineer + python-pro");
  ASSERT_EQ(spec.deliverables.size(), 2u);
  EXPECT_EQ(spec.deliverables[0].paths, std::vector<std::string>{"python/data/auto_caption.py"});
  EXPECT_EQ(spec.deliverables[1].paths, (std::vector<std::string>{"a.json", "b/c.json"}));
  EXPECT_EQ(texts(spec.criteria),
            (std::vector<std::string>{"first", "second", "third: with a colon", "right below", "fourth"}));
}

TEST(Spec, ParagraphsWithTicksAreCriteriaAndTheirListsDetails) {
  auto spec = read_workstream(read_markdown(R"(# WS-04: X
## Acceptance Criteria
### Functional Requirements (2/2 Met)

✅ **Installed and starts**
- Location: somewhere

✅ **Answers**
- Port: 8188
)"));
  EXPECT_EQ(texts(spec.criteria), (std::vector<std::string>{"Installed and starts", "Answers"}));
}

TEST(Spec, Ids) {
  EXPECT_EQ(workstream_id("WS-01"), "WS-01");
  EXPECT_EQ(workstream_id("ws07-dataset-tools"), "WS-07");
  EXPECT_EQ(workstream_id("WS-7: Name"), "WS-07");
  EXPECT_EQ(workstream_id("WS_123"), "WS-123");
  for (auto none : {"", "WS", "WS-", "start-here.md", "template.md", "WSX-1", "WS-XX", "WS-1a", "1", "SHA-256"})
    EXPECT_EQ(workstream_id(none), "") << none;
}

TEST(Spec, GatesInProseAndInCode) {
  auto text = R"(**Gate 1: Foundation → Model/Interface** (End of Week 2)
- ✅ Hardware verification complete
- [ ] Baseline measurements recorded

Some prose.
- not a criterion

```
Gate 2: Model/Interface → Integration (End of Week 6)
✓ ComfyUI generating images (M1)
✓ LoRA training pipeline working (M3)

Gate 3: Integration → Production
✓ Bevy MCP integration complete (M4)
```
)";
  auto gates = read_gates(read_markdown(text));
  ASSERT_EQ(gates.size(), 3u);
  EXPECT_EQ(gates[0].name, "Gate 1: Foundation → Model/Interface");
  EXPECT_EQ(gates[0].from, "Foundation");
  EXPECT_EQ(gates[0].to, "Model/Interface");
  EXPECT_EQ(gates[0].when, "End of Week 2");
  EXPECT_EQ(texts(gates[0].criteria),
            (std::vector<std::string>{"Hardware verification complete", "Baseline measurements recorded"}));
  EXPECT_EQ(gates[1].line, 9);
  EXPECT_EQ(texts(gates[1].criteria),
            (std::vector<std::string>{"ComfyUI generating images (M1)", "LoRA training pipeline working (M3)"}));
  EXPECT_EQ(gates[2].criteria.size(), 1u);
}

TEST(Spec, SpawnCommands) {
  auto lines = read_spawn_lines(read_markdown(R"(```bash
# Phase 1
claude-flow spawn orchestrator foundation \
  --workstreams WS-01,WS-02 \
  --phase sequential

npx claude-flow@alpha spawn agent devops-automator \
  --workstream WS-01 \
  --priority P0 \
  --context "two words"
```)"));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_FALSE(lines[0].agent);
  EXPECT_EQ(lines[0].name, "foundation");
  EXPECT_EQ(lines[0].options["workstreams"].value, "WS-01,WS-02");
  EXPECT_EQ(lines[0].options["phase"].line, 5);
  EXPECT_TRUE(lines[1].agent);
  EXPECT_EQ(lines[1].name, "devops-automator");
  EXPECT_EQ(lines[1].options["context"].value, "two words");
}

const Workstream& find(const Plan& plan, const std::string& id) {
  for (auto& w : plan.workstreams)
    if (w.id == id) return w;
  ADD_FAILURE() << "no " << id;
  static Workstream none;
  return none;
}

constexpr const char* matrix = R"(# Plan

| ID | Name | Orch | Milestone | Duration | Dependencies |
|----|------|------|-----------|----------|--------------|
| WS-01 | One | Foundation | M0 | 3-4d | None |
| **WS-02** | Two | Foundation | M0 | 4-5 days | WS-01 (needs baseline) |
| WS-03 | Three | Model | M1 | soon | WS-01, WS-02 |
| WS-04 | Four | Model | M1 | 2d | All of them (WS-01 through WS-03), Foundation |
| WS-05 | Five | Model | M1 | 1-2 weeks | the weather; WS-99 |
| TBD | Six | Model | | | |
)";

TEST(Import, TheMatrixAlone) {
  auto imported = import_documents({{"workstream-plan.md", matrix}}, "d");
  auto& plan = imported.plan;
  ASSERT_EQ(plan.workstreams.size(), 5u);
  EXPECT_EQ(plan.workstreams[1].id, "WS-02");
  EXPECT_EQ(plan.workstreams[1].duration, (Days{4, 5}));
  EXPECT_EQ(plan.workstreams[1].depends_on, std::vector<std::string>{"WS-01"});
  EXPECT_EQ(plan.workstreams[2].duration, std::nullopt);
  EXPECT_EQ(plan.workstreams[3].depends_on, (std::vector<std::string>{"WS-01", "WS-02", "WS-03", "foundation"}));
  EXPECT_EQ(plan.workstreams[4].duration, (Days{5, 10}));
  EXPECT_TRUE(plan.workstreams[4].depends_on.empty());
  ASSERT_EQ(plan.orchestrators.size(), 2u);
  EXPECT_EQ(plan.orchestrators[0].id, "foundation");
  EXPECT_EQ(plan.orchestrators[0].milestones, std::vector<std::string>{"M0"});
  EXPECT_REPORTS(imported, "d/workstream-plan.md:7: warning: 'soon' is not an estimate");
  EXPECT_REPORTS(imported,
                 "d/workstream-plan.md:8: note: 'All of them (WS-01 through WS-03)' is read as WS-01, WS-02, WS-03");
  EXPECT_REPORTS(imported, "d/workstream-plan.md:9: warning: cannot read the dependency 'the weather'");
  EXPECT_REPORTS(imported, "d/workstream-plan.md:9: warning: the dependency WS-99 is no workstream");
  EXPECT_REPORTS(imported, "d/workstream-plan.md:10: warning: 'TBD' in the table is not a workstream's id");
  EXPECT_REPORTS(imported, "d/workstream-plan.md:5: warning: WS-01 has no acceptance criteria");
}

TEST(Import, DisagreementsSayWhoWasFollowed) {
  auto spec =
      "# WS-02: Second\n\n**Owner**: Foundation\n**Duration**: 1 day (estimated: 2-3 days)\n**Dependencies**: None\n"
      "## Acceptance Criteria\n- [ ] done\n";
  auto imported = import_documents({{"workstream-plan.md", matrix}, {"workstreams/ws02-two/README.md", spec}}, "d");
  auto& w = find(imported.plan, "WS-02");
  EXPECT_EQ(w.name, "Second");
  EXPECT_EQ(w.duration, (Days{2, 3}));
  EXPECT_TRUE(w.depends_on.empty());
  EXPECT_EQ(w.criteria.size(), 1u);
  EXPECT_TRUE(w.criteria[0].manual);
  EXPECT_EQ(w.milestone, "M0");  // the README leaves it out
  EXPECT_REPORTS(
      imported,
      "note: duration of WS-02 is 4-5d here, but 2-3d in d/workstreams/ws02-two/README.md:4, which is followed");
  EXPECT_REPORTS(imported, "note: depends_on of WS-02 is WS-01 here, but none in d/workstreams/ws02-two/README.md:5");
  EXPECT_REPORTS(imported, "note: '1 day (estimated: 2-3 days)': the estimate 2-3d is taken");
}

TEST(Import, TitlesFoldersAndSecondSpecs) {
  auto imported = import_documents({{"workstreams/ws01-a/README.md", "# WS-02: X\n**Owner**: A\n**Duration**: 1d\n"},
                                    {"workstreams/ws02-b/README.md", "# WS-02: Y\n"},
                                    {"workstreams/ws03-c/README.md", "# Something\n**Owner**: A\n**Duration**: 1d\n"}},
                                   "d");
  EXPECT_REPORTS(imported, "the title says WS-02, the folder WS-01: the title is followed");
  EXPECT_REPORTS(imported, "WS-02 has a spec already");
  EXPECT_REPORTS(imported, "the title does not begin with the workstream's id");
  EXPECT_EQ(imported.plan.workstreams.size(), 2u);
}

// The documents of the dgx-pixels plan give the plan that stands in its plan.toml: the same order, the same timeline.
TEST(Import, TheBlueprintsTree) {
  fs::path tree = SPARKY_SOURCE_DIR "/plans/dgx-pixels";
  auto imported = import_plan(tree / "docs/orchestration", tree / "imported.toml");
  ASSERT_TRUE(imported);
  // Gate 3 leads to "Production", which is no orchestrator: that alone cannot be read.
  for (auto& d : imported->report)
    EXPECT_TRUE(d.severity == Severity::note || d.message.starts_with("'Production' at gate-3")) << d.text();
  auto written = load_plan(tree).plan;
  auto& plan = imported->plan;
  EXPECT_EQ(plan.root, ".");
  EXPECT_EQ(plan.name, "dgx-pixels");
  ASSERT_EQ(plan.workstreams.size(), 18u);
  for (auto& w : written.workstreams) {
    auto& ours = find(plan, w.id);
    EXPECT_EQ(ours.name, w.name);
    EXPECT_EQ(ours.orchestrator, w.orchestrator);
    EXPECT_EQ(ours.milestone, w.milestone);
    EXPECT_EQ(ours.agents, w.agents);
    EXPECT_EQ(ours.priority, w.priority);
    EXPECT_EQ(ours.duration, w.duration);
    EXPECT_EQ(ours.depends_on, w.depends_on);
    EXPECT_EQ(ours.spec, w.spec);
    EXPECT_EQ(ours.deliverables, w.deliverables) << w.id;
    for (auto& c : ours.criteria)  // a spec's criterion may be checked in several parts
      EXPECT_TRUE(std::any_of(w.criteria.begin(), w.criteria.end(), [&](auto& x) { return x.text == c.text; }))
          << c.text;
  }
  ASSERT_EQ(plan.orchestrators.size(), written.orchestrators.size());
  for (size_t i = 0; i < plan.orchestrators.size(); ++i) {
    EXPECT_EQ(plan.orchestrators[i].id, written.orchestrators[i].id);
    EXPECT_EQ(plan.orchestrators[i].phase, written.orchestrators[i].phase);
    EXPECT_EQ(plan.orchestrators[i].milestones, written.orchestrators[i].milestones);
    EXPECT_EQ(plan.orchestrators[i].depends_on, written.orchestrators[i].depends_on);
  }
  ASSERT_EQ(plan.gates.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(plan.gates[i].name, written.gates[i].name);
    EXPECT_EQ(plan.gates[i].due, written.gates[i].due);
    ASSERT_EQ(plan.gates[i].criteria.size(), written.gates[i].criteria.size());
    for (size_t j = 0; j < plan.gates[i].criteria.size(); ++j)
      EXPECT_EQ(plan.gates[i].criteria[j].text, written.gates[i].criteria[j].text);
  }
  EXPECT_EQ(make_timeline(plan, build_graph(plan)).planned, (Days{66, 83}));
}

TEST(Import, FindsDocumentsOnDiskAndLeavesNestedPlansAlone) {
  auto dir = fs::temp_directory_path() / ("sparky-import-" + std::to_string(getpid()));
  fs::remove_all(dir);
  auto docs = dir / "docs/orchestration";
  auto write = [&](const fs::path& path, std::string_view text) {
    ASSERT_TRUE(write_file_atomic(docs / path, text, {.sync = false}));
  };
  EXPECT_FALSE(import_plan(docs, docs / "plan.toml"));
  write("workstreams/ws01-a/README.md",
        "# WS-01: A\n**Owner**: X\n**Duration**: 1d\n## Acceptance Criteria\n- [ ] a\n");
  write("workstreams/ws02-b/COMPLETION_SUMMARY.md", "");
  write("workstreams/template.md", "# WS-XX: [Name]\n");
  write("nested/meta-orchestrator.md", "");
  write("nested/workstreams/ws09-z/README.md", "# WS-09: Z\n");
  fs::create_directories(docs / "workstreams/ws03-c");
  fs::create_symlink("README.md", docs / "workstreams/ws03-c/README.md");
  auto imported = import_plan(docs, dir / "plans" / "x.toml");
  ASSERT_TRUE(imported) << imported.error().text();
  EXPECT_EQ(imported->plan.workstreams.size(), 1u);
  EXPECT_EQ(imported->plan.workstreams[0].spec, "../docs/orchestration/workstreams/ws01-a/README.md");
  EXPECT_EQ(imported->plan.root, "..");
  EXPECT_REPORTS(*imported, "nested: note: a plan of its own");
  EXPECT_REPORTS(*imported, "ws02-b: warning: the workstream's folder has no README.md");
  EXPECT_REPORTS(*imported, "Too many levels of symbolic links");
  auto parsed = parse_plan(to_toml(imported->plan), "x");
  EXPECT_TRUE(parsed.problems.empty()) << shown(parsed.problems);
  EXPECT_EQ(load_plan(docs).plan.workstreams.size(), 1u);  // a directory of documents is a plan, too
  auto elsewhere = import_plan(dir, dir / "plan.toml");
  ASSERT_FALSE(elsewhere);
  EXPECT_NE(elsewhere.error().help.find("docs/orchestration"), std::string::npos);
  fs::remove_all(dir);
}

}  // namespace
}  // namespace sparky::plan
