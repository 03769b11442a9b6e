// What the sprite model costs on this machine, as JSON on stdout.
#pragma once
#include <filesystem>
#include <string>

#include "base/error.h"

namespace sparky::sprite {

Status bench(const std::string& model);

}  // namespace sparky::sprite
