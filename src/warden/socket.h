// Unix sockets at paths of any length: one that does not fit into an address is reached through /proc/self/fd.
#pragma once
#include <filesystem>

#include "base/error.h"
#include "base/files.h"

namespace sparky::warden {

Result<Fd> listen_on(const std::filesystem::path& socket);   // replaces what lies there: hold a lock
Result<Fd> connect_to(const std::filesystem::path& socket);  // not_found: nobody listens there

}  // namespace sparky::warden
