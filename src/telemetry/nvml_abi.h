// The part of NVML's C ABI that Sparky uses: names, argument types and constants after NVIDIA's public "NVML API
// Reference Guide". Shared with the stand-in library that the tests build.
#pragma once

extern "C" {

using nvmlReturn_t = int;
using nvmlDevice_t = struct nvmlDevice_st*;

inline constexpr nvmlReturn_t NVML_SUCCESS = 0;
inline constexpr nvmlReturn_t NVML_ERROR_INVALID_ARGUMENT = 2;
inline constexpr nvmlReturn_t NVML_ERROR_NOT_SUPPORTED = 3;
inline constexpr nvmlReturn_t NVML_ERROR_NO_PERMISSION = 4;
inline constexpr nvmlReturn_t NVML_ERROR_DRIVER_NOT_LOADED = 9;
inline constexpr nvmlReturn_t NVML_ERROR_GPU_IS_LOST = 15;
inline constexpr nvmlReturn_t NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18;

struct nvmlMemory_t {
  unsigned long long total, free, used;  // bytes
};
struct nvmlUtilization_t {
  unsigned int gpu, memory;  // percent of the last sampling period
};
struct nvmlPciInfo_t {
  char busIdLegacy[16];
  unsigned int domain, bus, device, pciDeviceId, pciSubSystemId;
  char busId[32];
};
inline constexpr unsigned NVML_TEMPERATURE_GPU = 0;
inline constexpr unsigned NVML_CLOCK_SM = 1;
inline constexpr unsigned NVML_CLOCK_MEM = 2;

}  // extern "C"

// X(name, argument types): every function that Sparky calls, except nvmlErrorString, which returns a string.
#define SPARKY_NVML_FUNCTIONS(X)                                     \
  X(nvmlInit_v2, void)                                               \
  X(nvmlShutdown, void)                                              \
  X(nvmlSystemGetDriverVersion, char*, unsigned)                     \
  X(nvmlSystemGetCudaDriverVersion_v2, int*)                         \
  X(nvmlDeviceGetCount_v2, unsigned*)                                \
  X(nvmlDeviceGetHandleByIndex_v2, unsigned, nvmlDevice_t*)          \
  X(nvmlDeviceGetName, nvmlDevice_t, char*, unsigned)                \
  X(nvmlDeviceGetUUID, nvmlDevice_t, char*, unsigned)                \
  X(nvmlDeviceGetPciInfo_v3, nvmlDevice_t, nvmlPciInfo_t*)           \
  X(nvmlDeviceGetMemoryInfo, nvmlDevice_t, nvmlMemory_t*)            \
  X(nvmlDeviceGetCudaComputeCapability, nvmlDevice_t, int*, int*)    \
  X(nvmlDeviceGetNumGpuCores, nvmlDevice_t, unsigned*)               \
  X(nvmlDeviceGetMaxPcieLinkGeneration, nvmlDevice_t, unsigned*)     \
  X(nvmlDeviceGetMaxPcieLinkWidth, nvmlDevice_t, unsigned*)          \
  X(nvmlDeviceGetPowerUsage, nvmlDevice_t, unsigned*)                \
  X(nvmlDeviceGetPowerManagementLimit, nvmlDevice_t, unsigned*)      \
  X(nvmlDeviceGetTemperature, nvmlDevice_t, unsigned, unsigned*)     \
  X(nvmlDeviceGetUtilizationRates, nvmlDevice_t, nvmlUtilization_t*) \
  X(nvmlDeviceGetClockInfo, nvmlDevice_t, unsigned, unsigned*)       \
  X(nvmlDeviceGetMaxClockInfo, nvmlDevice_t, unsigned, unsigned*)
