// SHA-256 (OpenSSL's), for checksums, content addresses and the journal's chain.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sparky {

using Digest = std::array<uint8_t, 32>;

Digest sha256(std::string_view bytes);
Digest sha256(std::span<const std::string_view> parts);  // of the parts put together
std::string hex(std::span<const uint8_t> bytes);         // lower case
inline std::string sha256_hex(std::string_view bytes) { return hex(sha256(bytes)); }

}  // namespace sparky
