#include "tui/app.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ftxui/screen/terminal.hpp>

#include "base/files.h"
#include "base/text.h"
#include "tui/keys.h"
#include "tui/output.h"
#include "tui/painter.h"
#include "tui/screens.h"
#include "tui/talk.h"
#include "wire/fields.h"

extern char** environ;

namespace sparky::tui {
namespace {

using namespace std::chrono_literals;

// What a signal handler needs to put the terminal back; set while it is ours.
struct {
  termios before{};
  char bytes[512] = {};
  size_t size = 0;
  volatile sig_atomic_t ours = 0;
} restore;

void put_back() {
  if (!restore.ours) return;
  restore.ours = 0;
  (void)!::write(STDOUT_FILENO, restore.bytes, restore.size);
  ::tcflush(STDIN_FILENO, TCIFLUSH);  // what is still unread was meant for this program
  ::tcsetattr(STDIN_FILENO, TCSANOW, &restore.before);
}

void on_crash(int signal) {
  put_back();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

// On a stack of its own: the crash may be that there was no more.
void watch_for_crashes() {
  static char stack[1 << 16];
  stack_t own{.ss_sp = stack, .ss_flags = 0, .ss_size = sizeof stack};
  ::sigaltstack(&own, nullptr);
  struct sigaction action{};
  action.sa_handler = on_crash;
  action.sa_flags = SA_ONSTACK;
  for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::sigaction(s, &action, nullptr);
}

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n > 0) {
      bytes.remove_prefix(size_t(n));
    } else if (errno == EAGAIN) {
      pollfd p{STDOUT_FILENO, POLLOUT, 0};
      ::poll(&p, 1, 100);
    } else if (errno != EINTR) {
      return;
    }
  }
}

class Ours {
 public:
  explicit Ours(const Terminal& terminal) : terminal_(terminal) {
    ::tcgetattr(STDIN_FILENO, &restore.before);
    auto leave = leave_screen(terminal);
    restore.size = std::min(leave.size(), sizeof restore.bytes);
    std::memcpy(restore.bytes, leave.data(), restore.size);
    take();
  }
  ~Ours() { put_back(); }
  void take() {
    termios raw = restore.before;
    raw.c_iflag &= ~tcflag_t(IXON | ICRNL | INLCR | BRKINT | ISTRIP);
    raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    restore.ours = 1;
    write_all(enter_screen());
  }
  void release() { put_back(); }

 private:
  Terminal terminal_;
};

sigset_t signals_of_ours() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGCONT}) sigaddset(&set, s);
  return set;
}

// What the terminal can do. Pictures pass through tmux only where tmux itself draws them.
// `typed`: keys that came meanwhile.
Terminal find_terminal(std::string& typed) {
  auto terminal = detect(STDIN_FILENO, STDOUT_FILENO, 300ms, &typed);
  if (terminal.tmux && environment().graphics.empty() && terminal.graphics != Graphics::sixel)
    terminal.graphics = Graphics::symbols;
  using ftxui::Terminal::SetColorSupport;
  SetColorSupport(terminal.colors == Colors::truecolor ? ftxui::Terminal::TrueColor
                  : terminal.colors == Colors::ansi256 ? ftxui::Terminal::Palette256
                                                       : ftxui::Terminal::Palette16);
  return terminal;
}

void take_size(Model& model, Terminal& terminal) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return;
  model.width = terminal.columns = size.ws_col;
  model.height = terminal.rows = size.ws_row;
  if (size.ws_xpixel < size.ws_col || size.ws_ypixel < size.ws_row) return;  // it does not say
  terminal.cell_width = size.ws_xpixel / size.ws_col;
  terminal.cell_height = size.ws_ypixel / size.ws_row;
}

