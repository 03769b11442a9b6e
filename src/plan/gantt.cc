#include "plan/gantt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/text.h"
#include "plan/days.h"

namespace sparky::plan {
namespace {

struct Row {
  enum Kind { group, workstream, gate } kind = workstream;
  std::string label, note;
  double start_min = 0, finish_min = 0, finish_max = 0;
  bool critical = false;
  size_t color = 0;  // orchestrator
};

struct Chart {
  std::vector<Row> rows;
  size_t left_off = 0;
  double days = 1;
};

// Rows in plan order: each orchestrator with its workstreams; gates where they open.
Chart make_chart(const Timeline& t, const Plan& plan, size_t rows_max) {
  Chart chart;
  chart.days = std::max(t.planned.max, 1e-9);
  std::unordered_map<std::string_view, std::vector<NodeId>> members;
  for (NodeId n = 0; n < plan.workstreams.size(); ++n) members[plan.workstreams[n].orchestrator].push_back(n);
  bool fold = plan.workstreams.size() + plan.orchestrators.size() + plan.gates.size() > rows_max;
  for (size_t i = 0; i < plan.orchestrators.size(); ++i) {
    auto& o = plan.orchestrators[i];
    Row group{.kind = Row::group, .label = o.name.empty() ? o.id : o.name, .start_min = t.planned.max, .color = i};
    std::vector<Row> rows;
    for (NodeId n : members[o.id]) {
      auto& w = plan.workstreams[n];
      Row row{.label = w.id + "  " + w.name, .color = i};
      row.start_min = t.min.start[n];
      row.finish_min = t.min.finish[n];
      row.finish_max = t.max.finish[n];
      row.critical = t.max.slack[n] == 0;
      row.note = fmt::format("{:.4g}–{:.4g}", row.finish_min, row.finish_max);
      group.start_min = std::min(group.start_min, row.start_min);
      group.finish_min = std::max(group.finish_min, row.finish_min);
      group.finish_max = std::max(group.finish_max, row.finish_max);
      if (!fold) rows.push_back(std::move(row));
    }
    if (rows.empty()) group.note = fmt::format("{:.4g}–{:.4g}", group.finish_min, group.finish_max);
    group.start_min = std::min(group.start_min, group.finish_min);
    chart.rows.push_back(std::move(group));
    std::move(rows.begin(), rows.end(), std::back_inserter(chart.rows));
  }
  for (size_t i = 0; i < plan.gates.size(); ++i) {
    NodeId n = NodeId(plan.workstreams.size() + i);
    Row row{.kind = Row::gate, .label = plan.gates[i].name.empty() ? plan.gates[i].id : plan.gates[i].name};
    row.start_min = row.finish_min = t.min.finish[n];
    row.finish_max = t.max.finish[n];
    row.critical = t.max.slack[n] == 0;
    row.note = fmt::format("{:.4g}–{:.4g}", row.finish_min, row.finish_max);
    chart.rows.push_back(std::move(row));
  }
  if (chart.rows.size() > rows_max) {
    chart.left_off = chart.rows.size() - rows_max;
    chart.rows.resize(rows_max);
  }
  return chart;
}

size_t characters(std::string_view text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// Exactly so many characters: cut with an ellipsis, or filled up with blanks. (Wide characters count as one.)
std::string fitted(std::string_view text, size_t width) {
  std::string out(text);
  if (characters(out) > width) {
    size_t bytes = 0, have = 0;
    for (; bytes < out.size(); ++bytes)
      if ((out[bytes] & 0xc0) != 0x80 && ++have == width) break;
    out = out.substr(0, bytes) + "…";
  }
  for (size_t have = characters(out); have < width; ++have) out += ' ';
  return out;
}

// A step between grid lines that gives some ten of them: 1, 2, 5, 10, … working weeks, or days in a short plan.
double grid_step(double days, double per_week, int lines) {
  for (double step : {1.0, 2.0})
    if (days / step <= lines) return step;
  for (double weeks = 1;; weeks *= 10)
    for (double factor : {1.0, 2.0, 5.0})
      if (days / (weeks * factor * per_week) <= lines) return weeks * factor * per_week;
}

std::string tick_label(const Timeline& t, double day) {
  return t.calendar ? iso_date(t.calendar->start_of(day)) : fmt::format("day {:.4g}", day);
}

}  // namespace

std::string gantt_text(const Timeline& t, const Plan& plan, GanttOptions options) {
  auto chart = make_chart(t, plan, options.rows_max);
  size_t label = 0, note = 0;
  for (auto& row : chart.rows) {
    label = std::max(label, characters(row.label) + 2);
    note = std::max(note, characters(row.note));
  }
  label = std::min<size_t>(label, std::max(12, options.width / 3));
  size_t width = size_t(std::max(10, options.width - int(label + note) - 2));
  auto column = [&](double day) { return std::min(width, size_t(std::lround(day / chart.days * double(width)))); };

  std::string out, ruler(width, ' ');
  double per_week = plan.calendar ? plan.calendar->days_per_week : 5;
  for (double day = 0; day <= chart.days; day += grid_step(chart.days, per_week, int(width / 14))) {
    auto text = tick_label(t, day);
    size_t at = column(day);
    if (at + text.size() <= width) ruler.replace(at, text.size(), text);
  }
  out += std::string(label + 1, ' ') + ruler + "\n";
  for (auto& row : chart.rows) {
    std::string bar;
    size_t start = column(row.start_min), solid = column(row.finish_min), light = column(row.finish_max);
    if (row.kind == Row::gate && start == width) --start;
    for (size_t c = 0; c < width; ++c) {
      if (row.kind == Row::gate)
        bar += c == start ? "◆" : c > start && c < light ? "┄" : " ";
      else if (c >= start && c < std::max(solid, start + 1))
        bar += row.kind == Row::group ? "▄" : "█";
      else
        bar += c >= solid && c < light ? (row.kind == Row::group ? "▁" : "░") : " ";
    }
    auto name = fitted((row.kind == Row::workstream ? "  " : "") + printable(row.label), label);
    bool red = options.color && row.critical, bold = options.color && row.kind == Row::group;
    out += fmt::format("{}{} {}{} {}{}\n", bold ? "\x1b[1m" : "", name, red ? "\x1b[31m" : "", bar,
                       red || bold ? "\x1b[0m" : "", row.note);
  }
  if (chart.left_off > 0) out += fmt::format("… and {} more rows\n", chart.left_off);
  out += fmt::format("{}█ by the minimum estimates  ░ until finished by the maximum ones  ◆ gate{}\n",
                     std::string(label + 1, ' '), options.color ? "  red: no slack" : "");
  return out;
}

std::string gantt_svg(const Timeline& t, const Plan& plan, size_t rows_max) {
  static constexpr const char* colors[] = {"#2f6f9f", "#7b4fa3", "#2c8a63", "#b5651d", "#a13d5b", "#4d6b1f"};
  constexpr int left = 270, top = 92, row_height = 22, chart_width = 820, right = 90;
  auto chart = make_chart(t, plan, rows_max);
  int rows = int(chart.rows.size());
  int width = left + chart_width + right, height = top + rows * row_height + 40;
  auto x = [&](double day) { return left + day / chart.days * chart_width; };
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
      "<text x=\"16\" y=\"28\" font-size=\"18\" font-weight=\"bold\" fill=\"#222\">{2}</text>\n"
      "<text x=\"16\" y=\"50\" fill=\"#555\">as planned {3}{4} · one after the other {5} · critical path {6}</text>\n",
      width, height, escape_xml(plan.name), human(t.planned),
      t.agents > 0 ? fmt::format(" with {} agents", t.agents) : "", human(t.sequential), human(t.critical_path));
  double step = grid_step(chart.days, plan.calendar ? plan.calendar->days_per_week : 5, 10);
  for (double day = 0; day <= chart.days + 1e-9; day += step)
    out += fmt::format(
        "<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#ddd\"/>"
        "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\" fill=\"#777\" font-size=\"11\">{4}</text>\n",
        x(day), top, top + rows * row_height, top - 8, tick_label(t, day));
  for (int i = 0; i < rows; ++i) {
    auto& row = chart.rows[size_t(i)];
    int y = top + i * row_height;
    if (i % 2 == 1)
      out += fmt::format("<rect x=\"0\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"#000\" fill-opacity=\"0.025\"/>\n",
                         y, width, row_height);
    out += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"#222\"{}>{}</text>\n", row.kind == Row::workstream ? 30 : 16,
                       y + 15, row.kind == Row::group ? " font-weight=\"bold\"" : "",
                       escape_xml(trim(fitted(row.label, row.kind == Row::workstream ? 36 : 34))));
    const char* color = row.kind == Row::gate ? "#444" : colors[row.color % std::size(colors)];
    double from = x(row.start_min), solid = x(row.finish_min), to = x(row.finish_max);
    if (row.kind == Row::gate) {
      out += fmt::format(
          "<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#444\" stroke-dasharray=\"2 4\"/>"
          "<line x1=\"{0:.1f}\" y1=\"{3}\" x2=\"{4:.1f}\" y2=\"{3}\" stroke=\"#444\" stroke-dasharray=\"3 3\"/>"
          "<path d=\"M{0:.1f} {5} l6 6 l-6 6 l-6 -6 z\" fill=\"#444\"/>\n",
          from, top, y + 5, y + 11, to, y + 5);
    } else {
      int thick = row.kind == Row::group ? 6 : 14, at = y + (row_height - thick) / 2;
      out += fmt::format(
          "<rect x=\"{0:.1f}\" y=\"{1}\" width=\"{2:.1f}\" height=\"{3}\" rx=\"2\" fill=\"{4}\" fill-opacity=\"0.28\"/>"
          "<rect x=\"{0:.1f}\" y=\"{1}\" width=\"{5:.1f}\" height=\"{3}\" rx=\"2\" fill=\"{4}\"{6}/>\n",
          from, at, std::max(0.0, to - from), thick, color, std::max(1.0, solid - from),
          row.critical && row.kind == Row::workstream ? " stroke=\"#c22\" stroke-width=\"1.6\"" : "");
    }
    out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" fill=\"#777\" font-size=\"10\">{}</text>\n", std::max(to, from) + 8,
                       y + 15, row.note);
  }
  out += fmt::format(
      "<text x=\"16\" y=\"{}\" fill=\"#777\" font-size=\"11\">solid: by the minimum estimates · light: until finished "
      "by the "
      "maximum ones · red edge: no slack · ◆ gate · figures: finished after so many working days{}</text>\n</svg>\n",
      top + rows * row_height + 26, chart.left_off > 0 ? fmt::format(" · {} rows left off", chart.left_off) : "");
  return out;
}

}  // namespace sparky::plan
