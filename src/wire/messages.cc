#include "wire/messages.h"

#include "wire/codec.h"

namespace sparky::wire {

Document document(Json value) { return std::make_shared<const Json>(std::move(value)); }

std::string_view name(Role role) {
  static constexpr std::string_view names[] = {"observe", "submit", "operate"};
  return names[static_cast<int>(role)];
}

Result<Asked> decode_request(const Json& map) {
  Asked asked;
  SPARKY_ASSIGN(asked.body, decode<Request>(map));
  Unpacker unpacker{map, "", {}};
  unpacker.maybe("request_id", asked.envelope.request_id, "");
  // Every request may say `idempotency_key`; where `key` is a field of its own it is the only way.
  std::string other;
  unpacker.maybe("idempotency_key", asked.envelope.key, "");
  if (std::visit([]<class M>(const M&) { return key_field<M> == "key"; }, asked.body)) unpacker.maybe("key", other, "");
  unpacker.maybe("who", asked.envelope.who, "");
  SPARKY_TRY(unpacker.status);
  for (auto& [field, text] :
       {std::pair("request_id", &asked.envelope.request_id), std::pair("key", &asked.envelope.key),
        std::pair("key", &other), std::pair("who", &asked.envelope.who)})
    if (text->size() > envelope_field_max)
      return fail(Errc::invalid, fmt::format("field '{}' has more than {} bytes", field, envelope_field_max));
  if (!other.empty() && !asked.envelope.key.empty() && other != asked.envelope.key)
    return fail(Errc::invalid, "fields 'key' and 'idempotency_key' differ", "they mean the same: give one of them");
  if (!other.empty()) asked.envelope.key = std::move(other);
  return asked;
}
Result<Asked> parse_request(std::string_view msgpack, std::string* request_id) {
  auto map = parse_msgpack(msgpack, frame_limits);
  if (!map) {
    if (msgpack.starts_with('{')) map.error().help = "this looks like JSON; requests are MessagePack: docs/protocol.md";
    return std::unexpected(map.error());
  }
  if (request_id && map->is_object())
    if (auto id = map->find("request_id"); id != map->end() && id->is_string()) {
      *request_id = id->get<std::string>();
      if (request_id->size() > envelope_field_max || invalid_utf8(*request_id)) request_id->clear();
    }
  return decode_request(*map);
}
Result<Reply> decode_reply(const Json& map) { return decode<Reply>(map); }
Result<Update> decode_update(const Json& map) { return decode<Update>(map); }
Result<Stream> decode_stream(const Json& map) { return decode<Stream>(map); }

std::string encode(const Request& body, const Envelope& envelope, Encoding encoding) {
  return encode_any(body, envelope, encoding);
}
std::string encode(const Reply& body, std::string_view request_id, Encoding encoding) {
  return encode_any(body, {.request_id = std::string(request_id)}, encoding);
}
std::string encode(const Update& body, Encoding encoding) { return encode_any(body, {}, encoding); }
std::string encode(const Stream& body, Encoding encoding) { return encode_any(body, {}, encoding); }

std::string encode_event(const EventMessage& body, std::string_view data) {
  // `data` comes last; empty, it is one byte.
  auto out = encode_any(Stream(body), {}, Encoding::msgpack);
  out.pop_back();
  return out.append(data);
}

ErrorReply error_reply(const Error& error) {
  static constexpr std::string_view codes[] = {"invalid", "not_found", "exists", "busy",      "denied",  "unavailable",
                                               "corrupt", "io",        "full",   "cancelled", "internal"};
  return {error.message, error.help, std::string(codes[static_cast<int>(error.code)]), {}};
}

Role role_of_kind(std::string_view kind) {
  return kind == "exec" || kind == "deploy" || kind == "train" ? Role::operate : Role::submit;
}
Role role_of(const Request& request) {
  if (auto* job = std::get_if<SubmitJob>(&request)) return role_of_kind(job->kind);
  return std::visit([](auto& message) { return message.role; }, request);
}
std::string_view type_of(const Request& request) {
  return std::visit([](auto& message) { return message.type; }, request);
}
std::string_view type_of(const Reply& reply) {
  return std::visit([](auto& message) { return message.type; }, reply);
}
bool is_compatible(const Request& request) {
  return std::visit(
      []<class M>(const M&) {
        return std::same_as<M, Ping> || std::same_as<M, Generate> || std::same_as<M, Cancel> ||
               std::same_as<M, GetStatus> || std::same_as<M, ListModels> || std::same_as<M, StatusRequest>;
      },
      request);
}

bool is_of_studio(const Request& request) {
  return std::visit(
      []<class M>(const M&) {
        return []<class... All>(std::variant<All...>*) {
          return (std::same_as<M, All> || ...);
        }(static_cast<StudioRequest*>(nullptr));
      },
      request);
}

}  // namespace sparky::wire
