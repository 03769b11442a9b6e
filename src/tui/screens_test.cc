#include "tui/screens.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <ftxui/screen/string.hpp>

#include "base/files.h"
#include "base/text.h"
#include "tui/painter.h"
#include "tui/test_studio.h"

namespace sparky::tui {
namespace {

// Compares with snapshots/NAME.txt; SPARKY_SNAPSHOTS=write renews them, to be looked at.
void snapshot(const std::string& name, const std::string& got) {
  auto file = std::filesystem::path(SPARKY_SOURCE_DIR) / "src/tui/snapshots" / (name + ".txt");
  if (std::getenv("SPARKY_SNAPSHOTS")) {
    ASSERT_TRUE(write_file_atomic(file, got));
  }
  EXPECT_EQ(got, read_file(file).value_or("")) << file;
}

class Screens : public testing::TestWithParam<std::tuple<int, std::pair<int, int>>> {};

TEST_P(Screens, AreAsTheySnapshotsShow) {
  auto [tab, size] = GetParam();
  auto m = example(size.first, size.second);
  m.tab = Tab(tab);
  if (m.tab == Tab::generation) m.generation.image = "/o/dragon.png";
  auto got = drawn(m);
  snapshot(fmt::format("{}-{}x{}", lower(name(m.tab)), size.first, size.second), got);
  int line_count = 0;
  for (auto line : split(got, '\n')) {
    EXPECT_LE(width_of(std::string(line)), size.first) << line;
    ++line_count;
  }
  EXPECT_EQ(line_count - 1, size.second);
}
INSTANTIATE_TEST_SUITE_P(All, Screens,
                         testing::Combine(testing::Range(1, tab_count + 1),
                                          testing::Values(std::pair{80, 24}, std::pair{40, 10}, std::pair{200, 50})));

TEST(Studio, ATextFieldTakesEveryKey) {
  auto m = example(80, 24);
  m.generation.fields[Generation::prompt].set("");
  type(m, "16-bit knight? quick! :/ 123");
  EXPECT_EQ(m.generation.fields[Generation::prompt].text, "16-bit knight? quick! :/ 123");
  EXPECT_EQ(m.tab, Tab::generation);
}

TEST(Studio, EnterAsksForThePictureAndTheAnswerShows) {
  auto m = example(80, 24);
  m.generation.fields[Generation::seed].set("7");
  auto effects = press(m, "enter");
  ASSERT_EQ(effects.asks.size(), 1u);
  auto& job = std::get<wire::Generate>(effects.asks[0].request);
  EXPECT_EQ(job.prompt, "a red dragon");
  EXPECT_EQ(job.model, "sprite-32");
  EXPECT_EQ(job.seed, 7);
  effects.asks[0].then(m, wire::Reply(wire::JobAccepted{job.id, 2}));
  handle(m, wire::Update(wire::Progress{.job_id = job.id, .stage = "sampling", .progress = 0.5}));
  EXPECT_NE(drawn(m).find(" 50 %"), std::string::npos);
  handle(m, wire::Update(wire::JobComplete{job.id, "/o/dragon.png", 1, {}}));
  EXPECT_NE(drawn(m).find("completed"), std::string::npos);
  EXPECT_EQ(m.generation.history.back(), "a red dragon");
}

TEST(Studio, ARefusalAndABadFieldAreSaid) {
  auto m = example(80, 24);
  auto effects = press(m, "enter");
  effects.asks[0].then(m, wire::Reply(wire::JobError{"x", "no worker is connected that can do 'generate'"}));
  EXPECT_NE(drawn(m).find("no worker is connected"), std::string::npos);
  m.generation.fields[Generation::size].set("33");
  EXPECT_TRUE(press(m, "enter").asks.empty());
  EXPECT_NE(m.notice.find("multiple of 32"), std::string::npos);
}

TEST(Studio, CompletionAndHistory) {
  auto m = example(80, 24);
  auto& field = m.generation.fields[Generation::prompt];
  field.set("");
  type(m, "a drag");
  EXPECT_EQ(field.suggestion, "on");
  press(m, "right");
  EXPECT_EQ(field.text, "a dragon");
  m.models[0].words.push_back("dragonhelm");
  field.set("");
  type(m, "a dragon");
  EXPECT_EQ(field.suggestion, "") << "a word that is whole is left alone";
  press(m, "up");
  EXPECT_EQ(field.text, "a knight with a lance");
  press(m, "up");
  EXPECT_EQ(field.text, "an old wizard");
  press(m, "down");
  press(m, "down");
  EXPECT_EQ(field.text, "a dragon") << "what was typed is not lost";
}

TEST(Studio, DigitsChooseScreensAndEscGoesBack) {
  auto m = example(80, 24);
  press(m, "esc");
  for (int i = 1; i <= tab_count; ++i) {
    type(m, std::to_string(i));
    EXPECT_EQ(int(m.tab), i);
    if (i == 1) press(m, "esc");  // its field is edited again
  }
  press(m, "esc");
  EXPECT_EQ(m.tab, Tab::generation);
  EXPECT_FALSE(press(m, "esc").quit);
  EXPECT_TRUE(press(m, "q").quit);
}

TEST(Studio, AKeyThatDoesNothingSaysWhy) {
  auto m = example(80, 24);
  m.tab = Tab::queue;
  type(m, "r");
  EXPECT_NE(m.notice.find("only a failed or cancelled job"), std::string::npos) << m.notice;
  type(m, "z");
  EXPECT_NE(m.notice.find("does nothing here"), std::string::npos);
  m.tab = Tab::plan;
  type(m, "a");
  EXPECT_NE(m.notice.find("nothing waits for a decision at WS-01"), std::string::npos) << m.notice;
}

TEST(Studio, QueueKeysAskTheDaemon) {
  auto m = example(80, 24);
  m.tab = Tab::queue;
  auto cancel = press(m, "c");
  ASSERT_EQ(cancel.asks.size(), 1u);
  EXPECT_EQ(std::get<wire::Cancel>(cancel.asks[0].request).job_id, "tui-1");
  type(m, "/failed");
  press(m, "enter");
  auto retry = press(m, "r");
  ASSERT_EQ(retry.asks.size(), 1u);
  EXPECT_EQ(std::get<wire::RetryJob>(retry.asks[0].request).id, "old");
  EXPECT_TRUE(std::get<wire::PauseQueue>(press(m, "p").asks[0].request).paused);
}

TEST(Studio, PlanDecisionsWithNotes) {
  auto m = example(80, 24);
  m.tab = Tab::plan;
  press(m, "n");
  ASSERT_EQ(m.plan.list.rows.size(), 1u);
  press(m, "w");
  press(m, "enter");
  EXPECT_NE(m.notice.find("needs a reason"), std::string::npos);
  press(m, "w");
  type(m, "later");
  auto effects = press(m, "enter");
  ASSERT_EQ(effects.asks.size(), 1u);
  auto& decide = std::get<wire::Decide>(effects.asks[0].request);
  EXPECT_EQ(decide.target, "D7");
  EXPECT_EQ(decide.answer, "waive");
  EXPECT_EQ(decide.note, "later");
  EXPECT_EQ(decide.run, 3u);
}

TEST(Studio, GalleryMarksDeletesAndBringsBack) {
  auto m = example(80, 24);
  m.tab = Tab::gallery;
  drawn(m);
  press(m, "right");
  EXPECT_EQ(std::get<wire::MarkPictures>(press(m, "*").asks[0].request).star, false) << "it has the star";
  EXPECT_EQ(std::get<wire::DeletePictures>(press(m, "x").asks[0].request).paths,
            std::vector<std::string>{"jobs/1/a.png"});
  EXPECT_TRUE(std::holds_alternative<wire::RestorePictures>(press(m, "u").asks[0].request));
  press(m, "t");
  type(m, "hero -draft");
  auto tags = std::get<wire::MarkPictures>(press(m, "enter").asks[0].request);
  EXPECT_EQ(tags.add_tags, std::vector<std::string>{"hero"});
  EXPECT_EQ(tags.remove_tags, std::vector<std::string>{"draft"});
  EXPECT_EQ(press(m, "y").copy, "/home/ada/game/outputs/jobs/1/a.png");
}

TEST(Studio, TheSelectionStaysOnItsRowWhenTheListChanges) {
  auto m = example(80, 24);
  m.tab = Tab::queue;
  press(m, "down");
  EXPECT_EQ(m.jobs[size_t(m.job_list.current())].id, "tui-2");
  Json jobs = Json::array({{{"id", "new"}, {"state", "running"}}, {{"id", "tui-2"}, {"state", "queued"}}});
  take_jobs(m, parse_jobs(jobs), false);
  EXPECT_EQ(m.jobs[size_t(m.job_list.current())].id, "tui-2");
}

TEST(Studio, JobsThatWaitGoEarlierAndLater) {
  auto m = example(80, 24);
  m.tab = Tab::queue;
  Json jobs = Json::array();
  for (auto [id, position] : {std::pair{"c", 3}, {"a", 1}, {"b", 2}})
    jobs.push_back({{"id", id}, {"state", "queued"}, {"position", position}});
  jobs.push_back({{"id", "r"}, {"state", "running"}});
  take_jobs(m, parse_jobs(jobs), false);
  press(m, "home");
  EXPECT_TRUE(press(m, "K").asks.empty());
  EXPECT_NE(m.notice.find("only a job that waits"), std::string::npos) << m.notice;
  press(m, "down");
  EXPECT_EQ(m.jobs[size_t(m.job_list.current())].id, "a");
  EXPECT_TRUE(press(m, "K").asks.empty());
  EXPECT_NE(m.notice.find("it is the next already"), std::string::npos) << m.notice;
  EXPECT_EQ(std::get<wire::MoveJob>(press(m, "J").asks[0].request).before, "c");
  press(m, "down");
  EXPECT_TRUE(std::get<wire::MoveJob>(press(m, "J").asks[0].request).last);
  EXPECT_EQ(std::get<wire::MoveJob>(press(m, "K").asks[0].request).before, "a");
  press(m, "down");
  EXPECT_TRUE(press(m, "J").asks.empty());
  auto front = std::get<wire::MoveJob>(press(m, "F").asks[0].request);
  EXPECT_EQ(front.id, "c");
  EXPECT_TRUE(front.before.empty() && !front.last);
}

TEST(Studio, ModelsAreLoadedAndUnloadedWhereThatDoesSomething) {
  auto m = example(80, 24);
  m.tab = Tab::models;
  auto load = std::get<wire::SubmitJob>(press(m, "l").asks[0].request);
  EXPECT_EQ(load.kind, "load");
  EXPECT_EQ(load.model, "sprite-32");
  EXPECT_TRUE(press(m, "u").asks.empty());
  EXPECT_NE(m.notice.find("it is not loaded"), std::string::npos);
  m.monitor.workers = {{.name = "local-sprite", .loaded = {"sprite-32"}}};
  EXPECT_NE(drawn(m).find("local-sprite"), std::string::npos);
  EXPECT_TRUE(press(m, "l").asks.empty());
  m.monitor.workers.push_back({"second", "cpu", {"generate"}, {}, {m.models[0].name}});
  auto unloads = press(m, "u").asks;
  ASSERT_EQ(unloads.size(), 2u) << "every worker that holds it";
  for (size_t i = 0; i < 2; ++i) {
    auto& unload = std::get<wire::SubmitJob>(unloads[i].request);
    EXPECT_EQ(unload.kind, "unload");
    EXPECT_EQ(unload.worker, m.monitor.workers[i].name);
  }
  press(m, "down");
  EXPECT_TRUE(press(m, "l").asks.empty());
  EXPECT_NE(m.notice.find("LoRA"), std::string::npos);
}

TEST(Studio, ASnappedPictureIsShownAndTheEndOfAJobIsTold) {
  auto m = example(80, 24);
  m.generation.image = "/o/dragon.png";
  press(m, "esc");
  EXPECT_TRUE(press(m, "s").asks.empty());
  EXPECT_NE(m.notice.find("8x8 each pixel is a cell"), std::string::npos) << m.notice;
  m.pictures["/o/dragon.png"].picture = std::make_shared<pixel::Picture>(128, 128);
  auto effects = press(m, "s");
  effects.asks[0].then(m, wire::Reply(wire::JobAccepted{"snap-1", 1}));
  handle(m, wire::Update(wire::JobComplete{"snap-1", "/o/snapped.png", 1, {}}));
  EXPECT_EQ(m.generation.image, "/o/snapped.png");
  press(m, "d");
  type(m, "/games/one");
  effects = press(m, "enter");
  effects.asks[0].then(m, wire::Reply(wire::JobAccepted{"deploy-1", 1}));
  auto jobs = Json::array({{{"id", "deploy-1"}, {"state", "failed"}, {"error", "there is no game"}}});
  take_jobs(m, parse_jobs(jobs), false);
  EXPECT_EQ(m.notice, "deploy: failed: there is no game");
  EXPECT_TRUE(m.notice_bad);
}

TEST(Studio, ComparisonsAreWrittenAsTableAsJsonAndAsPicture) {
  auto m = example(80, 24);
  m.tab = Tab::comparison;
  auto write = [&](const std::string& name) {
    press(m, "e");
    type(m, name);
    return press(m, "enter");
  };
  auto csv = write("all.csv");
  EXPECT_EQ(csv.write_path, "all.csv");
  EXPECT_TRUE(csv.write_bytes.starts_with("comparison_id,prompt,seed,")) << csv.write_bytes;
  EXPECT_TRUE(parse_json(write("all.json").write_bytes)->is_array());
  EXPECT_TRUE(write("both.png").write_bytes.empty());
  EXPECT_NE(m.notice.find("no picture by sprite-32"), std::string::npos) << m.notice;
  m.comparisons[0].entries[1].image = "/o/dragon.png";
  EXPECT_TRUE(write("both.PNG").write_bytes.starts_with("\x89PNG"));
  EXPECT_TRUE(write("both").write_bytes.empty());
  EXPECT_NE(m.notice.find("must end in"), std::string::npos);
}

TEST(Studio, AComparisonDrawsWithTheFormsOwnSettings) {
  auto m = example(80, 24);
  m.generation.fields[Generation::steps].set("7");
  m.generation.fields[Generation::seed].set("5");
  m.generation.fields[Generation::negative].set("green");
  press(m, "esc");
  press(m, "c");
  EXPECT_EQ(m.tab, Tab::comparison);
  auto effects = press(m, "enter");  // the models that were offered
  ASSERT_EQ(effects.asks.size(), 3u) << m.notice;
  for (size_t i : {1u, 2u}) {
    auto& job = std::get<wire::Generate>(effects.asks[i].request);
    EXPECT_EQ(job.steps, 7);
    EXPECT_EQ(job.seed, 5);
    EXPECT_EQ(job.negative, "green");
    EXPECT_EQ(job.lora, i == 2 ? std::optional<std::string>("armor") : std::nullopt);
  }
}

TEST(Studio, ThroughputIsOfTheLastMinuteAndTimesAreMedians) {
  auto m = example(80, 24);
  Json jobs = Json::array();
  for (int i = 1; i <= 5; ++i)
    jobs.push_back({{"id", std::to_string(i)},
                    {"kind", "generate"},
                    {"state", "completed"},
                    {"submitted", "2025-11-12T14:29:00Z"},
                    {"started", "2025-11-12T14:29:02Z"},
                    {"finished", fmt::format("2025-11-12T14:29:{:02}Z", 24 + i * 2)}});
  take_jobs(m, parse_jobs(jobs), false);
  auto t = throughput(m);
  EXPECT_EQ(t.pictures_a_minute, 5);
  EXPECT_DOUBLE_EQ(t.wait_s, 2);
  EXPECT_DOUBLE_EQ(t.work_s, 28);
  m.now = at("2025-11-12T14:30:33Z");
  EXPECT_EQ(throughput(m).jobs_a_minute, 1);
}

TEST(Studio, WhatNeedsAPersonIsFoundAtOnce) {
  auto m = example(120, 30);
  m.tab = Tab::gallery;
  EXPECT_NE(drawn(m).find("9 Plan?1"), std::string::npos) << "the screens' names tell";
  m.tab = Tab::plan;
  take_status(m.plan, parse_status(Json::parse(R"({"run":3,"plan":"Night","state":"running",
    "orchestrators":[{"orchestrator":"All","id":"all","order":["B","A","C","D"],"workstreams":{
      "A":{"name":"a","status":"in_progress"},"B":{"name":"b","status":"decision_needed"},
      "C":{"name":"c","status":"decision_needed"},"D":{"name":"d","status":"in_progress"}}}],
    "decisions":[{"id":"D1","target":"B","text":"May npm be used?","also":["C"]}],
    "escalations":[{"id":"E12","target":"D","text":"no sign of life for 10m"}]})")));
  filter(m);
  EXPECT_EQ(m.plan.persons, 3);
  EXPECT_EQ(m.plan.nodes[1].id, "B") << "as the plan has them";
  EXPECT_NE(drawn(m).find("3 need a person: n"), std::string::npos);
  press(m, "home");
  press(m, "n");
  EXPECT_EQ(m.plan.list.rows.size(), 3u);
  EXPECT_NE(drawn(m).find("? D1 May npm be used?"), std::string::npos) << drawn(m);
  press(m, "down");  // C: the same question
  EXPECT_NE(drawn(m).find("? D1 May npm be used?"), std::string::npos) << drawn(m);
  press(m, "a");
  EXPECT_EQ(std::get<wire::Decide>(press(m, "enter").asks.at(0).request).target, "D1");
  EXPECT_TRUE(press(m, "e").asks.empty());
  EXPECT_NE(m.notice.find("nothing was noticed at C"), std::string::npos) << m.notice;
  press(m, "down");
  EXPECT_NE(drawn(m).find("! no sign of life"), std::string::npos) << drawn(m);
  EXPECT_EQ(std::get<wire::CloseEscalation>(press(m, "e").asks.at(0).request).escalation, 12u);
}

TEST(Studio, TheScreensNamesAreWholeAtEveryWidth) {
  for (bool connected : {true, false})
    for (int width = 100; width < 160; ++width) {
      auto m = example(width, 24);
      m.connected = connected;
      m.connection = "the daemon does not answer";
      EXPECT_NE(drawn(m).find(" 2 Comparison  3 Queue  4 Gallery  5 Models  6 Monitor  7 Settings  8 Help  9 Plan"),
                std::string::npos)
          << drawn(m);
    }
}

TEST(Studio, ADecisionsKeysComeFirstAndOthersSayWhyNot) {
  auto m = example(60, 24);
  m.tab = Tab::plan;
  m.plan.list.selected = 3;  // WS-03 waits for a decision
  auto shown = drawn(m);
  EXPECT_NE(shown.find(" a approve  d reject "), std::string::npos) << shown;
  m.plan.list.selected = 1;  // WS-01 is completed
  EXPECT_TRUE(press(m, "c").asks.empty());
  EXPECT_EQ(m.notice, "c: WS-01 is completed");
  m.plan.list.selected = 2;  // WS-02 runs
  EXPECT_TRUE(press(m, "r").asks.empty());
  EXPECT_EQ(m.notice, "r: WS-02 is running");
  m.plan.list.selected = 5;  // the gate
  press(m, "s");
  EXPECT_FALSE(m.prompt);
  EXPECT_NE(m.notice.find("gate-1 is a gate"), std::string::npos);
}

TEST(Studio, TheBarOfASelectedRowIsAsInOthers) {
  auto m = example(80, 24);
  m.tab = Tab::queue;
  press(m, "home");  // tui-1, which runs
  Stage stage(terminal());
  stage.begin();
  ftxui::Screen screen(m.width, m.height);
  ftxui::Render(screen, draw(m, stage));
  int bars = 0, others = 0;
  for (int x = 0; x < 80; ++x) {
    auto& pixel = screen.PixelAt(x, 2);
    bool bar = pixel.character == "█" || pixel.character == "▍" || pixel.character == "░";
    EXPECT_EQ(pixel.inverted, !bar) << x << " " << pixel.character;
    (bar ? bars : others) += 1;
  }
  EXPECT_GT(bars, 5);
  EXPECT_GT(others, 50);
}

TEST(Studio, WhatAWorkerDoesBeforeItDrawsIsSaid) {
  auto m = example(100, 24);
  handle(m, wire::Progress{.job_id = "tui-1", .stage = "loading_models", .progress = 0});
  EXPECT_NE(drawn(m).find("running loading models"), std::string::npos) << drawn(m);
  handle(m, wire::Progress{.job_id = "tui-1", .stage = "sampling", .progress = 0.3});
  EXPECT_NE(drawn(m).find("30 %"), std::string::npos) << drawn(m);
}

TEST(Studio, AFilterThatLeavesNothingSaysHowToSeeAll) {
  for (auto tab : {Tab::comparison, Tab::queue, Tab::gallery, Tab::models, Tab::settings, Tab::plan}) {
    auto m = example(100, 30);
    m.tab = tab;
    type(m, "/no such thing\r");
    EXPECT_NE(drawn(m).find("; esc shows all"), std::string::npos) << drawn(m);
    press(m, "esc");
    EXPECT_EQ(drawn(m).find("; esc shows all"), std::string::npos);
    EXPECT_EQ(m.tab, tab);
  }
}

TEST(Studio, WhatWasSaidIsGoneWithALaterKey) {
  auto m = example(80, 24);
  m.generation.fields[Generation::prompt].set("");
  press(m, "enter");
  EXPECT_NE(drawn(m).find("say what to draw"), std::string::npos);
  type(m, "a");
  EXPECT_NE(drawn(m).find("say what to draw"), std::string::npos) << "there was no time to read it";
  m.now += std::chrono::seconds(3);
  type(m, " ");
  EXPECT_EQ(drawn(m).find("say what to draw"), std::string::npos);
}

TEST(Studio, AFilterIsOfferedWhereThereIsAList) {
  auto m = example(120, 24);
  press(m, "esc");
  for (int i = 1; i <= tab_count; ++i) {
    m.tab = Tab(i);
    EXPECT_EQ(drawn(m).find("/ filter") != std::string::npos, list_of(m) != nullptr) << name(m.tab);
  }
  m.tab = Tab::monitor;
  type(m, "/");
  EXPECT_NE(m.notice.find("there is no list to filter here"), std::string::npos);
}

TEST(Studio, OfManyWordsTheShortestIsSuggested) {
  auto m = example(80, 24);
  m.models[0].words = {"draconian", "dragon", "dragonhelm"};
  auto& field = m.generation.fields[Generation::prompt];
  field.set("");
  type(m, "a red dra");
  EXPECT_EQ(field.suggestion, "gon");
  m.generation.history.push_back("a drawbridge");
  type(m,
       "\x7f"
       "a");
  EXPECT_EQ(field.suggestion, "wbridge") << "words of one's own go first";
}

TEST(Studio, AJobIsNamedByItsPrompt) {
  auto m = example(80, 24);
  auto effects = press(m, "enter");
  EXPECT_TRUE(std::get<wire::Generate>(effects.asks[0].request).id.starts_with("a-red-dragon-"));
}

TEST(Studio, APlanBeginsAtItsFirstWorkstreamAndSaysHowAnOrchestratorStands) {
  auto m = example(100, 30);
  m.tab = Tab::plan;
  EXPECT_EQ(m.plan.nodes[size_t(m.plan.list.current())].id, "WS-01");
  press(m, "up");
  EXPECT_NE(drawn(m).find("1 completed, 1 running, 1 deciding, 1 waiting"), std::string::npos) << drawn(m);
  press(m, "down");
  press(m, "f");
  m.plan.log_view.open("WS-01", 3);
  EXPECT_NE(drawn(m).find("no log yet"), std::string::npos);
  m.plan.log_view.path = "logs/1.log";
  EXPECT_NE(drawn(m).find("it has printed nothing"), std::string::npos);
  m.plan.log_view.text = "hello\n";
  EXPECT_NE(drawn(m).find("hello"), std::string::npos);
}

// The chart of a run that has ended does not shrink while time goes on.
TEST(Studio, TheChartEndsWithTheRun) {
  auto m = example(100, 30);
  m.tab = Tab::plan;
  press(m, "g");
  for (auto& n : m.plan.nodes) n.finished = at("2025-11-12T14:25:00Z"), n.status = "complete", n.eta = {};
  m.plan.state = "completed";
  auto before = drawn(m);
  m.now += std::chrono::hours(9);
  EXPECT_EQ(drawn(m), before);
  m.plan.only_person = true;
  m.plan.list.rows.clear();
  EXPECT_NE(drawn(m).find("nothing needs a person; n shows all"), std::string::npos);
}

TEST(Studio, KeysThatDoNothingSayWhy) {
  Model m;  // an empty project, and no daemon
  m.width = 100;
  m.height = 30;
  m.generation.focus = -1;
  for (int tab = 1; tab <= tab_count; ++tab)
    for (auto& action : actions(Tab(tab))) {
      m.tab = Tab(tab);
      m.prompt.reset();
      m.notice.clear();
      m.generation.focus = -1;
      auto effects = press(m, action.key);
      bool did = !effects.asks.empty() || effects.example || m.prompt || m.tab != Tab(tab) || m.generation.focus >= 0;
      EXPECT_TRUE(did || !m.notice.empty()) << name(Tab(tab)) << " " << action.key;
    }
}

TEST(Studio, HelpBeginsWhereItWasAskedForAndLeadsBack) {
  auto m = example(80, 24);
  m.tab = Tab::queue;
  press(m, "?");
  auto shown = drawn(m);
  EXPECT_EQ(shown.find("Everywhere"), std::string::npos) << shown;
  EXPECT_NE(shown.find("3 Queue\n"), std::string::npos) << shown;
  press(m, "up");
  press(m, "esc");
  EXPECT_EQ(m.tab, Tab::queue);
  press(m, "?");
  press(m, "?");
  EXPECT_EQ(m.tab, Tab::queue);
  m.tab = Tab::monitor;
  press(m, "?");
  EXPECT_NE(drawn(m).find("it only shows"), std::string::npos);
}

TEST(Studio, AQuestionSaysWhatIsExpected) {
  auto m = example(80, 24);
  m.tab = Tab::plan;
  press(m, "end");
  m.plan.list.selected = 3;  // WS-03
  press(m, "w");
  EXPECT_NE(drawn(m).find("why (needed)"), std::string::npos) << drawn(m);
  type(m, "x");
  EXPECT_EQ(drawn(m).find("why (needed)"), std::string::npos);
}

TEST(Studio, ClicksChooseWhatIsUnderThem) {
  auto m = example(120, 24);
  Stage stage(terminal());
  drawn(m, stage);
  auto spot = std::ranges::find_if(stage.spots, [](auto& s) { return s->what == "tab" && s->index == 3; });
  ASSERT_NE(spot, stage.spots.end());
  EXPECT_EQ((*spot)->box.y_min, 0);
  handle(m, **spot);
  EXPECT_EQ(m.tab, Tab::queue);
}

TEST(Studio, NothingFromOutsideControlsTheTerminal) {
  auto m = example(80, 24);
  Json jobs = Json::array({{{"id", "\x1b[2J\x1b]52;c;AAAA\x07"}, {"state", "failed"}, {"error", "a\nb\x9b"}}});
  take_jobs(m, parse_jobs(jobs), false);
  take_pictures(m, parse_pictures(Json::array({{{"path", "a.png"}, {"prompt", "\x1b]0;owned\x07"}}})));
  m.say("\x1b[31m");
  for (int tab = 1; tab <= tab_count; ++tab) {
    m.tab = Tab(tab);
    EXPECT_EQ(drawn(m).find_first_of("\x1b\x07\x9b"), std::string::npos);
  }
}

RC_GTEST_PROP(Studio, AnyKeysAtAnySizeAreSurvived, ()) {
  auto m = example(*rc::gen::inRange(1, 120), *rc::gen::inRange(1, 40));
  static const std::vector<std::string> names{
      "esc", "enter", "tab", "up", "down", "left", "right", "pagedown", "end", "backspace", "delete", "home",
      "1",   "2",     "3",   "4",  "5",    "6",    "7",     "8",        "9",   "/",         ":",      "?",
      "a",   "b",     "c",   "g",  "f",    "n",    "t",     "x",        "u",   "+",         "-",      "*"};
  auto pressed = *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(names));
  Stage stage(terminal());
  for (auto& name : pressed) {
    handle(m, Key{name, name.size() == 1 && m.typing() ? name : "", 0, 0});
    auto lines = split(drawn(m, stage), '\n');
    RC_ASSERT(int(lines.size()) == m.height + 1);
  }
}

TEST(TextField, GoesByWhatIsSeen) {
  TextField field;
  field.take("x", "e\u0301a");  // e with a combining accent
  EXPECT_EQ(field.cursor, 2u);
  field.take("backspace", "");
  EXPECT_EQ(field.text, "e\u0301");
  field.take("backspace", "");
  EXPECT_EQ(field.text, "");
  field.take("paste", "two\nlines\x1b[2J");
  EXPECT_EQ(field.text.find('\n'), std::string::npos);
  EXPECT_EQ(field.text.find('\x1b'), std::string::npos);
  field.set("one two");
  field.take("ctrl-w", "");
  EXPECT_EQ(field.text, "one ");
}

TEST(View, WrappedTextKeepsItsWordsAndItsColumns) {
  EXPECT_EQ(wrapped("one two three", 7), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrapped("unbreakable", 5), (std::vector<std::string>{"unbr…"}));
  EXPECT_EQ(wrapped("  a bb", 5), (std::vector<std::string>{"  a", "  bb"}));
  EXPECT_EQ(wrapped("", 5), std::vector<std::string>{""});
  for (auto& line : wrapped("龍 界龍 e\u0301e\u0301e\u0301 a🙂b", 4)) EXPECT_LE(width_of(line), 4) << line;
}

TEST(View, PaddedTextKeepsToItsColumns) {
  for (auto& text : {"plain", "龍界龍界龍界", "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301", "a🙂b🙂c", ""})
    for (int width : {1, 2, 3, 5, 10}) EXPECT_EQ(width_of(padded(text, width)), width) << text << " " << width;
}

}  // namespace
}  // namespace sparky::tui
