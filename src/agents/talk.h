// Talk: one conversation with an agent, by whichever way it speaks: a program that is started with the prompt and ends,
// or the Agent Client Protocol. While it works it is watched: what it says, CPU, files, budget, time.
#pragma once
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>

#include "agents/acp.h"
#include "agents/health.h"
#include "agents/sandbox.h"
#include "agents/usage.h"

namespace sparky::agents {

// Sees everything that the agent does, and says when it must stop.
class Monitor final : public AcpListener {
 public:
  Monitor(const Task& task, const Profile& profile, Budgets budgets, std::vector<std::string> granted);

  // AcpListener
  void message(bool from_agent, std::string_view line) override;
  void update(const Json& update) override;
  Answer permission(const Json& tool_call) override;
  std::string look() override;

  void begin_turn() { said_.clear(), usage_before_ = usage_, asked_.clear(); }
  void watch(pid_t process) { process_ = process, word(); }
  void output(std::string_view bytes);                 // of a command-line agent
  void used(const Usage& turn);                        // of this turn so far, replacing what was said of it before
  void used_by_session(int64_t tokens, double money);  // of the whole session so far; never becomes less
  void session_had(const Usage& before) { session_ = before; }  // of a session that is taken up again
  // Called whenever what was used is written down, so that a session's own count can be kept beside it.
  void when_written(std::function<void()> then) { when_written_ = std::move(then); }
  const Usage& session() const { return session_; }
  Usage usage() const;
  const std::string& said() const { return said_; }  // in this turn
  void set_said(std::string text) { said_ = std::move(text); }
  // The reason to stop is a matter for a person (budget, permission), not a failure.
  bool held() const { return held_; }
  const Spent& spent() const { return spent_; }        // the budget that made it stop
  const std::string& asked() const { return asked_; }  // the permission a person has to give; empty: none
  Diagnosis diagnosis() const;
  void tell(double fraction, std::string_view text);  // to standard output, for whoever follows the run

 private:
  using Clock = std::chrono::steady_clock;
  void word() { last_word_ = Clock::now(); }
  void progress_in(std::string_view text);
  int64_t age(Clock::time_point t) const { return std::chrono::duration_cast<Duration>(Clock::now() - t).count(); }
  void sample();
  void write_down();

  const Task& task_;
  const Profile& profile_;
  Budgets budgets_;
  std::vector<std::string> granted_;
  std::ofstream transcript_;
  size_t written_ = 0;
  pid_t process_ = 0;
  int64_t cpu_ = 0, files_ = 0;
  Clock::time_point started_ = Clock::now(), last_word_ = started_, last_cpu_ = started_, last_files_ = started_,
                    sampled_ = started_, told_{}, hushed_{};
  std::string said_, line_, asked_, repeated_;
  int repeats_ = 0;
  std::map<std::string, std::pair<std::string, std::string>> calls_;  // kind and title of tool calls, by their id
  std::function<void()> when_written_;
  Usage usage_, usage_before_, session_, written_down_;
  Spent spent_;
  bool held_ = false, warned_ = false;
  double fraction_ = 0;
};

struct Said {
  std::string text;     // what it said in this turn
  std::string stopped;  // why it must not go on; empty: it may
  bool ended = true;    // it had ended by itself before that
};

class Agent {
 public:
  virtual ~Agent() = default;
  // One turn. `whole` is the full prompt; a follow-up is what comes after it in the same session. Errc::unavailable:
  // the agent is gone.
  virtual Result<Said> say(const std::string& whole, const std::string& follow_up) = 0;
};
struct AgentPlace {
  std::filesystem::path workdir;
  Confined confined;
  std::vector<std::string> environment;
  std::filesystem::path session_file;  // where the protocol's session id is kept, to take it up again; empty: nowhere
};
std::unique_ptr<Agent> make_agent(const Task& task, const Profile& profile, AgentPlace place, Monitor& monitor);

// SIGTERM and SIGINT end a turn; what there is is kept. SIGPIPE is ignored.
void take_signals();
bool interrupted();

}  // namespace sparky::agents
