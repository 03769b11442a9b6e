// The supervisor: starts attempts, reads what they print, and sees to it that nothing of them is left when they end.
// It knows neither the spool nor the daemon; the warden does.
#pragma once
#include <sys/resource.h>

#include <cstdint>
#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "warden/attempt.h"
#include "warden/output_log.h"
#include "warden/process.h"
#include "warden/spawner.h"

namespace sparky::warden {

uint64_t monotonic_ms();

class Supervisor {
 public:
  struct Event {
    enum class Kind : uint8_t { progress, output, ended } kind{};
    std::string id;
    double fraction = 0;
    std::string text;
    uint64_t bytes = 0;
    Exit exit;
  };

  // `epoll` gets the attempts' pipes, with tags of at least first_tag. `directory` is the warden's, for the mark.
  // The process must be a subreaper, and this its first thread.
  Supervisor(int epoll, std::filesystem::path directory);
  ~Supervisor();
  static constexpr uint64_t first_tag = 16;

  // The pid of the new main process, or how it failed.
  std::expected<pid_t, Exit> start(AttemptSpec spec, const std::vector<std::string>& base_environment);
  void cancel(const std::string& id, Duration grace);
  void stop_all(const std::string& note);  // all end as lost: the warden itself is told to stop
  void input(const std::string& id, std::string_view bytes, bool end);

  void reap();                               // SIGCHLD came
  void ready(uint64_t tag);                  // a pipe is ready
  void tick();                               // a deadline has passed
  std::optional<uint64_t> deadline() const;  // on monotonic_ms()'s clock
  std::vector<Event> take_events();

  size_t size() const { return attempts_.size(); }
  size_t slots_used() const { return attempts_.size() - beyond_slots_; }
  pid_t pid_of(const std::string& id) const;  // 0: not running

 private:
  struct Running;
  enum Pipe : uint64_t { errors_and_output, talk_output, talk_input };

  Running* find(const std::string& id) const;
  bool open_pipes(Running& a, Spawner::Request& request, std::vector<Fd>& ends);
  void watch(int fd, uint32_t events, const Running& a, Pipe pipe);
  void main_exited(Running& a, int status, const rusage& usage);
  void terminate(Running& a, Duration grace);
  void check(Running& a);
  struct Remains {
    std::vector<Process> processes;
    bool sure = false;  // that these are all
  };
  Remains remains(const Running& a) const;
  bool belongs(const Process& p, const Running& a, bool pid_is_ours) const;
  void signal_all(const Running& a, const std::vector<Process>& targets, int signal) const;
  void read_output(Running& a, bool last);
  void read_talk(Running& a, bool last);
  void write_input(Running& a);
  void report_progress(Running& a);
  void schedule(Running& a);
  void finish(Running& a, const std::vector<Process>& immortal);
  std::vector<std::string> environment_of(const AttemptSpec& spec, const std::vector<std::string>& base) const;

  int epoll_;
  std::string directory_;
  Fd null_;
  Spawner spawner_;
  uint64_t last_serial_ = first_tag / 4;                             // a tag is serial * 4 + Pipe
  std::unordered_map<uint64_t, std::unique_ptr<Running>> attempts_;  // by serial
  std::unordered_map<std::string, Running*> by_id_;
  size_t beyond_slots_ = 0;  // of attempts_
  std::unordered_map<pid_t, Running*> by_pid_;
  std::set<std::pair<uint64_t, uint64_t>> deadlines_;  // time, serial
  std::vector<Event> events_;
};

}  // namespace sparky::warden
