#include "tui/keys.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/text.h"

namespace sparky::tui {
namespace {

constexpr std::string_view paste_end = "\x1b[201~";
constexpr size_t sequence_max = 64, paste_max = 1 << 20;

Key named(std::string name) { return {std::move(name), "", 0, 0}; }

// Bytes of a UTF-8 character by its first byte; 0: none starts so.
size_t utf8_length(unsigned char c) {
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c < 0xe0) return 2;
  if (c >= 0xe0 && c < 0xf0) return 3;
  if (c >= 0xf0 && c < 0xf5) return 4;
  return 0;
}

std::vector<int> numbers(std::string_view text) {
  std::vector<int> out;
  for (auto part : split(text, ';')) {
    int value = 0;
    std::from_chars(part.data(), part.data() + part.size(), value);
    out.push_back(value);
  }
  return out;
}

std::optional<Key> mouse(std::string_view body, char final) {
  auto n = numbers(body);
  if (n.size() != 3 || n[1] < 1 || n[2] < 1) return std::nullopt;
  int x = n[1] - 1, y = n[2] - 1, button = n[0] & ~(4 | 8 | 16);  // without shift, meta, control
  if (button == 64) return Key{"wheel-up", "", x, y};
  if (button == 65) return Key{"wheel-down", "", x, y};
  if (button == 0 && final == 'M') return Key{"click", "", x, y};
  return std::nullopt;
}

// CSI: parameters and the final byte.
std::optional<Key> control(std::string_view body, char final) {
  if (body.starts_with("<") && (final == 'M' || final == 'm')) return mouse(body.substr(1), final);
  static constexpr std::pair<char, const char*> letters[] = {
      {'A', "up"}, {'B', "down"}, {'C', "right"}, {'D', "left"}, {'H', "home"},     {'F', "end"},
      {'P', "f1"}, {'Q', "f2"},   {'R', "f3"},    {'S', "f4"},   {'Z', "shift-tab"}};
  for (auto& [letter, name] : letters)
    if (final == letter) return named(name);
  if (final == 'c' && body.starts_with("?")) return named("answer");
  if (final != '~') return std::nullopt;
  static constexpr std::pair<int, const char*> codes[] = {
      {1, "home"}, {2, "insert"}, {3, "delete"}, {4, "end"},  {5, "pageup"}, {6, "pagedown"}, {7, "home"},
      {8, "end"},  {11, "f1"},    {12, "f2"},    {13, "f3"},  {14, "f4"},    {15, "f5"},      {17, "f6"},
      {18, "f7"},  {19, "f8"},    {20, "f9"},    {21, "f10"}, {23, "f11"},   {24, "f12"}};
  auto n = numbers(body);
  for (auto& [code, name] : codes)
    if (n[0] == code) return named(name);
  return std::nullopt;
}

Key control_character(char c) {
  switch (c) {
    case '\r':
    case '\n':
      return named("enter");
    case '\t':
      return named("tab");
    case '\b':
    case '\x7f':
      return named("backspace");
    case '\0':
      return named("ctrl-space");
    default:
      if (c >= 1 && c <= 26) return named(std::string("ctrl-") + char('a' + c - 1));
      return named("control");
  }
}

}  // namespace

std::vector<Key> KeyReader::feed(std::string_view bytes) {
  rest_ += bytes;
  std::vector<Key> out;
  while (!rest_.empty() && take(out)) {
  }
  return out;
}

std::vector<Key> KeyReader::flush() {
  std::vector<Key> out;
  if (!waits()) return out;
  if (!rest_.empty() && rest_[0] == '\x1b') {
    out.push_back(named("esc"));
    rest_.erase(0, 1);
    for (auto& key : feed("")) out.push_back(std::move(key));
  }
  rest_.clear();  // half a character
  return out;
}

// Takes one key from the front; false: more bytes are needed.
bool KeyReader::take(std::vector<Key>& out) {
  if (pasting_) {
    auto end = rest_.find(paste_end);
    if (end == rest_.npos && rest_.size() < paste_max) return false;
    out.push_back({"paste", rest_.substr(0, end), 0, 0});
    pasting_ = end == rest_.npos;
    rest_.erase(0, end == rest_.npos ? rest_.size() : end + paste_end.size());
    return true;
  }
  auto c = static_cast<unsigned char>(rest_[0]);
  if (c != 0x1b) {
    auto length = c < 0x20 || c == 0x7f ? 1 : utf8_length(c);
    if (length == 0) return rest_.erase(0, 1), true;
    if (rest_.size() < length) return false;
    auto text = rest_.substr(0, length);
    rest_.erase(0, length);
    if (c < 0x20 || c == 0x7f)
      out.push_back(control_character(char(c)));
    else if (!invalid_utf8(text) && printable(text) == text)
      out.push_back({text == " " ? "space" : text, text, 0, 0});
    return true;
  }
  if (rest_.size() < 2) return false;
  char kind = rest_[1];
  if (kind == 'O') {  // SS3: application cursor keys
    if (rest_.size() < 3) return false;
    if (auto key = control("", rest_[2])) out.push_back(*key);
    rest_.erase(0, 3);
    return true;
  }
  if (kind == '[') {
    size_t end = 2;
    while (end < rest_.size() && (rest_[end] < 0x40 || rest_[end] > 0x7e) && end < sequence_max) ++end;
    if (end == rest_.size()) return false;
    auto body = rest_.substr(2, end - 2);
    char final = rest_[end];
    rest_.erase(0, end + 1);
    if (final == '~' && body == "200") {
      pasting_ = true;
    } else if (auto key = control(body, final)) {
      out.push_back(*key);
    }
    return true;
  }
  if (kind == 'P' || kind == ']' || kind == '_') {  // an answer of the terminal that came late
    auto end = rest_.find_first_of("\x1b\x07", 2);
    if (end == rest_.npos) {
      if (rest_.size() < paste_max) return false;
      rest_.clear();
      return true;
    }
    rest_.erase(0, rest_[end] == '\x07' ? end + 1 : std::min(rest_.size(), end + 2));
    return true;
  }
  rest_.erase(0, 1);  // ESC before something else: the key alone (Alt is not told apart)
  out.push_back(named("esc"));
  return true;
}

}  // namespace sparky::tui
