#include "warden/sync.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace sparky::warden {

Sync::Sync()
    : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] {
        for (;;) {
          asked_.acquire();
          if (file_ < 0) return;
          done_.error = ::fdatasync(file_) == 0 ? 0 : errno;
          uint64_t one = 1;
          // Cannot fail: the counter is read after every sync. Orders the result before the loop's read of it.
          [[maybe_unused]] auto n = ::write(event_.get(), &one, sizeof one);
        }
      }) {}

Sync::~Sync() {
  file_ = -1;
  asked_.release();
  thread_.join();
}

void Sync::begin(int file, uint64_t position) {
  busy_ = true;
  file_ = file;
  done_ = {position, 0};
  asked_.release();
}

std::optional<Sync::Done> Sync::collect() {
  uint64_t count = 0;
  if (::read(event_.get(), &count, sizeof count) != sizeof count) return {};
  busy_ = false;
  return done_;
}

}  // namespace sparky::warden
