// Child: a program that Sparky talks with over its standard input and output and never waits for blindly: reading and
// writing do not block, and its end is noticed even when somebody else still holds its output open.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/files.h"

namespace sparky::agents {

struct ChildSpec {
  std::vector<std::string> argv;  // argv[0] is looked up in this process's PATH
  std::filesystem::path cwd;
  std::vector<std::string> environment;  // all of it: "NAME=value"
  bool errors_too = false;               // its standard error comes with its output; else it goes where ours goes
};

// What the protocol's end needs of the agent: bytes to and from it.
class Pipe {
 public:
  virtual ~Pipe() = default;
  virtual int fd() const = 0;  // readable when read() has something; -1: at the end
  // What has come, perhaps nothing. Errc::unavailable: it has ended, and nothing more will come.
  virtual Result<std::string> read() = 0;
  virtual void send(std::string_view bytes) = 0;  // queued if it does not take them now
  virtual bool sending() const = 0;               // some wait: call flush() when the agent may take more
  virtual int in_fd() const = 0;
  virtual void flush() = 0;
};

class Child final : public Pipe {
 public:
  static Result<std::unique_ptr<Child>> start(const ChildSpec& spec);
  ~Child() override;  // kills its process group, and reaps it
  Child(const Child&) = delete;

  int fd() const override { return out_.get(); }
  Result<std::string> read() override;
  void send(std::string_view bytes) override;
  bool sending() const override { return in_ && !queue_.empty(); }
  int in_fd() const override { return in_.get(); }
  void flush() override;

  void close_input() { in_.reset(); }
  void signal(int number) const;              // to its process group
  std::optional<int> exit_status();           // exit code or 128 + signal, once it has ended
  int ended_by() const { return ended_by_; }  // the signal, after that; 0: it ended by itself
  pid_t pid() const { return pid_; }

 private:
  Child() = default;
  pid_t pid_ = 0;
  Fd in_, out_;
  std::string queue_;
  std::optional<int> status_;
  int ended_by_ = 0;
  int64_t ended_ms_ = 0;  // when it was first seen to have ended; 0: not yet
};

// CPU time of a process and everything below it that is alive, in milliseconds.
int64_t cpu_ms(pid_t root);

}  // namespace sparky::agents
