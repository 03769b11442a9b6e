// sparky doctor: what is up, what is not, and the remedy.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "conductor/keys.h"
#include "conductor/ledger.h"
#include "config/config.h"
#include "journal/lock.h"
#include "wire/address.h"
#include "wire/client.h"

namespace sparky::cli {
namespace fs = std::filesystem;

namespace {

enum class Health { good, note, bad };

struct Finding {
  Health health;
  std::string what, text, remedy;
};

class Doctor {
 public:
  explicit Doctor(fs::path project) : project_(std::move(project)), dot_(project_ / ".sparky") {}

  std::vector<Finding> examine() {
    project();
    settings();
    journal();
    daemon();
    warden();
    disk();
    keys();
    return std::move(found_);
  }

 private:
  void say(Health health, std::string what, std::string text, std::string remedy = {}) {
    found_.push_back({health, std::move(what), std::move(text), std::move(remedy)});
  }

  void project() {
    std::error_code ec;
    if (!fs::exists(dot_, ec))
      return say(Health::note, "project", project_.string() + " has no .sparky/ yet",
                 "`sparky run PLAN` or `sparky serve` makes it; --project names another directory");
    auto mode = fs::status(dot_, ec).permissions();
    if ((mode & fs::perms::others_all) != fs::perms::none || (mode & fs::perms::group_all) != fs::perms::none)
      return say(Health::bad, "project", dot_.string() + " is open to others", "chmod 700 " + dot_.string());
    say(Health::good, "project", project_.string());
  }
  void settings() {
    auto loaded = config::load(project_);
    for (auto& d : loaded.found)
      say(d.severity == Severity::error ? Health::bad : Health::note, "settings", d.text(), "sparky config");
    if (loaded.found.empty()) say(Health::good, "settings", "all valid");
  }
  void journal() {
    auto file = conductor::journal_file(project_);
    std::error_code ec;
    if (!fs::exists(file, ec)) return say(Health::note, "journal", "none yet");
    auto reader = journal::Reader::open(file);
    auto head = reader ? reader->head() : std::unexpected(reader.error());
    if (!head) return say(Health::bad, "journal", head.error().message, head.error().help);
    say(Health::good, "journal", fmt::format("{} events, {}", head->seq, human_bytes(double(fs::file_size(file, ec)))));
  }
  void daemon() {
    auto holder = journal::ProjectLock::holder(dot_);
    if (holder.empty())
      return say(Health::note, "daemon", "not running", "`sparky serve --detach` starts it; `sparky run` needs none");
    auto begun = std::chrono::steady_clock::now();
    auto client = wire::Client::connect(wire::project_address(project_, "sock"), Duration(3000));
    if (!client)
      return say(
          Health::bad, "daemon", fmt::format("{} has the project but does not answer", holder),
          "look at " + (dot_ / "serve.log").string() + "; end it with `kill`, what runs goes on under the warden");
    auto ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count();
    say(Health::good, "daemon", fmt::format("{}, answers in {:.1f} ms", holder, ms));
    if (client->welcome().version != SPARKY_VERSION)
      say(Health::note, "daemon", fmt::format("is version {}, this is {}", client->welcome().version, SPARKY_VERSION),
          "start it anew; what runs goes on");
    auto inside = client->ask<wire::Inspection>(wire::Inspect{});
    if (!inside) return say(Health::bad, "daemon", inside.error().message, inside.error().help);
    auto& executor = (*inside->daemon)["executor"];
    if (!executor.value("available", true))
      say(Health::bad, "executor", executor.value("trouble", ""), "nothing starts until this is over");
    auto workers = client->ask<wire::WorkerList>(wire::ListWorkers{});
    if (workers) {
      auto n = workers->workers->size();
      say(Health::good, "workers", fmt::format("{} connected", n));
    }
    std::string kinds;
    for (auto& program : inside->daemon->value("local_workers", Json::array())) {
      for (auto& kind : program.value("kinds", Json::array())) kinds += " " + kind.get<std::string>();
      if (program.contains("trouble"))
        say(Health::bad, "workers",
            fmt::format("local-{}: {}", program.value("name", ""), program.value("trouble", "")),
            "it is started again while a job waits for it");
    }
    bool generates = kinds.find(" generate") != kinds.npos;
    say(generates ? Health::good : Health::note, "workers",
        kinds.empty() ? "the daemon starts none by itself" : "the daemon starts one by itself for:" + kinds,
        generates ? "" : "for generate, sparky-sprite must lie beside sparky when the daemon starts");
  }
  void warden() {
    auto lock = dot_ / "warden" / "lock";
    Fd fd(::open(lock.c_str(), O_RDONLY | O_CLOEXEC));
    bool held = fd && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0;
    say(held ? Health::good : Health::note, "warden", held ? "watches what runs" : "not running: nothing runs");
  }
  void disk() {
    std::error_code ec;
    auto space = fs::space(fs::exists(dot_, ec) ? dot_ : project_, ec);
    if (ec) return say(Health::bad, "disk", ec.message());
    constexpr uintmax_t little = 1u << 30;
    say(space.available < little ? Health::bad : Health::good, "disk", human_bytes(double(space.available)) + " free",
        space.available < little ? "free some: `sparky prune` archives finished runs" : "");
  }
  void keys() {
    auto clients = conductor::allowed_clients(project_);
    if (!clients) return say(Health::bad, "keys", clients.error().message, clients.error().help);
    if (clients->empty()) return say(Health::good, "keys", "only this machine may connect");
    say(Health::good, "keys", fmt::format("{} clients may connect from elsewhere", clients->size()));
  }

  fs::path project_, dot_;
  std::vector<Finding> found_;
};

int examine(const Context& context) {
  auto found = Doctor(find_project(context.project)).examine();
  bool bad = std::ranges::any_of(found, [](auto& f) { return f.health == Health::bad; });
  static constexpr const char* words[] = {"ok", "note", "bad"};
  Json all = Json::array();
  for (auto& f : found) {
    auto word = words[static_cast<int>(f.health)];
    all.push_back({{"what", f.what}, {"health", word}, {"text", f.text}, {"remedy", f.remedy}});
    if (context.json) continue;
    fmt::print("{:5} {:9} {}\n", word, f.what, printable(f.text));
    if (!f.remedy.empty()) fmt::print("      {:9} {}\n", "", printable(f.remedy));
  }
  if (context.json) fmt::print("{}\n", json_text(Json{{"healthy", !bad}, {"findings", all}}));
  return bad ? failed : done;
}

}  // namespace

void add_doctor_commands(CLI::App& app, Context& context) {
  auto* doctor = app.add_subcommand("doctor", "What is up, what is not, and the remedy");
  doctor->footer(
      "Exit code 1 if something is bad.\nExample:\n  sparky doctor --json | jq '.findings[] | select(.health == "
      "\"bad\")'");
  doctor->callback([&context] { context.exit = examine(context); });
}

}  // namespace sparky::cli
