// Text: what many places need of strings that came from people.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sparky {

std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char at);  // keeps empty parts
std::string join(std::span<const std::string> parts, std::string_view between);
std::string lower(std::string_view text);  // ASCII only

// Byte offset of the first byte that is not part of well-formed UTF-8 (RFC 3629), if any.
std::optional<size_t> invalid_utf8(std::string_view text);
// Makes text from outside safe to print in a terminal: control characters (C0 but \n and \t, DEL, C1, bidi
// overrides) and broken UTF-8 become visible escapes such as \x1b.
std::string printable(std::string_view text);

// Text as the content or an attribute of XML and SVG: printable(), with & < > " as entities.
std::string escape_xml(std::string_view text);

// Edit distance (Damerau-Levenshtein, adjacent swaps count 1), in bytes.
size_t edit_distance(std::string_view a, std::string_view b);
// The candidate nearest to a misspelt name, if it is near enough to be worth suggesting.
std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates);

std::string human_bytes(double bytes);  // 12 B, 3.4 KiB, 1.2 GiB

}  // namespace sparky
