#include "cli/status_view.h"

#include <fmt/format.h>
#include <wchar.h>

#include <clocale>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.h"

namespace sparky::cli {
namespace {

enum Rank { urgent, active, idle };  // what gives way first when there is little room: the higher
struct Line {
  std::string text;
  Rank rank = active;
};

struct Mark {
  std::string_view unicode, ascii, color;
};
Mark mark_of(std::string_view status) {
  if (status == "complete" || status == "open") return {"✓", "+", "32"};
  if (status == "in_progress" || status == "active") return {"●", "*", "36"};
  if (status == "decision_needed") return {"?", "?", "33"};
  if (status == "failed" || status == "cancelled") return {"✗", "x", "31"};
  if (status == "skipped") return {"»", ">", "33"};
  if (status == "queued") return {"○", "o", "36"};
  return {"·", ".", "2"};
}
Rank rank_of(std::string_view status) {
  if (status == "failed" || status == "cancelled" || status == "decision_needed") return urgent;
  if (status == "in_progress" || status == "active" || status == "queued") return active;
  return idle;
}

class View {
 public:
  View(const Json& status, Time now, const ViewStyle& style) : status_(status), now_(now), style_(style) {}

  std::string draw() {
    headline();
    for (auto& o : status_.value("orchestrators", Json::array())) orchestrator(o);
    for (auto& g : status_.value("gates", Json::array())) gate(g);
    escalations();
    decisions();
    return print();
  }

 private:
  std::string paint(std::string_view text, std::string_view code) const {
    if (!style_.color || code.empty()) return std::string(text);
    return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
  }
  std::string mark(std::string_view status) const {
    auto m = mark_of(status);
    return paint(style_.unicode ? m.unicode : m.ascii, m.color);
  }
  std::string bar(double fraction, int cells) const {
    int full = std::clamp(int(fraction * cells + 0.5), 0, cells);
    std::string out;
    for (int i = 0; i < cells; ++i) out += i < full ? (style_.unicode ? "█" : "#") : (style_.unicode ? "░" : "-");
    return out;
  }
  std::string in(const Json& from, const char* key) const {
    auto t = parse_iso(from.value(key, ""));
    if (!t) return "";
    return *t > now_ ? human(*t - now_) : human(Duration{0});
  }
  void add(std::string text, Rank rank) { lines_.push_back({std::move(text), rank}); }

  void headline() {
    auto state = status_.value("state", "");
    std::string text =
        fmt::format("{}  run {}  {}  {} {:.0f} %", printable(status_.value("plan", "")), status_.value("run", 0),
                    paint(state, "1"), bar(status_.value("progress", 0.0), 20), 100 * status_.value("progress", 0.0));
    if (status_.contains("eta")) text += fmt::format("  ETA in {}", in(status_, "eta"));
    if (status_.contains("slots"))
      text += fmt::format("  slots {}/{}", status_["slots"].value("used", 0), status_["slots"].value("all", 0));
    if (status_.contains("cost")) text += "  " + status_["cost"].value("text", "");
    add(std::move(text), urgent);
  }

  void orchestrator(const Json& o) {
    auto status = o.value("status", "");
    auto& workstreams = o.at("workstreams");
    size_t done = 0, left_out = 0;
    for (auto& w : workstreams) left_out += w.value("left_out", false);
    for (auto& w : workstreams) done += w.value("status", "") == "complete" || w.value("status", "") == "skipped";
    std::string text =
        fmt::format("{} {}  {}  {} {}/{}", mark(status), paint(printable(o.value("orchestrator", "")), "1"),
                    paint(o.value("phase", ""), "2"), bar(o.value("progress", 0.0), 10), done, workstreams.size());
    if (left_out > 0) text += "  " + paint(fmt::format("{} left out", left_out), "2");
    add(std::move(text), active);
    for (auto& id : o.at("order"))
      if (auto& w = workstreams.at(id.get_ref<const std::string&>()); !w.value("left_out", false)) workstream(id, w);
  }

  void workstream(const std::string& id, const Json& w) {
    auto status = w.value("status", "");
    std::string text = fmt::format("  {} {}", mark(status), printable(id));
    if (w.contains("name")) text += " " + printable(w.value("name", ""));
    auto stage = w.value("stage", status);
    text += "  " + paint(stage, mark_of(status).color);
    if (w.contains("progress")) text += fmt::format(" {:.0f} %", 100 * w.value("progress", 0.0));
    if (w.value("try", 1) > 1) text += fmt::format(" (try {})", w.value("try", 1));
    if (w.contains("since"))
      if (auto since = parse_iso(w.value("since", "")); since && now_ > *since) text += "  " + human(now_ - *since);
    if (w.contains("doing")) text += "  " + printable(w.value("doing", ""));
    if (auto blocker = w.value("blocker", ""); !blocker.empty()) text += "  " + paint(printable(blocker), "2");
    text += verdicts(w);
    if (w.contains("cost")) text += "  " + paint(printable(w["cost"].value("text", "")), "2");
    if (auto note = w.value("note", ""); !note.empty() && status != "complete") text += "  " + printable(note);
    add(std::move(text), rank_of(status));
  }

