#include "wire/worker.h"

#include "wire/codec.h"

namespace sparky::wire {

Result<FromWorker> parse_from_worker(std::string_view msgpack) { return parse<FromWorker>(msgpack); }
Result<ToWorker> parse_to_worker(std::string_view msgpack) { return parse<ToWorker>(msgpack); }
std::string encode(const FromWorker& message) { return encode_any(message, {}, Encoding::msgpack); }
std::string encode(const ToWorker& message) { return encode_any(message, {}, Encoding::msgpack); }

}  // namespace sparky::wire
