// How long a frame of the terminal studio takes at 200×50 with 10,000 jobs and 10,000 pictures: from the model to
// cells, and from cells to bytes. Processor time of this thread, the median and the worst of 200 frames; and in how
// many frames a page of pictures that were not shown before is there.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <ftxui/screen/screen.hpp>
#include <ftxui/screen/terminal.hpp>

#include "tui/painter.h"
#include "tui/screens.h"

namespace {

using namespace sparky;

double processor_ms() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) * 1e3 + double(t.tv_nsec) / 1e6;
}

// What a sprite is made of: flat areas of few colours, nothing around them.
tui::PicturePtr sprite(unsigned seed) {
  auto picture = std::make_shared<pixel::Picture>(32, 32);
  for (int y = 4; y < 30; ++y)
    for (int x = 6; x < 26; ++x) {
      auto hue = (unsigned(x / 3) * 7 + unsigned(y / 3) * 5 + seed) % 12;
      picture->at(x, y) = {uint8_t(hue * 20), uint8_t(255 - hue * 13), uint8_t(seed * 40), 255};
    }
  return picture;
}

// A picture that no two cells of which are alike: the worst there is to send.
tui::PicturePtr noise(unsigned seed) {
  auto picture = std::make_shared<pixel::Picture>(32, 32);
  for (auto& p : picture->pixels) {
    seed = seed * 1664525 + 1013904223;
    p = {uint8_t(seed >> 24), uint8_t(seed >> 16), uint8_t(seed >> 8), uint8_t(seed >> 28 ? 255 : 0)};
  }
  return picture;
}

tui::Model large(tui::PicturePtr (*make)(unsigned)) {
  tui::Model m;
  m.width = 200;
  m.height = 50;
  m.now = now();
  m.connected = true;
  for (int i = 0; i < 10'000; ++i) {
    tui::JobRow job{.id = fmt::format("job-{}", i), .kind = "generate", .state = i < 4 ? "running" : "queued"};
    job.progress = 0.5;
    m.jobs.push_back(job);
    m.gallery.pictures.push_back({.path = fmt::format("jobs/{}/a.png", i), .prompt = "a red dragon with green eyes"});
    m.plan.nodes.push_back({.id = fmt::format("WS-{}", i), .name = "work", .status = "queued"});
  }
  for (int i = 0; i < 3000; ++i) m.pictures[m.gallery.pictures[size_t(i)].path].picture = make(unsigned(i));
  m.plan.any = true;
  tui::filter(m);
  return m;
}

// Two hundred frames of a screen, in which something moves.
void measure(tui::Model& m, const tui::Terminal& terminal, tui::Tab tab, const std::string& how) {
  bool scrolled = !how.empty();
  m.tab = tab;
  tui::Stage stage(terminal);
  tui::Painter painter(stage.terminal);
  std::vector<double> times;
  size_t bytes = 0, filled = 0;
  for (int frame = 0; frame < 200; ++frame) {
    for (auto* list : {&m.job_list, &m.gallery.list, &m.plan.list})
      list->selected = scrolled ? frame * m.gallery.columns : frame;
    for (auto& job : m.jobs) job.progress = frame / 200.0;
    auto begin = processor_ms();
    stage.begin();
    stage.time.begin(tui::picture_time);
    ftxui::Screen screen(m.width, m.height);
    ftxui::Render(screen, tui::draw(m, stage));
    auto out = painter.paint(std::move(screen), stage.placements, stage.time);
    times.push_back(processor_ms() - begin);
    if (frame > 0) bytes += out.size();
    if (stage.time.unfinished() && filled == size_t(frame)) ++filled;
  }
  std::ranges::sort(times);
  auto what =
      fmt::format("{}{}{}", tui::name(tab), how, scrolled ? fmt::format(", {}", tui::name(terminal.graphics)) : "");
  fmt::print("{:32} {:10.2f} {:10.2f} {:12} {:8}\n", what, times[100], times.back(), bytes / 199, filled + 1);
}

}  // namespace

// With words: only screens whose name has one of them.
int main(int argc, char** argv) {
  std::vector<std::string> wanted(argv + 1, argv + argc);
  auto is_wanted = [&](std::string_view what) {
    return wanted.empty() || std::ranges::any_of(wanted, [&](auto& word) { return what.find(word) != what.npos; });
  };
  auto m = large(sprite), noisy = large(noise);
  tui::Terminal terminal;
  terminal.colors = tui::Colors::truecolor;
  ftxui::Terminal::SetColorSupport(ftxui::Terminal::TrueColor);
  fmt::print("{:32} {:>10} {:>10} {:>12} {:>8}\n", "screen", "median ms", "worst ms", "bytes/frame", "filled");
  for (int tab = 1; tab <= tui::tab_count; ++tab)
    if (is_wanted(tui::name(tui::Tab(tab)))) measure(m, terminal, tui::Tab(tab), "");
  for (auto graphics : {tui::Graphics::symbols, tui::Graphics::kitty, tui::Graphics::sixel}) {
    terminal.graphics = graphics;
    if (is_wanted("scrolling")) measure(m, terminal, tui::Tab::gallery, ", scrolling");
  }
  terminal.graphics = tui::Graphics::symbols;
  if (is_wanted("noise")) measure(noisy, terminal, tui::Tab::gallery, ", noise scrolling");
}
