// Whatever an agent says: nothing crashes, nothing is written outside the worktree, every turn ends.
#include <cstddef>
#include <cstdint>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "agents/fake_agent.h"
#include "base/files.h"

namespace {
struct Deaf final : sparky::agents::AcpListener {
  void message(bool, std::string_view) override {}
  void update(const sparky::Json&) override {}
  Answer permission(const sparky::Json&) override { return Answer::deny; }
  std::string look() override { return {}; }
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sparky;
  static auto dir = TemporaryDirectory::make();
  agents::FakeAgent agent;
  bool opened = false;
  agent.answer = [&](const std::string& line) -> std::string {
    if (line.find("\"initialize\"") != line.npos)
      return "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":1}}\n";
    if (line.find("\"session/new\"") != line.npos)
      return opened = true, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"sessionId\":\"s\"}}\n";
    if (line.find("\"session/prompt\"") != line.npos) {
      agent.gone = true;
      return std::string(reinterpret_cast<const char*>(data), size);
    }
    return {};
  };
  Deaf listener;
  agents::AcpClient client(agent, {.workdir = dir->path(), .terminals = false}, listener);
  if (client.open("") && opened) (void)client.prompt("go");
  return 0;
}
