#include "agents/acp.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"

namespace sparky::agents {
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
namespace {

constexpr size_t line_max = 64u << 20;
constexpr size_t terminals_max = 64;
constexpr int auth_required = -32000, no_resource = -32002, cancelled_request = -32800, parse_error = -32700,
              invalid_request = -32600, method_not_found = -32601, invalid_params = -32602, internal_error = -32603;

int code_of(const Error& e) {
  if (e.is(Errc::internal)) return method_not_found;
  if (e.is(Errc::not_found)) return no_resource;
  return e.is(Errc::invalid) || e.is(Errc::denied) ? invalid_params : internal_error;
}

std::string text_of(const Json& object, const char* key) {
  auto it = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}
std::optional<int64_t> number_of(const Json& object, const char* key) {
  if (!object.is_object()) return std::nullopt;
  auto it = object.find(key);
  if (it == object.end() || !it->is_number_integer() || *it < 0 || *it > int64_t(1) << 53) return std::nullopt;
  return it->get<int64_t>();
}
const Json& part(const Json& object, const char* key) {
  static const Json nothing;
  if (!object.is_object()) return nothing;
  auto it = object.find(key);
  return it == object.end() ? nothing : *it;
}

}  // namespace

Result<fs::path> confined(const fs::path& top, const std::string& path) {
  if (path.empty() || path[0] != '/' || path.find('\0') != path.npos)
    return fail(Errc::invalid, fmt::format("'{}' is not an absolute path", path));
  std::error_code ec;
  auto real = fs::weakly_canonical(path, ec);
  if (ec) return fail(Errc::invalid, fmt::format("{}: {}", path, ec.message()));
  auto within = real.lexically_relative(fs::weakly_canonical(top, ec));
  if (ec || within.empty() || *within.begin() == "..") return fail(Errc::denied, path + " is outside the worktree");
  if (*within.begin() == ".git") return fail(Errc::denied, path + " belongs to git");
  return real;
}

struct AcpClient::Terminal {
  std::unique_ptr<Child> child;
  std::string output;
  size_t limit = 1u << 20;
  bool truncated = false, closed = false;
  std::vector<Json> waiters;  // ids of terminal/wait_for_exit

