#include "web/http_server.h"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <exception>
#include <optional>
#include <thread>

namespace sparky::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using Code = boost::system::error_code;

struct Shared {
  std::map<std::string, HttpHandler> routes;
  HttpServerOptions options;
  size_t connections = 0;  // touched by the server's thread only
};

std::string list_routes(const Shared& shared) {
  std::string out = "There is nothing here. What there is:\n";
  for (const auto& [path, handler] : shared.routes) out += "  " + path + "\n";
  return out;
}

HttpResponse answer(const Shared& shared, const HttpRequest& request) {
  if (request.method != "GET" && request.method != "HEAD")
    return {405, "text/plain; charset=utf-8", "Only GET and HEAD are understood here.\n"};
  auto route = shared.routes.find(request.path);
  if (route == shared.routes.end()) return {404, "text/plain; charset=utf-8", list_routes(shared)};
  try {
    return route->second(request);
  } catch (const std::exception& e) {
    return {500, "text/plain; charset=utf-8", fmt::format("The server failed: {}\n", e.what())};
  }
}

// One connection: reads a request, answers, and again, until the peer closes, is too slow, or breaks the protocol.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<Shared> shared)
      : stream_(std::move(socket)), shared_(std::move(shared)) {
    ++shared_->connections;
  }
  ~Connection() { --shared_->connections; }

  void read() {
    parser_.emplace();
    parser_->header_limit(std::uint32_t(shared_->options.header_bytes_max));
    parser_->body_limit(0);  // a GET has none
    stream_.expires_after(shared_->options.patience);
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](Code error, size_t) { self->got(error); });
  }

 private:
  void got(Code error) {
    if (error == http::error::end_of_stream) return close();
    if (error == http::error::header_limit) return refuse(431, "The request's header is too large.\n");
    if (error == http::error::body_limit) return refuse(413, "A request must not have a body here.\n");
    // Boost.Beast's own errors are about the protocol, all others about the connection.
    if (error && error.category() == make_error_code(http::error::bad_method).category())
      return refuse(400, fmt::format("This is not an HTTP request: {}.\n", error.message()));
    if (error) return;
    const auto& message = parser_->get();
    std::string_view target(message.target().data(), message.target().size());
    size_t question = target.find('?');
    HttpRequest request{std::string(message.method_string()), std::string(target.substr(0, question)),
                        question == std::string_view::npos ? "" : std::string(target.substr(question + 1))};
    write(answer(*shared_, request), message.version(), message.keep_alive(), request.method == "HEAD");
  }

  void refuse(int status, std::string why) {
    write({status, "text/plain; charset=utf-8", std::move(why)}, 11, false, false);
  }

  void write(HttpResponse response, unsigned version, bool keep_alive, bool head) {
    response_ = {};
    response_.version(version);
    response_.result(unsigned(response.status));
    response_.set(http::field::server, "sparky");
    response_.set(http::field::content_type, response.content_type);
    response_.set(http::field::cache_control, "no-store");
    if (response.status == 405) response_.set(http::field::allow, "GET, HEAD");
    response_.keep_alive(keep_alive);
    response_.content_length(response.body.size());
    if (!head) response_.body() = std::move(response.body);
    stream_.expires_after(shared_->options.patience);
    http::async_write(stream_, response_, [self = shared_from_this(), keep_alive](Code error, size_t) {
      if (error) return;
      keep_alive ? self->read() : self->close();
    });
  }

  void close() {
    Code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{65536};
  std::optional<http::request_parser<http::empty_body>> parser_;
  http::response<http::string_body> response_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace

struct HttpServer::Impl {
  asio::io_context context{1};
  tcp::acceptor acceptor{context};
  asio::steady_timer pause{context};
  std::shared_ptr<Shared> shared = std::make_shared<Shared>();
  std::vector<std::unique_ptr<asio::steady_timer>> timers;
  std::thread thread;

  void accept() {
    acceptor.async_accept([this](Code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error && shared->connections < shared->options.connections_max)
        std::make_shared<Connection>(std::move(socket), shared)->read();
      if (!error) return accept();
      pause.expires_after(std::chrono::milliseconds(100));  // out of descriptors: others must close first
      pause.async_wait([this](Code stopped) {
        if (!stopped) accept();
      });
    });
  }

  void repeat(asio::steady_timer& timer, std::chrono::milliseconds period,
              std::shared_ptr<std::function<void()>> work) {
    timer.expires_after(period);
    timer.async_wait([this, &timer, period, work](Code stopped) {
      if (stopped) return;
      (*work)();
      repeat(timer, period, work);
    });
  }
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(std::map<std::string, HttpHandler> routes,
                                                      HttpServerOptions options) {
  auto impl = std::make_unique<Impl>();
  Code error;
  auto address = asio::ip::make_address(options.address, error);
  if (error)
    return fail(Errc::invalid, fmt::format("\"{}\" is not a numeric address", options.address), "use 127.0.0.1 or ::1");
  tcp::endpoint endpoint(address, options.port);
  auto& acceptor = impl->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    auto what = fmt::format("cannot listen on {} port {}: {}", options.address, options.port, error.message());
    bool taken = error == asio::error::address_in_use, denied = error == asio::error::access_denied;
    return fail(taken    ? Errc::busy
                : denied ? Errc::denied
                         : Errc::io,
                what, taken ? "another program has this port; choose another, or 0 for any" : "");
  }
  impl->shared->routes = std::move(routes);
  impl->shared->options = std::move(options);
  impl->accept();
  auto* running = impl.get();
  impl->thread = std::thread([running] { running->context.run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() {
  impl_->context.stop();
  impl_->thread.join();
}

unsigned short HttpServer::port() const { return impl_->acceptor.local_endpoint().port(); }

void HttpServer::every(std::chrono::milliseconds period, std::function<void()> work) {
  asio::post(impl_->context,
             [impl = impl_.get(), period, work = std::make_shared<std::function<void()>>(std::move(work))] {
               impl->timers.push_back(std::make_unique<asio::steady_timer>(impl->context));
               impl->repeat(*impl->timers.back(), period, work);
             });
}

}  // namespace sparky::web
