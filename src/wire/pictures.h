// Pictures over the wire: a file in parts, put together.
#pragma once
#include <string>

#include "base/error.h"
#include "wire/client.h"

namespace sparky::wire {

// The whole file of a picture (path: as read_picture takes it). Errc::full beyond 64 MiB.
Result<std::string> read_picture(Door& door, const std::string& path);

}  // namespace sparky::wire
