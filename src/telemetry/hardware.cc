#include "telemetry/hardware.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "base/time.h"
#include "telemetry/nvml.h"
#include "telemetry/probes.h"
#include "telemetry/schema.h"

namespace sparky::telemetry {
namespace {

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}
Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json gpu_json(const Gpu& gpu, const Nvml& nvml) {
  return {{"index", gpu.index},
          {"model", or_null(gpu.model)},
          {"uuid", or_null(gpu.uuid)},
          {"pci_bus", or_null(gpu.pci_bus)},
          {"memory_bytes", or_null(gpu.memory_bytes)},
          {"unified_memory", gpu.unified_memory},
          {"driver", or_null(nvml.driver())},
          {"cuda", or_null(nvml.cuda())},
          {"compute_capability", or_null(gpu.compute_capability)},
          {"cuda_cores", or_null(gpu.cores)},
          {"pcie_generation", or_null(gpu.pcie_generation)},
          {"pcie_width", or_null(gpu.pcie_width)},
          {"power_limit_w", or_null(gpu.power_limit_w)},
          {"sm_clock_mhz_max", or_null(gpu.sm_clock_mhz_max)}};
}

// Why there is no GPU in the list, as precisely as the PCI bus allows.
std::string why_no_gpu(const Host& host, const std::string& nvml_says) {
  std::string seen;
  for (const auto& device : read_pci_gpus(host)) {
    auto vendor = device["vendor"].get<std::string>();
    auto address = device["address"].get<std::string>();
    if (vendor == "0x10de") return fmt::format("an NVIDIA GPU is at PCI {}, but {}", address, nvml_says);
    seen += fmt::format("; the display controller at PCI {} (vendor {}) is not NVIDIA's", address, vendor);
  }
  return nvml_says + seen;
}

Json read_gpus(const Host& host, const std::string& library, uint64_t system_memory, std::vector<Unknown>& unknown) {
  Json out = Json::array();
  auto nvml = Nvml::open(library);
  if (!nvml) {
    unknown.push_back({"gpu", why_no_gpu(host, nvml.error().message)});
    return out;
  }
  auto gpus = nvml->gpus(system_memory);
  if (!gpus || gpus->empty()) {
    unknown.push_back({"gpu", why_no_gpu(host, gpus ? "NVML finds no device" : gpus.error().message)});
    return out;
  }
  for (const auto& gpu : *gpus) {
    out.push_back(gpu_json(gpu, *nvml));
    unknown.insert(unknown.end(), gpu.unknown.begin(), gpu.unknown.end());
  }
  return out;
}

bool docker_answers() {
  const char* configured = std::getenv("DOCKER_HOST");
  std::string_view address = configured && *configured ? configured : "unix:///var/run/docker.sock";
  if (!address.starts_with("unix://")) return true;  // somebody set up a remote daemon
  address.remove_prefix(7);
  sockaddr_un target{};
  target.sun_family = AF_UNIX;
  if (address.size() >= sizeof target.sun_path) return false;
  std::memcpy(target.sun_path, address.data(), address.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return fd && ::connect(fd.get(), reinterpret_cast<sockaddr*>(&target), sizeof target) == 0;
}

std::vector<std::string> find_facts(const Json& doc) {
  std::set<std::string> out = {"linux", doc["cpu"]["architecture"].get<std::string>()};
  for (const auto& gpu : doc["gpu"]) {
    if (gpu["model"].is_null()) continue;  // present, but it does not answer
    out.insert("gpu");
    if (gpu["cuda"].is_string()) out.insert("cuda");
    if (gpu["unified_memory"] == true) out.insert("unified-memory");
    if (gpu["model"].get<std::string>().find("GB10") != std::string::npos) out.insert("gb10");
  }
  if (doc["network"]["default_route"] == true) out.insert("network");
  if (docker_answers()) out.insert("docker");
  if (!find_program("sbatch").empty()) out.insert("slurm");
  return {out.begin(), out.end()};
}

}  // namespace

Json read_hardware(const Host& host, const std::string& nvml_library) {
  std::vector<Unknown> unknown;
  Json doc = {{"schema", "sparky-hardware/1"}, {"captured_at", iso(now())}};
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  doc["hostname"] = printable(name.data());
  doc["kernel"] = host.line("/proc/sys/kernel/osrelease").value_or("");
  doc["board"] = or_null(host.line("/sys/class/dmi/id/product_name"));
  if (doc["board"].is_null()) doc["board"] = or_null(std::string(trim(host.text("/proc/device-tree/model"))));
  if (doc["board"].is_null()) unknown.push_back({"board", "neither DMI nor a device tree names it"});
  doc["cpu"] = read_cpu(host, unknown);
  doc["topology"] = read_topology(host, unknown);
  doc["numa"] = read_numa(host, unknown);
  doc["memory"] = read_memory(host, unknown);
  const Json& total = doc["memory"]["total_bytes"];
  doc["gpu"] = read_gpus(host, nvml_library, total.is_null() ? 0 : total.get<uint64_t>(), unknown);
  doc["disks"] = read_disks(host, unknown);
  doc["network"] = read_network(host, unknown);
  doc["facts"] = find_facts(doc);
  doc["unknown"] = Json::array();
  for (const auto& item : unknown) doc["unknown"].push_back({{"what", item.what}, {"why", printable(item.why)}});
  seal(doc);
  return doc;
}

std::set<std::string> facts() { return facts(read_hardware()); }

std::set<std::string> facts(const Json& hardware) { return hardware.at("facts").get<std::set<std::string>>(); }

const std::vector<std::string>& known_facts() {
  static const std::vector<std::string> names = {"linux", "x86_64", "arm64",   "gpu",   "cuda",
                                                 "gb10",  "docker", "network", "slurm", "unified-memory"};
  return names;
}

Json identity(const Json& doc) {
  Json out = Json::object();
  const Json& cpu = doc.at("cpu");
  for (auto key : {"architecture", "model", "sockets", "cores", "logical"})
    out[fmt::format("cpu.{}", key)] = cpu.at(key);
  for (const auto& flag : cpu.at("flags")) out["cpu.flags." + flag.get<std::string>()] = true;
  for (const auto& cache : cpu.at("caches")) {
    auto name = fmt::format("cpu.caches.L{}-{}", cache.at("level").get<int>(), cache.at("type").get<std::string>());
    auto bytes = cache.at("size_bytes").get<int64_t>() * cache.at("instances").get<int64_t>();
    out[name] = out.value(name, int64_t{0}) + bytes;
  }
  out["memory.total_bytes"] = doc.at("memory").at("total_bytes");
  out["numa.nodes"] = doc.at("numa").size();
  for (const auto& gpu : doc.at("gpu"))
    for (auto key : {"model", "uuid", "memory_bytes", "driver", "cuda"})
      out[fmt::format("gpu.{}.{}", gpu.at("index").get<int>(), key)] = gpu.at(key);
  for (const auto& disk : doc.at("disks"))
    out[fmt::format("disks.{}.size_bytes", disk.at("name").get<std::string>())] = disk.at("size_bytes");
  for (const auto& interface : doc.at("network").at("interfaces"))
    if (!interface.at("virtual").get<bool>())
      out[fmt::format("network.{}", interface.at("name").get<std::string>())] = "present";
  return out;
}

}  // namespace sparky::telemetry
