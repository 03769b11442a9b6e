#include "tui/terminal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/process.h"
#include "base/text.h"

namespace sparky::tui {
namespace {

constexpr std::string_view esc = "\x1b";
constexpr std::string_view graphics_names[] = {"symbols", "sixel", "kitty", "iterm2"};

std::optional<int> number(std::string_view text) {
  int value = 0;
  auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (err != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Luminance of an answer to OSC 11: "rgb:RRRR/GGGG/BBBB", 1 to 4 hex digits each.
std::optional<bool> light_background(std::string_view text) {
  if (!text.starts_with("rgb:")) return std::nullopt;
  auto parts = split(text.substr(4), '/');
  if (parts.size() != 3) return std::nullopt;
  double channel[3];
  for (int i = 0; i < 3; ++i) {
    unsigned value = 0;
    auto part = parts[size_t(i)];
    if (part.empty() || part.size() > 4) return std::nullopt;
    auto [end, err] = std::from_chars(part.data(), part.data() + part.size(), value, 16);
    if (err != std::errc{} || end != part.data() + part.size()) return std::nullopt;
    channel[i] = double(value) / double((1u << (4 * part.size())) - 1);
  }
  return 0.2126 * channel[0] + 0.7152 * channel[1] + 0.0722 * channel[2] > 0.5;
}

void read_csi(std::string_view body, char final, Answers& out) {
  if (final == 'c' && body.starts_with("?")) {
    out.fence = true;
    for (auto part : split(body.substr(1), ';')) out.sixel |= part == "4";
  }
  if (final == 't') {
    auto parts = split(body, ';');
    if (parts.size() != 3 || parts[0] != "6") return;
    auto height = number(parts[1]), width = number(parts[2]);
    if (height && width && *height > 0 && *width > 0 && *height < 1000 && *width < 1000) out.cell = {*width, *height};
  }
}

// A string sequence's body: DCS (P), OSC (]) or APC (_).
void read_string(char kind, std::string_view body, Answers& out) {
  if (kind == '_' && body.starts_with("Gi=31")) out.kitty |= body.find(";OK") != body.npos;
  if (kind == 'P' && body.starts_with(">|")) out.version = printable(body.substr(2, 100));
  if (kind == ']' && body.starts_with("11;")) out.light = light_background(body.substr(3));
}

}  // namespace

std::string_view name(Graphics graphics) { return graphics_names[size_t(graphics)]; }

std::optional<Graphics> parse_graphics(std::string_view text) {
  for (size_t i = 0; i < std::size(graphics_names); ++i)
    if (graphics_names[i] == text) return Graphics(i);
  return std::nullopt;
}

Answers parse_answers(std::string_view bytes) {
  Answers out;
  for (size_t at = bytes.find(esc); at != bytes.npos && at + 1 < bytes.size(); at = bytes.find(esc, at)) {
    char kind = bytes[++at];
    if (kind == '[') {
      size_t end = at + 1;
      while (end < bytes.size() && (bytes[end] < 0x40 || bytes[end] > 0x7e)) ++end;
      if (end == bytes.size()) break;
      read_csi(bytes.substr(at + 1, end - at - 1), bytes[end], out);
      at = end;
    } else if (kind == 'P' || kind == ']' || kind == '_') {
      auto end = bytes.find_first_of("\x1b\x07", at);
      if (end == bytes.npos) break;
      read_string(kind, bytes.substr(at + 1, end - at - 1), out);
      at = end;
    }
  }
  return out;
}

std::string questions(bool tmux) {
  std::string kitty = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\";
  if (tmux) {  // passed through to the outer terminal (allow-passthrough): each escape doubled
    std::string doubled;
    for (char c : kitty) doubled += c == '\x1b' ? std::string("\x1b\x1b") : std::string(1, c);
    kitty = "\x1bPtmux;" + doubled + "\x1b\\";
  }
  return kitty + "\x1b[>0q" + "\x1b[16t" + "\x1b]11;?\x1b\\" + "\x1b[c";
}

Environment environment() {
  auto get = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  auto locale = get("LC_ALL");
  if (locale.empty()) locale = get("LC_CTYPE");
  if (locale.empty()) locale = get("LANG");
  return {get("TERM"),     get("COLORTERM"), get("TERM_PROGRAM"),    locale,
          get("NO_COLOR"), get("TMUX"),      get("SPARKY_GRAPHICS"), get("COLORFGBG")};
}

Terminal conclude(const Environment& environment, const Answers& answers) {
  Terminal out;
  out.tmux = !environment.tmux.empty();
  auto locale = lower(environment.lang);
  out.unicode = locale.find("utf-8") != locale.npos || locale.find("utf8") != locale.npos;
  auto version = lower(answers.version);
  bool iterm = version.starts_with("iterm2") || (version.empty() && environment.term_program == "iTerm.app");
  out.graphics = answers.kitty   ? Graphics::kitty
                 : iterm         ? Graphics::iterm2
                 : answers.sixel ? Graphics::sixel
                                 : Graphics::symbols;
  if (auto wanted = parse_graphics(environment.graphics)) out.graphics = *wanted;

  bool terms_with_truecolor = environment.term.find("direct") != std::string::npos ||
                              environment.term.find("kitty") != std::string::npos || answers.kitty;
  if (!environment.no_color.empty() || environment.term == "dumb")
    out.colors = Colors::none;
  else if (environment.colorterm == "truecolor" || environment.colorterm == "24bit" || terms_with_truecolor)
    out.colors = Colors::truecolor;
  else if (environment.term.find("256") != std::string::npos)
    out.colors = Colors::ansi256;
  else
    out.colors = Colors::ansi16;

  // COLORFGBG, as rxvt and Konsole set it: "0;15", the background last; white and light grey are light.
  auto background = std::string_view(environment.colorfgbg).substr(environment.colorfgbg.find_last_of(';') + 1);
  if (auto index = number(background)) out.light = *index == 7 || *index == 15;
  if (answers.light) out.light = answers.light;
  out.answers = answers.fence;
  if (answers.cell) std::tie(out.cell_width, out.cell_height) = *answers.cell;
  return out;
}

namespace {

void add_window_size(int out, Terminal& terminal, bool cell_known) {
  winsize size{};
  if (::ioctl(out, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return;
  terminal.columns = size.ws_col;
  terminal.rows = size.ws_row;
  if (!cell_known && size.ws_xpixel >= size.ws_col && size.ws_ypixel >= size.ws_row) {
    terminal.cell_width = size.ws_xpixel / size.ws_col;
    terminal.cell_height = size.ws_ypixel / size.ws_row;
  }
}

std::string ask(int in, int out, bool tmux, std::chrono::milliseconds limit) {
  termios before{};
  if (::tcgetattr(in, &before) != 0) return {};
  termios raw = before;
  raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(in, TCSANOW, &raw);
  auto asked = questions(tmux);
  std::string heard;
  if (::write(out, asked.data(), asked.size()) == ssize_t(asked.size())) {
    auto end = std::chrono::steady_clock::now() + limit;
    while (!parse_answers(heard).fence && heard.size() < 65536) {
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
      pollfd wait{in, POLLIN, 0};
      if (left <= 0 || ::poll(&wait, 1, int(left)) <= 0) break;
      char buffer[4096];
      ssize_t n = ::read(in, buffer, sizeof buffer);
      if (n <= 0) break;
      heard.append(buffer, size_t(n));
    }
  }
  ::tcsetattr(in, TCSANOW, &before);
  return heard;
}

// What of the heard bytes was no answer but typed by a person: everything outside escape sequences.
std::string without_sequences(std::string_view bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size(); ++at) {
    if (bytes[at] != '\x1b') {
      out += bytes[at];
      continue;
    }
    if (at + 1 == bytes.size()) break;
    char kind = bytes[++at];
    if (kind == '[') {
      while (++at < bytes.size() && (bytes[at] < 0x40 || bytes[at] > 0x7e)) {
      }
    } else if (kind == 'P' || kind == ']' || kind == '_') {
      while (++at < bytes.size() && bytes[at] != '\x07' && bytes[at] != '\x1b') {
      }
      if (at < bytes.size() && bytes[at] == '\x1b') ++at;  // the backslash of ST
    }
  }
  return out;
}

}  // namespace

bool tmux_shows_sixels() {
  auto said = run_program({"tmux", "display-message", "-p", "#{client_termfeatures}"}, {.timeout = Duration(1000)});
  if (!said || !said->ok()) return false;
  auto features = split(trim(said->out), ',');
  return std::ranges::find(features, "sixel") != features.end();
}

Terminal detect(int in, int out, std::chrono::milliseconds limit, std::string* typed) {
  auto env = environment();
  std::string heard;
  bool ask_it = ::isatty(in) && ::isatty(out) && env.term != "dumb";
  if (ask_it) heard = ask(in, out, !env.tmux.empty(), limit);
  if (typed) *typed = without_sequences(heard);
  auto answers = parse_answers(heard);
  if (answers.sixel && !env.tmux.empty()) answers.sixel = tmux_shows_sixels();
  auto terminal = conclude(env, answers);
  add_window_size(out, terminal, answers.cell.has_value());
  return terminal;
}

}  // namespace sparky::tui
