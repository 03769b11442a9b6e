// A disk that takes its time: preloaded into a daemon, it makes every sync wait for $SLOW_DISK_SECONDS while the file
// $SLOW_DISK_FLAG is there.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>

namespace {

int slowed(const char* name, int fd) {
  const char* flag = std::getenv("SLOW_DISK_FLAG");
  const char* seconds = std::getenv("SLOW_DISK_SECONDS");
  for (int i = 0; flag && seconds && i < 10 * std::atoi(seconds) && ::access(flag, F_OK) == 0; ++i) ::usleep(100'000);
  auto real = reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, name));
  return real(fd);
}

}  // namespace

extern "C" int fsync(int fd) { return slowed("fsync", fd); }
extern "C" int fdatasync(int fd) { return slowed("fdatasync", fd); }
