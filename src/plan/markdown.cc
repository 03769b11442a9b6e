#include "plan/markdown.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>

#include <memory>

#include "base/text.h"

namespace sparky::plan {
namespace {

struct FreeParser {
  void operator()(cmark_parser* p) const { cmark_parser_free(p); }
};
struct FreeNode {
  void operator()(cmark_node* n) const { cmark_node_free(n); }
};
struct FreeIterator {
  void operator()(cmark_iter* i) const { cmark_iter_free(i); }
};

std::string_view literal(cmark_node* node) {
  auto text = cmark_node_get_literal(node);
  return text ? text : "";
}

// Walks the tree once; inline text collects in the line that is open.
class Flattener {
 public:
  std::vector<MarkdownLine> run(cmark_node* root) {
    std::unique_ptr<cmark_iter, FreeIterator> iterator(cmark_iter_new(root));
    for (cmark_event_type event; (event = cmark_iter_next(iterator.get())) != CMARK_EVENT_DONE;)
      visit(cmark_iter_get_node(iterator.get()), event == CMARK_EVENT_ENTER);
    return std::move(lines_);
  }

 private:
  void visit(cmark_node* node, bool enter) {
    std::string_view type = cmark_node_get_type_string(node);
    switch (cmark_node_get_type(node)) {
      case CMARK_NODE_HEADING:
        enter ? open(MarkdownLine::heading, node, cmark_node_get_heading_level(node)) : close();
        return;
      case CMARK_NODE_PARAGRAPH:
        enter ? open_paragraph(node) : close();
        return;
      case CMARK_NODE_LIST:
        depth_ += enter ? 1 : -1;
        return;
      case CMARK_NODE_ITEM:
        item_ = enter;
        return;
      case CMARK_NODE_CODE_BLOCK:
        return add_code(node);
      case CMARK_NODE_TEXT:
      case CMARK_NODE_HTML_INLINE:
        return add(literal(node));
      case CMARK_NODE_CODE:
        if (open_) current().spans.emplace_back(literal(node));
        return add(literal(node));
      case CMARK_NODE_SOFTBREAK:
      case CMARK_NODE_LINEBREAK:
        return next_line();
      case CMARK_NODE_STRONG:
        return enter ? begin_strong() : end_strong();
      default:
        break;
    }
    if (type == "table_header" || type == "table_row") {
      if (!enter) return close();
      open(MarkdownLine::row, node, 0);
      current().header = type == "table_header";
    } else if (type == "table_cell") {
      enter ? begin_cell() : end_cell();
    }
  }

  MarkdownLine& current() { return lines_.back(); }

  void open(MarkdownLine::Kind kind, cmark_node* node, int level) {
    lines_.push_back({.kind = kind, .line = cmark_node_get_start_line(node), .level = level});
    open_ = true;
    strong_ended_ = false;
  }
  void open_paragraph(cmark_node* node) {
    open(item_ ? MarkdownLine::item : MarkdownLine::text, node, depth_);
    item_ = false;  // only the first paragraph of an item is the item
  }
  void close() { open_ = false; }
  void next_line() {
    if (!open_) return;
    if (current().kind == MarkdownLine::heading || current().kind == MarkdownLine::row) return add(" ");
    // A line that goes on inside a bold text belongs to the same line.
    if (strong_open_) return add(" ");
    int line = current().line + 1;
    lines_.push_back({.kind = MarkdownLine::text, .line = line, .level = depth_});
    strong_ended_ = false;
  }
  void add(std::string_view text) {
    if (open_) current().plain += text;
  }
  void add_code(cmark_node* node) {
    int line =
        cmark_node_get_start_line(node) + (cmark_node_get_fenced(node, &unused_, &unused_, &unused_char_) ? 1 : 0);
    for (auto part : split(literal(node), '\n'))
      lines_.push_back({.kind = MarkdownLine::code, .line = line++, .plain = std::string(part)});
  }
  void begin_strong() {
    strong_open_ = true;
    strong_start_ = open_ ? current().plain.size() : 0;
  }
  void end_strong() {
    strong_open_ = false;
    if (!open_ || strong_ended_) return;
    strong_ended_ = true;
    auto& line = current();
    auto before = trim(std::string_view(line.plain).substr(0, strong_start_));
    if (before.empty() || (behind_tick(before) && behind_tick(before)->empty()))
      line.strong = line.plain.substr(strong_start_);
  }
  void begin_cell() { cell_start_ = current().plain.size(); }
  void end_cell() {
    current().cells.emplace_back(trim(std::string_view(current().plain).substr(cell_start_)));
    add(" | ");
  }

  std::vector<MarkdownLine> lines_;
  bool open_ = false, item_ = false, strong_open_ = false, strong_ended_ = false;
  size_t strong_start_ = 0, cell_start_ = 0;
  int depth_ = 0, unused_ = 0;
  char unused_char_ = 0;
};

}  // namespace

std::vector<MarkdownLine> read_markdown(std::string_view text) {
  cmark_gfm_core_extensions_ensure_registered();
  std::unique_ptr<cmark_parser, FreeParser> parser(cmark_parser_new(CMARK_OPT_VALIDATE_UTF8));
  cmark_parser_attach_syntax_extension(parser.get(), cmark_find_syntax_extension("table"));
  cmark_parser_feed(parser.get(), text.data(), text.size());
  std::unique_ptr<cmark_node, FreeNode> root(cmark_parser_finish(parser.get()));
  return Flattener().run(root.get());
}

std::optional<std::string_view> behind_tick(std::string_view text) {
  text = trim(text);
  for (std::string_view tick : {"✅", "✓", "✔", "☑", "☐", "⬜", "[ ]", "[x]", "[X]"}) {
    if (!text.starts_with(tick)) continue;
    text.remove_prefix(tick.size());
    constexpr std::string_view as_emoji = "\xef\xb8\x8f";  // U+FE0F, the variation selector
    if (text.starts_with(as_emoji)) text.remove_prefix(as_emoji.size());
    return trim(text);
  }
  return std::nullopt;
}

std::optional<MarkdownField> field_of(const MarkdownLine& line) {
  if (line.kind == MarkdownLine::row) return std::nullopt;
  auto text = trim(line.plain);
  if (auto behind = behind_tick(text)) text = *behind;
  if (!line.strong.empty()) {
    std::string_view name = trim(line.strong);
    if (!text.starts_with(name)) return std::nullopt;
    auto rest = trim(text.substr(name.size()));
    if (name.ends_with(':'))
      name.remove_suffix(1);
    else if (rest.starts_with(':'))
      rest.remove_prefix(1);
    else
      return std::nullopt;
    return MarkdownField{std::string(trim(name)), std::string(trim(rest))};
  }
  auto colon = text.find(':');
  if (colon == text.npos || colon == 0 || colon > 30) return std::nullopt;
  return MarkdownField{std::string(trim(text.substr(0, colon))), std::string(trim(text.substr(colon + 1)))};
}

}  // namespace sparky::plan
