// Door: how a command reaches the project's runs: the running daemon (or `sparky run`), else, with nobody alive, the
// project itself in this process, under its lock.
#pragma once
#include <filesystem>
#include <memory>

#include "base/error.h"

namespace sparky::wire {
class Door;
class Client;
}  // namespace sparky::wire

namespace sparky::cli {
struct Context;

// A live daemon or run only: Errc::unavailable otherwise.
Result<wire::Client> connect(const Context& context);
// A live one, or the project's own journal.
Result<std::unique_ptr<wire::Door>> open_door(const Context& context);

}  // namespace sparky::cli
