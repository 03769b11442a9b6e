#include "agents/sandbox.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/files.h"
#include "base/process.h"
#include "base/text.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

fs::path home() {
  const char* home = std::getenv("HOME");
  return home && *home == '/' ? fs::path(home) : fs::path();
}

// Where people keep what no agent needs.
constexpr std::string_view hidden_below_home[] = {".ssh",
                                                  ".gnupg",
                                                  ".aws",
                                                  ".azure",
                                                  ".kube",
                                                  ".docker",
                                                  ".config/gh",
                                                  ".config/gcloud",
                                                  ".password-store",
                                                  ".mozilla",
                                                  ".local/share/keyrings"};
fs::path no_sandbox_file(const fs::path& project) { return project / ".sparky" / "agents" / "no-sandbox"; }

constexpr std::string_view hidden_files[] = {".netrc", ".git-credentials", ".npmrc", ".pypirc"};

// Of those that Sparky itself may use; another place to begin for each attempt, so that they do not crowd on the first.
std::string cores(int64_t count, std::string_view attempt) {
  cpu_set_t all;
  std::vector<int> usable;
  if (::sched_getaffinity(0, sizeof all, &all) == 0)
    for (int i = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(i, &all)) usable.push_back(i);
  if (usable.empty()) usable.push_back(0);
  std::string out;
  auto first = std::hash<std::string_view>()(attempt);
  for (size_t i = 0; i < std::min(usable.size(), size_t(count)); ++i)
    out += fmt::format("{}{}", out.empty() ? "" : ",", usable[(first + i) % usable.size()]);
  return out;
}

}  // namespace

std::string no_sandbox_here() {
  if (!find_in_path("bwrap")) return "bubblewrap is not installed (apt install bubblewrap)";
  auto tried =
      run_program({"bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid", "true"},
                  {.timeout = Duration(10'000)});
  if (tried && tried->ok()) return {};
  return "bubblewrap cannot work here: " +
         std::string(trim(tried ? std::string_view(tried->err) : std::string_view(tried.error().message)));
}

std::string allowed_without_sandbox(const fs::path& project) {
  auto text = read_file(no_sandbox_file(project), 1u << 16);
  return text ? std::string(trim(*text)) : std::string();
}

Status allow_without_sandbox(const fs::path& project, const std::string& who) {
  return write_file_atomic(no_sandbox_file(project), who + "\n");
}

Confined confine(const Profile& profile, const Task& task, const fs::path& workdir, const fs::path& git_directory) {
  Confined out;
  std::vector<std::string> limits;
  if (profile.memory_mb > 0) limits.push_back(fmt::format("--as={}", profile.memory_mb << 20));
  if (profile.processes > 0) limits.push_back(fmt::format("--nproc={}", profile.processes));
  if (!limits.empty()) limits.insert(limits.begin(), "prlimit"), limits.push_back("--");
  if (profile.cores > 0) limits.insert(limits.begin(), {"taskset", "--cpu-list", cores(profile.cores, task.attempt)});
  if (profile.sandbox == Sandbox::off || !(out.word = no_sandbox_here()).empty()) {
    out.prefix = std::move(limits);
    return out;
  }
  out.sandboxed = true;
  auto& p = out.prefix;
  std::error_code ec;
  auto say = [&](std::initializer_list<std::string> words) { p.insert(p.end(), words); };
  say({"bwrap", "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--ro-bind", "/", "/", "--dev", "/dev", "--proc",
       "/proc", "--tmpfs", "/tmp"});
  auto hide = [&](const fs::path& path) {
    if (fs::is_directory(path, ec))
      say({"--tmpfs", path.string()});
    else if (fs::exists(path, ec))
      say({"--ro-bind", "/dev/null", path.string()});
  };
  hide("/run/user");
  for (auto socket : {"/run/docker.sock", "/run/podman"}) hide(socket);
  if (auto h = home(); !h.empty()) {
    for (auto name : hidden_below_home) hide(h / name);
    for (auto name : hidden_files) hide(h / name);
  }
  for (auto& path : profile.writable) {
    auto where = path.starts_with("~/") ? home() / path.substr(2) : fs::path(path);
    if (where.is_absolute()) say({"--bind-try", where.string(), where.string()});
  }
  // The project may lie below something that was hidden (/tmp).
  for (auto& top : {task.root, task.project}) say({"--ro-bind", top.string(), top.string()});
  say({"--tmpfs", (task.project / ".sparky").string()});
  if (!git_directory.empty()) {
    say({"--bind", git_directory.string(), git_directory.string()});
    for (auto name : {"hooks", "config", "info"})
      if (fs::exists(git_directory / name, ec))
        say({"--ro-bind", (git_directory / name).string(), (git_directory / name).string()});
  }
  say({"--bind", workdir.string(), workdir.string(), "--chdir", workdir.string()});
  if (!profile.network) say({"--unshare-net"});
  say({"--"});
  p.insert(p.end(), limits.begin(), limits.end());
  return out;
}

std::vector<std::string> environment(const Profile& profile, const Task& task) {
  std::vector<std::string> out;
  auto pass = [&](const std::string& name) {
    if (const char* value = std::getenv(name.c_str()); value && !profile.env.contains(name))
      out.push_back(name + "=" + value);
  };
  for (auto name : {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "SHELL", "SSL_CERT_FILE", "SSL_CERT_DIR",
                    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SPARKY_ATTEMPT",
                    "SPARKY_WARDEN"})
    pass(name);
  for (auto& name : profile.secrets) pass(name);
  for (auto& [name, value] : profile.env) out.push_back(name + "=" + value);
  for (auto& [name, value] : task.workstream.env)
    if (!profile.env.contains(name)) out.push_back(name + "=" + value);
  // Without a name of the person's own its commits bear the agent's.
  auto named = run_program({"git", "config", "user.email"}, {.cwd = task.root, .timeout = Duration(10'000)});
  if (!named || !named->ok())
    for (auto who : {"AUTHOR", "COMMITTER"}) {
      out.push_back(fmt::format("GIT_{}_NAME={}", who, profile.name.empty() ? "Sparky" : profile.name));
      out.push_back(fmt::format("GIT_{}_EMAIL=sparky@localhost", who));
    }
  out.push_back("TERM=dumb");
  out.push_back("GIT_TERMINAL_PROMPT=0");
  out.push_back(fmt::format("SPARKY_RUN={}", task.run));
  out.push_back((task.gate ? "SPARKY_GATE=" : "SPARKY_WORKSTREAM=") + task.workstream.id);
  return out;
}

}  // namespace sparky::agents
