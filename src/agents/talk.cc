#include "agents/talk.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

// A program that gets the prompt, does the work, and ends.
class CommandAgent final : public Agent {
 public:
  CommandAgent(const Task& task, const Profile& profile, AgentPlace place, Monitor& monitor)
      : task_(task), profile_(profile), place_(std::move(place)), monitor_(monitor) {}

  Result<Said> say(const std::string& whole, const std::string& follow_up) override {
    monitor_.begin_turn();
    // It remembers nothing: a follow-up comes with the whole.
    auto prompt = follow_up.empty() ? whole : whole + "\n## Now\n\n" + follow_up + "\n";
    auto output = place_.workdir.parent_path() / (task_.workstream.id + ".output");
    auto spec_file = task_.plan_directory / task_.workstream.spec;
    ChildSpec spec{.argv = place_.confined.prefix, .cwd = place_.workdir, .environment = place_.environment};
    auto command = fill_in(profile_.command, {{"prompt", prompt},
                                              {"spec", spec_file.string()},
                                              {"workdir", place_.workdir.string()},
                                              {"output", output.string()},
                                              {"model", profile_.model}});
    spec.argv.insert(spec.argv.end(), command.begin(), command.end());
    bool on_input = std::ranges::none_of(profile_.command, [](auto& a) { return a.find("{prompt}") != a.npos; });
    SPARKY_ASSIGN(auto child, Child::start(spec));
    monitor_.watch(child->pid());
    if (on_input) {
      child->send(prompt);
      while (child->sending() && !interrupted()) {
        pollfd wait{child->in_fd(), POLLOUT, 0};
        (void)::poll(&wait, 1, 500);
        child->flush();
      }
    }
    child->close_input();
    return listen(*child, output);
  }

 private:
  Result<Said> listen(Child& child, const fs::path& output) {
    UsageReader reader;
    Said out;
    for (;;) {
      pollfd wait{child.fd(), POLLIN, 0};
      (void)::poll(&wait, 1, 500);
      auto got = child.read();
      if (!got) break;
      if (!got->empty()) {
        reader.feed(*got);
        monitor_.output(*got);
        monitor_.used(reader.total());
      }
      if (out.stopped = monitor_.look(); !out.stopped.empty()) {
        if (!reader.ended()) child.signal(SIGTERM);
        for (int i = 0; i < 50 && !child.exit_status(); ++i) ::poll(nullptr, 0, 100);
        child.signal(SIGKILL);
        break;
      }
    }
    for (int i = 0; i < 100 && !child.exit_status(); ++i) ::poll(nullptr, 0, 20);
    monitor_.used(reader.total());
    out.text = reader.last_text();
    std::error_code ec;
    if (auto file = read_file(output, 4u << 20)) out.text = *file;
    fs::remove(output, ec);
    monitor_.set_said(out.text);
    int code = child.exit_status().value_or(128 + SIGKILL);
    out.ended = code == 0 && (out.stopped.empty() || reader.ended());
    if (out.stopped.empty()) out.stopped = monitor_.look();  // its budget is told with its last line
    if (out.stopped.empty() && code != 0)
      return fail(Errc::unavailable, fmt::format("{} ended with status {}", profile_.command[0], code));
    return out;
  }

  const Task& task_;
  const Profile& profile_;
  AgentPlace place_;
  Monitor& monitor_;
};

class AcpAgent final : public Agent {
 public:
  AcpAgent(const Task&, const Profile& profile, AgentPlace place, Monitor& monitor)
      : profile_(profile), place_(std::move(place)), monitor_(monitor) {}
  ~AcpAgent() override {
    if (!child_) return;
    if (client_) client_->close();
    child_->close_input();  // the protocol's way to say that it is over
    for (int i = 0; i < 20 && !child_->exit_status(); ++i) ::poll(nullptr, 0, 50);
  }

  Result<Said> say(const std::string& whole, const std::string& follow_up) override {
    monitor_.begin_turn();
    if (!client_) SPARKY_TRY(open());
    // A session that was taken up again knows the beginning; the whole is said again all the same, it may have changed.
    auto ended = client_->prompt(follow_up.empty() ? whole : follow_up);
    if (!ended) {
      (void)remember();  // taken up again, the session goes on counting from here
      return std::unexpected(ended.error());
    }
    auto& turn = *ended;
    if (turn.tokens >= 0) monitor_.used_by_session(turn.tokens, monitor_.session().money);
    SPARKY_TRY(remember());
    Said out{monitor_.said(), turn.stopped, turn.stopped.empty() && turn.stop == "end_turn"};
    if (out.stopped.empty()) out.stopped = monitor_.look();
    if (out.stopped.empty() && !monitor_.asked().empty()) out.stopped = "a person has to allow " + monitor_.asked();
    if (out.stopped.empty() && turn.stop != "end_turn")
      out.stopped = fmt::format("the agent's turn ended with '{}'", turn.stop);
    return out;
  }

 private:
  Status open() {
    ChildSpec spec{.argv = place_.confined.prefix, .cwd = place_.workdir, .environment = place_.environment};
    auto command = fill_in(profile_.command, {{"workdir", place_.workdir.string()}, {"model", profile_.model}});
    spec.argv.insert(spec.argv.end(), command.begin(), command.end());
    SPARKY_ASSIGN(child_, Child::start(spec));
    monitor_.watch(child_->pid());
    AcpOptions options{.workdir = place_.workdir,
                       .environment = place_.environment,
                       .terminal_prefix = place_.confined.prefix,
                       .terminals = profile_.permission("execute") != Permission::deny,
                       .writes = profile_.permission("edit") != Permission::deny};
    client_ = std::make_unique<AcpClient>(*child_, std::move(options), monitor_);
    Json earlier = Json::object();
    if (!place_.session_file.empty())
      if (auto text = read_file(place_.session_file, 1u << 16))
        if (auto json = parse_json(*text); json && json->is_object()) earlier = *json;
    auto id = earlier.find("session");
    auto opened = client_->open(id != earlier.end() && id->is_string() ? id->get<std::string>() : "");
    if (!opened) {
      client_.reset();
      return opened;
    }
    if (client_->resumed()) {
      auto tokens = earlier.find("tokens"), money = earlier.find("money");
      monitor_.session_had({tokens != earlier.end() && tokens->is_number_integer() ? tokens->get<int64_t>() : 0,
                            money != earlier.end() && money->is_number() ? money->get<double>() : 0, true});
    }
    monitor_.when_written([this] { (void)remember(); });
    return remember();
  }

  // So that the next attempt can take the session up again, and knows what of its cost is already written down.
  Status remember() const {
    if (place_.session_file.empty()) return {};
    Json json{
        {"session", client_->session()}, {"tokens", monitor_.session().tokens}, {"money", monitor_.session().money}};
    return write_file_atomic(place_.session_file, json_text(json) + "\n", {.sync = false});
  }

  const Profile& profile_;
  AgentPlace place_;
  Monitor& monitor_;
  std::unique_ptr<Child> child_;
  std::unique_ptr<AcpClient> client_;
};

}  // namespace

std::unique_ptr<Agent> make_agent(const Task& task, const Profile& profile, AgentPlace place, Monitor& monitor) {
  if (profile.protocol == Protocol::acp) return std::make_unique<AcpAgent>(task, profile, std::move(place), monitor);
  return std::make_unique<CommandAgent>(task, profile, std::move(place), monitor);
}

}  // namespace sparky::agents
