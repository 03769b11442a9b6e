// Door: how a command reaches the project's runs: the running daemon (or `sparky run`), else, with nobody alive, the
// project itself in this process, under its lock.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>

#include "base/error.h"
#include "wire/client.h"

namespace sparky::cli {
struct Context;

// A live daemon or run only: Errc::unavailable otherwise.
Result<wire::Client> connect(const Context& context);
// A live one, or the project's own journal.
Result<std::unique_ptr<wire::Door>> open_door(const Context& context);

// What a daemon, or this process instead of one, answers about gallery, comparisons and models.
std::function<wire::Reply(const wire::Request&)> studio_answers(const std::filesystem::path& project);

}  // namespace sparky::cli
