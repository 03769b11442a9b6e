#include "telemetry/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <functional>
#include <utility>

#include "base/text.h"
#include "telemetry/nvml_abi.h"

namespace sparky::telemetry {

struct Nvml::Library {
  void* handle = nullptr;
  bool started = false;
  const char* (*nvmlErrorString)(nvmlReturn_t) = nullptr;
#define DECLARE(name, ...) nvmlReturn_t (*name)(__VA_ARGS__) = nullptr;
  SPARKY_NVML_FUNCTIONS(DECLARE)
#undef DECLARE

  ~Library() {
    if (started && nvmlShutdown) nvmlShutdown();
    if (handle) ::dlclose(handle);
  }

  void load() {
    nvmlErrorString = reinterpret_cast<decltype(nvmlErrorString)>(::dlsym(handle, "nvmlErrorString"));
#define LOAD(name, ...) name = reinterpret_cast<decltype(name)>(::dlsym(handle, #name));
    SPARKY_NVML_FUNCTIONS(LOAD)
#undef LOAD
  }

  std::string why(nvmlReturn_t code) const {
    const char* text = nvmlErrorString ? nvmlErrorString(code) : nullptr;
    return fmt::format("NVML: {} (code {})", text ? printable(text) : "error", code);
  }
};

Nvml::Nvml(std::unique_ptr<Library> library) : library_(std::move(library)) {}
Nvml::Nvml(Nvml&&) noexcept = default;
Nvml& Nvml::operator=(Nvml&&) noexcept = default;
Nvml::~Nvml() = default;

Result<Nvml> Nvml::open(const std::string& name) {
  auto library = std::make_unique<Library>();
  library->handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library->handle)
    return fail(Errc::unavailable, fmt::format("{} is not here: no NVIDIA driver is installed", name));
  library->load();
  if (!library->nvmlInit_v2 || !library->nvmlDeviceGetCount_v2 || !library->nvmlDeviceGetHandleByIndex_v2)
    return fail(Errc::unavailable, fmt::format("{} lacks functions that every NVML since 2012 has", name));
  if (auto code = library->nvmlInit_v2(); code != NVML_SUCCESS)
    return fail(Errc::unavailable, fmt::format("{} would not start: {}", name, library->why(code)));
  library->started = true;
  return Nvml(std::move(library));
}

std::string Nvml::driver() const {
  std::array<char, 96> text{};
  auto get = library_->nvmlSystemGetDriverVersion;
  if (!get || get(text.data(), text.size() - 1) != NVML_SUCCESS) return {};
  return printable(text.data());
}

