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
  ::tcsetattr(STDIN_FILENO, TCSANOW, &restore.before);
}

void on_crash(int signal) {
  put_back();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
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
Terminal find_terminal() {
  auto terminal = detect(STDIN_FILENO, STDOUT_FILENO, 300ms);
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
}

void open_folder(const std::string& path, Model& model) {
  std::string program = "xdg-open", argument = path;
  char* argv[] = {program.data(), argument.data(), nullptr};
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  for (int fd : {1, 2}) posix_spawn_file_actions_addopen(&quiet, fd, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  int err = ::posix_spawnp(&pid, program.c_str(), &quiet, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&quiet);
  if (err != 0) model.say(fmt::format("xdg-open: {}; the folder is {}", std::strerror(err), path), true);
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

class App {
 public:
  explicit App(const AppOptions& options)
      : options_(options),
        stage_(find_terminal()),
        painter_(stage_.terminal),
        ours_(stage_.terminal),
        talk_(options.connect) {
    model_.local = options.local;
    model_.now = now();
    take_size(model_, stage_.terminal);
    recall(model_, options.memory);
    auto set = signals_of_ours();
    signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  void run() {
    paint();
    while (!leaving_) {
      wait();
      model_.now = now();
      take_signals();
      take_keys();
      for (auto& came : talk_.take()) came(model_);
      Effects effects;
      refresh(model_, missing_, effects);
      carry_out(effects);
      if (!leaving_) paint();
    }
    remember(model_, options_.memory);
  }

 private:
  // A second at most: times that are shown go on. Less when lists are due to be asked for again.
  void wait() {
    pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {talk_.fd(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    bool soon = model_.jobs_due.stale || model_.plan.due.stale || model_.gallery.due.stale;
    int timeout = keys_.waits() ? 30 : soon && model_.connected ? 100 : 500;
    ::poll(fds, 3, timeout);
    input_ = fds[0].revents != 0;
    if (fds[0].revents & (POLLHUP | POLLERR)) leaving_ = true;  // the terminal is gone
  }

  void take_signals() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
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
    for (auto& key : keys) {
      if (key.name == "click") {
        // The topmost thing under the pointer: what was drawn last.
        auto hit = std::find_if(stage_.spots.rbegin(), stage_.spots.rend(),
                                [&](auto& spot) { return spot->box.Contain(key.x, key.y); });
        if (hit != stage_.spots.rend()) carry_out(handle(model_, Spot(**hit)));
      } else {
        carry_out(handle(model_, key));
      }
    }
  }

  void carry_out(Effects effects) {
    for (auto& ask : effects.asks) talk_.ask(std::move(ask));
    if (effects.quit) leaving_ = true;
    if (effects.repaint) painter_.forget();
    if (!effects.copy.empty()) write_all("\x1b]52;c;" + wire::base64(effects.copy) + "\x07");
    if (!effects.open.empty()) open_folder(effects.open, model_);
    if (effects.suspend) suspend();
  }

  void suspend() {
    ours_.release();
    ::kill(0, SIGTSTP);  // the whole job, as the shell's own ^Z does; here again after fg
    ours_.take();
    take_size(model_, stage_.terminal);
    painter_.forget();
  }

  void paint() {
    stage_.begin();
    ftxui::Screen screen(model_.width, model_.height);
    screen.SetCursor({0, 0, ftxui::Screen::Cursor::Hidden});
    ftxui::Render(screen, draw(model_, stage_));
    write_all(painter_.paint(screen, stage_.placements));
    missing_ = stage_.missing;
  }

  const AppOptions& options_;
  Stage stage_;
  Painter painter_;
  Ours ours_;
  Model model_;
  Talk talk_;
  KeyReader keys_;
  Fd signals_;
  std::vector<std::string> missing_;
  bool leaving_ = false, input_ = false;
};

}  // namespace

Status run_app(const AppOptions& options) {
  if (!::isatty(STDIN_FILENO) || !::isatty(STDOUT_FILENO))
    return fail(Errc::unavailable, "the terminal studio needs a terminal", "`sparky --help` lists the commands");
  auto set = signals_of_ours();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &set, &before);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGCHLD, SIG_IGN);  // file managers that were opened
  for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::signal(s, on_crash);
  App(options).run();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

}  // namespace sparky::tui
