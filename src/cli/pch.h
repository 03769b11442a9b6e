// What nearly every command includes, compiled once.
#pragma once
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/pch.h"
