#include "wire/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <zmq.hpp>

#include "base/text.h"
#include "wire/address.h"

namespace sparky::wire {
using namespace std::chrono;

namespace {

zmq::context_t& context() {
  static zmq::context_t one(1);
  return one;
}

struct Socket {
  Endpoint endpoint;  // first: the socket must be gone before the directory closes
  zmq::socket_t socket;
};

Result<Socket> open_socket(zmq::socket_type type, const std::string& address, const Security& security) {
  SPARKY_ASSIGN(auto endpoint, resolve(address));
  try {
    Socket s{std::move(endpoint), zmq::socket_t(context(), type)};
    s.socket.set(zmq::sockopt::linger, 0);
    s.socket.set(zmq::sockopt::reconnect_ivl, 50);
    s.socket.set(zmq::sockopt::reconnect_ivl_max, 1000);
    if (!security.server_key.empty()) {
      s.socket.set(zmq::sockopt::curve_serverkey, security.server_key);
      s.socket.set(zmq::sockopt::curve_publickey, security.own.public_key);
      s.socket.set(zmq::sockopt::curve_secretkey, security.own.secret_key);
    }
    if (type == zmq::socket_type::sub) s.socket.set(zmq::sockopt::subscribe, "");
    s.socket.connect(s.endpoint.address);
    return s;
  } catch (const zmq::error_t& e) {
    return fail(Errc::invalid, fmt::format("cannot connect to {}: {}", address, e.what()));
  }
}

Status make_keys(Security& security) {
  if (security.server_key.empty() || !security.own.public_key.empty()) return {};
  char pub[41], secret[41];
  if (zmq_curve_keypair(pub, secret) != 0)
    return fail(Errc::unavailable, "this libzmq has no CURVE security", "install a libzmq with libsodium");
  security.own = {pub, secret};
  return {};
}

// The last frame of the next message, or nothing in time.
std::optional<std::string> receive(zmq::socket_t& socket, steady_clock::time_point deadline) {
  for (;;) {
    zmq::pollitem_t item{socket.handle(), 0, ZMQ_POLLIN, 0};
    try {
      zmq::message_t frame;
      if (socket.recv(frame, zmq::recv_flags::dontwait)) {  // first, as asking whether there is one costs more
        while (frame.more())
          if (!socket.recv(frame)) break;
        return frame.to_string();
      }
      auto left = ceil<milliseconds>(deadline - steady_clock::now());
      if (zmq::poll(&item, 1, std::max(left, milliseconds(0))) == 0) return std::nullopt;
    } catch (const zmq::error_t& e) {
      if (e.num() != EINTR) throw;
    }
  }
}

// The daemon's sockets as they are reached from here: for who came over tcp by the same host, where they have a port.
Document reachable(const Document& all, const std::string& by) {
  if (!by.starts_with("tcp://") || !all || !all->contains("tcp") || !(*all)["tcp"].is_object()) return all;
  auto host = by.substr(0, by.rfind(':'));
  Json here = *all;
  for (auto& [name, address] : (*all)["tcp"].items()) {
    auto text = address.is_string() ? address.get<std::string>() : "";
    if (auto port = text.rfind(':'); port != text.npos) here[name] = host + text.substr(port);
  }
  return document(std::move(here));
}

}  // namespace

std::string this_person() {
  char host[256] = {};
  (void)::gethostname(host, sizeof host - 1);
  passwd* entry = ::getpwuid(::getuid());
  return fmt::format("{}@{}", entry ? entry->pw_name : fmt::format("uid{}", ::getuid()), host);
}

Error Door::to_error(const ErrorReply& reply) {
  static constexpr std::pair<std::string_view, Errc> codes[] = {
      {"invalid", Errc::invalid}, {"not_found", Errc::not_found},     {"exists", Errc::exists},   {"busy", Errc::busy},
      {"denied", Errc::denied},   {"unavailable", Errc::unavailable}, {"corrupt", Errc::corrupt}, {"io", Errc::io},
      {"full", Errc::full},       {"cancelled", Errc::cancelled}};
  Error error{Errc::internal, reply.message, reply.help};
  for (auto& [text, code] : codes)
    if (reply.code == text) error.code = code;
  for (auto& detail : reply.details) error.message += "\n" + detail;
  return error;
}

struct Client::Impl {
  Socket socket;
  std::string address;
  Security security;
  Welcome welcome;
  uint64_t asked = 0;
  std::string person = this_person();
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;
const Welcome& Client::welcome() const { return impl_->welcome; }
const Security& Client::security() const { return impl_->security; }

Result<Client> Client::connect(const std::string& address, Duration timeout, const Security& given) {
  auto security = given;
  SPARKY_TRY(make_keys(security));
  SPARKY_ASSIGN(auto socket, open_socket(zmq::socket_type::dealer, address, security));
  Client client(std::make_unique<Impl>(Impl{std::move(socket), address, security, {}}));
  SPARKY_ASSIGN(client.impl_->welcome, client.Door::ask<Welcome>(Hello{"sparky"}, timeout));
  client.impl_->welcome.addresses = reachable(client.impl_->welcome.addresses, address);
  return client;
}

Result<Reply> Client::ask(const Request& request, Duration timeout) { return ask(request, Envelope{}, timeout); }

Result<Reply> Client::ask(const Request& request, Envelope envelope, Duration timeout) {
  auto deadline = steady_clock::now() + timeout;
  envelope.request_id = fmt::format("{}", ++impl_->asked);
  if (envelope.who.empty()) envelope.who = impl_->person;
  try {
    auto bytes = encode(request, envelope);
    auto silent = fail(Errc::unavailable, fmt::format("no answer from {} within {}", impl_->address, human(timeout)),
                       "`sparky doctor` says what is up and what is not");
    impl_->socket.socket.set(zmq::sockopt::sndtimeo, int(timeout.count()));
    if (!impl_->socket.socket.send(zmq::message_t(), zmq::send_flags::sndmore) ||
        !impl_->socket.socket.send(zmq::buffer(bytes)))
      return silent;
    for (;;) {
      auto frame = receive(impl_->socket.socket, deadline);
      if (!frame) return silent;
      SPARKY_ASSIGN(auto map, parse_msgpack(*frame));
      // An answer to an earlier request that had timed out is not ours.
      if (map.is_object() && map.value("request_id", envelope.request_id) != envelope.request_id) continue;
      return decode_reply(map);
    }
  } catch (const std::exception& e) {
    return fail(Errc::unavailable, fmt::format("the connection to {} failed: {}", impl_->address, e.what()));
  }
}

struct Follower::Impl {
  Client& client;
  Socket socket;
  uint64_t position = 0;
  std::deque<EventMessage> ready;  // asked for, not yet given
  steady_clock::time_point heard = steady_clock::now();

