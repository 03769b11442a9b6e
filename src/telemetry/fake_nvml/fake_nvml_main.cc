// A stand-in for NVIDIA's libnvidia-ml.so.1, for the tests: the same symbols and ABI, with answers chosen by the
// environment variable FAKE_NVML. The answers of "gb10" are those that owners of a DGX Spark report (driver 580:
// nvmlDeviceGetMemoryInfo and the power limit say "not supported").
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "telemetry/nvml_abi.h"

struct nvmlDevice_st {
  unsigned index;
};

namespace {

nvmlDevice_st devices[2] = {{0}, {1}};

bool mode(std::string_view name) {
  const char* set = std::getenv("FAKE_NVML");
  return set && name == set;
}

nvmlReturn_t copy(const char* text, char* to, unsigned size) {
  std::snprintf(to, size, "%s", text);
  return NVML_SUCCESS;
}

nvmlReturn_t put(unsigned value, unsigned* to) {
  *to = value;
  return NVML_SUCCESS;
}

}  // namespace

extern "C" {

const char* nvmlErrorString(nvmlReturn_t code) {
  switch (code) {
    case NVML_ERROR_NOT_SUPPORTED:
      return "Not Supported";
    case NVML_ERROR_DRIVER_NOT_LOADED:
      return "Driver Not Loaded";
    case NVML_ERROR_GPU_IS_LOST:
      return "GPU is lost";
    case NVML_ERROR_LIB_RM_VERSION_MISMATCH:
      return "Driver/library version mismatch";
    default:
      return nullptr;
  }
}

nvmlReturn_t nvmlInit_v2() {
  if (mode("not-loaded")) return NVML_ERROR_DRIVER_NOT_LOADED;
  if (mode("mismatch")) return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlShutdown() { return NVML_SUCCESS; }

nvmlReturn_t nvmlSystemGetDriverVersion(char* to, unsigned size) {
  return copy(mode("older-driver") ? "550.54.15" : "580.95.05", to, size);
}
nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int* version) {
  *version = mode("older-driver") ? 12040 : 13000;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned* count) {
  return put(mode("none") ? 0 : mode("gb10") || mode("gb10-zero") || mode("discrete-silent") ? 1 : 2, count);
}
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t* device) {
  if (index > 1) return NVML_ERROR_INVALID_ARGUMENT;
  if (mode("lost") && index == 1) return NVML_ERROR_GPU_IS_LOST;
  *device = &devices[index];
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t, char* to, unsigned size) {
  return copy(mode("gb10") || mode("gb10-zero") ? "NVIDIA GB10" : "NVIDIA RTX 6000 Ada Generation", to, size);
}
nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char* to, unsigned size) {
  std::snprintf(to, size, "GPU-00000000-0000-0000-0000-00000000000%u", device->index);
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t* pci) {
  std::memset(pci, 0, sizeof *pci);
  std::snprintf(pci->busId, sizeof pci->busId, "0000000F:0%u:00.0", device->index + 1);
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t, nvmlMemory_t* memory) {
  if (mode("gb10") || mode("discrete-silent")) return NVML_ERROR_NOT_SUPPORTED;
  *memory = mode("gb10-zero") ? nvmlMemory_t{0, 0, 0} : nvmlMemory_t{48ull << 30, 47ull << 30, 1ull << 30};
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t, int* major, int* minor) {
  bool gb10 = mode("gb10") || mode("gb10-zero");
  *major = gb10 ? 12 : 8;
  *minor = gb10 ? 1 : 9;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetNumGpuCores(nvmlDevice_t, unsigned* value) { return put(mode("gb10") ? 6144 : 18176, value); }
nvmlReturn_t nvmlDeviceGetMaxPcieLinkGeneration(nvmlDevice_t, unsigned* value) { return put(4, value); }
nvmlReturn_t nvmlDeviceGetMaxPcieLinkWidth(nvmlDevice_t, unsigned* value) { return put(16, value); }
nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t, unsigned* milliwatts) { return put(11170, milliwatts); }
nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t, unsigned* milliwatts) {
  return mode("gb10") ? NVML_ERROR_NOT_SUPPORTED : put(300000, milliwatts);
}
nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t, unsigned sensor, unsigned* value) {
  return sensor == NVML_TEMPERATURE_GPU ? put(35, value) : NVML_ERROR_INVALID_ARGUMENT;
}
nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t, nvmlUtilization_t* rates) {
  *rates = {7, 3};
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t, unsigned clock, unsigned* value) {
  return put(clock == NVML_CLOCK_SM ? 2400 : 9000, value);
}
nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t, unsigned, unsigned* value) { return put(3000, value); }

}  // extern "C"
