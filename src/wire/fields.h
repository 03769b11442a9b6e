// Fields: what turns a message's one definition into MessagePack, JSON and its line in the reference.
//
// A message is a struct with a name, a line of documentation, and a function that lists its fields in wire order:
//   struct Pong {
//     static constexpr std::string_view type = "pong", doc = "The daemon is there.";
//     template <class M, class V> static void fields(M& m, V& v) { v("name", m.name, "what it is"); … }
//   };
// v(…) takes a field that must be there (a std::optional one may be missing), v.maybe(…) one that is left out when it
// has its default. Included by codec.h and reference.cc alone.
#pragma once
#include <fmt/format.h>

#include <cmath>
#include <concepts>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "wire/types.h"

namespace sparky::wire {

struct NoFields {
  template <class M>
  void operator()(std::string_view, const M&, std::string_view) {}
  template <class M>
  void maybe(std::string_view, const M&, std::string_view) {}
};
template <class T>
concept Structure = requires(T& t, NoFields& v) { T::fields(t, v); };

template <class T>
bool is_default(const T& value) {
  if constexpr (requires { value.has_value(); })
    return !value.has_value();
  else if constexpr (requires { value.empty(); })
    return value.empty();
  else
    return value == T{};
}

// ---- to MessagePack -------------------------------------------------------------------------------------------------

void pack_size(std::string& out, size_t size, uint8_t fix, int fix_bits, uint8_t tag16);  // of a map, array or string
void pack_text(std::string& out, std::string_view text);
void pack_bytes(std::string& out, std::string_view bytes);
void pack_integer(std::string& out, int64_t value);
void pack_unsigned(std::string& out, uint64_t value);
void pack_float(std::string& out, double value);

struct Packer;
template <Structure T>
void pack(std::string& out, const T& value, std::string_view type = {});

inline void pack(std::string& out, bool value) { out += char(value ? 0xc3 : 0xc2); }
template <std::signed_integral T>
void pack(std::string& out, T value) {
  pack_integer(out, value);
}
template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>)
void pack(std::string& out, T value) {
  pack_unsigned(out, value);
}
inline void pack(std::string& out, double value) { pack_float(out, value); }
inline void pack(std::string& out, const std::string& value) { pack_text(out, value); }
inline void pack(std::string& out, const Bytes& value) { pack_bytes(out, value.data); }
inline void pack(std::string& out, const Document& value) { out += to_msgpack(value ? *value : Json::object()); }
template <class T>
void pack(std::string& out, const std::vector<T>& values) {
  pack_size(out, values.size(), 0x90, 4, 0xdc);
  for (auto& value : values) pack(out, value);
}
template <class T>
void pack(std::string& out, const std::optional<T>& value) {
  pack(out, *value);
}

struct Packer {
  std::string& out;
  size_t count = 0;
  bool counting = true;

  template <class T>
  void operator()(std::string_view name, const T& value, std::string_view doc) {
    if constexpr (requires { value.has_value(); }) {
      maybe(name, value, doc);
    } else if (counting) {
      ++count;
    } else {
      pack_text(out, name);
      pack(out, value);
    }
  }
  template <class T>
  void maybe(std::string_view name, const T& value, std::string_view) {
    if (is_default(value)) return;
    if (counting) {
      ++count;
    } else {
      pack_text(out, name);
      pack(out, value);
    }
  }
};

template <Structure T>
void pack(std::string& out, const T& value, std::string_view type) {
  Packer packer{out};
  T::fields(value, packer);
  pack_size(out, packer.count + !type.empty(), 0x80, 4, 0xde);
  if (!type.empty()) {
    pack_text(out, "type");
    pack_text(out, type);
  }
  packer.counting = false;
  T::fields(value, packer);
}

// ---- to JSON --------------------------------------------------------------------------------------------------------

using OrderedJson = nlohmann::ordered_json;

template <class T>
OrderedJson ordered(const T& value);

struct Orderer {
  OrderedJson& out;
  template <class T>
  void operator()(std::string_view name, const T& value, std::string_view doc) {
    if constexpr (requires { value.has_value(); })
      maybe(name, value, doc);
    else
      out[std::string(name)] = ordered(value);
  }
  template <class T>
  void maybe(std::string_view name, const T& value, std::string_view) {
    if (!is_default(value)) out[std::string(name)] = ordered(value);
  }
};

std::string base64(std::string_view bytes);
Result<std::string> from_base64(std::string_view text);
OrderedJson ordered_document(const Json& value);

