// Talk: the terminal studio's connection to the daemon, on threads of its own, so that the screen never waits. What
// comes is handed over as functions on the model, to be called by the screen's thread.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tui/model.h"
#include "wire/client.h"

namespace sparky::tui {

class Talk {
 public:
  // `connect` gives a new connection to the daemon, or says why there is none; called again until there is one.
  explicit Talk(std::function<Result<wire::Client>()> connect);
  ~Talk();

  // What has come, to be done with the model; whether it may change what is seen.
  struct Came {
    std::function<void(Model&)> act;
    bool shows = true;
  };

  void ask(Ask ask);
  int fd() const;  // readable when something has come
  std::vector<Came> take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sparky::tui
