// Profiles of validate, as anybody may write them: parsed or refused with a reason; what is parsed comes back the same.
#include <cstdlib>

#include "pixel/validate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sparky;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto profile = pixel::parse_profile(text, "profile.toml");
  if (!profile) return profile.error().message.empty() ? std::abort(), 0 : 0;
  const std::string written = pixel::to_toml(*profile);
  const auto again = pixel::parse_profile(written, "again.toml");
  if (!again || pixel::to_toml(*again) != written) std::abort();
  return 0;
}
