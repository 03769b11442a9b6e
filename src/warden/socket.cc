#include "warden/socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sparky::warden {
namespace {

// The address of `socket`; `held` keeps the directory open for as long as the address is in use.
Result<sockaddr_un> address_of(const std::filesystem::path& socket, Fd& held) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto path = socket.string();
  if (path.size() >= sizeof address.sun_path) {
    held = Fd(::open(socket.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!held) return fail_errno(errno, "cannot open " + socket.parent_path().string());
    path = "/proc/self/fd/" + std::to_string(held.get()) + "/" + socket.filename().string();
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

}  // namespace

Result<Fd> listen_on(const std::filesystem::path& socket) {
  Fd held;
  SPARKY_ASSIGN(auto address, address_of(socket, held));
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "cannot make a socket");
  ::unlink(socket.c_str());
  auto mask = ::umask(0177);
  int bound = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  int error = errno;
  ::umask(mask);
  if (bound != 0)
    return fail_errno(error, "cannot listen on " + socket.string(),
                      "the project's directory must be on a file system that can hold sockets");
  if (::listen(fd.get(), 16) != 0) return fail_errno(errno, "cannot listen on " + socket.string());
  return fd;
}

Result<Fd> connect_to(const std::filesystem::path& socket) {
  Fd held;
  SPARKY_ASSIGN(auto address, address_of(socket, held));
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno(errno, "cannot make a socket");
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  if (errno == ENOENT || errno == ECONNREFUSED) return fail(Errc::not_found, "no warden listens on " + socket.string());
  return fail_errno(errno, "cannot connect to " + socket.string());
}

}  // namespace sparky::warden
