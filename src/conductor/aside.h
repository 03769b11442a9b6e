// Aside: answers the requests that touch no run and no job (gallery, comparisons, models, settings) on a thread of its
// own, so that reading thousands of files never holds the loop.
#pragma once
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/files.h"
#include "wire/messages.h"

namespace sparky::conductor {

// What the studio answers to a request of wire::StudioRequest. Called on one thread at a time.
using StudioAnswers = std::function<wire::Reply(const wire::Request&)>;

// The answer to such a request: settings from sparky.toml, the others from the studio (empty: there is none here).
wire::Reply answer_aside(const std::filesystem::path& project, const StudioAnswers& studio,
                         const wire::Request& request);

class Aside {
 public:
  using Then = std::function<void(const wire::Reply&)>;
  Aside(std::filesystem::path project, StudioAnswers studio);
  ~Aside();  // what is under way is finished, what waits is left

  void ask(wire::Request request, Then then);
  int fd() const { return ready_.get(); }  // readable when there are answers
  void tell();                             // calls `then` of each that is answered, on the caller's thread

 private:
  void work();

  std::filesystem::path project_;
  StudioAnswers studio_;
  Fd ready_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<wire::Request, Then>> asked_;
  std::vector<std::pair<wire::Reply, Then>> answered_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace sparky::conductor
