// Makes written records durable without stopping the loop: one fdatasync at a time, in a thread of its own.
#pragma once
#include <cstdint>
#include <optional>
#include <thread>

#include "base/files.h"
#include "warden/semaphore.h"

namespace sparky::warden {

class Sync {
 public:
  struct Done {
    uint64_t position = 0;  // what begin() was given
    int error = 0;          // errno
  };
  Sync();
  ~Sync();
  void begin(int file, uint64_t position);  // only when not busy()
  bool busy() const { return busy_; }
  int fd() const { return event_.get(); }  // readable when it is done
  std::optional<Done> collect();

 private:
  Fd event_;
  bool busy_ = false;
  int file_ = -1;  // -1: end
  Done done_;
  Semaphore asked_;
  std::thread thread_;
};

}  // namespace sparky::warden
