// The headers that the files of this folder share; compiled once.
#pragma once
#include "base/pch.h"

#include <ftxui/dom/elements.hpp>
#include <ftxui/screen/screen.hpp>
#include <nlohmann/json.hpp>

#include "wire/messages.h"