std::string Nvml::cuda() const {
  int version = 0;  // 1000 * major + 10 * minor
  auto get = library_->nvmlSystemGetCudaDriverVersion_v2;
  if (!get || get(&version) != NVML_SUCCESS || version <= 0) return {};
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

namespace {

// Devices that are known to have no memory of their own. For them NVML answers "not supported", or zero.
bool integrated(std::string_view model) {
  for (auto name : {"GB10", "Thor", "Orin", "Xavier", "Tegra"})
    if (model.find(name) != std::string_view::npos) return true;
  return false;
}

// Asks one device, and keeps a record of what it would not say.
class Asker {
 public:
  Asker(Gpu& gpu, const std::function<std::string(nvmlReturn_t)>& why) : gpu_(gpu), why_(why) {}

  template <class... Parameters, class... Arguments>
  bool ask(const char* what, nvmlReturn_t (*function)(Parameters...), Arguments... arguments) {
    nvmlReturn_t code = function ? function(arguments...) : NVML_ERROR_NOT_SUPPORTED;
    if (code != NVML_SUCCESS)
      gpu_.unknown.push_back({fmt::format("gpu.{}.{}", gpu_.index, what),
                              function ? why_(code) : "this version of the driver's library cannot say"});
    return code == NVML_SUCCESS;
  }

 private:
  Gpu& gpu_;
  const std::function<std::string(nvmlReturn_t)>& why_;
};

}  // namespace

Result<std::vector<Gpu>> Nvml::gpus(uint64_t system_memory_bytes) const {
  const Library& lib = *library_;
  unsigned count = 0;
  if (auto code = lib.nvmlDeviceGetCount_v2(&count); code != NVML_SUCCESS)
    return fail(Errc::unavailable, "cannot count the GPUs: " + lib.why(code));
  const std::function<std::string(nvmlReturn_t)> why = [&](nvmlReturn_t code) { return lib.why(code); };

  std::vector<Gpu> out;
  for (unsigned index = 0; index < count; ++index) {
    Gpu& gpu = out.emplace_back();
    gpu.index = index;
    Asker asker(gpu, why);
    nvmlDevice_t device = nullptr;
    if (!asker.ask("device", lib.nvmlDeviceGetHandleByIndex_v2, index, &device)) continue;

    std::array<char, 128> text{};
    if (asker.ask("model", lib.nvmlDeviceGetName, device, text.data(), unsigned(text.size() - 1)))
      gpu.model = printable(text.data());
    text.fill(0);
    if (asker.ask("uuid", lib.nvmlDeviceGetUUID, device, text.data(), unsigned(text.size() - 1)))
      gpu.uuid = printable(text.data());
    nvmlPciInfo_t pci{};
    if (asker.ask("pci_bus", lib.nvmlDeviceGetPciInfo_v3, device, &pci)) {
      pci.busId[sizeof pci.busId - 1] = 0;
      gpu.pci_bus = printable(pci.busId);
    }

    nvmlMemory_t memory{};
    nvmlReturn_t code = lib.nvmlDeviceGetMemoryInfo ? lib.nvmlDeviceGetMemoryInfo(device, &memory) : NVML_SUCCESS;
    bool no_size = code == NVML_ERROR_NOT_SUPPORTED || (code == NVML_SUCCESS && memory.total == 0);
    gpu.unified_memory = integrated(gpu.model);
    if (gpu.unified_memory && (no_size || code == NVML_SUCCESS)) {
      if (system_memory_bytes) gpu.memory_bytes = system_memory_bytes;
    } else if (code == NVML_SUCCESS && memory.total) {
      gpu.memory_bytes = memory.total;
      gpu.memory_used_bytes = memory.used;
    } else {
      gpu.unknown.push_back({fmt::format("gpu.{}.memory_bytes", index), code ? lib.why(code) : "NVML says 0"});
    }

    int major = 0, minor = 0;
    if (asker.ask("compute_capability", lib.nvmlDeviceGetCudaComputeCapability, device, &major, &minor))
      gpu.compute_capability = fmt::format("{}.{}", major, minor);
    auto number = [&](const char* what, auto function, std::optional<unsigned>& to) {
      unsigned value = 0;
      if (asker.ask(what, function, device, &value)) to = value;
    };
    number("cores", lib.nvmlDeviceGetNumGpuCores, gpu.cores);
    number("pcie_generation", lib.nvmlDeviceGetMaxPcieLinkGeneration, gpu.pcie_generation);
    number("pcie_width", lib.nvmlDeviceGetMaxPcieLinkWidth, gpu.pcie_width);
    std::optional<unsigned> milliwatts, milliwatts_max;
    number("power_w", lib.nvmlDeviceGetPowerUsage, milliwatts);
    number("power_limit_w", lib.nvmlDeviceGetPowerManagementLimit, milliwatts_max);
    if (milliwatts) gpu.power_w = *milliwatts / 1000.0;
    if (milliwatts_max) gpu.power_limit_w = *milliwatts_max / 1000.0;

    unsigned value = 0;
    if (asker.ask("temperature_c", lib.nvmlDeviceGetTemperature, device, NVML_TEMPERATURE_GPU, &value))
      gpu.temperature_c = value;
    if (asker.ask("sm_clock_mhz", lib.nvmlDeviceGetClockInfo, device, NVML_CLOCK_SM, &value)) gpu.sm_clock_mhz = value;
    if (asker.ask("sm_clock_mhz_max", lib.nvmlDeviceGetMaxClockInfo, device, NVML_CLOCK_SM, &value))
      gpu.sm_clock_mhz_max = value;
    if (asker.ask("memory_clock_mhz", lib.nvmlDeviceGetClockInfo, device, NVML_CLOCK_MEM, &value))
      gpu.memory_clock_mhz = value;
    nvmlUtilization_t utilization{};
    if (asker.ask("utilization_percent", lib.nvmlDeviceGetUtilizationRates, device, &utilization))
      gpu.utilization_percent = utilization.gpu;
  }
  return out;
}

}  // namespace sparky::telemetry
