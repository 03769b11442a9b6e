#include "conductor/sockets.h"

#include <fmt/format.h>

#include "conductor/keys.h"

namespace sparky::conductor {

namespace {

constexpr int64_t frame_bytes_max = 32 << 20;  // a peer that sends more is cut off
constexpr int queue_max = 10'000;              // frames per peer; a slow reader loses the rest and finds the gap

}  // namespace

Result<Bound> Bound::open(zmq::context_t& context, zmq::socket_type type, const std::vector<std::string>& addresses,
                          const std::string& secret_key, const std::string& domain) {
  Bound bound;
  bound.socket_ = std::make_unique<zmq::socket_t>(context, type);
  auto& s = *bound.socket_;
  s.set(zmq::sockopt::linger, 1000);
  s.set(zmq::sockopt::maxmsgsize, frame_bytes_max);
  s.set(zmq::sockopt::sndhwm, queue_max);
  s.set(zmq::sockopt::rcvhwm, queue_max);

  s.set(zmq::sockopt::backlog, 1024);
  bound.secured_ = !secret_key.empty();
  if (bound.secured_) {
    s.set(zmq::sockopt::curve_server, true);
    s.set(zmq::sockopt::curve_secretkey, secret_key);
    s.set(zmq::sockopt::zap_domain, domain);
  }
  for (auto& address : addresses) {
    SPARKY_ASSIGN(auto endpoint, wire::resolve(address));
    try {
      // With IPv6 on, even 127.0.0.1 would be shown in IPv6's words.
      s.set(zmq::sockopt::ipv6, address.starts_with("tcp://["));
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
  Arrived arrived{{.socket = socket_.get(), .frames = {}, .secured = secured_, .user = {}}, {}};
  while (frame.more()) {
    if (arrived.route.frames.size() < frames_max) arrived.route.frames.push_back(frame.to_string());
    if (!socket_->recv(frame)) break;
  }
  if (const char* user = zmq_msg_gets(frame.handle(), "User-Id"); user && secured_) arrived.route.user = user;
  arrived.body = frame.to_string();
  return arrived;
}

void Bound::publish(std::string_view bytes) { (void)socket_->send(zmq::buffer(bytes), zmq::send_flags::dontwait); }

Result<Gate> Gate::open(zmq::context_t& context, std::filesystem::path project) {
  Gate gate;
  gate.project_ = std::move(project);
  gate.socket_ = std::make_unique<zmq::socket_t>(context, zmq::socket_type::rep);
  gate.socket_->set(zmq::sockopt::linger, 0);
  gate.socket_->bind("inproc://zeromq.zap.01");
  return gate;
}

void Gate::answer() {
  for (;;) {
    std::vector<std::string> frames;  // version, request, domain, address, identity, mechanism, key
    zmq::message_t frame;
    if (!socket_->recv(frame, zmq::recv_flags::dontwait)) return;
    frames.push_back(frame.to_string());
    while (frame.more() && socket_->recv(frame)) frames.push_back(frame.to_string());
    std::string user;
    if (frames.size() == 7 && frames[5] == "CURVE" && frames[6].size() == 32) {
      char text[41];
      std::string key = zmq_z85_encode(text, reinterpret_cast<const uint8_t*>(frames[6].data()), 32);
      auto allowed = allowed_clients(project_);  // read anew each time, so that a removed client stays out
      if (allowed)
        for (auto& client : *allowed)
          if (client.public_key == key && (frames[2] != "workers" || client.role == wire::Role::operate)) {
            user = key;
            roles_[key] = client.role;
          }
    }
    std::string_view answer[] = {"1.0",
                                 frames.size() > 1 ? frames[1] : "",
                                 user.empty() ? "400" : "200",
                                 user.empty() ? "not allowed: see sparky keys" : "OK",
                                 user,
                                 ""};
    for (size_t i = 0; i < 6; ++i)
      (void)socket_->send(zmq::buffer(answer[i]), i < 5 ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
}

wire::Role Gate::role(const std::string& user) const {
  auto it = roles_.find(user);
  return it == roles_.end() ? wire::Role::observe : it->second;
}

void send(const Route& route, std::string_view body) {
  try {
    for (auto& frame : route.frames)
      if (!route.socket->send(zmq::buffer(frame), zmq::send_flags::sndmore | zmq::send_flags::dontwait)) return;
    (void)route.socket->send(zmq::buffer(body), zmq::send_flags::dontwait);
  } catch (const zmq::error_t&) {  // EHOSTUNREACH: the client is gone
  }
}

}  // namespace sparky::conductor
