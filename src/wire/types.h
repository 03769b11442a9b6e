// Types of fields that the standard library has not.
#pragma once
#include <memory>
#include <string>

#include "base/json.h"

namespace sparky::wire {

// Bytes: `bin` in MessagePack, base64 in JSON.
struct Bytes {
  std::string data;
  bool empty() const { return data.empty(); }
  friend bool operator==(const Bytes&, const Bytes&) = default;
};

// A value whose inner shape is described elsewhere (the status document, an event's fields). Never changed once made.
using Document = std::shared_ptr<const Json>;
Document document(Json value);

// What a client must be allowed for a request; each includes the one before.
enum class Role { observe, submit, operate };
std::string_view name(Role role);

}  // namespace sparky::wire
