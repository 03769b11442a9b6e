// Sockets: the loop's side of libzmq. Included by .cc files of this folder alone.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zmq.hpp>

#include "base/error.h"
#include "conductor/keys.h"
#include "wire/address.h"
#include "wire/types.h"

namespace sparky::conductor {

// Where an answer goes: the frames before the body, as they came.
struct Route {
  zmq::socket_t* socket = nullptr;
  std::vector<std::string> frames;
};
struct Arrived {
  Route route;
  std::string body;
  size_t frames = 1;  // that the body came in; a message is one
  // What its sender may do: who is on this machine everything, who came in by a key what that key may; nothing if it
  // has been removed meanwhile.
  std::optional<wire::Role> role = wire::Role::operate;
  std::string client;  // what `sparky keys` calls who came in by a key
};

class Gate;

// A socket bound to one or more addresses.
class Bound {
 public:
  static Result<Bound> open(zmq::context_t& context, zmq::socket_type type, const std::vector<std::string>& addresses);
  // Only clients with CURVE keys are let in, by the gate, which outlives this and is told the `domain`. `secret_key`:
  // of the daemon.
  static Result<Bound> open_secured(zmq::context_t& context, zmq::socket_type type,
                                    const std::vector<std::string>& addresses, const std::string& secret_key,
                                    const std::string& domain, Gate& gate);
  zmq::socket_t& socket() { return *socket_; }
  const std::vector<std::string>& addresses() const { return addresses_; }  // with the ports that were really taken
  // The next request, if one is there; never waits.
  std::optional<Arrived> receive();
  void publish(std::string_view bytes);
  // Of a secured one: everybody is cut off and may come again through the gate. libzmq cannot cut off a single peer.
  Status cut_all();

 private:
  Status bind(const std::vector<std::string>& addresses);

  std::function<std::unique_ptr<zmq::socket_t>()> make_;
  std::vector<wire::Endpoint> endpoints_;  // before the socket, so that it goes after it
  std::unique_ptr<zmq::socket_t> socket_;
  std::vector<std::string> addresses_;
  Gate* gate_ = nullptr;  // of a secured one
};

// Answers libzmq's question who may connect (ZAP, RFC 27): those that `sparky keys` knows.
class Gate {
 public:
  static Result<Gate> open(zmq::context_t& context, std::filesystem::path project);
  zmq::socket_t& socket() { return *socket_; }
  void answer();  // what has been asked; never waits
  // Who came in with this public key, as `sparky keys` has it now, not when it came; null: nobody that is allowed.
  const AllowedClient* client(const std::string& user);
  // Whether somebody who was allowed is so no longer, since this was asked last.
  bool lost_one();

 private:
  void look();

  std::filesystem::path project_;
  std::unique_ptr<zmq::socket_t> socket_;
  std::map<std::string, AllowedClient> clients_;  // by public key
  std::filesystem::file_time_type changed_{};
  bool lost_ = false;
};

// To a client that is gone or does not read: nothing happens.
void send(const Route& route, std::string_view body);

}  // namespace sparky::conductor
