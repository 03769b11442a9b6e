#include "web/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include "base/files.h"
#include "web/observability.h"

namespace sparky::web {
namespace {

Fd dial(unsigned short port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  timeval patience{20, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

void send_text(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    text.remove_prefix(size_t(n));
  }
}

std::string read_to_end(int fd) {
  std::string out;
  char chunk[4096];
  for (ssize_t n; (n = ::recv(fd, chunk, sizeof chunk, 0)) > 0;) out.append(chunk, size_t(n));
  return out;
}

// Sends bytes on a connection of its own and reads until the server closes.
std::string talk(unsigned short port, std::string_view bytes) {
  Fd fd = dial(port);
  send_text(fd.get(), bytes);
  return read_to_end(fd.get());
}

std::string get(unsigned short port, const std::string& target, const std::string& method = "GET") {
  return talk(port, method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

std::unique_ptr<HttpServer> server(HttpServerOptions options = {}) {
  options.port = 0;
  auto started = HttpServer::start(
      {{"/hello", [](const HttpRequest& r) { return HttpResponse{200, "text/plain", "hello " + r.query}; }},
       {"/fails", [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("out of luck"); }}},
      options);
  EXPECT_TRUE(started);
  return std::move(*started);
}

TEST(HttpServer, AnswersWhatItKnows) {
  auto s = server();
  auto reply = get(s->port(), "/hello?a=b");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 OK\r\n")) << reply;
  EXPECT_TRUE(reply.ends_with("\r\n\r\nhello a=b")) << reply;
  auto head = get(s->port(), "/hello", "HEAD");
  EXPECT_NE(head.find("Content-Length: 6"), std::string::npos) << head;
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  auto missing = get(s->port(), "/else");
  EXPECT_TRUE(missing.starts_with("HTTP/1.1 404")) << missing;
  EXPECT_NE(missing.find("/hello"), std::string::npos);
  EXPECT_TRUE(get(s->port(), "/hello", "DELETE").starts_with("HTTP/1.1 405"));
  auto failed = get(s->port(), "/fails");
  EXPECT_TRUE(failed.starts_with("HTTP/1.1 500")) << failed;
  EXPECT_NE(failed.find("out of luck"), std::string::npos);
}

TEST(HttpServer, OneConnectionCarriesManyRequests) {
  auto s = server();
  auto reply =
      talk(s->port(),
               "GET /hello?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /hello?2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(reply.find("hello 1"), std::string::npos) << reply;
  EXPECT_TRUE(reply.ends_with("hello 2")) << reply;
}

TEST(HttpServer, BadInputIsRefusedAndHarmsNobody) {
  auto s = server();
  EXPECT_TRUE(talk(s->port(), std::string("\x00\xff\x01 nonsense\r\n\r\n", 15)).starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(talk(s->port(), "GET /hello HTTP/1.1\r\nX: " + std::string(20000, 'a')).starts_with("HTTP/1.1 431"));
  EXPECT_TRUE(
      talk(s->port(), "POST /hello HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n").starts_with("HTTP/1.1 413"));
  {
    Fd half = dial(s->port());
    send_text(half.get(), "GET /he");
  }  // closed in the middle
  EXPECT_TRUE(get(s->port(), "/hello").starts_with("HTTP/1.1 200"));
}

TEST(HttpServer, SlowAndManyClientsAreCutOff) {
  auto s = server({.connections_max = 2, .patience = std::chrono::milliseconds(300)});
  Fd first = dial(s->port()), second = dial(s->port());
  send_text(first.get(), "GET /hello HTTP/1.1\r\n");  // and never the rest
  Fd third = dial(s->port());
  EXPECT_EQ(read_to_end(third.get()), "");  // closed at once: the first two fill the house
  EXPECT_EQ(read_to_end(first.get()), "");  // closed when its time is over
  EXPECT_EQ(read_to_end(second.get()), "");
  EXPECT_TRUE(get(s->port(), "/hello").starts_with("HTTP/1.1 200"));
}

TEST(HttpServer, SaysWhyItCannotListen) {
  auto s = server();
  auto again = HttpServer::start({}, {.port = s->port()});
  ASSERT_FALSE(again);
  EXPECT_TRUE(again.error().is(Errc::busy)) << again.error().text();
  EXPECT_TRUE(HttpServer::start({}, {.address = "localhost"}).error().is(Errc::invalid));
}

TEST(HttpServer, EndsWhileClientsAreConnected) {
  auto s = server();
  Fd idle = dial(s->port());
  EXPECT_TRUE(get(s->port(), "/hello").starts_with("HTTP/1.1 200"));
  s.reset();
  EXPECT_EQ(read_to_end(idle.get()), "");
}

TEST(Observability, MetricsAndHealth) {
  auto sink = std::make_shared<telemetry::MetricsSink>();
  auto s = serve_observability(sink, "1.2.3", {.port = 0});
  ASSERT_TRUE(s);
  EXPECT_TRUE(get((*s)->port(), "/healthz").starts_with("HTTP/1.1 503"));
  sink->set(telemetry::Metric::active_jobs, 4);
  sink->flush();
  auto health = get((*s)->port(), "/healthz");
  EXPECT_TRUE(health.starts_with("HTTP/1.1 200")) << health;
  auto metrics = get((*s)->port(), "/metrics");
  EXPECT_NE(metrics.find("Content-Type: text/plain; version=0.0.4"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("\ndgx_pixels_active_jobs 4\n"), std::string::npos) << metrics;
}

}  // namespace
}  // namespace sparky::web
