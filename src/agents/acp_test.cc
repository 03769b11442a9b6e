// The protocol's end against an agent in memory, and Child against real programs.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "agents/fake_agent.h"
#include "agents/talk.h"
#include "base/files.h"

namespace sparky::agents {
namespace {
namespace fs = std::filesystem;

struct Listener final : AcpListener {
  std::vector<std::string> updates;
  Answer answer = Answer::allow;
  std::string stop;
  void message(bool, std::string_view) override {}
  void update(const Json& u) override { updates.push_back(u.value("sessionUpdate", "")); }
  Answer permission(const Json&) override { return answer; }
  std::string look() override { return stop; }
};

class Acp : public testing::Test {
 protected:
  void SetUp() override {
    auto made = TemporaryDirectory::make();
    ASSERT_TRUE(made);
    directory_ = std::make_unique<TemporaryDirectory>(std::move(*made));
    dir = directory_->path() / "tree";
    fs::create_directories(dir);
    agent.answer = [this](const std::string& line) { return take(*parse_json(line)); };
    client = std::make_unique<AcpClient>(
        agent,
        AcpOptions{
            .workdir = dir, .environment = {"PATH=/usr/bin:/bin"}, .answer = Duration(2000), .cancel = Duration(300)},
        listener);
  }
  static std::string line(Json message) {
    message["jsonrpc"] = "2.0";
    return json_text(message) + "\n";
  }
  // A usual agent. In a prompt it asks what stands in `asks`, one after the other, and keeps the answers.
  std::string take(const Json& m) {
    auto method = m.value("method", "");
    if (method == "initialize")
      return line(
          {{"id", m["id"]},
           {"result", {{"protocolVersion", version}, {"agentCapabilities", capabilities}, {"authMethods", methods}}}});
    if (method == "authenticate")
      return signed_in = m["params"]["methodId"] == "key", line({{"id", m["id"]}, {"result", Json::object()}});
    if (method.starts_with("session/") && !signed_in)
      return line({{"id", m["id"]}, {"error", {{"code", -32000}, {"message", "sign in"}}}});
    if (method == "session/new") return line({{"id", m["id"]}, {"result", {{"sessionId", "s1"}}}});
    if (method == "session/close") return closed = true, line({{"id", m["id"]}, {"result", Json::object()}});
    if (method == "session/resume") return line({{"id", m["id"]}, {"result", Json::object()}});
    if (method == "session/prompt") return prompt_id = m["id"], next();
    if (method == "session/cancel") {
      cancelled = true;
      return deaf ? "" : line({{"id", prompt_id}, {"result", {{"stopReason", "cancelled"}}}});
    }
    answers.push_back(m);
    return next();
  }
  std::string next() {
    if (asks.empty())
      return finish
                 ? line({{"id", prompt_id}, {"result", {{"stopReason", "end_turn"}, {"usage", {{"totalTokens", 42}}}}}})
                 : "";
    auto ask = asks.front();
    asks.erase(asks.begin());
    if (ask.is_string()) return ask.get<std::string>() + next();
    if (!ask.contains("id") && ask.value("method", "") != "session/update")
      ask["id"] = "q" + std::to_string(asks.size());
    ask["params"]["sessionId"] = "s1";
    return line(ask) + (ask.value("method", "") == "session/update" ? next() : "");
  }
  Json answer_to(const std::string& method, Json params) {
    asks = {{{"method", method}, {"params", std::move(params)}}};
    answers.clear();
    auto turn = client->prompt("go");
    EXPECT_TRUE(turn) << turn.error().text();
    return answers.empty() ? Json() : answers[0];
  }
  Json failed_with(const Json& answer) { return answer.contains("error") ? answer["error"]["code"] : Json(); }

