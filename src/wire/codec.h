// Codec: a variant of messages to and from a map. Included by messages.cc and worker.cc alone.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "wire/fields.h"
#include "wire/messages.h"

namespace sparky::wire {

// Only a frame of a known shape is looked at closer, so what a frame may hold is bounded here.
inline constexpr DecodeLimits frame_limits{.bytes = 16u << 20, .depth = 32, .values = 1 << 20};

template <class Variant, size_t I = 0>
Status decode_as(std::string_view type, const Json& map, Variant& out, std::vector<std::string>& known) {
  if constexpr (I == std::variant_size_v<Variant>) {
    auto near = nearest(type, known);
    return fail(Errc::invalid, fmt::format("unknown type '{}'", printable(type.substr(0, 64))),
                near ? fmt::format("did you mean '{}'?", *near) : "docs/protocol.md lists all types");
  } else {
    using Message = std::variant_alternative_t<I, Variant>;
    if (type == Message::type) return unpack(map, out.template emplace<I>(), "");
    known.emplace_back(Message::type);
    return decode_as<Variant, I + 1>(type, map, out, known);
  }
}

template <class Variant>
Result<Variant> decode(const Json& map) {
  if (!map.is_object()) return fail(Errc::invalid, fmt::format("a message is a map, not {}", map.type_name()));
  auto type = map.find("type");
  if (type == map.end()) return fail(Errc::invalid, "field 'type' is missing");
  if (!type->is_string()) return wrong("type", "a string", *type);
  Variant out;
  std::vector<std::string> known;
  SPARKY_TRY(decode_as(type->get_ref<const std::string&>(), map, out, known));
  return out;
}

// The idempotency key's name: another one where the message has a field `key` of its own.
template <class Message>
constexpr std::string_view key_field = "key";
template <class Message>
  requires requires(Message& m) { m.key; }
constexpr std::string_view key_field<Message> = "idempotency_key";

// A message with the envelope's fields, where they are not empty.
template <class Message>
struct Enveloped {
  const Message& body;
  const Envelope& envelope;
  template <class M, class V>
  static void fields(M& m, V& v) {
    Message::fields(m.body, v);
    v.maybe("request_id", m.envelope.request_id, "");
    v.maybe(key_field<Message>, m.envelope.key, "");
    v.maybe("who", m.envelope.who, "");
  }
};

template <class Variant>
std::string encode_any(const Variant& body, const Envelope& envelope, Encoding encoding) {
  return std::visit(
      [&](auto& message) {
        using Message = std::decay_t<decltype(message)>;
        Enveloped<Message> whole{message, envelope};
        std::string out;
        if (encoding == Encoding::msgpack) {
          pack(out, whole, Message::type);
          return out;
        }
        OrderedJson json = {{"type", Message::type}};
        Orderer orderer{json};
        Enveloped<Message>::fields(whole, orderer);
        return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
      },
      body);
}

template <class Variant>
Result<Variant> parse(std::string_view msgpack) {
  SPARKY_ASSIGN(auto map, parse_msgpack(msgpack, frame_limits));
  return decode<Variant>(map);
}

}  // namespace sparky::wire
