#include "tui/screens.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <ftxui/screen/string.hpp>

#include "base/files.h"
#include "base/text.h"
#include "tui/painter.h"

namespace sparky::tui {
namespace {

Time at(const char* text) { return parse_iso(text).value(); }

PicturePtr checkers() {
  auto p = std::make_shared<pixel::Picture>(8, 8);
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x)
      p->at(x, y) = (x + y) % 2 ? pixel::Rgba{250, 10, 20, 255} : pixel::Rgba{10, 200, 30, 255};
  return p;
}

// A studio in the middle of its work.
Model example(int width, int height) {
  Model m;
  m.width = width;
  m.height = height;
  m.now = at("2025-11-12T14:30:00Z");
  m.connected = true;
  m.project = "/home/ada/game";
  m.models = {{"sprite-32",
               "checkpoint",
               "/m/sprite-32",
               "9f86d081884c7d65",
               "# sprite-32\nDraws 32x32 sprites.",
               13504192,
               at("2025-11-12T14:00:00Z"),
               {"dragon", "knight"}},
              {"armor", "lora", "/m/loras/armor.safetensors", "00ff", "", 200000, Time{}, {}}};
  m.generation.fields[Generation::prompt].set("a red dragon");
  m.generation.history = {"an old wizard", "a knight with a lance"};
  Json jobs = Json::array({{{"id", "tui-1"},
                            {"kind", "generate"},
                            {"state", "running"},
                            {"model", "sprite-32"},
                            {"progress", 0.4},
                            {"eta_s", 3.0},
                            {"doing", "sampling"}},
                           {{"id", "tui-2"}, {"kind", "generate"}, {"state", "queued"}, {"priority", "high"}},
                           {{"id", "old"},
                            {"kind", "exec"},
                            {"state", "failed"},
                            {"error", "exit status 1"},
                            {"started", "2025-11-12T14:20:00Z"},
                            {"finished", "2025-11-12T14:21:00Z"}},
                           {{"id", "done"},
                            {"kind", "generate"},
                            {"state", "completed"},
                            {"started", "2025-11-12T14:25:00Z"},
                            {"finished", "2025-11-12T14:25:04Z"},
                            {"result", {{"image_path", "/o/dragon.png"}}}}});
  m.generation.job = "tui-1";
  take_jobs(m, parse_jobs(jobs), false);
  Json pictures = Json::array();
  for (int i = 0; i < 30; ++i)
    pictures.push_back({{"path", fmt::format("jobs/{}/a.png", i)},
                        {"prompt", i == 3 ? "龍 界 dragon" : "a red dragon"},
                        {"model", "sprite-32"},
                        {"seed", 7u + unsigned(i)},
                        {"width", 32},
                        {"height", 32},
                        {"changed", "2025-11-12T14:00:00Z"},
                        {"star", i == 1}});
  take_pictures(m, parse_pictures(pictures));
  for (auto& p : m.gallery.pictures) m.pictures[p.path].picture = checkers();
  m.pictures["/o/dragon.png"].picture = checkers();
  take_status(m.plan, Json::parse(R"({"run":3,"plan":"Demo","state":"running","progress":0.5,
    "created":"2025-11-12T14:00:00Z","eta":"2025-11-12T15:00:00Z",
    "orchestrators":[{"orchestrator":"Foundation","id":"foundation","status":"active","phase":"sequential",
      "progress":0.5,
      "workstreams":{
        "WS-01":{"name":"Hardware","status":"complete","stage":"completed","completion_time":"2025-11-12T14:10:00Z",
                 "criteria":{"verified":2}},
        "WS-02":{"name":"Benchmarks","status":"in_progress","stage":"running","progress":0.6,
                 "since":"2025-11-12T14:20:00Z",
                 "doing":"epoch 3","eta":"2025-11-12T14:45:00Z"},
        "WS-03":{"name":"Docs","status":"decision_needed","stage":"deciding"},
        "WS-04":{"name":"Release","status":"blocked","stage":"waiting","blocker":"WS-02 incomplete"}}}],
    "gates":[{"id":"gate-1","name":"Foundation complete","status":"blocked","stage":"waiting","waits_for":["WS-02"],
              "criteria":[{"verdict":"open"}]}],
    "decisions":[{"id":"D7","target":"WS-03","text":"Are the docs good?"}]})"));
  m.settings = {
      {"run.jobs", "4", "file", "0", "SPARKY_RUN_JOBS", "How many attempts run at once."},
      {"serve.req", "tcp://127.0.0.1:5555", "default", "tcp://127.0.0.1:5555", "SPARKY_SERVE_REQ", "Requests."}};
  studio::Comparison c{.id = "cmp-1", .created = "2025-11-12T14:00:00Z", .prompt = "a red dragon", .seed = 7};
  c.entries = {{.job = "x1", .model = "sprite-32", .image = "/o/dragon.png", .generation_time_s = 1.5},
               {.job = "x2", .model = "sprite-32", .lora = "armor"}};
  c.winner = "1";
  m.comparisons = {c};
  m.monitor.cpu = m.monitor.memory = {0.1, 0.5, 0.9, 0.4};
  m.monitor.daemon = {{"pid", 42}, {"uptime_s", 3600.0}, {"executor", {{"available", true}}}};
  filter(m);
  return m;
}

Terminal terminal() {
  Terminal t;
  t.colors = Colors::truecolor;
  return t;
}

std::string drawn(Model& m, Stage& stage) {
  stage.begin();
  ftxui::Screen screen(m.width, m.height);
  ftxui::Render(screen, draw(m, stage));
  return screen_text(screen);
}
std::string drawn(Model& m) {
  Stage stage(terminal());
  return drawn(m, stage);
}

void type(Model& m, std::string_view text) {
  KeyReader reader;
  for (auto& key : reader.feed(text)) handle(m, key);
}
Effects press(Model& m, const std::string& name) { return handle(m, Key{name, "", 0, 0}); }

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
  press(m, "down");
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

TEST(View, PaddedTextKeepsToItsColumns) {
  for (auto& text : {"plain", "龍界龍界龍界", "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301", "a🙂b🙂c", ""})
    for (int width : {1, 2, 3, 5, 10}) EXPECT_EQ(width_of(padded(text, width)), width) << text << " " << width;
}

// ---- what is sent to the terminal -----------------------------------------------------------------------------------

ftxui::Screen screen_of(Model& m, Stage& stage) {
  stage.begin();
  ftxui::Screen screen(m.width, m.height);
  ftxui::Render(screen, draw(m, stage));
  return screen;
}

TEST(Painter, SendsNothingWhenNothingChangesAndLittleWhenLittleDoes) {
  auto m = example(80, 24);
  Stage stage(terminal());
  Painter painter(stage.terminal);
  auto first = painter.paint(screen_of(m, stage), stage.placements);
  EXPECT_GT(first.size(), 500u);
  EXPECT_EQ(painter.paint(screen_of(m, stage), stage.placements), "");
  type(m, "s");
  auto second = painter.paint(screen_of(m, stage), stage.placements);
  EXPECT_FALSE(second.empty());
  EXPECT_LT(second.size(), 250u) << second;
  EXPECT_TRUE(second.starts_with("\x1b[?2026h"));
  EXPECT_TRUE(second.ends_with("\x1b[?2026l"));
}

TEST(Painter, NoColourAndNoUnicodeWhereThereIsNone) {
  auto m = example(80, 24);
  m.tab = Tab::plan;
  auto plain = terminal();
  plain.colors = Colors::none;
  plain.unicode = false;
  Stage stage(plain);
  Painter painter(plain);
  auto bytes = painter.paint(screen_of(m, stage), stage.placements);
  for (auto c : bytes) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
  EXPECT_EQ(bytes.find("\x1b[0;3"), std::string::npos) << "a colour";
  EXPECT_EQ(bytes.find(";38;"), std::string::npos);
}

TEST(Painter, GraphicsComeOverTheirCellsAndAreGoneBeforeTextIsThere) {
  for (auto graphics : {Graphics::kitty, Graphics::sixel}) {
    auto m = example(100, 30);
    m.generation.image = "/o/dragon.png";
    auto t = terminal();
    t.graphics = graphics;
    t.cell_width = 10;
    t.cell_height = 20;
    Stage stage(t);
    Painter painter(t);
    auto start = graphics == Graphics::kitty ? "\x1b_G" : "\x1bP";
    auto first = painter.paint(screen_of(m, stage), stage.placements);
    ASSERT_EQ(stage.placements.size(), 1u);
    EXPECT_NE(first.find(start), std::string::npos);
    EXPECT_EQ(painter.paint(screen_of(m, stage), stage.placements), "") << "a picture that stays is not sent again";
    auto box = stage.placements[0]->box;
    m.tab = Tab::settings;
    auto second = painter.paint(screen_of(m, stage), stage.placements);
    if (graphics == Graphics::kitty)
      EXPECT_NE(second.find("\x1b_Ga=d"), std::string::npos);
    else
      EXPECT_NE(second.find(fmt::format("\x1b[{};{}H", box.y_min + 1, box.x_min + 1)), std::string::npos);
    EXPECT_NE(leave_screen(t).find(graphics == Graphics::kitty ? "\x1b_Ga=d" : "\x1b[?1049l"), std::string::npos);
  }
}

}  // namespace
}  // namespace sparky::tui
