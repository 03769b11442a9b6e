// Keys: what a person does, from the bytes that a terminal sends: text, named keys, pasted text, the mouse (SGR mode).
// Sequences: ECMA-48, xterm's ctlseqs (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html).
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace sparky::tui {

// `name` is one of: a single character as typed ("a", "?", "ß"), "space", "enter", "tab", "shift-tab", "esc",
// "backspace", "delete", "up", "down", "left", "right", "home", "end", "pageup", "pagedown", "f1" … "f12",
// "ctrl-a" … "ctrl-z", "paste" (`text` holds it), "click", "wheel-up", "wheel-down" (x and y hold the cell, from 0);
// and "answer", the terminal's to DA1, which nobody typed.
struct Key {
  std::string name;
  std::string text;  // what a text field would take; empty if nothing
  int x = 0, y = 0;
  friend bool operator==(const Key&, const Key&) = default;
};

// Takes bytes as they come, in any pieces.
class KeyReader {
 public:
  std::vector<Key> feed(std::string_view bytes);
  // Nothing came for a while: an ESC that stands alone is the key.
  std::vector<Key> flush();
  // Whether a pause would show what the bytes so far mean. What has certainly begun as a sequence is waited for.
  bool waits() const { return !rest_.empty() && rest_.size() <= 2 && !pasting_; }

 private:
  bool take(std::vector<Key>& out);
  std::string rest_, pasted_;
  bool pasting_ = false;
};

}  // namespace sparky::tui
