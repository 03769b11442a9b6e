#include "wire/address.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>

namespace sparky::wire {
namespace fs = std::filesystem;

Result<Endpoint> resolve(std::string_view address) {
  constexpr std::string_view ipc = "ipc://", tcp = "tcp://";
  if (address.starts_with(tcp)) {
    auto colon = address.rfind(':');
    if (colon <= tcp.size() || colon + 1 == address.size())
      return fail(Errc::invalid, fmt::format("'{}' names no host and port", address), "write tcp://127.0.0.1:5555");
    auto port = address.substr(colon + 1);
    unsigned number = 0;
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || end != port.data() + port.size() || number > 65535)
      return fail(Errc::invalid,
                  fmt::format("'{}': the port must be a number from 0 to 65535, not '{}'", address, port),
                  "write tcp://127.0.0.1:5555; 0 takes a free port");
    // libzmq listens on addresses and interfaces, not on names.
    auto host = address.substr(tcp.size(), colon - tcp.size());
    return Endpoint{fmt::format("tcp://{}:{}", host == "localhost" ? "127.0.0.1" : host, number), {}};
  }
  if (!address.starts_with(ipc) || address.size() == ipc.size())
    return fail(Errc::invalid, fmt::format("'{}' is no address", address),
                "write tcp://HOST:PORT or ipc:///path/of/a/socket");
  fs::path path(address.substr(ipc.size()));
  if (path.native().size() < sizeof(sockaddr_un::sun_path)) return Endpoint{std::string(address), {}};
  Fd directory(::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_errno(errno, fmt::format("cannot open {}", path.parent_path().string()));
  auto text = fmt::format("ipc:///proc/self/fd/{}/{}", directory.get(), path.filename().string());
  return Endpoint{std::move(text), std::move(directory)};
}

std::string project_address(const fs::path& project, std::string_view name) {
  std::error_code ec;
  auto absolute = fs::absolute(project, ec).lexically_normal();
  return fmt::format("ipc://{}", (absolute / ".sparky" / name).string());
}

bool is_public(std::string_view address) {
  constexpr std::string_view tcp = "tcp://";
  if (!address.starts_with(tcp)) return false;
  auto host = address.substr(tcp.size(), address.rfind(':') - tcp.size());
  return !(host.starts_with("127.") || host == "localhost" || host == "[::1]" || host == "::1" || host == "lo");
}

}  // namespace sparky::wire
