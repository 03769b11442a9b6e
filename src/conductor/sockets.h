// Sockets: the loop's side of libzmq. Included by .cc files of this folder alone.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zmq.hpp>

#include "base/error.h"
#include "wire/address.h"
#include "wire/types.h"

namespace sparky::conductor {

// Where an answer goes: the frames before the body, as they came.
struct Route {
  zmq::socket_t* socket = nullptr;
  std::vector<std::string> frames;
  bool secured = false;  // came in by CURVE
  std::string user;      // then: the client's public key
};
struct Arrived {
  Route route;
  std::string body;
};

// A socket bound to one or more addresses.
class Bound {
 public:
  // `secret_key`: of the daemon, where only clients with CURVE keys are let in; empty: everybody. `domain` is told to
  // the Gate below.
  static Result<Bound> open(zmq::context_t& context, zmq::socket_type type, const std::vector<std::string>& addresses,
                            const std::string& secret_key = {}, const std::string& domain = {});
  zmq::socket_t& socket() { return *socket_; }
  const std::vector<std::string>& addresses() const { return addresses_; }  // with the ports that were really taken
  // The next request, if one is there; never waits.
  std::optional<Arrived> receive();
  void publish(std::string_view bytes);

 private:
  std::vector<wire::Endpoint> endpoints_;  // before the socket, so that it goes after it
  std::unique_ptr<zmq::socket_t> socket_;
  std::vector<std::string> addresses_;
  bool secured_ = false;
};

// Answers libzmq's question who may connect (ZAP, RFC 27): those that `sparky keys` knows.
class Gate {
 public:
  static Result<Gate> open(zmq::context_t& context, std::filesystem::path project);
  zmq::socket_t& socket() { return *socket_; }
  void answer();  // what has been asked; never waits
  // What a client may do that came in with this key.
  wire::Role role(const std::string& user) const;

 private:
  std::filesystem::path project_;
  std::unique_ptr<zmq::socket_t> socket_;
  std::map<std::string, wire::Role> roles_;
};

// To a client that is gone or does not read: nothing happens.
void send(const Route& route, std::string_view body);

}  // namespace sparky::conductor
