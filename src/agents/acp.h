// Acp: Sparky's end of the Agent Client Protocol, wire version 1 (https://agentclientprotocol.com): JSON-RPC 2.0, one
// message a line, over the agent's standard input and output. Requests of the agent (files, terminals, permissions) are
// answered within the worktree; a method that is not known here is answered with an error, never ignored.
#pragma once
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agents/child.h"
#include "base/error.h"
#include "base/json.h"
#include "base/time.h"

namespace sparky::agents {

// Who looks on: what the agent says, and what the session decides.
class AcpListener {
 public:
  enum class Answer { allow, deny, stop };  // stop: a person has to decide; the turn ends here, its work is kept
  virtual ~AcpListener() = default;
  virtual void message(bool from_agent, std::string_view line) = 0;  // every line of either side
  virtual void update(const Json& update) = 0;                       // session/update
  virtual Answer permission(const Json& tool_call) = 0;
  // About once a second: why the turn must end now; empty: it may go on.
  virtual std::string look() = 0;
};

struct AcpOptions {
  std::filesystem::path workdir;             // the worktree: files and terminals stay in it
  std::vector<std::string> environment;      // of terminals
  std::vector<std::string> terminal_prefix;  // the sandbox that terminals run in
  bool terminals = true, writes = true;      // false: refused, whatever the agent asks first
  Duration answer{60'000};                   // how long a request other than a prompt may take
  Duration cancel{10'000};                   // how long a cancelled turn may take to end
};

struct AcpTurn {
  std::string stop;     // end_turn, max_tokens, max_turn_requests, refusal, cancelled
  std::string stopped;  // why the listener ended it; empty: it did not
  int64_t tokens = -1;  // of the session so far, if the agent says so; -1: it does not
};

class AcpClient {
 public:
  AcpClient(Pipe& agent, AcpOptions options, AcpListener& listener);
  ~AcpClient();

  // initialize, and a session: the earlier one if its id is given and the agent can resume or load it, else a new one;
  // authenticates if the agent asks for it and has a method that needs nobody.
  Status open(const std::string& earlier);
  const std::string& session() const { return session_; }
  bool resumed() const { return resumed_; }
  // One turn. Errc::unavailable: the agent is gone; denied: it wants to be signed in.
  Result<AcpTurn> prompt(const std::string& text);
  // Tells the agent that the session is over, if it wants to know.
  void close();

 private:
  struct Terminal;
  struct Reply {
    Json result;
    std::optional<Error> error;
    int code = 0;  // of the error
  };

  int send_request(const std::string& method, Json params);
  void send(Json message);
  Result<Json> request(const std::string& method, Json params, Duration limit);
  Status pump(Duration wait);  // waits for bytes of the agent or a terminal, and takes them
  void take_line(std::string_view line);
  void cancel_request(const Json& id);
  void take_request(const Json& id, const std::string& method, const Json& params);
  Result<Json> serve(const Json& id, const std::string& method, const Json& params, bool& later);
  Result<Json> read_text(const Json& params) const;
  Result<Json> write_text(const Json& params) const;
  Result<Json> terminal(const Json& id, const std::string& method, const Json& params, bool& later);
  Result<Json> create_terminal(const Json& params);
  Result<Json> ask_permission(const Json& params);
  void pump_terminals();
  Result<Json> signed_in(const std::string& method, const Json& params);

  Pipe& agent_;
  AcpOptions options_;
  AcpListener& listener_;
  std::string buffer_, session_, stop_;
  Json capabilities_, methods_;
  bool resumed_ = false;
  int next_id_ = 1, next_terminal_ = 1;
  std::map<int, std::optional<Reply>> waiting_;  // by the id of our request
  std::map<std::string, std::unique_ptr<Terminal>> terminals_;
};

// An absolute path that lies in `top` when every link in it is followed. Errc::denied, or invalid if it is relative.
Result<std::filesystem::path> confined(const std::filesystem::path& top, const std::string& path);

}  // namespace sparky::agents
