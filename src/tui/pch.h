// The headers that the files of this folder share; compiled once. None of our own that change: checkouts share the
// compiler cache, and a precompiled header names its files by their paths.
#pragma once
#include "base/pch.h"

#include <ftxui/dom/elements.hpp>
#include <ftxui/screen/screen.hpp>
#include <nlohmann/json.hpp>
