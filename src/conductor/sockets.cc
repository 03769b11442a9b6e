#include "conductor/sockets.h"

#include <fmt/format.h>

namespace sparky::conductor {

namespace {

constexpr int64_t frame_bytes_max = 32 << 20;  // a peer that sends more is cut off
constexpr int queue_max = 10'000;              // frames per peer; a slow reader loses the rest and finds the gap

}  // namespace

Result<Bound> Bound::open(zmq::context_t& context, zmq::socket_type type, const std::vector<std::string>& addresses) {
  Bound bound;
  bound.socket_ = std::make_unique<zmq::socket_t>(context, type);
  auto& s = *bound.socket_;
  s.set(zmq::sockopt::linger, 1000);
  s.set(zmq::sockopt::maxmsgsize, frame_bytes_max);
  s.set(zmq::sockopt::sndhwm, queue_max);
  s.set(zmq::sockopt::rcvhwm, queue_max);
  s.set(zmq::sockopt::ipv6, 1);
  s.set(zmq::sockopt::backlog, 1024);
  for (auto& address : addresses) {
    SPARKY_ASSIGN(auto endpoint, wire::resolve(address));
    try {
      s.bind(endpoint.address);
    } catch (const zmq::error_t& e) {
      bool taken = e.num() == EADDRINUSE;
      return fail(taken ? Errc::busy : Errc::unavailable, fmt::format("cannot listen on {}: {}", address, e.what()),
                  taken ? "another program listens there; choose another address" : "");
    }
    auto real = s.get(zmq::sockopt::last_endpoint);
    bound.addresses_.push_back(address.starts_with("tcp://") ? real : address);
    bound.endpoints_.push_back(std::move(endpoint));
  }
  return bound;
}

std::optional<Arrived> Bound::receive() {
  constexpr size_t frames_max = 8;
  zmq::message_t frame;
  if (!socket_->recv(frame, zmq::recv_flags::dontwait)) return std::nullopt;
  Arrived arrived{{socket_.get(), {}, {}}, {}};
  if (const char* user = zmq_msg_gets(frame.handle(), "User-Id")) arrived.route.user = user;
  while (frame.more()) {
    if (arrived.route.frames.size() < frames_max) arrived.route.frames.push_back(frame.to_string());
    if (!socket_->recv(frame)) break;
  }
  arrived.body = frame.to_string();
  return arrived;
}

void Bound::publish(std::string_view bytes) { (void)socket_->send(zmq::buffer(bytes), zmq::send_flags::dontwait); }

void send(const Route& route, std::string_view body) {
  try {
    for (auto& frame : route.frames)
      if (!route.socket->send(zmq::buffer(frame), zmq::send_flags::sndmore | zmq::send_flags::dontwait)) return;
    (void)route.socket->send(zmq::buffer(body), zmq::send_flags::dontwait);
  } catch (const zmq::error_t&) {  // EHOSTUNREACH: the client is gone
  }
}

}  // namespace sparky::conductor
