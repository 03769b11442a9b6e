#include "studio/sprite_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "studio/models.h"

extern char** environ;

namespace sparky::studio {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxLine = 64u << 20;

fs::path program_folder() {
  std::error_code ec;
  return fs::read_symlink("/proc/self/exe", ec).parent_path();
}

}  // namespace

Result<fs::path> find_sprite_program() {
  auto beside = program_folder() / "sparky-sprite";
  if (::access(beside.c_str(), X_OK) == 0) return beside;
  const char* path = std::getenv("PATH");
  for (auto folder : split(path ? path : "", ':')) {
    auto p = fs::path(folder) / "sparky-sprite";
    if (!folder.empty() && ::access(p.c_str(), X_OK) == 0) return p;
  }
  return fail(Errc::unavailable,
              fmt::format("sparky-sprite is neither beside this program ({}) nor in PATH", beside.string()),
              "build it with libtorch: cmake -DSPARKY_TORCH=ON, target sparky-sprite");
}

std::vector<fs::path> model_folders() {
  std::vector<fs::path> folders;
  if (const char* env = std::getenv("SPARKY_MODELS")) folders.emplace_back(env);
  auto bin = program_folder();
  folders.push_back(bin / "../share/sparky/models");
  folders.push_back(bin / "../../../models");
  return folders;
}

Result<fs::path> find_model(const std::string& name) {
  if (fs::is_directory(name)) return fs::absolute(name);
  std::string shown;
  for (const auto& folder : model_folders()) {
    auto p = folder / name;
    if (fs::is_directory(p)) return fs::weakly_canonical(p);
    shown += (shown.empty() ? "" : ", ") + p.lexically_normal().string();
  }
  return fail(Errc::not_found, fmt::format("there is no model '{}' (looked for {})", name, shown),
              "name a model's folder, or set SPARKY_MODELS to the folder that holds it");
}

Result<fs::path> find_lora(const std::string& name) {
  const std::string stem = fs::path(name).extension() == ".safetensors" ? fs::path(name).stem().string() : name;
  for (const ModelFile& model : find_models(model_folders())) {
    if (model.type == "lora" && model.name == stem) return model.path;
  }
  return fail(Errc::not_found, fmt::format("there is no LoRA '{}'", name),
              "`sparky models` names those there are; `sparky train --lora` makes one");
}

Result<SpriteProcess> SpriteProcess::start(const std::vector<std::string>& arguments) {
  SPARKY_ASSIGN(fs::path program, find_sprite_program());
  int to[2], from[2];
  if (::pipe2(to, O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  Fd to_read(to[0]), to_write(to[1]);
  if (::pipe2(from, O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  Fd from_read(from[0]), from_write(from[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to_read.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, from_write.get(), 1);
  std::string path = program.string();
  std::vector<char*> argv{path.data()};
  for (auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  int e = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (e != 0) return fail_errno(e, "cannot start " + path);
  return SpriteProcess(pid, std::move(to_write), std::move(from_read));
}

SpriteProcess::SpriteProcess(SpriteProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      in_(std::move(other.in_)),
      out_(std::move(other.out_)),
      buffer_(std::move(other.buffer_)) {}

SpriteProcess::~SpriteProcess() {
  if (pid_ < 0) return;
  in_.reset();
  out_.reset();
  Fd handle(int(::syscall(SYS_pidfd_open, pid_, 0)));
  pollfd p{handle.get(), POLLIN, 0};
  if (!handle || ::poll(&p, 1, 5000) != 1) ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Status SpriteProcess::send(const Json& message) {
  std::string line = json_text(message) + "\n";
  // A broken pipe is an error to report, no signal to die of.
  struct sigaction ignore{}, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  size_t done = 0;
  int error = 0;
  while (done < line.size() && error == 0) {
    ssize_t n = ::write(in_.get(), line.data() + done, line.size() - done);
    if (n >= 0) {
      done += size_t(n);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  ::sigaction(SIGPIPE, &before, nullptr);
  if (error == EPIPE) return fail(Errc::unavailable, describe_end());
  if (error != 0) return fail_errno(error, "cannot write to sparky-sprite");
  return {};
}

Error error_of(const Json& event) {
  Error e{Errc::internal, event.value("message", "sparky-sprite failed"), event.value("help", "")};
  auto code = event.value("code", "");
  if (code == "invalid") e.code = Errc::invalid;
  if (code == "cancelled") e.code = Errc::cancelled;
  return e;
}

void SpriteProcess::kill() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

Result<Json> SpriteProcess::receive() {
  for (;;) {
    SPARKY_ASSIGN(auto event, receive(Duration(-1)));
    if (event) return std::move(*event);
  }
}

Result<std::optional<Json>> SpriteProcess::receive(Duration timeout) {
  for (;;) {
    if (auto end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return parse_json(line, {.bytes = kMaxLine, .depth = 16});
    }
    if (buffer_.size() > kMaxLine) return fail(Errc::invalid, "sparky-sprite sent a line without end");
    pollfd p{out_.get(), POLLIN, 0};
    if (timeout.count() >= 0 && ::poll(&p, 1, int(timeout.count())) <= 0) return std::nullopt;
    char chunk[65536];
    ssize_t n = ::read(out_.get(), chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "cannot read from sparky-sprite");
    if (n == 0) return fail(Errc::unavailable, describe_end());
    buffer_.append(chunk, size_t(n));
  }
}

std::string SpriteProcess::describe_end() {
  int status = 0;
  in_.reset();
  pid_t pid = std::exchange(pid_, -1);
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    int s = WTERMSIG(status);
    return fmt::format("sparky-sprite was killed by signal {}{}", s, s == SIGKILL ? " (out of memory?)" : "");
  }
  return fmt::format("sparky-sprite ended with exit status {}", WEXITSTATUS(status));
}

}  // namespace sparky::studio
