// The screen Gallery: thumbnails in a grid, one picture in full, and what can be done with them.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "tui/screens.h"

namespace sparky::tui {
using namespace ftxui;

namespace {

const PictureRow* picture(const Model& m) {
  int at = m.gallery.list.current();
  return at < 0 ? nullptr : &m.gallery.pictures[size_t(at)];
}
std::string none(const Model& m) { return picture(m) ? "" : "there is no picture"; }

void tag(Model& m, Effects&) {
  Prompt p{.title = "Tags", .hint = "words to add; -word takes one away"};
  p.done = [path = picture(m)->path](Model& model, Effects& e, const std::string& text) {
    wire::MarkPictures marks{.paths = {path}};
    for (auto word : split(text, ' ')) {
      if (word.empty()) continue;
      if (word[0] == '-')
        marks.remove_tags.emplace_back(word.substr(1));
      else
        marks.add_tags.emplace_back(word[0] == '#' ? word.substr(1) : word);
    }
    if (marks.add_tags.empty() && marks.remove_tags.empty()) return model.say("no tag was named");
    e.asks.push_back(tell(marks, "tagged"));
  };
  m.prompt = std::move(p);
}

void regenerate(Model& m, Effects& e) {
  e.asks.push_back({wire::ShowPicture{picture(m)->path}, [](Model& model, const Result<wire::Reply>& reply) {
                      if (auto error = error_of(reply); !error.empty()) return model.say(error, true);
                      auto* r = std::get_if<wire::PictureState>(&*reply);
                      if (!r || !r->picture->contains("request"))
                        return model.say("the picture does not say how it was made", true);
                      use_request(model, (*r->picture)["request"]);
                      model.say("its settings are in the form; a draws it again, v with the next seed");
                    }});
}

std::string no_zoom(const Model& m, int step) {
  constexpr int most = 32;
  if (!m.gallery.full) return "enter shows the picture in full first";
  int zoom = m.gallery.zoom + step;
  return zoom < 0 ? "it fits the window already" : zoom > most ? "larger it does not get" : "";
}

std::string absolute(const Model& m, const PictureRow& p) { return m.project + "/outputs/" + p.path; }

}  // namespace

const std::vector<Action>& gallery_actions() {
  static const std::vector<Action> all = {
      {"enter", "full", "the picture in full, or back to the grid", none,
       [](Model& m, Effects&) {
         m.gallery.full = !m.gallery.full;
         m.gallery.zoom = 0;
       }},
      {"*", "star", "give or take the star", none,
       [](Model& m, Effects& e) {
         auto& p = *picture(m);
         e.asks.push_back(
             tell(wire::MarkPictures{.paths = {p.path}, .star = !p.star}, p.star ? "the star is gone" : "starred"));
       }},
      {"t", "tag", "add and take away tags", none, tag},
      {"g", "regenerate", "its settings into the form of Generation", none, regenerate},
      {"x", "delete", "put the picture away; u brings it back", none,
       [](Model& m, Effects& e) {
         ++m.gallery.deleted;
         e.asks.push_back(tell(wire::DeletePictures{{picture(m)->path}}, "deleted; u brings it back"));
       }},
      {"u",
       "undo",
       "bring back what was deleted last",
       {},
       [](Model&, Effects& e) { e.asks.push_back(tell(wire::RestorePictures{}, "it is back")); }},
      {"y", "copy path", "copy the path of its file", none,
       [](Model& m, Effects& e) {
         e.copy = absolute(m, *picture(m));
         m.say("copied " + e.copy);
       }},
      {"o", "open folder", "open its folder in the file manager",
       [](const Model& m) {
         return !picture(m) ? "there is no picture" : !m.local ? "it lies on another machine" : "";
       },
       [](Model& m, Effects& e) {
         auto path = absolute(m, *picture(m));
         e.open = path.substr(0, path.find_last_of('/'));
       }},
      {"+", "larger", "in full: one step larger", [](const Model& m) { return no_zoom(m, 1); },
       [](Model& m, Effects&) { ++m.gallery.zoom; }},
      {"-", "smaller", "in full: one step smaller; 0 fits the window", [](const Model& m) { return no_zoom(m, -1); },
       [](Model& m, Effects&) { --m.gallery.zoom; }},
  };
  return all;
}

namespace {

// The middle of the picture, as much as fits into the space at a whole factor.
PicturePtr zoomed(const PicturePtr& whole, int zoom, int width_px, int height_px) {
  if (zoom == 0 || !whole) return whole;
  int w = std::min(whole->width, std::max(1, width_px / zoom)),
      h = std::min(whole->height, std::max(1, height_px / zoom));
  if (w == whole->width && h == whole->height) {
    // Smaller than the space: a margin keeps it from being enlarged further.
    int out_w = std::max(w, width_px / zoom), out_h = std::max(h, height_px / zoom);
    auto out = std::make_shared<pixel::Picture>(out_w, out_h);
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) out->at((out_w - w) / 2 + x, (out_h - h) / 2 + y) = whole->at(x, y);
    return out;
  }
  auto out = std::make_shared<pixel::Picture>(w, h);
  int left = (whole->width - w) / 2, top = (whole->height - h) / 2;
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) out->at(x, y) = whole->at(left + x, top + y);
  return out;
}

