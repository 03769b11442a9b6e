// Any bytes as a worker's frame, or as the daemon's to it: an error or a message that survives its own encoding.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/worker.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sparky;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto message = wire::parse_from_worker(bytes)) {
    auto again = wire::parse_from_worker(wire::encode(*message));
    if (!again || wire::encode(*again) != wire::encode(*message)) std::abort();
  }
  if (auto message = wire::parse_to_worker(bytes)) {
    auto again = wire::parse_to_worker(wire::encode(*message));
    if (!again || wire::encode(*again) != wire::encode(*message)) std::abort();
  }
  return 0;
}