  void take() {
    if (closed) return;
    auto got = child->read();
    if (!got) closed = true;
    if (got) output += *got;
    if (output.size() <= limit) return;
    truncated = true;
    size_t cut = output.size() - limit;
    while (cut < output.size() && (static_cast<unsigned char>(output[cut]) & 0xc0) == 0x80) ++cut;  // whole characters
    output.erase(0, cut);
  }
  std::optional<Json> exit() {
    auto status = child->exit_status();
    if (!status) return std::nullopt;
    if (child->ended_by() == 0) return Json{{"exitCode", *status}, {"signal", nullptr}};
    return Json{{"exitCode", nullptr}, {"signal", fmt::format("SIG{}", ::sigabbrev_np(child->ended_by()))}};
  }
};

AcpClient::AcpClient(Pipe& agent, AcpOptions options, AcpListener& listener)
    : agent_(agent), options_(std::move(options)), listener_(listener) {}
AcpClient::~AcpClient() = default;

void AcpClient::close() {
  if (session_.empty() || !part(part(capabilities_, "sessionCapabilities"), "close").is_object()) return;
  (void)request("session/close", {{"sessionId", session_}}, Duration(2000));
}

void AcpClient::send(Json message) {
  message["jsonrpc"] = "2.0";
  auto line = json_text(message);
  listener_.message(false, line);
  agent_.send(line + "\n");
}

int AcpClient::send_request(const std::string& method, Json params) {
  int id = next_id_++;
  waiting_[id] = std::nullopt;
  send({{"id", id}, {"method", method}, {"params", std::move(params)}});
  return id;
}

Result<Json> AcpClient::request(const std::string& method, Json params, Duration limit) {
  int id = send_request(method, std::move(params));
  auto end = Clock::now() + limit;
  while (!waiting_[id]) {
    if (Clock::now() >= end)
      return fail(Errc::unavailable, fmt::format("the agent did not answer {} within {}", method, human(limit)));
    SPARKY_TRY(pump(Duration(500)));
  }
  auto reply = std::move(*waiting_[id]);
  waiting_.erase(id);
  if (!reply.error) return reply.result;
  return fail(reply.code == auth_required ? Errc::denied : Errc::io,
              fmt::format("{}: {}", method, reply.error->message));
}

Status AcpClient::open(const std::string& earlier) {
  auto hello = request(
      "initialize",
      {{"protocolVersion", 1},
       {"clientCapabilities",
        {{"fs", {{"readTextFile", true}, {"writeTextFile", options_.writes}}}, {"terminal", options_.terminals}}},
       {"clientInfo", {{"name", "sparky"}, {"version", "1"}}}},
      options_.answer);
  if (!hello) return std::unexpected(hello.error());
  if (number_of(*hello, "protocolVersion") != 1)
    return fail(Errc::unavailable, "the agent speaks another version of the protocol than 1",
                "use a release of it that speaks version 1");
  capabilities_ = part(*hello, "agentCapabilities");
  methods_ = part(*hello, "authMethods");
  Json where{{"cwd", options_.workdir.string()}, {"mcpServers", Json::array()}};
  if (!earlier.empty()) {
    bool resume = part(part(capabilities_, "sessionCapabilities"), "resume").is_object();
    bool load = part(capabilities_, "loadSession") == true;
    auto again = where;
    again["sessionId"] = earlier;
    if (resume || load) {
      auto got = signed_in(resume ? "session/resume" : "session/load", again);
      if (got) return session_ = earlier, resumed_ = true, Status{};
      if (got.error().is(Errc::unavailable) || got.error().is(Errc::denied)) return std::unexpected(got.error());
    }
  }
  auto made = signed_in("session/new", where);
  if (!made) return std::unexpected(made.error());
  session_ = text_of(*made, "sessionId");
  if (session_.empty()) return fail(Errc::io, "the agent made a session without an id");
  return {};
}

// If the agent wants to be signed in, each of its ways that needs nobody is tried in turn.
Result<Json> AcpClient::signed_in(const std::string& method, const Json& params) {
  auto got = request(method, params, options_.answer);
  if (got || !got.error().is(Errc::denied)) return got;
  std::string names;
  if (methods_.is_array())
    for (auto& way : methods_) {
      auto id = text_of(way, "id");
      if (id.empty()) continue;
      names += (names.empty() ? "" : ", ") + id;
      // One of the kind `terminal` is a program that a person signs in with.
      if (text_of(way, "type") == "terminal" || !request("authenticate", {{"methodId", id}}, options_.answer)) continue;
      auto again = request(method, params, options_.answer);
      if (again || !again.error().is(Errc::denied)) return again;
    }
  return fail(Errc::denied, "the agent wants to be signed in: " + got.error().message,
              names.empty() ? "sign in with its own program, once"
                            : "sign in with its own program, once; its ways are: " + names);
}

Result<AcpTurn> AcpClient::prompt(const std::string& text) {
  stop_.clear();
  Json content = Json::array();
  content.push_back({{"type", "text"}, {"text", text}});
  int id = send_request("session/prompt", {{"sessionId", session_}, {"prompt", std::move(content)}});
  auto looked = Clock::now();
  std::optional<Clock::time_point> cancelled;
  AcpTurn turn;
  while (!waiting_[id]) {
    SPARKY_TRY(pump(Duration(500)));
    if (stop_.empty() && Clock::now() - looked >= std::chrono::milliseconds(400)) {
      looked = Clock::now();
      stop_ = listener_.look();
    }
    if (!stop_.empty() && !cancelled) {
      cancelled = Clock::now();
      turn.stopped = stop_;
      send({{"method", "session/cancel"}, {"params", {{"sessionId", session_}}}});
    }
    if (cancelled && Clock::now() - *cancelled > options_.cancel && !waiting_[id]) {
      waiting_.erase(id);
      turn.stop = "cancelled";
      return turn;
    }
  }
  auto reply = std::move(*waiting_[id]);
  waiting_.erase(id);
  if (reply.error && !cancelled)
    return fail(reply.code == auth_required ? Errc::denied : Errc::io, "session/prompt: " + reply.error->message,
                reply.code == auth_required ? "sign in with its own program, once" : "");
  turn.stop = text_of(reply.result, "stopReason");
  turn.tokens = number_of(part(reply.result, "usage"), "totalTokens").value_or(-1);
  return turn;
}

Status AcpClient::pump(Duration wait) {
  std::vector<pollfd> fds{{agent_.fd(), POLLIN, 0}};
  if (agent_.sending()) fds.push_back({agent_.in_fd(), POLLOUT, 0});
  for (auto& [name, t] : terminals_)
    if (!t->closed) fds.push_back({t->child->fd(), POLLIN, 0});
  (void)::poll(fds.data(), nfds_t(fds.size()), agent_.fd() < 0 ? 0 : int(wait.count()));
  agent_.flush();
  pump_terminals();
  auto got = agent_.read();
  if (!got) return fail(Errc::unavailable, "the agent is gone: " + got.error().message);
  buffer_ += *got;
  size_t from = 0;
  for (size_t end; (end = buffer_.find('\n', from)) != buffer_.npos; from = end + 1)
    take_line(std::string_view(buffer_).substr(from, end - from));
  buffer_.erase(0, from);
  if (buffer_.size() > line_max) return fail(Errc::unavailable, "the agent sent a line of more than 64 MiB");
  return {};
}

void AcpClient::take_line(std::string_view line) {
  line = trim(line);
  if (line.empty()) return;
  listener_.message(true, line);
  auto message = parse_json(line);
  auto refuse = [&](int code, const std::string& why) {
    send({{"id", nullptr}, {"error", {{"code", code}, {"message", why}}}});
  };
  if (!message) return refuse(parse_error, message.error().message);
  if (!message->is_object()) return refuse(invalid_request, "a message must be an object");
  auto& id = part(*message, "id");
  if (auto method = text_of(*message, "method"); !method.empty()) {
    if (message->contains("id")) return take_request(id, method, part(*message, "params"));
    auto& params = part(*message, "params");
    if (method == "session/update" && text_of(params, "sessionId") == session_)
      listener_.update(part(params, "update"));
    if (method == "$/cancel_request") cancel_request(part(params, "requestId"));
    return;
  }
  auto waiting = id.is_number_integer() ? waiting_.find(id.get<int>()) : waiting_.end();
  if (waiting == waiting_.end()) return;  // an answer to nothing, or one that came too late
  Reply reply{.result = part(*message, "result"), .error = std::nullopt};
  if (auto& error = part(*message, "error"); error.is_object()) {
    reply.error = Error{Errc::io, text_of(error, "message"), {}};
    reply.code = int(std::clamp<int64_t>(
        error.value("code", Json()).is_number_integer() ? error["code"].get<int64_t>() : 0, -100'000, 100'000));
  }
  waiting->second = std::move(reply);
}

// Of what is answered later there is only the wait for a terminal; all else was answered when it came.
void AcpClient::cancel_request(const Json& id) {
  for (auto& [name, t] : terminals_)
    if (std::erase(t->waiters, id) > 0)
      send({{"id", id}, {"error", {{"code", cancelled_request}, {"message", "cancelled"}}}});
}

void AcpClient::take_request(const Json& id, const std::string& method, const Json& params) {
  bool later = false;
  auto result = serve(id, method, params, later);
  if (later) return;
  if (result) return send({{"id", id}, {"result", *result}});
  send({{"id", id}, {"error", {{"code", code_of(result.error())}, {"message", result.error().message}}}});
}

Result<Json> AcpClient::serve(const Json& id, const std::string& method, const Json& params, bool& later) {
  bool known = method.starts_with("terminal/") || method == "fs/read_text_file" || method == "fs/write_text_file" ||
               method == "session/request_permission";
  if (known && (session_.empty() || text_of(params, "sessionId") != session_))
    return fail(Errc::invalid, "there is no such session");
  if (method == "fs/read_text_file") return read_text(params);
  if (method == "fs/write_text_file") return write_text(params);
  if (method == "session/request_permission") return ask_permission(params);
  if (method.starts_with("terminal/") && options_.terminals) return terminal(id, method, params, later);
  return fail(Errc::internal, fmt::format("'{}' is not a method of this client", method));
}

Result<Json> AcpClient::read_text(const Json& params) const {
  SPARKY_ASSIGN(auto path, confined(options_.workdir, text_of(params, "path")));
  SPARKY_ASSIGN(auto text, read_file(path));
  auto line = number_of(params, "line"), limit = number_of(params, "limit");
  if (!line && !limit) return Json{{"content", text}};
  int64_t number = 1, first = std::max<int64_t>(1, line.value_or(1));
  std::string out;
  for (size_t at = 0; at < text.size(); ++number) {
    auto end = text.find('\n', at);
    end = end == text.npos ? text.size() : end + 1;
    if (number >= first && (!limit || number - first < *limit)) out.append(text, at, end - at);
    at = end;
  }
  return Json{{"content", out}};
}

Result<Json> AcpClient::write_text(const Json& params) const {
  if (!options_.writes) return fail(Errc::denied, "its profile does not let it write");
  SPARKY_ASSIGN(auto path, confined(options_.workdir, text_of(params, "path")));
  auto& content = part(params, "content");
  if (!content.is_string()) return fail(Errc::invalid, "content must be a string");
  struct stat st{};
  unsigned mode = ::stat(path.c_str(), &st) == 0 ? st.st_mode & 0777 : 0644;
  SPARKY_TRY(write_file_atomic(path, content.get_ref<const std::string&>(), {.sync = false, .mode = mode}));
  return Json::object();
}

Result<Json> AcpClient::ask_permission(const Json& params) {
  auto& options = part(params, "options");
  auto choose = [&](std::initializer_list<std::string_view> kinds) -> Json {
    for (auto kind : kinds)
      if (options.is_array())
        for (auto& option : options)
          if (text_of(option, "kind") == kind)
            return {{"outcome", {{"outcome", "selected"}, {"optionId", text_of(option, "optionId")}}}};
    return {{"outcome", {{"outcome", "cancelled"}}}};
  };
  if (!stop_.empty()) return choose({});  // the turn is being cancelled: the protocol asks for this answer
  switch (listener_.permission(part(params, "toolCall"))) {
    case AcpListener::Answer::allow:
      return choose({"allow_once", "allow_always"});
    case AcpListener::Answer::deny:
      return choose({"reject_once", "reject_always"});
    case AcpListener::Answer::stop:
      stop_ = "a person has to allow it";
      return choose({});
  }
  return choose({});
}

Result<Json> AcpClient::create_terminal(const Json& params) {
  if (terminals_.size() >= terminals_max) return fail(Errc::full, "too many terminals; release some");
  ChildSpec spec{.argv = options_.terminal_prefix,
                 .cwd = options_.workdir,
                 .environment = options_.environment,
                 .errors_too = true};
  auto command = text_of(params, "command");
  if (command.empty()) return fail(Errc::invalid, "command is missing");
  auto& arguments = part(params, "args");
  // Agents send a program with arguments, or a whole command line.
  if (arguments.is_array() && !arguments.empty()) {
    spec.argv.push_back(command);
    for (auto& a : arguments) {
      if (!a.is_string()) return fail(Errc::invalid, "args must be strings");
      spec.argv.push_back(a.get<std::string>());
    }
  } else {
    spec.argv.insert(spec.argv.end(), {"sh", "-c", command});
  }
  if (auto cwd = text_of(params, "cwd"); !cwd.empty()) {
    SPARKY_ASSIGN(spec.cwd, confined(options_.workdir, cwd));
  }
  if (auto& env = part(params, "env"); env.is_array())
    for (auto& one : env)
      if (auto name = text_of(one, "name"); !name.empty() && name.find('=') == name.npos)
        spec.environment.insert(spec.environment.begin(), name + "=" + text_of(one, "value"));
  auto terminal = std::make_unique<Terminal>();
  if (auto limit = number_of(params, "outputByteLimit")) terminal->limit = size_t(std::min<int64_t>(*limit, 16 << 20));
  SPARKY_ASSIGN(terminal->child, Child::start(spec));
  terminal->child->close_input();
  auto name = fmt::format("term-{}", next_terminal_++);
  terminals_[name] = std::move(terminal);
  return Json{{"terminalId", name}};
}

Result<Json> AcpClient::terminal(const Json& id, const std::string& method, const Json& params, bool& later) {
  if (method == "terminal/create") return create_terminal(params);
  auto found = terminals_.find(text_of(params, "terminalId"));
  if (found == terminals_.end()) return fail(Errc::not_found, "there is no such terminal");
  auto& t = *found->second;
  t.take();
  if (method == "terminal/output") {
    Json out{{"output", t.output}, {"truncated", t.truncated}};
    if (auto exit = t.exit()) out["exitStatus"] = *exit;
    return out;
  }
  if (method == "terminal/wait_for_exit") {
    if (auto exit = t.exit()) return *exit;
    t.waiters.push_back(id);
    later = true;
    return Json();
  }
  if (method == "terminal/kill") {
    t.child->signal(SIGKILL);
    return Json::object();
  }
  if (method == "terminal/release") {
    terminals_.erase(found);
    return Json::object();
  }
  return fail(Errc::internal, fmt::format("'{}' is not a method of this client", method));
}

void AcpClient::pump_terminals() {
  for (auto& [name, t] : terminals_) {
    t->take();
    if (t->waiters.empty()) continue;
    auto exit = t->exit();
    if (!exit) continue;
    for (auto& id : t->waiters) send({{"id", id}, {"result", *exit}});
    t->waiters.clear();
  }
}

}  // namespace sparky::agents
