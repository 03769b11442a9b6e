#include "tui/output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace sparky::tui {
using namespace std::chrono_literals;

namespace {

constexpr size_t ahead_max_bytes = 2048;  // may be on their way, unanswered, when the next frame goes
constexpr auto answer_max = 10s;          // later than that no answer comes: it was lost, or somebody else's key

}  // namespace

Output::Output(int fd, bool answers) : fd_(fd), answers_(answers) {
  char name[256];
  if (::ttyname_r(fd, name, sizeof name) == 0) own_ = Fd(::open(name, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
}

bool Output::ready(Clock::time_point now) {
  while (!asked_.empty() && now - asked_.front().when > answer_max) heard();
  return waiting_.empty() && asked_bytes_ <= ahead_max_bytes;
}

void Output::send(std::string_view frame, Clock::time_point now) {
  if (frame.empty()) return;
  waiting_ += frame;
  if (answers_) {
    waiting_ += "\x1b[c";
    asked_.push_back({frame.size(), now});
    asked_bytes_ += frame.size();
  }
  pump();
}

void Output::pump() {
  size_t done = 0;
  while (done < waiting_.size() && !broken_) {
    ssize_t n = ::write(fd(), waiting_.data() + done, waiting_.size() - done);
    if (n > 0)
      done += size_t(n);
    else if (errno == EAGAIN)
      break;
    else if (errno != EINTR)
      broken_ = true;
  }
  waiting_.erase(0, done);
}

void Output::heard() {
  if (asked_.empty()) return;  // somebody else asked
  asked_bytes_ -= asked_.front().bytes;
  asked_.pop_front();
}

}  // namespace sparky::tui
