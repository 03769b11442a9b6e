// Any bytes as a frame: an error or a message that encodes to bytes which decode to the same.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "wire/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sparky;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto asked = wire::parse_request(bytes)) {
    auto again = wire::encode(asked->body, asked->envelope);
    auto decoded = wire::parse_request(again);
    if (!decoded || wire::encode(decoded->body, decoded->envelope) != again) std::abort();
    auto json = parse_json(wire::encode(asked->body, asked->envelope, wire::Encoding::json));
    if (!json) std::abort();
  }
  if (auto map = parse_msgpack(bytes)) {
    (void)wire::decode_reply(*map);
    (void)wire::decode_update(*map);
    (void)wire::decode_stream(*map);
  }
  return 0;
}
