#include "telemetry/environment.h"

#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <langinfo.h>
#include <locale.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/hash.h"
#include "base/process.h"
#include "base/text.h"
#include "base/time.h"
#include "telemetry/host.h"
#include "telemetry/schema.h"

namespace sparky::telemetry {
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

using Unknowns = std::vector<Unknown>;

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(printable(text)); }

// What a short tool prints; empty if it is not there, fails or hangs. LC_ALL=C: the same words everywhere.
std::string ask(const std::vector<std::string>& argv, const fs::path& directory = {}) {
  auto result = run_program(argv, {.cwd = directory, .env = {"LC_ALL=C"}, .timeout = 10s});
  return result && result->code == 0 ? result->out : std::string{};
}

std::string first_line(const std::string& text) { return std::string(trim(text.substr(0, text.find('\n')))); }

std::map<std::string, std::string> os_release() {
  std::map<std::string, std::string> out;
  for (std::string_view line : Host().lines("/etc/os-release")) {
    size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    auto value = trim(line.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    out[std::string(line.substr(0, equals))] = printable(value);
  }
  return out;
}

Json read_locale() {
  auto variable = [](std::initializer_list<const char*> names) -> std::string {
    for (auto name : names)
      if (const char* value = std::getenv(name); value && *value) return printable(value);
    return {};
  };
  std::string encoding;
  if (locale_t locale = ::newlocale(LC_ALL_MASK, "", nullptr)) {
    encoding = ::nl_langinfo_l(CODESET, locale);
    ::freelocale(locale);
  }
  auto zone = variable({"TZ"});
  if (zone.empty()) {
    auto link = Host().link_target("/etc/localtime");  // …/zoneinfo/Europe/Berlin
    size_t at = link.find("zoneinfo/");
    zone = at == std::string::npos ? Host().line("/etc/timezone").value_or("UTC") : link.substr(at + 9);
  }
  return {
      {"language", variable({"LC_ALL", "LC_CTYPE", "LANG"})}, {"encoding", encoding}, {"timezone", printable(zone)}};
}

// Tools that shape what a build or a run gives: the name, and how each says its version.
const std::vector<std::vector<std::string>>& tools() {
  static const std::vector<std::vector<std::string>> list = {
      {"gcc", "--version"},     {"g++", "--version"},     {"clang", "--version"},   {"clang++", "--version"},
      {"ld", "--version"},      {"cmake", "--version"},   {"ninja", "--version"},   {"make", "--version"},
      {"python3", "--version"}, {"perl", "-v"},           {"node", "--version"},    {"rustc", "--version"},
      {"go", "version"},        {"nvcc", "--version"},    {"git", "--version"},     {"sh"},
      {"jq", "--version"},      {"awk", "-W", "version"}, {"sqlite3", "--version"}, {"docker", "--version"},
      {"just", "--version"},    {"nu", "--version"}};
  return list;
}

Json read_toolchain(Json& programs) {
  Json out = Json::array();
  for (const auto& command : tools()) {
    auto path = find_program(command[0]);
    if (path.empty()) continue;
    std::string version;
    if (command[0] == "sh") {  // a shell has no version option: the program behind the name says which it is
      std::error_code ec;
      version = fs::canonical(path, ec).filename().string();
    } else {
      for (const auto& line : words(ask(command), '\n')) {
        bool tells = command[0] != "nvcc" || line.find("release") != std::string::npos;  // nvcc starts with its name
        if (tells && version.empty()) version = std::string(trim(line));
      }
    }
    if (version.empty()) continue;
    out.push_back({{"name", command[0]}, {"version", printable(version)}});
    programs[command[0]] = printable(path);
  }
  return out;
}

Json read_packages(Unknowns& unknown) {
  Json out = Json::array();
  auto list = ask({"dpkg-query", "-W", "-f", "${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"});
  for (const auto& line : words(list, '\n')) {
    auto fields = words(line, '\t');
    if (fields.size() == 4 && fields[0].starts_with("ii"))
      out.push_back({{"name", fields[1]}, {"version", fields[2]}, {"architecture", fields[3]}});
  }
  if (out.empty())
    for (const auto& line : words(ask({"rpm", "-qa", "--qf", "%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n"}), '\n'))
      if (auto fields = words(line, '\t'); fields.size() == 3)
        out.push_back({{"name", fields[0]}, {"version", fields[1]}, {"architecture", fields[2]}});
  if (out.empty()) unknown.push_back({"packages", "neither dpkg-query nor rpm lists any"});
  return out;
}

Json read_python_packages(Unknowns& unknown) {
  Json out = Json::array();
  auto list = ask({"python3", "-c",
                   "import importlib.metadata as m\n"
                   "for n, v in sorted({(d.metadata['Name'] or '', d.version or '') for d in m.distributions()}):\n"
                   "    print(n, v, sep='\\t')"});
  for (const auto& line : words(list, '\n'))
    if (auto fields = words(line, '\t'); fields.size() == 2)
      out.push_back({{"name", printable(fields[0])}, {"version", printable(fields[1])}});
  if (list.empty() && find_program("python3").empty()) unknown.push_back({"python_packages", "python3 is not here"});
  return out;
}

Json read_git(const fs::path& directory, Unknowns& unknown) {
  if (find_program("git").empty()) {
    unknown.push_back({"git", "git is not installed"});
    return nullptr;
  }
  if (first_line(ask({"git", "rev-parse", "--is-inside-work-tree"}, directory)) != "true") {
    unknown.push_back({"git", "the directory is not a git work tree that this user may read"});
    return nullptr;
  }
  auto changed = words(ask({"git", "status", "--porcelain"}, directory), '\n');
  auto difference = ask({"git", "diff", "HEAD", "--binary"}, directory);
  return {{"commit", or_null(first_line(ask({"git", "rev-parse", "--verify", "HEAD"}, directory)))},
          {"branch", or_null(first_line(ask({"git", "branch", "--show-current"}, directory)))},
          {"remote",
           or_null(without_credentials(first_line(ask({"git", "config", "--get", "remote.origin.url"}, directory))))},
          {"dirty", !changed.empty()},
          {"changed_files", changed.size()},
          {"diff_sha256", difference.empty() ? Json() : Json(sha256_hex(difference))}};
}

std::string container() {
  Host host;
  if (host.exists("/.dockerenv")) return "docker";
  if (host.exists("/run/.containerenv")) return "podman";
  const char* told = std::getenv("container");
  return told ? printable(told) : std::string{};
}

Json read_variables() {
  Json out = Json::object();
  for (char** entry = environ; *entry; ++entry) {
    std::string_view text = *entry;
    size_t equals = text.find('=');
    if (equals == std::string_view::npos || !recordable_variable(text.substr(0, equals))) continue;
    out[std::string(text.substr(0, equals))] = without_credentials(printable(text.substr(equals + 1)));
  }
  return out;
}

}  // namespace

