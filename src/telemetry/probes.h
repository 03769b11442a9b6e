// Probes: each reads one part of a machine into the shape that schemas/hardware.schema.json describes, and adds to
// `unknown` what it could not learn.
#pragma once
#include "base/json.h"
#include "telemetry/host.h"

namespace sparky::telemetry {

Json read_cpu(const Host& host, std::vector<Unknown>& unknown);       // /cpu
Json read_topology(const Host& host, std::vector<Unknown>& unknown);  // /topology: packages, their cores and CPUs
Json read_numa(const Host& host, std::vector<Unknown>& unknown);      // /numa
Json read_memory(const Host& host, std::vector<Unknown>& unknown);    // /memory
Json read_disks(const Host& host, std::vector<Unknown>& unknown);     // /disks
Json read_network(const Host& host, std::vector<Unknown>& unknown);   // /network
// Display and 3D controllers on the PCI bus: {"address","vendor"}, e.g. to notice a GPU without its driver.
Json read_pci_gpus(const Host& host);

// "x86_64" or "arm64", otherwise what uname calls it; of a recorded tree, what its /proc/cpuinfo looks like.
std::string architecture(const Host& host);

// The memory modules in an SMBIOS table (DMTF DSP0134, structure type 17): locator, size_bytes, type, speed_mts,
// width_bits, manufacturer. Bytes from firmware: anything malformed ends the list.
Json parse_smbios_memory(std::string_view table);
// The memory channels that locators such as "DIMM_A1" or "P0 CHANNEL B" name; 0 if they do not say.
int count_channels(const std::vector<std::string>& locators);

}  // namespace sparky::telemetry
