// Memory: how much there is, and the modules and channels where the firmware's table can be read.
#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "telemetry/probes.h"

namespace sparky::telemetry {
namespace {

unsigned byte(std::string_view s, size_t at) { return at < s.size() ? uint8_t(s[at]) : 0; }
unsigned word(std::string_view s, size_t at) { return byte(s, at) | byte(s, at + 1) << 8; }
uint64_t dword(std::string_view s, size_t at) { return word(s, at) | uint64_t(word(s, at + 2)) << 16; }

// DSP0134, table "Memory Device: Type".
const char* module_type(unsigned code) {
  switch (code) {
    case 0x12:
      return "DDR";
    case 0x13:
      return "DDR2";
    case 0x18:
      return "DDR3";
    case 0x1A:
      return "DDR4";
    case 0x1D:
      return "LPDDR3";
    case 0x1E:
      return "LPDDR4";
    case 0x20:
      return "HBM";
    case 0x21:
      return "HBM2";
    case 0x22:
      return "DDR5";
    case 0x23:
      return "LPDDR5";
    case 0x24:
      return "HBM3";
    default:
      return "other";
  }
}

// Strings follow the formatted area, each ended by a NUL, numbered from 1.
std::string smbios_string(std::string_view strings, unsigned number) {
  if (number == 0) return {};
  auto all = split(strings, '\0');
  return number <= all.size() ? printable(trim(all[number - 1])) : std::string{};
}

}  // namespace

Json parse_smbios_memory(std::string_view table) {
  Json modules = Json::array();
  while (table.size() >= 4) {
    unsigned type = byte(table, 0), length = byte(table, 1);
    if (length < 4 || length > table.size() || type == 127) break;  // 127: end of table
    auto fixed = table.substr(0, length);
    size_t end = table.find(std::string_view("\0\0", 2), length);
    if (end == std::string_view::npos) break;
    auto strings = table.substr(length, end - length);
    table.remove_prefix(end + 2);
    if (type != 17 || length < 0x15) continue;
    unsigned size = word(fixed, 0x0C);
    if (size == 0 || size == 0xFFFF) continue;  // an empty slot, or unknown
    uint64_t bytes = uint64_t(size & 0x7FFF) << (size & 0x8000 ? 10 : 20);
    if (size == 0x7FFF) bytes = (dword(fixed, 0x1C) & 0x7FFFFFFF) << 20;
    unsigned speed = length > 0x21 && word(fixed, 0x20) ? word(fixed, 0x20) : word(fixed, 0x15);
    modules.push_back({{"locator", smbios_string(strings, byte(fixed, 0x10))},
                       {"bank", smbios_string(strings, byte(fixed, 0x11))},
                       {"size_bytes", bytes},
                       {"type", module_type(byte(fixed, 0x12))},
                       {"speed_mts", speed && speed != 0xFFFF ? Json(speed) : Json()},
                       {"width_bits", word(fixed, 0x0A) == 0xFFFF ? Json() : Json(word(fixed, 0x0A))},
                       {"manufacturer", length > 0x17 ? smbios_string(strings, byte(fixed, 0x17)) : ""}});
  }
  return modules;
}

int count_channels(const std::vector<std::string>& locators) {
  std::set<std::string> channels;
  for (const auto& locator : locators) {
    auto name = lower(locator);
    size_t start = name.find("channel");
    size_t length = 7;
    if (start == std::string::npos) {
      start = name.find("dimm");
      length = 4;
      // "DIMM_A1" names channel A, slot 1; "DIMM 1" names only a slot.
      size_t letter = start == std::string::npos ? start : name.find_first_not_of(" _-", start + length);
      if (letter == std::string::npos || name[letter] < 'a' || name[letter] > 'z') return 0;
      channels.insert(name.substr(0, start) + name[letter]);
      continue;
    }
    size_t from = name.find_first_not_of(" _-", start + length);
    if (from == std::string::npos) return 0;
    size_t to = name.find_first_of(" _-", from);
    channels.insert(name.substr(0, start) + name.substr(from, to - from));
  }
  return int(channels.size());
}

Json read_memory(const Host& host, std::vector<Unknown>& unknown) {
  Json memory = {{"total_bytes", nullptr}, {"swap_bytes", nullptr}, {"modules", Json::array()}, {"channels", nullptr}};
  memory["theoretical_bytes_per_s"] = nullptr;
  for (const auto& line : host.lines("/proc/meminfo")) {
    auto kib = [&](std::string_view key) -> Json {
      return line.starts_with(key) ? Json(std::atoll(line.c_str() + key.size()) * 1024) : Json();
    };
    if (auto bytes = kib("MemTotal:"); !bytes.is_null()) memory["total_bytes"] = bytes;
    if (auto bytes = kib("SwapTotal:"); !bytes.is_null()) memory["swap_bytes"] = bytes;
  }
  if (memory["total_bytes"].is_null()) unknown.push_back({"memory.total_bytes", "/proc/meminfo does not say"});

  const char* table = "/sys/firmware/dmi/tables/DMI";
  memory["modules"] = parse_smbios_memory(host.text(table));
  if (memory["modules"].empty()) {
    auto why = !host.exists(table)        ? fmt::format("this machine shows no SMBIOS table ({})", table)
               : host.text(table).empty() ? fmt::format("{} is readable by root only", table)
                                          : std::string("the SMBIOS table lists no memory module");
    for (auto what : {"memory.modules", "memory.channels", "memory.theoretical_bytes_per_s"})
      unknown.push_back({what, why});
    return memory;
  }
  std::vector<std::string> locators;
  double slowest = 0;
  for (const auto& module : memory["modules"]) {
    auto bank = module["bank"].get<std::string>();
    bool bank_names_channel = lower(bank).find("channel") != std::string::npos;
    locators.push_back(bank_names_channel ? bank : module["locator"].get<std::string>());
    double rate = module["speed_mts"].is_null() || module["width_bits"].is_null()
                      ? 0
                      : module["speed_mts"].get<double>() * 1e6 * module["width_bits"].get<double>() / 8;
    slowest = slowest == 0 ? rate : std::min(slowest, rate);
  }
  int channels = count_channels(locators);
  if (channels) memory["channels"] = channels;
  if (!channels) unknown.push_back({"memory.channels", "the modules' locators do not name channels"});
  if (channels && slowest > 0) memory["theoretical_bytes_per_s"] = slowest * channels;
  if (!channels || slowest <= 0)
    unknown.push_back({"memory.theoretical_bytes_per_s", "needs channels, speed and width of the modules"});
  return memory;
}

}  // namespace sparky::telemetry
