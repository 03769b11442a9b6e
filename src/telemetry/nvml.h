// Nvml: NVIDIA's management library, loaded at run time, so that neither building nor running needs an NVIDIA package.
// The few declarations of its C ABI are our own, written after NVIDIA's public "NVML API Reference Guide".
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "telemetry/host.h"

namespace sparky::telemetry {

struct Gpu {
  unsigned index = 0;
  std::string model;
  std::string uuid;
  std::string pci_bus;
  std::optional<uint64_t> memory_bytes;       // of the device; with unified memory, the system's
  std::optional<uint64_t> memory_used_bytes;  // absent with unified memory
  bool unified_memory = false;                // the GPU uses the system's memory and has none of its own
  std::string compute_capability;             // "12.1"
  std::optional<unsigned> cores;              // CUDA cores
  std::optional<unsigned> pcie_generation, pcie_width;
  std::optional<double> power_w, power_limit_w;
  std::optional<unsigned> temperature_c, utilization_percent, sm_clock_mhz, sm_clock_mhz_max, memory_clock_mhz;
  std::vector<Unknown> unknown;  // what this device would not say
};

class Nvml {
 public:
  // Errors: unavailable — no such library (no NVIDIA driver is installed), or it would not start (the message says
  // why: driver not loaded, library and driver of different versions, …).
  static Result<Nvml> open(const std::string& library = "libnvidia-ml.so.1");
  Nvml(Nvml&&) noexcept;
  Nvml& operator=(Nvml&&) noexcept;
  ~Nvml();

  std::string driver() const;  // "580.95.05"; empty if it does not say
  std::string cuda() const;    // highest CUDA version that the driver supports, "13.0"; empty if it does not say
  // Every device, as it is now. A device that does not answer is listed with what it said in `unknown`.
  // system_memory_bytes stands in for the size of a GPU with unified memory (GB10: NVML answers "not supported").
  Result<std::vector<Gpu>> gpus(uint64_t system_memory_bytes) const;

 private:
  struct Library;
  explicit Nvml(std::unique_ptr<Library> library);
  std::unique_ptr<Library> library_;
};

}  // namespace sparky::telemetry
