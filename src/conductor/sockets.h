// Sockets: the loop's side of libzmq. Included by .cc files of this folder alone.
#pragma once
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zmq.hpp>

#include "base/error.h"
#include "wire/address.h"

namespace sparky::conductor {

// Where an answer goes: the frames before the body, as they came.
struct Route {
  zmq::socket_t* socket = nullptr;
  std::vector<std::string> frames;
  std::string user;  // public key of the client, where CURVE is on
};
struct Arrived {
  Route route;
  std::string body;
};

// A socket bound to one or more addresses.
class Bound {
 public:
  static Result<Bound> open(zmq::context_t& context, zmq::socket_type type, const std::vector<std::string>& addresses);
  zmq::socket_t& socket() { return *socket_; }
  const std::vector<std::string>& addresses() const { return addresses_; }  // with the ports that were really taken
  // The next request, if one is there; never waits.
  std::optional<Arrived> receive();
  void publish(std::string_view bytes);

 private:
  std::vector<wire::Endpoint> endpoints_;  // before the socket, so that it goes after it
  std::unique_ptr<zmq::socket_t> socket_;
  std::vector<std::string> addresses_;
};

// To a client that is gone or does not read: nothing happens.
void send(const Route& route, std::string_view body);

}  // namespace sparky::conductor
