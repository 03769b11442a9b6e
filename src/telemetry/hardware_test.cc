#include "telemetry/hardware.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "telemetry/changes.h"
#include "telemetry/hardware_report.h"
#include "telemetry/nvml.h"
#include "telemetry/probes.h"
#include "telemetry/schema.h"

namespace sparky::telemetry {
namespace {
namespace fs = std::filesystem;

const std::string fake_library = FAKE_NVML_DIR "/libnvidia-ml.so.1";

// A directory of its own that goes away with the test.
class Tree {
 public:
  Tree() {
    std::string name = (fs::temp_directory_path() / "sparky-host-XXXXXX").string();
    root = ::mkdtemp(name.data());
  }
  ~Tree() {
    std::error_code ec;
    fs::remove_all(root, ec);
  }
  void put(const std::string& path, std::string_view text) {
    ASSERT_TRUE(write_file_atomic(root / fs::path(path).relative_path(), text, {.sync = false}));
  }
  Host host() const { return Host(root); }
  fs::path root;
};

// A DGX Spark as its /proc and /sys look: two kinds of ARM cores, no cpufreq, no SMBIOS.
void build_arm(Tree& tree, int fast, int slow) {
  std::string cpuinfo;
  for (int cpu = 0; cpu < fast + slow; ++cpu) {
    cpuinfo += fmt::format("processor\t: {}\nFeatures\t: fp asimd sve2\nCPU implementer\t: 0x41\nCPU part\t: {}\n\n",
                           cpu, cpu < fast ? "0xd85" : "0xd87");
    auto dir = fmt::format("/sys/devices/system/cpu/cpu{}", cpu);
    tree.put(dir + "/topology/physical_package_id", "0\n");
    tree.put(dir + "/topology/core_id", fmt::format("{}\n", cpu));
    tree.put(dir + "/cache/index0/level", "1\n");
    tree.put(dir + "/cache/index0/type", "Data\n");
    tree.put(dir + "/cache/index0/size", "64K\n");
    tree.put(dir + "/cache/index0/coherency_line_size", "64\n");
    tree.put(dir + "/cache/index0/shared_cpu_list", fmt::format("{}\n", cpu));
  }
  tree.put("/proc/cpuinfo", cpuinfo);
  tree.put("/sys/devices/system/cpu/online", fmt::format("0-{}\n", fast + slow - 1));
  tree.put("/sys/devices/system/node/node0/cpulist", fmt::format("0-{}\n", fast + slow - 1));
  tree.put("/sys/devices/system/node/node0/meminfo", "Node 0 MemTotal:       127600748 kB\nNode 0 MemFree: 1 kB\n");
  tree.put("/sys/devices/system/node/node0/distance", "10\n");
  tree.put("/proc/meminfo", "MemTotal:       127600748 kB\nSwapTotal:       16777212 kB\n");
  tree.put("/sys/block/nvme0n1/size", "7814037168\n");
  tree.put("/sys/block/nvme0n1/queue/rotational", "0\n");
  tree.put("/sys/block/nvme0n1/queue/scheduler", "[none] mq-deadline\n");
  tree.put("/sys/block/nvme0n1/device/model", "SAMSUNG MZALC4T0HBL1   \n");
  tree.put("/sys/block/nvme0n1/nvme0n1p2/partition", "2\n");
  tree.put("/sys/block/loop0/size", "8\n");
  tree.put("/proc/mounts",
           "/dev/nvme0n1p2 / ext4 rw 0 0\n/dev/nvme0n1p2 /mnt/my\\040disk ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n");
  tree.put("/sys/class/net/enP7s7/mtu", "1500\n");
  tree.put("/sys/class/net/enP7s7/operstate", "up\n");
  tree.put("/sys/class/net/enP7s7/speed", "10000\n");
  tree.put("/sys/class/net/enP7s7/device/vendor", "0x10ec\n");
  tree.put("/sys/class/net/docker0/mtu", "1500\n");
  tree.put("/proc/net/route",
           "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\nenP7s7\t00000000\t0101A8C0\t0003\t0\t0\t0\t0"
           "0000000\n");
  tree.put("/sys/class/dmi/id/product_name", "NVIDIA_DGX_Spark\n");
  tree.put("/proc/sys/kernel/osrelease", "6.11.0-1016-nvidia\n");
}

std::string why(const Json& doc, std::string_view what) {
  for (const auto& item : doc["unknown"])
    if (item["what"] == what) return item["why"];
  return {};
}

class Nvidia : public testing::Test {
 protected:
  void mode(const char* name) { ::setenv("FAKE_NVML", name, 1); }
  ~Nvidia() override { ::unsetenv("FAKE_NVML"); }
};

TEST_F(Nvidia, DiscreteGpusHaveTheirOwnMemory) {
  mode("discrete");
  auto nvml = Nvml::open(fake_library);
  ASSERT_TRUE(nvml) << nvml.error().text();
  EXPECT_EQ(nvml->driver(), "580.95.05");
  EXPECT_EQ(nvml->cuda(), "13.0");
  auto gpus = nvml->gpus(1 << 30);
  ASSERT_TRUE(gpus);
  ASSERT_EQ(gpus->size(), 2u);
  const Gpu& gpu = (*gpus)[1];
  EXPECT_EQ(gpu.index, 1u);
  EXPECT_EQ(gpu.model, "NVIDIA RTX 6000 Ada Generation");
  EXPECT_EQ(gpu.uuid, "GPU-00000000-0000-0000-0000-000000000001");
  EXPECT_EQ(gpu.pci_bus, "0000000F:02:00.0");
  EXPECT_EQ(gpu.memory_bytes, 48ull << 30);
  EXPECT_EQ(gpu.memory_used_bytes, 1ull << 30);
  EXPECT_FALSE(gpu.unified_memory);
  EXPECT_EQ(gpu.compute_capability, "8.9");
  EXPECT_EQ(gpu.cores, 18176u);
  EXPECT_DOUBLE_EQ(*gpu.power_w, 11.17);
  EXPECT_DOUBLE_EQ(*gpu.power_limit_w, 300);
  EXPECT_EQ(gpu.temperature_c, 35u);
  EXPECT_EQ(gpu.utilization_percent, 7u);
  EXPECT_EQ(gpu.sm_clock_mhz, 2400u);
  EXPECT_EQ(gpu.memory_clock_mhz, 9000u);
  EXPECT_TRUE(gpu.unknown.empty());
}

TEST_F(Nvidia, UnifiedMemoryIsTheSystems) {
  for (auto name : {"gb10", "gb10-zero"}) {
    mode(name);
    auto gpus = Nvml::open(fake_library)->gpus(127600748ull << 10);
    ASSERT_EQ(gpus->size(), 1u);
    EXPECT_TRUE((*gpus)[0].unified_memory);
    EXPECT_EQ((*gpus)[0].memory_bytes, 127600748ull << 10);
    EXPECT_FALSE((*gpus)[0].memory_used_bytes);
  }
}

// A discrete card that does not tell its size must not be given the system's.
TEST_F(Nvidia, SilenceOfADiscreteCardIsNotUnifiedMemory) {
  mode("discrete-silent");
  auto gpus = Nvml::open(fake_library)->gpus(1 << 30);
  EXPECT_FALSE((*gpus)[0].unified_memory);
  EXPECT_FALSE((*gpus)[0].memory_bytes);
  ASSERT_EQ((*gpus)[0].unknown.size(), 1u);
  EXPECT_EQ((*gpus)[0].unknown[0].what, "gpu.0.memory_bytes");
  EXPECT_EQ((*gpus)[0].unknown[0].why, "NVML: Not Supported (code 3)");
}

TEST_F(Nvidia, TroubleIsNamed) {
  auto missing = Nvml::open("libsparky-no-such-library.so.1");
  ASSERT_FALSE(missing);
  EXPECT_TRUE(missing.error().is(Errc::unavailable));
  mode("not-loaded");
  EXPECT_NE(Nvml::open(fake_library).error().message.find("Driver Not Loaded"), std::string::npos);
  mode("mismatch");
  EXPECT_NE(Nvml::open(fake_library).error().message.find("version mismatch"), std::string::npos);
  EXPECT_FALSE(Nvml::open("libm.so.6"));  // a library, but not this one
  mode("lost");
  auto gpus = Nvml::open(fake_library)->gpus(0);
  ASSERT_EQ(gpus->size(), 2u);
  EXPECT_FALSE((*gpus)[0].model.empty());
  EXPECT_TRUE((*gpus)[1].model.empty());
  EXPECT_EQ((*gpus)[1].unknown[0].why, "NVML: GPU is lost (code 15)");
}

TEST_F(Nvidia, ADgxSparkAsAWhole) {
  mode("gb10");
  Tree tree;
  build_arm(tree, 10, 10);
  Json doc = read_hardware(tree.host(), fake_library);
  for (const auto& finding : check_schema(doc, "hardware")) ADD_FAILURE() << finding.text();
  EXPECT_EQ(doc["cpu"]["model"], "10 × Cortex-X925 + 10 × Cortex-A725");
  EXPECT_EQ(doc["cpu"]["architecture"], "arm64");
  EXPECT_EQ(doc["cpu"]["logical"], 20);
  EXPECT_EQ(doc["cpu"]["cores"], 20);
  EXPECT_EQ(doc["cpu"]["caches"][0]["instances"], 20);
  EXPECT_EQ(doc["topology"][0]["cores"][19]["model"], "Cortex-A725");
  EXPECT_EQ(doc["numa"][0]["memory_bytes"], 127600748ll << 10);
  EXPECT_EQ(doc["memory"]["total_bytes"], 127600748ll << 10);
  EXPECT_EQ(doc["gpu"][0]["memory_bytes"], 127600748ll << 10);
  EXPECT_EQ(doc["gpu"][0]["cuda"], "13.0");
  EXPECT_EQ(doc["gpu"][0]["power_limit_w"], nullptr);
  EXPECT_EQ(why(doc, "gpu.0.power_limit_w"), "NVML: Not Supported (code 3)");
  ASSERT_EQ(doc["disks"].size(), 1u);
  EXPECT_EQ(doc["disks"][0]["model"], "SAMSUNG MZALC4T0HBL1");
  EXPECT_EQ(doc["disks"][0]["size_bytes"], 7814037168ll * 512);
  EXPECT_EQ(doc["disks"][0]["rotational"], false);
  EXPECT_EQ(doc["disks"][0]["scheduler"], "none");
  ASSERT_EQ(doc["disks"][0]["mounts"].size(), 2u);
  EXPECT_EQ(doc["disks"][0]["mounts"][1]["path"], "/mnt/my disk");
  auto have = facts(doc);
  for (auto fact : {"gpu", "cuda", "gb10", "unified-memory", "arm64", "network", "linux"})
    EXPECT_TRUE(have.contains(fact)) << fact;
  EXPECT_FALSE(have.contains("x86_64"));
  EXPECT_NE(hardware_markdown(doc).find("NVIDIA GB10"), std::string::npos);
  EXPECT_NE(topology_svg(doc).find("Cortex-X925"), std::string::npos);
}

TEST_F(Nvidia, AMissingDriverOfAPresentGpuIsNamed) {
  Tree tree;
  build_arm(tree, 1, 0);
  tree.put("/sys/bus/pci/devices/0000:01:00.0/class", "0x030200\n");
  tree.put("/sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n");
  Json doc = read_hardware(tree.host(), "libsparky-no-such-library.so.1");
  EXPECT_TRUE(doc["gpu"].empty());
  EXPECT_TRUE(why(doc, "gpu").starts_with("an NVIDIA GPU is at PCI 0000:01:00.0")) << why(doc, "gpu");
  EXPECT_FALSE(facts(doc).contains("gpu"));
  mode("none");
  EXPECT_NE(why(read_hardware(tree.host(), fake_library), "gpu").find("NVML finds no device"), std::string::npos);
}

TEST(Hardware, AnEmptyMachineIsAllUnknownAndStillValid) {
  Tree tree;
  Json doc = read_hardware(tree.host(), "libsparky-no-such-library.so.1");
  for (auto what : {"cpu.model", "cpu.flags", "cpu.caches", "topology", "numa", "memory.total_bytes", "gpu", "disks",
                    "network", "board"})
    EXPECT_NE(why(doc, what), "") << what;
  EXPECT_EQ(doc["cpu"]["model"], nullptr);
  EXPECT_FALSE(facts(doc).contains("network"));
  hardware_text(doc), hardware_markdown(doc), topology_svg(doc);
}

TEST(Hardware, ThisMachine) {
  Json doc = read_hardware();
  for (const auto& finding : check_schema(doc, "hardware")) ADD_FAILURE() << finding.text();
  EXPECT_GT(doc["memory"]["total_bytes"].get<int64_t>(), 64 << 20);
  EXPECT_GE(doc["cpu"]["logical"].get<int>(), 1);
  EXPECT_TRUE(compare(identity(doc), identity(read_hardware())).empty());
  for (const auto& fact : facts()) EXPECT_TRUE(std::ranges::count(known_facts(), fact)) << fact;
}

TEST_F(Nvidia, ComparingNamesWhatGotLostSmallerOrOlder) {
  Tree tree;
  build_arm(tree, 2, 2);
  mode("discrete");
  Json was = read_hardware(tree.host(), fake_library);
  auto changes = [&](const Json& now) { return compare(identity(was), identity(now)); };
  EXPECT_TRUE(changes(was).empty());

  Json now = was;
  now["cpu"]["logical"] = 3;
  now["cpu"]["flags"].erase(0);
  now["memory"]["total_bytes"] = was["memory"]["total_bytes"].get<double>() * 0.9;
  auto found = changes(now);
  ASSERT_EQ(found.size(), 3u);
  for (const auto& change : found) EXPECT_TRUE(change.worse) << change.what;

  now = was;
  now["memory"]["total_bytes"] = int64_t(was["memory"]["total_bytes"].get<double>() * 0.99);
  EXPECT_TRUE(changes(now).empty());  // within what kernels keep for themselves

  mode("older-driver");
  found = changes(read_hardware(tree.host(), fake_library));
  ASSERT_EQ(found.size(), 4u);  // driver and CUDA of two GPUs
  for (const auto& change : found) EXPECT_TRUE(change.worse) << change.what;
  EXPECT_EQ(found[1].what, "gpu.0.driver");
  EXPECT_EQ(found[1].now, "550.54.15");
  auto newer = compare(identity(read_hardware(tree.host(), fake_library)), identity(was));
  ASSERT_EQ(newer.size(), 4u);
  for (const auto& change : newer) EXPECT_FALSE(change.worse) << change.what;

  mode("none");
  found = changes(read_hardware(tree.host(), fake_library));
  EXPECT_EQ(found.size(), 10u);
  for (const auto& change : found) EXPECT_EQ(change.now, "gone");
}

// An SMBIOS structure of type 17 as DSP0134 lays it out.
std::string memory_device(std::string_view locator, std::string_view bank, uint16_t size, uint16_t speed) {
  std::string s(0x28, '\0');
  s[0] = 17, s[1] = 0x28;
  auto word = [&](size_t at, unsigned value) { s[at] = char(value & 255), s[at + 1] = char(value >> 8); };
  word(0x0A, 64), word(0x0C, size), word(0x15, speed), word(0x20, speed);
  s[0x10] = 1, s[0x11] = 2, s[0x12] = 0x22;
  s += std::string(locator) + '\0' + std::string(bank) + '\0' + '\0';
  return s;
}

TEST(Memory, ModulesAndChannelsFromSmbios) {
  Tree tree;
  build_arm(tree, 1, 0);
  std::string table = memory_device("DIMM_A1", "BANK 0", 16384, 5600) + memory_device("DIMM_A2", "BANK 1", 0, 0) +
                      memory_device("DIMM_B1", "BANK 2", 16384, 5600);
  tree.put("/sys/firmware/dmi/tables/DMI", table);
  std::vector<Unknown> unknown;
  Json memory = read_memory(tree.host(), unknown);
  ASSERT_EQ(memory["modules"].size(), 2u);
  EXPECT_EQ(memory["modules"][0]["size_bytes"], 16ll << 30);
  EXPECT_EQ(memory["modules"][0]["type"], "DDR5");
  EXPECT_EQ(memory["modules"][1]["locator"], "DIMM_B1");
  EXPECT_EQ(memory["channels"], 2);
  EXPECT_DOUBLE_EQ(memory["theoretical_bytes_per_s"].get<double>(), 2 * 5600e6 * 8);
  EXPECT_TRUE(unknown.empty());
}

TEST(Memory, ChannelNames) {
  EXPECT_EQ(count_channels({"DIMM_A1", "DIMM_A2", "DIMM_B1", "DIMM_B2"}), 2);
  EXPECT_EQ(count_channels({"P0 CHANNEL A", "P0 CHANNEL B", "P1 CHANNEL A", "P1 CHANNEL B"}), 4);
  EXPECT_EQ(count_channels({"Controller0-ChannelA-DIMM0", "Controller0-ChannelB-DIMM0"}), 2);
  EXPECT_EQ(count_channels({"DIMM 0", "DIMM 1"}), 0);  // slots, not channels
  EXPECT_EQ(count_channels({"LPDDR5"}), 0);
  EXPECT_EQ(count_channels({}), 0);
}

RC_GTEST_PROP(Host, CpuListsRoundTrip, (std::set<uint8_t> cpus)) {
  std::vector<int> list(cpus.begin(), cpus.end());
  RC_ASSERT(parse_cpu_list(cpu_list_text(list)) == list);
}

TEST(Host, BrokenCpuListsCostNothing) {
  EXPECT_TRUE(parse_cpu_list("0-99999999999").empty());
  EXPECT_TRUE(parse_cpu_list("5-2,x,-3,").empty());
  EXPECT_EQ(parse_cpu_list("0-2,7"), (std::vector<int>{0, 1, 2, 7}));
}

RC_GTEST_PROP(Host, NaturalOrderIsAnOrder, (std::string a, std::string b, std::string c)) {
  RC_ASSERT(!(natural_less(a, b) && natural_less(b, a)));
  RC_ASSERT(!natural_less(a, a));
  RC_ASSERT(a == b || natural_less(a, b) || natural_less(b, a));
  RC_ASSERT(!(natural_less(a, b) && natural_less(b, c)) || natural_less(a, c));
}

TEST(Host, NumbersCompareAsNumbers) {
  EXPECT_TRUE(natural_less("cpu2", "cpu10"));
  EXPECT_TRUE(natural_less("550.54.15", "580.95.05"));
  EXPECT_TRUE(natural_less("12.9", "13.0"));
}

TEST(Schema, FindingsNameThePlaceAndWhatWouldBeRight) {
  Json doc = read_hardware();
  doc["cpu"]["logical"] = "two";
  doc["memory"].erase("total_bytes");
  doc["numa"] =
      Json::array({{{"node", -1}, {"cpus", Json::array()}, {"memory_bytes", 1}, {"distances", Json::array()}}});
  doc["extra"] = 1;
  std::set<std::string> texts;
  for (const auto& finding : check_schema(doc, "hardware")) texts.insert(finding.text());
  EXPECT_TRUE(texts.contains("/memory: lacks the member 'total_bytes'"));
  EXPECT_TRUE(texts.contains("the document: has a member that the schema does not know: 'extra'"));
  size_t logical = 0, node = 0;
  for (const auto& text : texts) {
    logical += text.starts_with("/cpu/logical: is \"two\", but must be of type integer, at least 1");
    node += text.starts_with("/numa/0/node: is -1, but must be of type integer, at least 0");
  }
  EXPECT_EQ(logical, 1u);
  EXPECT_EQ(node, 1u);
  EXPECT_EQ(texts.size(), 4u);
}

TEST(Schema, ASealBreaksWithAnyChange) {
  Json doc = {{"b", {1, 2}}, {"a", "x"}};
  EXPECT_FALSE(is_sealed(doc));
  seal(doc);
  EXPECT_TRUE(is_sealed(doc));
  EXPECT_TRUE(is_sealed(*parse_json(json_text(doc, 4))));  // the layout does not matter
  doc["b"][1] = 3;
  EXPECT_FALSE(is_sealed(doc));
}

TEST(Schema, EverySchemaRefusesOtherThings) {
  for (auto name : {"hardware", "environment", "result", "bench"}) {
    EXPECT_NE(schema_text(name), "{}") << name;
    for (auto text : {"null", "[]", "{}", "3", R"({"schema":"sparky-other/1"})"})
      EXPECT_FALSE(check_schema(Json::parse(text), name).empty()) << name << " takes " << text;
  }
}

}  // namespace
}  // namespace sparky::telemetry
