// Disks, network interfaces, and what hangs on the PCI bus.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "telemetry/probes.h"

namespace sparky::telemetry {
namespace {

// /proc/mounts writes blanks in names as \040.
std::string unescape_mount(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    auto octal = [&](size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      out += char((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 | (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return printable(out);
}

// Is `source` the disk itself or one of its partitions (sda1, nvme0n1p2)?
bool on_disk(const Host& host, std::string_view source, const std::string& disk) {
  if (!source.starts_with("/dev/")) return false;
  source.remove_prefix(5);
  return source == disk || (!source.empty() && source.find('/') == std::string_view::npos &&
                            host.exists(fmt::format("/sys/block/{}/{}/partition", disk, source)));
}

std::string transport(std::string_view device_path, std::string_view name) {
  for (auto kind : {"nvme", "virtio", "usb", "mmc", "ata", "scsi"})
    if (name.starts_with(kind) || device_path.find(fmt::format("/{}", kind)) != std::string_view::npos) return kind;
  return {};
}

Json text_or_null(const std::optional<std::string>& text) { return text ? Json(printable(*text)) : Json(); }

}  // namespace

Json read_disks(const Host& host, std::vector<Unknown>& unknown) {
  const auto mounts = host.lines("/proc/mounts");
  Json out = Json::array();
  for (const auto& name : host.names("/sys/block")) {
    auto dir = "/sys/block/" + name;
    int64_t sectors = host.number(dir + "/size").value_or(0);  // of 512 bytes, whatever the disk's own size
    bool made_up = name.starts_with("loop") || name.starts_with("ram") || name.starts_with("zram");
    if (made_up || sectors <= 0) continue;
    auto kind = transport(host.link_target(dir), name);
    Json disk = {{"name", name}, {"size_bytes", sectors * 512}, {"transport", kind.empty() ? Json() : Json(kind)}};
    disk["model"] = text_or_null(host.line(dir + "/device/model"));
    if (disk["model"].is_null()) unknown.push_back({fmt::format("disks.{}.model", name), "the device does not say"});
    auto rotational = host.number(dir + "/queue/rotational");
    disk["rotational"] = rotational && kind != "virtio" ? Json(*rotational != 0) : Json();
    if (kind == "virtio")
      unknown.push_back({fmt::format("disks.{}.rotational", name), "a virtual disk; the host's device is hidden"});
    auto scheduler = host.line(dir + "/queue/scheduler").value_or("");  // "none [mq-deadline] kyber"
    size_t open = scheduler.find('['), close = scheduler.find(']');
    disk["scheduler"] =
        open < close && close != std::string::npos ? Json(scheduler.substr(open + 1, close - open - 1)) : Json();
    disk["mounts"] = Json::array();
    for (const auto& line : mounts) {
      auto fields = words(line);
      if (fields.size() < 3 || !on_disk(host, fields[0], name)) continue;
      disk["mounts"].push_back({{"path", unescape_mount(fields[1])}, {"filesystem", fields[2]}});
    }
    out.push_back(disk);
  }
  if (out.empty()) unknown.push_back({"disks", "/sys/block shows no disk"});
  return out;
}

Json read_network(const Host& host, std::vector<Unknown>& unknown) {
  Json interfaces = Json::array();
  for (const auto& name : host.names("/sys/class/net")) {
    auto dir = "/sys/class/net/" + name;
    if (!host.exists(dir + "/mtu")) continue;  // not an interface (bonding_masters)
    bool is_virtual = !host.exists(dir + "/device");
    auto driver = host.link_target(dir + "/device/driver");
    auto speed = host.number(dir + "/speed");
    interfaces.push_back({{"name", name},
                          {"virtual", is_virtual},
                          {"driver", driver.empty() ? Json() : Json(driver.substr(driver.rfind('/') + 1))},
                          {"state", text_or_null(host.line(dir + "/operstate"))},
                          {"mtu", host.number(dir + "/mtu").value_or(0)},
                          {"speed_mbps", speed && *speed > 0 ? Json(*speed) : Json()}});
    if (!is_virtual && !(speed && *speed > 0))
      unknown.push_back({fmt::format("network.{}.speed_mbps", name), "the driver does not say"});
  }
  if (interfaces.empty()) unknown.push_back({"network", "/sys/class/net shows no interface"});

  bool route = false;  // /proc/net/route: a destination 0 with the flags UP and GATEWAY
  for (const auto& line : host.lines("/proc/net/route")) {
    auto fields = words(line, '\t');
    route = route || (fields.size() > 7 && fields[1] == "00000000" && trim(fields[7]) == "00000000" &&
                      (std::strtoul(fields[3].c_str(), nullptr, 16) & 3) == 3);
  }
  for (const auto& line : host.lines("/proc/net/ipv6_route")) {
    auto fields = words(line);
    route = route || (fields.size() > 9 && fields[0] == std::string(32, '0') && fields[1] == "00" &&
                      fields[4] != std::string(32, '0') && fields.back() != "lo");
  }
  return {{"default_route", route}, {"interfaces", interfaces}};
}

Json read_pci_gpus(const Host& host) {
  Json out = Json::array();
  for (const auto& address : host.names("/sys/bus/pci/devices")) {
    auto dir = "/sys/bus/pci/devices/" + address;
    // Class 0x0300xx is a VGA controller, 0x0302xx a 3D controller (PCI Code and ID Assignment Specification).
    auto kind = host.line(dir + "/class").value_or("");
    if (kind.starts_with("0x0300") || kind.starts_with("0x0302"))
      out.push_back({{"address", address}, {"vendor", host.line(dir + "/vendor").value_or("")}});
  }
  return out;
}

}  // namespace sparky::telemetry
