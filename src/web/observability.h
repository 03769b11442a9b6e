// Observability: /metrics (Prometheus' text format) and /healthz, as every Sparky that hosts a loop serves them.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "telemetry/metrics.h"
#include "web/http_server.h"

namespace sparky::web {

// /metrics: 200 with the text. /healthz: 200 while the loop turns, 503 before its first turn and when it is stuck.
std::map<std::string, HttpHandler> observability_routes(std::shared_ptr<telemetry::Metrics> metrics);

// A server with these routes that also takes in the loop's updates every second, scraped or not. The loop keeps `sink`
// and feeds it; see telemetry/metrics.h.
Result<std::unique_ptr<HttpServer>> serve_observability(std::shared_ptr<telemetry::MetricsSink> sink,
                                                        const std::string& version, HttpServerOptions options = {});

}  // namespace sparky::web
