// Address: where a socket listens, in libzmq's words ("tcp://127.0.0.1:5555", "ipc:///path/sock"). A unix socket's path
// may have at most 107 bytes; a longer one is reached through an open directory, /proc/self/fd/N/name.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/files.h"

namespace sparky::wire {

// Keep it as long as the socket: the descriptor is part of the path.
struct Endpoint {
  std::string address;
  Fd directory;
};
// Errc::invalid names what is wrong with an address; only tcp and ipc are known.
Result<Endpoint> resolve(std::string_view address);

// A project's own sockets; `name` is sock, updates, events or workers.
std::string project_address(const std::filesystem::path& project, std::string_view name);

// Whether an address can be reached from other machines: tcp on anything but a loopback address.
bool is_public(std::string_view address);

}  // namespace sparky::wire
