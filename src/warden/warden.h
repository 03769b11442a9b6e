// The warden: one loop that takes orders from its daemon, lets the supervisor carry them out, and tells what happened
// once the spool holds it durably (protocol.md). It outlives the daemon: without one it starts nothing new, lets what
// runs finish, and leaves when nothing is left to watch.
#pragma once
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "warden/protocol.h"
#include "warden/spool.h"
#include "warden/supervisor.h"
#include "warden/sync.h"

namespace sparky::warden {

class Warden {
 public:
  // `directory` is absolute and locked by the caller; `listener` listens on its socket; the spool is recovered.
  Warden(std::filesystem::path directory, Fd listener, Spool spool);
  ~Warden();
  int run();  // the loop; returns when there is nothing left to do

 private:
  struct Queued {
    AttemptSpec spec;
    uint64_t accepted = 0;  // the spool's position with its record
    std::shared_ptr<const std::vector<std::string>> environment;
    std::string input;  // that came before its start
    bool input_ends = false;
  };
  struct Untold {
    uint64_t position = 0;  // tell it when the spool is durable up to here
    std::string id;         // empty: that reconcile is complete
    bool known = true;
  };
  struct Daemon {
    Fd socket;
    FrameReader in;
    std::string out;
    bool greeted = false;
    bool watches_out = false;
    uint64_t greet_by = 0;
    std::shared_ptr<const std::vector<std::string>> environment;
  };

  // what can become ready
  void gather();
  void hear_signals();
  void welcome();
  void hear_daemon();
  void synced();
  void hear_supervisor();
  // the daemon's orders
  bool obey(Type type, std::string_view fields);  // false: this is no order; hang up
  bool greet(Reader in);
  void take(AttemptSpec spec);
  void cancel(const std::string& id, Duration grace);
  void recall(const std::string& id);
  void input(const std::string& id, std::string_view bytes, bool end);
  void reconcile(const std::vector<std::string>& ids);
  bool drop_queued(const std::string& id);
  void raise_file_limit();
  // the loop's second half
  bool can_start(size_t slots_used) const;  // the first in the queue
  bool holds_back();
  void start_ready();
  void write_spool();
  void tell_durable();
  void flush();
  bool nothing_left();
  void leave();

  void tell_started(const std::string& id, bool known);
  void tell_exited(const std::string& id, bool known);
  void tell(Type type, const std::string& id);
  void trouble(std::string text);
  void hang_up();
  int wait_ms() const;

  std::filesystem::path directory_;
  Fd epoll_, listener_, signals_;
  std::optional<Daemon> daemon_;
  Spool spool_;
  Sync sync_;
  std::unique_ptr<Supervisor> supervisor_;
  std::deque<Queued> queue_;
  std::unordered_set<std::string> queued_;
  std::deque<Untold> untold_;
  uint64_t slots_ = 1;
  uint64_t durable_ = 0;     // the spool's position that is on disk
  uint64_t retry_at_ = 0;    // when to try again to make the spool writable
  uint64_t wait_until_ = 0;  // for the first daemon
  uint64_t hold_until_ = 0;  // what there is to tell; 0: nothing is held back
  std::string trouble_;
  bool stopping_ = false, left_ = false;
};

// Opens, locks and listens in `directory`; errors: busy (another warden is there), io.
struct Post {
  Fd lock, listener;
};
Result<Post> take_post(const std::filesystem::path& directory);

}  // namespace sparky::warden