bool recordable_variable(std::string_view name) {
  auto upper_has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  for (auto secret : {"KEY", "TOKEN", "SECRET", "PASS", "CREDENTIAL", "AUTH", "COOKIE"})
    if (upper_has(secret)) return false;
  static const std::vector<std::string_view> exact = {"CC",
                                                      "CXX",
                                                      "CPP",
                                                      "AR",
                                                      "LD",
                                                      "CFLAGS",
                                                      "CXXFLAGS",
                                                      "CPPFLAGS",
                                                      "LDFLAGS",
                                                      "MAKEFLAGS",
                                                      "LD_LIBRARY_PATH",
                                                      "LD_PRELOAD",
                                                      "PYTHONPATH",
                                                      "PYTHONHASHSEED",
                                                      "PYTHONHOME",
                                                      "VIRTUAL_ENV",
                                                      "CONDA_PREFIX",
                                                      "CUDA_HOME",
                                                      "CUDA_PATH",
                                                      "SOURCE_DATE_EPOCH",
                                                      "MALLOC_ARENA_MAX",
                                                      "GLIBC_TUNABLES"};
  if (std::find(exact.begin(), exact.end(), name) != exact.end()) return true;
  for (auto prefix : {"CUDA_VISIBLE_", "CUBLAS_", "NVIDIA_VISIBLE_", "NVIDIA_DRIVER_", "OMP_", "MKL_", "OPENBLAS_",
                      "GOMP_", "TORCH_", "PYTORCH_", "CMAKE_"})
    if (name.starts_with(prefix)) return true;
  return false;
}

std::string without_credentials(std::string url) {
  for (size_t from = 0; (from = url.find("://", from)) != std::string::npos; from += 3) {
    size_t start = from + 3;
    size_t end = url.find_first_of("/ \t\"'", start);
    size_t at = url.substr(0, end).rfind('@');
    if (at != std::string::npos && at > start) url.erase(start, at + 1 - start);
  }
  return url;
}