// The process that opens it; 0: it could not be started, and that is said.
pid_t open_folder(const std::string& path, Model& model) {
  std::string program = "xdg-open", argument = path;
  char* argv[] = {program.data(), argument.data(), nullptr};
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  for (int fd : {0, 1, 2}) posix_spawn_file_actions_addopen(&quiet, fd, "/dev/null", O_RDWR, 0);
  posix_spawnattr_t usual;
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_init(&usual);
  posix_spawnattr_setflags(&usual, POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigmask(&usual, &none);
  pid_t pid = 0;
  int err = ::posix_spawnp(&pid, program.c_str(), &quiet, &usual, argv, environ);
  posix_spawn_file_actions_destroy(&quiet);
  posix_spawnattr_destroy(&usual);
  if (err == 0) return pid;
  model.say(fmt::format("xdg-open: {}; the folder is {}", std::strerror(err), path), true);
  return 0;
}

void remember(const Model& model, const std::filesystem::path& file) {
  if (file.empty()) return;
  Json fields = Json::array();
  for (auto& field : model.generation.fields) fields.push_back(field.text);
  (void)write_file_atomic(file, json_text(Json{{"history", model.generation.history}, {"fields", fields}}),
                          {.sync = false, .mode = 0600});
}

void recall(Model& model, const std::filesystem::path& file) {
  auto bytes = file.empty() ? Result<std::string>("") : read_file(file, 1 << 20);
  auto json = bytes ? parse_json(*bytes) : fail(Errc::not_found, "");
  if (!json || !json->is_object()) return;
  for (auto& prompt : json->value("history", Json::array()))
    if (prompt.is_string()) model.generation.history.push_back(one_line(prompt.get<std::string>()));
  auto fields = json->value("fields", Json::array());
  for (size_t i = 0; i < fields.size() && i < Generation::field_count; ++i)
    if (fields[i].is_string()) model.generation.fields[i].set(one_line(fields[i].get<std::string>()));
}

constexpr auto frame_time = 16ms;  // at most some 60 frames a second
constexpr auto farewell_max = 1s;  // for the answers to the last frames

class App {
 public:
  explicit App(const AppOptions& options)
      : options_(options),
        stage_(find_terminal(typed_early_)),
        painter_(stage_.terminal),
        ours_(stage_.terminal),
        output_(STDOUT_FILENO, stage_.terminal.answers),
        talk_(options.connect) {
    model_.local = options.local;
    model_.now = now();
    take_size(model_, stage_.terminal);
    recall(model_, options.memory);
    auto set = signals_of_ours();
    signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  void run() {
    press(keys_.feed(typed_early_));
    paint();
    while (!leaving_) {
      wait();
      model_.now = now();
      changed_ |= stage_.moves && model_.now >= *stage_.moves;
      take_signals();
      take_keys();
      for (auto& came : talk_.take()) came.act(model_), changed_ |= came.shows;
      std::erase_if(opened_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
      Effects effects;
      refresh(model_, missing_, effects);
      carry_out(effects);
      if (!leaving_) paint();
    }
    farewell();
    remember(model_, options_.memory);
  }

 private:
  // A second at most: times that are shown go on. Less when lists are due to be asked for again, or a frame is.
  void wait() {
    pollfd fds[] = {{STDIN_FILENO, POLLIN, 0},
                    {talk_.fd(), POLLIN, 0},
                    {signals_.get(), POLLIN, 0},
                    {output_.fd(), short(output_.blocked() ? POLLOUT : 0), 0}};
    auto ceil = [](auto duration) { return std::chrono::ceil<std::chrono::milliseconds>(duration); };
    auto now = Output::Clock::now();
    auto timeout = ceil(painted_ + 1s - now);
    if (late_) timeout = std::min(timeout, ceil(painted_ + frame_time - now));
    if (stage_.moves && !changed_) timeout = std::min(timeout, *stage_.moves - model_.now);
    if (refresh_soon(model_)) timeout = std::min(timeout, 100ms);
    if (keys_.waits()) timeout = std::min(timeout, 30ms);
    ::poll(fds, 4, int(std::max(0ms, timeout).count()));
    changed_ |= Output::Clock::now() >= painted_ + 1s;
    input_ = fds[0].revents != 0;
    if (fds[3].revents & POLLOUT) output_.pump();
    if ((fds[0].revents & (POLLHUP | POLLERR)) || output_.broken()) leaving_ = true;  // the terminal is gone
  }

  void take_signals() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      changed_ = true;
      if (info.ssi_signo == SIGWINCH) {
        take_size(model_, stage_.terminal);
        painter_.forget();
      } else if (info.ssi_signo != SIGCONT) {
        leaving_ = true;
      }
    }
  }

  void take_keys() {
    std::vector<Key> keys;
    char buffer[4096];
    ssize_t n = input_ ? ::read(STDIN_FILENO, buffer, sizeof buffer) : 0;
    if (n > 0)
      keys = keys_.feed({buffer, size_t(n)});
    else if (keys_.waits())
      keys = keys_.flush();
    press(keys);
  }

  void press(const std::vector<Key>& keys) {
    for (auto& key : keys) {
      if (key.name == "answer") {
        output_.set_answers(true);
        output_.heard();
      } else if (key.name == "click") {
        typed_ = true;
        // The topmost thing under the pointer: what was drawn last.
        auto hit = std::find_if(stage_.spots.rbegin(), stage_.spots.rend(),
                                [&](auto& spot) { return spot->box.Contain(key.x, key.y); });
        if (hit != stage_.spots.rend()) carry_out(handle(model_, Spot(**hit)));
      } else {
        typed_ = true;
        carry_out(handle(model_, key));
      }
    }
  }

  void carry_out(Effects effects) {
    for (auto& ask : effects.asks) talk_.ask(std::move(ask));
    if (effects.quit) leaving_ = true;
    if (effects.repaint) painter_.forget();
    if (!effects.copy.empty()) output_.say("\x1b]52;c;" + wire::base64(effects.copy) + "\x07");
    if (!effects.open.empty())
      if (pid_t pid = open_folder(effects.open, model_)) opened_.push_back(pid);
    if (!effects.write_path.empty()) {
      auto written = write_file_atomic(effects.write_path, effects.write_bytes, {.sync = false});
      model_.say(written ? effects.write_path + " is written" : written.error().text(), !written);
    }
    if (effects.example && options_.write_example) {
      auto written = options_.write_example();
      if (!written) model_.say(written.error().text(), true);
      if (written) talk_.ask(run_of(model_.project));
    }
    if (effects.suspend) suspend();
  }

  void suspend() {
    farewell();
    ours_.release();
    ::kill(0, SIGTSTP);  // the whole job, as the shell's own ^Z does; here again after fg
    ours_.take();
    take_size(model_, stage_.terminal);
    painter_.forget();
  }

  // Until the terminal has answered what it was asked: the shell must not find the answers as keys.
  void farewell() {
    auto end = Output::Clock::now() + farewell_max;
    while ((output_.blocked() || output_.unanswered() > 0) && !output_.broken()) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Output::Clock::now());
      if (left <= 0ms) return;
      pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {output_.fd(), short(output_.blocked() ? POLLOUT : 0), 0}};
      ::poll(fds, 2, int(left.count()));
      if (fds[1].revents & POLLOUT) output_.pump();
      char buffer[4096];
      ssize_t n = fds[0].revents & POLLIN ? ::read(STDIN_FILENO, buffer, sizeof buffer) : 0;
      if (fds[0].revents && n <= 0) return;
      for (auto& key : keys_.feed({buffer, size_t(n)}))
        if (key.name == "answer") output_.heard();
    }
  }

  // What a key did is shown at once; what else moves, sixty times a second at most; and nothing while the line is full.
  void paint() {
    auto now = Output::Clock::now();
    if (!changed_ && !typed_) return;
    late_ = !typed_ && now < painted_ + frame_time;
    if (late_ || !output_.ready(now)) return;
    typed_ = changed_ = false;
    painted_ = now;
    stage_.begin();
    stage_.time.begin(picture_time);
    ftxui::Screen screen(model_.width, model_.height);
    screen.SetCursor({0, 0, ftxui::Screen::Cursor::Hidden});
    ftxui::Render(screen, draw(model_, stage_));
    output_.send(painter_.paint(std::move(screen), stage_.placements, stage_.time), now);
    changed_ = stage_.time.unfinished();
    missing_ = stage_.missing;
  }

  const AppOptions& options_;
  std::string typed_early_;
  Stage stage_;
  Painter painter_;
  Ours ours_;
  Output output_;
  Model model_;
  Talk talk_;
  KeyReader keys_;
  Fd signals_;
  std::vector<std::string> missing_;
  std::vector<pid_t> opened_;  // file managers
  Output::Clock::time_point painted_{};
  bool leaving_ = false, input_ = false;
  bool typed_ = true, changed_ = true;  // since the last frame: a key, or anything else that it may show
  bool late_ = false;                   // a frame is due, a little later
};

}  // namespace

Status run_app(const AppOptions& options) {
  if (!::isatty(STDIN_FILENO) || !::isatty(STDOUT_FILENO))
    return fail(Errc::unavailable, "the terminal studio needs a terminal", "`sparky --help` lists the commands");
  if (auto wanted = environment().graphics; !wanted.empty() && !parse_graphics(wanted))
    return fail(Errc::invalid, fmt::format("SPARKY_GRAPHICS is '{}'", printable(wanted)),
                "one of kitty, iterm2, sixel, symbols; unset, the terminal is asked");
  auto set = signals_of_ours();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &set, &before);
  ::signal(SIGPIPE, SIG_IGN);
  watch_for_crashes();
  App(options).run();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

}  // namespace sparky::tui
