// HttpServer: a small HTTP/1.1 server (Boost.Beast, asynchronous) in a thread of its own. It can hold up nobody:
// whoever owns the state hands over what is to be shown, and never waits for a browser.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace sparky::web {

struct HttpRequest {
  std::string method;  // GET or HEAD; others are answered with 405
  std::string path;    // without the query
  std::string query;   // what follows "?", undecoded
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Called in the server's thread, one at a time. An exception becomes a 500.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

struct HttpServerOptions {
  std::string address = "127.0.0.1";           // a numeric address
  unsigned short port = 8000;                  // 0: any free one
  size_t connections_max = 256;                // one more is closed at once
  size_t header_bytes_max = 8192;              // larger requests are answered with 431
  std::chrono::milliseconds patience{10'000};  // for a whole request, a write, and between two requests
};

class HttpServer {
 public:
  // Listens before it returns. Errors: invalid — not an address; busy — the port is taken; denied, io.
  static Result<std::unique_ptr<HttpServer>> start(std::map<std::string, HttpHandler> routes,
                                                   HttpServerOptions options = {});
  ~HttpServer();  // closes all connections, and waits for the thread
  unsigned short port() const;

  // Calls `work` in the server's thread, again and again; to be set before anything is expected of it.
  void every(std::chrono::milliseconds period, std::function<void()> work);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sparky::web
