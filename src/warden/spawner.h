// Starts attempts, from a thread of its own. Not for speed: a process that loses its parent is handed to the warden's
// first thread, the subreaper's, while an attempt's main process stays a child of the thread that started it. So one
// call, made on the first thread, tells whether any attempt has left somebody behind, however many run, and no
// trivial command pays for a walk through /proc.
#pragma once
#include <sys/types.h>

#include <string>
#include <thread>
#include <vector>

#include "warden/semaphore.h"

namespace sparky::warden {

class Spawner {
 public:
  struct Request {
    std::vector<std::string> argv;         // argv[0] is the program, looked up in the PATH of `environment`
    std::vector<std::string> environment;  // NAME=value
    std::string cwd;
    int in = -1, out = -1, err = -1;  // what become descriptors 0, 1 and 2
  };
  struct Reply {
    pid_t pid = 0;     // of a new session and process group
    int error = 0;     // errno, if it could not be started
    std::string note;  // and why, for a person
  };

  Spawner();
  ~Spawner();
  Reply spawn(const Request& request);

 private:
  const Request* request_ = nullptr;  // null: end
  Reply reply_;
  Semaphore asked_, answered_;
  std::thread thread_;
};

// On the first thread of a subreaper: is there any child that no Spawner started?
bool orphans_exist();

}  // namespace sparky::warden
