// Json: the one model for JSON and MessagePack. Every byte from outside is decoded here, with limits, so that
// hostile nesting or claimed lengths cost nothing. Include <nlohmann/json.hpp> in .cc files that use Json.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sparky {

using Json = nlohmann::json;

struct DecodeLimits {
  size_t bytes = 64u << 20;
  int depth = 64;           // nested arrays and maps
  size_t values = 4 << 20;  // scalars, arrays and maps together
};

Result<Json> parse_json(std::string_view text, DecodeLimits limits = {});  // error: line:col and what was expected
Result<Json> parse_msgpack(std::string_view bytes, DecodeLimits limits = {});
std::string to_msgpack(const Json& value);
// Named apart from the library's own to_json, which argument lookup would find. Invalid UTF-8 is replaced, never
// thrown at.
std::string json_text(const Json& value, int indent = -1);

}  // namespace sparky
