// The firmware's table of memory modules: any bytes give a list that the schema takes, or an empty one.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "telemetry/probes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sparky::telemetry;
  auto modules = parse_smbios_memory({reinterpret_cast<const char*>(data), size});
  std::vector<std::string> locators;
  for (const auto& module : modules) {
    if (module["size_bytes"].get<uint64_t>() == 0) std::abort();
    locators.push_back(module["locator"]);
  }
  if (count_channels(locators) > int(modules.size())) std::abort();
  return 0;
}
