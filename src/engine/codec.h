// Codec: the bytes of events and states. An event is a MessagePack array [format, type, at in ms, field, …]: fields
// that are missing at its end take their defaults, further ones are ignored, so that journals survive both ways.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "engine/event.h"
#include "engine/state.h"

namespace sparky::engine {

std::string encode(const Event& event);
// Refuses bytes that are no event, and (Errc::unavailable) events of a newer format or an unknown type.
Result<Event> decode_event(std::string_view bytes);

// The whole state, without what is derived; canonical: equal states, equal bytes. For snapshots and for comparing a
// replay with the live state.
std::string encode(const State& state);
Result<State> decode_state(std::string_view bytes);
Digest state_hash(const State& state);

// An event with the names of its fields: {"type":"attempt-started","at":"2025-…","attempt":7}. For export and streams.
Json to_json(const Event& event);
// Without type and at; as MessagePack for each event that is told, with the name of its node if there is one.
Json fields_json(const Event& event);
std::string fields_msgpack(const Event& event, std::string_view id);

}  // namespace sparky::engine
