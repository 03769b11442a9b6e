// The screen Monitor: the daemon's machine and its work, as they go.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "tui/screens.h"

namespace sparky::tui {
using namespace ftxui;

namespace {

Element panel(const Stage& stage, const std::string& title, const std::string& now, const std::vector<double>& values,
              double top) {
  return vbox({hbox({text(title) | bold, text("  " + now) | dim}), braille(values, top, stage.theme.accent)}) | flex;
}

double highest(const std::vector<double>& values, double least) {
  double top = least;
  for (double v : values) top = std::max(top, v);
  return top;
}

double number(const Json& json, const char* field) {
  if (!json.is_object() || !json.contains(field) || !json[field].is_number()) return 0;
  return json[field].get<double>();
}
const Json& part(const Json& json, const char* field) {
  static const Json none = Json::object();
  return json.is_object() && json.contains(field) ? json[field] : none;
}

}  // namespace

Element draw_monitor(Model& m, Stage& stage, int width, int height) {
  auto& mon = m.monitor;
  auto last = [](const std::vector<double>& v) { return v.empty() ? 0.0 : v.back(); };
  auto cpu = panel(stage, "CPU", fmt::format("{:.0f} %", 100 * last(mon.cpu)), mon.cpu, 1);
  auto memory = panel(stage, "Memory", fmt::format("{:.0f} %", 100 * last(mon.memory)), mon.memory, 1);
  auto depth = panel(stage, "Jobs waiting and running", fmt::format("{:.0f}", last(mon.depth)), mon.depth,
                     highest(mon.depth, 4));
  auto latency = panel(stage, "Answer", fmt::format("{:.1f} ms", last(mon.latency_ms)), mon.latency_ms,
                       highest(mon.latency_ms, 5));
  auto rate = panel(stage, "Events", fmt::format("{:.0f} a second", last(mon.rate)), mon.rate, highest(mon.rate, 10));
  Elements facts;
  auto fact = [&](const std::string& label, const std::string& value) {
    facts.push_back(hbox({text(padded(label, 10)) | dim, text(cut(one_line(value), width - 11))}));
  };
  auto& journal = part(mon.daemon, "journal");
  auto& executor = part(mon.daemon, "executor");
  fact("daemon",
       fmt::format("process {:.0f}, up {}, {:.0f} requests", number(mon.daemon, "pid"),
                   human(Duration(int64_t(number(mon.daemon, "uptime_s")) * 1000)), number(mon.daemon, "requests")));
  fact("journal", fmt::format("{:.0f} commits, the slowest {:.0f} ms", number(journal, "commits"),
                              number(journal, "commit_ms_max")));
  bool well = executor.is_object() && executor.value("available", false);
  fact("warden", well ? "watches" : "away: " + (executor.is_object() ? executor.value("trouble", "") : ""));
  if (mon.workers.empty()) fact("workers", "none");
  for (auto& w : mon.workers) {
    if (int(facts.size()) + 8 > height) break;
    fact("worker", fmt::format("{} on {}: {}{}{}", w.name, w.device, join(w.kinds, " "),
                               w.loaded.empty() ? "" : ", holds " + w.loaded,
                               w.jobs.empty() ? ", idle" : ", at " + join(w.jobs, " ")));
  }
  auto below = vbox(std::move(facts));
  if (height < 14) return vbox({hbox({std::move(cpu), separator(), std::move(depth)}) | flex, std::move(below)});
  return vbox({hbox({std::move(cpu), separator(), std::move(memory), separator(), std::move(depth)}) | flex,
               separator(), hbox({std::move(latency), separator(), std::move(rate)}) | flex, separator(),
               std::move(below)});
}

}  // namespace sparky::tui