  // Asks for what lies between what is known and the newest.
  Status catch_up() {
    for (uint64_t after = ready.empty() ? position : ready.back().seq;;) {
      SPARKY_ASSIGN(auto list, client.Door::ask<EventList>(ReadEvents{.after = after}));
      heard = steady_clock::now();
      for (auto& event : list.events) {
        SPARKY_ASSIGN(auto decoded, decode_stream(*event));
        if (auto* e = std::get_if<EventMessage>(&decoded)) ready.push_back(std::move(*e));
      }
      if (list.after >= list.newest || list.after <= after) return {};
      after = list.after;
    }
  }
  uint64_t known() const { return ready.empty() ? position : ready.back().seq; }
};

namespace {

// Where one of the daemon's sockets is, as it said itself.
Result<std::string> address_of(const Client& client, const char* name) {
  auto& addresses = client.welcome().addresses;
  if (!addresses || !addresses->contains(name) || !(*addresses)[name].is_string())
    return fail(Errc::unavailable, fmt::format("the daemon has no socket for {}", name));
  return (*addresses)[name].get<std::string>();
}

}  // namespace

Follower::Follower(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Follower::Follower(Follower&&) noexcept = default;
Follower& Follower::operator=(Follower&&) noexcept = default;
Follower::~Follower() = default;
uint64_t Follower::position() const { return impl_->position; }
steady_clock::time_point Follower::heard() const { return impl_->heard; }

Result<Follower> Follower::start(Client& client, uint64_t after) {
  SPARKY_ASSIGN(auto address, address_of(client, "events"));
  SPARKY_ASSIGN(auto socket, open_socket(zmq::socket_type::sub, address, client.security()));
  auto impl = std::make_unique<Impl>(Impl{client, std::move(socket), after, {}});
  SPARKY_TRY(impl->catch_up());
  return Follower(std::move(impl));
}

Result<std::optional<EventMessage>> Follower::next(Duration timeout) {
  auto& m = *impl_;
  auto deadline = steady_clock::now() + timeout;
  for (;;) {
    if (!m.ready.empty()) {
      auto event = std::move(m.ready.front());
      m.ready.pop_front();
      m.position = event.seq;
      return event;
    }
    auto frame = receive(m.socket.socket, deadline);
    auto now = steady_clock::now();
    if (!frame) {
      if (now - m.heard > seconds(5)) {
        SPARKY_TRY(m.catch_up());  // quiet for too long: is anybody there?
        continue;
      }
      return std::nullopt;
    }
    m.heard = now;
    auto map = parse_msgpack(*frame);
    auto message = map ? decode_stream(*map) : std::unexpected(map.error());
    if (!message) continue;  // of a newer daemon, perhaps; a gap would show in the numbers
    if (auto* beat = std::get_if<Heartbeat>(&*message)) {
      if (beat->newest > m.known()) SPARKY_TRY(m.catch_up());
    } else if (auto& event = std::get<EventMessage>(*message); event.seq == m.known() + 1) {
      m.ready.push_back(std::move(event));
    } else if (event.seq > m.known()) {
      SPARKY_TRY(m.catch_up());
    }
  }
}

struct Updates::Impl {
  Socket socket;
};

Updates::Updates(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Updates::Updates(Updates&&) noexcept = default;
Updates& Updates::operator=(Updates&&) noexcept = default;
Updates::~Updates() = default;

Result<Updates> Updates::open(const Client& client) {
  SPARKY_ASSIGN(auto address, address_of(client, "updates"));
  SPARKY_ASSIGN(auto socket, open_socket(zmq::socket_type::sub, address, client.security()));
  return Updates(std::make_unique<Impl>(Impl{std::move(socket)}));
}

void Follower::wait(const Updates& updates, int also, Duration timeout) const {
  if (!impl_->ready.empty()) return;
  zmq::pollitem_t items[] = {{impl_->socket.socket.handle(), 0, ZMQ_POLLIN, 0},
                             {updates.impl_->socket.socket.handle(), 0, ZMQ_POLLIN, 0},
                             {nullptr, also, ZMQ_POLLIN, 0}};
  try {
    zmq::poll(items, 3, timeout);
  } catch (const zmq::error_t& e) {
    if (e.num() != EINTR) throw;
  }
}

std::optional<Update> Updates::next(Duration timeout) {
  auto deadline = steady_clock::now() + timeout;
  while (auto frame = receive(impl_->socket.socket, deadline)) {
    auto map = parse_msgpack(*frame);
    if (!map) continue;
    if (auto update = decode_update(*map)) return std::move(*update);
  }
  return std::nullopt;
}

}  // namespace sparky::wire
