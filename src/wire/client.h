// Client: how a face, or any program, talks to a running Sparky.
//
//   SPARKY_ASSIGN(auto client, wire::Client::connect(wire::project_address(project, "sock")));
//   SPARKY_ASSIGN(auto state, client.ask<wire::RunState>(wire::RunStatus{}));
//   SPARKY_ASSIGN(auto follower, wire::Follower::start(client, state.newest));
//   while (auto event = follower.next(1s)) …
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/time.h"
#include "wire/messages.h"

namespace sparky::wire {

// A pair of CURVE keys, each 40 characters of Z85. See `sparky keys`.
struct KeyPair {
  std::string public_key, secret_key;
};
struct Security {
  std::string server_key;  // the daemon's public key; empty: no encryption
  KeyPair own;             // empty: made for this connection
};

// Anything that answers requests: a daemon somewhere (Client), or, with none alive, the project itself in this process.
class Door {
 public:
  virtual ~Door() = default;
  virtual Result<Reply> ask(const Request& request, Duration timeout) = 0;

  // The reply as the type that is expected; an `error` reply becomes the Error.
  template <class Expected>
  Result<Expected> ask(const Request& request, Duration timeout = Duration(10'000)) {
    SPARKY_ASSIGN(auto reply, ask(request, timeout));
    if (auto* e = std::get_if<ErrorReply>(&reply)) return std::unexpected(to_error(*e));
    if (auto* expected = std::get_if<Expected>(&reply)) return std::move(*expected);
    return fail(Errc::internal, "Sparky answered with '" + std::string(type_of(reply)) + "'");
  }

 private:
  static Error to_error(const ErrorReply& reply);
};

// "ada@box": who operates, kept with decisions.
std::string this_person();

class Client : public Door {
 public:
  // Connects and greets. Errc::unavailable: nobody answers there.
  static Result<Client> connect(const std::string& address, Duration timeout = Duration(5'000),
                                const Security& security = {});
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client() override;

  using Door::ask;
  // One request, one reply. Errc::unavailable when none comes in time; asking again is safe with a `key`.
  Result<Reply> ask(const Request& request, Duration timeout) override;
  Result<Reply> ask(const Request& request, Envelope envelope, Duration timeout);

  const Welcome& welcome() const;  // what the daemon said of itself
  const Security& security() const;

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class Updates;

// The events after a sequence number, in order, without gap or duplicate: subscribes first, then asks for what lies
// between, and does so again whenever a number is missing or a heartbeat is ahead (a slow reader, a restart).
class Follower {
 public:
  // `client` must outlive it. `after`: the newest event that is known, 0 for all.
  static Result<Follower> start(Client& client, uint64_t after);
  Follower(Follower&&) noexcept;
  Follower& operator=(Follower&&) noexcept;
  ~Follower();

  // The next event; nothing if none comes in time. Errc::unavailable: the daemon has not been heard of for 5 s.
  Result<std::optional<EventMessage>> next(Duration timeout);
  uint64_t position() const;                            // sequence number of the last event that next() gave
  std::chrono::steady_clock::time_point heard() const;  // when the daemon said something last; it does every second

  // Sleeps until next() or `updates` may have something, the file descriptor `also` is readable, or the time is over.
  void wait(const Updates& updates, int also, Duration timeout) const;

 private:
  struct Impl;
  explicit Follower(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The compatible updates: progress and previews of jobs. What is missed is missed; the events say what became of a job.
class Updates {
 public:
  // `client` gives address and keys; it need not outlive this.
  static Result<Updates> open(const Client& client);
  Updates(Updates&&) noexcept;
  Updates& operator=(Updates&&) noexcept;
  ~Updates();

  std::optional<Update> next(Duration timeout);  // nothing if none comes in time

 private:
  friend class Follower;
  struct Impl;
  explicit Updates(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sparky::wire
