#include "web/observability.h"

namespace sparky::web {

std::map<std::string, HttpHandler> observability_routes(std::shared_ptr<telemetry::Metrics> metrics) {
  return {{"/metrics",
           [metrics](const HttpRequest&) {
             return HttpResponse{200, "text/plain; version=0.0.4; charset=utf-8", metrics->text()};
           }},
          {"/healthz", [metrics](const HttpRequest&) {
             auto health = metrics->health();
             return HttpResponse{health.ok ? 200 : 503, "application/json", health.json};
           }}};
}

Result<std::unique_ptr<HttpServer>> serve_observability(std::shared_ptr<telemetry::MetricsSink> sink,
                                                        const std::string& version, HttpServerOptions options) {
  auto metrics = std::make_shared<telemetry::Metrics>(std::move(sink), version);
  SPARKY_ASSIGN(auto server, HttpServer::start(observability_routes(metrics), std::move(options)));
  server->every(std::chrono::seconds(1), [metrics] { metrics->take(); });
  return server;
}

}  // namespace sparky::web
