// Weights from strangers: whatever the bytes, reading ends with tensors that lie inside the data, or with a reason.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "studio/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sparky::studio;
  auto r = parse_safetensors(std::string(reinterpret_cast<const char*>(data), size));
  if (!r) return r.error().message.empty() ? std::abort(), 0 : 0;
  for (const auto& [name, t] : r->tensors) {
    if (t.offset + t.bytes > r->data.size() || uint64_t(t.elements()) * byte_size(t.dtype) != t.bytes) std::abort();
  }
  auto again = parse_safetensors(to_bytes(*r));
  if (!again || again->tensors.size() != r->tensors.size()) std::abort();
  return 0;
}
