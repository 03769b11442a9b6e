// A studio in the middle of its work, for tests.
#pragma once
#include <fmt/format.h>

#include "base/time.h"
#include "tui/screens.h"

namespace sparky::tui {

inline Time at(const char* text) { return parse_iso(text).value(); }

inline PicturePtr checkers() {
  auto p = std::make_shared<pixel::Picture>(8, 8);
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x)
      p->at(x, y) = (x + y) % 2 ? pixel::Rgba{250, 10, 20, 255} : pixel::Rgba{10, 200, 30, 255};
  return p;
}

inline Model example(int width, int height) {
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
  take_status(m.plan, parse_status(Json::parse(R"({"run":3,"plan":"Demo","state":"running","progress":0.5,
    "created":"2025-11-12T14:00:00Z","eta":"2025-11-12T15:00:00Z",
    "orchestrators":[{"orchestrator":"Foundation","id":"foundation","status":"active","phase":"sequential",
      "progress":0.5,"order":["WS-01","WS-02","WS-03","WS-04"],
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
    "decisions":[{"id":"D7","target":"WS-03","text":"Are the docs good?"}]})")));
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

inline Terminal terminal() {
  Terminal t;
  t.colors = Colors::truecolor;
  return t;
}

inline std::string drawn(Model& m, Stage& stage) {
  stage.begin();
  ftxui::Screen screen(m.width, m.height);
  ftxui::Render(screen, draw(m, stage));
  return screen_text(screen);
}
inline std::string drawn(Model& m) {
  Stage stage(terminal());
  return drawn(m, stage);
}

inline void type(Model& m, std::string_view text) {
  KeyReader reader;
  for (auto& key : reader.feed(text)) handle(m, key);
}
inline Effects press(Model& m, const std::string& name) { return handle(m, Key{name, "", 0, 0}); }

}  // namespace sparky::tui
