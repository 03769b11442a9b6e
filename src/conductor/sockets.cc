#include "conductor/sockets.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace sparky::conductor {

namespace {

constexpr int64_t frame_bytes_max = 32 << 20;  // a peer that sends more is cut off
constexpr int cut_tries = 300;                 // 3 s
constexpr int queue_max = 10'000;              // frames per peer; a slow reader loses the rest and finds the gap

}  // namespace

Result<Bound> Bound::open(zmq::context_t& context, zmq::socket_type type, const std::vector<std::string>& addresses) {
  Bound bound;
  bound.make_ = [&context, type] { return std::make_unique<zmq::socket_t>(context, type); };
  SPARKY_TRY(bound.bind(addresses));
  return bound;
}

Result<Bound> Bound::open_secured(zmq::context_t& context, zmq::socket_type type,
                                  const std::vector<std::string>& addresses, const std::string& secret_key,
                                  const std::string& domain, Gate& gate) {
  Bound bound;
  bound.gate_ = &gate;
  bound.make_ = [&context, type, secret_key, domain] {
    auto socket = std::make_unique<zmq::socket_t>(context, type);
    socket->set(zmq::sockopt::curve_server, true);
    socket->set(zmq::sockopt::curve_secretkey, secret_key);
    socket->set(zmq::sockopt::zap_domain, domain);
    return socket;
  };
  SPARKY_TRY(bound.bind(addresses));
  return bound;
}

Status Bound::cut_all() {
  if (!gate_) return {};
  auto addresses = std::exchange(addresses_, {});
  socket_->set(zmq::sockopt::linger, 0);
  for (int tries = 1;; ++tries) {
    socket_.reset();  // libzmq gives the address free a moment later
    endpoints_.clear();
    addresses_.clear();
    auto bound = bind(addresses);
    if (bound || !bound.error().is(Errc::busy) || tries == cut_tries) return bound;
    ::usleep(10'000);
  }
}

Status Bound::bind(const std::vector<std::string>& addresses) {
  socket_ = make_();
  auto& s = *socket_;
  s.set(zmq::sockopt::linger, 1000);
  s.set(zmq::sockopt::maxmsgsize, frame_bytes_max);
  s.set(zmq::sockopt::sndhwm, queue_max);
  s.set(zmq::sockopt::rcvhwm, queue_max);
  s.set(zmq::sockopt::backlog, 1024);
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
    addresses_.push_back(address.starts_with("tcp://") ? real : address);
    endpoints_.push_back(std::move(endpoint));
  }
  return {};
}

// A ROUTER puts the peer's identity before the frames that came. A REQ socket sends an empty frame and the body, a
// DEALER perhaps the body alone, and between proxies there are more frames before the empty one: all that is the route.
std::optional<Arrived> Bound::receive() {
  constexpr size_t frames_max = 16;
  std::vector<zmq::message_t> all(1);
  if (!socket_->recv(all[0], zmq::recv_flags::dontwait)) return std::nullopt;
  size_t count = 1, empty = 0;  // number of the first empty frame; 0: none
  while (all.back().more()) {
    zmq::message_t frame;
    if (!socket_->recv(frame)) break;
    if (!empty && frame.size() == 0 && frame.more()) empty = count;
    if (++count > frames_max) all.pop_back();
    all.push_back(std::move(frame));
  }
  size_t before = std::min(empty ? empty + 1 : size_t(1), all.size() - 1);
  Arrived arrived{.route = {.socket = socket_.get(), .frames = {}}, .body = {}, .frames = count - before};
  for (size_t i = 0; i < before; ++i) arrived.route.frames.push_back(all[i].to_string());
  if (gate_) {
    const char* user = zmq_msg_gets(all.back().handle(), "User-Id");
    auto* client = gate_->client(user ? user : "");
    arrived.role = client ? std::optional(client->role) : std::nullopt;
    if (client) arrived.client = client->name;
  }
  arrived.body = all.back().to_string();
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
      auto* known = client(key);
      if (known && (frames[2] != "workers" || known->role == wire::Role::operate)) user = key;
    }
    std::string_view answer[] = {"1.0",
                                 frames.size() > 1 ? std::string_view(frames[1]) : "",
                                 user.empty() ? "400" : "200",
                                 user.empty() ? "not allowed: see sparky keys" : "OK",
                                 user,
                                 ""};
    for (size_t i = 0; i < 6; ++i)
      (void)socket_->send(zmq::buffer(answer[i]), i < 5 ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
}

const AllowedClient* Gate::client(const std::string& user) {
  look();
  auto it = clients_.find(user);
  return it == clients_.end() ? nullptr : &it->second;
}

bool Gate::lost_one() {
  look();
  return std::exchange(lost_, false);
}

// The keys are files in one folder, written by renaming: whatever changes, its time does.
void Gate::look() {
  std::error_code ec;
  auto changed = std::filesystem::last_write_time(clients_directory(project_), ec);
  if (!ec && changed == changed_) return;
  changed_ = changed;
  auto before = std::exchange(clients_, {});
  if (auto allowed = allowed_clients(project_))
    for (auto& client : *allowed) clients_[client.public_key] = client;
  for (auto& [key, client] : before) lost_ = lost_ || !clients_.contains(key);
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
