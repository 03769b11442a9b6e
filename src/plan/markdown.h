// Markdown, flattened: the lines of a document in order, as the readers of specs want them. cmark-gfm does the parsing.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sparky::plan {

struct MarkdownLine {
  enum Kind { heading, text, item, row, code } kind = text;
  int line = 0;                    // from 1
  int level = 0;                   // of a heading 1–6; of an item and the text below it the depth of the list, from 1
  bool header = false;             // the first row of a table
  std::string plain;               // without markup; of a list item without its bullet
  std::string strong;              // the bold text that it begins with (after a tick), if any
  std::vector<std::string> spans;  // what stands in `code`
  std::vector<std::string> cells;  // of a row
};

// Never fails: every text is Markdown. A paragraph gives one line for each of its lines, a code block likewise.
std::vector<MarkdownLine> read_markdown(std::string_view text);

// The text behind ✅, ✓, ✔, ☑, ☐, [ ] or [x], if it begins with one of them.
std::optional<std::string_view> behind_tick(std::string_view text);

struct MarkdownField {
  std::string name, value;  // "Depends on", "WS-01"
};
// `**Name**: value`, `**Name:** value`, and plain `Name: value`; the caller knows which names mean something.
std::optional<MarkdownField> field_of(const MarkdownLine& line);

}  // namespace sparky::plan