Json read_environment(const fs::path& directory, const std::string& sparky_version) {
  Unknowns unknown;
  Json doc = {{"schema", "sparky-environment/1"}, {"captured_at", iso(now())}, {"sparky", sparky_version}};
  std::array<char, 256> hostname{};
  ::gethostname(hostname.data(), hostname.size() - 1);
  doc["hostname"] = printable(hostname.data());
  std::error_code ec;
  doc["directory"] = printable(fs::absolute(directory, ec).lexically_normal().string());
  auto os = os_release();
  auto of = [&](const char* key, const char* otherwise) { return os.contains(key) ? os[key] : otherwise; };
  doc["os"] = {{"id", of("ID", "linux")}, {"version", of("VERSION_ID", "")}, {"name", of("PRETTY_NAME", "Linux")}};
  if (os.empty()) unknown.push_back({"os", "/etc/os-release is not there"});
  utsname kernel{};
  ::uname(&kernel);
  doc["kernel"] = {
      {"name", kernel.sysname}, {"release", kernel.release}, {"version", kernel.version}, {"machine", kernel.machine}};
  doc["libc"] = fmt::format("glibc {}", ::gnu_get_libc_version());
  doc["container"] = or_null(container());
  doc["locale"] = read_locale();
  Json programs = Json::object();
  doc["toolchain"] = read_toolchain(programs);
  doc["packages"] = read_packages(unknown);
  doc["python_packages"] = read_python_packages(unknown);
  doc["variables"] = read_variables();
  const char* path = std::getenv("PATH");
  doc["paths"] = {{"path", printable(path ? path : "")}, {"programs", programs}};
  doc["git"] = read_git(directory, unknown);
  doc["unknown"] = Json::array();
  for (const auto& item : unknown) doc["unknown"].push_back({{"what", item.what}, {"why", item.why}});
  doc["fingerprint"] = environment_fingerprint(doc);
  seal(doc);
  return doc;
}

Json environment_properties(const Json& doc) {
  Json out = Json::object();
  for (auto key : {"sparky", "libc", "container"}) out[key] = doc.at(key);
  for (auto group : {"os", "kernel", "locale", "variables"})
    for (const auto& [key, value] : doc.at(group).items()) out[fmt::format("{}.{}", group, key)] = value;
  for (const auto& tool : doc.at("toolchain"))
    out["toolchain." + tool.at("name").get<std::string>()] = tool.at("version");
  for (const auto& package : doc.at("packages"))
    out[fmt::format("packages.{}:{}", package.at("name").get<std::string>(),
                    package.at("architecture").get<std::string>())] = package.at("version");
  for (const auto& package : doc.at("python_packages"))
    out["python_packages." + package.at("name").get<std::string>()] = package.at("version");
  return out;
}

std::string environment_fingerprint(const Json& doc) { return sha256_hex(json_text(environment_properties(doc))); }

std::string source_difference(const Json& was, const Json& now) {
  auto state = [](const Json& git) -> std::string {
    if (git.is_null()) return "no git work tree";
    auto text = git["commit"].is_null() ? "no commit" : "commit " + git["commit"].get<std::string>();
    if (!git["diff_sha256"].is_null()) text += " with changes " + git["diff_sha256"].get<std::string>().substr(0, 12);
    return text;
  };
  auto a = state(was.at("git")), b = state(now.at("git"));
  return a == b ? std::string{} : fmt::format("{}, now {}", a, b);
}

std::string environment_summary(const Json& doc) {
  std::string compiler;
  for (const auto& tool : doc["toolchain"])
    if (compiler.empty() && (tool["name"] == "gcc" || tool["name"] == "clang"))
      compiler = ", " + tool["version"].get<std::string>();
  return fmt::format("{}, Linux {}, {}{}", doc["os"]["name"].get<std::string>(),
                     doc["kernel"]["release"].get<std::string>(), doc["kernel"]["machine"].get<std::string>(),
                     compiler);
}

std::string environment_text(const Json& doc) {
  std::string out =
      fmt::format("{}\n{}, locale {} {}, timezone {}\n", environment_summary(doc), doc["libc"].get<std::string>(),
                  doc["locale"]["language"].get<std::string>(), doc["locale"]["encoding"].get<std::string>(),
                  doc["locale"]["timezone"].get<std::string>());
  for (const auto& tool : doc["toolchain"])
    out += fmt::format("  {:<10} {}\n", tool["name"].get<std::string>(), tool["version"].get<std::string>());
  out += fmt::format("{} packages, {} Python packages\n", doc["packages"].size(), doc["python_packages"].size());
  for (const auto& [key, value] : doc["variables"].items())
    out += fmt::format("  {}={}\n", key, value.get<std::string>());
  if (!doc["git"].is_null())
    out += fmt::format(
        "git {}{}\n", doc["git"]["commit"].is_null() ? "(no commit)" : doc["git"]["commit"].get<std::string>(),
        doc["git"]["dirty"] == true ? fmt::format(", {} changed files", json_text(doc["git"]["changed_files"])) : "");
  for (const auto& item : doc["unknown"])
    out += fmt::format("not learnt: {}: {}\n", item["what"].get<std::string>(), item["why"].get<std::string>());
  return printable(out + fmt::format("fingerprint {}\n", doc["fingerprint"].get<std::string>()));
}

}  // namespace sparky::telemetry
