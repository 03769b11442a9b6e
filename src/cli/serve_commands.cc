// sparky serve, worker, keys: the daemon, those who work for it, and who may come in from elsewhere.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/door.h"
#include "cli/studio_worker.h"
#include "conductor/conductor.h"
#include "conductor/keys.h"
#include "config/config.h"
#include "telemetry/hardware.h"
#include "telemetry/metrics.h"
#include "web/observability.h"
#include "wire/address.h"

namespace sparky::cli {
namespace fs = std::filesystem;

namespace {

struct ServeOptions {
  std::string req, pub, events, workers, http;
  bool detach = false;
  Duration idle_exit{0};
};

std::optional<unsigned short> parse_port(const std::string& text) {
  unsigned short port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(port) : std::nullopt;
}

Json listening(const conductor::Conductor& conductor) {
  Json all = Json::object();
  for (auto& [name, address] : conductor.addresses()) all[name].push_back(address);
  return all;
}

void announce(const Context& context, const Json& addresses, int64_t pid) {
  if (context.json) {
    fmt::print("{}\n", json_text(Json{{"pid", pid}, {"addresses", addresses}}));
    std::fflush(stdout);
    return;
  }
  fmt::print(stderr, "sparky serves as process {}\n", pid);
  for (auto& [name, list] : addresses.items())
    for (auto& address : list) fmt::print(stderr, "  {:9} {}\n", name, address.get<std::string>());
}

conductor::Options daemon_options(const fs::path& project, const ServeOptions& given) {
  auto settings = config::load(project).config;
  auto choose = [&](const std::string& option, const char* key) {
    auto text = option.empty() ? settings.text(key) : option;
    return text.empty() || text == "none" ? std::vector<std::string>{} : std::vector<std::string>{text};
  };
  conductor::Options options;
  options.project = project;
  options.slots = unsigned(settings.integer("run.jobs"));
  auto facts = telemetry::facts();
  options.facts.assign(facts.begin(), facts.end());
  options.requests = choose(given.req, "serve.req");
  options.updates = choose(given.pub, "serve.pub");
  options.events = choose(given.events, "serve.events");
  options.workers = choose(given.workers, "serve.workers");
  options.status_every = settings.duration("run.snapshot_every");
  options.notify = settings.text("run.notify");
  options.log_max_bytes = uint64_t(settings.integer("run.log_max_mb")) << 20;
  options.signals = true;
  options.studio = studio_answers(project);
  options.idle_exit = given.idle_exit;
  options.models = installed_models;
  options.programs = worker_programs(project, settings.duration("serve.worker_idle"));
  return options;
}

// Where /metrics and /healthz are served; nothing if they shall not be.
Result<std::unique_ptr<web::HttpServer>> serve_http(const std::string& address,
                                                    std::shared_ptr<telemetry::MetricsSink> sink) {
  if (address.empty() || address == "none") return nullptr;
  web::HttpServerOptions options;
  auto colon = address.rfind(':');
  auto port = colon == address.npos ? std::nullopt : parse_port(address.substr(colon + 1));
  if (!port)
    return fail(Errc::invalid, fmt::format("serve.http is '{}': that is no ADDRESS:PORT", address),
                "for example 127.0.0.1:8000; none: no /metrics");
  options.address = address.substr(0, colon);
  options.port = *port;
  auto server = web::serve_observability(std::move(sink), SPARKY_VERSION, options);
  if (!server)
    return fail(server.error().code, fmt::format("cannot serve /metrics: {}", server.error().message),
                "another address: sparky serve --http 127.0.0.1:0; or none at all: --http none");
  return server;
}

int serve_here(const Context& context, const fs::path& project, const ServeOptions& given, int ready_fd) {
  auto options = daemon_options(project, given);
  options.metrics = std::make_shared<telemetry::MetricsSink>();
  auto opened = conductor::Conductor::open(options);
  if (!opened) return report(opened.error());
  auto at = given.http.empty() ? config::load(project).config.text("serve.http") : given.http;
  auto http = serve_http(at, options.metrics);  // its thread leaves the signals to the loop
  // Another project's daemon may have the usual port; what was asked for must be there.
  bool asked =
      !given.http.empty() || config::load(project).config.value("serve.http").source != config::Source::initial;
  if (!http && asked) return report(http.error());
  if (!http) (void)report(http.error()), http = nullptr;
  auto addresses = listening(**opened);
  if (*http) addresses["http"].push_back(fmt::format("http://{}:{}", at.substr(0, at.rfind(':')), (*http)->port()));
  if (ready_fd >= 0) {  // the parent, which started us, tells the user
    auto text = json_text(addresses);
    (void)!::write(ready_fd, text.data(), text.size());
    ::close(ready_fd);
    Fd nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
    ::dup2(nowhere.get(), STDOUT_FILENO);
  } else {
    announce(context, addresses, ::getpid());
  }
  auto ended = (*opened)->run();
  return ended ? done : report(ended.error());
}

// A child in a session of its own serves; this process waits until it listens, or says why it does not.
int serve_detached(const Context& context, const fs::path& project, const ServeOptions& given) {
  int ends[2];
  if (auto ok = make_directories(project / ".sparky", 0700); !ok) return report(ok.error());
  if (::pipe2(ends, O_CLOEXEC) != 0) return report(fail_errno(errno, "cannot make a pipe").error());
  Fd in(ends[0]), out(ends[1]);
  auto log = project / ".sparky" / "serve.log";
  std::error_code ec;
  constexpr uintmax_t log_max_bytes = 1 << 20;
  auto before = fs::file_size(log, ec);  // another daemon may be writing there, whose words stay
  if (ec) before = 0;
  if (before > log_max_bytes) fs::rename(log, log.string() + ".1", ec), before = 0;
  pid_t pid = ::fork();
  if (pid < 0) return report(fail_errno(errno, "cannot start a process").error());
  if (pid == 0) {
    ::setsid();
    in.reset();
    Fd nowhere(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    Fd words(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    ::dup2(nowhere.get(), STDIN_FILENO);
    ::dup2(words.get(), STDOUT_FILENO);
    ::dup2(words.get(), STDERR_FILENO);
    ::_exit(serve_here(context, project, given, out.release()));
  }
  out.reset();
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(in.get(), buffer, sizeof buffer)) > 0;) text.append(buffer, size_t(n));
  auto addresses = parse_json(text);
  if (!addresses) {  // it ended without a word on the pipe; its words are in the log
    auto words = read_file(log).value_or("");
    words.erase(0, std::min<size_t>(before, words.size()));
    fmt::print(stderr, "{}", words.empty() ? "sparky: error: the daemon ended\n" : printable(words));
    return failed;
  }
  announce(context, *addresses, pid);
  if (!context.json) fmt::print(stderr, "its words go to {}; to end it: kill {}\n", log.string(), pid);
  return done;
}

std::atomic<bool> worker_stop = false;

struct WorkerOptions {
  std::string connect, name, command, device = "cpu", keys, server_key;
  std::vector<std::string> kinds{"exec"}, models;
  uint32_t leases = 1;
  std::string idle, patience = "10m";
};

// The file that `sparky keys add` prints for a client.
Result<wire::Security> read_security(const std::string& server_key, const std::string& file) {
  wire::Security security{server_key, {}};
  if (file.empty()) return security;
  SPARKY_ASSIGN(auto bytes, read_file(file, 1 << 16));
  SPARKY_ASSIGN(auto json, parse_json(bytes));
  auto text = [&](const char* field) {
    return json.is_object() && json.contains(field) && json[field].is_string() ? json[field].get<std::string>() : "";
  };
  security.own = {text("public"), text("secret")};
  if (security.server_key.empty()) security.server_key = text("server");
  if (security.own.public_key.empty() || security.server_key.empty())
    return fail(Errc::invalid, fmt::format("{} is no key file of a client", file), "`sparky keys add NAME` prints one");
  return security;
}

int work_here(const Context& context, const WorkerOptions& given) {
  char host[256] = {};
  (void)::gethostname(host, sizeof host - 1);
  auto security = read_security(given.server_key, given.keys);
  if (!security) return report(security.error());
  wire::WorkOptions options{
      .security = *security, .kinds = given.kinds, .models = given.models, .device = given.device};
  options.address =
      given.connect.empty() ? wire::project_address(find_project(context.project), "workers") : given.connect;
  options.name = given.name.empty() ? fmt::format("{}-{}", host, ::getpid()) : given.name;
  options.leases = given.leases;
  bool generates = std::ranges::find(given.kinds, "generate") != given.kinds.end();
  if (generates && given.command.empty() && given.models.empty())
    for (auto& model : installed_models())
      if (model.model_type == "checkpoint") options.models.push_back(model.name);
  if (generates && given.command.empty() && options.models.empty())
    return report({Errc::unavailable, "nothing here can generate: there is no model, or no sparky-sprite",
                   "`sparky generate` says what is missing; --command gives a program of your own"});
  if (generates && given.command.empty())
    for (auto kind : {"load", "unload"})
      if (std::ranges::find(options.kinds, kind) == options.kinds.end()) options.kinds.emplace_back(kind);
  if (!given.idle.empty()) {
    auto idle = parse_duration(given.idle);
    if (!idle) return report(idle.error());
    options.idle = *idle;
  }
  auto patience = parse_duration(given.patience);
  if (!patience) return report(patience.error());
  options.patience = *patience;
  options.unsettled = fs::current_path() / "sparky-unsettled";
  options.log = [](std::string_view line) { fmt::print(stderr, "worker: {}\n", printable(line)); };
  for (int s : {SIGTERM, SIGINT, SIGHUP}) ::signal(s, [](int) { worker_stop = true; });
  auto functions = worker_functions(given.command);
  if (generates && given.command.empty()) options.loaded = functions.loaded;
  auto ended = wire::work(options, functions.job, worker_stop);
  return ended ? done : report(ended.error());
}

int add_key(const Context& context, const std::string& name, const std::string& role_text) {
  auto project = find_project(context.project);
  auto role = conductor::role_named(role_text);
  if (!role) return report({Errc::invalid, fmt::format("'{}' is no role", role_text), "observe, submit or operate"});
  auto server = conductor::make_server_keys(project);
  if (!server) return report(server.error());
  auto pair = conductor::add_client(project, name, *role);
  if (!pair) return report(pair.error());
  Json file = {
      {"name", name}, {"public", pair->public_key}, {"secret", pair->secret_key}, {"server", server->public_key}};
  fmt::print("{}\n", json_text(file, 2));
  fmt::print(stderr, "Give this to {} and keep no copy: it is not stored here.\n", name);
  return done;
}

int list_keys(const Context& context) {
  auto project = find_project(context.project);
  auto clients = conductor::allowed_clients(project);
  if (!clients) return report(clients.error());
  auto server = conductor::server_keys(project);
  if (context.json) {
    Json all = Json::array();
    for (auto& c : *clients) all.push_back({{"name", c.name}, {"public", c.public_key}, {"role", name(c.role)}});
    fmt::print("{}\n", json_text(Json{{"server", server ? Json(server->public_key) : Json()}, {"clients", all}}));
    return done;
  }
  fmt::print("server  {}\n", server ? server->public_key : "no keys yet: sparky keys server");
  for (auto& c : *clients) fmt::print("{:20} {:8} {}\n", c.name, name(c.role), c.public_key);
  return done;
}

void add_keys(CLI::App& app, Context& context) {
  auto* keys = app.add_subcommand("keys", "Who may talk to this project's daemon from another machine");
  keys->require_subcommand(1);
  keys->footer(
      "Example:\n  sparky keys add laptop --role submit > laptop.json\n  sparky serve --req tcp://0.0.0.0:5555");
  auto* server = keys->add_subcommand("server", "Make the daemon's own keys, and print its public one");
  server->callback([&context] {
    auto pair = conductor::make_server_keys(find_project(context.project));
    if (!pair) return void(context.exit = report(pair.error()));
    fmt::print("{}\n", pair->public_key);
  });
  auto name = std::make_shared<std::string>(), role = std::make_shared<std::string>("observe");
  auto* add = keys->add_subcommand("add", "Allow a client; prints its keys, which are kept nowhere else");
  add->add_option("NAME", *name, "what to call it")->required();
  add->add_option("--role", *role, "observe (look), submit (also jobs) or operate (all; also workers)")
      ->capture_default_str();
  add->callback([&context, name, role] { context.exit = add_key(context, *name, *role); });
  auto* remove = keys->add_subcommand("remove", "Let a client in no more");
  remove->add_option("NAME", *name, "its name")->required();
  remove->callback([&context, name] {
    auto ok = conductor::remove_client(find_project(context.project), *name);
    if (ok) fmt::print(stderr, "{} may ask nothing more; events it hears until the daemon is started again\n", *name);
    context.exit = ok ? done : report(ok.error());
  });
  auto* list = keys->add_subcommand("list", "The clients that are allowed");
  list->callback([&context] { context.exit = list_keys(context); });
}

}  // namespace

void add_serve_commands(CLI::App& app, Context& context) {
  auto s = std::make_shared<ServeOptions>();
  auto* serve = app.add_subcommand("serve", "Run the daemon: plans, the job queue, and every client of the protocol");
  serve
      ->add_option("--req", s->req, "where requests come in (port 0: a free one; none: only this project's own socket)")
      ->type_name("ADDR");
  serve->add_option("--pub", s->pub, "where the compatible updates go out")->type_name("ADDR");
  serve->add_option("--events", s->events, "where the full event stream goes out")->type_name("ADDR");
  serve->add_option("--workers", s->workers, "where workers on other machines connect")->type_name("ADDR");
  serve
      ->add_option_function<std::string>(
          "--idle-exit",
          [s](const std::string& text) {
            auto idle = parse_duration(text);
            if (!idle) throw CLI::ValidationError("--idle-exit", idle.error().text());
            s->idle_exit = *idle;
          },
          "end when nothing was asked and nothing was under way for so long")
      ->type_name("DURATION");
  serve->add_option("--http", s->http, "where /metrics and /healthz are served")->type_name("HOST:PORT");
  serve->add_flag("--detach", s->detach, "go on in the background; returns once it listens");
  serve->footer(
      "Addresses default to `sparky config` (serve.req, …). Other machines need keys: sparky keys.\n"
      "Example:\n  sparky serve --detach\n  sparky doctor");
  serve->callback([&context, s] {
    auto project = find_project(context.project);
    context.exit = s->detach ? serve_detached(context, project, *s) : serve_here(context, project, *s, -1);
  });

  auto w = std::make_shared<WorkerOptions>();
  auto* worker = app.add_subcommand("worker", "Carry out jobs of a daemon, here or on another machine");
  worker->add_option("--connect", w->connect, "the daemon's workers address (default: this project's)")
      ->type_name("ADDR");
  worker->add_option("--kind", w->kinds, "kinds of jobs that it does: exec, generate, snap, …; others with --command")
      ->capture_default_str();
  worker->add_option("--model", w->models, "models that it has (default: any; of generate those installed here)");
  worker->add_option("--command", w->command,
                     "what carries a job out (sh -c; the request on its input, results into $SPARKY_OUTPUT); default: "
                     "what the kind says; of exec the job's own \"command\"");
  worker->add_option("--name", w->name, "its name, the same after a restart (default: HOST-PID)");
  worker->add_option("--leases", w->leases, "jobs at once")->capture_default_str()->check(CLI::Range(1, 1000));
  worker->add_option("--device", w->device, "what it runs on, for people to read")->capture_default_str();
  worker->add_option("--idle", w->idle, "end after so long without a job")->type_name("DURATION");
  worker
      ->add_option("--patience", w->patience,
                   "when no daemon takes its results for so long, it leaves their files in ./sparky-unsettled and ends")
      ->type_name("DURATION")
      ->capture_default_str();
  worker->add_option("--keys", w->keys, "a client's key file, from `sparky keys add NAME --role operate`")
      ->type_name("FILE");
  worker->add_option("--server-key", w->server_key, "the daemon's public key, if it is not in the key file")
      ->type_name("KEY");
  worker->footer(
      "The daemon starts a worker for generate, snap and the like by itself, and ends it when it was idle for "
      "serve.worker_idle.\nExample:\n  sparky worker --kind exec --leases 4\n  sparky job submit --kind exec 'echo "
      "hello'\n  sparky worker --kind generate --connect tcp://HOST:5558 --keys worker.json");
  worker->callback([&context, w] { context.exit = work_here(context, *w); });
  add_keys(app, context);
}

}  // namespace sparky::cli
