// App: the terminal studio in a real terminal: raw mode and back (also after a crash), keys in, frames out, the daemon
// at the other end of Talk. One thread; it sleeps until a key, an answer or the clock has something for it.
#pragma once
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "wire/client.h"

namespace sparky::tui {

struct AppOptions {
  std::function<Result<wire::Client>()> connect;  // a new connection to the daemon
  bool local = true;                              // it is on this machine
  // Where prompts typed earlier and the one not yet sent are kept between sessions; empty: nowhere.
  std::filesystem::path memory;
  std::function<Status()> write_example;  // a plan that runs as it is, into the project; may be empty
};

// Until the person leaves. Errc::unavailable: no terminal.
Status run_app(const AppOptions& options);

}  // namespace sparky::tui
