// Hardware: what this machine is made of, as one JSON document (schemas/hardware.schema.json describes it), what it
// can therefore be asked to do (facts), and how two such documents differ.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "telemetry/host.h"

namespace sparky::telemetry {

// Reads everything; takes some milliseconds (the GPU's library some hundred). What cannot be learnt is null or absent
// and named, with the reason, in /unknown. Never fails.
Json read_hardware(const Host& host = Host{}, const std::string& nvml_library = "libnvidia-ml.so.1");

// What criteria may require of a machine (`requires = ["gpu", "arm64"]`). Those Sparky knows:
//   linux, x86_64, arm64     the system and its architecture
//   gpu, cuda                an NVIDIA GPU that answers; its driver supports CUDA
//   gb10, unified-memory     a DGX Spark's GPU; a GPU that shares the system's memory
//   docker                   a Docker daemon takes connections
//   network                  there is a default route
//   slurm                    sbatch is installed
std::set<std::string> facts();
std::set<std::string> facts(const Json& hardware);  // as recorded in a document
const std::vector<std::string>& known_facts();

// What makes a machine this machine, as a flat map: model, counts, sizes, flags, drivers. Not what varies by itself
// (used memory, clocks, virtual interfaces). For compare() of telemetry/changes.h.
Json identity(const Json& hardware);

}  // namespace sparky::telemetry