  // "2 verified, 1 untestable": what is open by a waiver or could not be tested says so wherever it is shown.
  std::string verdicts(const Json& w) const {
    if (!w.contains("criteria") || !w["criteria"].is_object()) return "";
    std::string out;
    for (auto& [verdict, count] : w["criteria"].items()) {
      if (verdict == "open") continue;
      auto text = fmt::format("{} {}", count.get<int>(), verdict);
      auto color = verdict == "verified" ? "32" : verdict == "failed" ? "31" : "33";
      out += (out.empty() ? "  " : ", ") + paint(text, color);
    }
    return out;
  }

  void gate(const Json& g) {
    if (g.value("left_out", false)) return;
    auto status = g.value("status", "");
    std::map<std::string, int> counts;
    for (auto& c : g.value("criteria", Json::array())) ++counts[c.value("verdict", "")];
    Json tally = counts;
    std::string text = fmt::format("{} {}", mark(status), paint(printable(g.value("name", "")), "1"));
    if (g.value("name", "") != g.value("id", "")) text += " (" + printable(g.value("id", "")) + ")";
    text += status == "open" ? "  open"
                             : "  " + paint(g.value("stage", "") == "waiting" ? "closed" : g.value("stage", ""), "2");
    text += verdicts(Json{{"criteria", tally}});
    if (g.contains("waits_for") && !g["waits_for"].empty()) {
      std::string ids;
      for (auto& id : g["waits_for"]) ids += (ids.empty() ? "" : ", ") + id.get<std::string>();
      text += "  " + paint("waits for " + printable(ids), "2");
    }
    add(std::move(text), rank_of(status) == urgent ? urgent : active);
    for (auto& c : g.value("criteria", Json::array()))
      if (auto v = c.value("verdict", ""); v == "failed" || v == "untestable" || v == "waived")
        add(fmt::format("    {} {}: {}", mark(v == "failed" ? "failed" : "skipped"), v, printable(c.value("text", ""))),
            urgent);
  }

  void escalations() {
    for (auto& e : status_.value("escalations", Json::array()))
      add(fmt::format("{} {}{}", paint("!", e.value("severity", "") == "critical" ? "31" : "33"),
                      printable(e.value("text", "")), affected(e)),
          urgent);
  }

  // "  (holds back WS-4, gate-2 and 3 more)"
  static std::string affected(const Json& escalation) {
    auto ids = escalation.value("affected", std::vector<std::string>{});
    if (ids.empty() || escalation.value("severity", "") != "critical") return "";
    size_t shown = std::min<size_t>(ids.size(), 3);
    auto text = join(std::span(ids).first(shown), ", ");
    if (shown < ids.size()) text += fmt::format(" and {} more", ids.size() - shown);
    return printable("  (holds back " + text + ")");
  }

  void decisions() {
    auto all = status_.value("decisions", Json::array());
    if (all.empty()) return;
    add(paint("Needs a person:", "1;33"), urgent);
    for (auto& d : all) {
      add(fmt::format("  {} {}  {}", paint(d.value("id", ""), "33"), printable(d.value("target", "")),
                      printable(d.value("text", ""))),
          urgent);
      if (auto note = d.value("note", ""); !note.empty()) add("     " + printable(note), urgent);
      if (auto also = d.value("also", std::vector<std::string>()); !also.empty())
        add("     the answer holds for " + printable(join(also, ", ")) + " too", urgent);
    }
    add(fmt::format("  answer with: sparky decide {} approve|reject|waive [--note TEXT]", all[0].value("id", "D1")),
        urgent);
  }

  std::string print() {
    size_t room = style_.rows > 0 ? size_t(style_.rows) : lines_.size();
    size_t hidden = 0;
    for (int rank = idle; rank >= urgent && lines_.size() + (hidden > 0) > room; --rank)
      for (size_t i = lines_.size(); i-- > 1 && lines_.size() + (hidden > 0) > room;)
        if (lines_[i].rank == rank) lines_.erase(lines_.begin() + std::ptrdiff_t(i)), ++hidden;
    std::string out;
    for (auto& l : lines_) out += fitted(l.text, style_.width, style_.unicode) + "\n";
    if (hidden) out += paint(fmt::format("… {} more lines; `sparky status` shows all", hidden), "2") + "\n";
    return out;
  }

  const Json& status_;
  Time now_;
  ViewStyle style_;
  std::vector<Line> lines_;
};

}  // namespace

std::string status_view(const Json& status, Time now, const ViewStyle& style) {
  return View(status, now, style).draw();
}

std::string fitted(std::string_view text, int columns, bool unicode) {
  static const bool locale = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;  // for wcwidth
  (void)locale;
  int used = 0;
  bool escaped = false;
  size_t cut = 0;  // where the text has to end if it turns out too long
  mbstate_t shift{};
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '\x1b') {
      auto end = text.find('m', at);
      escaped = true;
      at = end == text.npos ? text.size() : end + 1;
      continue;
    }
    wchar_t wide = 0;
    size_t length = std::mbrtowc(&wide, text.data() + at, text.size() - at, &shift);
    if (length == 0 || length > text.size()) length = 1, wide = L'?', shift = {};
    int width = std::max(0, ::wcwidth(wide));
    if (used + width <= columns - 1) cut = at + length;
    if (used + width > columns)
      return std::string(text.substr(0, cut)) + (unicode ? "…" : ">") + (escaped ? "\x1b[0m" : "");
    used += width;
    at += length;
  }
  return std::string(text);
}

}  // namespace sparky::cli
