// A semaphore on which a thread sleeps at once. That of libstdc++ first yields the processor some times; on a machine
// with more work than cores each yield costs the other processes' whole time slices, milliseconds for every command.
#pragma once
#include <semaphore.h>

namespace sparky::warden {

class Semaphore {
 public:
  Semaphore() { ::sem_init(&semaphore_, 0, 0); }
  ~Semaphore() { ::sem_destroy(&semaphore_); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;
  void release() { ::sem_post(&semaphore_); }
  void acquire() {
    while (::sem_wait(&semaphore_) != 0) continue;  // a signal came
  }

 private:
  sem_t semaphore_;
};

}  // namespace sparky::warden
