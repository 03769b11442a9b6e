#include "wire/fields.h"

#include <array>

namespace sparky::wire {

namespace {

void big_endian(std::string& out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += char(value >> shift & 0xff);
}

}  // namespace

// tag16 is followed by the tag of the 32-bit form.
void pack_size(std::string& out, size_t size, uint8_t fix, int fix_bits, uint8_t tag16) {
  if (size < (1u << fix_bits)) {
    out += char(fix | size);
  } else if (size <= 0xffff) {
    out += char(tag16);
    big_endian(out, size, 2);
  } else {
    out += char(tag16 + 1);
    big_endian(out, size, 4);
  }
}

void pack_text(std::string& out, std::string_view text) {
  if (text.size() >= 32 && text.size() <= 0xff) {
    out += char(0xd9);
    out += char(text.size());
  } else {
    pack_size(out, text.size(), 0xa0, 5, 0xda);
  }
  out += text;
}

void pack_bytes(std::string& out, std::string_view bytes) {
  int width = bytes.size() <= 0xff ? 1 : bytes.size() <= 0xffff ? 2 : 4;
  out += char(width == 1 ? 0xc4 : width == 2 ? 0xc5 : 0xc6);
  big_endian(out, bytes.size(), width);
  out += bytes;
}

void pack_unsigned(std::string& out, uint64_t value) {
  if (value < 0x80) {
    out += char(value);
    return;
  }
  int power = value <= 0xff ? 0 : value <= 0xffff ? 1 : value <= 0xffffffff ? 2 : 3;
  out += char(0xcc + power);
  big_endian(out, value, 1 << power);
}

void pack_integer(std::string& out, int64_t value) {
  if (value >= 0) return pack_unsigned(out, uint64_t(value));
  if (value >= -32) {
    out += char(value);
    return;
  }
  int power = value >= INT8_MIN ? 0 : value >= INT16_MIN ? 1 : value >= INT32_MIN ? 2 : 3;
  out += char(0xd0 + power);
  big_endian(out, uint64_t(value), 1 << power);
}

// The shorter form where it says the same number, as the original clients do.
void pack_float(std::string& out, double value) {
  auto shorter = float(value);
  if (double(shorter) == value) {
    out += char(0xca);
    big_endian(out, std::bit_cast<uint32_t>(shorter), 4);
  } else {
    out += char(0xcb);
    big_endian(out, std::bit_cast<uint64_t>(value), 8);
  }
}

// RFC 4648 with padding.
std::string base64(std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    size_t n = std::min<size_t>(3, bytes.size() - at);
    for (size_t i = 0; i < 3; ++i) group = group << 8 | (i < n ? uint8_t(bytes[at + i]) : 0);
    for (size_t i = 0; i < 4; ++i) out += i <= n ? digits[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

Result<std::string> from_base64(std::string_view text) {
  std::string out;
  auto digit = [](char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  if (text.size() % 4 != 0) return fail(Errc::invalid, "base64 must have a length that is a multiple of 4");
  for (size_t at = 0; at < text.size(); at += 4) {
    int padding = at + 4 == text.size() ? (text[at + 3] == '=') + (text[at + 3] == '=' && text[at + 2] == '=') : 0;
    uint32_t group = 0;
    for (int i = 0; i < 4; ++i) {
      int value = i >= 4 - padding ? 0 : digit(text[at + size_t(i)]);
      if (value < 0) return fail(Errc::invalid, fmt::format("base64: a wrong character at byte {}", at + size_t(i)));
      group = group << 6 | uint32_t(value);
    }
    for (int i = 0; i < 3 - padding; ++i) out += char(group >> (16 - 8 * i) & 0xff);
  }
  return out;
}

OrderedJson ordered_document(const Json& value) {
  if (value.is_binary()) {
    auto& bytes = value.get_binary();
    return base64(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  if (value.is_object()) {
    OrderedJson out = OrderedJson::object();
    for (auto& [key, item] : value.items()) out[key] = ordered_document(item);
    return out;
  }
  if (value.is_array()) {
    OrderedJson out = OrderedJson::array();
    for (auto& item : value) out.push_back(ordered_document(item));
    return out;
  }
  return OrderedJson(value);
}

}  // namespace sparky::wire