Element story(const Model& m, Stage& stage, const PictureRow& p, int width) {
  std::string tags = p.tags.empty() ? "" : "  #" + join(p.tags, " #");
  auto first = p.prompt.empty() ? p.path : p.prompt;
  auto second = fmt::format("{}x{}  {}  {}  {} ago", p.width, p.height, p.model.empty() ? "unknown model" : p.model,
                            p.seed ? fmt::format("seed {}", *p.seed) : "no seed", ago(m, p.changed));
  return vbox({hbox({text(p.star ? "★ " : "") | color(stage.theme.star), text(cut(one_line(first), width - 4)) | bold}),
               hbox({text(cut(second, width)) | dim, text(cut(tags, 30)) | color(stage.theme.accent)}),
               text(cut(one_line(p.path), width)) | dim});
}

Element in_full(Model& m, Stage& stage, const PictureRow& p, int width, int height) {
  auto whole = picture_of(m, stage, p.path);
  auto& t = stage.terminal;
  bool symbols = t.graphics == Graphics::symbols;
  int w = symbols ? width : width * t.cell_width, h = (height - 3) * (symbols ? 2 : t.cell_height);
  static std::map<std::tuple<const void*, int, int, int>, PicturePtr> made;  // one zoomed picture is kept
  auto key = std::tuple<const void*, int, int, int>{whole.get(), m.gallery.zoom, w, h};
  if (!made.contains(key)) made = {{key, zoomed(whole, m.gallery.zoom, w, h)}};
  return vbox({(whole ? picture_view(stage, made[key]) : empty_hint({"loading"})) | flex, story(m, stage, p, width)});
}

}  // namespace

Element draw_gallery(Model& m, Stage& stage, int width, int height) {
  auto& g = m.gallery;
  if (g.pictures.empty())
    return empty_hint({"No pictures yet.", "1 draws the first one; files in outputs/ appear here."});
  if (g.full && picture(m)) return in_full(m, stage, *picture(m), width, height);
  int cell_w = width >= 60 ? 18 : 13, cell_h = height >= 18 ? 9 : std::max(4, (height - 2) / 2);
  g.columns = std::max(1, width / cell_w);
  int all = int(g.list.rows.size()), grid_rows = (all + g.columns - 1) / g.columns;
  int shown = std::max(1, (height - 2) / cell_h);
  auto window = window_of(grid_rows, g.list.selected / g.columns, shown, g.list.first);
  g.list.first = window.first;
  Elements rows;
  for (int r = window.first; r < window.first + window.count; ++r) {
    Elements row;
    for (int c = 0; c < g.columns && r * g.columns + c < all; ++c) {
      int i = r * g.columns + c;
      auto& p = g.pictures[size_t(g.list.rows[size_t(i)])];
      auto thumb = picture_of(m, stage, p.path);
      auto caption = padded((p.star ? "★" : "") + one_line(p.prompt.empty() ? p.path : p.prompt), cell_w - 1);
      auto caption_line = text(caption);
      if (i == g.list.selected) caption_line = caption_line | inverted;
      auto body = thumb ? picture_view(stage, thumb) : vbox({filler(), text("·") | hcenter | dim, filler()});
      auto cell = vbox({std::move(body) | size(HEIGHT, EQUAL, cell_h - 1) | size(WIDTH, EQUAL, cell_w - 1),
                        std::move(caption_line)});
      row.push_back(clickable(stage, hbox({std::move(cell) | size(WIDTH, EQUAL, cell_w - 1), text(" ")}), "row", i));
    }
    rows.push_back(hbox(std::move(row)));
  }
  auto count = count_of(g.list, g.pictures.size(), "picture");
  auto* p = picture(m);
  auto detail = !p ? std::string()
                   : fmt::format("   {}{}", p->seed ? fmt::format("seed {}  ", *p->seed) : "",
                                 p->tags.empty() ? "" : "#" + join(p->tags, " #"));
  return vbox({hbox({text(count) | bold, text(cut(detail, std::max(0, width - width_of(count)))) | dim}),
               vbox(std::move(rows)), filler()});
}

}  // namespace sparky::tui
