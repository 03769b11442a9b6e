// Schema: checks a document against a JSON Schema (draft 7) of ours; the library behind it is valijson.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace sparky::telemetry {

struct Finding {
  std::string pointer;  // JSON pointer (RFC 6901) to the offending value; "" is the whole document
  std::string message;
  // "/gpu/0/memory_bytes: …", or "the document: …".
  std::string text() const;
};

// The schema files under schemas/, carried inside the program: "hardware", "environment", "result", "bench".
std::string_view schema_text(std::string_view name);

// Puts the digest of all other members into /digest (SHA-256 of the JSON text with sorted keys), so that a document
// that was edited, cut or mixed up can be told from one that was measured. No protection against a forger.
void seal(Json& document);
bool is_sealed(const Json& document);

// Everything that is wrong with the document; empty if it is right. Each finding says what is there and what would
// be right. Only the innermost place of a trouble is named, not each object around it.
std::vector<Finding> check_schema(const Json& document, std::string_view schema_name);

}  // namespace sparky::telemetry