template <class T>
OrderedJson ordered(const T& value) {
  if constexpr (Structure<T>) {
    OrderedJson out = OrderedJson::object();
    Orderer orderer{out};
    T::fields(value, orderer);
    return out;
  } else if constexpr (std::same_as<T, Document>) {
    return value ? ordered_document(*value) : OrderedJson::object();
  } else if constexpr (std::same_as<T, Bytes>) {
    return base64(value.data);
  } else if constexpr (requires { value.has_value(); }) {
    return ordered(*value);
  } else if constexpr (std::same_as<T, std::string> || std::is_arithmetic_v<T>) {
    return value;
  } else {
    OrderedJson out = OrderedJson::array();
    for (auto& item : value) out.push_back(ordered(item));
    return out;
  }
}

// ---- from Json ------------------------------------------------------------------------------------------------------

// Each says where (`field`) and what would be right.
inline std::unexpected<Error> wrong(const std::string& field, std::string_view expected, const Json& got) {
  return fail(Errc::invalid, fmt::format("field '{}' must be {}, not {}", field, expected,
                                         got.is_number() ? got.dump() : got.type_name()));
}
template <class T>
Status unpack(const Json& from, T& to, const std::string& field);

struct Unpacker {
  const Json& from;
  std::string path;  // of the structure, with a dot, or empty
  Status status;

  template <class T>
  void take(std::string_view name, T& value, bool required) {
    if (!status) return;
    auto it = from.find(name);
    // A nil counts as missing: older clients of other languages write their absent options so.
    if (it == from.end() || it->is_null()) {
      if (required) status = fail(Errc::invalid, fmt::format("field '{}{}' is missing", path, name));
      return;
    }
    status = unpack(*it, value, path + std::string(name));
  }
  template <class T>
  void operator()(std::string_view name, T& value, std::string_view) {
    take(name, value, !requires { value.has_value(); });
  }
  template <class T>
  void maybe(std::string_view name, T& value, std::string_view) {
    take(name, value, false);
  }
};

template <class T>
Status unpack_number(const Json& from, T& to, const std::string& field) {
  if constexpr (std::floating_point<T>) {
    if (!from.is_number()) return wrong(field, "a number", from);
    to = from.get<double>();
    if (!std::isfinite(to)) return fail(Errc::invalid, fmt::format("field '{}' must be a finite number", field));
  } else {
    // Languages without integers of their own send 32 as 32.0.
    constexpr double exact_max = 1ll << 53;
    if (from.is_number_float())
      if (double whole = from.get<double>(); whole == std::trunc(whole) && std::abs(whole) <= exact_max)
        return unpack_number(Json(int64_t(whole)), to, field);
    if (!from.is_number_integer()) return wrong(field, "an integer", from);
    bool negative = !from.is_number_unsigned() && from.get<int64_t>() < 0;
    bool fits = negative ? std::in_range<T>(from.get<int64_t>()) : std::in_range<T>(from.get<uint64_t>());
    if (!fits) return fail(Errc::invalid, fmt::format("field '{}' is out of range", field));
    to = negative ? T(from.get<int64_t>()) : T(from.get<uint64_t>());
  }
  return {};
}

template <class T>
Status unpack(const Json& from, T& to, const std::string& field) {
  if constexpr (Structure<T>) {
    if (!from.is_object()) return wrong(field, "a map", from);
    Unpacker unpacker{from, field.empty() ? "" : field + ".", {}};
    T::fields(to, unpacker);
    return std::move(unpacker.status);
  } else if constexpr (std::same_as<T, Document>) {
    to = std::make_shared<const Json>(from);
  } else if constexpr (std::same_as<T, Bytes>) {
    if (from.is_binary()) {
      to.data.assign(from.get_binary().begin(), from.get_binary().end());
    } else if (from.is_string()) {
      SPARKY_ASSIGN(to.data, from_base64(from.get_ref<const std::string&>()));
    } else {
      return wrong(field, "bytes (in JSON: base64)", from);
    }
  } else if constexpr (std::same_as<T, bool>) {
    if (!from.is_boolean()) return wrong(field, "true or false", from);
    to = from.get<bool>();
  } else if constexpr (std::is_arithmetic_v<T>) {
    return unpack_number(from, to, field);
  } else if constexpr (std::same_as<T, std::string>) {
    if (!from.is_string()) return wrong(field, "a string", from);
    to = from.get_ref<const std::string&>();
    if (invalid_utf8(to)) return fail(Errc::invalid, fmt::format("field '{}' is not UTF-8", field));
  } else if constexpr (requires { to.has_value(); }) {
    return unpack(from, to.emplace(), field);
  } else {
    if (!from.is_array()) return wrong(field, "a list", from);
    for (auto& item : from) {
      auto place = fmt::format("{}[{}]", field, to.size());
      SPARKY_TRY(unpack(item, to.emplace_back(), place));
    }
  }
  return {};
}

}  // namespace sparky::wire