  std::unique_ptr<TemporaryDirectory> directory_;
  fs::path dir;
  FakeAgent agent;
  Listener listener;
  std::unique_ptr<AcpClient> client;
  Json capabilities = Json::object(), methods = Json::array(), prompt_id;
  int version = 1;
  bool signed_in = true, closed = false, cancelled = false, deaf = false, finish = true;
  std::vector<Json> asks, answers;
};

TEST_F(Acp, ATurnWithUpdates) {
  ASSERT_TRUE(client->open(""));
  asks = {{{"method", "session/update"}, {"params", {{"update", {{"sessionUpdate", "plan"}}}}}},
          {{"method", "session/update"}, {"params", {{"update", {{"sessionUpdate", "tool_call"}}}}}}};
  auto turn = client->prompt("go");
  ASSERT_TRUE(turn) << turn.error().text();
  EXPECT_EQ(turn->stop, "end_turn");
  EXPECT_EQ(turn->tokens, 42);
  EXPECT_EQ(listener.updates, (std::vector<std::string>{"plan", "tool_call"}));
}

TEST_F(Acp, AnotherVersionIsRefused) {
  version = 2;
  auto opened = client->open("");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("version"), std::string::npos);
}

TEST_F(Acp, SignsInWhenAsked) {
  signed_in = false;
  methods = {{{"id", "screen"}, {"type", "terminal"}}, {{"id", "other"}}, {{"id", "key"}, {"name", "API key"}}};
  EXPECT_TRUE(client->open(""));
  EXPECT_TRUE(signed_in);
}

TEST_F(Acp, WhatOnlyAPersonCanSignInIsDenied) {
  signed_in = false;
  methods = {{{"id", "key"}, {"type", "terminal"}}};
  auto opened = client->open("");
  ASSERT_TRUE(opened.error().is(Errc::denied));
  EXPECT_NE(opened.error().help.find("key"), std::string::npos);
}

TEST_F(Acp, SignsInToTakeUpAnEarlierSession) {
  signed_in = false;
  methods = {{{"id", "key"}}};
  capabilities = {{"sessionCapabilities", {{"resume", Json::object()}, {"close", Json::object()}}}};
  ASSERT_TRUE(client->open("old"));
  EXPECT_EQ(client->session(), "old");
  client->close();
  EXPECT_TRUE(closed);
}

TEST_F(Acp, TakesUpAnEarlierSession) {
  capabilities = {{"sessionCapabilities", {{"resume", Json::object()}}}};
  ASSERT_TRUE(client->open("old"));
  EXPECT_TRUE(client->resumed());
  EXPECT_EQ(client->session(), "old");
}

TEST_F(Acp, FilesStayInTheWorktree) {
  ASSERT_TRUE(client->open(""));
  fs::create_directory_symlink(directory_->path(), dir / "out");
  auto write = [&](const fs::path& path) {
    return answer_to("fs/write_text_file", {{"path", path.string()}, {"content", "one\ntwo\nthree\n"}});
  };
  EXPECT_TRUE(write(dir / "a" / "b.txt").contains("result"));
  EXPECT_EQ(read_file(dir / "a" / "b.txt").value_or(""), "one\ntwo\nthree\n");
  for (auto& bad :
       {directory_->path() / "x", dir / ".." / "x", dir / "out" / "x", dir / ".git" / "hooks", fs::path("rel")})
    EXPECT_EQ(failed_with(write(bad)), -32602) << bad;
  EXPECT_FALSE(fs::exists(directory_->path() / "x"));
  auto part = answer_to("fs/read_text_file", {{"path", (dir / "a/b.txt").string()}, {"line", 2}, {"limit", 1}});
  EXPECT_EQ(part["result"]["content"], "two\n");
  EXPECT_EQ(failed_with(answer_to("fs/read_text_file", {{"path", "/etc/passwd"}})), -32602);
}

TEST_F(Acp, UnknownMethodsAndBrokenLinesAreAnswered) {
  ASSERT_TRUE(client->open(""));
  EXPECT_EQ(failed_with(answer_to("session/dance", Json::object())), -32601);
  asks = {Json("{broken\n")};
  answers.clear();
  ASSERT_TRUE(client->prompt("go"));
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(failed_with(answers[0]), -32700);
}

TEST_F(Acp, TerminalsRunAndAreWaitedFor) {
  ASSERT_TRUE(client->open(""));
  auto made = answer_to("terminal/create", {{"command", "pwd; echo words; exit 3"}});
  auto id = made["result"]["terminalId"];
  EXPECT_EQ(answer_to("terminal/wait_for_exit", {{"terminalId", id}})["result"]["exitCode"], 3);
  auto out = answer_to("terminal/output", {{"terminalId", id}})["result"];
  EXPECT_EQ(out["output"], fs::canonical(dir).string() + "\nwords\n");
  EXPECT_EQ(out["exitStatus"]["exitCode"], 3);
  EXPECT_TRUE(answer_to("terminal/release", {{"terminalId", id}}).contains("result"));
  EXPECT_EQ(failed_with(answer_to("terminal/output", {{"terminalId", id}})), -32002);
  EXPECT_EQ(failed_with(answer_to("terminal/create", {{"command", "pwd"}, {"cwd", "/"}})), -32602);
}

TEST_F(Acp, PermissionsByTheListener) {
  ASSERT_TRUE(client->open(""));
  Json params{{"toolCall", {{"kind", "execute"}, {"title", "rm"}}},
              {"options", {{{"optionId", "n"}, {"kind", "reject_once"}}, {{"optionId", "y"}, {"kind", "allow_once"}}}}};
  EXPECT_EQ(answer_to("session/request_permission", params)["result"]["outcome"]["optionId"], "y");
  listener.answer = AcpListener::Answer::deny;
  EXPECT_EQ(answer_to("session/request_permission", params)["result"]["outcome"]["optionId"], "n");
  listener.answer = AcpListener::Answer::stop;
  finish = false;  // the turn ends by the cancel that follows
  EXPECT_EQ(answer_to("session/request_permission", params)["result"]["outcome"]["outcome"], "cancelled");
  EXPECT_TRUE(cancelled);
}

TEST_F(Acp, APromptThatNeverEndsIsEnded) {
  ASSERT_TRUE(client->open(""));
  finish = false;
  deaf = true;
  listener.stop = "stuck: nothing happens";
  auto turn = client->prompt("go");
  ASSERT_TRUE(turn);
  EXPECT_EQ(turn->stopped, "stuck: nothing happens");
  EXPECT_TRUE(cancelled);
}

TEST_F(Acp, AnAgentThatGoesIsNoticed) {
  ASSERT_TRUE(client->open(""));
  finish = false;
  agent.gone = true;
  auto turn = client->prompt("go");
  ASSERT_FALSE(turn);
  EXPECT_TRUE(turn.error().is(Errc::unavailable));
}

TEST(ChildTest, WhoHoldsTheOutputOpenDoesNotHoldSparky) {
  auto child = Child::start(
      {.argv = {"sh", "-c", "echo said; sleep 30 & exit 4"}, .cwd = "/", .environment = {"PATH=/usr/bin:/bin"}});
  ASSERT_TRUE(child);
  std::string all;
  for (;;) {
    pollfd wait{(*child)->fd(), POLLIN, 0};
    ::poll(&wait, 1, 100);
    auto got = (*child)->read();
    if (!got) break;
    all += *got;
  }
  EXPECT_EQ(all, "said\n");
  EXPECT_EQ((*child)->exit_status(), 4);
}

}  // namespace
}  // namespace sparky::agents
