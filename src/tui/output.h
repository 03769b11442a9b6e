// Output: frames to the terminal, no more than it can take. A frame goes only when the one before has left and the
// terminal has answered for most of what it was sent; whoever draws meanwhile draws later, and then what is current. So
// frames never pile up on a slow line, and a key is answered by the next frame. The answers are those to DA1 (CSI c,
// https://invisible-island.net/xterm/ctlseqs/ctlseqs.html), asked behind each frame.
#pragma once
#include <chrono>
#include <deque>
#include <string>
#include <string_view>

#include "base/files.h"

namespace sparky::tui {

class Output {
 public:
  using Clock = std::chrono::steady_clock;

  // Writes to the terminal behind `fd`, or to `fd` itself if it is none. `answers`: the terminal answers DA1.
  Output(int fd, bool answers);
  void set_answers(bool answers) { answers_ = answers; }

  bool ready(Clock::time_point now);  // a frame that is sent now will soon be seen
  void send(std::string_view frame, Clock::time_point now);
  void say(std::string_view bytes) { waiting_ += bytes, pump(); }  // without a question behind it
  void pump();                                                     // writes what the line takes now
  void heard();                                                    // an answer has come
  // While true, fd() is to be watched for room; else what is awaited comes as a key.
  bool blocked() const { return !waiting_.empty(); }
  int fd() const { return own_ ? own_.get() : fd_; }
  size_t unanswered() const { return asked_.size(); }
  bool broken() const { return broken_; }  // nobody is there any more

 private:
  struct Asked {
    size_t bytes;
    Clock::time_point when;
  };
  int fd_;
  Fd own_;  // the terminal opened anew, so that not to block is this program's affair alone
  bool answers_, broken_ = false;
  std::string waiting_;
  std::deque<Asked> asked_;
  size_t asked_bytes_ = 0;
};

}  // namespace sparky::tui
