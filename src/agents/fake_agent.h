// For tests and the fuzzer: an agent in memory. What Sparky sends is handed to `answer`, whose lines come back.
#pragma once
#include <functional>

#include "agents/acp.h"
#include "base/text.h"

namespace sparky::agents {

class FakeAgent final : public Pipe {
 public:
  std::function<std::string(const std::string& line)> answer;  // "": nothing
  std::string inbox;                                           // what it says next
  bool gone = false;                                           // after that it ends

  int fd() const override { return -1; }
  int in_fd() const override { return -1; }
  bool sending() const override { return false; }
  void flush() override {}
  void send(std::string_view bytes) override {
    for (auto line : split(bytes, '\n'))
      if (!line.empty() && answer) inbox += answer(std::string(line));
  }
  Result<std::string> read() override {
    if (!inbox.empty()) return std::exchange(inbox, {});
    if (gone) return fail(Errc::unavailable, "it ended");
    return std::string();
  }
};

}  // namespace sparky::agents
